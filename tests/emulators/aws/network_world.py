"""Paths of each kind as the tests of the network port have them: in moto's EC2, behind the front, with packets."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session

from cloudfail.clock import SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_aws import provider
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.network.elastic_ip import ElasticIp
from cloudfail_aws.network.options import (
    ElasticIpOptions,
    EntriesMember,
    HolderMember,
    HopMember,
    PrefixListOptions,
    RouteTableOptions,
)
from cloudfail_aws.network.prefix_list import PrefixList
from cloudfail_aws.network.route_table import RouteTable
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.leading import Led
from tests.path_server import Forwarder, Greeter

HOME = "eu-central-1"
EAST, WEST = "us-east-1", "us-west-2"
ZONE_A, ZONE_B = "zone-a", "zone-b"
DESTINATION = "10.20.0.0/16"
_SESSION = botocore.session.Session()
_CLIENTS: dict[str, Any] = {}
_SHARED: dict[str, Clients] = {}


def ec2(url: str) -> Any:
    """An operator's client in HOME, past the front or through it."""
    if url not in _CLIENTS:
        _CLIENTS[url] = _SESSION.create_client("ec2", region_name=HOME, endpoint_url=url)
    return _CLIENTS[url]


def resource(kind: str, members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it."""
    served = provider.kinds()[PortName.NETWORK, kind]
    assert served.options is not None
    assert served.member is not None
    return Resource(
        "path",
        PortName.NETWORK,
        kind,
        "aws",
        None,
        {region: served.member.model_validate(member).model_dump() for region, member in members.items()},
        served.options.model_validate({"region": HOME, "answer_within": "20s", **options}).model_dump(),
    )


class Site(Led, ABC):
    """One path in an account of its own kind. Fulfils conformance.Harness. `direct`: the emulator, past the front."""

    kind = ""
    source, target = EAST, WEST

    def __init__(self, front: Front, direct: str, greeters: Mapping[str, Greeter]) -> None:
        self.front = front
        self.ec2 = ec2(direct)
        self.greeters = greeters
        self.forwarders: list[Forwarder] = []
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        self.resource = self.make()
        self.topology = Topology(
            "shop",
            Objectives(900.0, 30.0),
            {name: Region(name, "aws", ACCOUNT) for name in (self.source, self.target)},
            self.source,
            "memory:",
            {"path": self.resource},
        )

    @abstractmethod
    def make(self) -> Resource:
        """What the file names, made in the emulator, with forwarders that follow it."""

    @abstractmethod
    def adapter(self, asking: Asking) -> Any: ...

    def port(self, clients: Clients | None = None, topology: Topology | None = None) -> Any:
        own = clients or _SHARED.setdefault(self.front.url, Clients())
        return self.adapter(Asking(self.resource, topology or self.topology, own, Budget(SystemClock())))

    def interface(self) -> str:
        made = self.ec2.create_network_interface(SubnetId=self.subnet)["NetworkInterface"]["NetworkInterfaceId"]
        return str(made)

    def forwarder(self, where: Callable[[], int | None]) -> Forwarder:
        self.forwarders.append(Forwarder(where))
        return self.forwarders[-1]

    def close(self) -> None:
        for one in self.forwarders:
            one.close()

    # ---- conformance.Harness

    def make_unreachable(self, region: str) -> None:
        assert not region
        self.front.outages.refuse(service="ec2")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.served.verbs[verb].fencing

    # ---- as a step of a failover sees it

    @property
    def served(self) -> Kind:
        return provider.kinds()[PortName.NETWORK, self.kind]


class Routes(Site):
    """Two tables with one destination, whose hops are network interfaces; both must lead to a region for its packets to
    arrive there, as hosts of both subnets send some."""

    kind = "route-table"

    def make(self) -> Resource:
        self.tables = [self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
        self.hops = {region: self.interface() for region in (EAST, WEST)}
        for table in self.tables:
            self.ec2.create_route(
                RouteTableId=table, DestinationCidrBlock=DESTINATION, NetworkInterfaceId=self.hops[EAST]
            )
        self.packets = self.forwarder(self._goes)
        members = {
            region: {"hop": hop, "reach": {"at": self.packets.address, "says": f"220 {region}"}}
            for region, hop in self.hops.items()
        }
        return resource(self.kind, members, tables=self.tables, destinations=[DESTINATION])

    def adapter(self, asking: Asking) -> Any:
        of = asking.resource
        members = {region: HopMember.model_validate(one) for region, one in of.members.items()}
        return RouteTable(asking, RouteTableOptions.model_validate(of.options), members)

    def hop(self, table: str) -> str | None:
        (found,) = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        routes = [one for one in found["Routes"] if one.get("DestinationCidrBlock") == DESTINATION]
        return str(routes[0]["NetworkInterfaceId"]) if routes else None

    def _goes(self) -> int | None:
        hops = {self.hop(table) for table in self.tables}
        region = next((region for region, hop in self.hops.items() if hops == {hop}), None)
        return self.greeters[region].port if region else None


class Address(Site):
    """An Elastic IP between two interfaces of one region."""

    kind = "elastic-ip"
    action = "network.move_address"
    source, target = ZONE_A, ZONE_B

    def make(self) -> Resource:
        self.holders = {zone: self.interface() for zone in (ZONE_A, ZONE_B)}
        self.allocation = str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])
        self.give(self.holders[ZONE_A])
        self.packets = self.forwarder(self._goes)
        members = {
            zone: {"holder": holder, "reach": {"at": self.packets.address, "says": f"220 {zone}"}}
            for zone, holder in self.holders.items()
        }
        return resource(self.kind, members, allocation=self.allocation)

    def adapter(self, asking: Asking) -> Any:
        of = asking.resource
        members = {region: HolderMember.model_validate(one) for region, one in of.members.items()}
        return ElasticIp(asking, ElasticIpOptions.model_validate(of.options), members)

    def give(self, interface: str) -> None:
        self.ec2.associate_address(AllocationId=self.allocation, NetworkInterfaceId=interface)

    def let_go(self) -> None:
        self.ec2.disassociate_address(AssociationId=self.described()["AssociationId"])

    def described(self) -> Mapping[str, Any]:
        (found,) = self.ec2.describe_addresses(AllocationIds=[self.allocation])["Addresses"]
        address: Mapping[str, Any] = found
        return address

    def _goes(self) -> int | None:
        holder = self.described().get("NetworkInterfaceId")
        zone = next((zone for zone, own in self.holders.items() if own == holder), None)
        return self.greeters[zone].port if zone else None


class Entries(Site):
    """A prefix list that a filter before each region's listener follows."""

    kind = "prefix-list"
    CIDRS: Mapping[str, list[str]] = {EAST: ["192.0.2.0/25"], WEST: ["192.0.2.128/26", "192.0.2.192/26"]}
    OTHER = "198.51.100.0/24"

    def make(self) -> Resource:
        self.list = str(
            self.ec2.create_managed_prefix_list(
                PrefixListName="partners",
                AddressFamily="IPv4",
                MaxEntries=10,
                Entries=[{"Cidr": cidr} for cidr in (*self.CIDRS[EAST], self.OTHER)],
            )["PrefixList"]["PrefixListId"]
        )
        self.filters = {region: self.forwarder(self._lets(region)) for region in (EAST, WEST)}
        self.packets = self.filters[WEST]
        members = {
            region: {"cidrs": self.CIDRS[region], "reach": {"at": one.address, "says": f"220 {region}"}}
            for region, one in self.filters.items()
        }
        return resource(self.kind, members, list=self.list)

    def adapter(self, asking: Asking) -> Any:
        of = asking.resource
        members = {region: EntriesMember.model_validate(one) for region, one in of.members.items()}
        return PrefixList(asking, PrefixListOptions.model_validate(of.options), members)

    def cidrs(self) -> set[str]:
        found = self.ec2.get_managed_prefix_list_entries(PrefixListId=self.list)["Entries"]
        return {str(one["Cidr"]) for one in found}

    def _lets(self, region: str) -> Callable[[], int | None]:
        return lambda: self.greeters[region].port if set(self.CIDRS[region]) <= self.cidrs() else None


SITES: Mapping[str, type[Site]] = {one.kind: one for one in (Routes, Address, Entries)}
