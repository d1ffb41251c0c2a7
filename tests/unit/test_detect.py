"""detect.py: counts, voices and verdicts, and that losing observers is never taken for losing a region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.detect import Detection, needed, observe, staleness_seconds, verdicts
from cloudfail.model.observation import Health, Observation, Verdict
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage

GOOD, BAD, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN


def topology(
    vantages: dict[str, str | None] | None = None, checks: tuple[str, ...] = ("web",), **rules: Any
) -> Topology:
    if vantages is None:
        vantages = {"a": None, "b": None, "c": None}
    rules = {"every_seconds": 10.0, "timeout_seconds": 5.0, "fall": 3, "rise": 2, **rules}
    return Topology(
        "shop",
        Objectives(60, 5),
        {name: Region(name, "local") for name in ("east", "west")},
        "east",
        "",
        {},
        {name: Check(name, "tcp", "h:1", **rules) for name in checks},
        {name: Vantage(name, region=region) for name, region in vantages.items()},
    )


def fold(
    where: Topology,
    answers: Iterable[tuple[str, float, Health]],
    region: str = "east",
    check: str = "web",
    state: Detection | None = None,
) -> Detection:
    state = state or Detection(where.checks)
    for vantage, at, health in answers:
        state = observe(state, Observation(vantage, region, check, health, at, detail="what it saw"))
    return state


def rounds(vantages: str, health: Health, *times: float) -> list[tuple[str, float, Health]]:
    return [(vantage, at, health) for at in times for vantage in vantages]


def judged(where: Topology, state: Detection, now: float, region: str = "east") -> Verdict:
    return verdicts(state, where, now)[region]


def test_nothing_seen_is_unknown() -> None:
    where = topology()
    assert judged(where, Detection(where.checks), 100).health is UNKNOWN


def test_no_checks_is_unknown() -> None:
    where = topology(checks=())
    assert judged(where, Detection(where.checks), 100).health is UNKNOWN


def test_fall_bad_answers_in_a_row_from_k_vantages_are_down_and_since_is_when_the_kth_agreed() -> None:
    where = topology()
    state = fold(where, rounds("a", BAD, 0, 10, 20) + rounds("b", BAD, 3, 13))
    assert judged(where, state, 21).health is UNKNOWN
    state = fold(where, [("b", 23, BAD)], state=state)
    verdict = judged(where, state, 24)
    assert (verdict.health, verdict.since, verdict.at) == (BAD, 23, 20)
    assert "2 of 3 vantages say down (a, b)" in verdict.reasons[0]
    assert "what it saw" in verdict.reasons[0]


def test_one_good_answer_between_bad_ones_starts_the_count_again() -> None:
    where = topology()
    state = fold(where, rounds("ab", BAD, 0, 10) + rounds("ab", GOOD, 20) + rounds("ab", BAD, 30, 40))
    assert judged(where, state, 41).health is UNKNOWN
    assert judged(where, fold(where, rounds("ab", BAD, 50), state=state), 51).health is BAD


def test_rise_good_answers_make_healthy_and_fewer_than_fall_bad_ones_leave_it_so() -> None:
    where = topology()
    state = fold(where, rounds("ab", GOOD, 0))
    assert judged(where, state, 1).health is UNKNOWN
    state = fold(where, rounds("ab", GOOD, 10), state=state)
    assert judged(where, state, 11) == Verdict(
        "east", GOOD, 10, 10, ("web: 2 of 3 vantages say healthy (a, b), a saw: what it saw",)
    )
    state = fold(where, rounds("ab", BAD, 20, 30), state=state)
    verdict = judged(where, state, 31)
    assert (verdict.health, verdict.since, verdict.at) == (GOOD, 10, 30)


def test_every_check_must_be_healthy_and_one_down_is_enough() -> None:
    where = topology(checks=("web", "db"))
    state = fold(where, rounds("abc", GOOD, 0, 10))
    assert judged(where, state, 11).health is UNKNOWN
    good = fold(where, rounds("abc", GOOD, 1, 11), check="db", state=state)
    assert (judged(where, good, 12).health, judged(where, good, 12).since) == (GOOD, 11)
    bad = fold(where, rounds("abc", BAD, 12, 16, 21), check="db", state=good)
    bad = fold(where, rounds("abc", GOOD, 20), state=bad)
    assert judged(where, bad, 22).health is BAD


def test_a_vantage_that_could_not_look_says_nothing_at_once_and_its_answers_are_not_added_across() -> None:
    where = topology()
    down = fold(where, rounds("ab", BAD, 0, 10, 20))
    assert judged(where, down, 21).health is BAD
    blind = fold(where, [("a", 30, UNKNOWN)], state=down)
    assert judged(where, blind, 31).health is UNKNOWN
    again = fold(where, rounds("ab", BAD, 40, 50), state=blind)
    assert judged(where, again, 51).health is UNKNOWN
    assert judged(where, fold(where, [("a", 60, BAD)], state=again), 61).health is BAD


def test_could_not_look_never_makes_healthy() -> None:
    where = topology()
    state = fold(where, rounds("abc", GOOD, 0) + rounds("abc", UNKNOWN, 10) + rounds("abc", GOOD, 20))
    assert judged(where, state, 21).health is UNKNOWN


def test_a_silent_vantage_is_unknown_neither_healthy_nor_down() -> None:
    where = topology()
    bound = staleness_seconds(where.checks["web"])
    for health in (GOOD, BAD):
        state = fold(where, rounds("abc", health, 0, 10, 20))
        assert judged(where, state, 20 + bound).health is health
        verdict = judged(where, state, 20 + bound + 0.1)
        assert verdict.health is UNKNOWN
        assert verdict.since == 20 + bound


def test_what_a_vantage_said_before_it_fell_silent_is_not_added_to_what_it_says_after() -> None:
    where = topology()
    state = fold(where, rounds("abc", BAD, 0, 10) + rounds("abc", BAD, 100))
    assert judged(where, state, 101).health is UNKNOWN
    state = fold(where, rounds("abc", BAD, 110, 120), state=state)
    assert judged(where, state, 121).since == 120


def test_late_answers_that_all_arrive_now_but_were_given_long_ago_are_unknown() -> None:
    where = topology()
    state = fold(where, rounds("abc", BAD, 0, 10, 20, 30, 40))
    assert judged(where, state, 600).health is UNKNOWN


def test_while_a_region_comes_back_it_is_not_down() -> None:
    where = topology()
    state = fold(where, rounds("abc", BAD, 0, 10, 20))
    state = fold(where, rounds("ab", GOOD, 30), state=state)
    assert judged(where, state, 31).health is UNKNOWN
    bad_again = fold(where, rounds("ab", BAD, 40), state=state)  # one good answer does not change its mind
    # But the loss has not lasted since before it: the hold-down begins anew.
    assert (judged(where, bad_again, 41).health, judged(where, bad_again, 41).since) == (BAD, 40)
    good_again = fold(where, rounds("ab", GOOD, 40), state=state)
    assert judged(where, good_again, 41).health is GOOD


def test_vantages_inside_of_the_judged_region_alone_never_call_it_down() -> None:
    where = topology({"in1": "east", "in2": "east", "out": "west"})
    state = fold(where, [(v, at, BAD) for at in (0, 10, 20) for v in ("in1", "in2")])
    assert judged(where, state, 21).health is UNKNOWN
    state = fold(where, [("out", at, BAD) for at in (22, 32, 42)], state=state)
    state = fold(where, [(v, at, BAD) for at in (30, 40) for v in ("in1", "in2")], state=state)
    verdict = judged(where, state, 43)
    assert (verdict.health, verdict.since) == (BAD, 42)


def test_without_vantages_one_local_one_is_enough() -> None:
    where = topology({})
    assert needed(where.checks["web"], where) == 1
    assert judged(where, fold(where, [("here", at, BAD) for at in (0, 10, 20)]), 21).health is BAD


@pytest.mark.parametrize(("total", "asked", "k"), [(1, 0, 1), (2, 0, 2), (3, 0, 2), (4, 0, 3), (5, 0, 3), (5, 2, 2)])
def test_more_than_half_must_agree_unless_the_check_says_otherwise(total: int, asked: int, k: int) -> None:
    where = topology({str(i): None for i in range(total)}, vantages_needed=asked)
    assert needed(where.checks["web"], where) == k


def test_an_answer_that_comes_after_a_later_one_does_not_make_the_vantage_look_older() -> None:
    where = topology()
    state = fold(where, [*rounds("ab", GOOD, 0, 10, 20), *rounds("ab", GOOD, 12)])
    assert judged(where, state, 21).at == 20


def test_strangers_change_nothing() -> None:
    where = topology()
    state = fold(where, rounds("xyz", BAD, 0, 10, 20))
    assert judged(where, state, 21).health is UNKNOWN
    assert fold(where, rounds("abc", BAD, 0), check="no such", state=state) is state


def test_a_state_is_a_value() -> None:
    where = topology()
    before = fold(where, rounds("ab", BAD, 0, 10))
    counts = dict(before.counts)
    fold(where, rounds("ab", BAD, 20), state=before)
    assert before.counts == counts


ANSWERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(0.1, 40), st.sampled_from([GOOD, BAD, UNKNOWN])), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(ANSWERS, st.sampled_from("abc"))
def test_one_observer_alone_whatever_it_says_never_makes_a_verdict(
    answers: list[tuple[str, float, Health]], only: str
) -> None:
    where, state, now = topology(), Detection(topology().checks), 0.0
    for _, gap, health in answers:
        now += gap
        state = fold(where, [(only, now, health)], state=state)
        assert judged(where, state, now).health is UNKNOWN


@settings(max_examples=150, deadline=None)
@given(ANSWERS, st.sets(st.sampled_from("abc")))
def test_losing_observers_never_turns_a_verdict_into_down(
    answers: list[tuple[str, float, Health]], lost: set[str]
) -> None:
    """The same history, in which some vantages say `unknown` or nothing instead: down only where it was down before."""
    where = topology()
    full = blind = mute = Detection(where.checks)
    now = 0.0
    for vantage, gap, health in answers:
        now += gap
        full = fold(where, [(vantage, now, health)], state=full)
        blind = fold(where, [(vantage, now, UNKNOWN if vantage in lost else health)], state=blind)
        mute = mute if vantage in lost else fold(where, [(vantage, now, health)], state=mute)
        for state in (blind, mute):
            if judged(where, state, now).health is BAD:
                assert judged(where, full, now).health is BAD
            if judged(where, state, now).health is GOOD:
                assert judged(where, full, now).health is not UNKNOWN


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_a_verdict_is_never_younger_than_it_says_and_never_from_the_future(
    answers: list[tuple[str, float, Health]],
) -> None:
    """`since` of a down verdict is a moment from which enough vantages had indeed gone bad `fall` times."""
    where, state, now, bad_at = topology(), Detection(topology().checks), 0.0, dict[str, list[float]]()
    for vantage, gap, health in answers:
        now += gap
        bad_at.setdefault(vantage, [])
        if health is BAD:
            bad_at[vantage].append(now)
        state = fold(where, [(vantage, now, health)], state=state)
        verdict = judged(where, state, now)
        assert verdict.since <= now
        assert verdict.at <= now
        if verdict.health is BAD:
            fell = [v for v, times in bad_at.items() if len([t for t in times if t <= verdict.since]) >= 3]
            assert len(fell) >= 2
