"""Members of AWS's workers and consumers, as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.model.topology import PortName
from cloudfail_aws import provider

FILE = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: aws}
  us-west-2: {provider: aws}
primary: us-east-1
state: "sqlite:state.db"
resources:
  it: {RESOURCE}
"""
GROUP = "arn:aws:elasticloadbalancing:us-west-2:111111111111:targetgroup/web/6d0ecf831eec9f09"
UUIDS = ("14e0db71-5d35-4eb5-b481-8945cf9d10c2", "70cd12a1-1bb7-4ac0-9b5b-6a1f0c8e3a52")


def load(tmp_path: Path, resource: str) -> Any:
    file = tmp_path / "cloudfail.yaml"
    file.write_text(FILE.replace("{RESOURCE}", resource), encoding="utf-8")
    return config.load(file, [], {"aws": provider}).topology.resources["it"]


@pytest.mark.parametrize(
    ("written", "member"),
    [
        ("{compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}", {"name": "web-w"}),
        (
            f'{{compute: autoscaling, members: {{us-west-2: {{name: web-w, target_groups: ["{GROUP}"]}}}}}}',
            {"name": "web-w", "target_groups": (GROUP,)},
        ),
        (
            '{compute: ecs, members: {us-west-2: "arn:aws:ecs:us-west-2:111111111111:service/shop/web"}}',
            {"cluster": "shop", "service": "web"},
        ),
        ("{compute: ecs, members: {us-west-2: shop/web}}", {"cluster": "shop", "service": "web"}),
        ("{compute: eks-nodegroup, members: {us-west-2: shop/nodes}}", {"cluster": "shop", "nodegroup": "nodes"}),
        (
            '{compute: lambda-concurrency, members: {us-west-2: "orders:live"}}',
            {"function": "orders", "qualifier": "live"},
        ),
        (f"{{consumers: event-source, members: {{us-west-2: {UUIDS[0]}}}}}", {"uuid": UUIDS[0]}),
        ("{consumers: eventbridge-rule, members: {us-west-2: orders}}", {"bus": "default", "rule": "orders"}),
        ("{consumers: eventbridge-rule, members: {us-west-2: a/b/orders}}", {"bus": "a/b", "rule": "orders"}),
        ("{consumers: schedule, members: {us-west-2: nightly/books}}", {"group": "nightly", "schedule": "books"}),
    ],
)
def test_a_member_is_a_name_or_a_mapping(tmp_path: Path, written: str, member: dict[str, Any]) -> None:
    loaded = load(tmp_path, written).members["us-west-2"]
    assert {key: value for key, value in loaded.items() if value not in (None, ())} == member


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{compute: autoscaling, members: {us-west-2: shop/web}}", "name"),
        ("{compute: autoscaling, members: {us-west-2: {name: web, targets: []}}}", "targets"),
        ('{compute: autoscaling, members: {us-west-2: {name: web, target_groups: ["web"]}}}', "target_groups"),
        ("{compute: ecs, members: {us-west-2: web}}", "CLUSTER/SERVICE"),
        ("{compute: eks-nodegroup, members: {us-west-2: a/b/c}}", "CLUSTER/NODEGROUP"),
        ("{compute: lambda-concurrency, members: {us-west-2: orders}}", "FUNCTION:QUALIFIER"),
        ("{consumers: event-source, members: {us-west-2: mailer}}", "write text of the form"),
        ("{consumers: schedule, members: {us-west-2: /books}}", "GROUP/SCHEDULE"),
    ],
)
def test_a_member_that_names_nothing_is_a_mistake_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, written)
    (mistake,) = refused.value.mistakes
    assert "cloudfail.yaml:9:" in str(mistake)
    assert said in str(mistake)


def test_every_verb_is_control_plane_of_the_members_own_region_and_loses_nothing() -> None:
    kinds = [kind for kind in provider.kinds().values() if kind.port in (PortName.COMPUTE, PortName.CONSUMERS)]
    assert {kind.name for kind in kinds} == {
        "autoscaling", "ecs", "eks-nodegroup", "lambda-concurrency", "event-source", "eventbridge-rule", "schedule",
    }  # fmt: skip
    for kind in kinds:
        for facts in kind.verbs.values():
            assert (facts.plane, facts.home, facts.loses_data, facts.reversible) == ("control", "member", False, True)
            assert facts.fencing == "watching", "the watch after a run looks at nothing else"
            assert facts.typical_seconds < facts.longest_seconds
