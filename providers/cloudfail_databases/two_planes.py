"""The frame of a database whose members can be asked, and whose cloud says what they are to be. Both are read, and what
a member shows counts: one that its cloud calls a writer is none before it calls itself one and let a write in."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, Generic, TypeVar

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Progress
from cloudfail.ports import Call
from cloudfail_databases.data_plane import DataPlane, NoWord, View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import OnServers
from cloudfail_databases.staged import StagedMoves

Told = TypeVar("Told")
"""What a control plane says of one member."""


class TwoPlanes(OnServers, ABC, Generic[Told]):
    """ports.Database but for `failover`. regions: those of its members."""

    def __init__(self, plane: DataPlane, fencing: Fencing, regions: Collection[str], moves: StagedMoves[Any]) -> None:
        super().__init__(plane, fencing)
        self._regions = tuple(regions)
        self._moves = moves

    @abstractmethod
    def _told(self, region: str) -> Told:
        """What the control plane says of the member there. Raises errors of ours."""

    @abstractmethod
    def _state(self, region: str, seen: View, told: Told | None) -> DatabaseState:
        """Of a member that was seen; `told` is None where its control plane says nothing."""

    @abstractmethod
    def _unseen(self, region: str, silence: str, told: Told, *, shut: bool) -> DatabaseState | Unknown:
        """What is left where the server says nothing: its cloud's word for the role, and no word on writes. shut: its
        silence is our own fence."""

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._regions:
            return Unknown(f"this database has no member in {region}", at)
        seen: View | None = None
        silence = ""
        try:
            seen = self.plane.look(region)
        except NoWord as error:
            silence = str(error)
        told: Told | None = None
        try:
            told = self._told(region)
        except CloudfailError as error:
            if seen is None:
                return Unknown(f"{region}: {silence}, and neither does its control plane: {error}", at)
        if seen is not None:
            return Known(self._state(region, seen, told), at)
        # A server that can be asked, and is silent by itself, is unknown, whatever its cloud calls it.
        shut = self.fencing.shuts(region)
        if told is None or (self.plane.has(region) and not shut):
            return Unknown(f"{region}: {silence}", at)
        state = self._unseen(region, silence, told, shut=shut)
        return state if isinstance(state, Unknown) else Known(state, at)

    def _shown(self, region: str) -> View | None:
        """What the member there shows before it is promoted; None where nobody was told how to ask it. Raises
        Transient where it says nothing."""
        if not self.plane.has(region):
            return None
        try:
            return self.plane.look(region)
        except NoWord as error:
            raise Transient(f"{region} does not answer: {error}.") from error

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._moves.switchover_state(source, target)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        self._moves.switchover(source, target, expect, call)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._moves.follow_state(region, upstream)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        self._moves.follow(region, upstream, expect, call)


def version_of(region: str, seen: View | None, told: str | None) -> str:
    """Changes with role, fences and what the control plane says (`told`; None where it says nothing); not with each
    write."""
    if seen is None:
        return f"{region}/unseen/{told}"
    fences = ",".join(f"{one.region}:{one.epoch}" for one in seen.fences)
    role = "replica" if seen.replica else "primary"
    return f"{region}/{role}/{'rw' if seen.takes_writes else 'ro'}/fences={fences or '-'}/api={told or '?'}"
