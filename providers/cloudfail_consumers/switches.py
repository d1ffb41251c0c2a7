"""What all kinds of this port share: one look, and one verb that turns one thing on or off.

Hardly one of the clouds' verbs here has a condition, so the look stands immediately before the request, and the run
goes on watching. Off is what the cloud says and, where the member names who receives, what that says too (quiet.py).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.model.topology import Topology
from cloudfail.ports import Call
from cloudfail_consumers.quiet import not_quiet

READ_SECONDS = 6.0
"""How long one look at a member may take."""
UNCHANGED = "It was not changed."
QUIET_SECONDS = 3.0


class Clocked(Protocol):
    """What of a cloud's `Asking` is needed here: the topology that it asks for, and its clock."""

    @property
    def topology(self) -> Topology: ...

    def deadline(self, seconds: float) -> float: ...

    def left_until(self, until: float) -> float: ...


A = TypeVar("A", bound=Clocked)


@dataclass(frozen=True)
class Switch:
    """One member as its cloud describes it. enabled: None where it is neither, and `said` is why; towards: where to, if
    it is on its way and that is known. still: what still comes although it is off. owner: the application whose
    mark it carries, "" if none. `raw`: the answer that it was read from."""

    name: str
    enabled: bool | None
    version: str
    said: str = ""
    towards: bool | None = None
    still: str = ""
    epoch: int | None = None
    owner: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


class Switched(ABC, Generic[A]):
    """ports.Consumers over one kind. Fulfils ports.Preflight too."""

    mark_kept = "mark of cloudfail"
    """Where the owner is written, as it is named to people."""

    def __init__(self, asking: A, members: Mapping[str, Any]) -> None:
        self._asking = asking
        self._members = members

    @abstractmethod
    def describe(self, region: str, *, within: float) -> Switch:
        """The member in `region`. Raises Transient where the answer says nothing of it."""

    @abstractmethod
    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        """Order it, in one request that has an effect."""

    def refusal(self, region: str, seen: Switch, enabled: bool) -> CloudfailError | None:
        """Why it is not turned that way, whoever asks."""
        return None

    def dangers(self, region: str, seen: Switch) -> tuple[str, ...]:
        """What else a person should know of it before the bad day. Raises as `describe`."""
        return ()

    @property
    def application(self) -> str:
        """Ours, as a mark writes it."""
        return self._asking.topology.application

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
            url = getattr(self.member(region), "quiet", None)
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
        if enabled in (seen.enabled, seen.towards):
            return
        if problem := self._refused(region, seen, enabled):
            raise problem
        if seen.enabled is None:
            raise Transient(f"{seen.name} in {region} is {seen.said}, and takes no order until that is over.")
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(f"{seen.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.", UNCHANGED)
        if seen.version != expect.version:
            raise Conflict(f"{seen.name} in {region} is not as it was seen.", UNCHANGED)
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
                problem = self._refused(region, seen, not seen.enabled)
                dangers = self.dangers(region, seen)
            except Permanent as error:
                found.append(f"{region}: {error}")
                continue
            except CloudfailError as error:
                return Unknown(f"{region}: {error}", at)
            if problem is not None:
                found.append(f"{region}: {problem}")
            elif seen.enabled is None and seen.towards is None:
                found.append(f"{region}: {seen.name} is {seen.said}")
            found += [f"{region}: {one}" for one in dangers]
        return Known(tuple(found), at)

    def member(self, region: str) -> Any:
        """Transient where there is none: a read of it is unknown, and a verb has no effect."""
        if region not in self._members:
            raise Transient(f"these consumers have no member in {region}.")
        return self._members[region]

    def _refused(self, region: str, seen: Switch, enabled: bool) -> CloudfailError | None:
        """Where another application turns it on and off, its epochs have nothing to do with ours."""
        if seen.owner and seen.owner != self.application:
            return Permanent(
                f"{seen.name} is turned on and off for the application {seen.owner}, and this is {self.application}.",
                UNCHANGED,
                f"Take it out of one of the two cloudfail.yaml; to take it over, remove its {self.mark_kept}.",
            )
        return self.refusal(region, seen, enabled)
