"""What a plan is made of, field by field, and each reason for which it is refused or warned about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import Loaded
from cloudfail.errors import Refused
from cloudfail.execution.state import LogState
from cloudfail.model.plan import Bounds, Plan, PlannedStep, Preview, StepFacts
from cloudfail.model.runbook import Condition, Mode, Runbook, Step
from cloudfail.model.topology import Resource
from cloudfail.plan import PLAN_STEPS_MAX, bind, in_order, refusals, warnings
from cloudfail.ports import VerbFacts
from tests.crash.moves import LOADED
from tests.unit.logs import log, seen

RECORDED = {"web": {"east": 4, "west": 2}}
TOPOLOGY = LOADED.topology


def bound(*steps: Step, loaded: Loaded = LOADED, mode: Mode = Mode.FAILOVER, **more: Any) -> Plan:
    runbook = Runbook("own", mode, {step.name: step for step in steps}, **more)
    return bind(loaded, runbook, "east", "west", RECORDED, ACTIONS)


def planned(step: Step, loaded: Loaded = LOADED) -> PlannedStep:
    return bound(step, loaded=loaded).steps[0]


def action(name: str, called: str = "one", **more: Any) -> Step:
    arguments = {
        "change.freeze": {"where": "${to}"},
        "database.failover": {"database": "orders"},
        "database.switchover": {"database": "orders"},
        "database.fence": {"database": "orders"},
        "compute.scale": {"group": "web", "count": 3},
        "compute.hold": {"group": "web"},
        "traffic.switch": {"name": "www"},
        "traffic.drain": {"name": "edge", "region": "${from}"},
        "consumers.enable": {"consumers": "jobs"},
        "verify.users": {"check": "shop"},
    }[name]
    return Step(called, action=name, **{"arguments": arguments, **more})


# ---- the plan


def test_a_plan_says_what_it_moves_from_where_to_where_within_which_bounds() -> None:
    plan = bound(action("compute.scale"), action("traffic.switch", "two"), action("traffic.drain", "three"))
    assert (plan.application, plan.runbook, plan.mode) == ("shop", "own", Mode.FAILOVER)
    assert (plan.source, plan.target) == ("east", "west")
    assert plan.bounds == Bounds(loss_seconds_max=30.0, capacity_min={"web": 3}, records_max=2)
    assert plan.expires_seconds == TOPOLOGY.policy.plan_expires_seconds
    assert plan.limit_seconds is None
    assert bound(action("compute.hold"), limit_seconds=77.0).limit_seconds == 77.0
    assert bound(action("compute.hold")).bounds == Bounds(30.0, {}, 0)
    assert len(plan.checksum) == 64


def test_a_planned_step_is_its_runbooks_step_made_literal() -> None:
    step = action(
        "change.freeze", needs=(), limit_seconds=11.0, expires_seconds=12.0, retries=5,
        pre=(Condition("replica", "orders", "${from}"),), post=(Condition("healthy", "shop", "${to}"),),
    )  # fmt: skip
    made = planned(step)
    assert (made.name, made.action, made.gate, made.needs) == ("one", "change.freeze", None, ())
    assert (made.limit_seconds, made.expires_seconds, made.retries) == (11.0, 12.0, 5)
    assert made.arguments == {"where": "west"}
    assert made.pre == (Condition("replica", "orders", "east"),)
    assert made.post == (Condition("healthy", "shop", "west"),)
    assert not made.point_of_no_return


def test_every_name_that_a_runbook_may_write_is_put_in() -> None:
    arguments = {"group": "web", "from": "${from}", "to": "${to}", "of": "${application}", "count": 3}
    made = planned(action("compute.scale", arguments=arguments))
    assert made.arguments == {"group": "web", "from": "east", "to": "west", "of": "shop", "count": 3}


def test_a_gate_touches_nothing() -> None:
    made = planned(Step("approve", gate="approval"))
    assert (made.action, made.gate, made.resource, made.identifiers, made.undo) == (None, "approval", "", {}, None)
    assert made.facts == StepFacts(typical_seconds=1.0)


def test_only_a_promotion_is_a_point_of_no_return() -> None:
    names = ("database.failover", "database.switchover", "database.fence", "compute.scale", "traffic.switch")
    assert [planned(action(name)).point_of_no_return for name in names] == [True, True, False, False, False]


def test_a_step_names_its_resource_and_all_that_identifies_it() -> None:
    resource = TOPOLOGY.resources["orders"]
    made = planned(action("database.fence"))
    assert made.resource == "orders"
    assert made.identifiers == {
        "orders": {"kind": resource.kind, "id": resource.id, "members": resource.members, "options": resource.options}
    }
    assert made.identifiers["orders"]["members"] == {"east": "orders-e", "west": "orders-w"}
    assert planned(action("compute.scale")).resource == "web"
    assert planned(action("traffic.switch")).resource == "www"
    assert planned(action("consumers.enable")).resource == "jobs"
    assert (planned(action("verify.users")).resource, planned(action("verify.users")).identifiers) == ("", {})


def with_tools(**members: dict[str, str]) -> Loaded:
    """The application with more tools that hold deploys, each with these members."""
    deploys = TOPOLOGY.resources["deploys"]
    tools = {name: replace(deploys, name=name, members=where) for name, where in members.items()}
    topology = replace(TOPOLOGY, resources={**TOPOLOGY.resources, **tools})
    return replace(LOADED, topology=topology, kinds={**LOADED.kinds, **dict.fromkeys(tools, LOADED.kinds["deploys"])})


def test_a_freeze_is_of_every_tool_that_has_a_member_in_the_region() -> None:
    loaded = with_tools(ci={"west": "ci-w"}, cron={"east": "cron-e"})
    made = planned(action("change.freeze"), loaded)
    assert list(made.identifiers) == ["deploys", "ci"]
    assert made.resource == "", "of several none is the one"
    assert planned(action("change.freeze")).resource == "deploys"


def test_a_step_is_taken_back_by_its_actions_compensation_unless_the_runbook_says_otherwise() -> None:
    assert planned(action("change.freeze")).undo == ("change.unfreeze", {"where": "west"})
    own = planned(action("change.freeze", undo=("compute.hold", {"group": "web", "where": "${from}"})))
    assert own.undo == ("compute.hold", {"group": "web", "where": "east"})
    assert planned(action("change.freeze", undo=("none", {}))).undo is None
    assert planned(action("database.failover")).undo is None
    assert planned(action("verify.users")).undo is None
    counted = planned(action("compute.scale", arguments={"group": "web", "like": "recorded ${from}"}))
    assert counted.undo is not None
    assert counted.undo[1] == {"group": "web", "count": 4}


# ---- capacity


def test_workers_like_another_regions_are_a_number_in_the_plan() -> None:
    like = {"group": "web", "like": "recorded ${from}", "where": "${to}"}
    assert planned(action("compute.scale", arguments=like)).arguments == {"group": "web", "where": "west", "count": 4}
    target = {"group": "web", "like": "recorded ${to}"}
    assert planned(action("compute.scale", arguments=target)).arguments["count"] == 2
    assert planned(action("compute.scale")).arguments == {"group": "web", "count": 3}


def test_only_workers_that_are_scaled_are_counted() -> None:
    held = {"group": "web", "like": "recorded ${from}"}
    assert planned(action("compute.hold", arguments=held)).arguments == {"group": "web", "like": "recorded east"}


@pytest.mark.parametrize("recorded", [{}, {"web": {}}, {"web": {"west": 2}}, {"jobs": {"east": 4}}])
def test_a_number_that_nobody_recorded_is_refused(recorded: dict[str, dict[str, int]]) -> None:
    step = action("compute.scale", arguments={"group": "web", "like": "recorded ${from}"})
    with pytest.raises(Refused, match=r"one.*web.*east") as raised:
        bind(LOADED, Runbook("own", Mode.FAILOVER, {"one": step}), "east", "west", recorded, ACTIONS)
    assert raised.value.true_now == "Nothing was changed."
    assert "cloudfail check" in raised.value.to_do


def test_a_region_in_which_no_worker_ran_is_a_number_too() -> None:
    step = action("compute.scale", arguments={"group": "web", "like": "recorded ${from}"})
    plan = bind(LOADED, Runbook("own", Mode.FAILOVER, {"one": step}), "east", "west", {"web": {"east": 0}}, ACTIONS)
    assert plan.bounds.capacity_min == {"web": 0}


# ---- order


def test_steps_keep_the_files_order_where_their_needs_leave_a_choice() -> None:
    steps = [Step("c", gate="x", needs=("b",)), Step("a", gate="x"), Step("b", gate="x"), Step("d", gate="x")]
    assert [step.name for step in in_order(Runbook("r", Mode.FAILOVER, {s.name: s for s in steps}))] == [*"abcd"]


def test_a_cycle_is_refused_with_what_to_take_out() -> None:
    steps = {"a": Step("a", gate="x", needs=("b",)), "b": Step("b", gate="x", needs=("a",))}
    with pytest.raises(Refused) as raised:
        in_order(Runbook("r", Mode.FAILOVER, steps))
    assert raised.value.true_now == "Nothing was changed."
    assert "needs" in raised.value.to_do


def test_a_plan_has_at_most_so_many_steps() -> None:
    def gates(count: int) -> list[Step]:
        return [Step(f"s{number}", gate="approval") for number in range(count)]

    assert len(bound(*gates(PLAN_STEPS_MAX)).steps) == PLAN_STEPS_MAX == 500
    with pytest.raises(Refused, match="501") as raised:
        bound(*gates(PLAN_STEPS_MAX + 1))
    assert raised.value.true_now == "Nothing was changed."
    assert "500" in raised.value.to_do


def test_a_region_that_is_not_there_is_refused_with_those_that_are() -> None:
    runbook = Runbook("own", Mode.FAILOVER, {"one": action("compute.hold")})
    with pytest.raises(Refused, match=r"mars.*shop") as raised:
        bind(LOADED, runbook, "mars", "west", RECORDED, ACTIONS)
    assert "east, west" in raised.value.to_do
    with pytest.raises(Refused, match="east") as raised:
        bind(LOADED, runbook, "east", "east", RECORDED, ACTIONS)
    assert "--to" in raised.value.to_do


# ---- what the providers say


def with_facts(first: VerbFacts, second: VerbFacts, **second_kind: Any) -> StepFacts:
    """Of a freeze that touches two tools, of which the providers say this."""
    loaded = with_tools(ci={"west": "ci-w"})
    kinds = {
        **loaded.kinds,
        "deploys": replace(loaded.kinds["deploys"], verbs={"freeze": first}),
        "ci": replace(loaded.kinds["ci"], verbs={"freeze": second}, **second_kind),
    }
    return planned(action("change.freeze"), replace(loaded, kinds=kinds)).facts


def test_of_several_resources_the_worst_of_each_fact_counts() -> None:
    mild = VerbFacts("data", None, False, True, 1.0, 2.0, "condition")
    harsh = VerbFacts("control", "us-east-1", True, False, 10.0, 20.0, "watching")
    worst = StepFacts(
        "freeze", "control", "us-east-1", True, False, 10.0, 20.0, settle_seconds=7.0, call_timeout_seconds=70.0,
        fencing="watching",
    )  # fmt: skip
    slow = {"settle_seconds": 7.0, "call_timeout_seconds": 70.0}
    assert with_facts(mild, harsh, **slow) == worst
    assert with_facts(harsh, mild, **slow) == worst
    best = with_facts(mild, mild)
    assert (best.plane, best.home, best.loses_data, best.reversible, best.fencing) == (
        "data", None, False, True, "condition",
    )  # fmt: skip
    assert (best.typical_seconds, best.longest_seconds, best.settle_seconds) == (1.0, 2.0, 0.0)
    marked = replace(mild, fencing="mark")
    assert with_facts(marked, mild).fencing == "mark"


def test_of_a_verb_that_a_provider_says_nothing_of_the_cautious_facts_are_taken() -> None:
    kinds = {**LOADED.kinds, "deploys": replace(LOADED.kinds["deploys"], verbs={})}
    facts = planned(action("change.freeze"), replace(LOADED, kinds=kinds)).facts
    assert (facts.verb, facts.fencing, facts.home) == ("freeze", "watching", "member")


def test_what_a_kind_says_of_one_resource_is_what_counts_for_it() -> None:
    def own(resource: Resource) -> dict[str, VerbFacts]:
        return {"freeze": VerbFacts("control", f"{resource.name}-1")}

    kinds = {**LOADED.kinds, "deploys": replace(LOADED.kinds["deploys"], verbs_of=own)}
    assert planned(action("change.freeze"), replace(LOADED, kinds=kinds)).facts.home == "deploys-1"


def test_a_freeze_that_touches_no_tool_has_a_verb_and_takes_a_moment() -> None:
    made = planned(action("change.freeze", arguments={"where": "mars"}))
    assert (made.identifiers, made.facts) == ({}, StepFacts("freeze", typical_seconds=1.0))


def test_a_check_of_the_data_plane_needs_no_provider() -> None:
    assert planned(action("verify.users")).facts == StepFacts(typical_seconds=1.0)


# ---- refusals


def evacuation(**step: Any) -> Plan:
    plan = bound(action("database.fence"), action("database.failover", "two", needs=("one",)))
    return replace(plan, steps=tuple(replace(one, **step) for one in plan.steps)) if step else plan


def test_a_plan_that_nothing_speaks_against_is_not_refused() -> None:
    plan = bound(action("database.failover"), action("compute.scale", "two"))
    assert refusals(plan, TOPOLOGY, LogState(), {}) == []


def test_a_run_that_is_open_is_named_with_its_phase() -> None:
    (found,) = refusals(bound(action("compute.hold")), TOPOLOGY, log(), {})
    assert "r1" in found and "running" in found and "cloudfail status" in found


def failed_back(plan: Plan) -> Plan:
    return replace(plan, source="west", target="east")


def owing() -> LogState:
    """East was evacuated, and its freeze is still owed."""
    return replace(log(seen("freeze", "owed")), open_run="", primary="west")


def test_a_region_that_still_owes_takes_no_traffic_before_it_is_restored() -> None:
    back = failed_back(bound(action("compute.hold")))
    (found,) = refusals(back, TOPOLOGY, owing(), {})
    assert "east" in found and "freeze" in found
    assert "cloudfail plan east --to west --runbook NAME" in found
    assert refusals(replace(back, mode=Mode.RESTORE), TOPOLOGY, owing(), {}) == []
    settled = replace(log(seen("freeze", "owed"), seen("freeze", way="owed")), open_run="", primary="west")
    assert refusals(back, TOPOLOGY, settled, {}) == []


def test_what_another_region_owes_is_no_reason() -> None:
    plan = bound(action("compute.hold"))
    state = replace(owing(), primary="east")
    assert refusals(plan, TOPOLOGY, state, {}) == []


def test_the_primary_is_the_logs_where_a_run_moved_it() -> None:
    plan = bound(action("compute.hold"))
    moved = replace(LogState(), primary="west")
    (found,) = refusals(plan, TOPOLOGY, moved, {})
    assert "The primary is west, not east" in found
    assert refusals(failed_back(plan), TOPOLOGY, moved, {}) == []
    assert refusals(replace(plan, mode=Mode.RESTORE), TOPOLOGY, moved, {}) == []


HOME = StepFacts("scale", home="east")


@pytest.mark.parametrize(
    ("facts", "arguments", "refused"),
    [
        (HOME, {}, True),
        (HOME, {"unreachable": "owe"}, False),
        (HOME, {"unreachable": "wait"}, True),
        (replace(HOME, home="west"), {}, False),
        (replace(HOME, home=None), {}, False),
        (replace(HOME, home="member"), {}, False),
        (replace(HOME, home="member"), {"where": "east"}, True),
        (replace(HOME, home="member"), {"where": "west"}, False),
        (replace(HOME, home="member"), {"member": "east"}, True),
        (replace(HOME, home="member"), {"where": "west", "member": "east"}, False),
        (StepFacts("fence", home="member"), {}, True),
        (StepFacts("fence", home="member"), {"unreachable": "owe"}, False),
    ],
)
def test_a_failover_that_needs_the_lost_region_itself_is_refused(
    facts: StepFacts, arguments: dict[str, str], refused: bool
) -> None:
    plan = bound(action("compute.hold"))
    plan = replace(plan, steps=(replace(plan.steps[0], facts=facts, arguments=arguments),))
    found = refusals(plan, TOPOLOGY, LogState(), {})
    assert bool(found) is refused
    assert all("one needs east" in reason for reason in found)
    assert refusals(replace(plan, mode=Mode.SWITCHOVER), TOPOLOGY, LogState(), {}) == []


def test_a_switchover_names_each_step_whose_side_does_not_answer() -> None:
    plan = bound(action("compute.hold"), mode=Mode.SWITCHOVER)
    previews = {
        "one": Preview("one", "unknown", detail="east does not answer"),
        "two": Preview("two", "todo"),
        "three": Preview("three", "unknown", detail="nor does west"),
    }
    first, second = refusals(plan, TOPOLOGY, LogState(), previews)
    assert first.startswith("one: east does not answer") and second.startswith("three: nor does west")
    assert refusals(replace(plan, mode=Mode.RESTORE), TOPOLOGY, LogState(), previews) == []


def test_every_reason_is_said_at_once() -> None:
    plan = replace(failed_back(bound(action("compute.hold"))), mode=Mode.SWITCHOVER)
    previews = {"one": Preview("one", "unknown", detail="east does not answer")}
    state = replace(log(seen("freeze", "owed")), primary="east")
    assert len(refusals(plan, TOPOLOGY, state, previews)) == 4


# ---- warnings


def test_a_freeze_of_nothing_is_warned_about() -> None:
    nothing = bound(action("change.freeze", arguments={"where": "mars"}))
    (found,) = warnings(nothing, {})
    assert "one" in found and "mars" in found
    assert warnings(bound(action("change.freeze")), {}) == []
    other = replace(nothing, steps=(replace(nothing.steps[0], action="change.unfreeze"),))
    assert warnings(other, {}) == []


def test_what_is_owed_or_not_known_before_is_said_of_its_step() -> None:
    plan = bound(action("compute.hold"), action("compute.scale", "two"))
    owed = {"two": Preview("two", "owed", detail="east does not answer")}
    assert warnings(plan, owed) == ["two will be owed: east does not answer"]
    unknown = {"one": Preview("one", "unknown", detail="no answer"), "two": Preview("two", "done")}
    (found,) = warnings(plan, unknown)
    assert found.startswith("one") and "no answer" in found
    assert warnings(replace(plan, mode=Mode.SWITCHOVER), unknown) == [], "it is refused for that"
    assert warnings(plan, {}) == []
