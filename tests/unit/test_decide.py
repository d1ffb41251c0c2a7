"""decide.py: each rule by an example, and what no world whatever may lead to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.decide import RULES, Decision, DecisionKind, History, Situation, decide, warm_up_seconds
from cloudfail.model.observation import Health, Verdict
from cloudfail.model.policy import Automation, Policy
from cloudfail.model.topology import Check, Objectives, Region, Topology

GOOD, DOWN, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN
STAY, WARN, ACT, REFUSE = DecisionKind.STAY, DecisionKind.WARN, DecisionKind.ACT, DecisionKind.REFUSE
NOW = 100_000.0


def topology(*regions: str, primary: str = "east", **policy: Any) -> Topology:
    rules = Policy(**{"automation": Automation.STAGE_1, "hold_down_seconds": 120.0, **policy})
    names = regions or ("east", "west", "north")
    checks = {"web": Check("web", "tcp", "h:1", every_seconds=10, timeout_seconds=5, fall=3)}
    return Topology(
        "shop",
        Objectives(900, 30),
        {name: Region(name, "local") for name in names},
        primary,
        "",
        {},
        checks,
        {},
        rules,
    )


def world(lasted: float = 300.0, seen_ago: float = 3.0, **healths: Health) -> dict[str, Verdict]:
    return {name: Verdict(name, health, NOW - lasted, NOW - seen_ago, ("seen",)) for name, health in healths.items()}


def history(**changes: Any) -> History:
    return replace(History("east", NOW - 3600), **changes)


LOST = world(east=DOWN, west=GOOD, north=GOOD)


def ask(
    verdicts: dict[str, Verdict] | None = None, where: Topology | None = None, now: float = NOW, **changes: Any
) -> Decision:
    return decide(where or topology(), LOST if verdicts is None else verdicts, history(**changes), now)


def test_a_lost_primary_with_a_healthy_standby_is_acted_on_and_every_rule_says_why() -> None:
    decision = ask()
    assert (decision.kind, decision.source, decision.target) == (ACT, "east", "west")
    assert len(decision.reasons) == len(RULES)
    assert "Down for 5m, the hold-down of 2m is over." in decision.reasons


def test_the_same_world_gives_the_same_decision() -> None:
    assert ask() == ask()


def test_a_healthy_primary_stays() -> None:
    assert ask(world(east=GOOD, west=GOOD, north=GOOD)).kind is STAY


def test_the_loss_of_a_standby_is_no_reason_to_move() -> None:
    assert ask(world(east=GOOD, west=DOWN, north=DOWN)).kind is STAY


def test_an_open_run_goes_on() -> None:
    decision = ask(open_run="r17")
    assert decision.kind is STAY
    assert "Run r17 is open" in decision.reasons[-1]


def test_paused_stays_and_says_how_to_resume() -> None:
    decision = ask(paused=True)
    assert (decision.kind, decision.to_do) == (STAY, "cloudfail resume --automation")
    assert "east is down" in decision.reasons[-1]


def test_a_primary_that_cannot_be_judged_is_not_dead() -> None:
    decision = ask(world(east=UNKNOWN, west=GOOD, north=GOOD))
    assert decision.kind is WARN
    assert "unknown is never dead" in decision.reasons[-1]


def test_a_region_of_which_nobody_spoke_is_unknown() -> None:
    assert ask(world(west=GOOD)).kind is WARN
    assert ask({}).kind is WARN


@pytest.mark.parametrize("east", [DOWN, UNKNOWN])
@pytest.mark.parametrize("west", [DOWN, UNKNOWN])
def test_all_regions_lost_at_once_is_more_likely_the_observers(east: Health, west: Health) -> None:
    decision = ask(world(east=east, west=west, north=DOWN))
    assert decision.kind is WARN
    assert "the observers are the likelier failure" in decision.reasons[-1]


def test_the_hold_down_is_counted_from_when_the_loss_began() -> None:
    assert ask(world(119, east=DOWN, west=GOOD)).kind is STAY
    assert ask(world(120, east=DOWN, west=GOOD)).kind is ACT
    assert ask(world(0, east=DOWN, west=GOOD), topology(hold_down_seconds=0.0)).kind is ACT


def test_the_target_is_the_first_standby_of_the_file_that_is_healthy() -> None:
    assert ask(world(east=DOWN, west=DOWN, north=GOOD)).target == "north"
    assert ask(world(east=DOWN, west=UNKNOWN, north=GOOD)).target == "north"
    assert ask(world(east=DOWN, west=GOOD, north=GOOD), topology("north", "east", "west")).target == "north"


def test_a_standby_not_seen_within_the_last_minute_is_no_target() -> None:
    stale = {**LOST, "west": replace(LOST["west"], at=NOW - 61)}
    assert ask(stale).target == "north"
    nobody = {**stale, "north": replace(LOST["north"], at=NOW - 61)}
    decision = ask(nobody)
    assert (decision.kind, decision.target) == (REFUSE, None)


def test_without_another_region_it_refuses() -> None:
    assert ask(world(east=DOWN), topology("east")).kind is REFUSE


def test_a_primary_that_the_file_does_not_know_is_refused() -> None:
    assert ask(primary="mars").kind is REFUSE


def test_with_automation_off_it_warns_with_the_command_to_type() -> None:
    decision = ask(where=topology(automation=Automation.OFF))
    assert (decision.kind, decision.to_do) == (WARN, "cloudfail plan east --to west")
    two = ask(world(east=DOWN, west=GOOD), topology("east", "west", automation=Automation.OFF))
    assert two.to_do == "cloudfail plan east"


def test_automatic_needs_a_plan_that_a_person_signed() -> None:
    where = topology(automation=Automation.AUTOMATIC)
    assert ask(where=where).kind is WARN
    assert ask(where=where, standing_plan="7c1f" * 16).kind is ACT


def test_during_the_cool_down_it_only_warns() -> None:
    assert ask(last_run_ended_seconds_ago=3599.0).kind is WARN
    assert ask(last_run_ended_seconds_ago=3600.0).kind is ACT


def test_nothing_automatic_is_put_on_top_of_a_debt() -> None:
    decision = ask(obligations=("fence of orders in west is owed",))
    assert decision.kind is WARN
    assert "fence of orders in west is owed" in decision.reasons[-1]


def test_a_debt_is_named_while_all_is_well() -> None:
    decision = ask(world(east=GOOD, west=GOOD), obligations=("fence of orders in west is owed",))
    assert decision.kind is WARN
    assert "degraded" in decision.reasons[-1]


def test_no_failback_is_automatic() -> None:
    """After a failover the log says west; the file still says east, which is well again."""
    decision = ask(world(east=GOOD, west=GOOD, north=GOOD), primary="west")
    assert (decision.kind, decision.to_do) == (STAY, "cloudfail plan west --to east --runbook NAME")


def test_after_a_failover_the_logs_primary_is_the_one_that_counts() -> None:
    assert ask(world(east=DOWN, west=GOOD, north=GOOD), primary="west").kind is STAY
    lost_again = ask(world(east=GOOD, west=DOWN, north=GOOD), primary="west")
    assert (lost_again.kind, lost_again.source, lost_again.target) == (ACT, "west", "east")


def test_a_decider_that_has_just_begun_to_watch_does_not_act() -> None:
    assert warm_up_seconds(topology()) == 35
    assert ask(observer_since=NOW - 34).kind is STAY
    assert ask(observer_since=NOW - 35).kind is ACT


def test_each_rule_is_needed() -> None:
    """For every rule there is a world in which it alone stands in the way."""
    where = topology()
    auto = topology(automation=Automation.AUTOMATIC)
    worlds: dict[str, Decision] = {
        "no_run_is_open": ask(open_run="r"),
        "automation_is_not_paused": ask(paused=True),
        "the_primary_is_a_region_we_know": ask(primary="mars", where=where),
        "the_primary_does_not_serve": ask(world(east=GOOD, west=GOOD)),
        "we_have_watched_long_enough": ask(observer_since=NOW),
        "some_region_is_seen_healthy": ask(world(east=DOWN, west=DOWN)),
        "the_primary_is_down": ask(world(east=UNKNOWN, west=GOOD)),
        "the_loss_has_lasted": ask(world(1, east=DOWN, west=GOOD)),
        "a_standby_can_take_over": ask(world(seen_ago=99, east=DOWN, west=GOOD)),
        "nothing_is_owed": ask(obligations=("x",)),
        "the_cool_down_is_over": ask(last_run_ended_seconds_ago=1.0),
        "automation_is_on": ask(where=topology(automation=Automation.OFF)),
        "a_person_has_signed": ask(where=auto),
    }
    assert list(worlds) == [rule.__name__ for rule in RULES]
    for index, (name, decision) in enumerate(worlds.items()):
        assert decision.kind is not ACT, name
        assert len(decision.reasons) == index + 1, name


HEALTH = st.sampled_from([GOOD, DOWN, UNKNOWN])
VERDICTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(
            lambda health, since, at, name=name: Verdict(name, health, NOW - since, NOW - at, ()),
            HEALTH,
            st.floats(0, 400),
            st.floats(0, 90),
        )
        for name in ("east", "west", "north")
    },
)
HISTORIES = st.builds(
    History,
    primary=st.sampled_from(["east", "west", "north", "mars"]),
    observer_since=st.floats(0, 100).map(lambda ago: NOW - ago),
    open_run=st.sampled_from([None, None, None, "r1"]),
    paused=st.sampled_from([False, False, False, True]),
    last_run_ended_seconds_ago=st.sampled_from([None, 10.0, 7200.0]),
    obligations=st.sampled_from([(), (), ("owed",)]),
    standing_plan=st.sampled_from([None, "abc"]),
)
TOPOLOGIES = st.builds(
    lambda automation, hold_down, primary: topology(
        automation=automation, hold_down_seconds=hold_down, primary=primary
    ),
    st.sampled_from(list(Automation)),
    st.sampled_from([0.0, 60.0, 180.0]),
    st.sampled_from(["east", "west"]),
)


@settings(max_examples=400, deadline=None)
@given(TOPOLOGIES, VERDICTS, HISTORIES)
def test_it_acts_only_on_a_lost_primary_towards_a_region_seen_healthy(
    where: Topology, verdicts: dict[str, Verdict], past: History
) -> None:
    decision = decide(where, verdicts, past, NOW)
    assert decision.reasons
    assert all(reason.endswith(".") for reason in decision.reasons)
    if decision.kind is not ACT:
        return
    assert decision.source == past.primary
    assert verdicts[past.primary].health is DOWN
    assert NOW - verdicts[past.primary].since >= where.policy.hold_down_seconds
    assert decision.target is not None
    assert decision.target != decision.source
    assert verdicts[decision.target].health is GOOD
    assert NOW - verdicts[decision.target].at <= 60
    assert not past.paused
    assert past.open_run is None
    assert not past.obligations
    assert where.policy.automation is not Automation.OFF


@settings(max_examples=200, deadline=None)
@given(TOPOLOGIES, VERDICTS, HISTORIES, st.sets(st.sampled_from(["east", "west", "north"])))
def test_knowing_less_never_makes_it_act_against_another_region(
    where: Topology, verdicts: dict[str, Verdict], past: History, forgotten: set[str]
) -> None:
    """Verdicts that turn unknown, or are missing, can stop an action or choose another target, never start one."""
    before = decide(where, verdicts, past, NOW)
    for less in (
        {n: (replace(v, health=UNKNOWN) if n in forgotten else v) for n, v in verdicts.items()},
        {n: v for n, v in verdicts.items() if n not in forgotten},
    ):
        if decide(where, less, past, NOW).kind is ACT:
            assert before.kind is ACT


@settings(max_examples=200, deadline=None)
@given(TOPOLOGIES, VERDICTS, HISTORIES, st.floats(0, 1000))
def test_a_loss_that_lasts_longer_is_acted_on_if_a_shorter_one_was(
    where: Topology, verdicts: dict[str, Verdict], past: History, longer: float
) -> None:
    if decide(where, verdicts, past, NOW).kind is not ACT:
        return
    older = {**verdicts, past.primary: replace(verdicts[past.primary], since=verdicts[past.primary].since - longer)}
    assert decide(where, older, past, NOW).kind is ACT
    later = {name: replace(verdict, at=verdict.at + longer) for name, verdict in verdicts.items()}
    assert decide(where, later, past, NOW + longer).kind is ACT


def test_a_rule_sees_only_values() -> None:
    with pytest.raises(AttributeError):
        Situation(topology(), LOST, history(), NOW).now = 0.0  # type: ignore[misc]
