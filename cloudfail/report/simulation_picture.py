"""How often what took how long: as rows of a terminal, and as SVG, with the objective where it stands.

The classes are the same in both. A class never holds both what met the objective and what did not: where the objective
falls inside of a round class, the class is cut there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from cloudfail.config import durations
from cloudfail.report.layout import cells, paragraph
from cloudfail.report.timeline import LETTER, WIDTH
from cloudfail.report.wording import counted, plain, seconds

CLASSES_MAX = 12
ROUND = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
OBJECTIVE_IN_SIGHT = 1.6
"""The objective is drawn where it is not more than so many times the longest; else it is said in words."""
BAR_MIN = 10
LEFT, RIGHT, TOP, HIGH, FOOT = 46, 34, 42, 150, 30
ASIDE, GAP = 70, 24
"""Room for a class that stands beside the axis: none, or never."""


@dataclass(frozen=True)
class Class:
    """How many lay in [low, high); `beyond` the objective. high None: it never ended. Both 0: there was none of it,
    which is a class of its own where nothing at all is allowed."""

    low: float
    high: float | None
    count: int
    beyond: bool


@dataclass(frozen=True)
class Histogram:
    """What is drawn. values: seconds, None for what never ended. name: RTO or RPO."""

    title: str
    name: str
    objective: float
    values: Sequence[float | None]

    @property
    def longest(self) -> float:
        return max((value for value in self.values if value is not None), default=0.0)

    @property
    def in_sight(self) -> bool:
        return 0 < self.objective <= max(self.longest, ROUND[0]) * OBJECTIVE_IN_SIGHT

    @property
    def beyond(self) -> int:
        return sum(value is None or value > self.objective for value in self.values)

    @property
    def classes(self) -> list[Class]:
        top = max(self.longest, self.objective if self.in_sight else 0.0, ROUND[0])
        step = next((one for one in ROUND if top / one <= CLASSES_MAX), ROUND[-1])
        edges = [number * step for number in range(math.floor(top / step + 1e-9) + 2)]
        if self.longest > self.objective > 0:
            edges = sorted({*edges, self.objective})
        known = [value for value in self.values if value is not None]
        found = []
        for low, high in pairwise(edges):
            inside = [one for one in known if _in(one, low, high, self.objective)]
            found.append(Class(low, high, len(inside), low >= self.objective and high > self.objective))
        if self.objective <= 0:
            found.insert(0, Class(0.0, 0.0, sum(one <= 0 for one in known), False))
        while len(found) > 1 and not found[-1].count and (found[-1].low > self.objective or not self.in_sight):
            found.pop()
        never = len(self.values) - len(known)
        return [*found, Class(top, None, never, True)] if never else found


def _in(value: float, low: float, high: float, objective: float) -> bool:
    """Classes hold their lower edge; at the objective they hold the upper one, since what equals it has met it."""
    above = value > low if low == objective else value >= low
    below = value <= high if high == objective else value < high
    return above and below


def rows(histogram: Histogram, width: int) -> list[str]:
    """As rows of a terminal: `#` met the objective, `!` did not."""
    head = f"{plain(histogram.title)}, {counted(len(histogram.values), 'run')}"
    if not histogram.values:
        return [f"  {head}"]
    classes = histogram.classes
    names = [_named(one) for one in classes]
    label = max(cells(name) for name in names)
    most = max(one.count for one in classes)
    room = max(BAR_MIN, width - label - 4 - 2 - len(str(most)))
    lines, told = [f"  {head}"], False
    for one, name in zip(classes, names, strict=True):
        if not told and one.low >= histogram.objective > 0 and histogram.in_sight:
            told = True
            lines.append(_mark(histogram, label, width))
        bar = ("!" if one.beyond else "#") * (max(1, round(room * one.count / most)) if one.count else 0)
        lines.append(f"  {' ' * (label - cells(name))}{name}  {bar}{' ' if bar else ''}{one.count or '·'}")
    if not told and histogram.in_sight:
        lines.append(_mark(histogram, label, width))
    elif not told:
        lines += paragraph(_out_of_sight(histogram), width, 2)
    return lines


def _mark(histogram: Histogram, label: int, width: int) -> str:
    said = f"{histogram.name} {durations.written(histogram.objective)}"
    line = f"  {' ' * max(0, label - cells(said))}{said}  "
    return line + "-" * max(4, min(width - cells(line), 60))


def _out_of_sight(histogram: Histogram) -> str:
    name, objective = histogram.name, durations.written(histogram.objective)
    if histogram.objective <= 0:
        return f"The {name} is {objective}: {counted(histogram.beyond, 'run')} beyond it."
    if histogram.longest <= 0:
        return f"The {name} of {objective} is far off: nothing at all."
    return f"The {name} of {objective} is {histogram.objective / histogram.longest:.1f} times the worst."


def _named(one: Class) -> str:
    if one.high is None:
        return "never"
    if one.high <= 0:
        return "none"
    return f"{durations.written(one.low)} – {durations.written(one.high)}"


# ---- as SVG


def svg(histogram: Histogram, identifier: str) -> str:
    """The same as one <svg> element: columns on an axis of seconds, the objective as a line with its words."""
    classes = histogram.classes
    ended = [one for one in classes if one.high]
    none, never = (ASIDE * any(one.high == what for one in classes) for what in (0.0, None))
    last = max((one.high or 0.0 for one in ended), default=1.0) or 1.0
    left, right = LEFT + none, WIDTH - RIGHT - never
    pixels = (right - left) / last
    most = max((one.count for one in classes), default=0) or 1
    floor = TOP + HIGH
    body = []
    for one in classes:
        x, x2 = left + one.low * pixels, left + (one.high or 0.0) * pixels
        if one.high is None:
            x, x2 = right + GAP, float(WIDTH - RIGHT)
        elif not one.high:
            x, x2 = float(LEFT), left - GAP
        high = max(2.0, HIGH * one.count / most) if one.count else 0.0
        kind = "felt" if one.beyond else "acks"
        said = f"{_named(one)}: {counted(one.count, 'run')}" + (" beyond the objective" if one.beyond else "")
        if one.count:
            body.append(
                f'<rect class="{kind}" x="{x + 1:.1f}" y="{floor - high:.1f}" width="{max(1.0, x2 - x - 2):.1f}" '
                f'height="{high:.1f}" rx="1"><title>{_text(said)}</title></rect>'
            )
            if x2 - x >= (len(str(one.count)) + 1) * LETTER:
                middle = (x + x2) / 2
                body.append(
                    f'<text class="took" x="{middle:.1f}" y="{floor - high - 4:.1f}" text-anchor="middle">'
                    f"{one.count}</text>"
                )
    axis = _axis(ended, left, pixels, floor)
    for aside, x, x2, said in ((none, LEFT, left - GAP, "none"), (never, right + GAP, WIDTH - RIGHT, "never")):
        if aside:
            middle = (x + x2) / 2
            axis.append(f'<text class="tick" x="{middle:.1f}" y="{floor + 18}" text-anchor="middle">{said}</text>')
    name = escape(identifier, quote=True)
    by = f'aria-labelledby="{name}-t {name}-d"'
    title = f"{histogram.title}, {counted(len(histogram.values), 'run')}"
    about = (
        f"{histogram.beyond} of {counted(len(histogram.values), 'run')} beyond the {histogram.name} of "
        f"{seconds(histogram.objective)}; the worst took {seconds(histogram.longest)}. Every number of this picture "
        "stands in the tables below it."
    )
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {floor + FOOT}" role="img" class="timeline" {by}>',
            f'<title id="{name}-t">{_text(title)}</title>',
            f'<desc id="{name}-d">{_text(about)}</desc>',
            *axis,
            *body,
            *_objective(histogram, left, pixels, last, floor),
            "</svg>",
        ]
    )


def _axis(classes: Sequence[Class], left: float, pixels: float, floor: float) -> list[str]:
    """The edges of the classes, as many as can be read."""
    lines = [f'<line class="floor" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>']
    reached = 0.0
    for edge in dict.fromkeys([*(one.low for one in classes), *(one.high or 0.0 for one in classes)]):
        x, said = left + edge * pixels, durations.written(edge)
        half = cells(said) * LETTER / 2
        if x - half < reached or x + half > WIDTH:
            continue
        reached = x + half + 8
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{said}</text>')
    return lines


def _objective(histogram: Histogram, left: float, pixels: float, last: float, floor: float) -> list[str]:
    said = f"{histogram.name} {durations.written(histogram.objective)}"
    if not histogram.in_sight or histogram.objective > last:
        if histogram.objective > last:
            said += " →"
            wide = cells(said) * LETTER
            return [f'<text class="mark fault" x="{WIDTH - RIGHT - wide:.1f}" y="16">{_text(said)}</text>']
        return [f'<text class="mark fault" x="{LEFT}" y="16">{_text(said)}</text>']
    x, wide = left + histogram.objective * pixels, cells(said) * LETTER
    words = min(x + 4, WIDTH - 2 - wide)
    return [
        f'<line class="mark fault" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{floor}"/>',
        f'<text class="mark fault" x="{words:.1f}" y="16">{_text(said)}</text>',
    ]


def _text(text: str) -> str:
    return escape(plain(text), quote=True)
