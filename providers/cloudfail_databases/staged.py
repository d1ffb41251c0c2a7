"""The frame of a switchover and of a follow: what comes next is read anew each time, and taken only as it was seen."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, Protocol, TypeVar

from cloudfail.errors import CloudfailError, Conflict, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import NoWord


class Stage(Protocol):
    """Where a move stands. What else a kind's own has is what it needs to take the next step."""

    @property
    def progress(self) -> Progress: ...


S = TypeVar("S", bound=Stage)


class StagedMoves(ABC, Generic[S]):
    """switchover, follow and their states, of ports.Database. A kind says how far each has come (`_switchover`,
    `_follow`, which raise what is `silent` where a member says nothing), and takes the next step of a stage that is as
    it was seen."""

    silent: ClassVar[type[Exception]] = NoWord

    @abstractmethod
    def _switchover(self, source: str, target: str) -> S: ...

    @abstractmethod
    def _follow(self, region: str, upstream: str) -> S: ...

    @abstractmethod
    def _switch(self, stage: S, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        """Take the next step of a switchover."""

    @abstractmethod
    def _rejoin(self, stage: S, region: str, upstream: str, timed: TimeLeft) -> None:
        """Take the next step of a follow."""

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._state(lambda: self._switchover(source, target), "")

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._state(lambda: self._follow(region, upstream), f"{region}: ")

    def switchover(self, source: str, target: str, expect: Progress, call: Call) -> None:
        timed = TimeLeft(call)
        stage = self._now(lambda: self._switchover(source, target), "The switchover cannot be read")
        if not is_over(stage, expect, "The switchover"):
            self._switch(stage, source, target, call, timed)

    def follow(self, region: str, upstream: str, expect: Progress, call: Call) -> None:
        timed = TimeLeft(call)
        stage = self._now(lambda: self._follow(region, upstream), f"How far {region} has come cannot be read")
        if not is_over(stage, expect, region):
            self._rejoin(stage, region, upstream, timed)

    def _state(self, read: Callable[[], S], where: str) -> Known[Progress] | Unknown:
        at = time.time()
        try:
            return Known(read().progress, at)
        except (CloudfailError, self.silent) as error:
            return Unknown(f"{where}{error}", at)

    def _now(self, read: Callable[[], S], what: str) -> S:
        try:
            return read()
        except self.silent as error:
            raise Transient(f"{what}: {error}.") from error


def is_over(stage: Stage, expect: Progress, what: str) -> bool:
    """Whether there is nothing left to do. Raises Conflict where it is not as it was seen."""
    now = stage.progress
    if now.done:
        return True
    if now.next is None or now.version != expect.version:
        raise Conflict(f"{what} is at {now.version or now.detail}, not {expect.version} as it was seen.")
    return False
