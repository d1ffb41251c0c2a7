"""What is written in cloudfail.yaml for paths and addresses on AWS, and what plan and lint are told of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail.model.topology import PortName
from cloudfail_aws import provider
from cloudfail_aws.network import KINDS

ID = "0aa11bb22cc33dd44"
TABLE = f"region: eu-central-1, tables: [rtb-{ID}], destinations: [10.20.0.0/16]"
ADDRESS = f"region: eu-central-1, allocation: eipalloc-{ID}"
LIST = f"region: eu-central-1, list: pl-{ID}"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "111111111111"}}
  us-west-2: {{provider: aws, account: "111111111111"}}
primary: us-east-1
state: "sqlite:state.db"
resources:
  path: {{network: {kind}, {options}, members: {{us-east-1: {east}, us-west-2: {west}}}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  lead: {{action: {action}, with: {{network: path}}, limit: 5m}}
"""


def load(
    tmp_path: Path,
    kind: str = "route-table",
    options: str = TABLE,
    east: str = f"tgw-{ID}",
    west: str = f'{{hop: pcx-{ID}, reach: "10.20.7.1:443"}}',
    action: str = "network.route",
) -> config.Loaded:
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(kind=kind, options=options, east=east, west=west))
    (tmp_path / "move.yaml").write_text(RUNBOOK.format(action=action))
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": provider})


def test_what_is_written_is_what_the_adapter_gets(tmp_path: Path) -> None:
    path = load(tmp_path).topology.resources["path"]
    assert path.options == {
        "region": "eu-central-1", "answer_within": 2.0, "tables": (f"rtb-{ID}",), "destinations": ("10.20.0.0/16",),
    }  # fmt: skip
    assert path.members == {
        "us-east-1": {"hop": f"tgw-{ID}", "reach": None},
        "us-west-2": {"hop": f"pcx-{ID}", "reach": {"at": "10.20.7.1:443", "says": None}},
    }


def test_the_short_forms_mean_the_long_ones(tmp_path: Path) -> None:
    address = load(tmp_path, "elastic-ip", ADDRESS, f"eni-{ID}", f"i-{ID}", "network.move_address")
    assert [one["holder"] for one in address.topology.resources["path"].members.values()] == [f"eni-{ID}", f"i-{ID}"]
    entries = load(tmp_path, "prefix-list", LIST, "192.0.2.0/25", "[192.0.2.128/26, 192.0.2.192/26]")
    assert entries.topology.resources["path"].members["us-east-1"]["cidrs"] == ("192.0.2.0/25",)


@pytest.mark.parametrize(
    ("kind", "options", "east", "said", "instead"),
    [
        ("route-table", TABLE, "router", "no next hop", "tgw-…, eni-…"),
        ("route-table", TABLE, f'{{hop: tgw-{ID}, reach: "10.20.7.1"}}', "no host:port", "10.20.7.1:443"),
        ("route-table", TABLE, f"{{hop: tgw-{ID}, rech: x}}", "rech", "reach"),
        ("route-table", TABLE.replace("10.20.0.0/16", "10.20.1.0/16"), f"tgw-{ID}", "another form", "10.20.0.0/16"),
        ("route-table", TABLE.replace("10.20.0.0/16", "shop"), f"tgw-{ID}", "no CIDR block", "10.20.0.0/16"),
        ("route-table", TABLE.replace("eu-central-1", "frankfurt"), f"tgw-{ID}", "region", ""),
        ("route-table", "region: eu-central-1, tables: [], destinations: []", f"tgw-{ID}", "tables", ""),
        ("elastic-ip", ADDRESS, f"nat-{ID}", "network interface or an instance", "eni-… or i-…"),
        ("elastic-ip", "region: eu-central-1, allocation: 203.0.113.5", f"eni-{ID}", "allocation", ""),
        ("prefix-list", LIST, "[]", "a length of at least 1", ""),
        ("prefix-list", LIST, "[192.0.2.1/25]", "another form", "192.0.2.0/25"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, kind: str, options: str, east: str, said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, kind, options, east, east)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(("region", "refused"), [("eu-central-1", False), ("us-east-1", True), ("us-west-2", False)])
def test_lint_knows_that_the_control_plane_stands_where_the_table_does(
    tmp_path: Path, region: str, refused: bool
) -> None:
    loaded = load(tmp_path, options=TABLE.replace("eu-central-1", region))
    found = [one.rule for one in lint(loaded, source="us-east-1", target="us-west-2")]
    assert ("control-plane-home" in found) is refused


@pytest.mark.parametrize(("region", "guessed"), [("eu-central-1", True), ("us-east-1", False)])
def test_whose_role_it_is_asked_under_is_not_guessed(tmp_path: Path, region: str, guessed: bool) -> None:
    """A table in a region of the file is asked as that region is; one elsewhere has no region to say it."""
    load(tmp_path, options=TABLE.replace("eu-central-1", region))
    text = (tmp_path / "cloudfail.yaml").read_text()
    for number, name in enumerate(("us-east-1", "us-west-2")):
        arn = f"arn:aws:iam::111111111111:role/r{number}"
        roles = f'{name}: {{provider: aws, roles: {{watch: "{arn}-watch", execute: "{arn}-do"}}, account:'
        text = text.replace(f"{name}: {{provider: aws, account:", roles)
    (tmp_path / "cloudfail.yaml").write_text(text)
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": provider})
    assert ("whose-role" in [one.rule for one in lint(loaded)]) is guessed


def test_lint_says_where_nothing_proves_a_move_and_where_something_does(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    there = [one for one in lint(loaded, source="us-east-1", target="us-west-2") if one.rule == "nothing-proves-it"]
    back = [one for one in lint(loaded, source="us-west-2", target="us-east-1") if one.rule == "nothing-proves-it"]
    assert there == []
    assert [one.message for one in back] == ["lead ends when path is set: nothing is asked through it in us-east-1"]


@pytest.mark.parametrize(
    ("kind", "options", "member", "action"),
    [
        ("route-table", TABLE, "tgw-", "network.move_address"),
        ("elastic-ip", ADDRESS, "eni-", "network.route"),
    ],
)
def test_the_verb_of_the_other_kind_is_refused_while_the_runbook_is_linted(
    tmp_path: Path, kind: str, options: str, member: str, action: str
) -> None:
    other = "network.route" if action == "network.move_address" else "network.move_address"
    loaded = load(tmp_path, kind, options, f"{member}{ID}", f"{member}0ee55ff66aa77bb88", action)
    (found,) = [one for one in lint(loaded) if one.rule == "verb-of-the-kind"]
    assert found.severity == "error"
    assert found.instead == f"write action: {other}"


def test_each_says_how_it_is_fenced() -> None:
    assert all(kind.port is PortName.NETWORK for kind in KINDS)
    assert {kind.name: {verb: facts.fencing for verb, facts in kind.verbs.items()} for kind in KINDS} == {
        "route-table": {"route": "watching"},
        "elastic-ip": {"move_address": "watching"},
        "prefix-list": {"route": "condition"},
    }


def test_the_kinds_load_no_vendor() -> None:
    code = "import sys, cloudfail_aws.network; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in loaded.split()} & {"boto3", "botocore", "urllib3", "yaml", "asyncio"}
