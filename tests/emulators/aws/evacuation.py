"""The application of docs/aws.md, standing in two regions of the front: what runs it, and cloudfail beside it.

The control planes are emulators and stand-ins behind one address; the data plane is real. Users ask listeners, a
resolver answers from the hosted zone by what its health checks see, and the databases are PostgreSQL servers which
follow what the API was told, late.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import dns.message
import dns.query
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from tests.emulators.aws import databases, tables
from tests.emulators.aws.dns_world import ADDRESS, NAME, ZoneFile, record, serving
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import ACCOUNT, Fault, Front
from tests.emulators.aws.standins.global_clusters import GlobalClusters, Member
from tests.emulators.aws.users import Users
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.operator import Operator
from tests.local import servers

EAST, WEST, WITNESS = "us-east-1", "us-west-2", "eu-central-1"
# How the name is routed: by failover, with an object in the survivor; or by weight, with two in a third region.
BUCKET = {"failover": ("shop-switch-usw2", WEST), "weighted": ("shop-switch-euc1", WITNESS)}
OUT = {EAST: f"{EAST}-out", WEST: f"{WEST}-out"}
SWITCH = {
    "failover": """switch: {object: "s3://shop-switch-usw2/us-east-1-out"}""",
    "weighted": """routing: weighted
    switch:
      objects:
        us-east-1: "s3://shop-switch-euc1/us-east-1-out?region=eu-central-1"
        us-west-2: "s3://shop-switch-euc1/us-west-2-out?region=eu-central-1\"""",
}
WORKERS = {EAST: 3, WEST: 1}
# The database: Aurora's, or PostgreSQL that the application keeps on machines of its own in both regions.
ORDERS = {
    "aurora-global": {"database": "aurora-global", "id": "orders-global"},
    "postgresql": {"provider": "local", "database": "postgresql"},
}
CLUSTERS = {EAST: "orders-e", WEST: "orders-w"}
# One of the images that moto has in every region.
IMAGE = "ami-12c6146b"
TAIL = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"

TOPOLOGY = """\
application: shop
objectives: {{rto: 30m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "{account}", variables: {{address: "{addresses[us-east-1]}"}}}}
  us-west-2: {{provider: aws, account: "{account}", variables: {{address: "{addresses[us-west-2]}"}}}}
primary: us-east-1
state: dynamodb://cloudfail?region=eu-central-1
resources:
  orders: {orders}
  web: {{compute: autoscaling, members: {{us-east-1: web-e, us-west-2: web-w}}}}
  www:
    dns: route53
    zone: {zone}
    name: www.shop.example
    ttl: 60s
    {switch}
    resolvers: ["{resolver}"]
    answer_within: 20s
    members: {{us-east-1: 192.0.2.1, us-west-2: 192.0.2.2}}
checks:
  checkout: {{http: "http://${{address}}/healthz", every: 2s, timeout: 2s, fall: 2, rise: 1, vantages: 2 of 3}}
vantages: {{one: {{}}, two: {{}}, three: {{}}}}
policy: {{scope: site, hold_down: 4s, lease: {lease}, automation: {automation}}}
"""


class Site(Operator):
    """The application. `clusters` is what RDS says, `pair` what the databases do."""

    def __init__(
        self,
        root: Path,
        front: Front,
        pair: servers.Pair,
        names: ZoneServer,
        zone: ZoneFile,
        clusters: GlobalClusters,
        users: Users,
        automation: str,
        routing: str,
        lease: str,
        database: str,
    ) -> None:
        self.front, self.pair, self.names, self.routing = front, pair, names, routing
        self.clusters, self.users, self.zone = clusters, users, zone
        self.servers = {EAST: pair.east, WEST: pair.west}
        self._outage: Fault | None = None
        super().__init__(
            root,
            TOPOLOGY.format(
                account=ACCOUNT,
                addresses={region: users.address(region) for region in (EAST, WEST)},
                orders=json.dumps(self._orders(database)),
                zone=zone.id,
                resolver=names.address,
                automation=automation,
                lease=lease,
                switch=SWITCH[routing],
            ),
        )

    def _orders(self, database: str) -> dict[str, Any]:
        members = {}
        for region, server in self.servers.items():
            reached = {"dsn": server.dsn("cloudfail"), "writer": server.dsn("shop")}
            of = {"cluster": CLUSTERS[region]} if database == "aurora-global" else {"name": server.region}
            members[region] = {**reached, **of}
        return {**ORDERS[database], "members": members}

    # ---- what happens to it

    def lose_east(self, *, databases_too: bool = True) -> None:
        """Every API of us-east-1 takes requests and never answers, Route 53's control plane among them; its users hear
        nothing, and its database's server stands still, or goes on."""
        self.front.forget()
        self._outage = self.front.outages.silence(region=EAST)
        self.users.lost.add(EAST)
        if databases_too:
            self.servers[EAST].freeze()

    def return_east(self) -> None:
        """All of it is there again, as it was left."""
        assert self._outage is not None
        self._outage.lift()
        self.servers[EAST].thaw()
        self.users.lost.discard(EAST)

    def rebuild_east(self) -> None:
        """What Aurora does by itself after a failover once the old region is healthy: a snapshot of what only the old
        writer had, and a new storage volume, filled from the writer."""
        self.clusters.snapshots[EAST] = {TAIL}
        databases.build_again(self.servers[EAST], self.servers[WEST])
        self.clusters.resynchronise("orders-global")

    # ---- what is so

    def resolved(self) -> list[str]:
        """What a user's resolver gives."""
        host, _, port = self.names.address.partition(":")
        answer = dns.query.udp(dns.message.make_query(NAME, "A"), host, timeout=20, port=int(port))
        return sorted(item.to_text() for rrset in answer.answer for item in rrset)

    def order(self, region: str, note: str) -> None:
        """What a user does: it raises where no write is let in."""
        self.servers[region].ask(f"INSERT INTO orders (note) VALUES ('{note}')", user="shop")

    def notes(self, region: str) -> set[str]:
        return {str(row[0]) for row in self.servers[region].ask("SELECT note FROM orders")}

    def changes(self, **where: Any) -> list[str]:
        """The requests that were to change something, and reached the front."""
        return [f"{one.service}.{one.operation} in {one.region}" for one in self.front.seen(mutating=True, **where)]

    def is_silent(self) -> bool:
        """Whether Route 53's control plane takes a request, and does not answer it."""
        impatient = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
        client = botocore.session.Session().create_client("route53", region_name=EAST, config=impatient)
        try:
            client.list_hosted_zones()
        except ReadTimeoutError:
            return True
        return False

    def workers(self, region: str) -> int:
        client = _client("autoscaling", region)
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[f"web-{region[3]}"])
        return int(found["AutoScalingGroups"][0]["DesiredCapacity"])

    def close(self) -> None:
        super().close()
        for server in self.servers.values():
            server.thaw()


def _client(service: str, region: str, url: str | None = None) -> Any:
    return botocore.session.Session().create_client(service, region_name=region, endpoint_url=url)


def _workers(region: str) -> None:
    """An Auto Scaling group whose instances a target group counts."""
    vpc = _client("ec2", region).describe_vpcs()["Vpcs"][0]["VpcId"]
    group = _client("elbv2", region).create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=vpc)
    scaling = _client("autoscaling", region)
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=IMAGE, InstanceType="t3.small")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=f"web-{region[3]}",
        LaunchConfigurationName="web",
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=WORKERS[region],
        AvailabilityZones=[f"{region}a"],
        TargetGroupARNs=[group["TargetGroups"][0]["TargetGroupArn"]],
    )


def _zone(ministack: Emulator, routing: str) -> ZoneFile:
    """Health checks are inverted, and look at an object that takes their region out. Whoever answers for the zone asks
    past the front: Route 53's servers go on when its control plane is gone. Health checkers sign nothing, so that
    `ministack` must take what is unsigned for this account's."""
    made = ZoneFile(_client("route53", EAST, ministack.url))
    bucket, _ = BUCKET[routing]
    if routing == "failover":
        check = made.health_check(ministack.port, f"/{bucket}/{OUT[EAST]}", Inverted=True)
        made.put(
            record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", HealthCheckId=check),
            record(ADDRESS[WEST], SetIdentifier=WEST, Failover="SECONDARY"),
        )
        return made
    for region in (EAST, WEST):
        check = made.health_check(ministack.port, f"/{bucket}/{OUT[region]}", Inverted=True)
        made.put(record(ADDRESS[region], SetIdentifier=region, Weight=100, HealthCheckId=check))
    return made


def global_cluster(pair: servers.Pair) -> GlobalClusters:
    """orders-global, whose moves the servers of the pair follow a little later than the API says."""
    regions = {"orders-e": (pair.east, pair.west), "orders-w": (pair.west, pair.east)}

    def move(target: Member) -> None:
        new, old = regions[target.name]
        if clusters.accepted[-1][2]:
            new.ask("SELECT pg_promote(true, 30)")
        else:
            databases.change_places(old, new)

    clusters = GlobalClusters(on_failover=move, account=ACCOUNT)
    clusters.promote_seconds = 1.0
    clusters.api_seconds = 0.3
    clusters.cluster("orders-global", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST)
    return clusters


@contextlib.contextmanager
def site(
    root: Path,
    front: Front,
    ministack: Emulator,
    pair: servers.Pair,
    clusters: GlobalClusters,
    automation: str = "off",
    routing: str = "failover",
    lease: str = "60s",
    database: str = "aurora-global",
) -> Iterator[Site]:
    """The application as an operator set it up. `front` serves `clusters` as RDS already."""
    tables.create_table(_client, WITNESS)
    bucket, home = BUCKET[routing]
    _client("s3", home).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": home})
    if routing == "weighted":
        _client("s3", home).put_object(Bucket=bucket, Key=OUT[WEST], Body=b"the standby")
    for region in (EAST, WEST):
        _workers(region)
    zone = _zone(ministack, routing)
    users = Users(EAST, WEST)
    try:
        with serving(zone) as names:
            made = Site(root, front, pair, names, zone, clusters, users, automation, routing, lease, database)
            try:
                yield made
            finally:
                made.close()
    finally:
        users.close()
