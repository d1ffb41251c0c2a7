"""The example of the documentation loads, and says what it seems to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, HERE, PROVIDERS, RUNBOOKS, TOPOLOGY, changed, load

from cloudfail import config
from cloudfail.lint import lint
from cloudfail.model.policy import ApprovalPath, Automation, Policy
from cloudfail.model.runbook import Condition, Mode
from cloudfail.model.topology import PortName
from cloudfail.testing.provider import FakeProvider

CLOUD = ["evacuate", "restore", "failback"]
LOCAL = ["evacuate-local", "restore-local", "failback-local"]
CLOUDS = ["evacuate-clouds", "failback-clouds"]  # tests/unit/test_shipped_clouds.py


def test_the_example_is_read_as_it_is_meant(tmp_path: Path) -> None:
    topology = load(tmp_path).topology
    assert (topology.application, topology.primary) == ("shop", "us-east-1")
    assert (topology.objectives.rto_seconds, topology.objectives.rpo_seconds) == (900.0, 30.0)
    assert topology.regions["us-west-2"].account == "111111111111"
    assert topology.state == "dynamodb://cloudfail?region=eu-central-1"
    assert topology.resources["orders"].port is PortName.DATABASE
    assert topology.resources["orders"].members == {"us-east-1": "orders-e", "us-west-2": "orders-w"}
    assert topology.resources["www"].options["ttl"] == 60.0
    assert topology.resources["www"].options["switch"] == {"object": "s3://shop-switch-usw2/us-east-1-out"}
    check = topology.checks["checkout"]
    assert (check.kind, check.every_seconds, check.fall, check.rise) == ("http", 10.0, 3, 2)
    assert (check.vantages_needed, check.vantages_total) == (2, 3)
    paths = (
        ApprovalPath("laptop", "terminal", "any of the team's"),
        ApprovalPath("jump", "terminal", "jump.shop.example", "eu-west-3"),
    )
    assert topology.policy == Policy(
        Automation.STAGE_1, hold_down_seconds=120.0, cool_down_seconds=3600.0, approval_paths=paths
    )


def test_the_example_runbook_is_read_as_it_is_meant(tmp_path: Path) -> None:
    runbook = load(tmp_path, TOPOLOGY, EVACUATE).runbooks["evacuate"]
    assert runbook.mode is Mode.FAILOVER
    assert list(runbook.steps) == ("freeze freeze_old fence approve promote scale write traffic users unfreeze".split())
    assert runbook.steps["approve"].gate == "approval"
    assert runbook.steps["approve"].expires_seconds == 600.0
    assert runbook.steps["traffic"].needs == ("write", "scale")
    assert runbook.steps["promote"].limit_seconds == 240.0


def test_defaults_of_an_action_are_written_into_its_arguments(tmp_path: Path) -> None:
    steps = load(tmp_path, TOPOLOGY, EVACUATE).runbooks["evacuate"].steps
    assert steps["scale"].arguments == {"group": "web", "like": "recorded ${from}", "where": "${to}"}
    assert steps["freeze"].arguments == {"where": "${to}", "unreachable": "fail"}


@pytest.mark.parametrize("topology", ["cloudfail", "lab"])
def test_the_runbooks_that_ship_load_and_lint_clean(topology: str) -> None:
    names = CLOUD if topology == "cloudfail" else LOCAL
    loaded = config.load(HERE / f"{topology}.yaml", [RUNBOOKS / f"{name}.yaml" for name in names], PROVIDERS)
    assert [str(one) for one in lint(loaded)] == []
    assert list(loaded.runbooks) == names


def test_every_runbook_that_ships_is_tested() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.yaml")} == {*CLOUD, *LOCAL, *CLOUDS}


def test_the_example_loads_and_lints_clean_on_the_public_fake() -> None:
    files = [RUNBOOKS / f"{name}.yaml" for name in CLOUD]
    loaded = config.load(HERE / "cloudfail.yaml", files, {"aws": FakeProvider("aws")})
    assert [str(one) for one in lint(loaded)] == []


def test_every_part_knows_its_place(tmp_path: Path) -> None:
    loaded = load(tmp_path, TOPOLOGY, EVACUATE)
    assert str(loaded.place("steps", "fence", key=True, runbook="evacuate")).endswith("r0.yaml:7:3")
    assert str(loaded.place("resources", "www", "switch", "object")).endswith("c.yaml:13:29")
    assert str(loaded.place("policy", "lease")) == str(loaded.place("policy"))


def test_conditions_undo_and_override_are_read(tmp_path: Path) -> None:
    step = (
        "undo: {action: database.unfence, with: {database: orders}}, pre: [{in_sync: orders}], "
        'post: [{fenced: orders, in: "${from}"}], retries: 1, override: {freeze-first: "the tools stand still"}'
    )
    text = changed(EVACUATE, ("needs: [freeze],  limit: 60s}", f"needs: [freeze], limit: 60s, {step}}}"))
    fence = load(tmp_path, TOPOLOGY, text).runbooks["evacuate"].steps["fence"]
    assert fence.undo == ("database.unfence", {"database": "orders"})
    assert fence.pre == (Condition("in_sync", "orders", "${to}"),)
    assert fence.post == (Condition("fenced", "orders", "${from}"),)
    assert (fence.retries, dict(fence.override)) == (1, {"freeze-first": "the tools stand still"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("undo: none", ("none", {})),
        ("undo: database.unfence", ("database.unfence", {"database": "orders"})),
    ],
)
def test_a_short_undo_takes_the_arguments_of_its_step(tmp_path: Path, written: str, read: object) -> None:
    text = changed(EVACUATE, ("needs: [freeze],  limit: 60s}", f"needs: [freeze], limit: 60s, {written}}}"))
    assert load(tmp_path, TOPOLOGY, text).runbooks["evacuate"].steps["fence"].undo == read


def test_vantages_variables_and_scope_are_read() -> None:
    topology = config.load(HERE / "lab.yaml", [], PROVIDERS).topology
    assert topology.vantages["east"].command == ("ip", "netns", "exec", "east")
    assert topology.vantages["witness"].region is None
    assert topology.regions["west"].variables == {"address": "198.18.20.1"}
    assert topology.policy.scope == "site"
    assert topology.policy.hold_down_seconds == 1.0


def test_a_dollar_is_escaped_by_another_one(tmp_path: Path) -> None:
    text = changed(TOPOLOGY, ("us-east-1: web-e", 'us-east-1: "$${HOME}"'))
    assert load(tmp_path, text).topology.resources["web"].members["us-east-1"] == "${HOME}"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf" + TOPOLOGY.encode()).topology.application == "shop"


def test_importing_config_imports_neither_yaml_nor_pydantic() -> None:
    script = (
        "import sys, cloudfail.config; print([m for m in ('yaml', 'pydantic', 'typer', 'boto3') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=HERE.parents[2]
    )
    assert done.stdout.strip() == "[]"


def test_loading_and_linting_imports_no_vendor_library() -> None:
    script = (
        "import sys, cloudfail.config.loading, cloudfail.lint; "
        "print([m for m in ('typer', 'boto3', 'psycopg', 'dns', 'rich', 'requests') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=HERE.parents[2]
    )
    assert done.stdout.strip() == "[]"
