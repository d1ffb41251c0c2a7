"""A run while it goes on, and afterwards: as text, JSON and Markdown.

The first line is the headline (situation.py): the phase, and the fence that it holds if it cannot go on by itself.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cloudfail.execution.state import RunState, StepRecord, Track
from cloudfail.report.layout import Column, markdown, markdown_table, paragraph, table
from cloudfail.report.phases import began_t, loss_at_promotion, phase_spans, phases, step_spans
from cloudfail.report.progress import line_for, told_once
from cloudfail.report.situation import commands_now, headline, owed_sentences, state_of
from cloudfail.report.status import runs_text, status_text
from cloudfail.report.wording import NONE, clock, moment, offset, plain, seconds, short, without_secrets

__all__ = [
    "as_json",
    "as_markdown",
    "as_text",
    "commands_now",
    "headline",
    "line_for",
    "loss_at_promotion",
    "phase_spans",
    "phases",
    "runs_text",
    "state_of",
    "status_text",
    "step_spans",
    "told_once",
]

WIDTH = 110


def as_text(run: RunState, width: int = WIDTH) -> str:
    plan = run.plan
    lines = [headline(run)]
    lines += paragraph(
        f"Opened {moment(run.opened_at)} by {plain(run.opened_by)}: {plain(run.reason).rstrip('.')}. "
        f"Plan {short(plan.checksum)}, "
        f"{plain(plan.source)} → {plain(plan.target)}, {plan.mode}; {offset(run.t)} by now.",
        width,
        2,
        2,
    )
    if run.halted_because:
        lines += paragraph(f"Because: {plain(run.halted_because)}", width, 2, 2)
        lines += paragraph(f"To do: {plain(run.to_do)}", width, 2, 2)
    ways = commands_now(run)
    if ways:
        lines += ["", "What you can do now:"]
        lines += table((Column(), Column(wraps=True)), [(way.command, way.meaning) for way in ways], width)
    if run.owed:
        lines += ["", "Owed, and tried again until it is settled:"]
        lines += [line for sentence in owed_sentences(run) for line in paragraph(sentence, width, 2, 2)]
    lines += ["", "Steps:"]
    columns = (
        Column(),
        Column(most=28),
        Column(most=20),
        Column(right=True),
        Column(right=True),
        Column(),
        Column(wraps=True),
    )
    lines += table(columns, [_step_row(run, track) for track in tracks_of(run)], width)
    lines += ["", "Story:"]
    story = (Column(), Column(right=True), Column(most=20), Column(wraps=True))
    rows = [(clock(line.at), offset(line.t), plain(line.by), plain(line.text)) for line in run.story]
    lines += table(story, rows, width)
    return "\n".join(lines) + "\n"


def tracks_of(run: RunState) -> list[Track]:
    """Every step in the plan's order, and below it what else was done about it."""
    return [
        track
        for step in run.plan.steps
        for track in (Track(step.name, way) for way in ("do", "owed", "watch", "undo"))
        if track.way == "do" or (track in run.tracks and run.track(track).ended != "skipped")
    ]


def _step_row(run: RunState, track: Track) -> tuple[str, ...]:
    state, record = state_of(run, track), run.track(track)
    step = run.plan.step(track.step)
    return (
        state.word,
        plain(track),
        plain(step.resource) or NONE,
        offset(record.ended_t) if record.ended else "",
        took(run, track),
        _attempts(record),
        state.detail,
    )


def took(run: RunState, track: Track) -> str:
    """How long the step was under way, "" while it is, or where nobody can say."""
    record, began = run.track(track), began_t(run, run.plan.step(track.step))
    if not record.ended or began is None or track.way != "do":
        return ""
    return seconds(max(0.0, record.ended_t - began))


def _attempts(record: StepRecord) -> str:
    return f"{record.attempts} attempts" if record.attempts > 1 else ""


def as_json(run: RunState) -> dict[str, Any]:
    """The run as the journal remembers it, and what follows from it. Times are seconds since it was opened."""
    steps = []
    for track in tracks_of(run):
        record, step, state = run.track(track), run.plan.step(track.step), state_of(run, track)
        steps.append(
            {
                "name": track.step,
                "way": track.way,
                "resource": step.resource,
                "state": state.word,
                "detail": state.detail,
                "began": began_t(run, step) if track.way == "do" else None,
                "ended": record.ended_t if record.ended else None,
                "attempts": record.attempts,
                "outcome": record.outcome or None,
                "effect": record.effect or None,
                "facts": dict(record.facts),
                "point_of_no_return": step.point_of_no_return,
            }
        )
    document: dict[str, Any] = without_secrets(
        {
            "run": run.id,
            "headline": headline(run),
            "phase": str(run.phase),
            "final": run.phase.final,
            "application": run.plan.application,
            "mode": str(run.plan.mode),
            "source": run.plan.source,
            "target": run.plan.target,
            "plan": run.plan.checksum,
            "opened_at": run.opened_at,
            "opened_by": run.opened_by,
            "closed_at": run.closed_at or None,
            "reason": run.reason,
            "seconds": run.t,
            "holds_fence": run.holds_fence,
            "promoted": run.promoted,
            "halted_because": run.halted_because or None,
            "to_do": run.to_do or None,
            "asks": dict(run.asks),
            "accepted": asdict(run.accepted),
            "obligations": [{"step": step.name, "detail": run.did(step.name).detail} for step in run.owed],
            "commands": [way._asdict() for way in commands_now(run)],
            "phases": phases(run),
            "steps": steps,
            "story": [asdict(line) | {"phase": str(line.phase)} for line in run.story],
        }
    )
    return document


def as_markdown(run: RunState) -> str:
    """For an incident channel or a post-mortem."""
    plan = run.plan
    lines = [f"# {markdown(headline(run))}", ""]
    lines += [
        f"- {name}: {markdown(text)}"
        for name, text in (
            ("opened", f"{moment(run.opened_at)} by {plain(run.opened_by)}: {plain(run.reason)}"),
            ("way", f"{plain(plan.source)} → {plain(plan.target)}, {plan.mode}"),
            ("plan", plain(plan.checksum)),
            ("because", plain(run.halted_because)),
            ("to do", plain(run.to_do)),
        )
        if text
    ]
    ways = commands_now(run)
    if ways:
        lines += ["", "## What you can do now", ""]
        lines += [f"- `{way.command.replace('`', '')}`: {markdown(way.meaning)}" for way in ways]
    if run.owed:
        lines += ["", "## Owed", "", *(f"- {markdown(sentence)}" for sentence in owed_sentences(run))]
    rows = [_step_row(run, track) for track in tracks_of(run)]
    titles = ("state", "step", "resource", "ended", "took", "attempts", "detail")
    lines += ["", "## Steps", "", *markdown_table(titles, rows)]
    story = [(clock(line.at), offset(line.t), plain(line.by), plain(line.text)) for line in run.story]
    lines += ["", "## Story", "", *markdown_table(("UTC", "t", "by", "what"), story)]
    return "\n".join(lines) + "\n"
