"""The answer of many simulated failovers: what it says, its pictures, its JSON; nothing here plays anything."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from cloudfail.model.topology import Objectives
from cloudfail.report import simulation as report
from cloudfail.report.simulation_picture import Histogram, rows, svg
from cloudfail.testing.simulation.results import Advice, Felt, Found, Line, Spread, Story, Trial
from tests.unit.test_report_html import SCRIPT, poisoned, tags

OBJECTIVES = Objectives(rto_seconds=300.0, rpo_seconds=30.0)


def felt(seed: int, outage: float | None = 100.0, lost: float = 0.0, **more: object) -> Felt:
    plain = Felt(
        seed=seed,
        end="done",
        moved=True,
        source_lost=True,
        asked=False,
        outage_seconds=outage,
        lost_seconds=lost,
        lost=int(lost * 30),
        synchronous=True,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


STORY = Story(
    seed=3,
    zero="the loss of east",
    setting=("evacuate, east → west, started by a person",),
    happenings=((0, "east is lost: everything in it dies"), (1, "worker w1 dies at its boundary 3")),
    lines=(
        Line(-20.0, "replication falls behind by 8s", "fault"),
        Line(0.0, "east is lost: everything in it dies", "fault"),
        Line(1.5, "alice opens run 7c1f"),
        Line(161.0, "the one on call: approve", "person"),
        Line(500.0, "all clients that honour the TTL write again: 8m 20s without", "clients"),
    ),
    felt=felt(3, 500.0, 40.0),
    replay="cloudfail simulate --seed 3",
)


def made(felts: tuple[Felt, ...], **more: object) -> Trial:
    plain = Trial(
        application="shop",
        runbook="evacuate",
        mode="failover",
        source="east",
        target="west",
        objectives=OBJECTIVES,
        first=0,
        felts=felts,
        ends={"done": len(felts)},
        fired={"crash": 2},
        conditions=("The one on call looks every 8s.",),
        seconds=2.0,
        replay=f"cloudfail simulate --seeds {len(felts)}",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


GOOD = made(tuple(felt(seed, 60.0 + seed) for seed in range(100)))
BAD = made(
    tuple(felt(seed, 500.0 if seed % 10 == 3 else 60.0, 40.0 if seed == 3 else 0.0) for seed in range(100)),
    worst=STORY,
    advice=(Advice("Write a shorter ttl than 5m.", "In 10 seeds that missed the RTO it took 60% of the outage."),),
)


# ---- what is counted


def test_a_run_that_was_taken_back_or_never_opened_is_not_held_against_the_objectives() -> None:
    found = made(
        (
            felt(0),
            felt(1, None, moved=False, end="undone"),
            felt(2, None, moved=False, end="no run"),
            felt(3, None, moved=False, end="no run", source_lost=False),
        )
    )
    assert [one.seed for one in found.judged] == [0]
    assert found.met == 1
    assert sum(found.unjudged.values()) == 3
    assert "no run was opened" in report.as_text(found)


def test_a_run_that_was_given_up_half_way_missed_the_rto() -> None:
    found = made((felt(0, None, moved=False, end="degraded"), felt(1)))
    assert [one.seed for one in found.missed] == [0]
    assert found.outage == Spread(p50=100.0, p90=None, p99=None, max=None)
    assert "never" in report.as_text(found)


@pytest.mark.parametrize(
    ("outage", "lost", "missed"), [(300.0, 30.0, ()), (300.1, 0.0, ("RTO",)), (1.0, 30.1, ("RPO",))]
)
def test_what_equals_an_objective_has_met_it(outage: float, lost: float, missed: tuple[str, ...]) -> None:
    assert felt(0, outage, lost).misses(OBJECTIVES) == missed


def test_percentiles_are_values_that_were_seen() -> None:
    assert Spread.of(float(number) for number in range(1, 201)) == Spread(100.0, 180.0, 198.0, 200.0)
    assert Spread.of([]) == Spread()
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0, 7.0)


@pytest.mark.parametrize(
    ("found", "code", "verdict"),
    [
        (GOOD, 0, "YES"),
        (BAD, 3, "NO"),
        (replace(BAD, missed_share_max=0.2), 0, "YES"),
        (replace(BAD, missed_share_max=0.1), 4, "CANNOT TELL YET"),
        (replace(GOOD, violations=(Found(3, "I1", "two writers", "cloudfail simulate --seed 3"),)), 1, "VIOLATION"),
        (made(()), 4, "NO ANSWER"),
        (made((felt(0), felt(1), felt(2, 500.0))), 4, "CANNOT TELL YET"),
        (made((felt(0), felt(1, 500.0), felt(2, 500.0))), 3, "NO"),
        (made((felt(0), felt(1, 500.0)), missed_share_max=0.5), 4, "CANNOT TELL YET"),
        (made((felt(0), felt(1, 500.0)), missed_share_max=1.0), 0, "YES"),
        (made((felt(0),), missed_share_max=0.0), 0, "YES"),
        (made((felt(0), felt(1, 500.0)), missed_share_max=0.0), 3, "NO"),
    ],
)
def test_the_exit_code_and_the_answer_go_together(found: Trial, code: int, verdict: str) -> None:
    assert (found.exit_code, report.verdict_of(found)) == (code, verdict)
    assert report.as_text(found).startswith(f"Will evacuate meet its objectives? {verdict}\n")


def test_a_share_near_the_line_says_between_what_it_lies_and_how_many_seeds_would_tell() -> None:
    found = made(tuple(felt(seed, 500.0 if seed < 2 else 60.0) for seed in range(50)))
    text = " ".join(report.as_text(found, 2000).split())
    assert "48 of 50 cannot tell yet: in the long run between 0.7% and 12.1% miss them" in text
    assert "Run more seeds: cloudfail simulate --seeds 2000" in text
    assert report.as_json(found)["seeds_to_tell"] == 2000
    assert report.as_json(found)["missed_share_between"] == pytest.approx([0.00715, 0.12062], abs=1e-4)
    assert "CANNOT TELL YET" in report.as_html(found)
    on_the_line = made(tuple(felt(seed, 500.0 if seed < 5 else 60.0) for seed in range(100)))
    assert "It is so near that more seeds would hardly tell" in " ".join(report.as_text(on_the_line).split())
    assert report.as_json(on_the_line)["seeds_to_tell"] is None
    assert report.as_json(GOOD)["seeds_to_tell"] is None


# ---- as text


def test_the_headline_answers_the_question_with_its_counts() -> None:
    assert report.headline(BAD) == (
        "evacuate, east → west, met its objectives in 90 of 100 simulated failovers (90%): RTO 5m, RPO 30s. "
        "Up to 5% may miss them."
    )


def test_the_text_has_the_picture_the_story_the_advice_and_the_command_that_plays_it_again() -> None:
    said = report.as_text(BAD, 100)
    for part in (
        "RTO 5m  ----",
        "!!!",
        "The worst of them, seed 3: it missed the RTO and the RPO",
        "+2m 41s > the one on call: approve",
        "-20.0s ! replication falls behind by 8s",
        "1. Write a shorter ttl than 5m.",
        "it took 60% of the outage",
        "Violations of an invariant: 0",
        "Again, exactly: cloudfail simulate --seeds 100",
    ):
        assert part in said


def test_where_all_is_well_nothing_is_to_be_changed_and_what_is_left_of_the_rto_is_said() -> None:
    said = report.as_text(GOOD)
    assert "Nothing to change: every one met its objectives. Nine of ten leave 2m 31s of the RTO or more." in said


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for found in (GOOD, BAD, made(())):
        assert [line for line in report.as_text(found, width).splitlines() if len(line) > width] == []


def test_a_violation_stands_before_the_picture_with_the_command_that_replays_it() -> None:
    found = replace(
        GOOD, violations=(Found(3, "I1", "orders took writes twice", "cloudfail simulate --seed 3 --keep 1", STORY),)
    )
    said = report.as_text(found)
    assert said.index("VIOLATION of I1 in seed 3: orders took writes twice") < said.index("Outage as clients felt it")
    assert "Replay it: cloudfail simulate --seed 3 --keep 1" in said
    assert "The least that shows it" in said
    assert "Violations of an invariant: 1" in said


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    long = replace(STORY, lines=tuple(Line(float(number), f"line {number}") for number in range(100)))
    said = "\n".join(report.story_lines(long, 100, "The worst", 10))
    assert "line 0" in said
    assert "line 99" in said
    assert "90 lines more" in said
    assert len(report.story_lines(long, 100, "The worst")) > 100


def test_other_peoples_text_cannot_steer_the_terminal() -> None:
    found = replace(BAD, runbook="evil\x1b[2J", worst=poisoned(STORY))
    assert "\x1b" not in report.as_text(found)


# ---- the pictures


@pytest.mark.parametrize(
    ("values", "objective"),
    [
        ([1.0, 2.0, 250.0], 300.0),
        ([1.0, 400.0, 1000.0], 300.0),
        ([0.0, 0.0, 0.4], 0.0),
        ([0.0], 30.0),
        ([None, 3.0], 10.0),
        ([30.0, 30.1], 30.0),
        ([86400.0, 5.0], 60.0),
    ],
)
def test_every_value_is_in_one_class_and_none_holds_both_sides_of_the_objective(
    values: list[float | None], objective: float
) -> None:
    histogram = Histogram("outage", "RTO", objective, values)
    classes = histogram.classes
    assert sum(one.count for one in classes) == len(values)
    assert sum(one.count for one in classes if one.beyond) == histogram.beyond
    assert len(classes) <= 16
    ended = [one for one in classes if one.high]
    assert all(a.high == b.low for a, b in pairwise(ended))


def test_an_objective_that_is_far_off_is_said_in_words() -> None:
    assert "The RTO of 15m is 9.0 times the worst." in "\n".join(rows(Histogram("outage", "RTO", 900.0, [100.0]), 80))
    assert "nothing at all" in "\n".join(rows(Histogram("loss", "RPO", 30.0, [0.0]), 80))
    assert "none" in "\n".join(rows(Histogram("loss", "RPO", 0.0, [0.0]), 80))


def test_an_empty_histogram_is_a_line() -> None:
    assert rows(Histogram("outage", "RTO", 900.0, []), 80) == ["  outage, 0 runs"]
    ElementTree.fromstring(svg(Histogram("outage", "RTO", 900.0, []), "h"))


@pytest.mark.parametrize("values", [[100.0] * 5, [500.0, 10.0], [0.0, None], [0.0]])
def test_the_svg_is_well_formed_and_nothing_leaves_the_picture(values: list[float | None]) -> None:
    for objective in (0.0, 300.0):
        root = ElementTree.fromstring(svg(Histogram("outage <&>", "RTO", objective, values), "h"))
        _, _, width, high = (float(part) for part in root.attrib["viewBox"].split())
        for element in root.iter():
            if element.tag == "rect":
                x, wide = float(element.attrib["x"]), float(element.attrib["width"])
                assert 0 <= x
                assert x + wide <= width
                assert 0 <= float(element.attrib["y"]) <= high
        assert root.attrib["role"] == "img"


# ---- as JSON and HTML


def test_the_json_has_what_a_script_reads() -> None:
    document = json.loads(json.dumps(report.as_json(BAD)))
    assert document["seeds"] == 100
    assert document["violations"] == []
    assert document["outage_seconds"] == {"p50": 60.0, "p90": 60.0, "p99": 500.0, "max": 500.0, "objective": 300.0}
    assert document["loss_seconds"]["objective"] == 30.0
    assert (document["met"], document["missed"]) == (90, 10)
    assert document["worst"]["misses"] == ["RTO", "RPO"]
    assert document["failovers_per_minute"] == 3000.0
    assert {"ends", "fired", "rows_never_taken", "rare_faults", "seconds"} <= set(document)


def test_the_json_of_a_violation_says_how_to_replay_it() -> None:
    found = replace(GOOD, violations=(Found(3, "I1", "two writers", "cloudfail simulate --seed 3"),))
    (one,) = report.as_json(found)["violations"]
    assert one == {
        "seed": 3,
        "invariant": "I1",
        "what": "two writers",
        "replay": "cloudfail simulate --seed 3",
        "smallest": None,
    }


def test_the_page_nests_needs_nothing_else_and_holds_no_script() -> None:
    violated = replace(BAD, violations=(Found(3, "I1", "two", "cloudfail simulate --seed 3", STORY),))
    for found in (GOOD, BAD, made(()), violated, poisoned(violated)):
        document = report.as_html(found)
        seen = tags(document).seen
        assert "script" not in {tag for tag, _ in seen}
        assert not [attributes for _, attributes in seen if {"src", "href"} & set(attributes)]
        assert SCRIPT not in document
        assert "default-src 'none'" in document
        assert [tag for tag, _ in seen].count("table") == [tag for tag, _ in seen].count("caption")


def test_the_page_has_both_pictures_with_titles_and_descriptions() -> None:
    document = report.as_html(BAD)
    assert len(re.findall("<svg ", document)) == 2
    identifiers = set(re.findall(r'id="([^"]+)"', document))
    for named in re.findall(r'aria-labelledby="([^"]+)"', document):
        assert set(named.split()) <= identifiers
