"""A plan as a person reads it before agreeing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloudfail import config
from cloudfail.actions import Done, Look, Moving, NotKnown, Owed, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.lint.rto import estimate_of
from cloudfail.lint.view import View, traits_of
from cloudfail.model.plan import PlannedStep, Preview
from cloudfail.model.states import LossBound
from cloudfail.plan import bind
from cloudfail.report import plan as report
from cloudfail.report.layout import cells
from cloudfail.report.plan import PlanView
from cloudfail.testing.fakeworld import FakeWorld
from tests.kit import Stage, load_example, load_local

EXAMPLE = load_example()
LOCAL = load_local()
LOSS = LossBound(0.8, 41.0, ("the last heartbeat seen acknowledged is 0.8 s newer than the newest replayed",))


def preview(step: PlannedStep, look: Look | None) -> Preview:
    match look:
        case Todo(effect=effect, before=before, after=after):
            return Preview(step.name, "todo", before, after, effect)
        case Moving(detail=detail):
            return Preview(step.name, "moving", detail=detail)
        case Done(detail=detail):
            return Preview(step.name, "done", detail=detail)
        case Owed(detail=detail):
            return Preview(step.name, "owed", detail=detail)
        case NotKnown(reason=reason):
            return Preview(step.name, "unknown", detail=reason)
    return Preview(step.name, "gate")


def view_of(
    loaded: config.Loaded = EXAMPLE,
    runbook: str = "evacuate",
    source: str = "us-east-1",
    target: str = "us-west-2",
    loss: LossBound | None = LOSS,
) -> PlanView:
    stage = Stage(loaded)
    if loaded.runbooks[runbook].mode == "failover":
        stage.cloud.kill(source)
    world = FakeWorld(stage.cloud)
    plan = bind(loaded, loaded.runbooks[runbook], source, target, {"web": {source: 4, target: 4}}, ACTIONS)
    previews = {}
    for step in plan.steps:
        look = None
        if step.action is not None:
            look = ACTIONS[step.action].observe(world, StepContext(step, "preview", source, target))
        previews[step.name] = preview(step, look)
    estimate = estimate_of(View(loaded, loaded.runbooks[runbook], traits_of(ACTIONS), source, target))
    return PlanView(plan, previews, estimate, loaded.topology.objectives, [], [], loss)


def line_of(text: str, step: str) -> str:
    """The row of one step with its continuation lines, as one line."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.replace("*", " ").split()[:1] == [step])
    rest = []
    for line in lines[first + 1 :]:
        if not line.startswith(" " * 12):
            break
        rest.append(line)
    return " ".join(" ".join([lines[first], *rest]).split())


def test_the_first_line_says_what_and_the_last_how_to_act_on_exactly_this() -> None:
    view = view_of()
    text = report.as_text(view)
    sha = view.plan.checksum[:4]
    assert text.splitlines()[0] == f"Plan {sha}  us-east-1 → us-west-2   failover   10 steps"
    assert text.splitlines()[-1] == (
        f"Nothing was changed. To act on exactly this: cloudfail evacuate us-east-1 --plan {sha}"
    )
    assert "detect 35s + hold-down 2m + path" in text
    assert "of 15m" in text


def test_a_switchover_is_acted_on_by_its_own_command() -> None:
    view = view_of(LOCAL, "failback-local", "east", "west", None)
    assert (
        report.as_text(view)
        .splitlines()[-1]
        .endswith(f"cloudfail evacuate east --to west --runbook failback-local --plan {view.plan.checksum[:4]}")
    )


def test_each_step_says_what_would_change_and_whether_it_can_be_taken_back() -> None:
    text = report.as_text(view_of(), 140)
    assert "free → held" in line_of(text, "freeze")
    assert line_of(text, "freeze").endswith("undo: yes")
    assert "will be owed: deploys in us-east-1 does not answer" in line_of(text, "freeze_old")
    assert "already so: prevented" in line_of(text, "fence")
    assert "waits for a person (approval), at most 10m" in line_of(text, "approve")
    assert "1 wanted, 1 healthy → 4 wanted" in line_of(text, "scale")
    assert "data plane, us-west-2" in line_of(text, "promote")


def test_both_loss_figures_stand_against_the_rpo_at_the_step_that_may_lose() -> None:
    text = report.as_text(view_of(), 260)
    assert "loss if dead 0.8 s, if alive 41 s (beyond the RPO), of 30 s" in " ".join(text.split())
    assert text.count("loss if dead") == 1


@pytest.mark.parametrize("width", [60, 110, 200])
def test_the_point_of_no_return_is_marked_once(width: int) -> None:
    for view in (view_of(), view_of(LOCAL, "failback-local", "east", "west", None)):
        text = " ".join(report.as_text(view, width).split())
        assert text.count("POINT OF NO RETURN") == 1
        assert report.as_markdown(view).count("POINT OF NO RETURN") == 1
        assert sum(step["point_of_no_return"] for step in report.as_json(view)["steps"]) == 1


def test_steps_on_the_critical_path_are_marked_and_no_others() -> None:
    view = view_of()
    marked = {line.split()[1] for line in report.as_text(view).splitlines() if line.startswith("  *  ")}
    assert marked == set(view.estimate.critical_path)


def test_refusals_come_first_and_take_the_command_away() -> None:
    view = replace(view_of(), refusals=["Run r1 of us-east-1 is still halted: one run per application."])
    lines = report.as_text(view).splitlines()
    assert lines[0].endswith("REFUSED")
    assert "Run r1 of us-east-1 is still halted" in lines[3]
    assert "--plan" not in report.as_text(view)
    assert "--plan" not in report.as_markdown(view)
    assert report.as_json(view)["act"] is None
    assert lines[-1] == "Nothing was changed. Remove what stands against it, then plan again."


def test_what_is_unknown_is_said_and_never_shown_as_0() -> None:
    unread = view_of(loss=None)
    assert "loss unknown (not read), of 30 s" in " ".join(report.as_text(unread).split())
    assert "the loss bound was not read" in report.as_text(unread)
    unknown = report.as_text(view_of(loss=LossBound(None, None)), 260)
    assert "loss if dead unknown, if alive unknown, of 30 s" in " ".join(unknown.split())
    view = view_of()
    blind = replace(view, previews={"promote": Preview("promote", "unknown", detail="us-west-2 gave no answer")})
    text = report.as_text(blind, 140)
    assert "unknown now: us-west-2 gave no answer" in line_of(text, "promote")
    assert "not looked at: its state now is unknown" in line_of(text, "scale")


def test_what_is_so_now_but_changes_on_the_way_is_not_called_already_so() -> None:
    text = report.as_text(view_of(), 140)
    assert "looked at after users; now: deploys free in us-west-2" in line_of(text, "unfreeze")
    assert "looked at after traffic; now: checkout passes in us-west-2" in line_of(text, "users")


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_line_is_wider_than_asked(width: int) -> None:
    view = view_of()
    wide = replace(
        view, warnings=["漢字" * 60], previews={"promote": Preview("promote", "todo", "古い", "新しい" * 30)}
    )
    lines = report.as_text(wide, width).splitlines()
    assert max(cells(line) for line in lines[1:-1]) <= width


def test_a_secret_is_shown_in_no_form() -> None:
    view = view_of()
    step = replace(
        view.plan.steps[0],
        identifiers={"deploys": {"options": {"api_token": "hunter2", "tsigSecret": "hunter2", "url": "x"}}},
        arguments={"where": "us-west-2", "password": "hunter2"},
    )
    plan = replace(view.plan, steps=(step, *view.plan.steps[1:]))
    leaky = replace(
        view,
        plan=plan,
        previews={"freeze": Preview("freeze", "unknown", detail="postgresql://bob:hunter2@db refused")},
        warnings=["password=hunter2 was refused"],
        refusals=["AKIAABCDEFGHIJKLMNOP is not allowed"],
    )
    said = report.as_text(leaky) + report.as_markdown(leaky) + json.dumps(report.as_json(leaky), ensure_ascii=False)
    assert "hunter2" not in said
    assert "AKIA" not in said
    assert '"api_token": "…"' in said


def test_other_peoples_text_cannot_steer_the_terminal_or_become_markup() -> None:
    view = view_of()
    nasty = "\x1b[2J\x07<script>alert(1)</script> | `x` \u202eevil"
    hostile = replace(view, warnings=[nasty], previews={"freeze": Preview("freeze", "unknown", detail=nasty)})
    assert not {"\x1b", "\x07", "\u202e"} & set(report.as_text(hostile))
    markdown = report.as_markdown(hostile)
    assert "<script>" not in markdown
    row = next(line for line in markdown.splitlines() if "| ▸ freeze |" in line)
    assert row.replace("\\|", "").count("|") == 8


def test_the_document_is_json_with_the_whole_checksum() -> None:
    view = view_of()
    document = json.loads(json.dumps(report.as_json(view)))
    assert document["checksum"] == view.plan.checksum
    assert document["estimate_seconds"]["expected"] == view.estimate.expected
    assert [step["name"] for step in document["steps"]] == [step.name for step in view.plan.steps]
    assert document["loss"]["if_alive_seconds"] == 41.0
