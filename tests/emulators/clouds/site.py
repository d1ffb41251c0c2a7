"""The application of docs/clouds.md: its topology as it ships, with what stands on loopback in place of three clouds.

The control planes of AWS, Azure and Google are emulators and stand-ins, each cloud's at an address of its own; the data
plane is real. Customers ask the name servers of Route 53 and of Cloud DNS in turn, and order at listeners; PostgreSQL
is replicated from one cloud to the other. The log is in a bucket of Google's, which serves no customer.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import psycopg
import yaml

from cloudfail.shipped import runbooks_directory
from tests.emulators.aws import front as aws_front
from tests.emulators.aws.dns_world import DOMAIN, NAME, ZoneFile, record
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import ACCOUNT
from tests.emulators.aws.route53_answers import Answers as Route53Answers
from tests.emulators.aws.zone_server import ZoneServer, zone_records, zone_server
from tests.emulators.azure import front as azure_front
from tests.emulators.azure.front import SUBSCRIPTION
from tests.emulators.azure.standins.scale_sets import AutoscaleSettings, ScaleSets
from tests.emulators.gcp import front as google_front
from tests.emulators.gcp.dns_answers import Answers as CloudDnsAnswers
from tests.emulators.gcp.dns_answers import as_records
from tests.emulators.gcp.standins.dns import PROJECT, CloudDns
from tests.emulators.operator import Operator
from tests.emulators.shop import Customers, Shop, resolved
from tests.local import servers

AWS, AZURE = "us-east-1", "westeurope"
GOOGLE = "google"
"""The cloud that serves nobody: it has the log, and one of the two zones."""
RUNBOOKS = ("evacuate-clouds", "restore", "failback-clouds")
ADDRESS = {AWS: "127.0.3.1", AZURE: "127.0.3.2"}
WORKERS = {AWS: 6, AZURE: 1}
# A quarter of six, rounded up.
STAND_IN = 2
ZONE = {"www-aws": AWS, "www-gcp": GOOGLE}
# The failback that ships holds each step of its ramp for a minute. A step has the same meaning in a tenth of the time.
HELD, HELD_HERE = "hold: 1m", "hold: 4s"
# One of the images that moto has in every region.
IMAGE = "ami-12c6146b"
TTL_SECONDS = 5


@dataclass
class Google:
    """Its front, and the emulator of Cloud Storage with the process that runs it. `state`: the URL of a log there."""

    front: google_front.Front
    storage_pid: int
    state: str


@dataclass
class Clouds:
    """All three, and what is lost of them."""

    aws: aws_front.Front
    emulator: Emulator
    azure: azure_front.Front
    google: Google
    faults: dict[str, list[Any]] = field(default_factory=dict)

    def fronts(self) -> Mapping[str, Any]:
        return {AWS: self.aws, AZURE: self.azure, GOOGLE: self.google.front}

    def lose(self, cloud: str) -> None:
        """Every request to it is taken, and none is answered."""
        self.faults.setdefault(cloud, []).append(self.fronts()[cloud].outages.silence())
        if cloud == GOOGLE:
            os.kill(self.google.storage_pid, signal.SIGSTOP)

    def give_back(self, cloud: str) -> None:
        for fault in self.faults.pop(cloud, []):
            fault.lift()
        if cloud == GOOGLE:
            os.kill(self.google.storage_pid, signal.SIGCONT)


class Site(Operator):
    """The application. `names`: who answers for its name, by resource."""

    def __init__(
        self,
        root: Path,
        clouds: Clouds,
        pair: servers.Pair,
        names: Mapping[str, ZoneServer],
        told: Mapping[str, Any],
        sets: ScaleSets,
        shop: Shop,
    ) -> None:
        self.clouds, self.names, self.sets, self.shop = clouds, names, sets, shop
        self.set_id: str = told["web"][AZURE]["scale_set"]
        self.servers = {AWS: pair.east, AZURE: pair.west}
        self.customers = Customers(shop, [one.address for one in names.values()], NAME)
        super().__init__(root, json.dumps(_topology(clouds, self.servers, names, told, shop)), RUNBOOKS)
        failback = root / "runbooks" / "failback-clouds.yaml"
        shipped = failback.read_text()
        assert shipped.count(HELD) == len(ZONE)
        failback.write_text(shipped.replace(HELD, HELD_HERE))

    # ---- what happens to it

    def lose(self, cloud: str) -> None:
        """The whole of it: its APIs, its name servers, and what serves customers there, the database's server too."""
        self.clouds.lose(cloud)
        for name, of in ZONE.items():
            if of == cloud:
                self.names[name].silence()
        if cloud in self.servers:
            self.shop.lost.add(cloud)
            self.servers[cloud].freeze()

    def give_back(self, cloud: str) -> None:
        """All of it is there again, as it was left."""
        self.clouds.give_back(cloud)
        for name, of in ZONE.items():
            if of == cloud:
                self.names[name].silence(False)
        if cloud in self.servers:
            self.servers[cloud].thaw()
            self.shop.lost.discard(cloud)

    # ---- what is so

    def resolved(self, name: str) -> list[str]:
        """What that provider's name servers give."""
        return resolved(self.names[name].address, NAME)

    def order(self, region: str, note: str) -> None:
        """What a client of that server does: it raises where no write is let in."""
        self.servers[region].ask(f"INSERT INTO orders (note) VALUES ('{note}')", user="shop")

    def takes_orders(self, region: str) -> bool:
        with contextlib.suppress(psycopg.Error):
            self.order(region, "is it written")
            return True
        return False

    def notes(self, region: str) -> set[str]:
        return {str(row[0]) for row in self.servers[region].ask("SELECT note FROM orders")}

    def workers(self, region: str) -> int:
        if region == AZURE:
            return len(self.sets.instances(self.set_id))
        found = client(self.clouds.aws, "autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["web-e"])
        return int(found["AutoScalingGroups"][0]["DesiredCapacity"])

    def changes(self) -> list[str]:
        """The requests to any cloud that were to change something, in their order, as far as they were taken."""
        return [
            f"{cloud}: {one.service}.{one.operation}"
            for cloud, front in self.clouds.fronts().items()
            for one in front.seen(mutating=True)
            if one.met != "fault"
        ]

    def close(self) -> None:
        super().close()
        for cloud in list(self.clouds.faults):
            self.clouds.give_back(cloud)
        self.customers.stop()
        for server in self.servers.values():
            server.thaw()


def _topology(
    clouds: Clouds,
    by_region: Mapping[str, servers.Server],
    names: Mapping[str, ZoneServer],
    told: Mapping[str, Any],
    shop: Shop,
) -> dict[str, Any]:
    """The one that ships, with this machine's addresses and identifiers in the place of its examples."""
    shipped: dict[str, Any] = yaml.safe_load((runbooks_directory() / "topologies" / "clouds.yaml").read_text())
    shipped["state"] = clouds.google.state
    for region, account in {AWS: ACCOUNT, AZURE: SUBSCRIPTION}.items():
        site = {"site": f"http://{ADDRESS[region]}:{shop.port}"}
        shipped["regions"][region] |= {"account": account, "variables": site}
    resources = shipped["resources"]
    resources["orders"]["members"] = {region: one.member() | {"name": one.region} for region, one in by_region.items()}
    resources["web"]["members"] = told["web"]
    for name, server in names.items():
        more = {"ttl": f"{TTL_SECONDS}s", "resolvers": [server.address], "answer_within": "8s", "members": ADDRESS}
        resources[name] |= {**more, **told[name]}
    for check in shipped["checks"].values():
        check |= {"every": "2s", "timeout": "2s", "fall": 2, "rise": 1}
    shipped["vantages"] = {"one": {}, "two": {}, "three": {}}
    shipped["policy"] |= {"scope": "site", "hold_down": "4s", "lease": "20s"}
    return shipped


def client(front: aws_front.Front, service: str, url: str = "", *, region: str = AWS) -> Any:
    """What an operator has at hand."""
    return botocore.session.Session().create_client(service, region_name=region, endpoint_url=url or front.url)


def _autoscaling(front: aws_front.Front) -> str:
    """An Auto Scaling group whose instances a target group counts."""
    vpc = client(front, "ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    group = client(front, "elbv2").create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=vpc)
    scaling = client(front, "autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=IMAGE, InstanceType="t3.small")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web-e",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=8,
        DesiredCapacity=WORKERS[AWS],
        AvailabilityZones=[f"{AWS}a"],
        TargetGroupARNs=[group["TargetGroups"][0]["TargetGroupArn"]],
    )
    return "web-e"


def _hosted_zone(clouds: Clouds) -> ZoneFile:
    """Asked past the front: Route 53's servers go on when its control plane is gone, unless they are lost as well."""
    made = ZoneFile(client(clouds.aws, "route53", clouds.emulator.url))
    made.put(
        *(
            record(address, SetIdentifier=region, Weight=100 if region == AWS else 0, TTL=TTL_SECONDS)
            for region, address in ADDRESS.items()
        )
    )
    return made


def _managed_zone(front: google_front.Front) -> CloudDns:
    made = CloudDns()
    front.serve("dns.v1", made)
    made.zone(f"{DOMAIN}.")
    items = [{"weight": 100 if region == AWS else 0, "rrdatas": [one]} for region, one in ADDRESS.items()]
    made.put({"name": f"{NAME}.", "type": "A", "ttl": TTL_SECONDS, "routingPolicy": {"wrr": {"items": items}}})
    return made


@contextlib.contextmanager
def site(root: Path, clouds: Clouds, pair: servers.Pair, setenv: Callable[[str, str], None]) -> Iterator[Site]:
    """The application as an operator set it up. `setenv`: what tells clients where Google is."""
    sets = ScaleSets()
    clouds.azure.serve("azure.mgmt.compute", sets)
    settings = AutoscaleSettings(sets)
    clouds.azure.serve("azure.mgmt.monitor", settings)
    set_id = sets.scale_set("web-w", AZURE, WORKERS[AZURE])
    sized = settings.setting("web-w", set_id, WORKERS[AZURE], (1, 4, 1))
    hosted, managed = _hosted_zone(clouds), _managed_zone(clouds.google.front)
    for name, value in clouds.google.front.environment().items():
        setenv(name, value)
    told = {
        "web": {AWS: _autoscaling(clouds.aws), AZURE: {"scale_set": set_id, "autoscale": sized}},
        "www-aws": {"zone": hosted.id},
        "www-gcp": {"zone": "shop-example", "project": PROJECT},
    }
    with contextlib.ExitStack() as stack:
        stack.callback(sets.close)
        shop = stack.enter_context(contextlib.closing(Shop(ADDRESS, {AWS: pair.east, AZURE: pair.west})))
        shop.lacks[AZURE] = {"/healthz/returns"}
        by_weight: Any = CloudDnsAnswers(shop.is_well, [AWS, AZURE])
        names = {
            "www-aws": stack.enter_context(
                zone_server(lambda: zone_records(hosted.client, hosted.id), Route53Answers())
            ),
            "www-gcp": stack.enter_context(zone_server(lambda: as_records(managed.published()), by_weight)),
        }
        yield stack.enter_context(contextlib.closing(Site(root, clouds, pair, names, told, sets, shop)))
