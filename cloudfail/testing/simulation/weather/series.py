"""What one vantage sees: its looks at one check of one region, as runs of bad answers among good ones, and what
production's own count makes of them.

`runs_of` says which looks go wrong; `Series.answers` says which of the answers that follow must be folded one by one,
and holds the others (see the package: what is skipped).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import NamedTuple

from cloudfail import detect
from cloudfail.model.observation import Health
from cloudfail.model.topology import Check
from cloudfail.testing.simulation.weather.events import Effect, Event

LOT_SHARE = 0.2
_lot = random.Random(0)
LOTS = tuple(_lot.uniform(-LOT_SHARE, LOT_SHARE) for _ in range(4099))
"""`probes/observer.py`: each look is up to a fifth of its interval early or late, by lot. Each series has its own place
in this list."""

GOOD_TOOK_SECONDS = 0.1
FLOOD_COPIES = 5
SOON = 0.001
LOOKS_MAX = 1000


class Run(NamedTuple):
    """Looks number `first` to `last` of one series, which all give `health` (None: no answer) after `took` seconds.

    Answers arrive at `until`, if that is later; each comes `copies` times. Where a process ended (`died` at that time)
    the receiver hears unknown; where one begins (`again`), it looks at once, and sees `then`.
    """

    first: int
    last: int
    health: Health | None
    took: float = GOOD_TOOK_SECONDS
    until: float = 0.0
    copies: int = 1
    died: float = 0.0
    again: float = 0.0
    then: Health = Health.HEALTHY


Answer = tuple[float, float, Health | None]
"""When it arrives, when it was given, and what it says. None: nothing arrives, and what was said last is now stale."""


class Series:
    """One vantage's answers to one check of one region: what is due, and what production's count of them says.

    While `hold` is (n, took), the looks up to number n give what `count` already says, each after `took` seconds.
    """

    __slots__ = (
        "count",
        "every",
        "hold",
        "key",
        "late",
        "lot",
        "mute",
        "phase",
        "rules",
        "runs",
        "since",
        "skip",
        "stale",
    )

    def __init__(self, key: detect.Key, rules: Check, phase: float, lot: int, skip: bool) -> None:
        self.key = key
        self.rules = rules
        self.every = rules.every_seconds
        self.phase = phase
        self.skip = skip
        self.stale = detect.staleness_seconds(rules)
        self.late = (1 + 2 * LOT_SHARE) * rules.every_seconds + rules.timeout_seconds
        self.lot = lot
        self.runs: list[Run] = []
        self.count: detect.Count | None = None
        self.hold: tuple[int, float] | None = None
        self.since = 0.0
        self.mute = False

    def look(self, number: int) -> float:
        return self.phase + (number + LOTS[(number + self.lot) % len(LOTS)]) * self.every

    def number(self, at: float) -> int:
        """The first look at or after `at`."""
        number = math.ceil((at - self.phase) / self.every - LOT_SHARE)
        return number if self.look(number) >= at else number + 1

    def settled(self, health: Health) -> bool:
        count = self.count
        return self.skip and count is not None and count.health is health and count.last is health

    def fresh(self, now: float) -> detect.Count | None:
        """Its count as it is now, with the answers that were not folded one by one (or as it was one answer ago)."""
        count = self.count
        if count is not None and self.hold is not None and now - count.at > self.late:
            last, took = self.hold
            at = max(count.at, self.look(min(last, self.number(now - took) - 1)) + took)
            self.count = count = detect.Count(count.health, count.since, count.last, count.run, at, count.detail)
        return count

    def end_hold(self) -> None:
        """Up to the last answer that is held; what follows is folded."""
        assert self.hold is not None
        last, took = self.hold
        self.fresh(self.look(last) + took + self.late + SOON)
        self.hold = None

    def answers(self, number: int, until: float) -> Iterator[Answer]:
        """What arrives, from look `number` on, in order; to the last run and until its good end has settled."""
        good, trivial = Health.HEALTHY, self.rules.fall - 1
        for run, after in zip_longest(self.runs, self.runs[1:]):
            while number < run.first:
                if self.settled(good):
                    self.hold = (run.first - 1, GOOD_TOOK_SECONDS)
                    number = run.first
                    break
                at = self.look(number) + GOOD_TOOK_SECONDS
                yield at, at, good
                number += 1
            if run.health is None:
                yield from self._silence(run)
                number = max(number, run.last + 1)
                if run.again:
                    number = max(number, self.number(run.again + self.every / 2))
                continue
            number = max(number, run.first)
            if run.until:
                yield from self._fading(run.until)
            single = run.until == 0.0 and run.copies == 1
            few = run.health is Health.DOWN and run.last - run.first < trivial
            if few and single and (after is None or after.first > run.last + 1) and self.settled(good):
                self.hold = (run.last, GOOD_TOOK_SECONDS)
                number = run.last + 1
            while number <= run.last:
                if single and self.settled(run.health):
                    self.hold = (run.last, run.took)
                    number = run.last + 1
                    break
                at = self.look(number) + run.took
                for copy in range(run.copies):
                    yield max(run.until, at + copy * SOON), at + copy * SOON, run.health
                number += 1
        for _ in range(LOOKS_MAX if until == math.inf else 2**40):
            at = self.look(number) + GOOD_TOOK_SECONDS
            if self.settled(good) or at > until:
                self.hold = (2**61, GOOD_TOOK_SECONDS)
                return
            yield at, at, good
            number += 1
        raise AssertionError(f"{LOOKS_MAX} good answers in a row, and {self.key} is not healthy: {self.count}")

    def _fading(self, until: float) -> Iterator[Answer]:
        """If no answer arrives until then: when what was said last grows stale."""
        if self.count is not None:
            at = (self.count.at if self.hold is None else self.look(self.hold[0]) + self.hold[1]) + self.stale + SOON
            if at < until:
                yield at, at, None

    def _silence(self, run: Run) -> Iterator[Answer]:
        if run.died:
            yield run.died, run.died, Health.UNKNOWN
        else:
            yield from self._fading(self.look(run.last + 1))
        if run.again:
            at = run.again + GOOD_TOOK_SECONDS
            yield at, at, run.then


def runs_of(series: Series, felt: Sequence[Event], draw: random.Random) -> list[Run]:
    """What this series sees of the events that it feels, as runs; where nothing is wrong there is none."""
    if len(felt) == 1 and (only := felt[0]).effect is Effect.FAILS:
        first, last = series.number(only.start), series.number(only.end) - 1
        found = _joined(_between(series, felt, first, last, draw, 0.0, 1))
        return list(_that_matter(found, series.rules) if series.skip else found)
    edges = sorted({event.start for event in felt} | {event.end for event in felt})
    runs: list[Run] = []
    for start, end in pairwise(edges):
        active = [event for event in felt if event.start <= start < event.end]
        if not active:
            continue
        first, last = series.number(start), series.number(end) - 1
        if _mute(active):
            died = any(event.died and event.start == start and event.effect is Effect.SILENT for event in active)
            after = [event for event in felt if event.start <= end < event.end]
            again = end if not _mute(after) else 0.0
            then = _seen(after, end, draw)[0] if again else Health.UNKNOWN
            runs.append(Run(first, last, None, died=start if died else 0.0, again=again, then=then))
            continue
        late = max((e.end for e in active if e.effect in (Effect.LATE, Effect.FREEZES)), default=0.0)
        copies = FLOOD_COPIES if any(event.effect is Effect.FLOODS for event in active) else 1
        runs.extend(_between(series, active, first, last, draw, late, copies))
    return list(_joined(runs))


def _that_matter(runs: Iterable[Run], rules: Check) -> Iterator[Run]:
    """All but those too short to change a mind that is made up (`answers` would leave them out too, but later)."""
    settled = -math.inf
    for run in runs:
        if run.last - run.first + 1 >= rules.fall or run.first <= settled or run.health is not Health.DOWN:
            settled = run.last + rules.rise + 2
            yield run


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs that say the same, one right after the other, are one."""
    before: Run | None = None
    for run in runs:
        if before is None:
            before = run
        elif run.first == before.last + 1 and run[2:] == before[2:] and run.health is not None and not run.until:
            before = before._replace(last=run.last)
        else:
            yield before
            before = run
    if before is not None:
        yield before


def _mute(active: Sequence[Event]) -> bool:
    return any(event.effect in (Effect.SILENT, Effect.RESTARTS) for event in active)


def _seen(active: Sequence[Event], at: float, draw: random.Random) -> tuple[Health, float]:
    """What one look at `at` gives, and how long it takes."""
    if any(event.effect is Effect.UNKNOWN for event in active):
        return Health.UNKNOWN, GOOD_TOOK_SECONDS
    for event in active:
        share = event.failing(at)
        if share >= 1.0 or (share > 0.0 and draw.random() < share):
            return Health.DOWN, event.took
    return Health.HEALTHY, GOOD_TOOK_SECONDS


def _between(
    series: Series, active: Sequence[Event], first: int, last: int, draw: random.Random, late: float, copies: int
) -> Iterator[Run]:
    if first > last:
        return
    steady = [event for event in active if event.period == 0.0]
    special = late > 0.0 or copies > 1
    if not special and any(event.effect is Effect.UNKNOWN for event in active):
        yield Run(first, last, Health.UNKNOWN)
    elif not special and any(event.fails >= 1.0 for event in steady):
        yield Run(first, last, Health.DOWN, max(event.took for event in steady if event.fails >= 1.0))
    elif not special and len(steady) == len(active):
        passes = math.prod(1.0 - event.fails for event in active)
        if passes < 1.0:
            yield from _scattered(first, last, passes, max(event.took for event in active), draw)
    else:
        for number in range(first, last + 1):
            health, took = _seen(active, series.look(number), draw)
            if special or health is not Health.HEALTHY:
                yield Run(number, number, health, took, late, copies)


def _scattered(first: int, last: int, passes: float, took: float, draw: random.Random) -> Iterator[Run]:
    """Bad answers among good ones, each with the same chance: drawn by the gaps between them."""
    scale = 1.0 / math.log(passes)
    number = first + int(math.log(1.0 - draw.random()) * scale)
    while number <= last:
        begin = number
        while (gap := int(math.log(1.0 - draw.random()) * scale)) == 0 and number < last:
            number += 1
        yield Run(begin, number, Health.DOWN, took)
        number += 1 + gap
