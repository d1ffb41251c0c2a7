"""Ordinary weather (cloudfail/testing/simulation/weather/): no false failover, every real loss acted on; and that the
simulator would say so if it were otherwise."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from cloudfail import decide, detect
from cloudfail.decide import DecisionKind, History
from cloudfail.model.observation import Health, Observation
from cloudfail.testing.simulation.weather import (
    CLIMATE,
    EVERYWHERE,
    HOUR,
    MINUTE,
    Effect,
    Event,
    Sky,
    Year,
    down_for_users,
    ordinary,
    play,
    weather,
    year,
)

FULL = os.environ.get("CLOUDFAIL_FULL") == "1"
VANTAGES = ("east", "west", "witness")
CHECKS = ("web", "orders")
START = 10 * HOUR


def lost(seconds: float, start: float = START, region: str = "east", **changes: object) -> Event:
    """All of a region fails for all, if `changes` say nothing else."""
    event = Event(
        "made", start, start + seconds, Effect.FAILS, VANTAGES, (region,), CHECKS, fails=1.0, places=EVERYWHERE
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def blind(vantage: str, seconds: float, effect: Effect, start: float = START, **changes: object) -> Event:
    event = Event("blind", start, start + seconds, effect, (vantage,), ("east", "west"), CHECKS)
    return replace(event, **changes)  # type: ignore[arg-type]


def played(*events: Event, seed: int = 1, every_answer: bool = False, **policy: float) -> Year:
    return play(
        sorted(events, key=lambda event: event.start),
        ordinary(**policy),
        random.Random(seed),
        years=0.001,
        every_answer=every_answer,
    )


def test_in_ordinary_weather_no_failover_is_false_and_every_loss_is_acted_on() -> None:
    result = weather(10_000 if FULL else 200, seed=2026)
    assert not result.false, "\n".join(map(str, result.false))
    assert not result.early, "\n".join(map(str, result.early))
    assert not result.missed, "\n".join(map(str, result.missed))
    assert result.acted == result.losses > result.region_years
    assert result.overlaps > result.region_years / 2
    assert set(result.decisions) >= {"stay", "warn", "act"}
    assert {kind.name.split(",")[0] for kind in CLIMATE} <= {name.split(",")[0] for name in result.events}
    assert 205 <= result.delay(50) <= 215
    assert result.delay(100) <= 216


def test_a_year_is_drawn_from_its_seed_and_can_be_played_alone() -> None:
    together: list[Year] = []
    weather(3, seed=7, tell=together.append)
    alone = year("7.2")
    assert alone == replace(together[2], asked=alone.asked)  # what others have asked need not be asked again
    assert year("7.1").events != alone.events


@pytest.mark.parametrize("number", range(40 if FULL else 3))
def test_what_is_skipped_changes_no_decision_and_no_moment(number: int) -> None:
    """Three hours with the events of two months, once with every answer folded and every question asked."""
    skipped = year(f"dense.{number}", years=0.125 / 365.25, times=400)
    whole = year(f"dense.{number}", years=0.125 / 365.25, times=400, every_answer=True)
    assert whole.folded > 30 * skipped.folded
    began = [moment for moment in whole.said if moment[0] > HOUR]  # before, the other one is still counting to healthy
    assert [kind for _, kind in skipped.said] == [kind for _, kind in began]
    assert [at for at, _ in skipped.said] == pytest.approx([at for at, _ in began], abs=0.002)
    assert [(act.source, act.right) for act in skipped.acts] == [(act.source, act.right) for act in whole.acts]
    assert [act.at for act in skipped.acts] == pytest.approx([act.at for act in whole.acts], abs=0.002)
    assert [loss.due for loss in skipped.losses] == [loss.due for loss in whole.losses]
    assert (len(skipped.false), len(skipped.missed)) == (len(whole.false), len(whole.missed))


# ---- each kind alone


@pytest.mark.parametrize("seed", range(5))
def test_githubs_43_seconds_are_not_acted_on(seed: int) -> None:
    result = played(lost(43.0), seed=seed)
    assert not result.acts


@pytest.mark.parametrize("seed", range(5))
def test_a_lost_region_is_acted_on_after_detection_and_hold_down(seed: int) -> None:
    result = played(lost(HOUR), blind("east", HOUR, Effect.SILENT), seed=seed)
    assert [act.right for act in result.acts] == [True]
    assert 180 + 20 <= result.acts[0].at - START <= 180 + 35
    assert [loss.acted for loss in result.losses] == [result.acts[0].at]


def test_one_check_that_fails_everywhere_is_a_loss() -> None:
    result = played(lost(HOUR, checks=("orders",)))
    assert [(act.source, act.right) for act in result.acts] == [("east", True)]


def test_the_loss_of_the_standby_is_answered_by_nothing_and_its_return_neither() -> None:
    assert not played(lost(HOUR, region="west")).acts


def test_while_all_are_blind_nothing_is_done_however_they_are_blind() -> None:
    for effect, share in ((Effect.UNKNOWN, 0.0), (Effect.SILENT, 0.0), (Effect.FAILS, 1.0), (Effect.LATE, 0.0)):
        result = played(*(blind(vantage, HOUR, effect, fails=share) for vantage in VANTAGES))
        assert not result.acts
        assert DecisionKind.WARN in [kind for _, kind in result.said]


def test_a_decider_that_restarts_hands_on_how_long_it_saw_the_loss() -> None:
    restart = Event("decider restarts", START + 120, START + 130, Effect.RESTARTS, VANTAGES, ("east", "west"), CHECKS)
    kept = played(lost(HOUR), restart)
    forgotten = played(lost(HOUR), replace(restart, died=True))
    assert 180 + 20 <= kept.acts[0].at - START <= 180 + 20 + 60
    assert 130 + 180 + 10 <= forgotten.acts[0].at - START <= 130 + 180 + 40
    assert kept.acts[0].right
    assert forgotten.acts[0].right


def test_after_a_failover_the_cool_down_keeps_the_second_loss_waiting() -> None:
    both = played(lost(3 * HOUR), lost(3 * HOUR, start=START + 4 * HOUR, region="west"))
    assert [act.source for act in both.acts] == ["east", "west"]
    soon = played(lost(20 * MINUTE), lost(2 * HOUR, start=START + 30 * MINUTE, region="west"))
    assert [act.source for act in soon.acts] == ["east", "west"]
    assert soon.acts[1].at - soon.acts[0].at >= 3600
    assert not soon.missed


# ---- the truth


def test_the_truth_asks_most_places_half_the_requests_and_no_pause() -> None:
    def down(*events: Event) -> bool:
        return down_for_users(events, "east", START, START + 180, 20.0)

    assert down(lost(HOUR, start=START - 60))
    assert not down(lost(HOUR, start=START - 60, region="west"))
    assert down(lost(HOUR, start=START - 60, places=frozenset({0, 1, 2})))
    assert not down(lost(HOUR, start=START - 60, places=frozenset({0, 1})))
    assert not down(lost(HOUR, start=START - 60, fails=0.49))
    assert down(lost(HOUR, start=START - 60, fails=0.3), lost(HOUR, start=START - 60, fails=0.3))
    assert not down(
        lost(HOUR, start=START - 60, fails=0.3, checks=("web",)),
        lost(HOUR, start=START - 60, fails=0.3, checks=("orders",)),
    )
    assert down(lost(80, start=START), lost(HOUR, start=START + 95))
    assert not down(lost(80, start=START), lost(HOUR, start=START + 105))
    assert not down(lost(HOUR, start=START, period=10.0, share=0.4))
    assert down(lost(HOUR, start=START, period=10.0, share=0.6))
    assert not down(lost(HOUR, start=START, period=100.0, share=0.6))


# ---- the simulator can catch


def test_without_hold_down_count_and_quorum_false_failovers_appear() -> None:
    topology = ordinary(hold_down_seconds=0.0)
    hasty = {name: replace(check, fall=1, vantages_needed=1) for name, check in topology.checks.items()}
    result = weather(0.9, seed=1, topology=replace(topology, checks=hasty))
    assert len(result.false) > 5
    again = year(result.false[0].seed, replace(topology, checks=hasty), years=0.9)
    assert again.false[0] == result.false[0]


def test_without_the_hold_down_alone_blips_are_acted_on() -> None:
    assert len(weather(5, seed=1, topology=ordinary(hold_down_seconds=0.0)).false) > 5


def test_a_rule_that_is_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule for rule in decide.RULES if rule is not decide.the_loss_has_lasted]
    monkeypatch.setattr(decide, "RULES", tuple(rules))
    assert len(weather(5, seed=1).false) > 5


def test_a_quorum_of_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "needed", lambda check, topology: 1)
    assert len(weather(10, seed=1).false) > 5


def test_a_hold_down_that_counts_double_misses_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is promised is 180 s; the rule, changed here alone, waits for six minutes."""

    def slow(situation: decide.Situation) -> str | decide.Decision:
        policy = replace(situation.topology.policy, hold_down_seconds=360.0)
        return decide.the_loss_has_lasted(replace(situation, topology=replace(situation.topology, policy=policy)))

    rules = [slow if rule is decide.the_loss_has_lasted else rule for rule in decide.RULES]
    monkeypatch.setattr(decide, "RULES", tuple(rules))
    result = weather(10, seed=1)
    assert result.losses > 3
    assert len(result.missed) == result.losses


def test_with_a_hold_down_of_a_day_no_loss_is_acted_on() -> None:
    result = weather(5, seed=1, topology=ordinary(hold_down_seconds=86400.0))
    assert not result.failovers


# ---- what the weather has shown


@pytest.mark.parametrize("period", [5.0, 9.9, 10.0])
def test_what_beats_in_step_with_the_looks_is_not_taken_for_a_loss(period: float) -> None:
    """A region that fails for a quarter of every ten seconds serves three quarters of what is asked of it. Looks at
    fixed times may all fall into that quarter; looks that come by lot do not."""
    for seed in range(20):
        assert not played(lost(20 * MINUTE, period=period, share=0.24), seed=seed).acts


def ask(answers: dict[str, str], every: float = 10.0) -> list[tuple[float, DecisionKind]]:
    """What is decided when vantages see the primary so (x bad, . good), and the standby well: after each answer."""
    where = ordinary()
    state, said = detect.Detection(where.checks), []
    for number in range(max(map(len, answers.values()))):
        now = number * every
        for vantage, seen in answers.items():
            for check in CHECKS:
                health = Health.DOWN if seen[number] == "x" else Health.HEALTHY
                state = detect.observe(state, Observation(vantage, "east", check, health, now))
                state = detect.observe(state, Observation(vantage, "west", check, Health.HEALTHY, now))
        past = History("east", -HOUR)
        said.append((now, decide.decide(where, detect.verdicts(state, where, now), past, now).kind))
    return said


def test_a_region_that_answers_every_other_time_is_not_acted_on() -> None:
    """Two servers behind a balancer, one of them dead, which takes turns. No `rise` good answers come in a row."""
    alternating = "....xxx" + ".x" * 20
    said = ask({"west": alternating, "witness": alternating, "east": "." * len(alternating)})
    assert DecisionKind.ACT not in [kind for _, kind in said]
    dead = "....xxx" + "xx" * 20
    said = ask({"west": dead, "witness": dead, "east": "." * len(dead)})
    assert DecisionKind.ACT in [kind for _, kind in said]


def test_a_vantage_that_sees_nothing_at_all_is_not_counted_against_the_primary() -> None:
    """The witness has lost its own line and sees both regions down; west has lost its way to east. East serves."""
    own = blind("witness", 20 * MINUTE, Effect.FAILS, fails=1.0)
    way = lost(10 * MINUTE, vantages=("west",), places=frozenset({1}))
    assert not played(own, way).acts
    assert len(played(replace(own, regions=("east",)), way).false) == 1  # two of three have lost the same way


def test_what_a_vantage_said_while_it_was_blind_does_not_count_when_it_sees_again() -> None:
    """Its line comes back between a look at west and one at east: for some seconds it calls only east down, and has
    done so for twenty minutes."""
    own = blind("witness", 20 * MINUTE, Effect.FAILS, fails=1.0)
    way = lost(40 * MINUTE, vantages=("west",), places=frozenset({1}))
    assert not any(played(own, way, seed=seed).acts for seed in range(10))


def test_when_all_see_again_the_standby_first_the_primary_was_not_lost_all_the_while() -> None:
    """Three of these in 10,000 years, and one in this many ends of a blindness."""
    late = random.Random(1680 + 10**6)
    events = [
        blind(vantage, 10 * MINUTE, Effect.FAILS, START + late.uniform(0, 5), fails=1.0, took=5.0)
        for vantage in VANTAGES
    ]
    assert not played(*events, seed=1680).acts


def test_the_sky_draws_only_what_it_should() -> None:
    where = ordinary()
    for kind in CLIMATE:
        sky = Sky(random.Random(3), where)
        for event in (event for _ in range(50) for event in kind.draw(sky, START, where.primary)):
            assert event.end > event.start
            assert 0.0 <= event.fails <= 1.0
            assert set(event.regions) <= set(where.regions)
            assert set(event.checks) <= set(where.checks)
            if kind.name == "gray hour":
                assert event.fails < 0.5
