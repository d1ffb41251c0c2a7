"""The edges of counting: staleness, several checks, what a verdict's times mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.detect import HERE, Count, Detection, needed, observe, staleness_seconds, vantages_of, verdicts
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


Answer = tuple[str, float, Health]


def fold(
    where: Topology, answers: Iterable[Answer], check: str = "web", state: Detection | None = None, detail: str = ""
) -> Detection:
    state = state or Detection(where.checks)
    for vantage, at, health in answers:
        state = observe(state, Observation(vantage, "east", check, health, at, detail=detail))
    return state


def rounds(vantages: str, health: Health, *times: float) -> list[Answer]:
    return [(vantage, at, health) for at in times for vantage in vantages]


def judged(where: Topology, state: Detection, now: float, region: str = "east") -> Verdict:
    return verdicts(state, where, now)[region]


def count(state: Detection, vantage: str = "a") -> Count:
    return state.counts["east", "web", vantage]


CHECK = topology().checks["web"]


def test_every_region_is_judged_by_itself() -> None:
    where = topology()
    state = fold(where, rounds("abc", BAD, 0, 10, 20))
    assert {name: one.health for name, one in verdicts(state, where, 21).items()} == {"east": BAD, "west": UNKNOWN}
    assert judged(where, state, 21).region == "east"


@pytest.mark.parametrize(
    ("every", "timeout", "bound"), [(10.0, 5.0, 30.0), (10.0, 18.0, 34.0), (10.0, 30.0, 46.0), (1.0, 5.0, 8.4)]
)
def test_an_answer_is_stale_after_three_intervals_or_a_slow_answer_and_its_grace(
    every: float, timeout: float, bound: float
) -> None:
    assert staleness_seconds(replace(CHECK, every_seconds=every, timeout_seconds=timeout)) == pytest.approx(bound)


def test_one_machine_in_no_region_looks_where_no_vantage_is_configured() -> None:
    assert vantages_of(topology({})) == {"here": HERE}
    assert HERE.region is None
    assert list(vantages_of(topology())) == ["a", "b", "c"]


def test_what_was_not_enough_yet_leaves_a_vantages_mind_open() -> None:
    where = topology()
    two = count(fold(where, rounds("a", BAD, 0, 10), detail="refused"))
    assert two == Count(UNKNOWN, 0, BAD, 2, 10, "refused")
    three = count(fold(where, rounds("a", BAD, 0, 10, 20), detail="refused"))
    assert three == Count(BAD, 20, BAD, 3, 20, "refused")
    assert count(fold(where, rounds("a", BAD, 0, 10, 20, 30))) == Count(BAD, 20, BAD, 4, 30)


def test_rise_and_fall_are_counted_apart() -> None:
    where = topology(fall=2, rise=4)
    assert count(fold(where, rounds("a", BAD, 0, 10))).health is BAD
    assert count(fold(where, rounds("a", GOOD, 0, 10, 20))).health is UNKNOWN
    assert count(fold(where, rounds("a", GOOD, 0, 10, 20, 30))).health is GOOD


def test_a_vantage_that_could_not_look_is_unknown_since_it_first_could_not() -> None:
    where = topology()
    state = fold(where, [*rounds("a", BAD, 0, 10, 20), *rounds("a", UNKNOWN, 30, 40)], detail="no route")
    assert count(state) == Count(UNKNOWN, 30, UNKNOWN, 0, 40, "no route")
    assert count(fold(where, rounds("a", UNKNOWN, 30))).since == 30


def test_after_a_silence_a_vantage_begins_anew_and_was_unknown_since_it_fell_silent() -> None:
    where = topology()
    state = fold(where, rounds("a", BAD, 0, 10, 20, 51))
    assert count(state) == Count(UNKNOWN, 50, BAD, 1, 51)
    in_time = fold(where, rounds("a", BAD, 0, 10, 20, 50))
    assert count(in_time) == Count(BAD, 20, BAD, 4, 50)


def test_a_voice_is_silent_after_the_bound_and_says_since_when() -> None:
    down = Count(BAD, 20, BAD, 3, 40)
    assert (down.voice(CHECK, 70), down.voice_since(CHECK, 70)) == (BAD, 20)
    assert (down.voice(CHECK, 70.5), down.voice_since(CHECK, 70.5)) == (UNKNOWN, 70)
    well = Count(GOOD, 20, GOOD, 3, 40)
    assert (well.voice(CHECK, 70), well.voice_since(CHECK, 70)) == (GOOD, 20)


def test_a_voice_that_says_down_is_silent_from_its_newest_good_answer() -> None:
    doubt = Count(BAD, 20, GOOD, 1, 40)
    assert (doubt.voice(CHECK, 41), doubt.voice_since(CHECK, 41)) == (UNKNOWN, 40)
    well = Count(GOOD, 20, BAD, 1, 40)
    assert (well.voice(CHECK, 41), well.voice_since(CHECK, 41)) == (GOOD, 20)


def test_a_down_verdict_is_as_old_as_the_kth_that_agrees_and_its_evidence_as_the_kth_newest() -> None:
    where = topology(dict.fromkeys("abcde"))
    state = fold(where, [*rounds("a", BAD, 0, 10, 20, 30), *rounds("b", BAD, 1, 11, 21), *rounds("c", BAD, 4, 14, 24)])
    verdict = judged(where, state, 31)
    assert (verdict.health, verdict.since, verdict.at) == (BAD, 24, 21)
    more = fold(where, rounds("d", BAD, 5, 15, 29), state=state)
    assert (judged(where, more, 31).since, judged(where, more, 31).at) == (24, 24), "a fourth makes it no younger"


def test_the_verdict_is_no_older_than_the_first_voice_from_outside() -> None:
    where = topology({"in1": "east", "in2": "east", "out1": "west", "out2": None})
    inside = [(name, at, BAD) for at in (0.0, 10.0, 20.0) for name in ("in1", "in2")]
    late = [("out1", at, BAD) for at in (5.0, 15.0, 25.0)] + [("out2", at, BAD) for at in (8.0, 18.0, 28.0)]
    verdict = judged(where, fold(where, [*inside, *late]), 29)
    assert (verdict.health, verdict.since) == (BAD, 25)


def test_of_several_checks_that_are_down_the_first_counts_and_each_gives_its_reason() -> None:
    where = topology(checks=("web", "db"))
    state = fold(where, rounds("ab", BAD, 0, 10, 20))
    state = fold(where, rounds("ab", BAD, 5, 15, 25), check="db", state=state)
    verdict = judged(where, state, 26)
    assert (verdict.health, verdict.since, verdict.at) == (BAD, 20, 20)
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["web", "db"]


def test_healthy_is_as_young_as_the_last_check_and_its_evidence_as_old_as_the_oldest() -> None:
    where = topology(checks=("web", "db"))
    state = fold(where, rounds("abc", GOOD, 0, 10))
    state = fold(where, rounds("abc", GOOD, 5, 15), check="db", state=state)
    verdict = judged(where, state, 16)
    assert (verdict.health, verdict.since, verdict.at) == (GOOD, 15, 10)
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["web", "db"]
    assert (
        judged(where, fold(where, rounds("b", UNKNOWN, 20) + rounds("c", UNKNOWN, 20), state=state), 21).health
        is UNKNOWN
    )


def test_unknown_is_dated_by_the_last_change_of_anyones_voice_and_never_later_than_now() -> None:
    where = topology()
    assert (judged(where, Detection(where.checks), 100).since, judged(where, Detection(where.checks), 100).at) == (
        100,
        100,
    )
    state = fold(where, rounds("a", BAD, 0, 10, 20) + rounds("b", GOOD, 1, 11))
    verdict = judged(where, state, 21)
    assert (verdict.region, verdict.health, verdict.since, verdict.at) == ("east", UNKNOWN, 20, 21)
    early = judged(where, fold(where, rounds("a", UNKNOWN, 50)), 40)
    assert early.since == 40


def test_without_a_check_nothing_is_known_and_that_is_the_reason() -> None:
    where = topology(checks=())
    verdict = judged(where, Detection(where.checks), 100)
    assert (verdict.region, verdict.health, verdict.since, verdict.at) == ("east", UNKNOWN, 100, 100)
    assert verdict.reasons


def test_an_unknown_verdict_says_who_says_what_how_many_must_agree_and_why_one_is_silent() -> None:
    where = topology()
    state = fold(where, rounds("a", BAD, 0, 10, 20) + rounds("b", UNKNOWN, 20), detail="no route")
    (reason,) = judged(where, state, 21).reasons
    assert "1 down" in reason and "2 unknown" in reason and "0 healthy" in reason
    assert "2 must agree" in reason and "b: no route" in reason


def test_a_verdict_is_counted_by_the_rules_that_the_answers_were_counted_by() -> None:
    """A file that was changed while the answers were on their way: the state keeps its own checks."""
    where = topology()
    state = fold(where, rounds("ab", BAD, 0, 10, 20))
    hasty = topology(every_seconds=1.0, timeout_seconds=0.5)
    assert judged(hasty, state, 45).health is BAD
    other = replace(hasty, checks={"new": replace(CHECK, name="new")})
    assert judged(other, state, 21).health is UNKNOWN


def test_the_number_that_must_agree_is_what_the_check_says() -> None:
    where = topology(vantages_needed=3)
    state = fold(where, rounds("ab", BAD, 0, 10, 20))
    assert needed(where.checks["web"], where) == 3
    assert judged(where, state, 21).health is UNKNOWN
    assert judged(where, fold(where, rounds("c", BAD, 0, 10, 20), state=state), 21).health is BAD


# ---- a vantage that may be blind


def seen_by(
    vantage: str, health: Health, *regions: str, check: str = "web", state: Detection | None = None
) -> Detection:
    """What three looks in a row of one vantage at these regions leave."""
    state = state or Detection(topology().checks)
    for at in (0.0, 10.0, 20.0):
        for region in regions:
            state = observe(state, Observation(vantage, region, check, health, at))
    return state


def test_who_calls_every_region_down_is_not_counted() -> None:
    where = topology()
    state = seen_by("b", BAD, "east", state=seen_by("a", BAD, "east", "west"))
    verdict = judged(where, state, 21)
    assert verdict.health is UNKNOWN
    assert any(reason.startswith("a sees") for reason in verdict.reasons), "who was not counted is named"
    assert judged(where, seen_by("c", BAD, "east", state=state), 21).health is BAD, "the other two are enough"
    both = seen_by("b", BAD, "east", "west", state=seen_by("a", BAD, "east", "west"))
    reasons = judged(where, both, 21).reasons
    assert any(reason.startswith("a, b see") for reason in reasons)


def test_who_calls_one_region_down_or_sees_another_healthy_is_counted() -> None:
    where = topology()
    one = seen_by("b", BAD, "east", state=seen_by("a", BAD, "east"))
    assert judged(where, one, 21).health is BAD
    assert len(judged(where, one, 21).reasons) == 1
    sees = seen_by("a", GOOD, "west", state=one)
    assert judged(where, sees, 21).health is BAD
    two = topology(checks=("web", "db"))
    mixed = seen_by("a", GOOD, "west", check="db", state=Detection(two.checks))
    mixed = seen_by("b", BAD, "east", state=seen_by("a", BAD, "east", "west", state=mixed))
    assert judged(two, mixed, 21).health is BAD, "it sees something, so it is not blind"


def test_what_is_said_of_a_region_that_the_file_does_not_have_makes_nobody_blind_and_nobody_seeing() -> None:
    where = topology()
    strange = seen_by("b", BAD, "east", state=seen_by("a", BAD, "mars", "east"))
    assert judged(where, strange, 21).health is BAD
    healthy = seen_by("a", BAD, "east", "west", state=seen_by("a", GOOD, "mars"))
    assert judged(where, seen_by("b", BAD, "east", state=healthy), 21).health is UNKNOWN


def test_who_has_only_stale_news_of_the_other_region_is_not_counted() -> None:
    where = topology()
    fresh = [Observation("a", "east", "web", BAD, at) for at in (40.0, 50.0, 60.0)]
    state = seen_by("a", BAD, "west")
    for observation in [*fresh, *(replace(one, vantage="b") for one in fresh)]:
        state = observe(state, observation)
    assert judged(where, state, 61).health is UNKNOWN, "what it said of west is stale, and may be so for its own fault"


def test_an_interrupted_loss_begins_anew_with_the_first_bad_answer_after_the_good_one() -> None:
    where = topology()
    state = fold(where, [*rounds("a", BAD, 0, 10, 20), *rounds("a", GOOD, 30), *rounds("a", BAD, 40)], detail="refused")
    assert count(state) == Count(BAD, 40, BAD, 1, 40, "refused")
    assert count(fold(where, rounds("a", BAD, 50), state=state)).since == 40
    still = fold(where, [*rounds("a", BAD, 0, 10, 20), *rounds("a", GOOD, 30)], detail="served")
    assert count(still) == Count(BAD, 20, GOOD, 1, 30, "served")
    slow = topology(rise=3)
    twice = fold(slow, [*rounds("a", BAD, 0, 10, 20), *rounds("a", GOOD, 30, 40)])
    assert count(twice) == Count(BAD, 20, GOOD, 2, 40)
