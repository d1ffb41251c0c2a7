"""The least capacity with which a person lets a gate pass: as it is typed, signed, counted at the gate, and counted
once more before the step behind which there is no way back (invariant I10)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.actions import Look as Seen
from cloudfail.approval import Approval, Approvers
from cloudfail.errors import Refused
from cloudfail.execution.commands import ActOn, AppendEntry, Command, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.gates import COUNT_SECONDS, COUNT_SECONDS_MAX, still_missing
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.next import next_commands
from cloudfail.execution.state import RunState, Track
from cloudfail.model.capacity import AS_PLANNED, allows, from_words, in_words, typed
from cloudfail.model.journal import Kind
from cloudfail.report.situation import commands_now
from cloudfail.signing import Namespace, public_line, sign
from tests.kit import Stage, load_local
from tests.security.test_signed_approvals import KEYS, agreed, give, passed, signing_app, story
from tests.unit.logs import DONE_TO_THE_GATE, GATE_PASSED, PLAN, Said, halt, run_after, seen, told

# ---- as a person types it, and as it is read before it is signed


def test_a_share_is_of_what_the_plans_steps_make_of_each_group_rounded_up() -> None:
    assert typed("80%", {"web": 4, "api": 10}) == (("api", 8), ("web", 4))
    assert typed("1 %", {"web": 4}) == (("web", 1),)


def test_a_figure_names_its_group() -> None:
    assert typed("web=3, api=1", {"web": 4, "api": 10}) == (("api", 1), ("web", 3))


@pytest.mark.parametrize("text", ["0%", "101%", "4", "web=0", "web=5", "wbe=1", "web=1,web=2", "web=", "web=1,", "-1%"])
def test_what_that_plan_could_never_meet_is_refused_with_what_it_scales(text: str) -> None:
    with pytest.raises(Refused, match="it scales web to 4"):
        typed(text, {"web": 4})


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="it scales nothing"):
        typed("80%", {})


@pytest.mark.parametrize("capacity", [(), (("web", 4),), (("a.b-c", 1), ("web", 12))])
def test_the_words_that_are_signed_are_read_back(capacity: Any) -> None:
    assert from_words(in_words(capacity)) == capacity


@pytest.mark.parametrize(
    "text", ["", "web at least 0 healthy", "web at least 04 healthy", f"{AS_PLANNED}, web", "web 4"]
)
def test_other_words_are_not_read_kindly(text: str) -> None:
    with pytest.raises(ValueError, match="nothing of healthy workers"):
        from_words(text)


def test_what_was_not_counted_is_not_there() -> None:
    assert allows((), {})
    assert allows((("web", 4),), {"web": 4})
    assert not allows((("web", 4),), {"web": 3})
    assert not allows((("web", 4),), {"web": None})
    assert not allows((("web", 4),), {})


FIRST_VERSION = """\
cloudfail approval, version 1
application: shop
plan: abab
run: r1
gate: any
owed fence: not accepted
loss: 5.000 s
standing, for automation: no
own run: no
until: 1800000000 (seconds since 1970)
"""


def test_a_text_of_the_first_version_still_counts_and_states_no_capacity() -> None:
    read = Approval.parse(FIRST_VERSION)
    assert (read.version, read.capacity, read.loss_seconds) == (1, (), 5.0)
    signature = sign(FIRST_VERSION.encode(), Namespace.APPROVAL, KEYS["bob"])
    approvers = Approvers.of("shop", (f"bob {public_line(KEYS['bob'])}",))
    assert approvers is not None
    said = {"document": FIRST_VERSION, "signature": signature}
    assert approvers.for_run(said, 1.0, run="r1", plan="abab", opened_by="alice", spent_on=None).by == "bob"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version 1", "version 3"),
        ("version 1", "version 2"),
        ("version 1", "version 0"),
        ("loss: 5.000 s", "loss: 5.000 s\ncapacity: web at least 4 healthy"),
    ],
)
def test_a_text_that_mixes_versions_is_no_approval(old: str, new: str) -> None:
    with pytest.raises(Refused, match="no approval"):
        Approval.parse(FIRST_VERSION.replace(old, new))


def test_the_text_names_the_figure() -> None:
    approval = Approval("shop", "abab", 1_800_000_000, capacity=(("web", 4),))
    assert "\ncapacity: web at least 4 healthy\n" in approval.text()
    assert Approval.parse(approval.text()) == approval


# ---- at the gate


STEPS = tuple(
    dataclasses.replace(step, arguments={"group": "web", "where": "west", "count": 4}) if step.name == "scale" else step
    for step in PLAN.steps
)
COUNTED = dataclasses.replace(PLAN, steps=STEPS)
COUNT, PROMOTE = Track("scale", "watch"), Track("promote", "do")
FOUR = told("approve", capacity={"web": 4})


def run(*said: Said) -> RunState:
    return run_after(*said, plan=COUNTED)


def at(t: float, looks: dict[Track, Seen], looked: float | None = None, busy: tuple[Track, ...] = ()) -> Now:
    asked = t if looked is None else looked
    return Now(t, 0.0, frozenset(busy), {track: Observed(look, asked, 1) for track, look in looks.items()})


def healthy(count: int) -> Moving:
    return Moving(f"{count} of 4 healthy", {"healthy": count})


def gate_of(commands: tuple[Command, ...]) -> str:
    """By whom the gate is let pass; "" if it is not."""
    (first, *_) = commands
    if not isinstance(first, AppendEntry):
        return ""
    assert first.data["event"] == str(Event.GATE_PASSED), first
    return str(first.data["detail"])


WAITING = (*DONE_TO_THE_GATE, seen("scale"))


def test_a_gate_with_a_figure_is_not_passed_before_somebody_counted() -> None:
    commands = next_commands(run(*WAITING, FOUR), at(10.0, {}))
    assert LookAt(COUNT) in commands
    assert not gate_of(commands)
    assert "bob" in gate_of(next_commands(run(*WAITING, FOUR), at(10.0, {COUNT: Done("", facts={"healthy": 4})})))


@pytest.mark.parametrize("look", [healthy(3), NotKnown("no answer"), Todo("scale"), Done("by another's word")])
def test_too_few_or_not_known_keeps_the_gate_and_it_is_counted_again(look: Seen) -> None:
    stands = run(*WAITING, FOUR)
    commands = next_commands(stands, at(10.0, {COUNT: look}))
    assert not gate_of(commands)
    again = [one for one in commands if isinstance(one, WaitUntil) and one.track == COUNT]
    assert [(one.t, one.stay) for one in again] == [(10.0 + COUNT_SECONDS, True)]
    assert LookAt(COUNT) in next_commands(stands, at(10.0 + COUNT_SECONDS, {COUNT: look}, looked=10.0))
    assert LookAt(COUNT) not in next_commands(stands, at(13.0, {COUNT: look}, looked=10.0, busy=(COUNT,)))


def test_an_order_that_is_not_given_yet_may_still_find_enough() -> None:
    todo = Todo("scale web to 6", facts={"healthy": 4})
    assert gate_of(next_commands(run(*WAITING, FOUR), at(10.0, {COUNT: todo})))


def test_a_count_grows_old() -> None:
    old = at(10.0 + COUNT_SECONDS_MAX + 0.1, {COUNT: healthy(4)}, looked=10.0)
    assert LookAt(COUNT) in next_commands(run(*WAITING, FOUR), old)
    assert not gate_of(next_commands(run(*WAITING, FOUR), old))


def test_a_gate_with_a_figure_still_expires() -> None:
    (command,) = next_commands(run(*WAITING, FOUR), at(603.0, {COUNT: healthy(3)}))
    assert isinstance(command, AppendEntry)
    assert command.data["event"] == str(Event.GATE_EXPIRED)


def test_of_two_who_agreed_one_whose_figure_is_met_is_enough() -> None:
    both = run(*WAITING, FOUR, told("approve", capacity={"web": 3}))
    assert gate_of(next_commands(both, at(10.0, {COUNT: healthy(3)})))
    assert gate_of(next_commands(run(*WAITING, FOUR, told("approve")), at(10.0, {})))


def test_a_group_that_the_plan_does_not_scale_is_never_enough() -> None:
    commands = next_commands(run(*WAITING, told("approve", capacity={"wbe": 1})), at(10.0, {COUNT: healthy(4)}))
    assert not gate_of(commands)
    assert LookAt(COUNT) not in commands


def test_behind_an_owed_fence_only_what_was_said_since_somebody_accepted_it_counts() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), *WAITING[2:])
    took = told("approve", accept_owed_fence=True, capacity={"web": 4})
    busy = (Track("fence", "owed"),)
    for said, passes in (((told("approve"), took), False), ((took,), False), ((took, told("approve")), True)):
        assert bool(gate_of(next_commands(run(*owed, *said), at(10.0, {COUNT: healthy(3)}, busy=busy)))) is passes
    assert gate_of(next_commands(run(*owed, took), at(10.0, {COUNT: healthy(4)}, busy=busy)))


def test_who_approves_with_a_figure_is_told_what_it_waits_for() -> None:
    assert "approve waits until this is counted: web at least 4 healthy" in still_missing(run(*WAITING, FOUR))
    assert not still_missing(run(*WAITING, FOUR, told("approve")))


# ---- before the step behind which there is no way back


FENCED: dict[str, Any] = {
    "loses_data": True, "fence": "proven", "loss_if_dead_seconds": 1.0, "loss_if_alive_seconds": 4.0,
}  # fmt: skip
ORDER = Todo("promote orders-w", **FENCED)
BEHIND = (*GATE_PASSED[:3], FOUR, *GATE_PASSED[3:], seen("scale", t=4.0))


def test_it_is_counted_once_more_before_a_promotion() -> None:
    assert next_commands(run(*BEHIND), at(5.0, {PROMOTE: ORDER})) == (LookAt(COUNT),)
    assert next_commands(run(*BEHIND), at(5.0, {PROMOTE: ORDER}, busy=(COUNT,))) == ()
    (act,) = next_commands(run(*BEHIND), at(5.0, {PROMOTE: ORDER, COUNT: healthy(4)}))
    assert act == ActOn(PROMOTE, ORDER, 1)


def test_also_before_a_switchover_which_loses_nothing() -> None:
    assert next_commands(run(*BEHIND), at(5.0, {PROMOTE: Todo("switch over")})) == (LookAt(COUNT),)


def test_not_known_is_looked_at_again_until_the_steps_limit() -> None:
    unknown = {PROMOTE: ORDER, COUNT: NotKnown("no answer")}
    (wait,) = next_commands(run(*BEHIND), at(5.0, unknown))
    assert isinstance(wait, WaitUntil)
    (ended,) = next_commands(run(*BEHIND), at(64.1, unknown))
    assert isinstance(ended, AppendEntry)
    assert ended.data["ended"] == "failed"


def test_too_few_halts_it_with_what_was_counted_and_the_ways_on() -> None:
    (command,) = next_commands(run(*BEHIND), at(5.0, {PROMOTE: ORDER, COUNT: healthy(2)}))
    assert isinstance(command, AppendEntry)
    assert (command.kind, command.data["asks"]) == (Kind.HALT, {"capacity": {"web": 2}})
    assert command.data["reason"] == (
        "promote would promote orders-w, and web has 2 healthy; what was agreed to is web at least 4 healthy."
    )
    assert "cloudfail resume r1" in command.data["to_do"]
    assert "cloudfail abort r1" in command.data["to_do"]


def test_what_halted_it_is_accepted_only_by_who_lets_it_pass_with_so_few() -> None:
    halted = (*BEHIND, halt(5.0, asks={"capacity": {"web": 2}}))
    assert run(*halted).phase is Phase.HALTED
    assert run(*halted, told("approve", capacity={"web": 3})).phase is Phase.HALTED
    for said in (told("approve"), told("approve", capacity={"web": 2}), told("approve", capacity={"web": 1})):
        assert run(*halted, said).phase is Phase.RUNNING
    looks: dict[Track, Seen] = {PROMOTE: ORDER, COUNT: healthy(2)}
    (act,) = next_commands(run(*halted, told("approve", capacity={"web": 2})), at(6.0, looks))
    assert act == ActOn(PROMOTE, ORDER, 1)
    resumed = run(*halted, told("resume"))
    assert isinstance(next_commands(resumed, at(6.0, looks))[0], AppendEntry), "resumed with as few, it halts again"
    assert next_commands(resumed, at(6.0, {PROMOTE: ORDER, COUNT: healthy(4)})) == (ActOn(PROMOTE, ORDER, 1),)


def test_the_screen_says_what_whoever_approves_then_takes_for_enough() -> None:
    ways = commands_now(run(*BEHIND, halt(5.0, asks={"capacity": {"web": 2}})))
    assert ways[0].meaning == "It goes on: 2 healthy in web are enough."


def test_nobody_counts_where_nobody_stated_a_figure() -> None:
    plain = (*GATE_PASSED[:3], told("approve"), *GATE_PASSED[3:], seen("scale", t=4.0))
    assert next_commands(run(*plain), at(5.0, {PROMOTE: ORDER})) == (ActOn(PROMOTE, ORDER, 1),)


# ---- on a cloud


def slow(seconds: float) -> Stage:
    """A run that alice opened, at its gate, whose workers take so long to start."""
    stage = Stage(
        load_local(), approvers=Approvers.of("shop", tuple(f"{n} {public_line(KEYS[n])}" for n in ("alice", "bob")))
    )
    stage.cloud.workers_start_seconds = seconds
    stage.cloud.kill("east")
    stage.open("evacuate-local", "east", "west", preapproved="")
    stage.drive(seconds=10)
    assert stage.run("r1").phase is Phase.GATED
    return stage


def test_a_signed_figure_keeps_the_gate_until_so_many_are_healthy() -> None:
    stage = slow(25.0)
    give(stage, agreed(stage, capacity=(("web", 4),)))
    assert not passed(stage, 8)
    assert "only with web at least 4 healthy" in story(stage)
    assert passed(stage, 60)
    assert stage.run("r1").phase is Phase.DEGRADED, "what the dead region owes is owed still"


def test_a_figure_that_is_met_already_keeps_nobody() -> None:
    stage = slow(25.0)
    give(stage, agreed(stage, capacity=(("web", 1),)))
    assert passed(stage, 8)


def test_a_figure_that_is_never_met_takes_everything_back_in_the_end() -> None:
    stage = slow(1e6)
    give(stage, agreed(stage, capacity=(("web", 4),)))
    stage.drive(seconds=1200)
    assert stage.run("r1").phase is Phase.UNDONE
    assert not any(effect.verb == "failover" for effect in stage.cloud.effects)


def test_what_a_person_types_becomes_the_figures_of_that_plan() -> None:
    stage = slow(1.0)
    app = signing_app(stage, "bob")
    assert app.to_sign(run="r1", seconds=900, capacity="60%").capacity == (("web", 3),)
    assert app.least_capacity("r1", "web=2") == {"web": 2}
    with pytest.raises(Refused, match="it scales web to 4"):
        app.to_sign(run="r1", seconds=900, capacity="web=5")
    with pytest.raises(Refused, match="Automation keeps to the plan's own capacity"):
        app.to_sign(run="r1", seconds=900, capacity="60%", standing=True)


def test_a_standing_plan_with_a_figure_of_its_own_lets_automation_do_nothing() -> None:
    stage = slow(1.0)
    text = agreed(stage, run="", standing=True, capacity=(("web", 4),)).text()
    said = {"checksum": stage.run("r1").plan.checksum, "document": text,
            "signature": sign(text.encode(), Namespace.APPROVAL, KEYS["bob"])}  # fmt: skip
    assert stage.approvers is not None
    with pytest.raises(Refused, match="bob stated a capacity"):
        stage.approvers.for_automation(said, stage.clock.wall())
