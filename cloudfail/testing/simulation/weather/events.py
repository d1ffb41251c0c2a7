"""What can happen: an event, where and for whom it is felt, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365.25 * DAY

PLACES = 5
"""Where users are: so many places, each with as many users."""

EVERYWHERE = frozenset(range(PLACES))


class Effect(Enum):
    """What an event does to an answer: the target fails it; the vantage could not look; it gives none; all arrive at
    the end; each comes many times. The last two befall the decider: it starts anew, it stands still."""

    FAILS = "fails"
    UNKNOWN = "unknown"
    SILENT = "silent"
    LATE = "late"
    FLOODS = "floods"
    RESTARTS = "restarts"
    FREEZES = "freezes"


@dataclass(frozen=True)
class Event:
    """One piece of weather, from `start` to `end` (seconds into the year).

    It is felt by `vantages`, looking at `regions` and `checks`, and by the users in `places`: of what they ask, the
    share `fails` fails, each answer after `took` seconds. With a `period` it comes and goes: it fails for the first
    `share` of each. `died`: whether the vantage's process ended (its answers are unknown at once), or only stopped.
    """

    kind: str
    start: float
    end: float
    effect: Effect
    vantages: tuple[str, ...]
    regions: tuple[str, ...]
    checks: tuple[str, ...]
    fails: float = 0.0
    places: frozenset[int] = frozenset()
    took: float = 0.05
    period: float = 0.0
    share: float = 1.0
    died: bool = False

    def failing(self, at: float) -> float:
        if self.period and (at - self.start) % self.period >= self.share * self.period:
            return 0.0
        return self.fails

    def __str__(self) -> str:
        parts = [f"{self.kind} {clock(self.start)} for {self.end - self.start:.1f} s", self.effect.value]
        if self.effect is Effect.FAILS:
            parts.append(f"{self.fails:.0%} of {'+'.join(self.checks)} in {'+'.join(self.regions)}")
            parts.append(f"{len(self.places)} of {PLACES} places")
        if self.period:
            parts.append(f"{self.share:.0%} of each {self.period:.1f} s")
        return ", ".join(parts) + f", seen by {'+'.join(self.vantages) or 'no vantage'}"


def clock(seconds: float) -> str:
    days, rest = divmod(seconds, DAY)
    return f"day {days:.0f} {rest // HOUR:02.0f}:{rest % HOUR // MINUTE:02.0f}:{rest % MINUTE:04.1f}"
