"""Paths of each kind as the tests of the network port have them: on stand-ins, behind the front, with packets."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudfail.actions import Look, Moving
from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_gcp import provider
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.network.options import (
    AddressOptions,
    AdvertisedMember,
    AdvertisementOptions,
    HolderMember,
    HopMember,
    RouteOptions,
)
from cloudfail_gcp.network.route import StaticRoute
from cloudfail_gcp.network.router_advertisement import RouterAdvertisement
from cloudfail_gcp.network.static_ip import StaticIp
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.external_addresses import ExternalAddresses
from tests.emulators.gcp.standins.routers import Routers
from tests.emulators.gcp.standins.routes import Routes
from tests.emulators.leading import Led
from tests.path_server import Forwarder, Greeter

ZONE_B, ZONE_C = "zone-b", "zone-c"
VPC = f"projects/{PROJECT}/global/networks/main"
NEAR, FAR = "10.20.0.0/16", "10.30.0.0/16"
HOPS = {EAST: "10.1.0.2", WEST: f"projects/{PROJECT}/zones/{WEST}-b/instances/gw"}
EDGES = {region: f"projects/{PROJECT}/regions/{region}/routers/edge" for region in (EAST, WEST)}
WHOLE, HALVES, INSIDE = NEAR, ["10.20.0.0/17", "10.20.128.0/17"], "10.20.7.1"
HOME = "europe-west1"
VIP, VALUE = f"projects/{PROJECT}/regions/{HOME}/addresses/vip", "192.0.2.10"
HOLDERS = {zone: f"projects/{PROJECT}/zones/{HOME}-{zone[-1]}/instances/gw" for zone in (ZONE_B, ZONE_C)}


class Paths(Routes, Routers, ExternalAddresses):
    """One machine for the API: routes, routers, addresses, instances. `meanwhile`: what happens in the instant before
    the next change of one of them, once."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.meanwhile: Callable[[], object] | None = None

    def _meanwhile(self) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()

    def routes_insert(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self._meanwhile()
        return super().routes_insert(labels, query, body)

    def routes_delete(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self._meanwhile()
        return super().routes_delete(labels, query, body)

    def instances_add_access_config(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self._meanwhile()
        return super().instances_add_access_config(labels, query, body)


def resource(kind: str, members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it."""
    served = provider.kinds()[PortName.NETWORK, kind]
    assert served.options is not None
    assert served.member is not None
    return Resource(
        "path",
        PortName.NETWORK,
        kind,
        "gcp",
        None,
        {region: served.member.model_validate(member).model_dump() for region, member in members.items()},
        served.options.model_validate({"answer_within": "5s", **options}).model_dump(),
    )


def topology(of: Resource, regions: Iterable[str]) -> Topology:
    """An application `shop` with that one resource."""
    told = {name: Region(name, "gcp", PROJECT) for name in regions}
    return Topology("shop", Objectives(900.0, 30.0), told, next(iter(told)), "memory:", {"path": of})


def port_of(kind: str, members: Mapping[str, Any], **options: Any) -> Any:
    """A port through which nothing is asked that is led."""
    of = resource(kind, members, **options)
    clock = SystemClock()
    return ADAPTERS[kind](Asking(of, topology(of, members), Sessions(), Budget(clock), clock))


def _static_route(asking: Asking) -> StaticRoute:
    members = {region: HopMember.model_validate(one) for region, one in asking.resource.members.items()}
    return StaticRoute(asking, RouteOptions.model_validate(asking.resource.options), members)


def _static_ip(asking: Asking) -> StaticIp:
    members = {region: HolderMember.model_validate(one) for region, one in asking.resource.members.items()}
    return StaticIp(asking, AddressOptions.model_validate(asking.resource.options), members)


def _router_advertisement(asking: Asking) -> RouterAdvertisement:
    members = {region: AdvertisedMember.model_validate(one) for region, one in asking.resource.members.items()}
    return RouterAdvertisement(asking, AdvertisementOptions.model_validate(asking.resource.options), members)


ADAPTERS: Mapping[str, Callable[[Asking], Any]] = {
    "route": _static_route,
    "router-advertisement": _router_advertisement,
    "static-ip": _static_ip,
}


class Site(Led, ABC):
    """One path in a project of its own kind. Fulfils conformance.Harness."""

    kind = ""
    source, target = EAST, WEST

    def __init__(self, front: Front, machine: Paths, greeters: Mapping[str, Greeter]) -> None:
        self.front, self.machine, self.greeters = front, machine, greeters
        self.packets = Forwarder(self.goes)
        self.resource = self.make()
        self.topology = topology(self.resource, (self.source, self.target))

    @abstractmethod
    def make(self) -> Resource:
        """What the file names, made in the stand-in."""

    @abstractmethod
    def goes(self) -> int | None:
        """The port on loopback at which packets arrive at this moment."""

    def port(self) -> Any:
        clock = SystemClock()
        return ADAPTERS[self.kind](Asking(self.resource, self.topology, Sessions(), Budget(clock), clock))

    def reach(self, region: str) -> dict[str, str]:
        return {"at": self.packets.address, "says": f"220 {region}"}

    def close(self) -> None:
        self.packets.close()

    def under_way(self, seen: Look) -> bool:
        return isinstance(seen, Moving) and "RUNNING" in seen.detail

    def settled(self) -> None:
        self.machine.end()

    def changes(self) -> list[str]:
        """What was ordered, marks apart."""
        marks = "addresses.setLabels"
        return [one.operation for one in self.front.seen(mutating=True) if one.operation != marks]

    # ---- conformance.Harness

    def make_unreachable(self, region: str) -> None:
        assert not region
        self.front.outages.refuse(service="compute")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.served.verbs[verb].fencing

    @property
    def served(self) -> Kind:
        return provider.kinds()[PortName.NETWORK, self.kind]


class RouteSite(Site):
    """Two destinations; both must lead to a region for its packets to arrive there, as hosts of both networks send
    some."""

    kind = "route"

    def make(self) -> Resource:
        self.machine.subnet("default-route-1", VPC, "10.1.0.0/20")
        for number, destination in enumerate((NEAR, FAR)):
            self.machine.route(f"to-{number}", VPC, destination, HOPS[EAST])
        members = {region: {"hop": hop, "reach": self.reach(region)} for region, hop in HOPS.items()}
        return resource(self.kind, members, vpc=VPC, destinations=[NEAR, FAR])

    def goes(self) -> int | None:
        hops = [self.machine.goes(VPC, destination) for destination in (NEAR, FAR)]
        region = next((region for region, hop in HOPS.items() if hops == [{hop}, {hop}]), None)
        return self.greeters[region].port if region else None


class AddressSite(Site):
    """An address between two instances of one region."""

    kind = "static-ip"
    action = "network.move_address"
    source, target = ZONE_B, ZONE_C

    def make(self) -> Resource:
        self.machine.address(VIP, VALUE)
        for holder in HOLDERS.values():
            self.machine.instance(holder)
        self.machine.give(HOLDERS[ZONE_B], VALUE)
        members = {zone: {"holder": holder, "reach": self.reach(zone)} for zone, holder in HOLDERS.items()}
        return resource(self.kind, members, address=VIP)

    def goes(self) -> int | None:
        held = self.machine.held(VALUE)
        zone = next((zone for zone, holder in HOLDERS.items() if holder == held), None)
        return self.greeters[zone].port if zone else None


class RouterSite(Site):
    """A site of one's own that hears two routers: the one in the east advertises the whole range, always."""

    kind = "router-advertisement"

    def make(self) -> Resource:
        self.machine.router(EDGES[EAST], [WHOLE], {"onprem": 100})
        self.machine.router(EDGES[WEST], ["10.99.0.0/16"], {"onprem": 100, "onprem-2": 100}, description="ours")
        members = {region: {"reach": self.reach(region)} for region in EDGES}
        return resource(self.kind, members, router=EDGES[WEST], ranges=HALVES)

    def goes(self) -> int | None:
        sent = self.machine.sends(INSIDE)
        region = next((region for region, path in EDGES.items() if sent == {path}), None)
        return self.greeters[region].port if region else None


class PrioritySite(RouterSite):
    """The same, by the priority of the sessions."""

    def make(self) -> Resource:
        self.machine.router(EDGES[EAST], [WHOLE], {"onprem": 100})
        self.machine.router(EDGES[WEST], [WHOLE], {"onprem": 10200, "other": 300, "onprem-2": 10200})
        members = {region: {"reach": self.reach(region)} for region in EDGES}
        priority = {"leads": 50, "waits": 10200}
        return resource(self.kind, members, router=EDGES[WEST], priority=priority, peers=["onprem", "onprem-2"])


SITES: Mapping[str, type[Site]] = {
    "route": RouteSite,
    "ranges": RouterSite,
    "priority": PrioritySite,
    "static-ip": AddressSite,
}
Making = Callable[[str], Any]
