"""The world in which each verb that AWS's ports have is ordered, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import botocore.session

from cloudfail.clock import SystemClock
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.model.topology import PortName, Resource
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.dns import s3_switch
from cloudfail_aws.dns.route53 import Route53
from cloudfail_aws.dns.routing_control import RoutingControl
from cloudfail_aws.dns.zone import Zone
from tests.emulators.aws import (
    dns_world,
    network_world,
    test_alb,
    test_aurora_global,
    test_autoscaling,
    test_cloudfront,
    test_consumers,
    test_ecs,
    test_global_accelerator,
    test_lambda_concurrency,
    test_network_acl,
    test_nodegroup,
    test_s3_mrap,
    test_zonal_shift,
)
from tests.emulators.aws.asked import canonical
from tests.emulators.aws.databases import WorldClients
from tests.emulators.aws.dns_world import ADDRESS, NAME, ZoneFile, record
from tests.emulators.aws.emulator import free_port
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import SOURCE, TARGET, unique
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.routing_controls import REGIONS, Panel
from tests.emulators.aws.standins.target_health import OPERATION, TargetHealth
from tests.emulators.verbs import Ordered

Serve = Callable[[str, Any], StandIn]
TO_TARGET = {SOURCE: 0, TARGET: 100}


def _sent(front: Front, *effects: str) -> Callable[[], int]:
    names = {canonical(name) for name in effects}
    return lambda: sum(canonical(one.operation) in names for one in front.seen(mutating=True))


Make = Callable[[Front, Serve], Ordered]


def _goes_west(state: Any) -> bool:
    return bool(state.weights[TARGET] and not state.weights[SOURCE])


def _shifting(front: Front, port: Any, truth: Callable[[], bool], *effects: str) -> Ordered:
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(TO_TARGET, expect=seen, call=call),
        _goes_west,
        truth,
        _sent(front, *effects),
    )


# ---- balancers


def _alb(front: Front, serve: Serve) -> Ordered:
    site = test_alb.Site(front)
    health = TargetHealth({site.groups[region]: [] for region in (SOURCE, TARGET)})
    front.serve("elbv2", serve("elbv2", health).answer, OPERATION)

    def truth() -> bool:
        (forward,) = site.actions()
        weights = {one["TargetGroupArn"]: one["Weight"] for one in forward["ForwardConfig"]["TargetGroups"]}
        return weights.get(site.groups[TARGET], 0) > 0 and not weights.get(site.groups[SOURCE], 0)

    return _shifting(front, site.made(), truth, "ModifyListener")


def _accelerator(front: Front, serve: Serve) -> Ordered:
    machine = test_global_accelerator.Machine()
    front.serve("globalaccelerator", serve("globalaccelerator", machine).answer)
    site = test_global_accelerator.Site(front, machine, {SOURCE: [free_port()], TARGET: [free_port()]})
    return _shifting(front, site.made(), lambda: site.dials() == {SOURCE: 0.0, TARGET: 100.0}, "UpdateEndpointGroup")


def _cloudfront(front: Front, serve: Serve) -> Ordered:
    site = test_cloudfront.Site(front)
    return _shifting(front, site.made(), lambda: site.targets()["*"] == "west", "UpdateDistribution")


def _mrap(front: Front, serve: Serve) -> Ordered:
    site = test_s3_mrap.Site(front)
    truth = lambda: (site.routes()[SOURCE], site.routes()[TARGET]) == (0, 100)  # noqa: E731
    return _shifting(front, site.made(), truth, test_s3_mrap.SUBMIT)


def _zonal(front: Front, serve: Serve) -> Ordered:
    machine = test_zonal_shift.Machine()
    front.serve(test_zonal_shift.SERVICE, serve(test_zonal_shift.SERVICE, machine).answer)
    site = test_zonal_shift.Site(front, machine)
    port = site.made()
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(test_zonal_shift.TWO, expect=seen, call=call),
        lambda state: bool(state.weights["zone-2"] and not state.weights["zone-1"]),
        lambda: site.away() == test_zonal_shift.ZONES["zone-1"],
        _sent(front, "StartZonalShift"),
    )


# ---- paths


class _OneTable(network_world.Routes):
    """So that the whole move is one effect."""

    def make(self) -> Resource:
        whole = super().make()
        self.tables = self.tables[:1]
        return replace(whole, options={**whole.options, "tables": tuple(self.tables)})


def _route(front: Front, serve: Serve) -> Ordered:
    site = _OneTable(front, front.url, {})
    port = site.port()
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.route(dict.fromkeys(seen.points, (TARGET,)), expect=seen, call=call),
        lambda state: all(regions == (TARGET,) for regions in state.points.values()),
        lambda: site.hop(site.tables[0]) == site.hops[TARGET],
        _sent(front, "CreateRoute", "ReplaceRoute"),
    )


# ---- workers


def _scaling(front: Front, port: Any, size: Callable[[], int], effect: str, follow: Callable[[], None]) -> Ordered:
    return Ordered(
        front,
        lambda: port.read(TARGET),
        lambda seen, call: port.scale(TARGET, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3),
        lambda: size() == 3,
        _sent(front, effect),
        follow=follow,
    )


def _holding(front: Front, port: Any, truth: Callable[[], bool], *effects: str) -> Ordered:
    return Ordered(
        front,
        lambda: port.read(TARGET),
        lambda seen, call: port.hold(TARGET, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held),
        truth,
        _sent(front, *effects),
    )


def _group(front: Front) -> test_autoscaling.Site:
    return test_autoscaling.Site(front, unique("web")).group("web")


def _group_scale(front: Front, serve: Serve) -> Ordered:
    site = _group(front)
    return _scaling(front, site.port(), lambda: site.size()[1], "UpdateAutoScalingGroup", lambda: None)


def _group_hold(front: Front, serve: Serve) -> Ordered:
    site = _group(front)
    return _holding(front, site.port(), lambda: "Terminate" in site.suspended(), "SuspendProcesses")


def _service(front: Front) -> test_ecs.Site:
    return test_ecs.Site(front, unique("web")).service()


def _service_scale(front: Front, serve: Serve) -> Ordered:
    site = _service(front)
    return _scaling(front, site.port(), lambda: site.size()[1], "UpdateService", site.follow)


def _service_hold(front: Front, serve: Serve) -> Ordered:
    site = _service(front)
    truth = lambda: site.switches().get("DynamicScalingInSuspended", False)  # noqa: E731
    return _holding(front, site.port(), truth, "RegisterScalableTarget")


def _nodes(front: Front) -> test_nodegroup.Site:
    return test_nodegroup.Site(front, unique("shop")).nodes()


def _nodes_scale(front: Front, serve: Serve) -> Ordered:
    site = _nodes(front)
    return _scaling(front, site.port(), lambda: site.size()[1], "UpdateNodegroupConfig", site.follow)


def _nodes_hold(front: Front, serve: Serve) -> Ordered:
    site = _nodes(front)
    return _holding(front, site.port(), lambda: site.size()[0] == 2, "UpdateNodegroupConfig")


def _function(front: Front) -> test_lambda_concurrency.Site:
    return test_lambda_concurrency.Site(front, unique("orders")).function()


def _provisioned(site: test_lambda_concurrency.Site) -> int:
    client = test_lambda_concurrency.sdk(site.front, "lambda")
    found = client.get_provisioned_concurrency_config(FunctionName=site.name, Qualifier="live")
    return int(found["RequestedProvisionedConcurrentExecutions"])


def _function_scale(front: Front, serve: Serve) -> Ordered:
    site = _function(front)
    effect = "PutProvisionedConcurrencyConfig"
    return _scaling(front, site.port(), lambda: _provisioned(site), effect, lambda: None)


def _function_hold(front: Front, serve: Serve) -> Ordered:
    site = _function(front)

    def truth() -> bool:
        client = test_lambda_concurrency.sdk(front, "application-autoscaling")
        found = client.describe_scalable_targets(
            ResourceIds=[f"function:{site.name}:live"], **test_lambda_concurrency.DIMENSION
        )
        return bool(found["ScalableTargets"][0].get("SuspendedState", {}).get("DynamicScalingInSuspended"))

    return _holding(front, site.port(), truth, "RegisterScalableTarget")


# ---- consumers


def _consumers(kind: str, *effects: str) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        port = test_consumers.port(front, kind, test_consumers.MADE[kind](front))
        return Ordered(
            front,
            lambda: port.read(TARGET),
            lambda seen, call: port.enable(TARGET, False, expect=seen, call=call),
            lambda state: not state.enabled,
            # A kind without a mark beside it is read as any client would; what it says is held to its own suite.
            lambda: not dns_world.known(port.read(TARGET)).enabled,
            _sent(front, *effects),
        )

    return make


# ---- names


def _asking(resource: Any) -> Asking:
    return Asking(resource, dns_world.topology(), dns_world.Clients(), Budget(SystemClock()))


def _client(front: Front, service: str, region: str) -> Any:
    return botocore.session.Session().create_client(service, region_name=region, endpoint_url=front.url)


def _route53(front: Front, serve: Serve) -> Ordered:
    zone = ZoneFile(_client(front, "route53", SOURCE))
    zone.put(record(ADDRESS[SOURCE]))
    options = {"zone": zone.id, "name": NAME, "resolvers": ["127.0.0.1:9"]}
    one = dns_world.resource("route53", options, ADDRESS)
    port = Route53(one, dns_world.topology(), _asking(one))

    def truth() -> bool:
        (found,) = zone.sets()
        return bool(found["ResourceRecords"] == [{"Value": ADDRESS[TARGET]}])

    return _shifting(front, port, truth, "ChangeResourceRecordSets")


def _zone(front: Front, serve: Serve) -> Ordered:
    zone = ZoneFile(_client(front, "route53", SOURCE))
    names = ("a", "b", "c")
    zone.put(*(record(ADDRESS[SOURCE], f"{name}.{dns_world.DOMAIN}.") for name in names), action="CREATE")
    options = {"zone": zone.id, "domain": dns_world.DOMAIN, "names": names, "resolvers": ["127.0.0.1:9"]}
    one = dns_world.resource("route53-zone", options, ADDRESS)
    port = Zone(one, dns_world.topology(), _asking(one))

    def truth() -> bool:
        found = [one for name in names for one in zone.sets(f"{name}.{dns_world.DOMAIN}")]
        return all(one["ResourceRecords"] == [{"Value": ADDRESS[TARGET]}] for one in found)

    return _shifting(front, port, truth, "ChangeResourceRecordSets")


def _switch(front: Front, serve: Serve) -> Ordered:
    s3 = _client(front, "s3", TARGET)
    s3.create_bucket(Bucket="shop-switch-usw2", CreateBucketConfiguration={"LocationConstraint": TARGET})
    options = {"name": NAME, "object": "s3://shop-switch-usw2/us-east-1-out", "resolvers": ["127.0.0.1:9"]}
    one = dns_world.resource("s3-switch", options, ADDRESS)
    port = s3_switch.build(one, dns_world.topology(), _asking(one))

    def truth() -> bool:
        return "Contents" in s3.list_objects_v2(Bucket="shop-switch-usw2")

    return _shifting(front, port, truth, "PutObject")


def _controls(front: Front, serve: Serve) -> Ordered:
    panel = Panel()
    arns = {SOURCE: panel.control("east", "On"), TARGET: panel.control("west")}
    service = "route53-recovery-cluster"
    front.serve(service, serve(service, panel).answer)
    members = {region: {"answers": [ADDRESS[region]], "control": arns[region]} for region in ADDRESS}
    endpoints = [{"url": front.url, "region": region} for region in REGIONS]
    options = {"name": NAME, "resolvers": ["127.0.0.1:9"], "endpoints": endpoints}
    one = dns_world.resource("routing-control", options, members)
    port = RoutingControl(one, dns_world.topology(), _asking(one))
    truth = lambda: panel.states() == {"east": "Off", "west": "On"}  # noqa: E731
    return _shifting(front, port, truth, "UpdateRoutingControlStates")


# ---- databases, by their control plane; what their servers do is shown beside a real pair


def _aurora(front: Front) -> Any:
    """The global cluster orders-global, whose members nobody here reaches over SQL."""
    more: dict[str, Any] = {"Engine": "aurora-postgresql", "GlobalClusterIdentifier": "orders-global"}
    east = _client(front, "rds", SOURCE)
    east.create_global_cluster(**more)
    east.create_db_cluster(
        DBClusterIdentifier="orders-e", MasterUsername="owner", MasterUserPassword="not-asked-for", **more
    )
    _client(front, "rds", TARGET).create_db_cluster(DBClusterIdentifier="orders-w", **more)
    return test_aurora_global.made(WorldClients(), dict(test_aurora_global.PLAIN), api_within="4s")


def _writer(front: Front) -> bool:
    (found,) = _client(front, "rds", TARGET).describe_global_clusters(GlobalClusterIdentifier="orders-global")[
        "GlobalClusters"
    ]
    return any(one["IsWriter"] and ":orders-w" in one["DBClusterArn"] for one in found["GlobalClusterMembers"])


def _aurora_failover(front: Front, serve: Serve) -> Ordered:
    database = _aurora(front)
    return Ordered(
        front,
        lambda: database.read(TARGET),
        lambda seen, call: database.failover(SOURCE, TARGET, expect=seen, call=call),
        lambda state: state.role is Role.PRIMARY,
        lambda: _writer(front),
        _sent(front, "FailoverGlobalCluster"),
    )


def _acl_fence(front: Front, serve: Serve) -> Ordered:
    account = test_network_acl.Account()
    database = account.database("network-acl")
    return Ordered(
        front,
        lambda: database.fence_state(SOURCE, TARGET),
        lambda seen, call: database.fence(SOURCE, TARGET, expect=seen, call=call),
        # Entries that stand are owed all the same, since nobody here reaches the server.
        lambda fence: not fence.methods_left and "network-acl stands" in fence.evidence,
        lambda: len(account.numbers()) > 2,
        _sent(front, "CreateNetworkAclEntry"),
        says_nothing=lambda fence: fence.outcome is FenceOutcome.OWED and "stands" not in fence.evidence,
    )


@dataclass(frozen=True)
class Row:
    """requests: how many the verb sends that change something, marks included, where all goes well."""

    make: Make
    requests: int = 1


VERBS: Mapping[tuple[PortName, str, str], Row] = {
    (PortName.LOADBALANCER, "alb", "shift"): Row(_alb, 2),
    (PortName.LOADBALANCER, "global-accelerator", "shift"): Row(_accelerator, 2),
    (PortName.LOADBALANCER, "cloudfront", "shift"): Row(_cloudfront),
    (PortName.LOADBALANCER, "s3-mrap", "shift"): Row(_mrap),
    (PortName.LOADBALANCER, "zonal-shift", "shift"): Row(_zonal),
    (PortName.NETWORK, "route-table", "route"): Row(_route, 2),
    (PortName.COMPUTE, "autoscaling", "scale"): Row(_group_scale, 2),
    (PortName.COMPUTE, "autoscaling", "hold"): Row(_group_hold, 2),
    (PortName.COMPUTE, "ecs", "scale"): Row(_service_scale, 3),
    (PortName.COMPUTE, "ecs", "hold"): Row(_service_hold, 2),
    (PortName.COMPUTE, "eks-nodegroup", "scale"): Row(_nodes_scale, 2),
    (PortName.COMPUTE, "eks-nodegroup", "hold"): Row(_nodes_hold, 2),
    (PortName.COMPUTE, "lambda-concurrency", "scale"): Row(_function_scale, 3),
    (PortName.COMPUTE, "lambda-concurrency", "hold"): Row(_function_hold, 2),
    (PortName.CONSUMERS, "event-source", "enable"): Row(_consumers("event-source", "UpdateEventSourceMapping")),
    (PortName.CONSUMERS, "eventbridge-rule", "enable"): Row(_consumers("eventbridge-rule", "DisableRule")),
    (PortName.CONSUMERS, "schedule", "enable"): Row(_consumers("schedule", "UpdateSchedule")),
    (PortName.DNS, "route53", "shift"): Row(_route53),
    (PortName.DNS, "route53-zone", "shift"): Row(_zone),
    (PortName.DNS, "s3-switch", "shift"): Row(_switch),
    (PortName.DNS, "routing-control", "shift"): Row(_controls),
    (PortName.DATABASE, "aurora-global", "failover"): Row(_aurora_failover, 2),
    (PortName.DATABASE, "rds-replica", "fence"): Row(_acl_fence, 3),
}
