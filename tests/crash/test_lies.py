"""A call's answer completes nothing (design.md §4 rule 5): a step is done when the world is seen to be as it wants.

For every verb: it reports success and the world does not follow; it takes effect and its reply is lost; it fails once,
twice, for good, or in a way that nobody foresaw.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState
from cloudfail.model.journal import Entry, Kind
from tests.crash.moves import BASE, EACH_VERB, MOVES, VERBS, effects, entries, intents, stage
from tests.kit import Stage

ALWAYS = 1_000_000
WAITS = {Phase.HALTED, Phase.PARKED}


def drive_and_watch(made: Stage, name: str, since: int) -> None:
    """Drive; and at each `done` see that every state change that the undisturbed step makes has landed by then."""

    def seen(entry: Entry, _state: LogState) -> None:
        if entry.kind is Kind.SEEN and entry.data["ended"] == "done":
            track = entry.data["step"] if entry.data["way"] == "do" else f"{entry.data['way']} {entry.data['step']}"
            landed = {e.verb for e in made.cloud.effects[since:] if e.step == track}
            wanted = {verb for verb, steps in BASE[name].steps.items() if track in steps}
            assert landed & wanted or not wanted, f"{track} says done before the world followed"

    engine = made.engine()
    engine._notify = seen
    engine.drive(until=made.clock.boot() + 7200)


def play(name: str, prepare: Callable[[Stage], None]) -> tuple[Stage, str, int]:
    made = stage()
    run = MOVES[name].open(made)
    since = len(made.cloud.effects)
    prepare(made)
    drive_and_watch(made, name, since)
    return made, run, since


def ends_as_undisturbed(made: Stage, run: str, name: str, since: int) -> None:
    state = made.run(run)
    assert state.phase is MOVES[name].ends, state.story[-1]
    assert made.cloud.snapshot() == BASE[name].snapshot
    assert effects(made, since) == BASE[name].effects, "every state change happens once"
    assert made.cloud.most_writers_at_once() <= 1


def waits_for_a_person(made: Stage, run: str) -> None:
    state = made.run(run)
    assert state.phase in WAITS, state.story[-1]
    assert state.halted_because
    assert f"cloudfail resume {run}" in state.to_do


def test_the_moves_use_every_verb() -> None:
    assert {verb for _, verb in EACH_VERB} == VERBS


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_call_that_says_done_is_repeated_until_the_world_follows(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.lie(verb))
    ends_as_undisturbed(made, run, name, since)
    assert max(entry.data["attempt"] for entry in intents(made, run)) == 2


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_world_that_never_follows_halts_the_run_and_resume_finishes_it(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.lie(verb, ALWAYS))
    waits_for_a_person(made, run)
    lied = BASE[name].steps[verb]
    assert not [e for e in made.cloud.effects[since:] if e.verb == verb]
    ended = [
        entry.data
        for entry in entries(made)
        if entry.kind is Kind.SEEN and entry.data["step"] in {step.removeprefix("undo ") for step in lied}
    ]
    way = "undo" if MOVES[name].ends is Phase.UNDONE else "do"
    assert not [data for data in ended if data["ended"] == "done" and data["way"] == way]
    made.cloud.lie(verb, -ALWAYS)
    made.cloud._lies.clear()
    made.command(run, "resume")
    drive_and_watch(made, name, since)
    ends_as_undisturbed(made, run, name, since)


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_reply_that_is_lost_after_the_effect_changes_the_world_once(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.lose_reply(verb))
    ends_as_undisturbed(made, run, name, since)
    results = [entry.data["outcome"] for entry in entries(made) if entry.kind is Kind.RESULT]
    assert results.count("unknown") == 1
    tried = {(entry.data["step"], entry.data["way"], entry.data["effect"]) for entry in intents(made, run)}
    assert len(tried) == len(intents(made, run)), "what had happened was ordered again"


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_transient_failure_is_tried_again_after_a_pause_that_grows(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.fail(verb, Transient("throttled"), Transient("throttled")))
    ends_as_undisturbed(made, run, name, since)
    log = entries(made)
    failed = [e for e in log if e.kind is Kind.RESULT and e.data["outcome"] == "transient"]
    assert len(failed) == 2
    for result in failed:
        again = next(
            e
            for e in log
            if e.seq > result.seq
            and e.kind is Kind.INTENT
            and (e.data["step"], e.data["way"]) == (result.data["step"], result.data["way"])
        )
        assert again.t is not None and result.t is not None
        least = 0.1 * 2 ** (again.data["attempt"] - 2)
        assert least <= again.t - result.t <= 2 * least + 1.0


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_the_providers_own_hint_when_to_try_again_is_kept(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.fail(verb, Transient("slow down", retry_after_seconds=7.0)))
    ends_as_undisturbed(made, run, name, since)
    log = entries(made)
    failed = next(e for e in log if e.kind is Kind.RESULT and e.data["outcome"] == "transient")
    again = next(
        e
        for e in log
        if e.seq > failed.seq
        and e.kind is Kind.INTENT
        and (e.data["step"], e.data["way"]) == (failed.data["step"], failed.data["way"])
    )
    assert again.t is not None and failed.t is not None and again.t - failed.t >= 6.999


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_more_transient_failures_than_retries_halt_the_run(name: str, verb: str) -> None:
    made, run, _ = play(name, lambda made: made.cloud.fail(verb, *[Transient("throttled")] * 40))
    waits_for_a_person(made, run)
    assert "throttled" in made.run(run).halted_because
    assert max(entry.data["attempt"] for entry in intents(made, run)) == 4


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_permanent_failure_is_not_tried_again(name: str, verb: str) -> None:
    # Two, where two steps share the verb; both must halt, and neither may be asked a second time.
    steps = BASE[name].steps[verb]
    made, run, since = play(name, lambda made: made.cloud.fail(verb, *[Permanent("access denied")] * len(steps)))
    waits_for_a_person(made, run)
    assert "access denied" in made.run(run).halted_because
    asked = [e.data["step"] for e in entries(made) if e.kind is Kind.RESULT and e.data["outcome"] == "permanent"]
    assert len(asked) == len(set(asked))
    made.cloud._failures.clear()
    made.command(run, "resume")
    drive_and_watch(made, name, since)
    ends_as_undisturbed(made, run, name, since)


class NobodyForesaw(Exception):
    pass


UNFORESEEN: list[Exception] = [
    NobodyForesaw("?"),
    KeyError("Items"),
    TimeoutError(),
    AttributeError("'NoneType' object has no attribute 'get'"),
    RecursionError(),
]


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
@pytest.mark.parametrize("landed", [False, True])
def test_an_error_that_nobody_foresaw_is_looked_at_before_anything_else(name: str, verb: str, landed: bool) -> None:
    error = UNFORESEEN[(sum(map(ord, verb)) + landed) % len(UNFORESEEN)]
    raised: list[str] = []

    def raise_once(called: str) -> None:
        if called == verb and not raised:
            raised.append(called)
            raise error

    def prepare(made: Stage) -> None:
        if landed:
            made.cloud.after_effect = raise_once
        else:
            made.cloud.before_effect = raise_once

    made, run, since = play(name, prepare)
    assert raised
    ends_as_undisturbed(made, run, name, since)
    unknown = [e.data for e in entries(made) if e.kind is Kind.RESULT and e.data["outcome"] == "unknown"]
    assert [data["message"].split(":")[0] for data in unknown] == [type(error).__name__]


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_a_conflict_is_looked_at_again_and_then_done(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.fail(verb, Conflict("it is not as it was seen")))
    ends_as_undisturbed(made, run, name, since)


@pytest.mark.parametrize(("name", "verb"), EACH_VERB)
def test_an_outcome_that_is_unknown_for_ever_halts_and_says_so(name: str, verb: str) -> None:
    made, run, since = play(name, lambda made: made.cloud.fail(verb, *[OutcomeUnknown("no reply")] * 40))
    waits_for_a_person(made, run)
    assert not [e for e in made.cloud.effects[since:] if e.verb == verb]
