"""A path of user-defined routes as the tests of the network port have it: on a stand-in, behind the front, with
packets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.actions import Look, Moving
from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.network.options import HopMember, RouteTableOptions
from cloudfail_azure.network.route_table import RouteTable
from cloudfail_azure.sessions import Sessions
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.route_tables import RouteTables
from tests.emulators.leading import Led
from tests.path_server import Forwarder, Greeter

NEAR, FAR = "10.20.0.0/16", "10.30.0.0/16"
INSIDE = {NEAR: "10.20.7.1", FAR: "10.30.7.1"}
HOPS = {WEST: "10.1.0.4", NORTH: "10.2.0.4"}
PUT, DELETE, MARK = "routes.create_or_update", "routes.delete", "route_tables.update_tags"
KIND = provider.kinds()[PortName.NETWORK, "route-table"]


def resource(members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it."""
    assert KIND.options is not None
    return Resource(
        "path",
        PortName.NETWORK,
        KIND.name,
        "azure",
        None,
        {region: HopMember.model_validate(member).model_dump() for region, member in members.items()},
        KIND.options.model_validate({"answer_within": "5s", "region": NORTH, **options}).model_dump(),
    )


def topology(of: Resource) -> Topology:
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in (WEST, NORTH)}
    return Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {"path": of})


class TableSite(Led):
    """One table with two routes; both must lead to a region for its packets to arrive there, as hosts of both networks
    send some. Fulfils conformance.Harness."""

    source, target = WEST, NORTH

    def __init__(self, front: Front, machine: RouteTables, greeters: Mapping[str, Greeter]) -> None:
        self.front, self.machine, self.greeters = front, machine, greeters
        self.packets = Forwarder(self.goes)
        routes = {"to-near": (NEAR, HOPS[WEST]), "to-far": (FAR, HOPS[WEST]), "out": ("0.0.0.0/0", "Internet")}
        self.table = machine.table("hub", NORTH, routes)
        members = {region: {"hop": hop, "reach": self.heard(region)} for region, hop in HOPS.items()}
        self.resource = resource(members, tables=[self.table], destinations=[NEAR, FAR])
        self.topology = topology(self.resource)

    def heard(self, region: str) -> dict[str, str]:
        return {"at": self.packets.address, "says": f"220 {region}"}

    def port(self) -> Any:
        members = {region: HopMember.model_validate(one) for region, one in self.resource.members.items()}
        clock = SystemClock()
        asking = Asking(self.resource, self.topology, Sessions(), Budget(clock), clock)
        return RouteTable(asking, RouteTableOptions.model_validate(self.resource.options), members)

    def goes(self) -> int | None:
        """The port on loopback at which packets arrive at this moment."""
        hops = {self.machine.goes(self.table, address) for address in INSIDE.values()}
        region = next((region for region, hop in HOPS.items() if hops == {hop}), None)
        return self.greeters[region].port if region else None

    def hop(self, destination: str) -> str:
        return self.machine.goes(self.table, INSIDE[destination])

    def under_way(self, seen: Look) -> bool:
        return isinstance(seen, Moving) and seen.detail.endswith("ing")

    def changes(self) -> list[str]:
        """What was ordered, marks apart."""
        return [one.operation for one in self.front.seen(mutating=True) if one.operation != MARK]

    def close(self) -> None:
        self.packets.close()

    # ---- conformance.Harness

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse()

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing
