"""lint --why: for each step of a failover, why it can be done while its source does not answer."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, TOPOLOGY, changed, load

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.lint import Severity, lint
from cloudfail.lint.possible import explained

ROOT = Path(__file__).resolve().parents[2]
EAST, WEST = "us-east-1", "us-west-2"


def why(tmp_path: Path, topology: str = TOPOLOGY, runbook: str = EVACUATE, source: str = EAST) -> dict[str, str]:
    """The words by step; by "the log" of the log."""
    target = WEST if source == EAST else EAST
    lines = explained(load(tmp_path, topology, runbook), source, target)
    assert lines[0] == f"With {source} lost, moving to {target}:"
    said = dict(line.split(None, 1) for line in lines[3:])
    return {**said, "the log": lines[1].split(": ", 1)[1]}


def way_back(tmp_path: Path, topology: str = TOPOLOGY) -> dict[str, dict[str, str]]:
    """The words by runbook and step, of those that ship for the way back."""
    texts = [(ROOT / "runbooks" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("restore", "failback")]
    lines = explained(load(tmp_path, topology, EVACUATE, *texts), EAST, WEST)
    said: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.startswith("  ") and line.endswith(":"):
            of = said.setdefault(line.strip(" :"), {})
        elif line.startswith("    "):
            step, why = line.split(None, 1)
            of[step] = why
    return said


def test_the_way_back_says_what_each_of_its_steps_needs(tmp_path: Path) -> None:
    said = way_back(tmp_path)
    assert list(said) == ["evacuate", "restore", "failback"]
    assert said["restore"]["follow"] == "data plane of us-east-1"
    assert said["restore"]["unfence"] == "data plane of us-east-1; waits for us-east-1"
    refused = "waits for us-west-2, and the plan is refused while that does not answer"
    home = said["failback"]
    assert home["fence"] == f"data plane of us-west-2; {refused}"
    assert home["promote"] == f"data plane of us-west-2 and us-east-1; {refused}"
    assert home["approve"] == "waits for a person, and asks no cloud"
    assert home["scale"] == "control plane of us-east-1"
    assert home["users"] == "the vantages look at us-east-1"
    assert home["follow"] == "data plane of us-west-2"
    assert home["traffic"] == "data plane, which stands in no one region; gives it 100 %, at once"
    assert not [why for steps in said.values() for why in steps.values() if "NOT" in why]


def test_each_step_of_the_shipped_runbook_says_why_it_can_be_done(tmp_path: Path) -> None:
    said = why(tmp_path)
    assert said["the log"] == "dynamodb in eu-central-1, not in us-east-1"
    owed = "asks us-east-1, and does not wait for it: what it does not answer is owed, and done when it is back"
    assert said["fence"] == said["freeze_old"] == owed
    assert said["freeze"] == "nothing is declared for it in us-west-2"
    assert said["approve"] == "waits for a person, and asks no cloud"
    assert said["promote"] == "data plane of us-west-2, not of us-east-1"
    assert said["scale"] == "control plane of us-west-2, not of us-east-1"
    assert said["traffic"] == "data plane, which stands in no one region"
    assert said["users"] == "the vantages look at us-west-2"
    assert set(said) == {
        "the log",
        *"freeze freeze_old fence approve promote scale write traffic users unfreeze".split(),
    }


def test_the_other_direction_is_another_explanation(tmp_path: Path) -> None:
    said = why(tmp_path, source=WEST)
    assert said["scale"] == "control plane of us-east-1, not of us-west-2"
    assert said["fence"].startswith("asks us-west-2, and does not wait for it")


def test_a_step_that_waits_for_the_lost_region_is_not_possible(tmp_path: Path) -> None:
    said = why(tmp_path, runbook=changed(EVACUATE, ("{database: orders, unreachable: owe}", "{database: orders}")))
    assert said["fence"] == "NOT possible: fence (database.fence) waits for the lost region"


def test_a_log_that_the_lost_region_takes_along_is_not_possible(tmp_path: Path) -> None:
    said = why(tmp_path, topology=changed(TOPOLOGY, ("?region=eu-central-1", "?region=us-east-1")))
    assert said["the log"] == "NOT possible: dynamodb in us-east-1"
    said = why(tmp_path, topology=changed(TOPOLOGY, ("dynamodb://cloudfail?region=eu-central-1", "sqlite:state.db")))
    assert said["the log"] == "sqlite, whose URL does not say where it stands; it must not be in us-east-1"


def test_the_page_on_aws_shows_what_lint_says_of_its_example(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8").split("## An evacuation")[1]
    (tmp_path / "cloudfail.yaml").write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    files = [ROOT / "runbooks" / f"{name}.yaml" for name in ("evacuate", "restore", "failback")]
    loaded = config.load(tmp_path / "cloudfail.yaml", files)
    assert [str(one) for one in lint(loaded, ACTIONS, EAST, WEST) if one.severity is Severity.ERROR] == []
    shown = page.split("```text\n")[1].split("```")[0].splitlines()
    assert explained(loaded, EAST, WEST, ACTIONS) == shown
