"""A public address between two holders of one region as the tests of the network port have it: on a stand-in, behind
the front, with packets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.actions import Look, Moving
from cloudfail.clock import SystemClock
from cloudfail.model.topology import PortName, Resource
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.network.options import HolderMember, PublicIpOptions
from cloudfail_azure.network.public_ip import PublicIp
from cloudfail_azure.sessions import Sessions
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.paths_world import topology
from tests.emulators.azure.standins.public_addresses import PublicAddresses
from tests.emulators.leading import Led
from tests.path_server import Forwarder, Greeter

HOME = "swedencentral"
PUT, SWAP, MARK = (
    "network_interfaces.create_or_update",
    "load_balancers.swap_public_ip_addresses",
    "public_ip_addresses.update_tags",
)
KIND = provider.kinds()[PortName.NETWORK, "public-ip"]
NICS, FRONTENDS = "interfaces", "frontends"


class AddressSite(Led):
    """An address that the first site's holder has; both stand in one region. Fulfils conformance.Harness."""

    action = "network.move_address"
    source, target = WEST, NORTH

    def __init__(
        self, front: Front, machine: PublicAddresses, greeters: Mapping[str, Greeter], sort: str = NICS
    ) -> None:
        self.front, self.machine, self.greeters, self.sort = front, machine, greeters, sort
        self.packets = Forwarder(self.goes)
        self.address = machine.address("vip", HOME, "192.0.2.10")
        self.other = ""
        if sort == NICS:
            self.holders = {
                WEST: machine.interface("west", HOME, self.address),
                NORTH: machine.interface("north", HOME),
            }
        else:
            self.other = machine.address("spare", HOME, "192.0.2.11")
            self.holders = {
                WEST: machine.public_frontend("west", HOME, self.address),
                NORTH: machine.public_frontend("north", HOME, self.other),
            }
        self.resource = self.described()
        self.topology = topology(self.resource)

    def described(self, holders: Mapping[str, str] | None = None, **options: Any) -> Resource:
        """As the loader makes it."""
        members = {
            region: HolderMember.model_validate({"holder": holder, "reach": self.heard(region)}).model_dump()
            for region, holder in (holders or self.holders).items()
        }
        written = {"address": self.address, "region": HOME, "answer_within": "5s", **options}
        told = PublicIpOptions.model_validate(written).model_dump()
        return Resource("path", PortName.NETWORK, KIND.name, "azure", None, members, told)

    def heard(self, region: str) -> dict[str, str]:
        return {"at": self.packets.address, "says": f"220 {region}"}

    def port(self, resource: Resource | None = None) -> Any:
        own = resource or self.resource
        members = {region: HolderMember.model_validate(one) for region, one in own.members.items()}
        clock = SystemClock()
        asking = Asking(own, topology(own), Sessions(), Budget(clock), clock)
        return PublicIp(asking, PublicIpOptions.model_validate(own.options), members)

    def goes(self) -> int | None:
        """The port on loopback at which packets to the address arrive at this moment."""
        held = self.machine.carries(self.address)
        region = next((region for region, holder in self.holders.items() if holder == held), None)
        return self.greeters[region].port if region else None

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
