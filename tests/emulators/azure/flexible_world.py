"""A database of flexible servers: Resource Manager behind the front, and servers that are a real PostgreSQL pair.

What an operation does to the servers is done here, late, or not at all, while Azure goes on saying what it says.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.database.postgresql_flexible import PostgresqlFlexible
from cloudfail_azure.sessions import Sessions
from tests.emulators.aws.databases import LATE_SECONDS, build_again, change_places, reached
from tests.emulators.aws.outages import Fault
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.postgres_flexible import SERVERS, FlexibleServers
from tests.local import servers

IDS = {WEST: f"{SERVERS}/orders-w", NORTH: f"{SERVERS}/orders-n"}
KIND = provider.kinds()[PortName.DATABASE, "postgresql-flexible"]


def machine(*, endpoints: bool = True, style: str = "status", **more: Any) -> FlexibleServers:
    """orders-w in westeurope, and its replica orders-n in northeurope."""
    made = FlexibleServers(style=style)
    west = made.server("orders-w", WEST, **more)
    north = made.server("orders-n", NORTH, source=west)
    if endpoints:
        made.pair(west, north)
    return made


def resource(members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it: what was written goes through the kind's own models."""
    assert KIND.member is not None
    assert KIND.options is not None
    checked = {region: KIND.member.model_validate(member).model_dump() for region, member in members.items()}
    written = KIND.options.model_validate(options).model_dump()
    return Resource("orders", PortName.DATABASE, "postgresql-flexible", "azure", None, checked, written)


def port(members: Mapping[str, Any] | None = None, **options: Any) -> PostgresqlFlexible:
    """A new one, with sessions and a budget of its own. Without members: nobody says how they are reached."""
    one = resource(IDS if members is None else members, **options)
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in IDS}
    whole = Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {one.name: one})
    clock = SystemClock()
    return PostgresqlFlexible(one, whole, Asking(one, whole, Sessions(), Budget(clock), clock))


class World:
    """conformance.Harness, and the hand that moves the servers."""

    source, target = WEST, NORTH

    def __init__(self, azure: Front, machine: FlexibleServers, pair: servers.Pair, **more: Any) -> None:
        self.front, self.machine, self.pair = azure, machine, pair
        self.servers = {WEST: pair.east, NORTH: pair.west}
        members = {
            region: {"server": IDS[region], **reached(server), **more.get(region, {})}
            for region, server in self.servers.items()
        }
        self._port = port(members, answer_within="1s", api_within="2s")
        self._faults: dict[str, Fault] = {}
        machine.then = {
            "Standalone": self.promote,
            "Switchover": self.switch,
            "rejoin": self.build_again,
        }

    def port(self) -> PostgresqlFlexible:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.machine.lost.add(region)
        self._faults[region] = self.front.outages.refuse(region=region)
        self.servers[region].freeze()

    def restore(self, region: str) -> None:
        self.servers[region].thaw()
        if fault := self._faults.pop(region, None):
            fault.lift()
        self.machine.lost.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.4))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing

    def close(self) -> None:
        self._port.close()
        for server in self.servers.values():
            server.thaw()
        self.machine.close()

    # What operations lead to.

    def switch(self) -> None:
        """A forced switchover out of a region that is lost reaches the new side alone."""
        if WEST in self.machine.lost or self.machine.promotions[-1]["promoteOption"] == "Forced":
            self.promote()
        else:
            time.sleep(LATE_SECONDS)
            change_places(self.pair.east, self.pair.west)

    def promote(self) -> None:
        time.sleep(LATE_SECONDS)
        self.pair.west.ask("SELECT pg_promote(true, 30)")

    def build_again(self) -> None:
        """Azure builds what it calls a replica already."""
        for _ in range(300):
            if not self.pair.west.one("SELECT pg_is_in_recovery()"):
                break
            time.sleep(0.1)
        build_again(self.pair.east, self.pair.west)
