"""Who is told what by each rule, and the edges at which a rule holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.decide import Decision, DecisionKind, History, Situation, decide, warm_up_seconds
from cloudfail.model.observation import Health, Verdict
from cloudfail.model.policy import Automation, Policy
from cloudfail.model.topology import Check, Objectives, Region, Topology

GOOD, DOWN, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN
STAY, WARN, ACT, REFUSE = DecisionKind.STAY, DecisionKind.WARN, DecisionKind.ACT, DecisionKind.REFUSE
NOW = 100_000.0
SLOW = Check("slow", "tcp", "h:2", every_seconds=60, timeout_seconds=7, fall=2)
FAST = Check("fast", "tcp", "h:1", every_seconds=10, timeout_seconds=5, fall=3)


def topology(*regions: str, checks: tuple[Check, ...] = (FAST,), **policy: Any) -> Topology:
    rules = Policy(**{"automation": Automation.STAGE_1, "hold_down_seconds": 120.0, **policy})
    names = regions or ("east", "west", "north")
    return Topology(
        "shop",
        Objectives(900, 30),
        {name: Region(name, "local") for name in names},
        "east",
        "",
        {},
        {check.name: check for check in checks},
        {},
        rules,
    )


def world(**healths: Health) -> dict[str, Verdict]:
    return {name: Verdict(name, health, NOW - 300.0, NOW - 3.0, (f"{name} seen",)) for name, health in healths.items()}


LOST = world(east=DOWN, west=GOOD, north=GOOD)


def ask(verdicts: dict[str, Verdict] = LOST, where: Topology | None = None, **changes: Any) -> Decision:
    return decide(where or topology(), verdicts, replace(History("east", NOW - 3600), **changes), NOW)


def ended(seconds_ago: float) -> History:
    """A history in which nothing is open, and the last move ended so long ago."""
    return History("east", NOW - 3600, None, False, seconds_ago)


def said(decision: Decision) -> tuple[Any, ...]:
    assert all(decision.reasons), "every rule that was asked leaves its sentence"
    return decision.kind, decision.source, decision.target, decision.to_do


def test_what_stays_names_no_regions_to_move_between() -> None:
    assert said(ask(open_run="r17")) == (STAY, None, None, "cloudfail status r17")
    assert said(ask(paused=True)) == (STAY, None, None, "cloudfail resume --automation")
    assert said(ask(world(east=GOOD, west=GOOD))) == (STAY, None, None, "")
    assert said(ask(observer_since=NOW)) == (STAY, None, None, "")
    young = {**LOST, "east": replace(LOST["east"], since=NOW - 1)}
    assert said(ask(young)) == (STAY, None, None, "")


def test_every_answer_ends_with_a_sentence_about_the_primary_or_the_run() -> None:
    worlds = (world(east=GOOD, west=GOOD), world(east=UNKNOWN, west=GOOD), world(east=DOWN, west=DOWN))
    for verdicts in worlds:
        assert "east" in ask(verdicts).reasons[-1]
    assert "r17" in ask(open_run="r17").reasons[-1]


def test_a_warning_names_where_from_where_to_and_the_command() -> None:
    plan = "cloudfail plan east --to west"
    assert said(ask(where=topology(automation=Automation.OFF))) == (WARN, "east", "west", plan)
    assert said(ask(where=topology(automation=Automation.AUTOMATIC))) == (WARN, "east", "west", plan)
    assert said(ask(obligations=("x",))) == (WARN, "east", "west", plan)
    assert said(decide(topology(), LOST, ended(1.0), NOW)) == (WARN, "east", "west", plan)
    assert said(ask(world(east=UNKNOWN, west=GOOD))) == (WARN, "east", "west", "cloudfail check")
    assert said(ask(world(east=DOWN, west=DOWN))) == (WARN, "east", None, "cloudfail check")
    assert said(ask(world(east=GOOD, west=GOOD), obligations=("x",))) == (WARN, "east", "west", "cloudfail status")


def test_a_refusal_names_the_region_and_no_target() -> None:
    decision = ask(world(east=DOWN, west=DOWN, north=UNKNOWN, south=GOOD), topology("east", "west", "north", "south"))
    assert decision.kind is ACT, "the fourth is well"
    stale = {**world(east=DOWN), "west": Verdict("west", GOOD, 0.0, NOW - 61, ())}
    assert said(ask(stale)) == (REFUSE, "east", None, "cloudfail check")
    assert "(west healthy, north unknown)" in ask(stale).reasons[-1]
    lost = ask(primary="mars")
    assert (lost.kind, lost.source, lost.target) == (REFUSE, "mars", None)
    assert "cloudfail check" in lost.to_do


def test_an_action_says_from_where_to_where_and_how_to_follow_it() -> None:
    assert said(ask()) == (ACT, "east", "west", "cloudfail status")


def test_the_target_is_named_in_the_command_only_where_there_is_a_choice() -> None:
    off = {"automation": Automation.OFF}
    assert ask(where=topology("east", "west", **off)).to_do == "cloudfail plan east"
    assert ask(where=topology("east", "west", "north", **off)).to_do == "cloudfail plan east --to west"
    unwell = Situation(topology(), world(east=DOWN), History("east", 0.0), NOW)
    assert unwell.plan_command == "cloudfail plan east"


def test_a_region_of_which_nothing_was_said_is_unknown_now() -> None:
    verdict = Situation(topology(), {}, History("east", 0.0), NOW).verdict("west")
    assert (verdict.region, verdict.health, verdict.since, verdict.at) == ("west", UNKNOWN, NOW, NOW)
    assert verdict.reasons


def test_a_standby_seen_exactly_a_minute_ago_is_still_a_target() -> None:
    edge = {**world(east=DOWN), "west": Verdict("west", GOOD, 0.0, NOW - 60, ())}
    assert ask(edge).target == "west"


def test_the_primary_is_never_its_own_target() -> None:
    assert Situation(topology(), world(east=GOOD, west=GOOD), History("west", 0.0), NOW).target == "east"


def test_a_sole_region_is_judged_without_another_to_compare_with() -> None:
    assert ask(world(east=DOWN), topology("east")).kind is REFUSE
    assert "there is no other region" in ask(world(east=DOWN), topology("east")).reasons[-1]
    two = ask(world(east=DOWN, west=DOWN), topology("east", "west"))
    assert two.kind is WARN, "two that are both lost are more likely lost observers"
    assert "(east down, west down)" in two.reasons[-1]


def test_one_healthy_standby_shows_that_the_observers_see() -> None:
    assert ask(world(east=DOWN, west=UNKNOWN, north=GOOD)).kind is ACT


def test_the_slowest_check_says_how_long_a_decider_must_have_watched() -> None:
    assert warm_up_seconds(topology(checks=(FAST, SLOW))) == 127
    assert warm_up_seconds(topology(checks=(SLOW, FAST))) == 127
    assert warm_up_seconds(topology(checks=())) == 0
    assert ask(where=topology(checks=(FAST, SLOW)), observer_since=NOW - 126).kind is STAY
    assert ask(where=topology(checks=(FAST, SLOW)), observer_since=NOW - 127).kind is ACT


def test_the_reason_for_which_a_primary_is_not_healthy_is_the_verdicts() -> None:
    assert any("east seen" in reason for reason in ask().reasons)
    silent = {**LOST, "east": replace(LOST["east"], reasons=())}
    assert any("down" in reason for reason in ask(silent).reasons[3:4])


def test_after_a_failover_the_way_home_is_a_command_and_nothing_that_runs() -> None:
    decision = ask(world(east=GOOD, west=GOOD), primary="west")
    assert said(decision) == (STAY, None, None, "cloudfail plan west --to east --runbook NAME")


def test_a_signed_plan_is_named_by_its_first_digits() -> None:
    decision = ask(where=topology(automation=Automation.AUTOMATIC), standing_plan="7c1f5a2b" + "0" * 56)
    assert decision.kind is ACT
    assert "7c1f5a2b" in decision.reasons[-1] and "7c1f5a2b0" not in decision.reasons[-1]


def test_the_cool_down_is_over_at_its_very_end() -> None:
    where = topology(cool_down_seconds=600.0)
    assert decide(where, LOST, ended(599.0), NOW).kind is WARN
    decision = decide(where, LOST, ended(600.0), NOW)
    assert decision.kind is ACT
    assert any("10m" in reason for reason in decision.reasons)


def test_only_automatic_mode_needs_a_signed_plan() -> None:
    for automation in Automation:
        decision = ask(where=topology(automation=automation))
        assert (decision.kind is ACT) is (automation is not Automation.OFF and automation is not Automation.AUTOMATIC)


@pytest.mark.parametrize(
    ("lasted", "words"),
    [
        (1.5, "1.5s"),
        (9.94, "9.9s"),
        (10, "10s"),
        (59, "59s"),
        (60, "1m"),
        (90, "1m 30s"),
        (3600, "1h"),
        (3661, "1h 1m 1s"),
    ],
)
def test_a_span_of_time_is_said_as_a_person_says_it(lasted: float, words: str) -> None:
    verdicts = {**LOST, "east": replace(LOST["east"], since=NOW - lasted)}
    assert f" {words};" in ask(verdicts, topology(hold_down_seconds=9999.0)).reasons[-1]
