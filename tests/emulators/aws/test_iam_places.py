"""The policies that are printed for names, balancers and databases: enough for what the ports ask, not more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError
from cloudfail.model.topology import Resource, Topology
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws import provider
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.cache_users import UsersFence
from cloudfail_aws.database.dynamodb_global import DynamoDBGlobal
from cloudfail_aws.database.global_clusters import GlobalClusters, Tail, copy_name
from cloudfail_aws.database.global_datastores import GlobalDatastores
from cloudfail_aws.database.instances import Instances
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_aws.database.options import NetworkAcls
from cloudfail_aws.database.replica_follow import kept_name, snapshot_name
from cloudfail_aws.database.reported_lag import AURORA, REPLICA, Metric, ReportedLag
from cloudfail_aws.database.security_group import SecurityGroupFence
from cloudfail_aws.dns import s3_switch
from cloudfail_aws.dns.route53 import Route53
from cloudfail_aws.dns.routing_control import RoutingControl
from cloudfail_aws.dns.zone import Zone
from cloudfail_aws.loadbalancer.accelerator import GlobalAccelerator
from cloudfail_aws.loadbalancer.alb import Alb
from cloudfail_aws.loadbalancer.cloudfront import CloudFront
from cloudfail_aws.loadbalancer.mrap import Mrap
from tests.emulators.aws import (
    balancing,
    caches,
    databases,
    test_alb,
    test_cloudfront,
    test_dynamodb_global,
    test_global_accelerator,
    test_network_acl,
    test_s3_mrap,
)
from tests.emulators.aws.dns_world import ADDRESS, EAST, NAME, WEST, ZoneFile, call, record, resource, topology
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.gate import Gate, policies_of, with_roles
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.caches import Caches
from tests.emulators.aws.standins.routing_controls import Cluster

BOTH = (EAST, WEST)
TO_WEST, TO_EAST = {EAST: 0, WEST: 100}, {EAST: 100, WEST: 0}


def gated(of: Resource, whole: Topology, regions: tuple[str, ...] = BOTH) -> tuple[Asking, Gate, Topology]:
    """How its ports ask, under exactly what is printed for it."""
    roles = with_roles(whole)
    gate = Gate(policies_of(provider.kinds()[of.port, of.kind], of, roles, regions))
    return Asking(of, roles, cast(Clients, gate), Budget(SystemClock())), gate, roles


def there_and_back(port: Any) -> None:
    for weights in (TO_WEST, TO_EAST):
        port.shift(weights, expect=known(port.read()), call=call())


# ---- names


@pytest.mark.parametrize("named", [True, False])
def test_a_name_with_health_checks(aws: Emulator, sdk: Any, named: bool) -> None:
    """named: whether the file names them; else they are those of the zone."""
    zone = ZoneFile(sdk("route53", EAST))
    checks = {region: zone.health_check(aws.port, "/_ministack/health") for region in BOTH}
    zone.put(*(record(ADDRESS[one], SetIdentifier=one, Weight=100, HealthCheckId=checks[one]) for one in BOTH))
    members = {one: {"answers": [ADDRESS[one]], **({"health_check": checks[one]} if named else {})} for one in BOTH}
    options = {"zone": zone.id, "name": NAME, "routing": "weighted", "answer_within": "60s"}
    of = resource("route53", options, members)
    asking, gate, whole = gated(of, topology())
    www = Route53(of, whole, asking)
    www.preflight()
    www.shift({EAST: 50, WEST: 60}, expect=known(www.read()), call=call())
    gate.judge()


def test_many_names(aws: Emulator, sdk: Any) -> None:
    zone = ZoneFile(sdk("route53", EAST))
    zone.put(*(record(ADDRESS[EAST], f"{name}.shop.example") for name in "abc"))
    options = {"zone": zone.id, "domain": "shop.example", "names": ["a", "b", "c"], "answer_within": "60s"}
    of = resource("route53-zone", options, ADDRESS)
    asking, gate, whole = gated(of, topology())
    names = Zone(of, whole, asking)
    names.preflight()
    there_and_back(names)
    gate.judge()


@pytest.mark.parametrize("kind", ["s3-switch", "route53"])
def test_a_switch_that_is_an_object(aws: Emulator, sdk: Any, kind: str) -> None:
    sdk("s3", WEST).create_bucket(Bucket="shop-out", CreateBucketConfiguration={"LocationConstraint": WEST})
    url = "s3://shop-out/us-east-1-out"
    options: dict[str, Any] = {"name": NAME, "answer_within": "60s"}
    if kind == "s3-switch":
        of = resource(kind, {**options, "object": url}, ADDRESS)
        asking, gate, whole = gated(of, topology())
        there_and_back(s3_switch.build(of, whole, asking))
    else:
        zone = ZoneFile(sdk("route53", EAST))
        check = zone.health_check(aws.port, "/shop-out/us-east-1-out", Inverted=True)
        zone.put(
            record(ADDRESS[EAST], SetIdentifier=EAST, Failover="PRIMARY", HealthCheckId=check),
            record(ADDRESS[WEST], SetIdentifier=WEST, Failover="SECONDARY"),
        )
        of = resource(kind, {**options, "zone": zone.id, "switch": {"object": url}}, {})
        asking, gate, whole = gated(of, topology())
        www = s3_switch.of_route53(of, whole, asking)
        www.warm()
        www.preflight()
        there_and_back(www)
    gate.judge()


def test_routing_controls(aws: Emulator, routing_controls: Cluster) -> None:
    panel = routing_controls.panel
    arns = {EAST: panel.control("east", "On"), WEST: panel.control("west")}
    endpoints = [{"url": url, "region": region} for region, url in routing_controls.urls().items()]
    members = {one: {"answers": [ADDRESS[one]], "control": arns[one]} for one in BOTH}
    of = resource("routing-control", {"name": NAME, "endpoints": endpoints, "answer_within": "60s"}, members)
    asking, gate, whole = gated(of, topology())
    there_and_back(RoutingControl(of, whole, asking))
    gate.judge()


# ---- balancers


@pytest.mark.parametrize("on_a_rule", [False, True])
def test_weights_of_target_groups(front: Front, on_a_rule: bool) -> None:
    site = test_alb.Site(front)
    if on_a_rule:
        site.on_a_rule()
    where = {"rule": site.rule} if on_a_rule else {"listener": site.listener}
    asking, gate, _ = gated(*balancing.topology("alb", {one: site.groups[one] for one in BOTH}, **where))
    there_and_back(Alb(asking))
    gate.judge()


def test_dials(front: Front, stand_in: Callable[[str, Any], StandIn]) -> None:
    machine = test_global_accelerator.Machine()
    front.serve("globalaccelerator", stand_in("globalaccelerator", machine).answer)
    site = test_global_accelerator.Site(front, machine, {EAST: [1], WEST: [2]})
    asking, gate, _ = gated(*balancing.topology("global-accelerator", site.groups))
    there_and_back(GlobalAccelerator(asking))
    gate.judge()


def test_origins(front: Front) -> None:
    site = test_cloudfront.Site(front)
    asking, gate, _ = gated(*balancing.topology("cloudfront", {EAST: "east", WEST: "west"}, distribution=site.id))
    there_and_back(CloudFront(asking))
    gate.judge()


def test_routes_of_an_access_point(front: Front) -> None:
    site = test_s3_mrap.Site(front)
    members = {one: test_s3_mrap.BUCKETS[one] for one in BOTH}
    asking, gate, _ = gated(*balancing.topology("s3-mrap", members, access_point=site.arn))
    there_and_back(Mrap(asking))
    gate.judge()


# ---- databases: all that they ask of AWS stands in these three classes; what they do over SQL needs no role


@pytest.fixture
def account(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> test_network_acl.Account:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**moto.environment(), "AWS_ACCESS_KEY_ID": ACCOUNT}.items():
        monkeypatch.setenv(name, value)
    return test_network_acl.Account()


def told_lag(asking: Asking, metric: Metric, names: dict[str, str], region: str) -> None:
    """What CloudWatch says of a replica's lag, of which there is a datapoint."""
    dimensions = [{"Name": metric.dimension, "Value": names[region]}]
    data = [{"MetricName": metric.name, "Dimensions": dimensions, "Value": 1.0}]
    Clients().get("cloudwatch", region).put_metric_data(Namespace="AWS/RDS", MetricData=data)
    known(ReportedLag(asking, metric, names, seconds=30, stale_seconds=300).read(region))


def exchanged(asking: Asking, sort: str, closed: str) -> None:
    """The security group of orders-e, there and back; what an emulator makes of it does not matter here."""
    fence = SecurityGroupFence(asking, sort, {EAST: "orders-e"}, {EAST: closed}, seconds=30)
    known(fence.standing(EAST))
    for order in (fence.apply, fence.lift):
        with contextlib.suppress(CloudfailError):
            order(EAST, Calls().make())


def test_instances_and_the_network_acls_before_them(account: test_network_acl.Account) -> None:
    """What moto makes of each request does not matter here: what AWS asks of IAM comes before."""
    vpc = account.ec2.describe_network_acls(NetworkAclIds=[account.acl])["NetworkAcls"][0]["VpcId"]
    closed = account.ec2.create_security_group(GroupName="closed", Description="nobody", VpcId=vpc)["GroupId"]
    east = {"instance": "orders-e", "network": {"acls": [account.acl]}, "closed_group": closed}
    of = databases.resource("rds-replica", {EAST: east, WEST: "orders-w"})
    asking, gate, whole = gated(of, databases.topology(of), (EAST,))
    names = {EAST: "orders-e", WEST: "orders-w"}
    free = Asking(of, databases.topology(of), Clients(), Budget(SystemClock()))
    west = Instances(free, names, seconds=30).describe(WEST)
    rds = Instances(asking, names, seconds=30)
    own = rds.describe(EAST)
    assert own is not None
    assert west is not None
    rds.snapshot(EAST, snapshot_name(own))
    rds.kept(EAST)
    exchanged(asking, "instance", closed)
    encrypted = {"KmsKeyId": f"arn:aws:kms:{EAST}:{ACCOUNT}:key/0f1e2d3c"}
    for order in (
        lambda: rds.promote(EAST, own, None, Calls().make()),
        lambda: rds.take_snapshot(EAST, own, snapshot_name(own), Calls().make()),
        lambda: rds.rename(EAST, own, kept_name(own), Calls().make()),
        lambda: rds.create_replica(
            EAST,
            replace(own, raw={**own.raw, **encrypted}),
            replace(west, raw={**west.raw, "StorageEncrypted": True}),
            WEST,
            Calls().make(),
        ),
    ):
        with contextlib.suppress(CloudfailError):
            order()
    told_lag(asking, REPLICA, names, EAST)
    fence = NetworkAclFence(asking, {EAST: NetworkAcls(acls=(account.acl,))}, seconds=30)
    fence.apply(EAST, Calls().make())
    assert known(fence.standing(EAST))
    fence.lift(EAST, Calls().make())
    assert whole.regions
    gate.judge()


def test_global_clusters(front: Front) -> None:
    more: dict[str, Any] = {"Engine": "aurora-postgresql", "GlobalClusterIdentifier": "orders-global"}
    clients = Clients()
    clients.get("rds", EAST).create_global_cluster(**more)
    clients.get("rds", EAST).create_db_cluster(
        DBClusterIdentifier="orders-e", MasterUsername="owner", MasterUserPassword="not-asked-for", **more
    )
    clients.get("rds", WEST).create_db_cluster(DBClusterIdentifier="orders-w", **more)
    names = {EAST: "orders-e", WEST: "orders-w"}
    members = {EAST: {"cluster": "orders-e", "closed_group": "sg-0ee55ff66aa77bb88"}, WEST: "orders-w"}
    of = databases.resource("aurora-global", members, id="orders-global")
    asking, gate, _ = gated(of, databases.topology(of))
    exchanged(asking, "cluster", "sg-0ee55ff66aa77bb88")
    clusters = GlobalClusters(asking, "rds", "orders-global", names, seconds=30)
    seen = clusters.describe(WEST)
    east, west = seen.member("orders-e", EAST), seen.member("orders-w", WEST)
    assert east is not None
    assert west is not None
    for member in (east, west):
        clusters.epoch(member)
        clusters.tails(member.region)
        told_lag(asking, AURORA, names, member.region)
        kept = f"rds:unplanned-global-failover-{names[member.region]}-2026-11-23"
        for order in (
            lambda to=member: clusters.fail_over(to, Calls().make()),
            lambda to=member: clusters.switch_over(west if to is east else east, to, Calls().make()),
            lambda at=member.region, tail=kept: clusters.copy(at, Tail(tail, copy_name(tail), ""), Calls().make()),
        ):
            with contextlib.suppress(CloudfailError):
                order()
    gate.judge()


def test_global_datastores_and_their_users(front: Front, stand_in: Callable[[str, Any], StandIn]) -> None:
    """The network ACLs before them are those of an instance's test."""
    machine = Caches()
    machine.datastore(caches.NAME, dict(caches.GROUPS), EAST)
    for region, user in caches.USERS.items():
        machine.user(region, user, "shop", caches.ACCESS)
    front.serve("elasticache", stand_in("elasticache", machine).answer)
    members = {one: {"group": caches.GROUPS[one], "users": [caches.USERS[one]]} for one in BOTH}
    of = databases.resource("elasticache-global", members, id=caches.NAME)
    asking, gate, _ = gated(of, databases.topology(of))
    stores = GlobalDatastores(asking, caches.NAME, dict(caches.GROUPS), seconds=30)
    users = UsersFence(asking, {one: (caches.USERS[one],) for one in BOTH}, seconds=30)
    for region in (WEST, EAST):
        member = stores.describe(region).member(caches.GROUPS[region], region)
        assert member is not None
        stores.epoch(member)
        stores.fail_over(member, Calls().make())
        users.apply(region, Calls().make())
        assert known(users.standing(region))
        users.lift(region, Calls().make())
    gate.judge()


def test_global_tables(front: Front) -> None:
    clients = Clients()
    test_dynamodb_global.create(lambda region: clients.get("dynamodb", region), [("session", "HASH", "S")], WEST)
    of = databases.resource("dynamodb-global", dict.fromkeys(BOTH, test_dynamodb_global.TABLE))
    _, gate, whole = gated(of, databases.topology(of))
    table = DynamoDBGlobal(of, whole, cast(Clients, gate))
    for region in BOTH:
        known(table.read(region))
        known(table.beat(region))
        table.write_canary(region, "r1/write", call=Calls().make())
        assert known(table.read_canary(region, "r1/write")) is not None
    table.loss(EAST, WEST, table.beat(EAST))
    gate.judge()
