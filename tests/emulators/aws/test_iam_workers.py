"""The policies that are printed for workers and consumers: enough for all that the ports ask, and nothing beyond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.compute.autoscaling import AutoScaling
from cloudfail_aws.compute.ecs import Ecs
from cloudfail_aws.compute.instances import templated
from cloudfail_aws.compute.lambda_concurrency import LambdaConcurrency
from cloudfail_aws.compute.nodegroup import Nodegroup
from tests.emulators.aws import (
    test_autoscaling,
    test_consumers,
    test_ecs,
    test_lambda_concurrency,
    test_nodegroup,
)
from tests.emulators.aws.conftest import Account
from tests.emulators.aws.front import Front
from tests.emulators.aws.gate import EXECUTE, WATCH, Gate, policies_of, with_roles, without
from tests.emulators.aws.members import TARGET, kind_of, resource, sdk, topology, unique


def gated(of: Resource, adapter: Callable[[Asking, Mapping[str, Any]], Any]) -> tuple[Any, Gate]:
    """The port of its member in the target, under exactly what is printed for it."""
    whole, kind = with_roles(topology(of)), kind_of(of.port, of.kind)
    gate = Gate(policies_of(kind, of, whole, (TARGET,)))
    asking = Asking(of, whole, cast(Clients, gate), Budget(SystemClock()))
    assert kind.member is not None
    return adapter(asking, {at: kind.member.model_validate(one) for at, one in of.members.items()}), gate


def workers(cloud: Front, kind: str) -> tuple[Resource, Any, Callable[[], None]]:
    """Two that run, their adapter, and what AWS does by itself where the emulator does not."""
    name = unique("iam")
    if kind == "autoscaling":
        test_autoscaling.Site(cloud, name).group(unique("iam"))
        return resource(PortName.COMPUTE, kind, {TARGET: name}), AutoScaling, lambda: None
    if kind == "ecs":
        tasks = test_ecs.Site(cloud, name).service()
        return resource(PortName.COMPUTE, kind, {TARGET: f"{name}/web"}), Ecs, tasks.follow
    if kind == "eks-nodegroup":
        nodes = test_nodegroup.Site(cloud, name).nodes()
        return resource(PortName.COMPUTE, kind, {TARGET: f"{name}/workers"}), Nodegroup, nodes.follow
    test_lambda_concurrency.Site(cloud, name).function()
    return resource(PortName.COMPUTE, kind, {TARGET: f"{name}:live"}), LambdaConcurrency, lambda: None


def a_template(cloud: Front) -> str:
    data = {"ImageId": test_autoscaling.IMAGE, "InstanceType": "t3.small"}
    made = sdk(cloud, "ec2").create_launch_template(LaunchTemplateName=unique("iam"), LaunchTemplateData=data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def on_fargate(cloud: Front, of: Resource) -> None:
    """The service anew, with tasks of half a vCPU."""
    client, cluster = sdk(cloud, "ecs"), of.members[TARGET]["cluster"]
    (seen,) = client.describe_services(cluster=cluster, services=["web"])["services"]
    made = client.register_task_definition(
        family=cluster,
        cpu="512",
        memory="1024",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        containerDefinitions=[{"name": "web", "image": "web", "memory": 64}],
    )["taskDefinition"]["taskDefinitionArn"]
    client.delete_service(cluster=cluster, service="web", force=True)
    client.create_service(
        cluster=cluster,
        serviceName="web",
        taskDefinition=made,
        desiredCount=0,
        launchType="FARGATE",
        loadBalancers=seen["loadBalancers"],
    )
    client.update_service(cluster=cluster, service="web", desiredCount=2)


@pytest.mark.parametrize("kind", ["autoscaling", "ecs", "eks-nodegroup", "lambda-concurrency"])
def test_workers_are_read_held_and_scaled_under_what_is_printed_and_under_no_less(
    cloud: Front, account: Account, kind: str
) -> None:
    of, adapter, follow = workers(cloud, kind)
    port, gate = gated(of, adapter)
    if kind == "ecs":
        on_fargate(cloud, of)
    known(port.room(TARGET))
    if kind in ("autoscaling", "eks-nodegroup"):
        # The other way to say what instances a group begins.
        assert templated(port._asking, TARGET, a_template(cloud), "1", within=5.0) == "t3.small"
    for held in (True, False):
        port.hold(TARGET, held, expect=known(port.read(TARGET)), call=Calls().make())
        follow()
    for count in (5, 0):
        port.scale(TARGET, count, expect=known(port.read(TARGET)), call=Calls().make())
        follow()
    gate.judge()


CONSUMERS = {"event-source": test_consumers.a_mapping, "schedule": test_consumers.a_schedule}


def bus_and_rule(cloud: Front) -> str:
    bus = unique("bus")
    sdk(cloud, "events").create_event_bus(Name=bus)
    name = test_consumers.a_rule(cloud, EventBusName=bus)
    return f"{bus}/{name}"


@pytest.mark.parametrize(
    ("kind", "made"),
    [*CONSUMERS.items(), ("eventbridge-rule", test_consumers.a_rule), ("eventbridge-rule", bus_and_rule)],
)
def test_consumers_are_turned_off_and_on_under_what_is_printed_and_under_no_less(
    cloud: Front, kind: str, made: Callable[[Front], str]
) -> None:
    of = resource(PortName.CONSUMERS, kind, {TARGET: made(cloud)}, "mailer")
    port, gate = gated(of, test_consumers.MAKES[kind][0])
    for enabled in (False, True):
        port.enable(TARGET, enabled, expect=known(port.read(TARGET)), call=Calls().make())
    gate.judge()


def test_what_the_gate_refuses_is_refused_for_good_and_changes_nothing(cloud: Front) -> None:
    """The gate itself: a read that may not be made is unknown, a change that may not be made is Permanent."""
    of, adapter, _ = workers(cloud, "autoscaling")
    port, gate = gated(of, adapter)
    state = known(port.read(TARGET))
    whole = dict(gate.policies)
    for what, less in without(whole[WATCH]):
        if not what.endswith(("DescribeAutoScalingGroups", "DescribeTargetHealth")):
            continue  # what the account may run is another question, which stops no read
        gate.policies = {**whole, WATCH: less}
        read = port.read(TARGET)
        assert isinstance(read, Unknown) or read.value.healthy is None, what
    (update,) = [less for what, less in without(whole[EXECUTE]) if what.endswith("UpdateAutoScalingGroup")]
    gate.policies = {WATCH: whole[WATCH], EXECUTE: update}
    cloud.forget()
    with pytest.raises(Permanent, match="UpdateAutoScalingGroup"):
        port.scale(TARGET, 4, expect=state, call=Calls().make())
    assert cloud.count(operation="UpdateAutoScalingGroup") == 0
