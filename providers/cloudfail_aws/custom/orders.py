"""What both kinds of this port share: how a read fails, and what stands between an order and its request."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.ports import Call
from cloudfail.secrecy import redacted
from cloudfail_aws.asking import Asking


class Ordered(ABC):
    """ports.Custom over one kind."""

    def __init__(self, asking: Asking, members: Mapping[str, Any]) -> None:
        self._asking = asking
        self._members = members

    @abstractmethod
    def look(self, region: str, run: str) -> CustomState:
        """What is so. Raises Transient where what answered says nothing of it."""

    @abstractmethod
    def again(self, region: str, expect: CustomState, call: Call) -> CustomState:
        """As much of that as is asked for immediately before an order; its `version` is held against what was seen."""

    @abstractmethod
    def order(self, region: str, call: Call) -> None:
        """Begin it, in one request."""

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        at = time.time()
        try:
            seen = self.look(region, run)
        except CloudfailError as error:
            return Unknown(redacted(f"{region}: {error}"), at)
        return Known(replace(seen, detail=redacted(seen.detail)), at)

    def invoke(self, region: str, *, expect: CustomState, call: Call) -> None:
        name, until = self._asking.resource.name, self._asking.deadline(call.timeout_seconds)
        if expect.word in (CustomWord.DONE, CustomWord.MOVING):
            return
        try:
            now = self.again(region, expect, call)
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was begun yet, so whatever came of the look is no doubt about an effect.
            raise Transient(redacted(f"Whether {name} in {region} is under way cannot be read: {error}")) from error
        if now.under_way or now.word in (CustomWord.DONE, CustomWord.MOVING):
            return
        if now.epoch is not None and now.epoch > call.epoch:
            raise Conflict(f"{name} in {region} was run under epoch {now.epoch}, and this is {call.epoch}.")
        if now.version != expect.version:
            raise Conflict(f"{name} in {region} is not as it was seen.")
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient("The time of this call was over before its request.")
        self.order(region, replace(call, timeout_seconds=left))

    def member(self, region: str) -> Any:
        """Transient where there is none: a read of it is unknown, and a verb has no effect."""
        if region not in self._members:
            raise Transient(f"it has no member in {region}.")
        return self._members[region]
