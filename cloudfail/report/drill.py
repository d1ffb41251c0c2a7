"""A drill as its one table, and as JSON. The table's rows are the same in the terminal and in HTML.

The phases under the outage are the parts of the outage that fell into each, so they add up to it (what is left over
lay outside of all phases); the phases as a whole are in the JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from cloudfail.model.topology import Objectives
from cloudfail.report.layout import Column, paragraph, table
from cloudfail.report.outcome import (
    BUCKET_SECONDS,
    Client,
    DrillReport,
    Event,
    Leg,
    Verdict,
    client_of,
    leg_of,
    verdict_of,
)
from cloudfail.report.phases import PHASES
from cloudfail.report.wording import NONE, UNKNOWN, count, measured, moment, plain, seconds, short, without_secrets

__all__ = [
    "Client",
    "DrillReport",
    "Event",
    "Leg",
    "Row",
    "Verdict",
    "as_json",
    "as_text",
    "client_of",
    "leg_of",
    "rows",
    "titles",
    "verdict_of",
]

WIDTH = 100
SAID = {"other": "other steps"}


class Row(NamedTuple):
    """`part`: this row is a part of the one above. `cells`: one for each leg."""

    title: str
    cells: tuple[str, ...]
    part: bool = False


def titles(report: DrillReport) -> tuple[str, ...]:
    return tuple(f"{plain(leg.name)}" for leg in report.legs)


def rows(report: DrillReport) -> list[Row]:
    legs = report.legs

    def row(title: str, said: Callable[[Leg], str], part: bool = False) -> Row:
        return Row(title, tuple(said(leg) for leg in legs), part)

    present = [name for name in PHASES if any(name in leg.phases for leg in legs)]
    elsewhere = any((leg.outage_elsewhere or 0.0) >= 0.005 for leg in legs)
    return [
        row("way", lambda leg: f"{plain(leg.source)} → {plain(leg.target)}"),
        row("outage as clients felt it", lambda leg: measured(leg.client.write_outage_seconds)),
        *(Row(f"in {SAID.get(name, name)}", tuple(_in_phase(leg, name) for leg in legs), True) for name in present),
        *([row("in none of them", lambda leg: measured(leg.outage_elsewhere), True)] if elsewhere else []),
        row("to the run's last step", _whole),
        row("acknowledged writes", lambda leg: count(leg.client.acknowledged_writes)),
        row("lost", lambda leg: count(leg.client.acknowledged_writes_lost), True),
        row("refused writes", lambda leg: count(leg.client.refused_writes)),
        row("unknown to the client", lambda leg: count(leg.client.unknown_writes)),
        row("found to be there", lambda leg: count(leg.client.unknown_writes_recovered), True),
        row("writers at once, at most", lambda leg: count(leg.writers_at_once_max)),
        row("loss bound at promotion, if dead", lambda leg: _loss(leg, dead=True)),
        row("loss bound at promotion, if alive", lambda leg: _loss(leg, dead=False)),
        row("run ended", lambda leg: plain(leg.outcome) or UNKNOWN),
        row("verdict", lambda leg: str(verdict_of(leg, report.objectives)).upper()),
    ]


def _in_phase(leg: Leg, name: str) -> str:
    if name not in leg.phases:
        return NONE
    return measured(leg.outage_by_phase.get(name))


def _whole(leg: Leg) -> str:
    """From the axis' zero (the fault, or the opening of the run) to the end of the last step."""
    if not leg.steps or any(step.ended is None for step in leg.steps):
        return UNKNOWN
    return measured(max(step.ended or 0.0 for step in leg.steps))


def _loss(leg: Leg, *, dead: bool) -> str:
    if leg.loss is None:
        return "none: lossless" if leg.lossless else UNKNOWN
    return measured(leg.loss.if_dead_seconds if dead else leg.loss.if_alive_seconds)


def as_text(report: DrillReport, width: int = WIDTH) -> str:
    verdict = report.verdict
    lines = [f"Drill of {plain(report.application)}: {str(verdict).upper()}"]
    lines += paragraph(
        f"{moment(report.started_at)}; lab {plain(report.mode)}, synchronous replication {plain(report.synchronous)}; "
        f"RTO {seconds(report.objectives.rto_seconds)}, RPO {seconds(report.objectives.rpo_seconds)}",
        width,
        2,
        2,
    )
    lines.append("")
    columns = (Column(""), *(Column(title, right=True, most=30) for title in titles(report)))
    body = [("  " * row.part + row.title, *row.cells) for row in rows(report)]
    lines += table(columns, body, width)
    lines.append("")
    for leg in report.legs:
        leg_verdict = verdict_of(leg, report.objectives)
        reasons = "; ".join(plain(reason) for reason in leg_verdict.reasons)
        lines += paragraph(f"{plain(leg.name)} {leg_verdict}: {reasons}.", width, 2, 2)
        lines += [line for one in leg.owed for line in paragraph(f"still owed: {plain(one)}", width, 4, 2)]
    plans = ", ".join(f"{plain(leg.name)} {short(leg.plan)}" for leg in report.legs)
    head = plain(report.journal_head)[:16] or UNKNOWN
    lines += paragraph(
        f"Evidence: plans {plans}; journal of {count(report.journal_entries)} entries, head {head}.", width, 2, 2
    )
    return "\n".join(lines) + "\n"


def as_json(report: DrillReport) -> dict[str, Any]:
    """The failover's figures at the top level, the failback's the same again under `failback`."""
    document: dict[str, Any] = without_secrets(
        {
            "application": report.application,
            "started_at": report.started_at,
            "mode": report.mode,
            "synchronous": report.synchronous,
            "objectives": asdict(report.objectives),
            "verdict": {"passed": report.verdict.passed, "reasons": report.verdict.reasons},
            **_leg_json(report.failover, report.objectives),
            "failback": None if report.failback is None else _leg_json(report.failback, report.objectives),
            "journal": {"head": report.journal_head or None, "entries": report.journal_entries},
            "about": dict(report.about),
        }
    )
    return document


def _leg_json(leg: Leg, objectives: Objectives) -> dict[str, Any]:
    verdict = verdict_of(leg, objectives)
    return {
        "leg": leg.name,
        "source": leg.source,
        "target": leg.target,
        "client": asdict(leg.client) | {"write_outage_by_phase": leg.outage_by_phase, "bucket_seconds": BUCKET_SECONDS},
        "writers_at_once_max": leg.writers_at_once_max,
        "phases": dict(leg.phases),
        "loss_if_dead_seconds": None if leg.loss is None else leg.loss.if_dead_seconds,
        "loss_if_alive_seconds": None if leg.loss is None else leg.loss.if_alive_seconds,
        "loss_parts": [] if leg.loss is None else list(leg.loss.parts),
        "lossless": leg.lossless,
        "leg_verdict": {"passed": verdict.passed, "reasons": verdict.reasons},
        "run": leg.run,
        "plan": leg.plan,
        "outcome": leg.outcome,
        "owed": list(leg.owed),
        "phase_spans": [asdict(span) for span in leg.phase_spans],
        "steps": [asdict(span) for span in leg.steps],
        "events": [asdict(event) for event in leg.events],
        "story": [asdict(line) | {"phase": str(line.phase)} for line in leg.story],
    }
