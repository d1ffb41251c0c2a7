"""An account of Cosmos DB in two regions or three: Resource Manager behind the front, and a door in each region."""

from __future__ import annotations

import time
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.database.cosmos_db import CosmosDb
from cloudfail_azure.database.cosmos_multi_write import CosmosMultiWrite
from cloudfail_azure.sessions import Sessions
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.cosmos import ACCOUNT, Cosmos

KIND = provider.kinds()[PortName.DATABASE, "cosmos-db"]
MANY = provider.kinds()[PortName.DATABASE, "cosmos-db-multi-write"]
PACKAGE = "azure.mgmt.cosmosdb"


def topology(kind: Any, members: dict[str, Any], **options: Any) -> tuple[Resource, Topology]:
    """As the loader makes it: what was written goes through the kind's own models."""
    written = kind.options(**{"account": ACCOUNT, "documents": "shop/cloudfail", **options}).model_dump()
    checked = {region: kind.member.model_validate(member).model_dump() for region, member in members.items()}
    one = Resource("orders", PortName.DATABASE, kind.name, "azure", None, checked, written)
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in (WEST, NORTH)}
    return one, Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {one.name: one})


class World:
    """conformance.Harness. A region that is unreachable has lost its door; Resource Manager still answers."""

    source, target = WEST, NORTH

    def __init__(self, azure: Front, machine: Cosmos, **options: Any) -> None:
        self.front, self.machine = azure, machine
        machine.open()
        self._made: list[CosmosDb | CosmosMultiWrite] = []
        self._port = self.another(**options)

    def another(self, **options: Any) -> Any:
        """A port with sessions and a budget of its own."""
        members = {region: self.machine.doors[region].door.url for region in (WEST, NORTH)}
        kind = MANY if self.machine.many else KIND
        one, whole = topology(kind, members, **{"answer_within": "8s", **options})
        clock = SystemClock()
        asking = Asking(one, whole, Sessions(), Budget(clock), clock)
        made = CosmosMultiWrite(one, whole, asking) if self.machine.many else CosmosDb(one, whole, asking)
        self._made.append(made)
        return made

    def port(self) -> Any:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.machine.lost.add(region)
        self.machine.doors[region].door.shut()

    def restore(self, region: str) -> None:
        self.machine.doors[region].door.open()
        self.machine.lost.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return (MANY if self.machine.many else KIND).verbs[verb].fencing

    def close(self) -> None:
        for one in self._made:
            one.close()
        self.machine.close()
