"""compute: autoscaling on moto's Auto Scaling, EC2 and load balancers, with a network that fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, ComputeSuite, known
from cloudfail_aws.compute import autoscaling, marks
from cloudfail_aws.compute.autoscaling import HELD, AutoScaling
from cloudfail_aws.compute.options import AutoScalingMember
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

# One of the images that moto has in every region.
IMAGE = "ami-12c6146b"


@dataclass
class Site:
    """A group in one region or in both. arns: of the target groups that it registers its instances in, by region."""

    front: Front
    name: str
    arns: dict[str, list[str]] = field(default_factory=dict)

    def group(self, *stems: str, region: str = TARGET) -> Site:
        """One to four instances, two wanted."""
        self.arns[region] = [self.target_group(stem, region=region) for stem in stems]
        client = sdk(self.front, "autoscaling", region)
        client.create_launch_configuration(LaunchConfigurationName=self.name, ImageId=IMAGE, InstanceType="t3.small")
        client.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchConfigurationName=self.name,
            MinSize=1,
            MaxSize=4,
            DesiredCapacity=2,
            AvailabilityZones=[f"{region}a"],
            TargetGroupARNs=self.arns[region],
            Tags=[{"Key": "team", "Value": "shop", "PropagateAtLaunch": True}],
        )
        self.front.forget()
        return self

    def target_group(self, stem: str, *, region: str = TARGET) -> str:
        vpc = sdk(self.front, "ec2", region).describe_vpcs()["Vpcs"][0]["VpcId"]
        made = sdk(self.front, "elbv2", region).create_target_group(
            Name=unique(stem), Protocol="HTTP", Port=8080, VpcId=vpc
        )
        arn: str = made["TargetGroups"][0]["TargetGroupArn"]
        return arn

    def port(self, **member: Any) -> AutoScaling:
        """member: what the file says of the target's beside its name."""
        members: dict[str, Any] = dict.fromkeys(REGIONS, self.name)
        if member:
            members[TARGET] = {"name": self.name, **member}
        of = resource(PortName.COMPUTE, "autoscaling", members)
        found = {region: AutoScalingMember.model_validate(one) for region, one in of.members.items()}
        return AutoScaling(asking(self.front, of), found)

    def do(self, operation: str, **parameters: Any) -> None:
        """By hand, in the target."""
        getattr(sdk(self.front, "autoscaling"), operation)(AutoScalingGroupName=self.name, **parameters)
        self.front.forget()

    def raw(self) -> dict[str, Any]:
        client = sdk(self.front, "autoscaling")
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        described: dict[str, Any] = found[0]
        return described

    def size(self) -> tuple[int, int, int]:
        now = self.raw()
        return now["MinSize"], now["DesiredCapacity"], now["MaxSize"]

    def suspended(self) -> frozenset[str]:
        return autoscaling.suspended(self.raw())

    def instances(self) -> list[dict[str, str]]:
        return [{"Id": one["InstanceId"]} for one in self.raw()["Instances"]]

    def changes(self) -> list[str]:
        return [one.operation for one in self.front.seen(service="autoscaling", mutating=True)]


@pytest.fixture
def site(cloud: Front) -> Site:
    return Site(cloud, unique("web"))


@pytest.fixture
def one(site: Site) -> Site:
    """Only the target's: what a failover scales."""
    return site.group("web")


def seen(compute: AutoScaling, region: str = TARGET) -> ComputeState:
    state: ComputeState = known(compute.read(region))
    return state


class TestAutoScaling(ComputeSuite):
    @pytest.fixture
    def world(self, one: Site) -> World:
        return World(one.front, kind_of(PortName.COMPUTE, "autoscaling"), one.port())


def test_count_floor_and_ceiling_are_one_request(one: Site) -> None:
    compute = one.port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    assert one.size() == (6, 6, 6)
    assert one.changes() == ["CreateOrUpdateTags", "UpdateAutoScalingGroup"]


def test_a_ceiling_and_a_floor_that_suffice_stay(one: Site) -> None:
    compute = one.port()
    compute.scale(TARGET, 3, expect=seen(compute), call=Calls().make())
    assert one.size() == (3, 3, 4)


def test_taken_back_by_its_own_run_the_group_is_as_it_was(one: Site) -> None:
    compute = one.port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    compute.scale(TARGET, 8, expect=seen(compute), call=Calls().make())
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make())
    assert one.size() == (1, 2, 4)


def test_another_run_scales_down_without_taking_that_back(one: Site) -> None:
    compute, call = one.port(), Calls().make(30)
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    compute.scale(TARGET, 2, expect=seen(compute), call=type(call)("r2", "step", 30, "r2/step", 30.0, call.check))
    assert one.size() == (2, 2, 6)


def test_nothing_is_asked_of_the_other_region(one: Site) -> None:
    compute = one.port()
    one.front.outages.silence(region=SOURCE)
    compute.scale(TARGET, 4, expect=seen(compute), call=Calls().make())
    assert one.front.count(region=SOURCE) == 0


def test_the_marks_do_not_go_to_the_instances_and_other_tags_stay(one: Site) -> None:
    compute = one.port()
    compute.scale(TARGET, 4, expect=seen(compute), call=Calls().make(17))
    tags = {tag["Key"]: tag for tag in one.raw()["Tags"]}
    assert tags[marks.EPOCH]["Value"] == "17"
    assert not any(tag["PropagateAtLaunch"] for key, tag in tags.items() if key.startswith("cloudfail:"))
    assert tags["team"]["Value"] == "shop"


def test_what_somebody_else_suspended_stays_suspended(one: Site) -> None:
    compute = one.port()
    one.do("suspend_processes", ScalingProcesses=["AZRebalance", "ReplaceUnhealthy"])
    compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())
    assert one.suspended() == {*HELD, "ReplaceUnhealthy"}
    compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    assert one.suspended() == {"AZRebalance", "ReplaceUnhealthy"}


def test_what_somebody_suspends_after_a_hold_is_not_taken_for_ours(one: Site) -> None:
    compute = one.port()
    compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())
    compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    one.do("suspend_processes", ScalingProcesses=list(HELD))
    with pytest.raises(Permanent, match="somebody else suspended it"):
        compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())


def test_a_note_that_cannot_be_taken_away_is_said_and_the_group_is_let_go_all_the_same(one: Site) -> None:
    compute, lines = one.port(), list[str]()
    compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())
    one.front.outages.refuse(operation="CreateOrUpdateTags", after=1)
    call = replace(Calls().make(), log=lines.append)
    compute.hold(TARGET, False, expect=seen(compute), call=call)
    assert one.suspended() == set()
    assert marks.HELD in lines[0]


def test_a_hold_of_somebody_else_is_not_let_go(one: Site) -> None:
    compute = one.port()
    one.do("suspend_processes", ScalingProcesses=list(HELD))
    with pytest.raises(Permanent, match="somebody else suspended it"):
        compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    assert one.suspended() == set(HELD)


@pytest.mark.parametrize("process", autoscaling.NEEDED)
def test_a_group_that_would_start_nothing_is_not_scaled_up(one: Site, process: str) -> None:
    compute = one.port()
    one.do("suspend_processes", ScalingProcesses=[process])
    with pytest.raises(Permanent, match=f"{process} is suspended"):
        compute.scale(TARGET, 4, expect=seen(compute), call=Calls().make())
    assert one.changes() == []


# ---- who is healthy


def test_without_a_target_group_nothing_is_known_and_the_reason_says_what_to_write(site: Site) -> None:
    read = site.group().port().read(TARGET)
    assert isinstance(read, Unknown)
    assert "no load balancer counts" in read.reason
    assert "target_groups: [ARN]" in read.reason


def test_a_target_group_that_the_file_names_counts_instead(site: Site) -> None:
    arn = site.group().target_group("by-hand")
    compute = site.port(target_groups=[arn])
    assert isinstance(compute.read(TARGET), Unknown), "an empty list of targets was taken for a count"
    sdk(site.front, "elbv2").register_targets(TargetGroupArn=arn, Targets=site.instances()[:1])
    state = seen(compute)
    assert (state.wanted, state.running, state.healthy) == (2, 2, 1)


def test_who_is_in_two_target_groups_must_be_healthy_in_both(site: Site) -> None:
    compute = site.group("web", "api").port()
    assert seen(compute).healthy == 2
    client = sdk(site.front, "elbv2")
    client.deregister_targets(TargetGroupArn=site.arns[TARGET][1], Targets=site.instances()[:1])
    assert seen(compute).healthy == 1


def test_a_target_that_is_not_of_the_group_counts_for_nothing(one: Site) -> None:
    stranger = sdk(one.front, "ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    (arn,) = one.arns[TARGET]
    sdk(one.front, "elbv2").register_targets(TargetGroupArn=arn, Targets=[{"Id": stranger}])
    state = seen(one.port())
    assert (state.running, state.healthy) == (2, 2)


def test_the_api_says_done_and_no_new_target_gets_healthy_so_the_step_does_not_complete(site: Site) -> None:
    arn = site.group().target_group("by-hand")
    old = site.instances()
    sdk(site.front, "elbv2").register_targets(TargetGroupArn=arn, Targets=old)
    world = OneResource(site.port(target_groups=[arn]))
    scale, context = Scale(), step("compute.scale", group="web", where=TARGET, count=5)

    todo = scale.observe(world, context)  # type: ignore[arg-type]
    assert isinstance(todo, Todo)
    scale.act(world, context, todo, Calls().make())  # type: ignore[arg-type]

    assert [instance["LifecycleState"] for instance in site.raw()["Instances"]] == ["InService"] * 5
    look = scale.observe(world, context)  # type: ignore[arg-type]
    assert isinstance(look, Moving), "the scaler's own word was enough"
    new = [instance for instance in site.instances() if instance not in old]
    sdk(site.front, "elbv2").register_targets(TargetGroupArn=arn, Targets=new)
    assert isinstance(scale.observe(world, context), Done)  # type: ignore[arg-type]


def test_a_group_that_is_not_listed_is_unknown_and_not_gone(one: Site) -> None:
    gone = Site(one.front, "web-gone")
    read = gone.port().read(TARGET)
    assert isinstance(read, Unknown)
    assert "no Auto Scaling group web-gone is listed" in read.reason


def test_a_region_without_a_member_is_unknown_and_takes_no_order(one: Site) -> None:
    compute = one.port()
    state = seen(compute)
    assert isinstance(compute.read("eu-west-1"), Unknown)
    with pytest.raises(Transient, match="no member"):
        compute.scale("eu-west-1", 4, expect=state, call=Calls().make())


# ---- a network that fails


def test_an_answer_that_was_lost_after_the_effect_is_in_doubt_and_the_next_look_finds_it(one: Site) -> None:
    compute = one.port()
    one.front.outages.lose(operation="UpdateAutoScalingGroup", times=1)
    with pytest.raises(OutcomeUnknown):
        compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    state = seen(compute)
    assert state.wanted == 5
    one.front.forget()
    compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert one.changes() == []


def test_tags_without_the_change_are_carried_on_and_what_stood_before_is_not_forgotten(one: Site) -> None:
    compute, calls = one.port(), Calls()

    def check() -> None:
        calls.checked += 1
        if calls.checked == 2:
            raise LeaseLost("Another worker took over.")

    call = calls.make()
    with pytest.raises(LeaseLost):
        compute.scale(TARGET, 6, expect=seen(compute), call=type(call)("r1", "step", 10, "k", 30.0, check))
    assert one.size() == (1, 2, 4)
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make(11))
    assert one.size() == (6, 6, 6)
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make(11))
    assert one.size() == (1, 2, 4)


def test_a_throttled_change_is_made_once_it_is_let_through(one: Site) -> None:
    compute = one.port()
    state = seen(compute)
    fault = one.front.outages.throttle(operation="UpdateAutoScalingGroup", times=1)
    compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert fault.hits == 1
    assert one.size() == (5, 5, 5)


def test_a_read_that_is_throttled_all_along_is_unknown(one: Site) -> None:
    one.front.outages.throttle(service="elbv2")
    read = one.port().read(TARGET)
    assert isinstance(read, Unknown)


def test_silence_is_unknown_within_its_bound(one: Site) -> None:
    one.front.outages.silence(region=TARGET)
    compute = one.port()
    state = ComputeState(2, 2, 2)
    assert isinstance(compute.read(TARGET), Unknown)
    with pytest.raises(Transient):
        compute.scale(TARGET, 5, expect=state, call=Calls().make())


@pytest.mark.parametrize("code", ["ScalingActivityInProgress", "ResourceContention"])
def test_what_aws_will_take_later_had_no_effect(one: Site, code: str) -> None:
    compute = one.port()
    state = seen(compute)
    one.front.outages.fail(code, 500 if code == "ResourceContention" else 400, operation="UpdateAutoScalingGroup")
    with pytest.raises(Transient):
        compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert one.size() == (1, 2, 4)


def test_a_read_that_is_stale_moves_nothing_twice(one: Site) -> None:
    compute = one.port()
    before = seen(compute)
    compute.scale(TARGET, 5, expect=before, call=Calls().make())
    one.front.outages.stale(600.0, operation="DescribeAutoScalingGroups")
    assert seen(compute).wanted == 2
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    one.front.outages.heal()
    assert one.size() == (5, 5, 5)
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make())
    assert one.size() == (1, 2, 4)


def test_a_world_that_changed_since_it_was_seen_is_left_alone(one: Site) -> None:
    compute = one.port()
    state = seen(compute)
    one.do("update_auto_scaling_group", MaxSize=9)
    with pytest.raises(Conflict):
        compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert one.size() == (1, 2, 9)


def test_a_call_that_lands_late_is_seen_and_put_right(one: Site) -> None:
    """No condition of AWS's stops it: the run that took over looks on, finds less than it ordered, and orders again."""
    compute, later = one.port(), one.port()
    late = one.front.outages.hold(operation="UpdateAutoScalingGroup", times=1)
    with pytest.raises(OutcomeUnknown):
        compute.scale(TARGET, 3, expect=seen(compute), call=Calls().make(10))
    later.scale(TARGET, 6, expect=seen(later), call=Calls().make(11))
    assert seen(later).wanted == 6
    late.land()
    state = seen(later)
    assert (state.wanted, state.epoch) == (3, 11)
    later.scale(TARGET, 6, expect=state, call=Calls().make(11))
    assert one.size() == (6, 6, 6)
    with pytest.raises(Conflict, match="epoch 11"):
        compute.scale(TARGET, 3, expect=seen(compute), call=Calls().make(10))


# ---- what no emulator has


def test_instances_of_a_mixed_group_count_as_much_as_they_weigh() -> None:
    listed = [
        {"InstanceId": "i-1", "LifecycleState": "InService", "WeightedCapacity": "4"},
        {"InstanceId": "i-2", "LifecycleState": "InService"},
        {"InstanceId": "i-3", "LifecycleState": "Pending:Wait", "WeightedCapacity": "4"},
        {"InstanceId": "i-4", "LifecycleState": "Standby"},
    ]
    assert autoscaling.in_service({"Instances": listed}) == {"i-1": 4, "i-2": 1}


def test_target_groups_are_found_in_either_list_and_once() -> None:
    web, api = (f"arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/{name}/1" for name in ("web", "api"))
    sources = [
        {"Identifier": web, "Type": "elbv2"},
        {"Identifier": api, "Type": "elbv2"},
        {"Identifier": "classic", "Type": "elb"},
        {"Identifier": "arn:aws:vpc-lattice:us-west-2:1:targetgroup/tg-1", "Type": "vpc-lattice"},
    ]
    assert autoscaling.target_groups({"TargetGroupARNs": [web], "TrafficSources": sources}) == (web, api)
