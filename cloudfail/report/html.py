"""A drill or a run as one HTML file that needs nothing else: no script, no font, no other file.

Every text that came from outside goes through `safe` (escaped, control characters and secrets taken out), here and in
timeline.py. Colours come from CSS variables: light, dark (prefers-color-scheme), and plain on paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape

from cloudfail.execution.state import RunState, Sentence
from cloudfail.report.drill import rows, titles
from cloudfail.report.html_style import STYLE
from cloudfail.report.outcome import DrillReport, Leg, verdict_of
from cloudfail.report.phases import phase_spans, step_spans
from cloudfail.report.run import took, tracks_of
from cloudfail.report.situation import commands_now, headline, owed_sentences, state_of
from cloudfail.report.timeline import Picture, extent, marks_of, svg
from cloudfail.report.wording import NONE, UNKNOWN, clock, count, measured, moment, offset, plain, seconds

ZOOM = 6.0
"""Where the whole is more than so many times as long as the outage, the outage gets a picture of its own."""


def drill_html(report: DrillReport) -> str:
    """The drill: verdict, timeline, the one table, story, evidence."""
    verdict = report.verdict
    parts = [
        f'<p class="verdict {verdict}">{str(verdict).upper()}</p>',
        f"<h1>Drill of {safe(report.application)}</h1>",
        paragraph(
            f"{moment(report.started_at)} · lab {report.mode} · synchronous replication {report.synchronous} · "
            f"RTO {seconds(report.objectives.rto_seconds)} · RPO {seconds(report.objectives.rpo_seconds)}",
            "lead",
        ),
        bullets(_verdicts(report)),
    ]
    for number, leg in enumerate(report.legs):
        parts.append(f"<h2>{safe(leg.name.capitalize())}: {safe(leg.source)} → {safe(leg.target)}</h2>")
        parts += [_figure(picture) for picture in _pictures(leg, f"leg{number}")]
    parts += ["<h2>Result</h2>", _result(report)]
    for leg in report.legs:
        if leg.owed:
            parts += [f"<h2>Still owed after the {safe(leg.name)}</h2>", bullets(leg.owed)]
    for leg in report.legs:
        parts += [f"<h2>Story of the {safe(leg.name)}</h2>", _story(leg.story)]
    parts += ["<h2>Evidence</h2>", _evidence(report)]
    return page(f"Drill of {report.application}: {verdict}", parts)


def _verdicts(report: DrillReport) -> Iterable[str]:
    for leg in report.legs:
        verdict = verdict_of(leg, report.objectives)
        yield f"{leg.name.capitalize()} {verdict}: {'; '.join(verdict.reasons)}."


def _pictures(leg: Leg, identifier: str) -> Iterable[Picture]:
    verdict = "; ".join(f"{name} {measured(value)}" for name, value in leg.phases.items())
    client = leg.client
    picture = Picture(
        title=f"Timeline of the {leg.name} from {leg.source} to {leg.target}",
        description=(
            f"Clients could not write for {seconds(client.write_outage_seconds)}. Phases: {verdict}. Every number of "
            f"this picture stands in the tables below it."
        ),
        phases=leg.phase_spans,
        steps=leg.steps,
        marks=marks_of(leg.events, leg.steps),
        client=client,
        identifier=identifier,
    )
    first, last = extent(picture)
    began, ended = client.outage_began, client.outage_ended
    if began is not None and ended is not None and 0 < (ended - began) * ZOOM < last - first:
        room = (ended - began) * 0.5
        window = (max(first, began - room), min(last, ended + room))
        zoomed = f"{picture.title}: the outage"
        yield replace(picture, window=window, identifier=f"{identifier}z", title=zoomed)
    yield picture


def _figure(picture: Picture) -> str:
    label = safe(picture.title)
    return (
        f'<figure><div class="scroll" role="region" tabindex="0" aria-label="{label}">\n{svg(picture)}\n</div>'
        f"<figcaption>{label}. {_axis_of(picture)}</figcaption></figure>"
    )


def _axis_of(picture: Picture) -> str:
    if picture.client is None:
        return "Seconds since the run was opened."
    zero = "the fault" if any(mark.kind == "fault" for mark in picture.marks) else "the opening of the run"
    band = (
        " The band behind the rows is the outage as those clients felt it who waited longest."
        if picture.client.outage_began is not None
        else ""
    )
    return f"Seconds from {zero}.{band}"


def _result(report: DrillReport) -> str:
    head = "".join(f'<th scope="col">{safe(title)}</th>' for title in titles(report))
    body = []
    for row in rows(report):
        cells = "".join(f"<td>{safe(cell)}</td>" for cell in row.cells)
        body.append(f'<tr{" class=part" if row.part else ""}><th scope="row">{safe(row.title)}</th>{cells}</tr>')
    return (
        '<div class="scroll"><table class="figures"><caption>What the clients felt</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _evidence(report: DrillReport) -> str:
    found = [("journal entries", count(report.journal_entries)), ("journal head", report.journal_head or UNKNOWN)]
    for leg in report.legs:
        found += [
            (f"{leg.name}: run", leg.run or UNKNOWN),
            (f"{leg.name}: plan checksum", leg.plan or UNKNOWN),
            (f"{leg.name}: verdict", str(verdict_of(leg, report.objectives))),
        ]
        found += [(f"{leg.name}: loss bound", part) for part in (leg.loss.parts if leg.loss is not None else ())]
    return facts([*found, *report.about.items()])


def run_html(run: RunState, journal_head: str = "") -> str:
    """A run: headline, what can be typed now, timeline, steps, story, evidence."""
    plan = run.plan
    parts = [
        f'<p class="verdict phase-{run.phase}">{str(run.phase).upper()}</p>',
        f"<h1>{safe(headline(run))}</h1>",
        paragraph(f"Opened {moment(run.opened_at)} by {run.opened_by}: {run.reason}. {offset(run.t)} by now.", "lead"),
    ]
    if run.halted_because:
        parts += [paragraph(f"Because: {run.halted_because}"), paragraph(f"To do: {run.to_do}")]
    ways = commands_now(run)
    if ways:
        said = [f"<dt><code>{safe(way.command)}</code></dt><dd>{safe(way.meaning)}</dd>" for way in ways]
        parts += ["<h2>What you can do now</h2>", f'<dl class="ways">{"".join(said)}</dl>']
    if run.owed:
        parts += ["<h2>Owed</h2>", bullets(owed_sentences(run))]
    steps = step_spans(run)
    picture = Picture(
        title=f"Timeline of run {run.id}",
        description="The phases and steps of the run as bars; every number stands in the table of steps.",
        phases=phase_spans(run),
        steps=steps,
        marks=marks_of((), steps),
        ends=run.t,
    )
    parts += ["<h2>Timeline</h2>", _figure(picture), "<h2>Steps</h2>", _steps(run)]
    parts += ["<h2>Story</h2>", _story(run.story), "<h2>Evidence</h2>"]
    parts.append(facts([("run", run.id), ("plan checksum", plan.checksum), ("journal head", journal_head or UNKNOWN)]))
    return page(f"Run {run.id}: {run.phase}", parts)


def _steps(run: RunState) -> str:
    body = []
    for track in tracks_of(run):
        state, record = state_of(run, track), run.track(track)
        ended = offset(record.ended_t) if record.ended else NONE
        cells = (
            state.word,
            run.plan.step(track.step).resource or NONE,
            ended,
            took(run, track) or NONE,
            str(record.attempts) if record.attempts else NONE,
            state.detail,
        )
        body.append((str(track), cells))
    return table(
        "Every step, as the journal remembers it", ("state", "resource", "ended", "took", "attempts", "detail"), body
    )


def _story(story: Sequence[Sentence]) -> str:
    body = [(clock(line.at), (offset(line.t), line.by, line.text)) for line in story]
    return table("Wall time is UTC", ("since opened", "by", "what"), body, first="UTC")


def table(caption: str, heads: Sequence[str], body: Sequence[tuple[str, Sequence[str]]], first: str = "step") -> str:
    head = "".join(f'<th scope="col">{safe(title)}</th>' for title in (first, *heads))
    lines = [
        f'<tr><th scope="row">{safe(name)}</th>{"".join(f"<td>{safe(cell)}</td>" for cell in cells)}</tr>'
        for name, cells in body
    ]
    return (
        f'<div class="scroll"><table><caption>{safe(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def facts(found: Iterable[tuple[str, str]]) -> str:
    said = "".join(f"<dt>{safe(name)}</dt><dd>{safe(text)}</dd>" for name, text in found)
    return f'<dl class="facts">{said}</dl>'


def bullets(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{safe(line)}</li>' for line in lines)}</ul>"


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{safe(text)}</p>' if kind else f"<p>{safe(text)}</p>"


def safe(text: str) -> str:
    """Safe in HTML; a number stays with its unit."""
    return re.sub(r"(?<=\d) (?=s\b)", "&nbsp;", escape(plain(text), quote=True))


def page(title: str, parts: Sequence[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{safe(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
