"""A managed zone as an operator sets it up, a real name server that answers from it, and ports over both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.dns import KINDS
from cloudfail_gcp.dns.cloud_dns import CloudDns
from cloudfail_gcp.sessions import Sessions
from tests.emulators.aws.zone_server import ZoneServer, zone_server
from tests.emulators.gcp.dns_answers import Answers, as_records
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import dns as standin
from tests.emulators.listening import answers
from tests.emulators.loopback import free_port

CENTRAL, WEST = "us-central1", "europe-west1"
ADDRESS = {CENTRAL: "192.0.2.1", WEST: "192.0.2.2"}
DOMAIN = "shop.example."
NAME = "www.shop.example"
CHECK = f"https://www.googleapis.com/compute/v1/projects/{standin.PROJECT}/global/healthChecks/www"
CHECKED = {region: {"answers": [value], "health_checked": True} for region, value in ADDRESS.items()}
TO_WEST = {CENTRAL: 0, WEST: 100}
TO_CENTRAL = {CENTRAL: 100, WEST: 0}
MARK = f"_cloudfail.{NAME}."
SOON_SECONDS = 20.0
NETWORK = "https://www.googleapis.com/compute/v1/projects/shop-net/global/networks/prod"
FACTS = {kind.name: kind for kind in KINDS}
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS"


def topology(application: str = "shop", accounts: Mapping[str, str] | None = None) -> Topology:
    held = accounts or {}
    regions = {name: Region(name, "gcp", held.get(name, standin.PROJECT)) for name in (CENTRAL, WEST)}
    return Topology(application, Objectives(900, 30), regions, CENTRAL, "memory:", {})


def resource(options: Mapping[str, Any], members: Mapping[str, Any]) -> Resource:
    """As the loader hands it over: what its models dump."""
    facts = FACTS["cloud-dns"]
    assert facts.options is not None
    assert facts.member is not None
    dumped = {region: facts.member.model_validate(member).model_dump() for region, member in members.items()}
    whole = facts.options.model_validate({"zone": "shop-example", "name": NAME, **options}).model_dump()
    return Resource("www", PortName.DNS, "cloud-dns", "gcp", None, dumped, whole)


def port_of(options: Mapping[str, Any], members: Mapping[str, Any], of: Topology | None = None) -> CloudDns:
    """With sessions and a budget of its own."""
    one, clock, told = resource(options, members), SystemClock(), of or topology()
    return CloudDns(one, told, Asking(one, told, Sessions(), Budget(clock), clock))


def known(read: Known[Any] | Unknown) -> Any:
    assert isinstance(read, Known), read.reason
    return read.value


def simple(*values: str, name: str = f"{NAME}.", kind: str = "A", ttl: int = 60) -> dict[str, Any]:
    return {"name": name, "type": kind, "ttl": ttl, "rrdatas": list(values)}


def policy(**more: Any) -> dict[str, Any]:
    return {"name": f"{NAME}.", "type": "A", "ttl": 60, "routingPolicy": more}


def item(region: str, *, checked: bool = False, **more: Any) -> dict[str, Any]:
    value = [ADDRESS[region]]
    return {**more, **({"healthCheckedTargets": {"externalEndpoints": value}} if checked else {"rrdatas": value})}


def weighted(weights: Mapping[str, float], *, checked: bool = False) -> dict[str, Any]:
    items = [item(region, checked=checked, weight=weight) for region, weight in weights.items()]
    return policy(wrr={"items": items}, **({"healthCheck": CHECK} if checked else {}))


def near(*regions: str, checked: bool = False) -> dict[str, Any]:
    items = [item(region, checked=checked, location=region) for region in regions]
    return policy(geo={"items": items, "enableFencing": False}, **({"healthCheck": CHECK} if checked else {}))


def primary_backup(trickle: float = 0.0, primary: str = CENTRAL, backup: str = WEST) -> dict[str, Any]:
    both = {
        "primaryTargets": {"externalEndpoints": [ADDRESS[primary]]},
        "backupGeoTargets": {"items": [item(backup, checked=True, location=backup)]},
        "trickleTraffic": trickle,
    }
    return policy(primaryBackup=both, healthCheck=CHECK)


def call(epoch: int = 10, seconds: float = 30.0, *, check: Callable[[], None] = lambda: None) -> Call:
    return Call("r1", "step", epoch, "k", seconds, check)


def heard(port: CloudDns, names: ZoneServer, wanted: str) -> None:
    """The name server comes to answer with that region's address, three times in a row."""
    until, said = time.monotonic() + SOON_SECONDS, None
    while time.monotonic() < until:
        names.follow()
        said = [known(port.resolve()) for _ in range(3)]
        if said == [{names.address: (ADDRESS[wanted],)}] * 3:
            return
        time.sleep(0.05)
    raise AssertionError(f"it answers {said}, not with {wanted}")


@contextlib.contextmanager
def serving_names(zone: standin.CloudDns, listeners: Mapping[str, int]) -> Iterator[ZoneServer]:
    """A name server over that zone, which finds an address healthy if its port takes connections. listeners: address ->
    port on loopback; what is not in it is well."""

    def healthy(address: str) -> bool:
        return address not in listeners or answers(listeners[address])

    told = Answers(healthy, [CENTRAL, WEST])
    with zone_server(lambda: as_records(zone.published()), told) as made:  # type: ignore[arg-type]  (the same `find`)
        yield made


Port = Callable[..., CloudDns]
"""What the fixture `port` is: port(members, **options)."""


class DnsWorld:
    """Fulfils conformance.Harness: one port, whose API can be cut off by gcloud's own variable."""

    source, target = CENTRAL, WEST

    def __init__(self, build: Callable[[], Any], google: Front, monkeypatch: pytest.MonkeyPatch) -> None:
        self._built, self._google, self._patch = build(), google, monkeypatch

    def port(self) -> Any:
        return self._built

    def make_unreachable(self, region: str) -> None:
        self._patch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")

    def restore(self, region: str) -> None:
        self._patch.setenv(ENDPOINT, self._google.environment()[ENDPOINT])

    def wait(self, seconds: float) -> None:
        SystemClock().sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return FACTS["cloud-dns"].verbs[verb].fencing


class OneName:
    """What actions ask of their world, where there is one name."""

    def __init__(self, port: CloudDns) -> None:
        self._port = port
        self.topology = replace(topology(), resources={"www": resource({}, ADDRESS)})

    def dns(self, name: str) -> CloudDns:
        return self._port
