"""A plan is literal, in an order that can be carried out, and its checksum covers what a reviewer agreed to (I10)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Refused
from cloudfail.execution.state import LogState
from cloudfail.model.codec import checksum_of, plan_document, plan_from_document
from cloudfail.model.plan import Plan, Preview
from cloudfail.model.runbook import Mode, Runbook, Step
from cloudfail.plan import bind, in_order, refusals, warnings
from tests.crash.moves import LOADED, stage

RECORDED = {"web": {"east": 4, "west": 2}}


def plan(runbook: str = "evacuate-all", source: str = "east", target: str = "west") -> Plan:
    return bind(LOADED, LOADED.runbooks[runbook], source, target, RECORDED, ACTIONS)


def test_nothing_is_left_to_put_in() -> None:
    assert "${" not in str(plan_document(plan()))
    assert plan().step("scale").arguments == {"group": "web", "count": 4, "where": "west"}


def test_the_same_files_give_the_same_checksum() -> None:
    assert plan().checksum == plan().checksum == checksum_of(plan())


def test_a_plan_is_the_same_after_it_was_written_out() -> None:
    assert plan_from_document(plan_document(plan())) == plan()


def changes() -> list[tuple[str, Plan]]:
    base = plan()
    first, *rest = base.steps
    of_the_first = {
        "limit": {"limit_seconds": first.limit_seconds + 1}, "retries": {"retries": 9}, "needs": {"needs": ("hold",)},
        "arguments": {"arguments": {"where": "east"}}, "action": {"action": "change.unfreeze"},
        "identifiers": {"identifiers": {}}, "undo": {"undo": None}, "gate": {"gate": "approval"},
        "expiry": {"expires_seconds": 1.0}, "name": {"name": "other"}, "no return": {"point_of_no_return": True},
    }  # fmt: skip
    made = [(name, replace(base, steps=(replace(first, **change), *rest))) for name, change in of_the_first.items()]
    made += [
        ("order", replace(base, steps=(*rest, first))),
        ("a step less", replace(base, steps=tuple(rest))),
        ("loss bound", replace(base, bounds=replace(base.bounds, loss_seconds_max=31.0))),
        ("capacity bound", replace(base, bounds=replace(base.bounds, capacity_min={"web": 3}))),
        ("source and target", replace(base, source="west", target="east")),
        ("mode", replace(base, mode=Mode.SWITCHOVER)),
        ("application", replace(base, application="other")),
    ]
    return made


@pytest.mark.parametrize(("what", "changed"), changes(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_checksum_changes_with_what_was_agreed_to(what: str, changed: Plan) -> None:
    assert checksum_of(changed) != plan().checksum, what


def test_a_checksum_does_not_change_with_estimates() -> None:
    base = plan()
    slower = tuple(
        replace(step, facts=replace(step.facts, typical_seconds=99.0, longest_seconds=999.0)) for step in base.steps
    )
    assert checksum_of(replace(base, steps=slower, expires_seconds=1.0)) == base.checksum


def test_a_different_capacity_is_a_different_plan() -> None:
    other = bind(LOADED, LOADED.runbooks["evacuate-all"], "east", "west", {"web": {"east": 5}}, ACTIONS)
    assert other.checksum != plan().checksum


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(6)), st.data())
def test_steps_stand_after_what_they_need(order: list[int], data: st.DataObject) -> None:
    steps = {}
    for place, number in enumerate(order):
        needs = data.draw(st.sets(st.sampled_from(order[:place]), max_size=3)) if place else set()
        steps[number] = Step(name=f"s{number}", needs=tuple(f"s{need}" for need in needs))
    runbook = Runbook("r", Mode.FAILOVER, {f"s{number}": steps[number] for number in range(6)})
    ordered = [step.name for step in in_order(runbook)]
    assert sorted(ordered) == sorted(runbook.steps)
    for step in runbook.steps.values():
        assert all(ordered.index(need) < ordered.index(step.name) for need in step.needs)


def test_steps_that_need_each_other_are_refused() -> None:
    steps = {"a": Step(name="a", needs=("b",)), "b": Step(name="b", needs=("a",)), "c": Step(name="c")}
    with pytest.raises(Refused, match="cycle: a, b"):
        in_order(Runbook("r", Mode.FAILOVER, steps))


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [("east", "east", "to itself"), ("north", "west", "no region 'north'"), ("east", "south", "no region 'south'")],
)
def test_a_move_that_makes_no_sense_is_refused(source: str, target: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as raised:
        plan(source=source, target=target)
    assert raised.value.true_now == "Nothing was changed." and raised.value.to_do


def test_a_capacity_that_nobody_recorded_is_refused_and_not_guessed() -> None:
    with pytest.raises(Refused, match="nobody recorded"):
        bind(LOADED, LOADED.runbooks["evacuate-all"], "east", "west", {}, ACTIONS)


def test_a_second_run_is_refused_while_one_is_open() -> None:
    made = stage()
    run = made.open("evacuate-all", "east", "west")
    found = refusals(plan(), LOADED.topology, made.engine().read(), {})
    assert any(run in reason and "one run per application" in reason for reason in found)


def test_a_region_that_is_not_the_primary_is_not_evacuated() -> None:
    found = refusals(plan(source="west", target="east"), LOADED.topology, LogState(), {})
    assert any("The primary is east" in reason for reason in found)


def test_a_switchover_is_refused_while_a_side_does_not_answer() -> None:
    silent = {"fence": Preview("fence", "unknown", detail="east does not answer")}
    assert any("both sides" in reason for reason in refusals(plan("move-all"), LOADED.topology, LogState(), silent))
    assert not refusals(plan(), LOADED.topology, LogState(), silent)


def test_what_will_be_owed_is_said_before() -> None:
    owed = {"fence": Preview("fence", "owed", detail="east does not answer")}
    assert "fence will be owed: east does not answer" in warnings(plan(), owed)
