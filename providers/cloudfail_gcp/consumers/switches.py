"""What all kinds of this port share: one look, and one verb that turns one thing on or off.

None of Google's verbs here has a condition, so the look stands immediately before the request, and the run goes on
watching. Off is what Google says and, where the member names who receives, what that says too (quiet.py).
"""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.consumers.quiet import not_quiet

READ_SECONDS = 6.0
"""How long one look at a member may take."""
UNCHANGED = "It was not changed."
QUIET_SECONDS = 3.0


@dataclass(frozen=True)
class Switch:
    """One member as Google describes it. enabled: None where it is neither, and `said` is why. still: what still comes
    although it is off. owner: the application whose mark it carries, "" if none. `raw`: the answer that it was read
    from."""

    name: str
    enabled: bool | None
    version: str
    said: str = ""
    still: str = ""
    epoch: int | None = None
    owner: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


class Switched(ABC):
    """ports.Consumers over one kind. Fulfils ports.Preflight too."""

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
        still = ""
        if not seen.enabled:
            url = self.member(region).quiet
            still = seen.still or (not_quiet(url, within=QUIET_SECONDS) if url else "")
            still = f"{seen.name} is {seen.said}, and {still}" if still else ""
        return Known(ConsumersState(seen.enabled, seen.version, seen.epoch, still), at)

    def enable(self, region: str, enabled: bool, *, expect: ConsumersState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        try:
            seen = self.describe(region, within=min(READ_SECONDS, call.timeout_seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was changed yet, so whatever came of the look is no doubt about an effect.
            raise Transient(f"The consumers in {region} cannot be read: {error}") from error
        if enabled is seen.enabled:
            return
        if seen.enabled is None:
            raise Transient(f"{seen.name} in {region} is {seen.said}, and was left so.")
        refuse_strangers(seen, self._asking.topology.application)
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(f"{seen.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.")
        if seen.version != expect.version:
            raise Conflict(f"{seen.name} in {region} is not as it was seen.")
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient("The time of this call was over before its request.")
        self.turn(region, seen, enabled, call=replace(call, timeout_seconds=left))

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse the verb, and what would make it do nothing good."""
        at, found = time.time(), list[str]()
        for region in self._members:
            try:
                seen = self.describe(region, within=READ_SECONDS)
                refuse_strangers(seen, self._asking.topology.application)
            except Permanent as error:
                found.append(f"{region}: {error}")
                continue
            except CloudfailError as error:
                return Unknown(f"{region}: {error}", at)
            if seen.enabled is None:
                found.append(f"{region}: {seen.name} is {seen.said}")
            found += [f"{region}: {one}" for one in self.dangers(seen)]
        return Known(tuple(found), at)

    def dangers(self, seen: Switch) -> tuple[str, ...]:
        """What else a person should know of it before the bad day."""
        return ()

    def member(self, region: str) -> Any:
        """Transient where there is none: a read of it is unknown, and a verb has no effect."""
        if region not in self._members:
            raise Transient(f"these consumers have no member in {region}.")
        return self._members[region]


def refuse_strangers(seen: Switch, application: str) -> None:
    """Permanent where another application turns it on and off: its epochs have nothing to do with ours."""
    if seen.owner and seen.owner != word(application):
        raise Permanent(
            f"{seen.name} is turned on and off for the application {seen.owner}, and this is {application}.",
            UNCHANGED,
            "Take it out of one of the two cloudfail.yaml; to take it over, remove its labels cloudfail-….",
        )


def at_home(members: Mapping[str, str], resource: str) -> None:
    """Refuse (Permanent) a path that is written for another region than its own: the one slip that would turn on what
    must stay off."""
    for region, path in members.items():
        location = path.split("/")[3]
        if location != region:
            raise Permanent(
                f"{path}, which is written for {region}, stands in {location}.",
                "Nothing was changed.",
                f"Correct the members of {resource} in cloudfail.yaml.",
            )


def word(name: str) -> str:
    """A name as a label's value can hold it (lowercase, digits, `-` and `_`, at most 63), another for another name."""
    plain = re.sub(r"[^a-z0-9_-]", "-", name.lower())[:63]
    return plain if plain == name else f"{plain[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
