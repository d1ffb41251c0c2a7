"""Custom actions: what the file states of them, what plan and lint make of it, and when a step is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import EVACUATE, TOPOLOGY, changed, findings, mistakes

from cloudfail.actions import Done, Look, Moving, NotKnown, Owed, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import custom
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.plan import bind
from cloudfail.ports import VerbFacts
from cloudfail.report import plan as report
from cloudfail.testing.conformance import Calls
from tests.crash.moves import LOADED, intents, stage, to_the_gate

MEMBERS = "members: {us-east-1: c-e, us-west-2: c-w}"
STEP = "  cdn: {action: custom.run, with: {name: cdn%s}, needs: [approve], limit: 60s}\n"


def site(*resources: str) -> str:
    return changed(TOPOLOGY, ("checks:\n", "".join(f"  {one}\n" for one in resources) + "checks:\n"))


def runs(more: str = "") -> str:
    text = changed(EVACUATE, ("  unfreeze:", STEP % more + "  unfreeze:"))
    return changed(text, ("needs: [users]", "needs: [users, cdn]"))


# ---- what the file states


def test_what_is_left_out_is_taken_for_the_worse() -> None:
    said = custom.facts({}, fencing="watching")
    assert said == VerbFacts("control", "member", True, False, 30.0, 300.0, "watching")


def test_what_is_stated_is_taken_as_it_is() -> None:
    shape = custom.CustomShape.model_validate(
        {"plane": "data", "home": "none", "loses_data": False, "undo": "back", "typical": "5s", "longest": "1m"}
    )
    said = custom.facts(shape.model_dump(), fencing="mark")
    assert said == VerbFacts("data", None, False, True, 5.0, 60.0, "mark")


@pytest.mark.parametrize(
    ("undo", "reversible"), [({"needless": "it fills itself"}, True), ({"impossible": "it sends mail"}, False)]
)
def test_why_nothing_takes_it_back_decides_whether_it_may_stand(undo: Mapping[str, str], reversible: bool) -> None:
    options = custom.CustomShape.model_validate({"undo": undo}).model_dump()
    assert custom.facts(options, fencing="mark").reversible is reversible
    assert custom.taken_back_by(options) is None


def test_lint_asks_for_what_is_not_stated(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, EVACUATE, site(f"cdn: {{custom: lambda, {MEMBERS}}}"))
    assert (found.rule, str(found.severity)) == ("custom-unstated", "warning")
    assert found.message == "cdn does not say plane, home, loses_data, undo: the worse is taken"


ALL = "plane: data, home: none, loses_data: false"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("undo: cnd-back", 'no custom action "cnd-back"'),
        ("undo: cdn", "nothing takes itself back"),
        ("undo: half", "half has no member in us-east-1, where this one has"),
        ("undo: {needless: it heals, impossible: it does not}", "this says not why nothing takes it back"),
        ("undo: orders", 'no custom action "orders"'),
    ],
)
def test_an_undo_that_could_not_be_run_is_a_mistake(tmp_path: Path, written: str, problem: str) -> None:
    topology = site(
        f"cdn: {{custom: lambda, {ALL}, {written}, {MEMBERS}}}",
        f"cdn-back: {{custom: lambda, {ALL}, undo: cdn, {MEMBERS}}}",
        f"half: {{custom: lambda, {ALL}, undo: {{needless: it heals}}, members: {{us-west-2: h-w}}}}",
    )
    (found,) = mistakes(tmp_path, topology, EVACUATE)
    assert problem in found.problem


def test_an_action_that_nobody_can_see_done_needs_a_check(tmp_path: Path) -> None:
    topology = site(f"cdn: {{custom: unseen, {ALL}, undo: {{needless: it heals}}, {MEMBERS}}}")
    (found,) = findings(tmp_path, runs(), topology)
    assert (found.rule, str(found.severity)) == ("custom-unseen", "error")
    assert findings(tmp_path, runs(", check: checkout"), topology) == []


def test_an_undo_that_nobody_can_see_done_is_refused(tmp_path: Path) -> None:
    topology = site(
        f"cdn: {{custom: lambda, {ALL}, undo: back, {MEMBERS}}}",
        f"back: {{custom: unseen, {ALL}, undo: {{needless: it heals}}, {MEMBERS}}}",
    )
    (found,) = findings(tmp_path, runs(), topology)
    assert (found.rule, found.message) == (
        "custom-unseen",
        "back takes cdn back, and has no observe: nobody could tell that it did",
    )


def test_what_is_run_twice_in_one_place_is_told(tmp_path: Path) -> None:
    topology = site(f"cdn: {{custom: lambda, {ALL}, undo: {{needless: it heals}}, {MEMBERS}}}")
    again = changed(
        runs(), ("  unfreeze:", "  again: {action: custom.run, with: {name: cdn}, needs: [cdn]}\n  unfreeze:")
    )
    found = findings(tmp_path, changed(again, ("needs: [users, cdn]", "needs: [users, again]")), topology)
    assert [one.rule for one in found] == ["custom-twice"]


def test_one_that_needs_the_control_plane_of_the_region_that_is_lost_is_refused(tmp_path: Path) -> None:
    stated = ALL.replace("home: none", "home: us-east-1")
    topology = site(f"cdn: {{custom: lambda, {stated}, undo: {{needless: it heals}}, {MEMBERS}}}")
    assert {one.rule for one in findings(tmp_path, runs(), topology)} == {"control-plane-home"}


def test_in_the_lost_region_it_is_owed_or_refused(tmp_path: Path) -> None:
    topology = site(f"cdn: {{custom: lambda, {ALL}, undo: {{needless: it heals}}, {MEMBERS}}}")
    there = ', where: "${from}"'
    assert {one.rule for one in findings(tmp_path, runs(there), topology)} == {"no-wait-for-lost-region"}
    assert findings(tmp_path, runs(there + ", unreachable: owe"), topology) == []


# ---- the plan


def planned() -> PlannedStep:
    plan = bind(LOADED, LOADED.runbooks["evacuate-all"], "east", "west", {"web": {"east": 4}}, ACTIONS)
    return plan.step("cdn")


def test_the_plan_writes_out_what_takes_it_back_and_holds_both_to_the_letter() -> None:
    step = planned()
    assert step.undo == ("custom.run", {"name": "cdn-back", "where": "west", "check": None, "unreachable": "fail"})
    assert set(step.identifiers) == {"cdn", "cdn-back"}
    assert (step.resource, step.facts.reversible, step.facts.plane, step.facts.home) == ("cdn", True, "data", None)


def test_a_plan_with_another_literal_of_the_compensation_has_another_checksum() -> None:
    def checksum(member: str) -> str:
        resources = dict(LOADED.topology.resources)
        resources["cdn-back"] = replace(resources["cdn-back"], members={"east": "x", "west": member})
        loaded = replace(LOADED, topology=replace(LOADED.topology, resources=resources))
        return bind(loaded, loaded.runbooks["evacuate-all"], "east", "west", {"web": {"east": 4}}, ACTIONS).checksum

    assert checksum("cdn-w") != checksum("another")


def test_the_plan_says_where_no_undo_is_needed() -> None:
    step = planned()
    plain: Any = type("V", (), {"point_of_no_return": ""})()
    assert report.undo_of(plain, step) == "yes"
    assert report.undo_of(plain, replace(step, undo=None)) == "not needed"
    assert report.undo_of(plain, replace(step, undo=None, facts=replace(step.facts, reversible=False))) == "no"


# ---- when the step is done


@dataclass
class Site:
    """`actions.World`, as far as this action asks it."""

    state: Known[CustomState] | Unknown
    passes: Known[bool] | Unknown = field(default_factory=lambda: Known(True, 0.0))
    asked: list[tuple[str, str]] = field(default_factory=list)
    invoked: list[Any] = field(default_factory=list)

    def custom(self, _name: str) -> Site:
        return self

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        self.asked.append((region, run))
        return self.state

    def invoke(self, region: str, *, expect: CustomState, call: Any) -> None:
        self.invoked.append((region, expect, call))

    def healthy(self, _check: str, _region: str) -> Known[bool] | Unknown:
        return self.passes


def look(state: CustomState | Unknown, passes: bool | Unknown = True, **arguments: Any) -> Look:
    read = state if isinstance(state, Unknown) else Known(state, 0.0)
    world: Any = Site(read, passes if isinstance(passes, Unknown) else Known(passes, 0.0))
    return ACTIONS["custom.run"].observe(world, context(**arguments))


def context(**arguments: Any) -> StepContext:
    said = {"name": "cdn", "where": "west", "check": None, "unreachable": "fail", **arguments}
    return StepContext(replace(planned(), arguments=said), "r7", "east", "west")


TODO, MOVING, DONE, UNSEEN = (CustomState(word) for word in CustomWord)


@pytest.mark.parametrize(
    ("state", "check", "passes", "seen"),
    [
        (TODO, None, True, Todo),
        (MOVING, None, True, Moving),
        (DONE, None, True, Done),
        (DONE, "shop", True, Done),
        (DONE, "shop", False, Moving),
        (DONE, "shop", Unknown("nobody looked"), NotKnown),
        (UNSEEN, None, True, NotKnown),
        (UNSEEN, "shop", True, Todo),  # a check that passed before says nothing of what was never ordered
        (replace(UNSEEN, ended=True), "shop", True, Done),
        (replace(UNSEEN, ended=True), "shop", False, Moving),
        (replace(UNSEEN, ended=False), "shop", True, Todo),
        (replace(TODO, ended=True), None, True, Todo),  # the command ended well, and the world did not follow
        (replace(TODO, under_way="command c-1 is InProgress"), None, True, Moving),
        (replace(UNSEEN, under_way="command c-1 is InProgress"), "shop", True, Moving),
        (Unknown("throttled"), None, True, NotKnown),
    ],
)
def test_a_step_is_done_when_it_is_seen_to_be(state: Any, check: str | None, passes: Any, seen: type[Look]) -> None:
    assert isinstance(look(state, passes, check=check), seen)


def test_in_a_region_that_does_not_answer_it_is_owed_where_the_runbook_says_so() -> None:
    assert look(Unknown("it is silent"), unreachable="owe") == Owed("cdn in west: it is silent")


def test_the_effect_is_ordered_with_what_was_seen_in_the_run_that_orders_it() -> None:
    world: Any = Site(Known(TODO, 0.0))
    todo = ACTIONS["custom.run"].observe(world, context())
    assert isinstance(todo, Todo)
    assert (todo.effect, todo.expect) == ("run cdn in west", TODO)
    call = Calls().make()
    ACTIONS["custom.run"].act(world, context(), todo, call)
    assert world.asked == [("west", "r7")]
    assert world.invoked == [("west", TODO, call)]


# ---- a whole run


def test_an_abort_takes_it_back_by_the_resource_that_it_names() -> None:
    made = stage()
    run = to_the_gate(made)
    assert made.cloud.custom["cdn", "west"] is not None
    made.command(run, "abort")
    made.drive()
    assert made.run(run).phase is Phase.UNDONE
    assert made.cloud.custom["cdn", "west"] is None
    assert [one.resource for one in made.cloud.effects if one.verb == "run"] == ["cdn", "cdn-back"]


def test_what_the_api_calls_done_and_nobody_observes_is_ordered_again_and_then_given_up() -> None:
    made = stage()
    made.cloud.lie("run", 100)
    run = made.open("evacuate-all", "east", "west", preapproved="")
    made.drive()
    tries = [entry for entry in intents(made, run, "do") if entry.data["step"] == "cdn"]
    assert len(tries) == 4, "once and three retries"
    assert made.run(run).did("cdn").ended == "failed"


def test_a_reply_that_is_lost_does_not_begin_it_twice() -> None:
    made = stage()
    made.cloud.lose_reply("run")
    run = to_the_gate(made)
    assert made.run(run).did("cdn").ended == "done"
    assert sum(one.verb == "run" for one in made.cloud.effects) == 1
