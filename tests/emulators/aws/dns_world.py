"""A hosted zone as an operator sets it up, a real name server that answers from it, and ports over both."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.dns import KINDS
from tests.emulators.aws.emulator import free_port
from tests.emulators.aws.route53_answers import Answers
from tests.emulators.aws.zone_server import ZoneServer, zone_records, zone_server

EAST, WEST = "us-east-1", "us-west-2"
ADDRESS = {EAST: "192.0.2.1", WEST: "192.0.2.2"}
DOMAIN = "shop.example"
NAME = f"www.{DOMAIN}"
CHECK_SECONDS = 5.0
FACTS = {kind.name: kind for kind in KINDS}


def topology(application: str = "shop", primary: str = EAST) -> Topology:
    regions = {name: Region(name, "aws", "111111111111") for name in (EAST, WEST)}
    return Topology(application, Objectives(900, 30), regions, primary, "memory:", {})


def resource(kind: str, options: Mapping[str, Any], members: Mapping[str, Any]) -> Resource:
    """As the loader hands it over: what its models dump."""
    facts = FACTS[kind]
    assert facts.options is not None
    assert facts.member is not None
    dumped = {region: facts.member.model_validate(member).model_dump() for region, member in members.items()}
    return Resource("www", PortName.DNS, kind, "aws", None, dumped, facts.options.model_validate(options).model_dump())


def asking(one: Resource, of: Topology | None = None) -> Asking:
    """With clients and a budget of its own."""
    clock = SystemClock()
    return Asking(one, of or topology(), Clients(), Budget(clock), clock)


def call(epoch: int = 10, seconds: float = 60.0, *, check: Callable[[], None] = lambda: None, key: str = "k") -> Call:
    return Call("r1", "step", epoch, key, seconds, check)


def known(read: Known[Any] | Unknown) -> Any:
    assert isinstance(read, Known), read.reason
    return read.value


class ZoneFile:
    """One hosted zone of the emulator, changed as an operator changes it. `health_checks`: as they were made, since
    ministack says True where AWS says true, which the SDK reads as false; `telling` puts that right in its answers."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.health_checks: dict[str, dict[str, Any]] = {}
        made = client.create_hosted_zone(Name=DOMAIN, CallerReference=uuid.uuid4().hex)
        self.id = made["HostedZone"]["Id"].rpartition("/")[2]

    def put(self, *sets: Mapping[str, Any], action: str = "UPSERT") -> None:
        for start in range(0, len(sets), 400):
            self.client.change_resource_record_sets(
                HostedZoneId=self.id,
                ChangeBatch={
                    "Changes": [{"Action": action, "ResourceRecordSet": one} for one in sets[start : start + 400]]
                },
            )

    def sets(self, name: str = NAME) -> list[dict[str, Any]]:
        page = self.client.list_resource_record_sets(HostedZoneId=self.id)
        return [one for one in page["ResourceRecordSets"] if one["Name"] == f"{name}."]

    def health_check(self, port: int, path: str, **more: Any) -> str:
        """An HTTP health check of a loopback port."""
        return self.add_check({"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": port, "ResourcePath": path, **more})

    def add_check(self, config: dict[str, Any]) -> str:
        made = self.client.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
        identifier = str(made["HealthCheck"]["Id"])
        self.health_checks[identifier] = config
        return identifier

    def telling(self) -> Clients:
        """Clients to which GetHealthCheck tells whether the check is inverted or disabled."""
        clients = Clients()

        def amend(parsed: dict[str, Any], **_event: Any) -> None:
            check = parsed["HealthCheck"]
            made = self.health_checks[check["Id"]]
            check["HealthCheckConfig"] |= {key: made[key] for key in ("Inverted", "Disabled") if key in made}

        clients.get("route53", EAST).meta.events.register("after-call.route-53.GetHealthCheck", amend)
        return clients


@contextlib.contextmanager
def serving(zone: ZoneFile, controls: Callable[[str], bool] = lambda _arn: True) -> Iterator[ZoneServer]:
    """A name server over that zone, which finds health by asking: an HTTP health check is a GET over a socket, one of a
    routing control is what `controls` says of it."""

    def healthy(identifier: str) -> bool:
        check = zone.health_checks[identifier]
        passes = True if check.get("Disabled") else _passes(check, controls)
        return passes is not bool(check.get("Inverted"))

    with zone_server(lambda: zone_records(zone.client, zone.id), Answers(healthy)) as made:
        yield made


def _passes(check: Mapping[str, Any], controls: Callable[[str], bool]) -> bool:
    if check["Type"] == "RECOVERY_CONTROL":
        return controls(check["RoutingControlArn"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{check['IPAddress']}:{check['Port']}{check['ResourcePath']}"
    try:
        with opener.open(url, timeout=CHECK_SECONDS) as answer:
            return bool(200 <= answer.status < 400)
    except (urllib.error.URLError, OSError):
        return False


def heard(port: Any, names: ZoneServer) -> Any:
    """What the name server answers from the zone as it is now."""
    names.follow()
    return known(port.resolve())


def record(value: str, name: str = NAME, kind: str = "A", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}], **more}


class DnsWorld:
    """Fulfils conformance.Harness: ports built from one resource, whose control plane or switch can be cut off by the
    SDK's own variables."""

    source, target = EAST, WEST

    def __init__(
        self, kind: str, build: Callable[[], Any], cut: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._kind, self._build, self._cut, self._url, self._patch = kind, build, cut, url, monkeypatch
        self._built = build()

    def port(self) -> Any:
        return self._built

    def make_unreachable(self, region: str) -> None:
        self._set(f"http://127.0.0.1:{free_port()}")

    def restore(self, region: str) -> None:
        self._set(self._url)

    def _set(self, url: str) -> None:
        for name in self._cut:
            self._patch.setenv(name, url)
        self._built = self._build()

    def wait(self, seconds: float) -> None:
        SystemClock().sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return FACTS[self._kind].verbs[verb].fencing
