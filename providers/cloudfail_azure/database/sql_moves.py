"""Switchover and follow in Azure SQL: what comes next, read from Resource Manager and from the servers.

A switchover is the planned failover: the primary stops taking writes, the secondary gets everything, and they exchange
their roles. After a failover with loss Azure makes the old primary a secondary by itself, once it is there again, and
what only that one held is gone; nothing is ordered for it.
"""

from __future__ import annotations

from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.sql_sides import BEHIND, PLANNED, Side, Sides
from cloudfail_azure.database.tsql_plane import TsqlPlane
from cloudfail_databases.fence import Fencing
from cloudfail_databases.moves import PlaneMoves, Reached, arrived, moving, switching


class SqlMoves(PlaneMoves[Side]):
    """Of one database."""

    def __init__(self, sides: Sides, plane: TsqlPlane, fencing: Fencing) -> None:
        super().__init__(plane, fencing)
        self._sides = sides
        self._marking = plane

    def _give_order(self, on: Side, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        # Before the order, on the side that can be written; it is replicated with all else.
        self._marking.mark(source, timed.rest())
        self._sides.order(target, on, PLANNED, timed.rest())

    def _order(self, source: str, target: str) -> Reached[Side]:
        here = self._sides.side(target)
        if not here.secondary:
            return moving(f"Azure calls {here.name} the primary; its databases take no writes yet")
        if here.state in BEHIND:
            return moving(f"Azure says that the replication to {here.name} is {here.state}; nothing was stopped")
        self._plane.look(source)
        there = self._sides.side(source)
        if there.secondary or self._sides.upstream(here) != source:
            return moving(f"{here.name} does not replicate {there.name}, the primary: nothing is switched")
        words = f"switch {there.name} over to {here.name}; Azure waits until it holds everything"
        return Reached(switching(words, source, target, f"switch/{there.name}/{here.name}"), here)

    def _back(self, region: str, upstream: str) -> Reached[Side]:
        member = self._sides.side(region)
        seen = self._plane.look(region)
        if seen.takes_writes:
            return moving(f"{region} still takes writes: fence it first (database.fence)")
        if not member.secondary:
            return moving(f"Azure is to make {member.name} a secondary by itself; it calls it the primary still")
        if self._sides.upstream(member) != upstream:
            return moving(f"{member.name} does not replicate the member in {upstream}")
        if member.state in BEHIND:
            return moving(f"Azure says that the replication to {member.name} is {member.state}")
        if not seen.replica:
            return moving(f"Azure calls {member.name} a secondary; its databases are none yet")
        return arrived(f"{member.name} is a secondary of {upstream}")
