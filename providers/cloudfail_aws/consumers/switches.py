"""What all kinds of this port share: one look, and one verb that turns one thing on or off."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking

READ_SECONDS = 6.0
"""How long one look at a member may take."""


@dataclass(frozen=True)
class Switch:
    """One member as AWS describes it. enabled: None while it is on its way; `towards` is where to, where that is known.
    `raw`: the answer that it was read from."""

    name: str
    enabled: bool | None
    version: str
    towards: bool | None = None
    said: str = ""
    epoch: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


class Switched(ABC):
    """ports.Consumers over one kind."""

    def __init__(self, asking: Asking, members: Mapping[str, Any]) -> None:
        self._asking = asking
        self._members = members

    @abstractmethod
    def describe(self, region: str, *, within: float) -> Switch:
        """The member in `region`. Raises Transient where the answer says nothing of it."""

    @abstractmethod
    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        """Order it, in one request."""

    def read(self, region: str) -> Known[ConsumersState] | Unknown:
        at = time.time()
        try:
            seen = self.describe(region, within=READ_SECONDS)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        if seen.enabled is None:
            return Unknown(f"{region}: {seen.name} is {seen.said}", at)
        return Known(ConsumersState(seen.enabled, seen.version, seen.epoch), at)

    def enable(self, region: str, enabled: bool, *, expect: ConsumersState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        try:
            seen = self.describe(region, within=min(READ_SECONDS, call.timeout_seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was changed yet, so whatever came of the look is no doubt about an effect.
            raise Transient(f"The consumers in {region} cannot be read: {error}") from error
        if enabled in (seen.enabled, seen.towards):
            return
        if seen.enabled is None:
            raise Transient(f"{seen.name} in {region} is {seen.said}, and takes no order until it is done.")
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(f"{seen.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.")
        if seen.version != expect.version:
            raise Conflict(f"{seen.name} in {region} is not as it was seen.")
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient("The time of this call was over before its request.")
        self.turn(region, seen, enabled, call=replace(call, timeout_seconds=left))

    def member(self, region: str) -> Any:
        """Transient where there is none: a read of it is unknown, and a verb has no effect."""
        if region not in self._members:
            raise Transient(f"these consumers have no member in {region}.")
        return self._members[region]
