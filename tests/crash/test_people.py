"""People's commands at every boundary of a run (design.md §4 rules 9 and 11), gates, and fences that are owed (I1, I3).

A command is an entry that anybody authorised appends without the lease; it wins over what the worker was about to do.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Permanent
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Entry, Kind
from cloudfail.plan import bind, refusals
from cloudfail.ports import Store, StoredEntry
from tests.crash.moves import BASE, FULL, LOADED, effects, entries, intents, stage
from tests.kit import Stage

STRIDE = 1 if FULL else 2
START = stage().cloud.snapshot()


class Person:
    """Appends one command at boundary `at` of a run: before or after any append, before the check or the landing of any
    effect, or after it. Counts what was started afterwards."""

    def __init__(self, made: Stage, at: int, act: Callable[[], None]) -> None:
        self.made = made
        self.at = at
        self.act = act
        self.names: list[str] = []
        self.told_at_effects = -1
        self.told_seq = 0
        made.cloud.before_call = lambda verb: self.reached(f"before the check of {verb}")
        made.cloud.before_effect = lambda verb: self.reached(f"in {verb}")
        made.cloud.after_effect = lambda verb: self.reached(f"after {verb}")

    def reached(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.at:
            self.act()
            self.told_at_effects = len(self.made.cloud.effects)
            self.told_seq = len(self.made.store.read(self.made.application, 0))

    @property
    def name(self) -> str:
        return self.names[self.at - 1]

    def landed_since(self) -> list[str]:
        return [effect.step for effect in self.made.cloud.effects[self.told_at_effects :]]


class Interrupted:
    """A store in whose appends a person may come first."""

    def __init__(self, store: Store, person: Person) -> None:
        self.store = store
        self.person = person

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.person.reached(f"before append {seq}")
        done = self.store.append(log, seq, body)
        self.person.reached(f"after append {seq}")
        return done


def told(at: int, *commands: str) -> tuple[Stage, str, Person]:
    """The evacuation, told `commands` at boundary `at`, driven until it ends or needs somebody."""
    made = stage()
    run = made.open("evacuate-all", "east", "west")

    def say() -> None:
        for command in commands:
            made.command(run, command)

    person = Person(made, at, say)
    made.engine("w1", Interrupted(made.store, person)).drive(until=made.clock.boot() + 7200)
    return made, run, person


def boundaries() -> int:
    return len(told(0)[2].names)


def every_boundary() -> range:
    return range(1, boundaries() + 1, STRIDE)


def only_the_call_in_flight_landed(person: Person) -> None:
    """A call whose check had passed may land; nothing else that does."""
    landed = [step for step in person.landed_since() if not step.startswith("undo ")]
    assert len(landed) <= person.name.startswith("in "), (person.name, landed)


def no_step_was_begun_after(made: Stage, run: str, person: Person) -> None:
    later = [e for e in intents(made, run) if e.seq > person.told_seq and e.data["way"] != "undo"]
    assert not later, (person.name, later)


def test_after_a_pause_no_call_starts_and_resume_finishes_as_if_there_had_been_none() -> None:
    for at in every_boundary():
        made, run, person = told(at, "pause")
        state = made.run(run)
        only_the_call_in_flight_landed(person)
        if state.phase is Phase.DONE:
            assert person.at > boundaries() - 12, person.name
            continue
        assert state.phase is Phase.PAUSED, (person.name, state.story[-1])
        no_step_was_begun_after(made, run, person)
        count = len(made.cloud.effects)
        made.drive()
        assert len(made.cloud.effects) == count, "a paused run acted"
        made.command(run, "resume")
        made.drive()
        assert made.run(run).phase is Phase.DONE, (person.name, made.run(run).story[-1])
        assert made.cloud.snapshot() == BASE["evacuate"].snapshot, person.name
        assert effects(made) == BASE["evacuate"].effects, person.name


def test_an_abort_before_the_promotion_was_ordered_puts_everything_back_and_after_it_nothing() -> None:
    undone = parked = 0
    for at in every_boundary():
        made, run, person = told(at, "abort")
        state = made.run(run)
        only_the_call_in_flight_landed(person)
        if state.phase is Phase.DONE:
            continue
        no_step_was_begun_after(made, run, person)
        promote = [e for e in intents(made, run) if e.data["step"] == "promote"]
        if not promote:
            undone += 1
            assert state.phase is Phase.UNDONE, (person.name, state.story[-1])
            assert made.cloud.snapshot() == START, person.name
            continue
        parked += 1
        assert state.phase is Phase.PARKED, (person.name, state.story[-1])
        assert not intents(made, run, "undo")
        assert "unfence" not in {e.verb for e in made.cloud.effects}
        made.command(run, "resume")
        made.drive()
        assert made.run(run).phase is Phase.DONE, (person.name, made.run(run).story[-1])
        assert made.cloud.snapshot() == BASE["evacuate"].snapshot, person.name
        assert effects(made) == BASE["evacuate"].effects, person.name
    assert undone > 10 and parked > 10


def test_a_parked_run_says_why_and_what_helps() -> None:
    for at in every_boundary():
        made, run, person = told(at, "abort")
        state = made.run(run)
        if state.phase is Phase.PARKED:
            assert state.halted_because, person.name
            assert f"cloudfail resume {run}" in state.to_do, person.name
            assert f"cloudfail close {run}" in state.to_do, person.name


@pytest.mark.parametrize("commands", [("pause", "abort"), ("pause", "resume"), ("abort", "pause"), ("abort", "resume")])
def test_two_commands_at_once_are_taken_in_their_order(commands: tuple[str, str]) -> None:
    for at in range(1, boundaries() + 1, 3 * STRIDE):
        made, run, person = told(at, *commands)
        for _ in range(3):
            if made.run(run).phase in {Phase.PAUSED, Phase.PARKED}:
                made.command(run, "resume")
                made.drive()
        state = made.run(run)
        assert state.phase.final, (person.name, state.story[-1])
        want = START if state.phase is Phase.UNDONE else BASE["evacuate"].snapshot
        assert made.cloud.snapshot() == want, (person.name, state.story[-1])
        assert made.cloud.most_writers_at_once() <= 1


def test_a_command_that_means_nothing_now_is_kept_and_changes_nothing() -> None:
    for command in ("resume", "decline", "close"):
        for at in range(1, boundaries() + 1, 5 * STRIDE):
            made, run, person = told(at, command)
            state = made.run(run)
            if state.phase is Phase.UNDONE:
                assert command == "decline" and "Declined" in " ".join(line.text for line in state.story)
                continue
            assert state.phase is Phase.DONE, (command, person.name, state.story[-1])
            assert effects(made) == BASE["evacuate"].effects
            assert person.told_at_effects >= 0


# ---- gates


def gated(**data: object) -> tuple[Stage, str]:
    made = stage()
    run = made.open("evacuate-all", "east", "west", **{"preapproved": "", **data})
    made.drive()
    assert made.run(run).phase is Phase.GATED
    return made, run


def wait_for_people(made: Stage, seconds: float, worker: str = "w1") -> None:
    made.engine(worker).drive(until=made.clock.boot() + seconds, wait_for_people=True)


def test_an_approval_passes_the_gate_and_the_run_ends() -> None:
    made, run = gated()
    made.command(run, "approve")
    made.drive()
    assert made.run(run).phase is Phase.DONE
    assert made.cloud.snapshot() == BASE["evacuate"].snapshot
    gate = next(e for e in entries(made) if e.kind is Kind.GATE and e.data["event"] == "gate passed")
    assert "bob" in gate.data["detail"]


def test_a_decline_at_the_gate_puts_everything_back_the_fence_included() -> None:
    made, run = gated()
    assert made.cloud.databases["orders"]["east"].fenced
    made.command(run, "decline")
    made.drive()
    assert made.run(run).phase is Phase.UNDONE
    assert made.cloud.snapshot() == START


def test_a_gate_that_nobody_passes_expires_and_everything_is_put_back() -> None:
    made, run = gated()
    wait_for_people(made, 590.0)
    assert made.run(run).phase is Phase.GATED
    wait_for_people(made, 60.0)
    assert made.run(run).phase is Phase.UNDONE
    assert made.cloud.snapshot() == START


def test_a_gate_expires_by_the_holders_clocks_alone() -> None:
    """Time in which nobody drives does not count, and a wall clock that jumps does not either."""
    made, run = gated()
    made.clock.suspend(3600)
    made.clock.jump_wall(86_400)
    wait_for_people(made, 300.0)
    assert made.run(run).phase is Phase.GATED
    wait_for_people(made, 400.0)
    assert made.run(run).phase is Phase.UNDONE


def test_a_gate_expires_too_when_it_is_driven_in_many_short_turns() -> None:
    made, run = gated()
    for _ in range(30):
        wait_for_people(made, 25.0)
        if made.run(run).phase is not Phase.GATED:
            break
    assert made.run(run).phase is Phase.UNDONE, "each turn began the gate's time anew"


def test_a_limit_runs_out_too_when_a_step_is_driven_in_many_short_turns() -> None:
    made = stage()
    made.cloud.lie("freeze", 1_000_000)
    run = made.open("evacuate-all", "east", "west")
    for _ in range(30):
        made.drive(5.0)
        if made.run(run).phase is not Phase.RUNNING:
            break
    assert made.run(run).phase is Phase.HALTED, "each turn began the limit anew"


def test_a_paused_gate_stands_still() -> None:
    made, run = gated()
    wait_for_people(made, 500.0)
    made.command(run, "pause")
    wait_for_people(made, 3600.0)
    assert made.run(run).phase is Phase.PAUSED
    made.command(run, "resume")
    wait_for_people(made, 90.0)
    assert made.run(run).phase is Phase.GATED
    made.command(run, "approve")
    made.drive()
    assert made.run(run).phase is Phase.DONE


def test_a_source_that_dies_behind_its_fence_parks_the_undo_with_the_reason_and_the_commands() -> None:
    made, run = gated()
    made.cloud.kill("east")
    made.command(run, "abort")
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.PARKED
    assert "does not answer" in state.halted_because
    assert f"cloudfail resume {run}" in state.to_do and f"cloudfail close {run}" in state.to_do
    assert state.holds_fence
    made.cloud.give_back("east")
    made.command(run, "resume")
    made.drive()
    assert made.run(run).phase is Phase.UNDONE
    assert made.cloud.snapshot() == START


def test_a_halted_run_can_be_closed_as_it_stands() -> None:
    made = stage()
    made.cloud.lie("scale", 1_000_000)
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    assert made.run(run).phase is Phase.HALTED
    made.command(run, "close")
    made.drive()
    assert made.run(run).phase is Phase.DEGRADED
    assert made.engine().read().run is None, "another run may be opened"


# ---- a fence that is owed


def cut_off(**data: object) -> tuple[Stage, str]:
    """Asynchronous, the region is cut off and its clients are still inside; everything is automatic."""
    made = stage()
    made.cloud.synchronous = False
    world = made.engine().world
    world.database("orders").beat("east")
    made.clock.suspend(1.0)
    made.cloud.cut_off("east")
    run = made.open(
        "evacuate-all", "east", "west", **{"preapproved": "", "automation": "automatic", "standing": True, **data}
    )
    made.drive()
    return made, run


def says_done(log: list[Entry], run: str, step: str) -> bool:
    return any(
        e.kind is Kind.SEEN and e.data["run"] == run and e.data["step"] == step and e.data["ended"] == "done"
        for e in log
    )


def test_a_fence_that_cannot_be_proven_stops_automation_for_a_person_and_nothing_says_done() -> None:
    made, run = cut_off()
    state = made.run(run)
    assert state.phase is Phase.GATED
    assert state.did("fence").ended == "owed"
    assert "fence" in {step.name for step in state.owed}
    assert not says_done(entries(made), run, "fence")
    assert not says_done(entries(made), run, "promote")
    assert not [e for e in intents(made, run) if e.data["step"] == "promote"]
    assert made.cloud.writable_regions("orders") == {"east"}


def test_an_approval_that_does_not_name_the_owed_fence_does_not_pass_it() -> None:
    made, run = cut_off()
    made.command(run, "approve")
    made.drive()
    assert made.run(run).phase is Phase.GATED
    assert not [e for e in intents(made, run) if e.data["step"] == "promote"]


def test_a_person_who_accepts_the_owed_fence_by_name_lets_it_go_on_and_the_obligation_stands() -> None:
    made, run = cut_off()
    made.command(run, "approve", by="alice", accept_owed_fence=True)
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.DEGRADED, state.story
    assert state.accepted.owed_fence == "alice"
    assert {step.name for step in state.owed} == {"freeze_old", "stop_jobs", "fence"}
    assert {step.name for _, step in made.engine().read().obligations} == {"freeze_old", "stop_jobs", "fence"}
    assert made.cloud.writable_regions("orders") == {"west", "east"}, "which is what alice accepted"


def test_an_obligation_is_tried_again_on_every_drive_and_settled_first_when_the_region_answers() -> None:
    made, run = cut_off()
    made.command(run, "approve", accept_owed_fence=True)
    made.drive()
    count = len(made.cloud.effects)
    for _ in range(3):
        made.drive()
    assert len(made.cloud.effects) == count
    assert len(made.engine().read().obligations) == 3
    made.cloud.give_back("east")
    made.drive()
    assert made.engine().read().obligations == ()
    assert made.cloud.databases["orders"]["east"].fenced
    assert made.cloud.writable_regions("orders") == {"west"}
    assert made.cloud.frozen["deploys", "east"]


def test_an_obligation_whose_call_is_lost_is_looked_at_and_tried_again() -> None:
    made, run = cut_off()
    made.command(run, "approve", accept_owed_fence=True)
    made.drive()
    made.cloud.give_back("east")
    made.cloud.lie("fence", 2)
    for _ in range(8):
        made.drive()
        made.clock.suspend(30)
    assert made.engine().read().obligations == ()
    assert made.cloud.databases["orders"]["east"].fenced


@pytest.mark.parametrize("fault", ["lies", "permanent"])
def test_an_obligation_that_cannot_be_settled_is_tried_a_few_times_on_each_drive_and_never_given_up(fault: str) -> None:
    made, run = cut_off()
    made.command(run, "approve", accept_owed_fence=True)
    made.drive()
    made.cloud.give_back("east")
    if fault == "lies":
        made.cloud.lie("fence", 1_000_000)
    else:
        made.cloud.fail("fence", *[Permanent("access denied")] * 100)
    for _ in range(5):
        before = len(entries(made))
        made.drive()
        assert 2 <= len(entries(made)) - before <= 20
    assert [step.name for _, step in made.engine().read().obligations] == ["fence"]
    made.cloud._lies.clear()
    made.cloud._failures.clear()
    made.drive()
    assert made.engine().read().obligations == ()


@pytest.mark.parametrize("fault", ["lies", "permanent"])
def test_an_obligation_that_cannot_be_settled_within_its_run_does_not_keep_the_run_from_its_end(fault: str) -> None:
    made, run = cut_off()
    made.cloud.give_back("east")
    if fault == "lies":
        made.cloud.lie("fence", 1_000_000)
    else:
        made.cloud.fail("fence", *[Permanent("access denied")] * 1000)
    made.command(run, "approve", accept_owed_fence=True, loss_seconds=1000.0)
    before = len(entries(made))
    made.drive()
    assert made.run(run).phase is Phase.DEGRADED, made.run(run).story[-1]
    assert len(entries(made)) - before < 120
    assert [step.name for step in made.run(run).owed] == ["fence"]


def test_what_watching_cannot_put_back_at_the_end_of_a_run_halts_it() -> None:
    made = stage()
    thawed: list[str] = []

    def somebody_holds_it_again(verb: str) -> None:
        if verb == "shift" and not thawed:
            thawed.append(verb)
            made.cloud.frozen["deploys", "east"] = False
            made.cloud.lie("freeze", 1_000_000)

    made.cloud.after_effect = somebody_holds_it_again
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.HALTED, state.story[-1]
    assert "watch freeze_old" in state.halted_because
    made.cloud._lies.clear()
    made.command(run, "resume")
    made.drive()
    assert made.run(run).phase is Phase.DONE
    assert made.cloud.snapshot() == BASE["evacuate"].snapshot


def test_a_source_that_dies_after_it_was_frozen_does_not_keep_the_run_from_its_end() -> None:
    made = stage()
    made.cloud.after_effect = lambda verb: made.cloud.kill("east") if verb == "failover" else None
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    assert made.run(run).phase is Phase.DONE, made.run(run).story[-1]


def test_no_plan_leads_to_a_region_that_still_owes() -> None:
    made, run = cut_off()
    made.command(run, "approve", accept_owed_fence=True)
    made.drive()
    log = made.engine().read()
    assert log.primary == "west"
    recorded = {"web": {"east": 4, "west": 4}}
    home = bind(LOADED, LOADED.runbooks["move-all"], "west", "east", recorded, ACTIONS)
    assert any("still owes" in reason and "fence" in reason for reason in refusals(home, LOADED.topology, log, {}))
    made.cloud.give_back("east")
    made.drive()
    assert not refusals(home, LOADED.topology, made.engine().read(), {})


def test_a_region_that_answers_at_the_gate_is_fenced_before_anything_else_and_then_nothing_is_owed() -> None:
    """And nothing is promoted on what was agreed to before: the source is not lost any more, so a person decides."""
    made, run = cut_off()
    made.cloud.give_back("east")
    made.drive()
    assert made.run(run).phase is Phase.GATED, made.run(run).story[-1]
    assert "failover" not in {effect.verb for effect in made.cloud.effects}
    made.command(run, "approve")
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.DONE, state.story[-1]
    assert not state.owed
    promoted = next(e.at for e in made.cloud.effects if e.verb == "failover")
    fenced = next(e.at for e in made.cloud.effects if e.verb == "fence")
    assert fenced <= promoted
    assert made.cloud.most_writers_at_once() <= 1


def test_an_abort_after_an_owed_fence_was_settled_lifts_it_again() -> None:
    made, run = cut_off(automation="off", standing=False)
    made.cloud.give_back("east")
    made.drive()
    assert made.cloud.databases["orders"]["east"].fenced
    assert made.run(run).phase is Phase.GATED
    made.command(run, "abort")
    made.drive()
    assert made.run(run).phase is Phase.UNDONE, made.run(run).story[-1]
    assert made.cloud.snapshot() == START
    assert made.cloud.writable_regions("orders") == {"east"}


def test_an_abort_with_everything_owed_leaves_nothing_owed_and_lifts_nothing() -> None:
    made, run = cut_off()
    made.command(run, "abort")
    made.drive()
    assert made.run(run).phase is Phase.UNDONE, made.run(run).story[-1]
    assert made.cloud.snapshot() == START
    assert made.engine().read().obligations == ()
    made.cloud.give_back("east")
    made.drive()
    assert made.cloud.snapshot() == START, "a run that was taken back goes on fencing"


# ---- loss


def losing(seconds: float | None, *, fenced: bool = True) -> tuple[Stage, str]:
    """A promotion that would lose `seconds` (None: unknown) of acknowledged writes; the RPO is 30 s."""
    made = stage()
    made.cloud.synchronous = False
    now = made.clock.wall()
    members = made.cloud.databases["orders"]
    if seconds is not None:
        members["east"].heartbeat, members["west"].heartbeat = now, now - seconds
    if not fenced:
        made.cloud.cut_off("east")
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    return made, run


def test_a_loss_within_the_rpo_passes() -> None:
    made, run = losing(29.0)
    assert made.run(run).phase is Phase.DONE


def test_a_loss_over_the_rpo_halts_and_asks_for_it_by_name() -> None:
    made, run = losing(60.0)
    state = made.run(run)
    assert state.phase is Phase.HALTED
    assert "60.0 s" in state.halted_because
    assert f"cloudfail approve {run} --loss-seconds" in state.to_do
    assert not [e for e in intents(made, run) if e.data["step"] == "promote"]


@pytest.mark.parametrize(("accepted", "passes"), [(59.0, False), (60.0, True), (61.0, True), (None, False)])
def test_only_an_acceptance_of_as_many_seconds_lets_it_pass(accepted: float | None, passes: bool) -> None:
    made, run = losing(60.0)
    made.command(run, "approve", loss_seconds=accepted)
    made.drive()
    assert made.run(run).phase is (Phase.DONE if passes else Phase.HALTED), made.run(run).story[-1]


def test_a_resume_alone_does_not_let_a_loss_pass() -> None:
    made, run = losing(60.0)
    made.command(run, "resume")
    made.drive()
    assert made.run(run).phase is Phase.HALTED
    assert not [e for e in intents(made, run) if e.data["step"] == "promote"]


def test_a_loss_that_is_unknown_halts_and_is_passed_by_any_number_that_a_person_states() -> None:
    made, run = losing(None)
    state = made.run(run)
    assert state.phase is Phase.HALTED
    assert "unknown" in state.halted_because
    made.command(run, "approve", loss_seconds=600.0)
    made.drive()
    assert made.run(run).phase is Phase.DONE


def test_with_an_owed_fence_the_loss_counts_as_if_the_source_were_alive_and_grows() -> None:
    made, run = losing(0.0, fenced=False)
    made.command(run, "approve", accept_owed_fence=True)
    made.clock.suspend(45.0)
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.HALTED, state.story
    assert "it would lose" in state.halted_because
    made.command(run, "approve", accept_owed_fence=True, loss_seconds=1.0)
    made.drive()
    assert made.run(run).phase is Phase.HALTED
    made.command(run, "approve", loss_seconds=1000.0)
    made.drive()
    assert made.run(run).phase is Phase.DEGRADED
