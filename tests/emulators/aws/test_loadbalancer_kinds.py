"""What is written in cloudfail.yaml for balancers on AWS, and what plan and lint are told of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import ConfigError, Permanent
from cloudfail.lint import lint
from cloudfail.model.codec import checksum_of_document, plan_document, plan_from_document
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName
from cloudfail.plan import bind
from cloudfail.ports import Kind
from cloudfail_aws.loadbalancer import KINDS
from tests.emulators.aws.balancing import BY_NAME, EAST, WEST

ELB = "arn:aws:elasticloadbalancing:us-west-2:111111111111"
ID = "0123456789abcdef"
BALANCER = f"{ELB}:loadbalancer/app/web/{ID}"
LISTENER = f"{ELB}:listener/app/web/{ID}/{ID}"
RULE = f"{ELB}:listener-rule/app/web/{ID}/{ID}/{ID}"
MRAP = "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws}}
  us-west-2: {{provider: aws}}
primary: us-east-1
state: "sqlite:state.db"
resources:
  edge: {{loadbalancer: {written}, members: {{us-east-1: e, us-west-2: w}}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  traffic: {action: traffic.switch, with: {name: edge}, limit: 5m}
"""


class Aws:
    """The provider, with these kinds alone."""

    name = "aws"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {(kind.port, kind.name): kind for kind in KINDS}

    def identity(self) -> Known[str] | Unknown:
        return Unknown("nobody")


def load(tmp_path: Path, written: str) -> config.Loaded:
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(written=written))
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": Aws()})


@pytest.mark.parametrize(
    ("written", "options"),
    [
        (f'alb, listener: "{LISTENER}"', {"listener": LISTENER, "rule": None}),
        (f'alb, rule: "{RULE}"', {"listener": None, "rule": RULE}),
        ("global-accelerator", {}),
        ("cloudfront, distribution: E1EXAMPLE12345", {"distribution": "E1EXAMPLE12345"}),
        (f'"s3-mrap", access_point: "{MRAP}"', {"access_point": MRAP}),
        (
            f'"zonal-shift", load_balancer: "{BALANCER}", expires_in: 2d',
            {"load_balancer": BALANCER, "expires_in": 172800},
        ),
    ],
)
def test_what_is_written_is_what_the_adapter_gets(tmp_path: Path, written: str, options: dict[str, Any]) -> None:
    assert dict(load(tmp_path, written).topology.resources["edge"].options) == options


@pytest.mark.parametrize(
    ("written", "said", "instead"),
    [
        ("alb", "on a listener's default action or on a rule", "one of `listener:` and `rule:`"),
        (f'alb, listener: "{LISTENER}", rule: "{RULE}"', "on a listener's default action or on a rule", "one of"),
        (f'alb, listener: "{RULE}"', "no listener's ARN", ":listener/app/web/"),
        (f'alb, rule: "{LISTENER}"', "no rule's ARN", ":listener-rule/app/web/"),
        ("cloudfront, distribution: d111111abcdef8.cloudfront.net", "no distribution's id", "E1EXAMPLE12345"),
        ('"s3-mrap", access_point: shop', "no ARN of a Multi-Region Access Point", "mfzwi23gnjvgw.mrap"),
        ("global-accelerator, listener: x", "listener", ""),
        ('"zonal-shift", load_balancer: web', "no load balancer's ARN", ":loadbalancer/app/web/"),
        (f'"zonal-shift", load_balancer: "{BALANCER}", expires_in: 4d', "half an hour to three days", "24h"),
        (f'"zonal-shift", load_balancer: "{BALANCER}", expires_in: 5m', "half an hour to three days", "24h"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(tmp_path: Path, written: str, said: str, instead: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, written)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(
    ("written", "source", "refused"),
    [
        (f'alb, listener: "{LISTENER}"', WEST, True),
        (f'alb, listener: "{LISTENER}"', EAST, False),
        (f'alb, rule: "{RULE}"', WEST, True),
        ("global-accelerator", WEST, True),
        ("global-accelerator", EAST, False),
        ("cloudfront, distribution: E1EXAMPLE12345", EAST, True),
        ("cloudfront, distribution: E1EXAMPLE12345", WEST, False),
        (f'"zonal-shift", load_balancer: "{BALANCER}"', WEST, True),
        (f'"zonal-shift", load_balancer: "{BALANCER}"', EAST, False),
        (f'"s3-mrap", access_point: "{MRAP}"', EAST, False),
        (f'"s3-mrap", access_point: "{MRAP}"', WEST, False),
    ],
)
def test_lint_knows_where_each_control_plane_stands(tmp_path: Path, written: str, source: str, refused: bool) -> None:
    found = [one.rule for one in lint(load(tmp_path, written), source=source)]
    assert ("control-plane-home" in found) is refused


def test_the_regions_of_an_application_may_be_zones_and_their_balancer_stands_in_none_of_them(tmp_path: Path) -> None:
    zones = FILE.replace("us-east-1", "zone-1").replace("us-west-2", "zone-2")
    written = f'"zonal-shift", load_balancer: "{BALANCER}"'
    text = zones.format(written=written).replace("zone-1: e, zone-2: w", "zone-1: usw2-az1, zone-2: usw2-az2")
    (tmp_path / "cloudfail.yaml").write_text(text + "policy: {scope: site}\n")
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": Aws()})
    assert "control-plane-home" not in [one.rule for one in lint(loaded, source="zone-1")]
    assert BY_NAME["zonal-shift"].build(loaded.topology.resources["edge"], loaded.topology).shift


def test_each_says_how_it_is_fenced() -> None:
    assert {name: kind.verbs["shift"].fencing for name, kind in BY_NAME.items()} == {
        "alb": "watching",
        "global-accelerator": "watching",
        "cloudfront": "condition",
        "s3-mrap": "watching",
        "zonal-shift": "watching",
    }
    assert all(kind.port is PortName.LOADBALANCER for kind in KINDS)


@pytest.mark.parametrize("kind", list(BY_NAME))
def test_each_is_built_without_a_call(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    written = {
        "alb": f'alb, listener: "{LISTENER}"',
        "global-accelerator": "global-accelerator",
        "cloudfront": "cloudfront, distribution: E1EXAMPLE12345",
        "s3-mrap": f'"s3-mrap", access_point: "{MRAP}"',
        "zonal-shift": f'"zonal-shift", load_balancer: "{BALANCER}"',
    }[kind]
    loaded = load(tmp_path, written)
    resource = loaded.topology.resources["edge"]
    wrong = {"global-accelerator": "no ARN of an endpoint group", "zonal-shift": "no zone's id"}
    if kind in wrong:
        with pytest.raises(Permanent, match=wrong[kind]):
            BY_NAME[kind].build(resource, loaded.topology)
    else:
        assert BY_NAME[kind].build(resource, loaded.topology).shift


def test_the_kinds_load_no_vendor() -> None:
    code = "import sys, cloudfail_aws.loadbalancer; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in loaded.split()} & {"boto3", "botocore", "urllib3", "yaml"}


def test_a_plan_says_what_its_step_writes_that_others_may_write_too(tmp_path: Path) -> None:
    """It is part of what the checksum covers, and comes back out of a log; a log without it is of an older version."""
    loaded = load(tmp_path, f"alb, listener: '{LISTENER}'")
    made = bind(loaded, loaded.runbooks["move"], EAST, WEST, {}, ACTIONS)
    assert made.step("traffic").facts.shared == (f"aws/elasticloadbalancing/{LISTENER}",)
    document = plan_document(made)
    assert plan_from_document(document) == made
    other = bind(load(tmp_path, f"alb, rule: '{RULE}'"), loaded.runbooks["move"], EAST, WEST, {}, ACTIONS)
    assert other.step("traffic").facts.shared == (f"aws/elasticloadbalancing/{RULE}",)
    assert other.checksum != made.checksum
    for step in document["steps"]:
        del step["facts"]["shared"]
    assert checksum_of_document(document) != made.checksum, "nobody takes it out unseen"
    assert plan_from_document(document).step("traffic").facts.shared == ()


def test_what_has_a_condition_or_sets_only_its_own_waits_for_nobody(tmp_path: Path) -> None:
    for written in ("cloudfront, distribution: E1EXAMPLE12345", f"s3-mrap, access_point: '{MRAP}'"):
        loaded = load(tmp_path, written)
        made = bind(loaded, loaded.runbooks["move"], EAST, WEST, {}, ACTIONS)
        assert made.step("traffic").facts.shared == ()
        document = plan_document(made)
        for step in document["steps"]:
            del step["facts"]["shared"]
        assert checksum_of_document(document) == made.checksum, "such a plan is what it was before there were any"
