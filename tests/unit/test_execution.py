"""What to do now: properties of the pure core over logs that nobody wrote, and runs under a virtual clock."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.execution.commands import ActOn, AppendEntry, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.lifecycle import PEOPLES, Event, Phase
from cloudfail.execution.next import next_commands, obligation_commands, watch_commands
from cloudfail.execution.state import LogState, RunState, Track, fold
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.policy import Automation
from cloudfail.model.runbook import Mode
from cloudfail.plan import bind
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from tests.crash.moves import FULL, LOADED, VERBS, entries, intents, stage
from tests.kit import Stage

EXAMPLES = 2000 if FULL else 120


def step(name: str, action: str | None, needs: tuple[str, ...] = (), **more: Any) -> PlannedStep:
    defaults: dict[str, Any] = {"gate": None, "arguments": {}, "limit_seconds": 60.0, "expires_seconds": 600.0}
    return PlannedStep(name=name, action=action, needs=needs, retries=3, **{**defaults, **more})


PLAN = Plan(
    application="shop",
    runbook="evacuate",
    mode=Mode.FAILOVER,
    source="east",
    target="west",
    steps=(
        step("freeze", "change.freeze", undo=("change.unfreeze", {}), facts=StepFacts("freeze", settle_seconds=1.0)),
        step("fence", "database.fence", ("freeze",), undo=("database.unfence", {}), facts=StepFacts("fence")),
        step("approve", None, ("fence",), gate="approval"),
        step("promote", "database.failover", ("approve",), point_of_no_return=True, facts=StepFacts("failover")),
        step("scale", "compute.scale", ("freeze",), undo=("compute.scale", {}), facts=StepFacts("scale")),
        step("switch", "traffic.switch", ("promote", "scale"), undo=("traffic.switch", {}), facts=StepFacts("shift")),
    ),
    bounds=Bounds(30.0),
    checksum="",
    expires_seconds=3600.0,
)
PLAN = replace(PLAN, checksum=checksum_of(PLAN))
NAMES = [planned.name for planned in PLAN.steps]
WAYS = ["do", "undo", "owed", "watch"]
TRACKS = [Track(name, way) for name in NAMES if name != "approve" for way in WAYS]

tracks = st.sampled_from(TRACKS)
looks = st.one_of(
    st.builds(Todo, st.sampled_from(["do it", "do another"]), loses_data=st.booleans(),
              loss_if_dead_seconds=st.sampled_from([None, 0.0, 40.0]),
              loss_if_alive_seconds=st.sampled_from([None, 0.0, 40.0])),
    st.just(Moving("on its way")), st.just(Done("done")), st.just(Owed("no answer")), st.just(NotKnown("no answer")),
)  # fmt: skip


def _of(track: Track) -> dict[str, Any]:
    return {"step": track.step, "way": track.way}


said = st.one_of(
    st.builds(
        lambda track, attempt, effect: (Kind.INTENT, {**_of(track), "attempt": attempt, "effect": effect}),
        tracks, st.integers(1, 5), st.sampled_from(["do it", "do another"]),
    ),
    st.builds(
        lambda track, outcome: (Kind.RESULT, {**_of(track), "outcome": outcome, "message": "m"}),
        tracks, st.sampled_from(["ok", "transient", "permanent", "conflict", "unknown", "stopped"]),
    ),
    st.builds(
        lambda track, ended: (Kind.SEEN, {**_of(track), "ended": ended, "detail": "d"}),
        tracks, st.sampled_from(["done", "owed", "failed", "skipped"]),
    ),
    st.builds(
        lambda event: (Kind.GATE, {"step": "approve", "event": str(event), "detail": ""}),
        st.sampled_from([Event.GATE_OPENED, Event.GATE_PASSED, Event.GATE_EXPIRED]),
    ),
    st.builds(
        lambda command, owed, loss: (
            Kind.COMMAND, {"command": str(command), "accept_owed_fence": owed, "loss_seconds": loss},
        ),
        st.sampled_from(sorted(PEOPLES)), st.booleans(), st.sampled_from([None, 10.0, 100.0]),
    ),
    st.just((Kind.HALT, {"event": str(Event.HALT), "reason": "because", "to_do": "do this", "asks": {}})),
)  # fmt: skip


@st.composite
def moments(draw: st.DrawFn) -> tuple[RunState, Now]:
    """A run as some log tells it, and a moment in it."""
    data = {"run": "r1", "plan": plan_document(PLAN), "automation": "off", "reason": "east is lost"}
    log: list[Entry] = [
        Entry(1, Kind.CLAIM, 1, "w1", 0.0, 0.0, "", "", {"lease_seconds": 30.0, "quiet_seconds": 0.0}),
        Entry(
            2, Kind.OPENED, 0, "alice", 0.0, None, "", "", {**data, "preapproved": draw(st.sampled_from(["", "bob"]))}
        ),
    ]
    t = 0.0
    for kind, more in draw(st.lists(said, max_size=14)):
        t += draw(st.sampled_from([0.0, 0.5, 20.0]))
        log.append(Entry(len(log) + 1, kind, 1, "w1", 0.0, t, "", "", {"run": "r1", **more}))
    run = fold(LogState(), log).runs["r1"]
    now_t = t + draw(st.sampled_from([0.0, 0.5, 5.0, 100.0, 1000.0]))
    seen = {
        track: Observed(draw(looks), now_t - draw(st.sampled_from([0.0, 1.0, 10.0])), draw(st.integers(1, 40)))
        for track in draw(st.sets(tracks, max_size=10))
    }
    busy = frozenset(draw(st.sets(tracks, max_size=3)))
    return run, Now(now_t, now_t + draw(st.sampled_from([-50.0, -5.0, 0.0, 5.0])), busy, seen)


properties = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def everything(run: RunState, now: Now) -> list[Any]:
    return [*next_commands(run, now), *watch_commands(run, now), *obligation_commands(run, now)]


@properties
@given(moments())
def test_nothing_is_ordered_while_a_call_of_the_same_step_is_out(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in everything(run, now):
        if isinstance(command, ActOn | LookAt):
            assert command.track not in now.busy


@properties
@given(moments())
def test_nothing_is_ordered_while_an_earlier_workers_call_may_still_land(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in everything(run, now):
        if isinstance(command, ActOn):
            assert now.t >= now.quiet_until
            assert now.looks[command.track].t >= now.quiet_until, "the look was taken before that time was over"


@properties
@given(moments())
def test_nothing_is_ordered_but_what_a_look_said_is_to_do(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in everything(run, now):
        if isinstance(command, ActOn):
            assert now.looks[command.track].seen is command.todo


@properties
@given(moments())
def test_an_entry_is_appended_alone(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for commands in (next_commands(run, now), watch_commands(run, now), obligation_commands(run, now)):
        if any(isinstance(command, AppendEntry) for command in commands):
            assert len(commands) == 1


@properties
@given(moments())
def test_a_run_that_waits_for_a_person_orders_nothing_of_its_own(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in next_commands(run, now):
        if isinstance(command, ActOn):
            assert run.phase.may_act or (run.phase is Phase.HALTED and command.track.way == "owed")
        if run.phase in {Phase.PAUSED, Phase.PARKED}:
            assert isinstance(command, WaitUntil)


@properties
@given(moments())
def test_no_step_is_begun_before_what_it_needs(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in next_commands(run, now):
        if isinstance(command, ActOn | LookAt) and command.track.way == "do":
            needs = run.plan.step(command.track.step).needs
            assert all(run.did(need).ended in {"done", "owed"} for need in needs)


@properties
@given(moments())
def test_no_fence_is_lifted_once_a_promotion_was_ordered_in_a_run_that_undoes_nothing(
    moment: tuple[RunState, Now],
) -> None:
    run, now = moment
    for command in next_commands(run, now):
        if isinstance(command, ActOn) and command.track == Track("fence", "undo"):
            assert run.phase is Phase.UNDOING


@properties
@given(moments())
def test_no_promotion_is_ordered_without_its_bound_or_somebodys_word(moment: tuple[RunState, Now]) -> None:
    """I3, and I1 for the fence."""
    run, now = moment
    for command in next_commands(run, now):
        if isinstance(command, ActOn) and command.track == Track("promote", "do") and command.todo.loses_data:
            settled = run.track(Track("fence", "owed")).ended == "done"
            # An outcome is what a fence was proven with; none in these logs, so each of them needs a word.
            assert run.accepted.owed_fence or (settled and run.track(Track("fence", "owed")).outcome)
            loss = command.todo.loss_if_alive_seconds
            if loss is None or loss > run.plan.bounds.loss_seconds_max:
                assert run.accepted.loss_seconds is not None and run.accepted.loss_seconds >= (loss or 0.0)


@properties
@given(moments())
def test_a_run_that_may_act_is_never_at_a_loss_for_what_to_do(moment: tuple[RunState, Now]) -> None:
    """L1: nothing to do and nobody to ask would be a run that hangs."""
    run, now = moment
    if run.phase in {Phase.RUNNING, Phase.UNDOING} and not now.busy:
        assert next_commands(run, now)


@properties
@given(moments())
def test_what_waits_waits_for_a_time_to_come(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    for command in everything(run, now):
        if isinstance(command, WaitUntil):
            assert command.t > now.t, "a wait that is over already would spin"


@properties
@given(moments())
def test_the_same_moment_gives_the_same_commands(moment: tuple[RunState, Now]) -> None:
    run, now = moment
    assert next_commands(run, now) == next_commands(run, now)


# ---- runs under a virtual clock


def test_branches_that_do_not_need_each_other_overlap() -> None:
    made = stage()
    made.cloud.promote_seconds = made.cloud.workers_start_seconds = 60.0
    start = made.clock.boot()
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    assert made.run(run).phase is Phase.DONE
    assert made.clock.boot() - start < 90.0, "one after the other it would be two minutes"


def threaded(cloud: FakeCloud, store: MemoryStore, made: Stage, lease_seconds: float) -> Engine:
    return Engine(
        store=store, application=made.application, world=FakeWorld(cloud), actions=ACTIONS, clock=SystemClock(),
        calls=ThreadCalls(), worker="w1", lease_seconds=lease_seconds,
    )  # fmt: skip


def test_calls_of_branches_overlap_in_real_time_too() -> None:
    made = stage()
    made.cloud.clock = SystemClock()
    made.cloud.promote_seconds = made.cloud.workers_start_seconds = 0.0
    out, most, lock = [0], [0], threading.Lock()

    def slow(_verb: str) -> None:
        with lock:
            out[0] += 1
            most[0] = max(most[0], out[0])
        time.sleep(0.05)
        with lock:
            out[0] -= 1

    made.cloud.before_effect = slow
    made.open("evacuate-all", "east", "west")
    state = threaded(made.cloud, made.store, made, 10.0).drive(until=SystemClock().boot() + 20)  # type: ignore[arg-type]
    assert state.runs["r1"].phase is Phase.DONE, state.runs["r1"].story[-1]
    assert most[0] >= 2


def test_a_call_that_never_comes_back_keeps_the_lease_from_being_released() -> None:
    """Whoever is next waits as after a worker that fell silent: the call may still land."""
    made = stage()
    made.cloud.clock = SystemClock()
    hangs = threading.Event()
    made.cloud.before_effect = lambda _verb: hangs.wait(20) and None
    made.open("evacuate-all", "east", "west")
    engine = threaded(made.cloud, made.store, made, 1.0)  # type: ignore[arg-type]
    state = engine.drive(until=SystemClock().boot() + 0.3)
    assert state.holder == "w1"
    assert Kind.RELEASE not in {entry.kind for entry in entries(made)}
    hangs.set()


def test_a_verb_of_more_effects_than_retries_has_its_attempts_for_each_of_them() -> None:
    tools = {f"tool{index}": replace(LOADED.topology.resources["deploys"], name=f"tool{index}") for index in range(9)}
    topology = replace(LOADED.topology, resources={**LOADED.topology.resources, **tools})
    loaded = replace(LOADED, topology=topology, kinds={**LOADED.kinds, **dict.fromkeys(tools, LOADED.kinds["deploys"])})
    made = Stage(loaded)
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    assert made.run(run).phase is Phase.DONE, made.run(run).story[-1]
    assert len([e for e in made.cloud.effects if e.step == "freeze"]) == 10


def test_retries_are_counted_and_a_call_that_was_not_made_is_none() -> None:
    made = stage()
    run = made.open("evacuate-all", "east", "west")
    told: list[str] = []

    def pause(verb: str) -> None:
        if verb == "freeze" and len(told) < 6:
            told.append(verb)
            made.command(run, "pause")

    made.cloud.before_call = pause
    for _ in range(12):
        made.drive()
        if made.run(run).phase is Phase.PAUSED:
            made.command(run, "resume")
    assert len(told) == 6
    assert made.run(run).phase is Phase.DONE, "pausing used up the retries"


def test_a_limit_that_runs_out_halts_with_the_step_and_the_limit() -> None:
    made = stage()
    made.cloud.workers_start_seconds = 1e9
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    state = made.run(run)
    assert state.phase is Phase.HALTED
    assert "scale" in state.halted_because and "240 s" in state.halted_because
    assert state.did("promote").ended == "done", "other branches went on to their end"


def test_a_plan_that_was_written_out_and_read_back_is_the_same_run() -> None:
    made = stage()
    run = made.open("evacuate-all", "east", "west", automation="automatic")
    assert made.run(run).automation is Automation.AUTOMATIC
    recorded = {"web": {"east": 4, "west": 4}}
    assert made.run(run).plan == bind(LOADED, LOADED.runbooks["evacuate-all"], "east", "west", recorded, ACTIONS)


# ---- L1: whatever happened, when it stops the run ends or waits for a person who is told why

FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["lie", "transient", "unknown", "reply", "kill", "cut", "sick"]),
        st.sampled_from(sorted(VERBS)),
        st.integers(1, 6),
        st.sampled_from(["east", "west"]),
        st.sampled_from([0.0, 0.5, 3.0, 4.5, 30.0]),
    ),
    max_size=5,
)


@settings(max_examples=300 if FULL else 30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(FAULTS, st.sampled_from(["evacuate-all", "move-all"]), st.booleans(), st.sampled_from(["", "abort", "pause"]))
def test_after_faults_stop_every_run_ends_or_waits_for_a_person_who_is_told_why(
    faults: list[tuple[str, str, int, str, float]], runbook: str, synchronous: bool, command: str
) -> None:
    made = stage()
    cloud = made.cloud
    cloud.synchronous = synchronous
    made.engine().world.database("orders").beat("east")
    for fault, verb, times, region, after in faults:
        match fault:
            case "lie":
                cloud.lie(verb, times)
            case "transient":
                cloud.fail(verb, *[Transient("throttled")] * times)
            case "unknown":
                cloud.fail(verb, *[OutcomeUnknown("no reply")] * times)
            case "reply":
                cloud.lose_reply(verb, times)
            case "kill":
                made.clock.at(after, lambda region=region: cloud.kill(region))  # type: ignore[misc]
            case "cut":
                made.clock.at(after, lambda region=region: cloud.cut_off(region))  # type: ignore[misc]
            case _:
                made.clock.at(after, lambda region=region: cloud.unhealthy.add(region))  # type: ignore[misc]
            # Everything ends.
        made.clock.at(after + 40.0, lambda region=region: cloud.give_back(region))  # type: ignore[misc]
        made.clock.at(after + 40.0, lambda region=region: cloud.unhealthy.discard(region))  # type: ignore[misc]
    run = made.open(runbook, "east", "west")
    if command:
        made.clock.at(4.0, lambda: made.command(run, command))
    start = made.clock.boot()
    made.drive(100_000.0)
    state = made.run(run)
    assert made.clock.boot() - start <= sum(planned.limit_seconds for planned in state.plan.steps) + 3600
    if not state.phase.final:
        assert state.phase in {Phase.HALTED, Phase.PARKED, Phase.PAUSED, Phase.GATED}, state.story[-1]
        assert state.halted_because and "cloudfail" in state.to_do, state.story[-1]
    if not state.accepted.owed_fence:
        assert cloud.most_writers_at_once() <= 1
    asked = [entry.data for entry in intents(made, run)]
    assert all(data["attempt"] <= 4 for data in asked if data["way"] != "owed")
