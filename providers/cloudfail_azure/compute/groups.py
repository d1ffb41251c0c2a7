"""Workers in each region, by a count of their own or by the bounds of a scaler that sizes them: what all kinds share.

Where a scaler sizes them, a count is no way to change it: it is taken back within the bounds at the next evaluation. So
what is ordered there is the floor, of each of its profiles, since any of them may be in force tonight. Ceilings go up
as far as needed, and all bounds go back by the run that changed them (marks.py), in the same request. Without a scaler
the count itself is ordered.

No scaler here has a mode without scale-in. A hold raises each floor to what there is now, so that nothing that runs is
taken away, and more may be added; letting go puts the floors back. Without a scaler nobody scales in.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ComputeState
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute import marks
from cloudfail_azure.compute.marks import Before, Bounds
from cloudfail_azure.marks import epoch_in, refuse_older
from cloudfail_azure.paths import must_stand
from cloudfail_azure.under_way import followed

READ_SECONDS = 8.0
FOLLOW_SECONDS = 2.0
URL_SECONDS = 3.0
UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, kw_only=True)
class Whole:
    """One member as it was read. capacity: how many it has, or was told to have. bounds: of each profile of the scaler
    that sizes it; None where none does. tags: those that carry our marks. most: what its own limit is. kept: how many
    are kept for certain, where that is not what was told. moving: what is under way on it. failed: that the last order
    came to nothing, and may be given again. barred: why no order would be of use, and what to do. rests_on: what else a
    verb rests on."""

    id: str
    capacity: int
    bounds: tuple[Bounds, ...] | None
    tags: Mapping[str, Any]
    most: int | None = None
    kept: int | None = None
    moving: str = ""
    failed: bool = False
    barred: tuple[str, str] | None = None
    rests_on: str = ""

    @property
    def told(self) -> int:
        """At least so many, whichever profile is in force; or the count itself."""
        return self.capacity if self.bounds is None else min(one.least for one in self.bounds)

    @property
    def wanted(self) -> int:
        return self.told if self.kept is None else self.kept

    @property
    def ceiling(self) -> int | None:
        found = [one.most for one in self.bounds or ()] + ([self.most] if self.most is not None else [])
        return min(found, default=None)

    @property
    def stood(self) -> tuple[Bounds, ...]:
        return (Bounds(*(self.capacity,) * 3),) if self.bounds is None else self.bounds

    @property
    def epoch(self) -> int | None:
        return epoch_in(self.tags)

    @property
    def before(self) -> Before | None:
        return marks.before_of(self.tags, marks.BEFORE)

    @property
    def held(self) -> Before | None:
        return marks.before_of(self.tags, marks.HELD)

    @property
    def version(self) -> str:
        """What a verb would change, or rests on. The capacity that a scaler sets is neither."""
        if self.bounds is None:
            return f"{self.capacity}/{self.epoch}{self.rests_on}"
        return f"{';'.join(map(str, self.bounds))}/{self.epoch}/{self.held}{self.rests_on}"


M = TypeVar("M")
W = TypeVar("W", bound=Whole)


class Groups(ABC, Generic[M, W]):
    """One group in each region. word: what one is called; unscaled: why one without a scaler needs no hold, and what to
    do."""

    word = "group"
    unscaled = ("has no scaler, so nothing scales it in.", "Take the step out of the runbook.")

    def __init__(self, asking: Asking, members: Mapping[str, M]) -> None:
        self._asking = asking
        self._members = members

    @abstractmethod
    def described(self, region: str, member: M, *, within: float) -> W:
        """As it is now. Raises Transient where the answers say nothing of it; Permanent where it is not as
        cloudfail.yaml says."""

    @abstractmethod
    def counted(self, region: str, member: M, whole: W, *, within: float) -> tuple[int, int]:
        """How many run, and how many of them are healthy. Raises Transient where that is not told."""

    @abstractmethod
    def order(
        self, region: str, whole: W, bounds: Sequence[Bounds], tags: Mapping[str, str], call: Call, until: float
    ) -> None:
        """Bounds, or the count, and tags in one request (`send`)."""

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            member = self.member(region)
            whole = self.described(region, member, within=READ_SECONDS)
            running, healthy = self.counted(region, member, whole, within=self._asking.left_until(until))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        state = ComputeState(
            # An order that failed is not wanted by anybody but us: so it is given again.
            wanted=min(whole.wanted, running) if whole.failed else whole.wanted,
            running=running,
            healthy=healthy,
            ceiling=whole.ceiling,
            scale_in_held=whole.held is not None,
            version=whole.version,
            epoch=whole.epoch,
            moving=whole.moving,
        )
        return Known(state, at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.", UNCHANGED)
        until = self._asking.deadline(call.timeout_seconds)
        whole = self._before(region, until)
        if whole.wanted == count and not whole.failed:
            return
        self._may(whole, expect, call)
        if whole.most is not None and count > max(whole.most, whole.told):
            raise Permanent(f"{whole.id} may have at most {whole.most}, and {count} are wanted.", UNCHANGED)
        stood, before = whole.stood, whole.before
        word = marks.run_word(call.run)
        if before is not None and (before.run != word or len(before.bounds) != len(stood)):
            before = None
        if before is not None and min(one.least for one in before.bounds) == count:
            bounds, before = before.bounds, None
        else:
            bounds, before = marks.sized(stood, count), before or Before(word, stood)
        self._write(region, whole, bounds, before, whole.held, call, until)
        call.log(f"{whole.id}: {'at least ' if whole.bounds is not None else ''}{count} wanted")

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        whole = self._before(region, until)
        if (whole.held is not None) == held:
            return
        self._may(whole, expect, call)
        if whole.bounds is None:
            raise Permanent(f"{whole.id} {self.unscaled[0]}", "It was not changed.", self.unscaled[1])
        stood = whole.bounds
        if held:
            bounds = tuple(marks.sized((one,), max(one.least, whole.capacity))[0] for one in stood)
            noted: Before | None = Before(marks.run_word(call.run), stood)
        else:
            bounds, noted = _let_go(stood, whole), None
        self._write(region, whole, bounds, whole.before if held else _without_hold(whole), noted, call, until)

    def member(self, region: str) -> M:
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        return self._members[region]

    def must_stand(self, region: str, id_: str, location: Any) -> None:
        """Raises Permanent where it stands elsewhere than is written."""
        must_stand(f"The {self.word} {id_}", region, str(location), self._asking.resource.name)

    def answers(self, region: str, url: str | None) -> bool:
        """Data plane: one GET from here, where a URL is written. Raises Transient where that is our own trouble."""
        if url is None:
            return True
        from cloudfail.probes.serves import serves

        reached = serves(url, within_seconds=URL_SECONDS)
        if isinstance(reached, Unknown):
            raise Transient(f"Whether it serves in {region} is not known: {reached.reason}")
        return bool(reached.value.answers)

    def send(
        self,
        region: str,
        method: str,
        path: str,
        version: str,
        body: Mapping[str, Any],
        call: Call,
        until: float,
        if_match: str = "",
    ) -> None:
        """One request that changes something, and a short look at what became of its operation."""
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient(f"The time of this call was over before {method} {path}.")
        timed = replace(call, timeout_seconds=left)
        reply = self._asking.change(region, method, path, version, call=timed, body=body, if_match=if_match)
        rest = min(FOLLOW_SECONDS, self._asking.left_until(until))
        followed(self._asking, region, reply, f"{method} {path}", within=rest)

    def _write(
        self,
        region: str,
        whole: W,
        bounds: Sequence[Bounds],
        before: Before | None,
        held: Before | None,
        call: Call,
        until: float,
    ) -> None:
        tags = marks.written(whole.tags, call, before=before, held=held)
        if tags is None:
            raise Permanent(
                f"The bounds of the {len(bounds)} profiles of {whole.id} do not fit into a tag to be put back from.",
                UNCHANGED,
                "Give the setting fewer profiles.",
            )
        self.order(region, whole, bounds, tags, call, until)

    def _before(self, region: str, until: float) -> W:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            within = min(READ_SECONDS, self._asking.left_until(until))
            return self.described(region, self.member(region), within=within)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"The {self.word} in {region} cannot be read: {error}") from error

    def _may(self, whole: Whole, expect: ComputeState, call: Call) -> None:
        """Raise Conflict where the world is not as it was seen, or a newer lease was here; Permanent where an order
        would be of no use, and Transient while something is under way."""
        refuse_older(whole.epoch, call, whole.id)
        if whole.version != expect.version:
            raise Conflict(f"{whole.id} is {whole.version}, not {expect.version} as it was seen.")
        if whole.barred is not None:
            raise Permanent(whole.barred[0], UNCHANGED, whole.barred[1])
        if whole.moving:
            raise Transient(f"{whole.id}: {whole.moving}, and nothing is ordered on top of it.")


def _let_go(stood: Sequence[Bounds], whole: Whole) -> tuple[Bounds, ...]:
    """The floors as they were before the hold; one that was ordered since then stays."""
    noted = whole.held.bounds if whole.held is not None else ()
    if len(noted) != len(stood):
        return tuple(stood)
    raised = whole.before is not None
    return tuple(
        now if raised else Bounds(was.least, was.most, was.default) for now, was in zip(stood, noted, strict=True)
    )


def _without_hold(whole: Whole) -> Before | None:
    """What stood before the run scaled, had it not been held then."""
    before, held = whole.before, whole.held
    if before is None or held is None or len(before.bounds) != len(held.bounds):
        return before
    return replace(before, bounds=held.bounds)
