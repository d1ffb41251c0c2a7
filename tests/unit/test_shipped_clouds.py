"""The topology over three clouds that ships, and its runbooks: what they need of which cloud, played on a FakeCloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config.loaded import Loaded
from cloudfail.errors import ConfigError
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import RunState
from cloudfail.lint import lint
from cloudfail.lint.possible import explained
from cloudfail.lint.view import View, traits_of
from cloudfail.model.states import Role
from cloudfail.plan import bind, less_is_served
from cloudfail.registry import provider
from cloudfail.testing.provider import FakeProvider
from tests.kit import RUNBOOKS, Stage

AWS, AZURE = "us-east-1", "westeurope"
EITHER = pytest.mark.parametrize(("source", "target"), [(AWS, AZURE), (AZURE, AWS)])
NAMES = ("www-aws", "www-gcp")


def clouds(primary: str = AWS, *, fake: bool = True) -> Loaded:
    """As it ships, or with the other region as the primary: as the log says it after an evacuation."""
    files = [RUNBOOKS / f"{name}.yaml" for name in ("evacuate-clouds", "restore", "failback-clouds")]
    providers = {name: FakeProvider(name, like=provider(name)) for name in ("aws", "azure", "gcp", "local")}
    loaded = config.load(RUNBOOKS / "topologies" / "clouds.yaml", files, providers if fake else None)
    return replace(loaded, topology=replace(loaded.topology, primary=primary))


def left(stage: Stage, source: str, target: str, *silent: str) -> RunState:
    """What became of the run, while the source and those names do not answer."""
    stage.cloud.kill(source)
    for name in silent:
        stage.cloud.cut_off(name)
    run = stage.open("evacuate-clouds", source, target)
    stage.drive()
    return stage.run(run)


@EITHER
def test_the_plan_over_three_clouds_lints_clean(source: str, target: str) -> None:
    loaded = clouds(fake=False)
    assert [str(one) for one in lint(loaded)] == []
    assert [str(one) for one in lint(loaded, source=source, target=target)] == []


@EITHER
def test_no_step_needs_the_cloud_that_is_lost_and_each_says_why(source: str, target: str) -> None:
    said = explained(clouds(fake=False), source, target)
    away = said[: said.index(f"With {source} back, to follow {target}:")]
    assert not [line for line in away if "NOT possible" in line]
    assert f"  the log: gs in europe-north1, not in {source}" in away
    assert "    www_aws     asks aws; owed if that does not answer, once www-gcp sends users there" in away
    unserved = "    returns     westeurope is a stand-in that does not serve it: nothing is waited for"
    assert (unserved in away) is (target == AZURE)


@EITHER
@pytest.mark.parametrize("silent", NAMES)
def test_a_cloud_is_left_for_the_other_and_what_a_silent_provider_of_the_name_owes_is_done_when_it_answers(
    source: str, target: str, silent: str
) -> None:
    stage = Stage(clouds(source))
    run = left(stage, source, target, silent)
    assert run.phase is Phase.DEGRADED, run.story
    assert silent.replace("-", "_") in {step.name for step in run.owed}
    (other,) = set(NAMES) - {silent}
    assert stage.cloud.weights[other] == {source: 0, target: 100}
    assert stage.cloud.weights[silent] == {source: 100, target: 0}
    stage.cloud.give_back(source, database=False)
    stage.cloud.give_back(silent)
    stage.drive()
    assert stage.cloud.weights[silent] == {source: 0, target: 100}


def test_where_no_provider_of_the_name_answers_nothing_is_owed_and_the_run_waits_for_a_person() -> None:
    stage = Stage(clouds())
    run = left(stage, AWS, AZURE, *NAMES)
    assert run.phase is Phase.HALTED, run.story
    assert not {"www_aws", "www_gcp"} & {step.name for step in run.owed}
    assert "www-aws does not answer" in run.story[-1].text


def test_it_is_brought_home_at_both_providers_of_the_name() -> None:
    stage = Stage(clouds())
    assert left(stage, AWS, AZURE).phase is Phase.DEGRADED
    stage.cloud.give_back(AWS, database=False)
    stage.drive()
    restored = stage.open("restore", AWS, AZURE)
    stage.drive()
    assert stage.run(restored).phase is Phase.DONE, stage.run(restored).story
    home = stage.open("failback-clouds", AZURE, AWS)
    stage.drive()
    assert stage.run(home).phase is Phase.DONE, stage.run(home).story
    assert {region: one.role for region, one in stage.cloud.databases["orders"].items()} == {
        AWS: Role.PRIMARY,
        AZURE: Role.REPLICA,
    }
    assert [stage.cloud.weights[name] for name in NAMES] == [{AWS: 100, AZURE: 0}] * 2


@EITHER
def test_a_stand_in_gets_its_share_of_the_workers_and_the_plan_says_what_it_does_not_serve(
    source: str, target: str
) -> None:
    loaded = clouds(source)
    recorded = {"web": {AWS: 10, AZURE: 3}}
    plan = bind(loaded, loaded.runbooks["evacuate-clouds"], source, target, recorded, ACTIONS)
    steps = {step.name: step.arguments for step in plan.steps}
    said = less_is_served(plan, loaded.topology)
    if target == AZURE:
        assert steps["scale"]["count"] == 3, "a quarter of ten, rounded up"
        assert steps["returns"]["served"] is False
        (sentence,) = said
        assert sentence.startswith("westeurope is a stand-in: it serves browse and order, not returns. It runs 25% of")
    else:
        assert steps["scale"]["count"] == 12, "three are a quarter"
        assert "served" not in steps["returns"]
        assert said == []


def test_the_page_says_what_lint_says() -> None:
    """Word for word, of the topology that ships."""
    page = (RUNBOOKS.parent / "docs" / "clouds.md").read_text()
    told = page.split("```text\n")[1].split("```")[0]
    assert "\n".join(explained(clouds(fake=False), AWS, AZURE)).startswith(told.rstrip())


@pytest.mark.parametrize(
    ("file", "written", "instead", "rule", "said"),
    [
        ("evacuate-clouds", ", unreachable: owe,\n               beside: [www-gcp]", "", "needs-lost-cloud",
         "www_aws (traffic.switch) needs aws, which may be lost as a whole"),
        ("clouds", "gs://shop-cloudfail/state?location=europe-north1", "s3://shop-cloudfail/state?region=eu-central-1",
         "log-in-lost-cloud", "the log is in aws, which may be lost as a whole"),
        ("evacuate-clouds", "beside: [www-gcp]", "beside: [www-aws]", "owed-beside", "www_aws is owed beside itself"),
    ],
)  # fmt: skip
def test_what_needs_a_cloud_that_may_be_lost_is_told(
    tmp_path: Path, file: str, written: str, instead: str, rule: str, said: str
) -> None:
    texts = {"clouds": RUNBOOKS / "topologies" / "clouds.yaml", "evacuate-clouds": RUNBOOKS / "evacuate-clouds.yaml"}
    for name, path in texts.items():
        text = path.read_text()
        assert name != file or text.count(written) == 1
        (tmp_path / f"{name}.yaml").write_text(text.replace(written, instead) if name == file else text)
    loaded = config.load(tmp_path / "clouds.yaml", [tmp_path / "evacuate-clouds.yaml"])
    assert said in next(one.message for one in lint(loaded) if one.rule == rule)
    within = lint(loaded, source=AZURE, target=AWS)
    assert (rule in {one.rule for one in within}) is (rule == "owed-beside"), "azure is left, and not aws"


def test_a_name_is_owed_beside_another_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "evacuate-clouds.yaml"
    path.write_text((RUNBOOKS / "evacuate-clouds.yaml").read_text().replace("beside: [www-gcp]", "to: '${to}'"))
    with pytest.raises(ConfigError, match="owed only beside another that sends users where they are served"):
        config.load(RUNBOOKS / "topologies" / "clouds.yaml", [path])


@EITHER
def test_only_what_asks_the_side_that_is_left_or_stands_beside_another_name_may_be_owed(
    source: str, target: str
) -> None:
    loaded = clouds(source)
    view = View(loaded, loaded.runbooks["evacuate-clouds"], traits_of(None), source, target)
    owed = {name for name, step in view.runbook.steps.items() if view.may_be_owed(step)}
    assert owed == {"freeze_old", "fence", "www_aws", "www_gcp"}
    there = replace(view.runbook.steps["freeze"], arguments={"where": "${to}", "unreachable": "owe"})
    assert not view.may_be_owed(there), "what the target owes leaves it without"
