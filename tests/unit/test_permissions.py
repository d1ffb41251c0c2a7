"""`cloudfail iam`: what each role must be allowed, for a topology, a direction, one runbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail.entrypoints.cli import app
from cloudfail.errors import Refused
from cloudfail_aws import provider

TOPOLOGY = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: aws, account: "111111111111"}
  us-west-2: {provider: aws, account: "111111111111"}
primary: us-east-1
state: "memory:"
resources:
  web:      {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}
  order-db: {database: aurora-global, id: orders-global, members: {us-east-1: orders-e, us-west-2: orders-w}}
  jobs:     {consumers: eventbridge-rule, members: {us-east-1: nightly, us-west-2: bus/nightly}}
"""
RUNBOOK = """\
name: grow
mode: failover
steps:
  scale: {action: compute.scale, with: {group: web, like: "recorded ${from}"}, limit: 5m}
"""
ARN = "arn:aws:autoscaling:us-west-2:111111111111:autoScalingGroup:*:autoScalingGroupName/web-w"


def printed(folder: Path, *options: str, topology: str = TOPOLOGY) -> Any:
    (folder / "cloudfail.yaml").write_text(topology)
    (folder / "runbooks").mkdir(exist_ok=True)
    (folder / "runbooks" / "grow.yaml").write_text(RUNBOOK)
    shown = CliRunner().invoke(app, ["iam", "aws", "-c", str(folder / "cloudfail.yaml"), *options])
    if shown.exception is not None:
        raise shown.exception
    return json.loads(shown.stdout)


def policies(shown: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    return {(one["role"], one["does"]): one["policy"]["Statement"] for one in shown["policies"]}


def test_every_resource_has_statements_of_its_own_in_both_policies(tmp_path: Path) -> None:
    found = policies(printed(tmp_path))
    assert set(found) == {("", "watch"), ("", "execute")}
    for statements in found.values():
        sids = [one["Sid"] for one in statements]
        assert len(set(sids)) == len(sids)
        assert {sid.rstrip("0123456789") for sid in sids} == {"Web", "OrderDb", "Jobs"}
        assert all(sid.isalnum() for sid in sids)


def test_what_takes_no_resource_is_listed_with_its_reason_and_nothing_else_stands_on_everything(tmp_path: Path) -> None:
    shown = printed(tmp_path)
    stars = {
        action
        for statements in policies(shown).values()
        for one in statements
        if one["Resource"] == ["*"]
        for action in one["Action"]
    }
    assert stars == {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLaunchConfigurations",
        "cloudwatch:GetMetricData",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:ListMetrics",
        "ec2:DescribeCapacityReservations",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "elasticloadbalancing:DescribeTargetHealth",
        "servicequotas:GetAWSDefaultServiceQuota",
        "servicequotas:GetServiceQuota",
    }
    wide = [one for one in shown["wider_than_the_file"] if one["on"] == ["*"]]
    assert {action for one in wide for action in one["actions"]} == stars
    assert all("takes no resource" in one["why"] or "take no resource" in one["why"] for one in wide)
    listed = {name for one in shown["wider_than_the_file"] for name in one["on"]}
    named = {name for statements in policies(shown).values() for one in statements for name in one["Resource"]}
    assert {name for name in named if "*" in name} <= listed


def test_a_runbook_needs_what_its_steps_do_in_the_regions_that_were_meant(tmp_path: Path) -> None:
    found = policies(printed(tmp_path, "--runbook", "grow", "--to", "us-west-2"))
    (execute,) = found["", "execute"]
    assert execute["Resource"] == [ARN]
    assert execute["Action"] == ["autoscaling:CreateOrUpdateTags", "autoscaling:UpdateAutoScalingGroup"]
    both = policies(printed(tmp_path, "--runbook", "grow", "--from", "us-east-1", "--to", "us-west-2"))
    assert [one["Resource"][0].split(":")[3] for one in both["", "execute"]] == ["us-east-1", "us-west-2"]


def test_each_role_gets_its_own_part(tmp_path: Path) -> None:
    """Each region's roles are another account's: no policy names what belongs to the other."""
    topology = TOPOLOGY
    for region, account in (("us-east-1", "111111111111"), ("us-west-2", "222222222222")):
        role = f"arn:aws:iam::{account}:role"
        topology = topology.replace(
            f'{region}: {{provider: aws, account: "111111111111"}}',
            f'{region}: {{provider: aws, account: "{account}", roles: {{watch: "{role}/w", execute: "{role}/x"}}}}',
        )
    found = policies(printed(tmp_path, topology=topology))
    assert len(found) == 4
    for (role, _), statements in found.items():
        account = role.split(":")[4]
        own = [name for one in statements for name in one["Resource"] if ":rds:" not in name and name != "*"]
        assert {name.split(":")[4] for name in own} == {account}
    alone = printed(tmp_path, "--only", "arn:aws:iam::222222222222:role/x", topology=topology)
    assert alone["Statement"] == found["arn:aws:iam::222222222222:role/x", "execute"]
    with pytest.raises(Refused, match="2 roles"):
        printed(tmp_path, "--only", "execute", topology=topology)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "eu-west-1"), "eu-west-1 is no region of shop"),
        (("--runbook", "shrink"), "There is no runbook shrink"),
        (("--only", "reader"), "reader is no role here"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(Refused) as raised:
        printed(tmp_path, *options)
    assert said in raised.value.happened
    assert raised.value.to_do


def test_without_an_account_no_arn_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="account"):
        printed(tmp_path, topology=TOPOLOGY.replace(', account: "111111111111"', ""))


def test_every_kind_of_aws_says_what_it_needs() -> None:
    assert [name for (_, name), kind in provider.kinds().items() if kind.permissions is None] == []
