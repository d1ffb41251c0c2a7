"""ports.Network as every cloud's paths have it: a look, a mark, and a verb that makes one effect after another look.

No cloud takes a route or an address under a condition that it promises, so the look stands immediately before the
request. What leads to something that is no member is not the resource's to change: a read of it is unknown, a verb on
it is refused, and both name who holds it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Generic, Protocol, TypeVar

from cloudfail.errors import CloudfailError, Conflict, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState, Reached
from cloudfail.model.topology import Resource
from cloudfail.ports import Call
from cloudfail.probes.through import through
from cloudfail.time_left import TimeLeft
from cloudfail_paths.options import Reach

READ_SECONDS = 8.0
"""How long one look may take, with all that it asks."""
UNCHANGED = "It was not changed."
Points = Mapping[str, tuple[str, ...]]
"""Part of the resource -> the regions that it leads to."""


class Seen(Protocol):
    """What a look tells. What else a kind's own has is what a change needs of it."""

    @property
    def points(self) -> Points: ...

    @property
    def version(self) -> str: ...

    @property
    def epoch(self) -> int | None: ...

    @property
    def moving(self) -> str: ...

    @property
    def obstacle(self) -> str: ...


S = TypeVar("S", bound=Seen)


class Path(ABC, Generic[S]):
    """ports.Network over one kind, which serves the verb `serves`. name: the resource's; cloud: who tells of it."""

    serves = "route"
    cloud: ClassVar[str]

    def __init__(self, name: str, reaches: Mapping[str, Reach | None], *, answer_within: float) -> None:
        self._name = name
        self._reaches = reaches
        self._answer_within = answer_within

    # ---- what a kind says

    @abstractmethod
    def look(self, *, within: float) -> S:
        """All of it, once. Raises Transient where the answer says nothing of a part, Conflict where one leads to what
        is no member."""

    @abstractmethod
    def lead(self, part: str, regions: tuple[str, ...], seen: S, call: Call, time_left: TimeLeft) -> str:
        """One effect towards that; in words."""

    def rank(self, part: str, regions: tuple[str, ...], seen: S) -> int:
        """Of several parts the first with the lowest is next."""
        return 0

    def marked(self, part: str, seen: S, call: Call, time_left: TimeLeft) -> S:
        """Write the epoch's mark beside that part, where a kind writes it by itself; what is seen then."""
        return seen

    # ---- the port

    def read(self) -> Known[NetworkState] | Unknown:
        at = time.time()
        try:
            seen = self.look(within=READ_SECONDS)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(NetworkState(seen.points, seen.moving, seen.obstacle, seen.version, seen.epoch), at)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        wanted = self._reaches.get(region)
        if wanted is None:
            unasked = f"nothing was asked through it: only what {self.cloud} says of it was read"
            return Known(Reached(None, unasked), time.time())
        return through(wanted.at, wanted.says, within_seconds=self._answer_within)

    def route(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("route", points, expect, call)

    def move_address(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("move_address", points, expect, call)

    # ---- inside

    def _move(self, verb: str, points: Points, expect: NetworkState, call: Call) -> None:
        if verb != self.serves:
            raise Permanent(f"{self._name} has no {verb}.", UNCHANGED, f"Write network.{self.serves} in the runbook.")
        nobody = {region for regions in points.values() for region in regions} - set(self._reaches)
        if nobody:
            raise Permanent(f"{self._name} has no member in {', '.join(sorted(nobody))}.", UNCHANGED)
        time_left = TimeLeft(call)
        seen = self.before(time_left)
        strange = [part for part in points if part not in seen.points]
        if strange:
            raise Permanent(f"{self._name} has no part {strange[0]} any more.", UNCHANGED, "Plan anew.")
        self.newest(seen, call)
        due = [part for part, regions in points.items() if seen.points[part] != regions]
        if not due:
            return
        self.unchanged(seen, expect.version)
        if seen.moving:
            raise Transient(f"{self._name}: {seen.moving}; it takes no order until that is over.")
        part = min(due, key=lambda one: self.rank(one, points[one], seen))
        seen = self.marked(part, seen, call, time_left)
        call.log(self.lead(part, points[part], seen, call, time_left))

    def before(self, time_left: TimeLeft) -> S:
        """As it is immediately before the change. Nothing was changed yet, so whatever came of the look is no doubt
        about an effect."""
        try:
            return self.look(within=min(READ_SECONDS, max(0.01, time_left.seconds)))
        except (Permanent, Conflict):
            raise
        except CloudfailError as error:
            raise Transient(f"{self._name} cannot be read: {error}") from error

    def again(self, seen: S, call: Call, time_left: TimeLeft) -> S:
        """Another look, after a mark was written: nobody newer came by, and it is as it was."""
        now = self.before(time_left)
        self.newest(now, call)
        self.unchanged(now, seen.version)
        return now

    def unchanged(self, seen: S, version: str) -> None:
        if seen.version != version:
            raise Conflict(f"{self._name} is not as it was seen.", UNCHANGED)

    def newest(self, seen: S, call: Call) -> None:
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(f"{self._name} was changed under epoch {seen.epoch}, and this is {call.epoch}.", UNCHANGED)


def told_apart(resource: Resource, values: Mapping[str, Iterable[str]]) -> None:
    """Raises Refused where two members have one of these in common: nobody could say to which of them it leads."""
    owners: dict[str, str] = {}
    for region, held in values.items():
        for value in held:
            if owners.setdefault(value, region) != region:
                raise Refused(
                    f"{resource.name}: {value} is a member's in {owners[value]} and in {region}.",
                    "Nothing was changed.",
                    "Name another one for one of them in cloudfail.yaml.",
                )
