"""compute: ecs on moto: services, scalable targets and target groups, with a network that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import PortName
from cloudfail.ports import Call
from cloudfail.testing.conformance import Calls, ComputeSuite, known
from cloudfail_aws.compute.ecs import Ecs
from cloudfail_aws.compute.options import EcsMember
from cloudfail_aws.compute.scalable import SUSPENDED
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import (
    REGIONS,
    SOURCE,
    TARGET,
    OneResource,
    World,
    asking,
    kind_of,
    resource,
    sdk,
    step,
    unique,
)

DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


@dataclass
class Site:
    """A service with two tasks behind a target group, and a scalable target from one to four."""

    front: Front
    name: str
    arn: str = ""
    addresses: list[str] = field(default_factory=list)

    def service(self, *, balanced: bool = True, scalable: bool = True) -> Site:
        vpc = sdk(self.front, "ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        made = sdk(self.front, "elbv2").create_target_group(
            Name=self.name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
        )
        self.arn = made["TargetGroups"][0]["TargetGroupArn"]
        client = sdk(self.front, "ecs")
        client.create_cluster(clusterName=self.name)
        client.register_task_definition(
            family=self.name, containerDefinitions=[{"name": "web", "image": "web", "memory": 64}]
        )
        one = {"targetGroupArn": self.arn, "containerName": "web", "containerPort": 8080}
        client.create_service(
            cluster=self.name,
            serviceName="web",
            taskDefinition=self.name,
            desiredCount=0,
            loadBalancers=[one] if balanced else [],
        )
        # moto's tasks run once a count is ordered, not when the service is made.
        client.update_service(cluster=self.name, service="web", desiredCount=2)
        if scalable:
            self.register(MinCapacity=1, MaxCapacity=4)
        self.follow()
        self.front.forget()
        return self

    def register(self, **change: Any) -> None:
        client = sdk(self.front, "application-autoscaling")
        client.register_scalable_target(ResourceId=f"service/{self.name}/web", **DIMENSION, **change)

    def follow(self) -> None:
        """Register the addresses of the tasks that run, and only those: ECS does, and moto does not."""
        running = self.raw()["runningCount"]
        wanted = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(running)]
        client = sdk(self.front, "elbv2")
        if new := [one for one in wanted if one not in self.addresses]:
            client.register_targets(TargetGroupArn=self.arn, Targets=[{"Id": one, "Port": 8080} for one in new])
        if old := [one for one in self.addresses if one not in wanted]:
            client.deregister_targets(TargetGroupArn=self.arn, Targets=[{"Id": one, "Port": 8080} for one in old])
        self.addresses = wanted

    def port(self, **member: Any) -> Ecs:
        members = {region: {"cluster": self.name, "service": "web", **member} for region in REGIONS}
        of = resource(PortName.COMPUTE, "ecs", members)
        return Ecs(asking(self.front, of), {at: EcsMember.model_validate(one) for at, one in of.members.items()})

    def raw(self) -> dict[str, Any]:
        found = sdk(self.front, "ecs").describe_services(cluster=self.name, services=["web"], include=["TAGS"])
        service: dict[str, Any] = found["services"][0]
        return service

    def target(self) -> dict[str, Any]:
        client = sdk(self.front, "application-autoscaling")
        found = client.describe_scalable_targets(ResourceIds=[f"service/{self.name}/web"], **DIMENSION)
        described: dict[str, Any] = found["ScalableTargets"][0]
        return described

    def size(self) -> tuple[int, int, int]:
        bounds = self.target()
        return bounds["MinCapacity"], self.raw()["desiredCount"], bounds["MaxCapacity"]

    def switches(self) -> dict[str, bool]:
        state: dict[str, bool] = self.target().get("SuspendedState", {})
        return state

    def changes(self) -> list[str]:
        return [one.operation for one in self.front.seen(mutating=True)]


@pytest.fixture
def site(cloud: Front) -> Site:
    return Site(cloud, unique("shop"))


def seen(compute: Ecs) -> ComputeState:
    state: ComputeState = known(compute.read(TARGET))
    return state


class TestEcs(ComputeSuite):
    @pytest.fixture
    def world(self, site: Site) -> World:
        site.service()
        return World(site.front, kind_of(PortName.COMPUTE, "ecs"), site.port(), site.follow)


def test_the_bounds_go_before_the_count(site: Site) -> None:
    compute = site.service().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    assert site.changes() == ["TagResource", "RegisterScalableTarget", "UpdateService"]
    assert site.size() == (6, 6, 6)


def test_taken_back_by_its_own_run_the_service_is_as_it_was(site: Site) -> None:
    compute = site.service().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make())
    assert site.size() == (1, 2, 4)


@pytest.mark.parametrize("sent", [1, 2])
def test_what_was_lost_on_the_way_is_seen_as_missing_and_ordered_whole(site: Site, sent: int) -> None:
    """The lease goes after the tags, and after the ceiling."""
    compute, calls = site.service().port(), Calls()

    def check() -> None:
        calls.checked += 1
        if calls.checked > sent:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        compute.scale(TARGET, 6, expect=seen(compute), call=Call("r1", "step", 10, "k", 30.0, check))
    assert seen(compute).wanted == 2
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make(11))
    assert site.size() == (6, 6, 6)
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make(11))
    assert site.size() == (1, 2, 4), "what stood before was forgotten with the half"


def test_without_a_scalable_target_there_is_no_ceiling_and_nothing_to_hold(site: Site) -> None:
    compute = site.service(scalable=False).port()
    state = seen(compute)
    assert state.ceiling is None
    compute.scale(TARGET, 6, expect=state, call=Calls().make())
    assert site.raw()["desiredCount"] == 6
    with pytest.raises(Permanent, match="nothing scales it in"):
        compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())


@pytest.mark.parametrize("there", [True, False])
def test_an_answer_that_is_not_what_the_file_says_is_unknown(site: Site, there: bool) -> None:
    compute = site.service(scalable=there).port(autoscaled=not there)
    read = compute.read(TARGET)
    assert isinstance(read, Unknown)
    assert "scalable target" in read.reason


def test_scaling_out_goes_on_and_what_somebody_else_suspended_stays(site: Site) -> None:
    compute = site.service().port()
    site.register(SuspendedState=dict.fromkeys(SUSPENDED, False) | {"ScheduledScalingSuspended": True})
    compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())
    assert site.switches() == {**dict.fromkeys(SUSPENDED, True), "DynamicScalingOutSuspended": False}
    compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    held = site.switches()
    assert (held["DynamicScalingInSuspended"], held["ScheduledScalingSuspended"]) == (False, True)
    assert site.size() == (1, 2, 4)


def test_a_hold_of_somebody_else_is_not_let_go(site: Site) -> None:
    compute = site.service().port()
    site.register(SuspendedState=dict.fromkeys(SUSPENDED, True) | {"DynamicScalingOutSuspended": False})
    with pytest.raises(Permanent, match="somebody else suspended it"):
        compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())


def test_behind_no_load_balancer_nothing_is_known(site: Site) -> None:
    read = site.service(balanced=False).port().read(TARGET)
    assert isinstance(read, Unknown)
    assert "behind no load balancer" in read.reason
    assert seen(site.port(target_groups=[site.arn])).healthy == 2


def test_the_api_says_running_and_no_task_gets_healthy_so_the_step_does_not_complete(site: Site) -> None:
    world = OneResource(site.service().port())
    scale, context = Scale(), step("compute.scale", group="web", where=TARGET, count=5)
    todo = scale.observe(world, context)  # type: ignore[arg-type]
    assert isinstance(todo, Todo)
    scale.act(world, context, todo, Calls().make())  # type: ignore[arg-type]
    assert site.raw()["runningCount"] == 5
    assert isinstance(scale.observe(world, context), Moving), "ECS's own word was enough"  # type: ignore[arg-type]
    site.follow()
    assert isinstance(scale.observe(world, context), Done)  # type: ignore[arg-type]


def test_an_answer_lost_after_the_effect_is_in_doubt_and_the_next_look_finds_it(site: Site) -> None:
    compute = site.service().port()
    site.front.outages.lose(operation="UpdateService", times=1)
    with pytest.raises(OutcomeUnknown):
        compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    state = seen(compute)
    assert state.wanted == 5
    site.front.forget()
    compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert site.changes() == []


def test_a_scalable_target_that_is_being_changed_takes_it_later(site: Site) -> None:
    compute = site.service().port()
    state = seen(compute)
    site.front.outages.fail("ConcurrentUpdateException", 400, operation="RegisterScalableTarget")
    with pytest.raises(Transient):
        compute.scale(TARGET, 6, expect=state, call=Calls().make())
    site.front.outages.heal()
    assert site.size() == (1, 2, 4)


def test_a_service_that_is_gone_or_going_is_unknown(site: Site) -> None:
    compute = site.service().port()
    gone = Site(site.front, site.name).port(service="other").read(TARGET)
    assert isinstance(gone, Unknown)
    assert "MISSING" in gone.reason
    sdk(site.front, "ecs").delete_service(cluster=site.name, service="web", force=True)
    going = compute.read(TARGET)
    assert isinstance(going, Unknown)
    assert "INACTIVE" in going.reason


def test_a_daemon_has_no_count(cloud: Front) -> None:
    name, client = unique("agents"), sdk(cloud, "ecs")
    client.create_cluster(clusterName=name)
    client.register_task_definition(
        family=name, containerDefinitions=[{"name": "agent", "image": "agent", "memory": 64}]
    )
    client.create_service(cluster=name, serviceName="web", taskDefinition=name, schedulingStrategy="DAEMON")
    compute = Site(cloud, name).port()
    with pytest.raises(Permanent, match="DAEMON"):
        compute.scale(TARGET, 9, expect=compute.describe(TARGET, within=5.0).state(0), call=Calls().make())


def test_a_silent_source_costs_the_target_nothing(site: Site) -> None:
    compute = site.service().port()
    site.front.outages.silence(region=SOURCE)
    compute.scale(TARGET, 3, expect=seen(compute), call=Calls().make())
    assert site.front.count(region=SOURCE) == 0


def test_a_worker_of_an_older_epoch_changes_nothing(site: Site) -> None:
    compute = site.service().port()
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make(20))
    with pytest.raises(Conflict, match="epoch 20"):
        compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make(19))
    assert seen(compute).wanted == 5
