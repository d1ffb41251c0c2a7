"""What all kinds of this port share: a look, and a verb that makes one effect after another look.

Compute Engine takes neither a route nor an address under a condition, so the look stands immediately before the
request. Each order has a request id of its own (under_way.py). What leads to something that is no member is not this
resource's to change: a read of it is unknown, a verb on it is refused, and both name who holds it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState, Reached
from cloudfail.model.topology import Resource
from cloudfail.ports import Call
from cloudfail.probes.through import through
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.network.options import Reach
from cloudfail_gcp.under_way import anew, taken

READ_SECONDS = 8.0
"""How long one look may take, with all that it asks."""
UNCHANGED = "It was not changed."
UNASKED = "nothing was asked through it: only what Google says of it was read"
Points = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Seen:
    """As Google describes it. `raw`: what a change needs of it."""

    points: Points
    version: str
    epoch: int | None
    moving: str = ""
    obstacle: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


class Path(ABC):
    """ports.Network over one kind, which serves the verb `serves`. where: whose roles and quota the requests are for, a
    region or "global"."""

    serves = "route"

    def __init__(
        self, asking: Asking, where: str, reaches: Mapping[str, Reach | None], *, answer_within: float
    ) -> None:
        self._asking = asking
        self._where = where
        self._reaches = reaches
        self._answer_within = answer_within

    # ---- what a kind says

    @abstractmethod
    def look(self, *, within: float) -> Seen:
        """All of it, once. Raises Transient where the answer says nothing of a part, Conflict where one leads to what
        is no member."""

    @abstractmethod
    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        """One effect towards that; in words."""

    def rank(self, part: str, regions: tuple[str, ...], seen: Seen) -> int:
        """Of several parts the one with the lowest is next: what gains traffic, in every part, before what loses it."""
        return 0 if set(regions) - set(seen.points[part]) else 1

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
            return Known(Reached(None, UNASKED), time.time())
        return through(wanted.at, wanted.says, within_seconds=self._answer_within)

    def route(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("route", points, expect, call)

    def move_address(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("move_address", points, expect, call)

    # ---- inside

    def _move(self, verb: str, points: Points, expect: NetworkState, call: Call) -> None:
        name = self._asking.resource.name
        if verb != self.serves:
            raise Permanent(f"{name} has no {verb}.", UNCHANGED, f"Write network.{self.serves} in the runbook.")
        nobody = {region for regions in points.values() for region in regions} - set(self._reaches)
        if nobody:
            raise Permanent(f"{name} has no member in {', '.join(sorted(nobody))}.", UNCHANGED)
        time_left = TimeLeft(call)
        seen = self.before(time_left)
        strange = [part for part in points if part not in seen.points]
        if strange:
            raise Permanent(f"{name} has no part {strange[0]} any more.", UNCHANGED, "Plan anew.")
        self.newest(seen, call)
        due = [part for part, regions in points.items() if seen.points[part] != regions]
        if not due:
            return
        self.unchanged(seen, expect.version)
        if seen.moving:
            raise Transient(f"{name}: {seen.moving}; it takes no order until that is over.")
        part = min(due, key=lambda one: self.rank(one, points[one], seen))
        call.log(self.lead(part, points[part], seen, call, time_left))

    def before(self, time_left: TimeLeft) -> Seen:
        """As it is immediately before the change. Nothing was changed yet, so whatever came of the look is no doubt
        about an effect."""
        try:
            return self.look(within=min(READ_SECONDS, max(0.01, time_left.seconds)))
        except (Permanent, Conflict):
            raise
        except CloudfailError as error:
            raise Transient(f"{self._asking.resource.name} cannot be read: {error}") from error

    def unchanged(self, seen: Seen, version: str) -> None:
        if seen.version != version:
            raise Conflict(f"{self._asking.resource.name} is not as it was seen.", UNCHANGED)

    def newest(self, seen: Seen, call: Call) -> None:
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(
                f"{self._asking.resource.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.",
                UNCHANGED,
            )

    def order(
        self,
        method: str,
        path: str,
        time_left: TimeLeft,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """One request that changes something."""
        reply = self._asking.change(
            "compute",
            self._where,
            method,
            path,
            call=anew(time_left.rest()),
            query=query,
            body=body,
            request_id="requestId",
        )
        taken(reply, f"{method} {path}")


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
