"""A drill's outcome: what clients felt, the verdict, the table, the JSON. Legs come from real runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloudfail.model.journal import Entry
from cloudfail.model.topology import Objectives
from cloudfail.report import drill as report
from cloudfail.report.layout import cells
from cloudfail.report.outcome import Client, DrillReport, Leg, buckets, client_of, leg_of, verdict_of
from tests.kit import Stage, load_local

LOCAL = load_local()
PROMISED = Objectives(rto_seconds=120.0, rpo_seconds=0.0)
ZERO = 500.0


def score(began: float, ended: float, **found: object) -> dict[str, object]:
    """What the lab's score says of an outage [began, ended) on the leg's axis."""
    groups = {
        "dns": {"write_outage_seconds": 0.1, "outage_began": ZERO, "outage_ended": ZERO + 0.1},
        "edge": {
            "write_outage_seconds": ended - began,
            "outage_began": ZERO + began,
            "outage_ended": ZERO + ended,
        },
        "inside-east": {"write_outage_seconds": 99.0, "outage_began": ZERO, "outage_ended": ZERO + 99},
    }
    return {
        "write_outage_seconds": ended - began,
        "acknowledged_writes": 12_345,
        "acknowledged_writes_lost": 0,
        "refused_writes": 31,
        "unknown_writes": 4,
        "unknown_writes_recovered": 2,
        "refused_writes_present": 0,
        "groups": groups,
        **found,
    }


def acknowledged(began: float, ended: float) -> list[float]:
    times = [number * 0.02 - 2.0 for number in range(500)]
    return [ZERO + at for at in times if not began < at < ended]


def played() -> tuple[Leg, Leg, list[Entry]]:
    """The demo on a FakeCloud: evacuate, restore, fail back."""
    stage = Stage(LOCAL)
    stage.cloud.kill("east")
    away = stage.open("evacuate-local", "east", "west")
    stage.drive()
    stage.cloud.give_back("east", database=False)
    stage.drive()
    stage.open("restore-local", "east", "west")
    stage.drive()
    home = stage.open("failback-local", "west", "east")
    stage.drive()
    entries = stage.engine("reader").journal.refresh()
    run = stage.run(away)
    felt = client_of(score(0.01, 5.2), zero=ZERO, acknowledged_at=acknowledged(0.01, 5.2))
    fault_at = run.opened_at - 1.2
    failover = leg_of(run, felt, writers_at_once_max=1, fault_at=fault_at, detected_at=fault_at + 1.1, entries=entries)
    felt = client_of(score(0.1, 0.4), zero=ZERO, acknowledged_at=acknowledged(0.1, 0.4))
    return failover, leg_of(stage.run(home), felt, writers_at_once_max=1, entries=entries), entries


def drilled() -> DrillReport:
    failover, failback, entries = played()
    return DrillReport(
        "shop", 1_763_784_000.0, "netns", "remote_apply", PROMISED, failover, failback, entries[-1].digest, len(entries)
    )


def test_the_json_holds_what_was_promised_and_the_same_again_under_failback() -> None:
    made = drilled()
    document = json.loads(json.dumps(report.as_json(made)))
    for leg in (document, document["failback"]):
        assert leg["client"]["acknowledged_writes"] == 12_345
        assert leg["client"]["acknowledged_writes_lost"] == 0
        assert leg["writers_at_once_max"] == 1
        assert {"fence", "promote", "traffic", "verify"} <= set(leg["phases"])
        assert len(leg["plan"]) == 64
    assert document["client"]["write_outage_seconds"] == pytest.approx(5.19)
    assert document["failback"]["client"]["write_outage_seconds"] == pytest.approx(0.3)
    assert document["phases"]["detect"] == pytest.approx(1.1)
    assert "detect" not in document["failback"]["phases"]
    assert document["loss_if_dead_seconds"] == 0.0
    assert document["failback"]["loss_if_dead_seconds"] is None
    assert document["verdict"]["passed"] is True
    assert document["journal"]["head"] == made.journal_head
    assert json.loads(json.dumps(report.as_json(replace(made, failback=None))))["failback"] is None


def test_the_outage_is_that_of_the_worst_group_outside_and_adds_up_by_phase() -> None:
    leg = drilled().failover
    assert leg.client.outage_began == pytest.approx(0.01)
    assert leg.client.outage_ended == pytest.approx(5.2)
    parts = leg.outage_by_phase
    assert parts["detect"] == pytest.approx(1.09)
    assert sum(parts.values()) + (leg.outage_elsewhere or 0.0) == pytest.approx(5.19)


def test_there_is_one_table_with_a_column_for_each_leg() -> None:
    text = report.as_text(drilled())
    lines = text.splitlines()
    assert lines[0] == "Drill of shop: PASSED"
    assert "lab netns, synchronous replication remote_apply; RTO 2m, RPO 0 s" in text
    assert sum(1 for line in lines if line.split() == ["failover", "failback"]) == 1
    found = {line[:36].strip(): line[36:].split() for line in lines if line.startswith("  ")}
    assert found["outage as clients felt it"] == ["5.19", "s", "0.30", "s"]
    assert found["in detect"] == ["1.09", "s", "–"]
    assert found["acknowledged writes"] == ["12,345", "12,345"]
    assert found["lost"] == ["0", "0"]
    assert found["writers at once, at most"] == ["1", "1"]
    assert found["verdict"] == ["PASSED", "PASSED"]
    assert "none: lossless" in text
    assert max(cells(line) for line in lines) <= 100


def test_a_drill_without_failback_has_one_column() -> None:
    text = report.as_text(replace(drilled(), failback=None))
    assert "failback" not in text


def test_what_was_not_measured_is_unknown_in_the_table_and_fails_the_verdict() -> None:
    made = drilled()
    blind = replace(made.failover, client=Client(None, None, None), writers_at_once_max=None, outcome="", loss=None)
    text = report.as_text(replace(made, failover=blind, failback=None, journal_head="", journal_entries=None))
    rows = {line[:36].strip(): line[36:].split() for line in text.splitlines() if line.startswith("  ")}
    for name in (
        "outage as clients felt it",
        "in promote",
        "acknowledged writes",
        "lost",
        "refused writes",
        "writers at once, at most",
        "loss bound at promotion, if dead",
        "run ended",
    ):
        assert rows[name] == ["unknown"], name
    assert text.startswith("Drill of shop: FAILED")
    verdict = verdict_of(blind, PROMISED)
    assert not verdict.passed
    assert len([reason for reason in verdict.reasons if "unknown" in reason]) == 4


def judged(objectives: Objectives = PROMISED, writers: int | None = 1, lossless: bool = False, **felt: object) -> bool:
    leg = drilled().failover
    client = replace(leg.client, **felt)  # type: ignore[arg-type]
    return verdict_of(replace(leg, client=client, writers_at_once_max=writers, lossless=lossless), objectives).passed


def test_the_verdict_holds_each_promise() -> None:
    lax = Objectives(rto_seconds=120.0, rpo_seconds=30.0)
    assert judged()
    assert judged(write_outage_seconds=120.0)
    assert not judged(write_outage_seconds=120.1)
    assert not judged(acknowledged_writes=0)
    assert not judged(acknowledged_writes_lost=1, seconds_lost=0.1)
    assert judged(lax, acknowledged_writes_lost=7, seconds_lost=2.0)
    assert not judged(lax, acknowledged_writes_lost=7, seconds_lost=31.0)
    assert not judged(lax, acknowledged_writes_lost=7, seconds_lost=None)
    assert not judged(lax, lossless=True, acknowledged_writes_lost=1, seconds_lost=0.1)
    assert not judged(writers=2)
    assert not judged(writers=None)


def test_one_failed_leg_fails_the_drill() -> None:
    made = drilled()
    assert made.failback is not None
    made = replace(made, failback=replace(made.failback, writers_at_once_max=2))
    assert not made.verdict.passed
    assert "failback: 2 regions took writes at any one time" in made.verdict.reasons
    assert report.as_text(made).startswith("Drill of shop: FAILED")


def test_buckets_count_every_acknowledgement_once() -> None:
    began, counts = buckets([0.0, 0.05, 0.31, -0.15])
    assert began == pytest.approx(-0.2)
    assert counts == (1, 0, 2, 0, 0, 1)
    assert buckets([]) == (0.0, ())


def test_a_secret_in_a_detail_is_not_repeated() -> None:
    made = replace(drilled(), about={"dsn_password": "hunter2", "url": "postgresql://a:hunter2@db/x"})
    assert "hunter2" not in json.dumps(report.as_json(made))
