"""Switchover and follow in Azure SQL: what comes next, read from Resource Manager and from the servers.

A switchover is the planned failover: the primary stops taking writes, the secondary gets everything, and they exchange
their roles. After a failover with loss Azure makes the old primary a secondary by itself, once it is there again, and
what only that one held is gone; nothing is ordered for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.sql_sides import BEHIND, PLANNED, Side, Sides
from cloudfail_azure.database.tsql_plane import TsqlPlane
from cloudfail_databases.data_plane import NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    side: Side | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class SqlMoves(StagedMoves[_Stage]):
    """Of one database."""

    def __init__(self, sides: Sides, plane: TsqlPlane, fencing: Fencing) -> None:
        self._sides = sides
        self._plane = plane
        self._fencing = fencing

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == "admit":
            self._plane.admit(target, timed.rest())
        elif stage.side is not None:
            # Before the order, on the side that can be written; it is replicated with all else.
            self._plane.mark(source, timed.rest())
            self._sides.order(target, stage.side, PLANNED, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        """Nothing: Azure does it, and no stage of a follow has a next step."""

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            progress = Progress(words, False, "", new.refusal, f"{target} takes writes", f"admit/{target}")
            return _Stage(progress, "admit")
        here = self._sides.side(target)
        if not here.secondary:
            return _moving(f"Azure calls {here.name} the primary; its databases take no writes yet")
        if here.state in BEHIND:
            return _moving(f"Azure says that the replication to {here.name} is {here.state}; nothing was stopped")
        self._plane.look(source)
        there = self._sides.side(source)
        if there.secondary or self._sides.upstream(here) != source:
            return _moving(f"{here.name} does not replicate {there.name}, the primary: nothing is switched")
        words = f"switch {there.name} over to {here.name}; Azure waits until it holds everything"
        before, after = f"{source} takes writes", f"{target} takes writes"
        return _Stage(Progress(words, False, "", before, after, f"switch/{there.name}/{here.name}"), "switch", here)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except NoWord as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        member = self._sides.side(region)
        seen = self._plane.look(region)
        if seen.takes_writes:
            return _moving(f"{region} still takes writes: fence it first (database.fence)")
        if not member.secondary:
            return _moving(f"Azure is to make {member.name} a secondary by itself; it calls it the primary still")
        if self._sides.upstream(member) != upstream:
            return _moving(f"{member.name} does not replicate the member in {upstream}")
        if member.state in BEHIND:
            return _moving(f"Azure says that the replication to {member.name} is {member.state}")
        if not seen.replica:
            return _moving(f"Azure calls {member.name} a secondary; its databases are none yet")
        return _Stage(Progress(None, True, f"{member.name} is a secondary of {upstream}"))
