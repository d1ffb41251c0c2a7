"""compute: eks-nodegroup on moto: the node group, and the Auto Scaling group that its nodes are instances of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, ComputeSuite, known
from cloudfail_aws.compute.nodegroup import Nodegroup
from cloudfail_aws.compute.options import NodegroupMember
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import (
    REGIONS,
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

IMAGE = "ami-12c6146b"


@dataclass
class Site:
    """One node group, from one to four nodes, two wanted."""

    front: Front
    name: str
    group: str = ""

    def nodes(self, *, grouped: bool = True) -> Site:
        client = sdk(self.front, "eks")
        role = "arn:aws:iam::123456789012:role/nodes"
        client.create_cluster(name=self.name, roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]})
        made = client.create_nodegroup(
            clusterName=self.name,
            nodegroupName="workers",
            nodeRole=role,
            subnets=["subnet-1"],
            scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 2},
        )["nodegroup"]
        self.group = made["resources"]["autoScalingGroups"][0]["name"]
        if grouped:
            # EKS makes the group, and moto only names it.
            scaler = sdk(self.front, "autoscaling")
            scaler.create_launch_configuration(
                LaunchConfigurationName=self.group, ImageId=IMAGE, InstanceType="t3.small"
            )
            scaler.create_auto_scaling_group(
                AutoScalingGroupName=self.group,
                LaunchConfigurationName=self.group,
                MinSize=1,
                MaxSize=4,
                DesiredCapacity=2,
                AvailabilityZones=[f"{TARGET}a"],
            )
        self.front.forget()
        return self

    def follow(self) -> None:
        """Hand the configuration on to the group, as EKS does."""
        size = self.size()
        sdk(self.front, "autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=self.group, MinSize=size[0], DesiredCapacity=size[1], MaxSize=size[2]
        )

    def port(self) -> Nodegroup:
        of = resource(PortName.COMPUTE, "eks-nodegroup", dict.fromkeys(REGIONS, f"{self.name}/workers"))
        found = {region: NodegroupMember.model_validate(one) for region, one in of.members.items()}
        return Nodegroup(asking(self.front, of), found)

    def raw(self) -> dict[str, Any]:
        found = sdk(self.front, "eks").describe_nodegroup(clusterName=self.name, nodegroupName="workers")
        described: dict[str, Any] = found["nodegroup"]
        return described

    def size(self) -> tuple[int, int, int]:
        told = self.raw()["scalingConfig"]
        return told["minSize"], told["desiredSize"], told["maxSize"]

    def changes(self) -> list[str]:
        return [one.operation for one in self.front.seen(mutating=True)]


@pytest.fixture
def site(cloud: Front) -> Site:
    return Site(cloud, unique("shop"))


def seen(compute: Nodegroup) -> ComputeState:
    state: ComputeState = known(compute.read(TARGET))
    return state


class TestNodegroup(ComputeSuite):
    @pytest.fixture
    def world(self, site: Site) -> World:
        site.nodes()
        return World(site.front, kind_of(PortName.COMPUTE, "eks-nodegroup"), site.port(), site.follow)


def test_count_floor_and_ceiling_are_one_request(site: Site) -> None:
    compute = site.nodes().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    assert site.size() == (6, 6, 6)
    assert site.changes() == ["TagResource", "UpdateNodegroupConfig"]


def test_taken_back_by_its_own_run_the_node_group_is_as_it_was(site: Site) -> None:
    compute = site.nodes().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make())
    assert site.size() == (1, 2, 4)


def test_to_hold_lifts_the_floor_and_to_let_go_puts_it_back(site: Site) -> None:
    compute = site.nodes().port()
    compute.hold(TARGET, True, expect=seen(compute), call=Calls().make())
    assert site.size() == (2, 2, 4)
    compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    assert site.size() == (1, 2, 4)


def test_a_floor_that_a_scale_lifted_is_let_go_to_where_it_stood(site: Site) -> None:
    compute = site.nodes().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    state = seen(compute)
    assert state.scale_in_held
    compute.hold(TARGET, False, expect=state, call=Calls().make())
    assert site.size() == (1, 6, 6)


def test_a_floor_of_somebody_else_stays(site: Site) -> None:
    compute = site.nodes().port()
    sdk(site.front, "eks").update_nodegroup_config(
        clusterName=site.name, nodegroupName="workers", scalingConfig={"minSize": 2}
    )
    with pytest.raises(Permanent, match="cloudfail did not lift it"):
        compute.hold(TARGET, False, expect=seen(compute), call=Calls().make())
    assert site.size() == (2, 2, 4)


def test_eks_says_done_and_no_node_joins_so_the_step_does_not_complete(site: Site) -> None:
    world = OneResource(site.nodes().port())
    scale, context = Scale(), step("compute.scale", group="web", where=TARGET, count=5)
    todo = scale.observe(world, context)  # type: ignore[arg-type]
    assert isinstance(todo, Todo)
    scale.act(world, context, todo, Calls().make())  # type: ignore[arg-type]
    assert site.raw()["status"] == "ACTIVE"
    assert isinstance(scale.observe(world, context), Moving), "EKS's own word was enough"  # type: ignore[arg-type]
    site.follow()
    assert isinstance(scale.observe(world, context), Done)  # type: ignore[arg-type]


def test_a_node_that_is_not_healthy_does_not_count(site: Site) -> None:
    compute = site.nodes().port()
    scaler = sdk(site.front, "autoscaling")
    found = scaler.describe_auto_scaling_groups(AutoScalingGroupNames=[site.group])["AutoScalingGroups"][0]
    scaler.set_instance_health(InstanceId=found["Instances"][0]["InstanceId"], HealthStatus="Unhealthy")
    state = seen(compute)
    assert (state.running, state.healthy) == (2, 1)


def test_a_node_group_whose_nodes_are_not_listed_is_unknown(site: Site) -> None:
    read = site.nodes(grouped=False).port().read(TARGET)
    assert isinstance(read, Unknown)
    assert "are listed" in read.reason


def test_an_update_that_is_under_way_is_waited_for(site: Site) -> None:
    compute = site.nodes().port()
    state = seen(compute)
    site.front.outages.fail("ResourceInUseException", 409, operation="UpdateNodegroupConfig")
    with pytest.raises(Transient):
        compute.scale(TARGET, 5, expect=state, call=Calls().make())
    assert site.size() == (1, 2, 4)


def test_an_answer_lost_after_the_effect_is_in_doubt_and_the_next_look_finds_it(site: Site) -> None:
    compute = site.nodes().port()
    site.front.outages.lose(operation="UpdateNodegroupConfig", times=1)
    with pytest.raises(OutcomeUnknown):
        compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    site.front.forget()
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    assert site.changes() == []


def test_a_worker_of_an_older_epoch_changes_nothing(site: Site) -> None:
    compute = site.nodes().port()
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make(20))
    with pytest.raises(Conflict, match="epoch 20"):
        compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make(19))
    assert seen(compute).wanted == 5
