"""What the account may run, of each kind of workers: quotas, use and reservations, with a network that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import load
from cloudfail.errors import Transient
from cloudfail.execution.state import LogState
from cloudfail.model.observation import Unknown
from cloudfail.model.room import Room
from cloudfail.plan import bind, refusals, scaled, warnings
from cloudfail.ports import HasRoom
from cloudfail.rooms import reports, rooms_of
from cloudfail.testing.conformance import known
from cloudfail.world import PortsWorld
from cloudfail_aws.compute.quotas import FAMILIES, STANDARD, quota_of
from tests.emulators.aws import test_autoscaling, test_ecs, test_lambda_concurrency, test_nodegroup
from tests.emulators.aws.conftest import Account
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import SOURCE, TARGET, sdk, unique

CODE = "L-1216C47A"


def room(port: Any, region: str = TARGET) -> Room:
    assert isinstance(port, HasRoom)
    said: Room = known(port.room(region))
    return said


def a_group(cloud: Front, *regions: str) -> test_autoscaling.Site:
    """t3.small: two vCPUs each. Two run."""
    site = test_autoscaling.Site(cloud, unique("room"))
    for region in regions or (TARGET,):
        site.group(unique("room"), region=region)
    return site


@pytest.mark.parametrize(
    ("instance_type", "code"),
    [
        ("m5.large", CODE),
        ("t3.small", CODE),
        ("im4gn.large", CODE),
        ("is4gen.large", CODE),
        ("c7i-flex.large", CODE),
        ("i4i.large", CODE),
        ("inf2.xlarge", "L-1945791B"),
        ("g5.xlarge", "L-DB2E81BA"),
        ("gr6.4xlarge", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-DB2E81BA"),
        ("p5.48xlarge", "L-417A185B"),
        ("trn1n.32xlarge", "L-2C3B7624"),
        ("x2iedn.xlarge", "L-7295265B"),
        ("dl1.24xlarge", "L-6E869C2A"),
        ("f1.2xlarge", "L-74FC7D96"),
    ],
)
def test_an_instance_type_counts_against_the_quota_of_its_family(instance_type: str, code: str) -> None:
    assert quota_of(instance_type).code == code


@pytest.mark.parametrize("instance_type", ["mac1.metal", "u-6tb1.metal", "u7i-12tb.large", "hpc6a.large", "", "9x"])
def test_a_family_that_is_not_known_is_not_guessed(instance_type: str) -> None:
    with pytest.raises(Transient, match="is not known here"):
        quota_of(instance_type)


def test_every_quota_has_a_code_of_its_own() -> None:
    quotas = set(FAMILIES.values())
    assert len({one.code for one in quotas}) == len(quotas)
    assert STANDARD in quotas


# ---- Auto Scaling groups


def test_a_group_may_have_what_its_quota_leaves_beside_others(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    account.quotas.applied[TARGET, CODE] = 32.0
    account.uses(TARGET, "ec2", 20.0)
    account.reservations.reserve(TARGET, "t3.small", 3)
    said = room(site.port())
    assert (said.limit, said.used, said.each, said.own, said.reserved) == (32.0, 20.0, 2.0, 2, 3)
    assert said.others == 10.0, "two that run and three that are reserved are its own"
    assert said.at_most == 11
    assert said.in_words().startswith(f"at most 11 (quota {CODE}, On-Demand vCPUs of A, C, D,")


def test_what_was_never_applied_is_the_default_of_five(cloud: Front, account: Account) -> None:
    """The account of a region that nobody ever used: it runs two of these, and no more."""
    said = room(a_group(cloud).port())
    assert (said.limit, said.used, said.at_most) == (5.0, None, 2)


def test_both_regions_are_told_apart(cloud: Front, account: Account) -> None:
    site = a_group(cloud, SOURCE, TARGET)
    account.quotas.applied |= {(SOURCE, CODE): 256.0, (TARGET, CODE): 16.0}
    account.uses(SOURCE, "ec2", 100.0)
    assert (room(site.port(), SOURCE).at_most, room(site.port(), TARGET).at_most) == (80, 8)


def test_reservations_elsewhere_or_of_others_are_not_its_own(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    account.quotas.applied[TARGET, CODE] = 32.0
    account.reservations.reserve(TARGET, "t3.small", 4)
    account.reservations.reserve(TARGET, "t3.small", 8, zone="b")
    account.reservations.reserve(TARGET, "m5.large", 8)
    account.reservations.reserve(TARGET, "t3.small", 8, State="expired")
    account.reservations.reserve(SOURCE, "t3.small", 8)
    assert room(site.port()).reserved == 4


def test_by_a_launch_template_of_that_version(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    client = sdk(cloud, "ec2")
    image = {"ImageId": test_autoscaling.IMAGE}
    made = client.create_launch_template(
        LaunchTemplateName=site.name, LaunchTemplateData={**image, "InstanceType": "t3.small"}
    )["LaunchTemplate"]
    client.create_launch_template_version(
        LaunchTemplateId=made["LaunchTemplateId"], LaunchTemplateData={**image, "InstanceType": "m5.xlarge"}
    )
    for version, vcpus in (("1", 2.0), ("2", 4.0)):
        site.do(
            "update_auto_scaling_group",
            LaunchTemplate={"LaunchTemplateId": made["LaunchTemplateId"], "Version": version},
        )
        assert room(site.port()).each == vcpus


def test_spot_instances_are_unknown(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    data = {
        "ImageId": test_autoscaling.IMAGE,
        "InstanceType": "t3.small",
        "InstanceMarketOptions": {"MarketType": "spot"},
    }
    made = sdk(cloud, "ec2").create_launch_template(LaunchTemplateName=site.name, LaunchTemplateData=data)
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    site.do("update_auto_scaling_group", LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
    read = site.port().room(TARGET)
    assert isinstance(read, Unknown)
    assert "Spot" in read.reason


@pytest.mark.parametrize(
    ("operation", "service"),
    [
        ("GetServiceQuota", "service-quotas"),
        ("DescribeInstanceTypes", "ec2"),
        ("DescribeLaunchConfigurations", "autoscaling"),
    ],
)
def test_what_does_not_answer_makes_it_unknown_and_never_zero(
    cloud: Front, account: Account, operation: str, service: str
) -> None:
    site = a_group(cloud)
    account.quotas.applied[TARGET, CODE] = 32.0
    cloud.outages.fail("ServiceUnavailable", 503, service=service, operation=operation)
    assert isinstance(site.port().room(TARGET), Unknown)


@pytest.mark.parametrize("operation", ["GetMetricStatistics", "DescribeCapacityReservations"])
def test_without_use_or_reservations_all_of_the_quota_counts_as_free(
    cloud: Front, account: Account, operation: str
) -> None:
    """What is reserved counts as used, whoever it is for: without that list, nobody can tell what others use."""
    site = a_group(cloud)
    account.quotas.applied[TARGET, CODE] = 32.0
    account.uses(TARGET, "ec2", 30.0)
    cloud.outages.fail("AccessDenied", 403, operation=operation)
    said = room(site.port())
    assert (said.used, said.at_most) == (None, 16)


def test_a_quota_that_may_not_be_read_is_unknown(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    cloud.outages.fail("AccessDeniedException", 400, service="service-quotas")
    read = site.port().room(TARGET)
    assert isinstance(read, Unknown)
    assert "AccessDeniedException" in read.reason


def test_a_region_that_is_silent_is_unknown_within_its_bound(cloud: Front, account: Account) -> None:
    site = a_group(cloud)
    cloud.outages.silence(region=TARGET)
    assert isinstance(site.port().room(TARGET), Unknown)


# ---- the other kinds


def test_nodes_are_instances(cloud: Front, account: Account) -> None:
    site = test_nodegroup.Site(cloud, unique("room")).nodes()
    account.quotas.applied[TARGET, CODE] = 32.0
    raw = sdk(cloud, "eks").describe_nodegroup(clusterName=site.name, nodegroupName="workers")["nodegroup"]
    (sort,) = raw["instanceTypes"]
    vcpus = sdk(cloud, "ec2").describe_instance_types(InstanceTypes=[sort])["InstanceTypes"][0]["VCpuInfo"][
        "DefaultVCpus"
    ]
    said = room(site.port())
    assert (said.limit, said.own, said.each) == (32.0, 2, float(vcpus))


def test_tasks_on_fargate_are_parts_of_vcpus(cloud: Front, account: Account) -> None:
    site = test_ecs.Site(cloud, unique("room")).service()
    client = sdk(cloud, "ecs")
    made = client.register_task_definition(
        family=site.name,
        cpu="512",
        memory="1024",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        containerDefinitions=[{"name": "web", "image": "web", "memory": 64}],
    )["taskDefinition"]["taskDefinitionArn"]
    client.create_service(
        cluster=site.name,
        serviceName="far",
        taskDefinition=made,
        desiredCount=0,
        launchType="FARGATE",
    )
    account.quotas.applied[TARGET, "L-3032A538"] = 6.0
    account.uses(TARGET, "fargate", 4.0)
    said = room(test_ecs.Site(cloud, site.name).port(service="far"))
    assert (said.limit, said.used, said.each, said.at_most) == (6.0, 4.0, 0.5, 4)
    read = site.port().room(TARGET)
    assert isinstance(read, Unknown)
    assert "does not run on Fargate" in read.reason


def test_a_function_may_have_what_is_reserved_for_no_other(cloud: Front) -> None:
    other = test_lambda_concurrency.Site(cloud, unique("room")).function(reserved=30)
    site = test_lambda_concurrency.Site(cloud, unique("room")).function(reserved=4)
    del other
    limits = sdk(cloud, "lambda").get_account_settings()["AccountLimit"]
    said = room(site.port())
    assert said.limit == limits["ConcurrentExecutions"]
    assert said.at_most == limits["UnreservedConcurrentExecutions"] + 4


# ---- as an application has it

SHOP = """
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "123456789012"}}
  us-west-2: {{provider: aws, account: "123456789012"}}
primary: us-east-1
state: "memory:"
resources:
  web:  {{compute: autoscaling, members: {{us-east-1: {name}, us-west-2: {name}}}}}
  jobs: {{compute: autoscaling, members: {{us-east-1: {other}, us-west-2: {other}}}}}
checks:
  shop: {{http: "https://${{region}}.shop.example/healthz"}}
"""
GROW = """
name: grow
mode: restore
steps:
  web:  {action: compute.scale, with: {group: web, count: 10}}
  jobs: {action: compute.scale, with: {group: jobs, count: 7}}
"""


def test_a_plan_of_two_groups_that_fit_alone_and_not_together_is_refused(
    cloud: Front, account: Account, tmp_path: Path
) -> None:
    web, jobs = a_group(cloud, SOURCE, TARGET), a_group(cloud, SOURCE, TARGET)
    (tmp_path / "cloudfail.yaml").write_text(SHOP.format(name=web.name, other=jobs.name), encoding="utf-8")
    (tmp_path / "grow.yaml").write_text(GROW, encoding="utf-8")
    loaded = load(tmp_path / "cloudfail.yaml", [tmp_path / "grow.yaml"])
    world = PortsWorld(loaded, lambda *_: Unknown("nobody looked"), lambda *_: Unknown("nobody wrote"))
    plan = bind(loaded, loaded.runbooks["grow"], SOURCE, TARGET, {}, ACTIONS)
    account.quotas.applied |= {(SOURCE, CODE): 256.0, (TARGET, CODE): 32.0}
    (said,) = refusals(plan, loaded.topology, LogState(), {}, rooms_of(world, scaled(plan), TARGET))
    assert "10 of web and 7 of jobs need 34 vCPUs" in said
    assert CODE in said
    account.quotas.applied[TARGET, CODE] = 34.0
    assert refusals(plan, loaded.topology, LogState(), {}, rooms_of(world, scaled(plan), TARGET)) == []
    account.quotas.applied[TARGET, CODE] = 16.0
    lines = reports(world, {"web": {SOURCE: 9}, "jobs": {SOURCE: 2}})
    assert [line.split()[:2] for line in lines if "TOO LITTLE" in line] == [[TARGET, "web"], [TARGET, "jobs"]]
    cloud.outages.silence(service="service-quotas", region=TARGET)
    unknown = rooms_of(world, scaled(plan), TARGET)
    assert refusals(plan, loaded.topology, LogState(), {}, unknown) == []
    assert len([one for one in warnings(plan, {}, unknown) if "is not known" in one]) == 2
