"""Switchover and follow of a database with two planes: what all of them have in common.

A switchover is the cloud's own, and ends when the members show it: the target takes writes, and the source takes none.
A target that a fence of ours shuts is let in first. A follow begins behind a writer, and where the way to a member is
shut by a fence, it is opened once that member takes no writes.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane, NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves

On = TypeVar("On")
"""What an order is given on: members as their cloud told of them."""
ADMIT, OPEN = "admit", "open"


@dataclass(frozen=True)
class Reached(Generic[On]):
    """How far a move has come; name: of the step that is next, "" where there is none."""

    progress: Progress
    name: str = ""
    on: On | None = None


def moving(detail: str) -> Reached[Any]:
    """Nothing can be done but to look again."""
    return Reached(Progress(None, False, detail))


def arrived(detail: str) -> Reached[Any]:
    return Reached(Progress(None, True, detail))


def to_switch(words: str, source: str, target: str, version: str, on: On | None, name: str = "switch") -> Reached[On]:
    """The order by which the writer moves from source to target is next."""
    return Reached(Progress(words, False, "", f"{source} takes writes", f"{target} takes writes", version), name, on)


class PlanesMoves(StagedMoves[Reached[On]], Generic[On]):
    """Of one database."""

    def __init__(self, plane: DataPlane, fencing: Fencing) -> None:
        self._plane = plane
        self._fencing = fencing

    @abstractmethod
    def _order(self, source: str, target: str) -> Reached[On]:
        """What is to be ordered where the target takes no writes, and clients are let in. Raises errors of ours, and
        NoWord."""

    @abstractmethod
    def _give(self, stage: Reached[On], source: str, target: str, call: Call, timed: TimeLeft) -> None:
        """Give the order that `_order` named."""

    @abstractmethod
    def _back(self, region: str, upstream: str) -> Reached[On]:
        """How far the member in `region` has come back behind the writer in `upstream`."""

    def _mend(self, stage: Reached[On], region: str, upstream: str, timed: TimeLeft) -> None:
        """Take the next step that `_back` named, but for opening the way. Raises Permanent where a person takes it."""

    def _switchover(self, source: str, target: str) -> Reached[On]:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            progress = Progress(words, False, "", new.refusal, f"{target} takes writes", f"admit/{target}")
            return Reached(progress, ADMIT)
        return self._order(source, target)

    def _over(self, source: str, target: str) -> Reached[On]:
        try:
            old = self._plane.look(source)
        except NoWord as error:
            return arrived(f"{target} takes writes; {source} does not answer: {error}")
        if old.takes_writes:
            return moving(f"both {source} and {target} take writes: fence {source}")
        return arrived(f"{target} takes writes; {source} takes none")

    def _switch(self, stage: Reached[On], source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == ADMIT:
            self._plane.admit(target, timed.rest())
        else:
            self._give(stage, source, target, call, timed)

    def _follow(self, region: str, upstream: str) -> Reached[On]:
        if not self._plane.look(upstream).takes_writes:
            return moving(f"{upstream} takes no writes: promote it first")
        return self._back(region, upstream)

    def _rejoin(self, stage: Reached[On], region: str, upstream: str, timed: TimeLeft) -> None:
        if stage.name == OPEN:
            self._fencing.open_network(region, timed.rest())
        else:
            self._mend(stage, region, upstream, timed)

    @staticmethod
    def _to_open(region: str, what: str, member: str) -> Reached[On]:
        """what: it is now, that takes no writes ("replica"); member: as its cloud tells it from others."""
        words = f"open the way to {region} again: a {what} takes no writes"
        return Reached(Progress(words, False, "", "shut", "open", f"open/{member}"), OPEN)
