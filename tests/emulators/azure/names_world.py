"""A zone as an operator sets it up, a real name server that answers from it, and ports over both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.dns import KINDS
from cloudfail_azure.dns.azure_dns import AzureDns
from cloudfail_azure.sessions import Sessions
from tests.emulators.aws.zone_server import ZoneServer, zone_server
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.names import Zones

ADDRESS = {WEST: "192.0.2.1", NORTH: "192.0.2.2"}
DOMAIN, LABEL = "shop.example", "www"
NAME = f"{LABEL}.{DOMAIN}"
TO_NORTH = {WEST: 0, NORTH: 100}
TO_WEST = {WEST: 100, NORTH: 0}
SOON_SECONDS = 20.0
(KIND,) = KINDS


def topology(application: str = "shop") -> Topology:
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in (WEST, NORTH)}
    return Topology(application, Objectives(900, 30), regions, WEST, "memory:", {})


def resource(options: Mapping[str, Any], members: Mapping[str, Any]) -> Resource:
    """As the loader hands it over: what its models dump."""
    assert KIND.options is not None and KIND.member is not None
    dumped = {region: KIND.member.model_validate(member).model_dump() for region, member in members.items()}
    whole = KIND.options.model_validate({"name": NAME, **options}).model_dump()
    return Resource("www", PortName.DNS, "azure-dns", "azure", None, dumped, whole)


def port_of(options: Mapping[str, Any], members: Mapping[str, Any], of: Topology | None = None) -> AzureDns:
    """With sessions and a budget of its own."""
    one, clock, told = resource(options, members), SystemClock(), of or topology()
    return AzureDns(one, told, Asking(one, told, Sessions(), Budget(clock), clock))


def known(read: Known[Any] | Unknown) -> Any:
    assert isinstance(read, Known), read.reason
    return read.value


def call(epoch: int = 10, seconds: float = 30.0, *, check: Callable[[], None] = lambda: None) -> Call:
    return Call("r1", "step", epoch, "k", seconds, check)


def heard(port: AzureDns, names: ZoneServer, *wanted: str) -> None:
    """The name server comes to answer with those regions' addresses."""
    until, said = time.monotonic() + SOON_SECONDS, None
    while time.monotonic() < until:
        names.follow()
        said = known(port.resolve())
        if said == {names.address: tuple(sorted(ADDRESS[region] for region in wanted))}:
            return
        time.sleep(0.05)
    raise AssertionError(f"it answers {said}, not with {wanted}")


@contextlib.contextmanager
def serving_names(zones: Zones) -> Iterator[ZoneServer]:
    """A name server over those zones."""
    with zone_server(zones.published) as made:
        yield made


class NamesWorld:
    """Fulfils conformance.Harness: one port, whose API can be cut off."""

    source, target = WEST, NORTH

    def __init__(self, build: Callable[[], Any], azure: Front) -> None:
        self._built, self._azure = build(), azure

    def port(self) -> Any:
        return self._built

    def make_unreachable(self, region: str) -> None:
        self._azure.outages.refuse()

    def restore(self, region: str) -> None:
        self._azure.outages.heal()

    def wait(self, seconds: float) -> None:
        SystemClock().sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing


class OneName:
    """What actions ask of their world, where there is one name."""

    def __init__(self, port: AzureDns, zone: str) -> None:
        self._port = port
        self.topology = replace(topology(), resources={"www": resource({"zone": zone}, ADDRESS)})

    def dns(self, name: str) -> AzureDns:
        return self._port
