"""What one year gave: what was said and done, which losses it had, and what must not be."""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudfail.decide import DecisionKind
from cloudfail.testing.simulation.weather.events import Event, clock


@dataclass(frozen=True)
class Act:
    """A failover that was decided: whether it was right, by the truth."""

    at: float
    source: str
    right: bool


@dataclass(frozen=True)
class Finding:
    """What must not be: the year's seed plays it again."""

    seed: str
    at: float
    story: str

    def __str__(self) -> str:
        return f"year {self.seed}, {clock(self.at)}: {self.story}"


@dataclass(frozen=True)
class Loss:
    """A total loss of the primary: when it began, by when it had to be acted on (None: something was always in the
    way), and when it was."""

    kind: str
    began: float
    due: float | None
    clear: bool
    acted: float | None


@dataclass
class Year:
    """What one year gave."""

    seed: str
    years: float
    events: list[Event] = field(default_factory=list)
    overlaps: int = 0
    said: list[tuple[float, DecisionKind]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    false: list[Finding] = field(default_factory=list)
    early: list[Finding] = field(default_factory=list)
    missed: list[Finding] = field(default_factory=list)
    asked: int = 0
    folded: int = 0
