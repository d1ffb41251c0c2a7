"""What a run changed is watched until it ends, and put back where somebody changed it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Owed
from cloudfail.actions import Look as Seen
from cloudfail.execution.commands import ActOn, AppendEntry, LookAt, WaitUntil
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.next import next_commands, watch_commands, watched
from cloudfail.execution.state import Track
from cloudfail.model.journal import Kind
from cloudfail.model.plan import Plan, StepFacts
from tests.unit.logs import (
    PLAN,
    Said,
    claim,
    closed,
    halt,
    intent,
    result,
    run_after,
    seen,
    step,
    told,
)
from tests.unit.moments import TODO, at, entry


def watching(*steps: Any) -> Plan:
    return replace(PLAN, steps=steps)


def changed(name: str, t: float = 1.0, way: str = "do") -> tuple[Said, ...]:
    return (intent(name, t, way), result(name, "ok", t, way), seen(name, t=t, way=way))


ONE = step("one", "compute.scale", undo=("compute.scale", {}), facts=StepFacts("scale"), resource="web")
TWO = step("two", "traffic.switch", undo=("traffic.switch", {}), facts=StepFacts("shift"), resource="www")
WATCH_ONE, WATCH_TWO = Track("one", "watch"), Track("two", "watch")


def names_watched(*said: Said, plan: Plan) -> list[str]:
    return [one.name for one in watched(run_after(*said, plan=plan))]


def test_what_no_condition_stops_is_watched_once_it_was_changed() -> None:
    plan = watching(ONE, TWO)
    assert names_watched(*changed("one"), *changed("two"), plan=plan) == ["one", "two"]
    assert names_watched(*changed("one"), seen("two"), plan=plan) == ["one"], "it was so before: nobody ordered it"
    assert names_watched(*changed("one"), intent("two"), plan=plan) == ["one"]
    assert names_watched(*changed("one"), intent("two"), seen("two", "failed"), plan=plan) == ["one"]


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, facts=replace(ONE.facts, fencing="condition")),
        replace(ONE, facts=replace(ONE.facts, fencing="mark")),
        replace(ONE, facts=replace(ONE.facts, reversible=False)),
        replace(ONE, point_of_no_return=True),
    ],
)
def test_what_a_condition_stops_or_cannot_be_put_back_is_not_watched(other: Any) -> None:
    assert names_watched(*changed("one"), *changed("two"), plan=watching(other, TWO)) == ["two"]


def test_of_two_steps_that_set_the_same_thing_the_later_is_watched() -> None:
    def freeze(name: str, where: str, **more: Any) -> Any:
        return step(
            name, "change.freeze", arguments={"where": where}, facts=StepFacts("freeze"), undo=("x", {}), **more
        )

    said = (*changed("one"), *changed("two"))
    assert names_watched(*said, plan=watching(freeze("one", "west"), freeze("two", "west"))) == ["two"]
    assert names_watched(*said, plan=watching(freeze("one", "west"), freeze("two", "east"))) == ["one", "two"]
    a, b = {"identifiers": {"a": {}, "b": {}}}, {"identifiers": {"b": {}, "a": {}}}
    assert names_watched(*said, plan=watching(freeze("one", "west", **a), freeze("two", "west", **b))) == ["two"]
    c = {"identifiers": {"c": {}}}
    assert names_watched(*said, plan=watching(freeze("one", "west", **a), freeze("two", "west", **c))) == ["one", "two"]
    other = replace(freeze("two", "west"), resource="else")
    assert names_watched(*said, plan=watching(freeze("one", "west"), other)) == ["one", "two"]
    unlike = replace(freeze("two", "west"), facts=StepFacts("hold"))
    assert names_watched(*said, plan=watching(freeze("one", "west"), unlike)) == ["one", "two"]
    plain = [replace(freeze(name, "west"), facts=StepFacts()) for name in ("one", "two")]
    assert names_watched(*said, plan=watching(*plain)) == ["one", "two"], "without a verb a step is its own"


def test_after_an_undo_everything_that_was_put_back_is_watched() -> None:
    safe = replace(ONE, facts=replace(ONE.facts, fencing="condition"))
    plan = watching(safe, TWO)
    said = (*changed("one"), *changed("two"), told("abort"))
    put_back = (*changed("two", 5.0, "undo"), *changed("one", 6.0, "undo"))
    assert names_watched(*said, *put_back, plan=plan) == ["two", "one"]
    assert names_watched(*said, *changed("two", 5.0, "undo"), seen("one", "skipped", way="undo"), plan=plan) == ["two"]
    assert names_watched(*said, *changed("two", 5.0, "undo"), plan=plan) == ["two"]


def test_before_it_ends_a_run_looks_once_more_at_what_it_changed() -> None:
    plan = watching(ONE, TWO)
    run = run_after(*changed("one"), *changed("two", 3.0), plan=plan)
    assert next_commands(run, at(4.0)) == (LookAt(WATCH_ONE), LookAt(WATCH_TWO))
    assert next_commands(run, at(4.0, {WATCH_ONE: Done("")}, busy=(WATCH_TWO,))) == ()
    fine: dict[Track, Seen] = {WATCH_ONE: Done(""), WATCH_TWO: Done("")}
    assert entry(next_commands(run, at(4.0, fine))).kind is Kind.CLOSED
    assert watch_commands(run, at(4.0, {**fine, WATCH_TWO: Owed("")})) == ()


def test_a_look_from_before_the_last_step_was_put_back_is_taken_again() -> None:
    run = run_after(*changed("one"), told("abort"), *changed("one", 6.0, "undo"), plan=watching(ONE, TWO))
    assert watch_commands(run, at(7.0, {WATCH_ONE: Done("")}, looked=5.9)) == (LookAt(WATCH_ONE),)
    assert watch_commands(run, at(7.0, {WATCH_ONE: Done("")}, looked=6.0)) == ()


def test_only_a_run_that_is_about_to_end_looks_once_more() -> None:
    done = (*changed("one"), *changed("two", 3.0))
    for words in ((told("pause"),), (halt(),), (closed(Event.FINISHED),)):
        assert next_commands(run_after(*done, *words, plan=watching(ONE, TWO)), at(4.0)) == ()


def test_a_run_in_its_middle_goes_on_and_watches_later() -> None:
    assert next_commands(run_after(*changed("one"), plan=watching(ONE, TWO)), at(4.0)) == (LookAt(Track("two", "do")),)
    back = (*changed("one"), told("abort"), *changed("one", 6.0, "undo"), told("pause"))
    assert next_commands(run_after(*back, plan=watching(ONE, TWO)), at(7.0)) == ()


def test_an_obligation_that_was_settled_makes_no_look_stale() -> None:
    said = (*changed("one"), seen("two", "owed", 2.0), seen("two", t=10.0, way="owed"))
    assert watch_commands(run_after(*said, plan=watching(ONE, TWO)), at(11.0, {WATCH_ONE: Done("")}, looked=5.0)) == ()


def test_an_obligations_call_that_is_out_keeps_no_other_obligation_waiting() -> None:
    owed = (seen("one", "owed"), seen("two", "owed"))
    commands = next_commands(run_after(*owed, plan=watching(ONE, TWO)), at(4.0, busy=(Track("one", "owed"),)))
    assert commands == (LookAt(Track("two", "owed")),)


def test_a_look_from_before_the_last_step_ended_is_taken_again() -> None:
    run = run_after(*changed("one"), *changed("two", 3.0), plan=watching(ONE, TWO))
    fine: dict[Track, Seen] = {WATCH_ONE: Done(""), WATCH_TWO: Done("")}
    assert watch_commands(run, at(4.0, fine, looked=2.9)) == (LookAt(WATCH_ONE), LookAt(WATCH_TWO))
    assert watch_commands(run, at(4.0, fine, looked=3.0)) == ()
    assert watch_commands(run, at(4.0, fine, looked=2.9, busy=(WATCH_ONE,))) == (LookAt(WATCH_TWO),)


def test_what_an_older_call_changed_is_put_back_before_the_run_ends() -> None:
    run = run_after(*changed("one"), *changed("two", 3.0), plan=watching(ONE, TWO))
    looks: dict[Track, Seen] = {WATCH_ONE: TODO, WATCH_TWO: Done("")}
    assert next_commands(run, at(4.0, looks)) == (ActOn(WATCH_ONE, TODO, 1),)
    ordered = run_after(
        *changed("one"), *changed("two", 3.0), intent("one", 5.0, "watch"), result("one", "ok", 5.0, "watch"),
        plan=watching(ONE, TWO),
    )  # fmt: skip
    assert next_commands(ordered, at(5.0, {WATCH_TWO: Done("")})) == (LookAt(WATCH_ONE),)


def test_what_cannot_be_kept_as_it_was_left_halts_the_run() -> None:
    plan = watching(ONE, TWO)
    done = (*changed("one"), *changed("two", 3.0))
    late = next_commands(run_after(*done, plan=plan), at(64.0, {WATCH_ONE: Moving("")}))
    assert (entry(late).data["step"], entry(late).data["way"], entry(late).data["ended"]) == ("one", "watch", "failed")
    in_time = next_commands(run_after(*done, plan=plan), at(63.0, {WATCH_ONE: Moving("")}))
    assert not any(isinstance(command, AppendEntry) for command in in_time)
    failed = run_after(*done, seen("one", "failed", 64.0, "watch", detail="it will not stay"), plan=plan)
    fine: dict[Track, Seen] = {WATCH_TWO: Done("")}
    command = entry(next_commands(failed, at(64.0, fine)))
    assert (command.kind, command.data["event"]) == (Kind.HALT, str(Event.HALT))
    assert "watch one: it will not stay" in command.data["reason"]
    back = run_after(
        *done, told("abort"), *changed("two", 5.0, "undo"), *changed("one", 6.0, "undo"),
        seen("one", "failed", 70.0, "watch"), plan=plan,
    )  # fmt: skip
    assert entry(next_commands(back, at(70.0, fine))).data["event"] == str(Event.UNDO_BLOCKED)


def test_an_undo_is_watched_too_before_it_ends() -> None:
    run = run_after(*changed("one"), told("abort"), *changed("one", 6.0, "undo"), plan=watching(ONE, TWO))
    assert run.phase is Phase.UNDOING
    assert next_commands(run, at(7.0)) == (LookAt(WATCH_ONE),)
    beside = (seen("two"), told("abort"), *changed("one", 6.0, "undo"), seen("two", "skipped", way="undo"))
    assert next_commands(run_after(*changed("one"), *beside, plan=watching(ONE, TWO)), at(7.0)) == (LookAt(WATCH_ONE),)
    assert next_commands(run, at(7.0, busy=(WATCH_ONE,))) == ()
    assert entry(next_commands(run, at(7.0, {WATCH_ONE: Done("")}))).data["event"] == str(Event.UNDO_FINISHED)


def test_the_limit_of_watching_counts_from_the_last_step_or_the_quiet_time_or_a_resume() -> None:
    run = run_after(*changed("one", 3.0), plan=watching(ONE))
    moving: dict[Track, Seen] = {WATCH_ONE: Moving("")}
    assert isinstance(watch_commands(run, at(80.0, moving, quiet=20.0))[0], WaitUntil)
    assert isinstance(watch_commands(run, at(80.5, moving, quiet=20.0))[0], AppendEntry)
    resumed = run_after(*changed("one", 3.0), claim(100.0, took_over=1), plan=watching(ONE))
    assert isinstance(watch_commands(resumed, at(160.0, moving))[0], WaitUntil)
    assert isinstance(watch_commands(resumed, at(160.5, moving))[0], AppendEntry)
