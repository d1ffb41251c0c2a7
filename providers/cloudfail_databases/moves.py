"""Switchover and follow of a database with two planes: what all of them have in common.

A switchover is the cloud's own, and ends when the members show it: the target takes writes, and the source takes none.
A target that a fence of ours shuts is let in first. A follow begins behind a writer, and where the way to a member is
shut by a fence, it is opened once that member takes no writes.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane, NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves

On = TypeVar("On")
"""What an order is given on: members as their cloud told of them."""


class Ours(Enum):
    """What is done to the servers, where a cloud is ordered nothing."""

    ADMIT = "let clients in on the new writer"
    OPEN = "open the way to a member that takes no writes"


@dataclass(frozen=True)
class Reached(Generic[On]):
    """How far a move has come. Its next step, if there is one, is `ours`; or an order to the cloud, `on` some of its
    members; or a person's, whom `by_hand` tells what to do."""

    progress: Progress
    on: On | None = None
    ours: Ours | None = None
    by_hand: Permanent | None = None


def moving(detail: str) -> Reached[Any]:
    """Nothing can be done but to look again."""
    return Reached(Progress(None, False, detail))


def arrived(detail: str) -> Reached[Any]:
    return Reached(Progress(None, True, detail))


def switching(words: str, source: str, target: str, version: str) -> Progress:
    """The writer is to move from source to target, and this is next."""
    return Progress(words, False, "", f"{source} takes writes", f"{target} takes writes", version)


class PlaneMoves(StagedMoves[Reached[On]], Generic[On]):
    """Of one database."""

    def __init__(self, plane: DataPlane, fencing: Fencing) -> None:
        self._plane = plane
        self._fencing = fencing

    @abstractmethod
    def _order(self, source: str, target: str) -> Reached[On]:
        """What is to be ordered where the target takes no writes, and clients are let in. Raises errors of ours, and
        NoWord."""

    @abstractmethod
    def _give_order(self, on: On, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        """Give the order that `_order` named."""

    @abstractmethod
    def _back(self, region: str, upstream: str) -> Reached[On]:
        """How far the member in `region` has come back behind the writer in `upstream`."""

    def _bring_back(self, on: On, region: str, timed: TimeLeft) -> None:
        """Give the order that `_back` named. Most clouds are given none: they do it by themselves, or not at all."""

    def _switchover(self, source: str, target: str) -> Reached[On]:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            progress = Progress(words, False, "", new.refusal, f"{target} takes writes", f"admit/{target}")
            return Reached(progress, ours=Ours.ADMIT)
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
        if stage.ours is Ours.ADMIT:
            self._plane.admit(target, timed.rest())
        elif (on := _ordered(stage)) is not None:
            self._give_order(on, source, target, call, timed)

    def _follow(self, region: str, upstream: str) -> Reached[On]:
        if not self._plane.look(upstream).takes_writes:
            return moving(f"{upstream} takes no writes: promote it first")
        return self._back(region, upstream)

    def _rejoin(self, stage: Reached[On], region: str, upstream: str, timed: TimeLeft) -> None:
        if stage.ours is Ours.OPEN:
            self._fencing.open_network(region, timed.rest())
        elif (on := _ordered(stage)) is not None:
            self._bring_back(on, region, timed)

    @staticmethod
    def _to_open(region: str, what: str, member: str) -> Reached[On]:
        """what: it is now, that takes no writes ("replica"); member: as its cloud tells it from others."""
        words = f"open the way to {region} again: a {what} takes no writes"
        return Reached(Progress(words, False, "", "shut", "open", f"open/{member}"), ours=Ours.OPEN)


def _ordered(stage: Reached[On]) -> On | None:
    """Raises Permanent where a person takes the next step."""
    if stage.by_hand is not None:
        raise stage.by_hand
    return stage.on
