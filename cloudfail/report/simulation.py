"""Many simulated failovers as an answer: will this runbook meet its objectives? As text, JSON and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cloudfail.config import durations
from cloudfail.model.topology import Objectives
from cloudfail.report.html import bullets, facts, page, safe
from cloudfail.report.html import paragraph as html_paragraph
from cloudfail.report.html import table as html_table
from cloudfail.report.layout import Column, cut, paragraph, table
from cloudfail.report.simulation_picture import Histogram, rows, svg
from cloudfail.report.wording import NONE, UNKNOWN, counted, measured, plain, without_secrets
from cloudfail.testing.simulation.results import Found, Line, Spread, Story, Trial

WIDTH = 100
STORY_LINES_MAX = 34
FAULTS_SHOWN_MAX = 12
FEW = 100
NEVER = "never"
MARKS = {"fault": "!", "clients": "*", "person": ">", "run": " "}
TIMING = ("seconds", "failovers_per_minute")
"""What differs when the same seeds are played again."""


def verdict_of(found: Trial) -> str:
    """YES, NO, or that these seeds cannot tell; an invariant that did not hold comes first."""
    if found.violations:
        return "VIOLATION"
    if not found.judged:
        return "NO ANSWER"
    return {True: "YES", False: "NO", None: "CANNOT TELL YET"}[found.kept]


def _to_tell(found: Trial) -> str:
    """Why there is neither a yes nor a no, and the command that would answer."""
    low, high = found.missed_between
    line = f"{found.missed_share_max * 100:g}%"
    why = (
        f"{found.met:,} of {len(found.judged):,} cannot tell yet: in the long run between {low:.1%} and {high:.1%} "
        f"miss them (nine chances in ten), and the line is {line}."
    )
    if found.seeds_to_tell is None:
        return f"{why} It is so near that more seeds would hardly tell: change something, or draw another --missed-max."
    more = re.sub(r"--seeds \d+", f"--seeds {found.seeds_to_tell}", plain(found.replay))
    return f"{why} Run more seeds: {more}"


def headline(found: Trial) -> str:
    """The answer in one sentence."""
    move = f"{plain(found.runbook)}, {plain(found.source)} → {plain(found.target)}"
    if not found.judged:
        return f"{move}: in none of {counted(len(found.felts), 'seed')} did a run move the application."
    share = f"{found.met / len(found.judged):.1%}".replace(".0%", "%")
    return (
        f"{move}, met its objectives in {found.met:,} of {len(found.judged):,} simulated {moves(found)} ({share}): "
        f"{_objectives(found)}. Up to {found.missed_share_max * 100:g}% may miss them."
    )


def moves(found: Trial) -> str:
    """`failovers` or `switchovers`."""
    return f"{plain(found.mode)}s"


def _objectives(found: Trial) -> str:
    return (
        f"RTO {durations.written(found.objectives.rto_seconds)}, RPO {durations.written(found.objectives.rpo_seconds)}"
    )


def _counts(found: Trial) -> list[str]:
    """Who had to act, and which seeds are not held against the objectives."""
    judged = found.judged
    unsure = [_to_tell(found)] if judged and found.kept is None else []
    alone = [felt for felt in judged if not felt.asked]
    alone_met = [felt for felt in alone if not felt.misses(found.objectives)]
    said = unsure
    if judged:
        asked = len(judged) - len(alone)
        said.append(
            f"{len(alone):,} of them ended by themselves, gates apart, and {len(alone_met):,} of those met the "
            f"objectives; {asked:,} stood still until a person did more than approve."
        )
    if found.unjudged:
        parts = ", ".join(f"{count:,} {why}" for why, count in sorted(found.unjudged.items(), key=lambda one: -one[1]))
        said.append(f"Of {counted(len(found.felts), 'seed')}, these have no recovery time: {parts}.")
    if 0 < len(judged) < FEW and not unsure:
        said.append(
            f"{len(judged)} {moves(found)} are few: what comes once in a hundred may be missing. More: --seeds 1000"
        )
    return said


def outage_histogram(found: Trial) -> Histogram:
    values = [felt.outage_seconds if felt.moved else None for felt in found.judged]
    return Histogram("Outage as clients felt it", "RTO", found.objectives.rto_seconds, values)


def loss_histogram(found: Trial) -> Histogram:
    values = [felt.lost_seconds for felt in found.judged if felt.moved]
    return Histogram("Acknowledged writes lost, in seconds", "RPO", found.objectives.rpo_seconds, values)


def spread_rows(found: Trial) -> list[tuple[str, ...]]:
    def row(title: str, spread: Spread, objective: float, *, empty: bool) -> tuple[str, ...]:
        figures = (spread.p50, spread.p90, spread.p99, spread.max)
        said = (NONE if empty else NEVER if one is None else measured(one) for one in figures)
        return (title, *said, measured(objective))

    judged = found.judged
    return [
        row("outage", found.outage, found.objectives.rto_seconds, empty=not judged),
        row("loss", found.loss, found.objectives.rpo_seconds, empty=not any(felt.moved for felt in judged)),
    ]


SPREAD_TITLES = ("p50", "p90", "p99", "max", "objective")


# ---- as text


def as_text(found: Trial, width: int = WIDTH) -> str:
    lines = [f"Will {plain(found.runbook)} meet its objectives? {verdict_of(found)}"]
    lines += paragraph(headline(found), width, 2)
    for one in _counts(found):
        lines += paragraph(one, width, 2)
    for one in (*found.conditions, *found.assumed):
        lines += paragraph(plain(one), width, 2, 2)
    for violation in found.violations:
        lines += ["", *_violation(violation, width)]
    for histogram in (outage_histogram(found), loss_histogram(found)):
        lines += ["", *rows(histogram, width)]
    lines.append("")
    columns = (Column(""), *(Column(title, right=True) for title in SPREAD_TITLES))
    lines += table(columns, spread_rows(found), width)
    lines += ["", "Runs ended"]
    lines += paragraph(_tallied(found.ends.items()), width, 2)
    fired = list(found.fired.items())
    lines += ["Faults that took effect, and in how many seeds"]
    more = f", and {len(fired) - FAULTS_SHOWN_MAX} others" if len(fired) > FAULTS_SHOWN_MAX else ""
    lines += paragraph((_tallied(fired[:FAULTS_SHOWN_MAX]) or "none") + more, width, 2)
    lines += [f"Violations of an invariant: {len(found.violations)}"]
    if found.worst is not None:
        lines += ["", *story_lines(found.worst, width, f"The worst of them, {_why_worst(found)}", STORY_LINES_MAX)]
    lines += ["", "What to change", *_advice(found, width), ""]
    lines.append(f"{counted(len(found.felts), 'seed')} from {found.first} in {found.seconds:.1f} s")
    lines += paragraph(f"Again, exactly: {found.replay}", width, 0, 2)
    return "\n".join(lines) + "\n"


def _tallied(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{plain(name)} {count:,}" for name, count in counts)


def _why_worst(found: Trial) -> str:
    assert found.worst is not None
    missed = found.worst.felt.misses(found.objectives)
    return (
        f"seed {found.worst.seed}: it missed the {' and the '.join(missed)}"
        if missed
        else (f"seed {found.worst.seed}: the longest outage, and within the objectives")
    )


def _advice(found: Trial, width: int) -> list[str]:
    lines = []
    for number, one in enumerate(found.advice, 1):
        lines += paragraph(f"{number}. {plain(one.change)}", width, 2, 3)
        lines += paragraph(plain(one.figure), width, 5)
    return lines or paragraph(nothing_to_change(found), width, 2)


def nothing_to_change(found: Trial) -> str:
    """Why there is no advice."""
    if not found.judged:
        return "Nothing can be said: no run moved the application. Play more seeds: --seeds 1000"
    if found.missed:
        return f"{counted(len(found.missed), 'seed')} missed them, and no pattern was found: read the worst."
    p90 = found.outage.p90
    left = ""
    if p90 is not None and p90 < found.objectives.rto_seconds:
        left = f" Nine of ten leave {durations.written(round(found.objectives.rto_seconds - p90))} of the RTO or more."
    return f"Nothing to change: every one met its objectives.{left}"


def _violation(found: Found, width: int) -> list[str]:
    lines = paragraph(f"VIOLATION of {found.invariant} in seed {found.seed}: {plain(found.what)}", width, 0, 2)
    lines += [f"  Replay it: {found.replay}"]
    if found.smallest is not None:
        lines += story_lines(found.smallest, width, "The least that shows it", STORY_LINES_MAX)
    return lines


def story_lines(story: Story, width: int, title: str, most: int | None = None) -> list[str]:
    """The seed told: what was set up, what happens in it by number, and then line by line."""
    lines = paragraph(title, width)
    for one in story.setting:
        lines += paragraph(plain(one), width, 2, 2)
    lines += paragraph(f"Replay it: {story.replay}", width, 2, 2)
    lines += paragraph(f"Times count from {plain(story.zero)}. Marks: ! fault, * clients, > person.", width, 2, 2)
    shown = list(story.lines)
    left_out = 0 if most is None else max(0, len(shown) - most)
    half = len(shown) if not left_out else most // 2 if most is not None else 0
    head, tail = (shown, []) if not left_out else (shown[:half], shown[half + left_out :])
    lines += [line for one in head for line in _story_line(one, width)]
    if left_out:
        lines.append(f"              … {left_out} lines more in the replay …")
    lines += [line for one in tail for line in _story_line(one, width)]
    return lines


def _story_line(line: Line, width: int) -> list[str]:
    first, *rest = paragraph(cut(plain(line.text), 3 * width), width - 15)
    head = f"  {moment(line.at):>10} {MARKS.get(line.kind, ' ')} "
    return [head + first, *(" " * 14 + one for one in rest)]


def moment(at: float) -> str:
    """Seconds from the zero of a story: `+3.2s`, `-20s`, `+2m 41s`."""
    sign = "-" if at < 0 else "+"
    at = abs(at)
    return f"{sign}{at:.1f}s" if at < 60 else f"{sign}{durations.written(at)}"


def seed_text(story: Story, violations: Sequence[Found], objectives: Objectives, width: int = WIDTH) -> str:
    """One seed that was replayed, whole."""
    felt = story.felt
    lines = paragraph(f"Seed {story.seed}: {_felt(story, objectives)}", width, 0, 2)
    if story.happenings:
        lines.append("  What it holds, by the number that --keep takes:")
        lines += [
            line for number, text in story.happenings for line in paragraph(f"{number:>3}  {plain(text)}", width, 2, 5)
        ]
    lines += ["", *story_lines(story, width, "What happened")]
    if felt.parts:
        parts = ", ".join(f"{part} {measured(value)}" for part, value in felt.parts.items())
        lines += ["", *paragraph(f"The outage by what was waited for: {parts}", width, 0, 2)]
    lines += ["", f"Violations of an invariant: {len(violations)}"]
    for one in violations:
        lines += paragraph(f"VIOLATION of {one.invariant}: {plain(one.what)}", width, 2, 2)
    return "\n".join(lines) + "\n"


def _felt(story: Story, objectives: Objectives) -> str:
    felt = story.felt
    if not felt.moved:
        return f"it ended {felt.end}, and nothing was moved."
    outage = f"clients outside could not write for {measured(felt.outage_seconds)}"
    if felt.outage_seconds is None:
        outage = "clients outside never wrote again"
    loss = f"lost {measured(felt.lost_seconds)} of acknowledged writes" if felt.lost else "lost no acknowledged write"
    missed = felt.misses(objectives)
    return f"it ended {felt.end}; {outage}, and {loss}; it " + (
        f"missed the {' and the '.join(missed)}." if missed else "met its objectives."
    )


def incident_text(title: str, story: Sequence[str], findings: Sequence[str], width: int = WIDTH) -> str:
    """An incident that was played from its file: what happened, and what is not as the file says."""
    lines = paragraph(plain(title), width)
    for one in story:
        at, _, text = one.partition("  ")
        first, *rest = paragraph(plain(text), width - 13)
        lines += [f"  {at:>9}  {first}", *(" " * 13 + more for more in rest)]
    lines.append("")
    for one in findings:
        lines += paragraph(f"NOT AS IT MUST BE: {plain(one)}", width, 0, 2)
    return "\n".join(lines) + ("" if findings else "It ended as its file says, and every invariant held.") + "\n"


# ---- as JSON


def as_json(found: Trial) -> dict[str, Any]:
    """The same seeds give the same document, but for the fields of TIMING."""

    def spread(one: Spread, objective: float) -> dict[str, Any]:
        return {**asdict(one), "objective": objective}

    document: dict[str, Any] = without_secrets(
        {
            "application": found.application,
            "runbook": found.runbook,
            "mode": found.mode,
            "source": found.source,
            "target": found.target,
            "verdict": verdict_of(found),
            "headline": headline(found),
            "first": found.first,
            "seeds": len(found.felts),
            "violations": [_found_json(one) for one in found.violations],
            "judged": len(found.judged),
            "met": found.met,
            "missed": len(found.missed),
            "missed_share": round(found.missed_share, 6),
            "missed_share_max": found.missed_share_max,
            "missed_share_between": [round(share, 6) for share in found.missed_between] if found.judged else None,
            "seeds_to_tell": found.seeds_to_tell if found.judged and found.kept is None else None,
            "asked": sum(felt.asked for felt in found.judged),
            "not_judged": dict(found.unjudged),
            "outage_seconds": spread(found.outage, found.objectives.rto_seconds),
            "loss_seconds": spread(found.loss, found.objectives.rpo_seconds),
            "ends": dict(found.ends),
            "fired": dict(found.fired),
            "rows_never_taken": list(found.rows_never_taken),
            "rare_faults": {name: round(share, 6) for name, share in found.rare_faults},
            "conditions": [*found.conditions, *found.assumed],
            "advice": [asdict(one) for one in found.advice],
            "worst": None if found.worst is None else story_json(found.worst, found.objectives),
            "replay": found.replay,
        }
    )
    document["seconds"] = round(found.seconds, 3)
    document["failovers_per_minute"] = round(len(found.judged) / found.seconds * 60, 1) if found.seconds else None
    return document


def incident_json(title: str, story: Sequence[str], findings: Sequence[str]) -> dict[str, Any]:
    document: dict[str, Any] = without_secrets(
        {"title": title, "passed": not findings, "findings": list(findings), "story": list(story)}
    )
    return document


def _found_json(one: Found) -> dict[str, Any]:
    return {
        "seed": one.seed,
        "invariant": one.invariant,
        "what": one.what,
        "replay": one.replay,
        "smallest": None if one.smallest is None else story_json(one.smallest),
    }


def seed_json(story: Story, violations: Sequence[Found], objectives: Objectives) -> dict[str, Any]:
    """One seed that was replayed."""
    document: dict[str, Any] = without_secrets(
        {**story_json(story, objectives), "violations": [_found_json(one) for one in violations]}
    )
    return document


def story_json(story: Story, objectives: Objectives | None = None) -> dict[str, Any]:
    felt = story.felt
    return {
        "seed": story.seed,
        "replay": story.replay,
        "end": felt.end,
        "moved": felt.moved,
        "asked": felt.asked,
        "outage_seconds": felt.outage_seconds,
        "outage_by_part": dict(felt.parts),
        "loss_seconds": felt.lost_seconds,
        "lost_writes": felt.lost,
        "misses": [] if objectives is None else list(felt.misses(objectives)),
        "setting": list(story.setting),
        "happenings": [{"number": number, "what": text} for number, text in story.happenings],
        "zero": story.zero,
        "story": [asdict(line) for line in story.lines],
    }


# ---- as HTML


def as_html(found: Trial) -> str:
    verdict = verdict_of(found)
    css = {"YES": "passed", "NO": "failed", "VIOLATION": "failed"}.get(verdict, "")
    parts = [
        f'<p class="verdict {css}">{verdict}</p>',
        f"<h1>{safe(f'Will {found.runbook} meet its objectives?')}</h1>",
        html_paragraph(headline(found), "lead"),
        bullets([*_counts(found), *found.conditions, *found.assumed]),
    ]
    for number, histogram in enumerate((outage_histogram(found), loss_histogram(found))):
        parts += [f"<h2>{safe(histogram.title)}</h2>", _figure(histogram, f"h{number}")]
    parts += [_spread_html(found), "<h2>What to change</h2>", _advice_html(found)]
    for one in found.violations:
        parts += [f"<h2>{safe(f'Violation of {one.invariant} in seed {one.seed}')}</h2>", html_paragraph(one.what)]
        parts += [f"<p><code>{safe(one.replay)}</code></p>"]
        if one.smallest is not None:
            parts.append(_story_html(one.smallest))
    if found.worst is not None:
        parts += [f"<h2>{safe(f'The worst, {_why_worst(found)}')}</h2>", _story_html(found.worst)]
    parts += ["<h2>How the runs ended</h2>", _tally_html("Runs by how they ended", found.ends, len(found.felts))]
    parts += ["<h2>Faults</h2>", _tally_html("Seeds in which a fault took effect", found.fired, len(found.felts))]
    parts += ["<h2>Evidence</h2>", facts(_evidence(found))]
    return page(f"Simulation of {found.application}: {verdict}", parts)


def _figure(histogram: Histogram, identifier: str) -> str:
    label = safe(histogram.title)
    return (
        f'<figure><div class="scroll" role="region" tabindex="0" aria-label="{label}">\n{svg(histogram, identifier)}\n'
        f"</div><figcaption>{label}: how many runs, by how long. Red is beyond the {safe(histogram.name)}.</figcaption>"
        "</figure>"
    )


def _spread_html(found: Trial) -> str:
    return html_table(
        "Percentiles by nearest rank", SPREAD_TITLES, [(row[0], row[1:]) for row in spread_rows(found)], first="what"
    )


def _advice_html(found: Trial) -> str:
    if not found.advice:
        return html_paragraph(nothing_to_change(found))
    said = "".join(f"<dt>{safe(one.change)}</dt><dd>{safe(one.figure)}</dd>" for one in found.advice)
    return f'<dl class="ways">{said}</dl>'


def _story_html(story: Story) -> str:
    body = [(moment(line.at), (line.kind, line.text)) for line in story.lines]
    return (
        bullets(story.setting)
        + f"<p><code>{safe(story.replay)}</code></p>"
        + html_table(f"Times count from {story.zero}", ("who", "what"), body, first="at")
    )


def _tally_html(caption: str, counts: Mapping[str, int], seeds: int) -> str:
    body = [(name, (f"{count:,}", f"{count / seeds:.1%}" if seeds else UNKNOWN)) for name, count in counts.items()]
    return html_table(caption, ("seeds", "share"), body, first="what")


def _evidence(found: Trial) -> list[tuple[str, str]]:
    return [
        ("seeds", f"{len(found.felts):,} from {found.first}"),
        ("took", f"{found.seconds:.1f} s"),
        ("violations", str(len(found.violations))),
        ("rows of the state table that no seed took", f"{len(found.rows_never_taken)}"),
        ("again", found.replay),
    ]
