"""What ordinary weather taught detection: who is no witness, and what is no loss. Found by simulated years."""

from __future__ import annotations

from cloudfail import detect
from cloudfail.model.observation import Health, Observation
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage

GOOD, BAD = Health.HEALTHY, Health.DOWN


def topology(regions: str = "ew") -> Topology:
    return Topology(
        application="shop",
        objectives=Objectives(60, 5),
        regions={name: Region(name, "local") for name in regions},
        primary=regions[0],
        state="memory:",
        resources={},
        checks={"web": Check("web", "tcp", "h:1", every_seconds=10.0, fall=3, rise=2, vantages_needed=2)},
        vantages={name: Vantage(name) for name in "abc"},
    )


def verdict(where: Topology, answers: dict[tuple[str, str], str], region: str = "e") -> detect.Verdict:
    """answers: (vantage, region) -> one letter for each look, x bad and . good, ten seconds apart."""
    state, now = detect.Detection(where.checks), 0.0
    for (vantage, place), seen in answers.items():
        for number, letter in enumerate(seen):
            now = max(now, number * 10.0)
            health = BAD if letter == "x" else GOOD
            state = detect.observe(state, Observation(vantage, place, "web", health, number * 10.0))
    return detect.verdicts(state, where, now + 1)[region]


def test_a_vantage_that_calls_every_region_down_is_not_counted() -> None:
    """Its own line is the likelier failure. With it, one other that lost its way to one region would be a quorum."""
    said = {("a", "e"): "xxx", ("a", "w"): "xxx", ("b", "e"): "xxx", ("b", "w"): "...", ("c", "e"): "..."}
    found = verdict(topology(), said)
    assert found.health is Health.UNKNOWN
    assert "a sees no other region healthy, and may be blind" in found.reasons


def test_two_that_see_another_region_healthy_are_enough() -> None:
    said = {("a", "e"): "xxx", ("a", "w"): "...", ("b", "e"): "xxx", ("b", "w"): "..."}
    assert verdict(topology(), said).health is BAD


def test_who_has_said_nothing_of_another_region_yet_is_counted() -> None:
    assert verdict(topology(), {("a", "e"): "xxx", ("b", "e"): "xxx"}).health is BAD


def test_a_third_region_that_is_seen_healthy_makes_a_witness_of_two_losses() -> None:
    said = {(vantage, place): seen for vantage in "ab" for place, seen in (("e", "xxx"), ("w", "xxx"), ("n", "..."))}
    assert verdict(topology("ewn"), said).health is BAD


def test_with_one_region_there_is_nothing_to_compare_with() -> None:
    assert verdict(topology("e"), {("a", "e"): "xxx", ("b", "e"): "xxx"}).health is BAD


def test_a_region_that_answers_every_other_time_never_gathers_a_hold_down() -> None:
    seen = "xxx" + ".x" * 20
    found = verdict(topology(), {(vantage, "e"): seen for vantage in "ab"} | {(v, "w"): "." * len(seen) for v in "ab"})
    assert found.health is BAD
    assert found.since == (len(seen) - 1) * 10.0


def test_what_was_said_while_blind_does_not_count_once_it_sees_again() -> None:
    """Its line comes back between a look at one region and one at the other."""
    where = topology()
    said = {(v, "e"): "x" * 20 for v in "ab"} | {(v, "w"): "x" * 17 + "..." for v in "ab"}
    found = verdict(where, said)
    assert (found.health, found.since) == (BAD, 180.0), "since it saw west healthy, not since it was blind"
