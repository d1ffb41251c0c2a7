"""A drill or a run as a picture: SVG written by hand, one row for each thing, so that no label can meet another.

Names stand in a column of their own and are cut to fit it; a bar's seconds stand right of it, or left of it where the
right is too narrow, or inside. Marks carry their words in lanes above the rows, and a mark takes the first lane in
which it touches no other. Whatever is cut is whole in the element's <title>.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from cloudfail.report.layout import cells
from cloudfail.report.outcome import BUCKET_SECONDS, Client, Event
from cloudfail.report.phases import PHASES, Span
from cloudfail.report.wording import measured, plain

WIDTH, NAMES, RIGHT = 960, 190, 20
GROUP = 60
ROW, BAR, STRIP, LANE = 22, 12, 44, 18
LETTER = 6.6
"""Pixels of one cell at the picture's 12 px: on the wide side of what system fonts need, so that text always fits."""
GROUPS = {"phase": "phases", "step": "steps"}
MARKS_MAX = 24
COLUMNS_MAX = 400


@dataclass(frozen=True)
class Mark:
    """A moment with its words. `kind` is a CSS class: fault, return (point of no return) or moment."""

    at: float
    text: str
    kind: str = "moment"


@dataclass(frozen=True)
class Picture:
    """What is drawn. `client` None: nobody measured what clients felt. `description` is read to who cannot see it."""

    title: str
    description: str
    phases: Sequence[Span] = ()
    steps: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    client: Client | None = None
    ends: float = 0.0
    identifier: str = "timeline"
    window: tuple[float, float] | None = None


def marks_of(events: Iterable[Event], steps: Iterable[Span]) -> tuple[Mark, ...]:
    """The events as marks, and the point of no return where the first promotion began."""
    marks = [Mark(one.at, one.text or one.name, "fault" if one.name == "fault" else "moment") for one in events]
    marks += [Mark(step.began, "point of no return", "return") for step in steps if step.point_of_no_return]
    return tuple(sorted(marks, key=lambda mark: mark.at))


def svg(picture: Picture) -> str:
    """The picture as one <svg> element."""
    began, ended = picture.window or extent(picture)
    scale = _Scale(began, ended)
    marks = [mark for mark in picture.marks if began <= mark.at <= ended][:MARKS_MAX]
    lanes = _lanes(marks, scale)
    top = LANE * (max((lane for lane, _ in lanes), default=-1) + 1) + 8
    body, y = [], float(top)
    if picture.client is not None and picture.client.per_bucket:
        body += _strip(picture.client, scale, y)
        y += STRIP + 10
    body += _rows(picture, scale, y)
    y += _rows_high(_row_names(picture, scale))
    outage = _outage(picture.client, scale, top, y)
    height = y + 26
    name = escape(picture.identifier, quote=True)
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{name}-t {name}-d" class="timeline">',
            f'<title id="{name}-t">{_text(picture.title)}</title>',
            f'<desc id="{name}-d">{_text(picture.description)}</desc>',
            *outage,
            *_axis(scale, top, y),
            *_marks(marks, lanes, scale, y),
            *body,
            "</svg>",
        ]
    )


def extent(picture: Picture) -> tuple[float, float]:
    """From a little before the first thing to a little after the last."""
    moments = [mark.at for mark in picture.marks] + [picture.ends]
    for span in (*picture.phases, *picture.steps):
        moments += [span.began, span.began if span.ended is None else span.ended]
    if picture.client is not None:
        if picture.client.per_bucket:
            strip = picture.client.bucket_began
            moments += [strip, strip + BUCKET_SECONDS * len(picture.client.per_bucket)]
        moments += [at for at in (picture.client.outage_began, picture.client.outage_ended) if at is not None]
    first, last = min(moments), max(moments)
    room = max(0.1, (last - first) * 0.02)
    return first - room, last + room


class _Scale:
    """Seconds to pixels."""

    def __init__(self, began: float, ended: float) -> None:
        self.began, self.ended = began, max(ended, began + 0.001)
        self.pixels = (WIDTH - NAMES - RIGHT) / (self.ended - self.began)

    def x(self, at: float) -> float:
        return NAMES + (min(max(at, self.began), self.ended) - self.began) * self.pixels

    def shows(self, began: float, ended: float) -> bool:
        return ended >= self.began and began <= self.ended


def ticks(began: float, ended: float) -> list[float]:
    """At most ten round moments."""
    rough = (ended - began) / 9
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * 0.999)
    first = math.ceil(began / step - 1e-9)
    return [round(number * step, 9) for number in range(first, math.floor(ended / step + 1e-9) + 1)]


def _axis(scale: _Scale, top: float, bottom: float) -> list[str]:
    lines = []
    for at in ticks(scale.began, scale.ended):
        x = scale.x(at)
        said = f"{at:g} s"
        half = _wide(said) / 2
        anchor = "end" if x + half > WIDTH else "middle"
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{bottom:.0f}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 18:.0f}" text-anchor="{anchor}">{said}</text>')
    return lines


def _strip(client: Client, scale: _Scale, y: float) -> list[str]:
    """Acknowledged writes per 100 ms as columns; several share one column where they would be too thin to see."""
    counts, together = client.per_bucket, 1
    visible = (scale.ended - scale.began) / BUCKET_SECONDS
    while visible / together > COLUMNS_MAX:
        together *= 2
    wide = BUCKET_SECONDS * together
    columns = [
        (client.bucket_began + index * BUCKET_SECONDS, sum(counts[index : index + together]))
        for index in range(0, len(counts), together)
    ]
    most = max((number for _, number in columns), default=0) or 1
    path = []
    for at, number in columns:
        if number and scale.shows(at, at + wide):
            x, x2 = scale.x(at), scale.x(at + wide)
            high = max(1.0, STRIP * number / most)
            path.append(
                f"M{x:.1f} {y + STRIP:.1f}V{y + STRIP - high:.1f}H{max(x + 0.6, x2 - 0.4):.1f}V{y + STRIP:.1f}Z"
            )
    said = f"acknowledged writes, up to {most:,} in {measured(wide)}"
    return [
        *_name("client writes", y + STRIP / 2 + 4),
        f'<g><title>{_text(said)}</title><path class="acks" d="{"".join(path)}"/></g>',
        f'<line class="floor" x1="{NAMES}" x2="{WIDTH - RIGHT}" y1="{y + STRIP:.0f}" y2="{y + STRIP:.0f}"/>',
    ]


def _outage(client: Client | None, scale: _Scale, top: float, bottom: float) -> list[str]:
    """The outage as a band behind all rows; its length is said in a row of its own."""
    if client is None or client.outage_began is None:
        return []
    x, x2 = scale.x(client.outage_began), scale.x(scale.ended if client.outage_ended is None else client.outage_ended)
    return [
        f'<rect class="outage" x="{x:.1f}" y="{top:.0f}" width="{max(1, x2 - x):.1f}" height="{bottom - top:.0f}"/>'
    ]


def _row_names(picture: Picture, scale: _Scale) -> list[tuple[str, str, list[Span]]]:
    """Every row: its class, its name, and the bars in it."""
    rows: list[tuple[str, str, list[Span]]] = []
    client = picture.client
    if client is not None and client.outage_began is not None:
        rows.append(("felt", "outage", [Span("outage", client.outage_began, client.outage_ended)]))
    for phase in PHASES:
        spans = [span for span in picture.phases if span.name == phase]
        if any(span.ended is None or span.ended > span.began for span in spans):
            rows.append(("phase", phase, spans))
    rows += [("step", step.name, [step]) for step in picture.steps]
    return [
        row for row in rows if any(scale.shows(s.began, scale.ended if s.ended is None else s.ended) for s in row[2])
    ]


def _rows_high(rows: Sequence[tuple[str, str, list[Span]]]) -> float:
    return ROW * len(rows) + 8 * len({kind for kind, _, _ in rows if kind in GROUPS})


def _rows(picture: Picture, scale: _Scale, y: float) -> list[str]:
    lines, last = [], ""
    for kind, name, spans in _row_names(picture, scale):
        if kind != last and kind in GROUPS:
            lines.append(f'<line class="floor" x1="0" x2="{WIDTH}" y1="{y + 4:.0f}" y2="{y + 4:.0f}"/>')
            lines.append(f'<text class="group" x="10" y="{y + 4 + ROW - 7:.0f}">{GROUPS[kind]}</text>')
            y += 8
        last = kind
        lines += _name(name, y + ROW - 7)
        lines += _bars(kind, spans, scale, y)
        y += ROW
    return lines


def _bars(kind: str, spans: Sequence[Span], scale: _Scale, y: float) -> list[str]:
    lines = []
    shown = [span for span in spans if scale.shows(span.began, scale.ended if span.ended is None else span.ended)]
    left, right = float(WIDTH), 0.0
    for span in shown:
        x, x2 = scale.x(span.began), scale.x(scale.ended if span.ended is None else span.ended)
        x2 = max(x2, x + 2)
        left, right = min(left, x), max(right, x2)
        words = " ".join(filter(None, [kind, f"is-{span.state}" if span.state.isalpha() else "is-open"]))
        said = f"{span.name}: {_took(span)}" + (f" ({span.state})" if span.state not in {"", "phase"} else "")
        said += f"; {span.detail}" if span.detail else ""
        lines.append(
            f'<rect class="bar {words}" x="{x:.1f}" y="{y + (ROW - BAR) / 2:.1f}" width="{x2 - x:.1f}" height="{BAR}" '
            f'rx="2"><title>{_text(said)}</title></rect>'
        )
    return [*lines, _seconds(shown, left, right, y + ROW - 7)]


def _seconds(spans: Sequence[Span], left: float, right: float, y: float) -> str:
    """What the row took, where there is room: right of its bars, left of them, or inside."""
    known = [span.ended - span.began for span in spans if span.ended is not None]
    said = measured(sum(known)) if len(known) == len(spans) else "not ended"
    state = spans[-1].state
    if state in {"owed", "failed"}:
        said += f", {state}"
    wide = _wide(said) + 10
    if right + wide <= WIDTH:
        return f'<text class="took" x="{right + 6:.1f}" y="{y:.1f}">{_text(said)}</text>'
    if left - wide >= NAMES:
        return f'<text class="took" x="{left - 5:.1f}" y="{y:.1f}" text-anchor="end">{_text(said)}</text>'
    return f'<text class="took inside" x="{left + 5:.1f}" y="{y:.1f}">{_text(said)}</text>'


def _took(span: Span) -> str:
    return "not ended" if span.ended is None else measured(span.ended - span.began)


def _lanes(marks: Sequence[Mark], scale: _Scale) -> list[tuple[int, float]]:
    """For each mark its lane and where its words begin; no two in one lane touch, none leaves the picture."""
    taken: list[list[tuple[float, float]]] = []
    placed = []
    for mark in marks:
        wide = min(_wide(plain(mark.text)), WIDTH - 4.0)
        x = min(scale.x(mark.at) + 4, WIDTH - 2 - wide)
        lane = 0
        while lane < len(taken) and any(x < last + 10 and first < x + wide + 10 for first, last in taken[lane]):
            lane += 1
        if lane == len(taken):
            taken.append([])
        taken[lane].append((x, x + wide))
        placed.append((lane, x))
    return placed


def _marks(marks: Sequence[Mark], lanes: Sequence[tuple[int, float]], scale: _Scale, bottom: float) -> list[str]:
    lines = []
    for mark, (lane, words) in zip(marks, lanes, strict=True):
        x, y = scale.x(mark.at), LANE * (lane + 1) - 4
        said = fitted(mark.text, WIDTH - 4)
        lines.append(f'<line class="mark {mark.kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10:.0f}" y2="{bottom:.0f}"/>')
        lines.append(
            f'<text class="mark {mark.kind}" x="{words:.1f}" y="{y:.0f}">{_text(said)}'
            f"<title>{_text(f'{mark.at:.2f} s: {mark.text}')}</title></text>"
        )
    return lines


def _name(name: str, y: float) -> list[str]:
    said = _text(fitted(name, NAMES - GROUP - 10))
    title = f"<title>{_text(name)}</title>"
    return [f'<text class="name" x="{NAMES - 10}" y="{y:.1f}" text-anchor="end">{said}{title}</text>']


def fitted(text: str, pixels: float) -> str:
    """As much of the text as fits, ending in `…` if it was cut."""
    said = plain(text)
    if _wide(said) <= pixels:
        return said
    while said and _wide(said + "…") > pixels:
        said = said[:-1]
    return said + "…"


def _wide(text: str) -> float:
    return cells(text) * LETTER


def _text(text: str) -> str:
    return escape(plain(text), quote=True)
