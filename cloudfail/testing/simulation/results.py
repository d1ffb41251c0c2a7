"""What a trial of many seeds found, as values that a report can be made of. Nothing here plays anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloudfail.model.topology import Objectives
from cloudfail.testing.simulation import confidence


@dataclass(frozen=True)
class Felt:
    """How one seed went, as clients and the one on call felt it.

    outage_seconds: the longest time in which clients outside could not write, None if that never ended. parts: that
    time by what was waited for. steps: how long each step took that ended done, from when it could begin. failed: why
    steps failed. waits: seconds in which the run waited for a person, by phase. asked: whether a person had to do more
    than approve. owed_fence: a person went on although the old side was not proven dead. old_side_seconds: how much of
    the loss the old side acknowledged after it was lost.
    """

    seed: int
    end: str
    moved: bool
    source_lost: bool
    asked: bool
    outage_seconds: float | None
    lost_seconds: float
    lost: int
    synchronous: bool
    old_side_seconds: float = 0.0
    taken_back: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[tuple[str, str], ...] = ()
    waits: Mapping[str, float] = field(default_factory=dict)
    owed_fence: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is held against the objectives: a run that moved the application, or was given up half-way. A run
        that was taken back, or never opened, has no recovery time."""
        return self.moved or not (self.taken_back or self.end in {"undone", "no run"})

    def misses(self, objectives: Objectives) -> tuple[str, ...]:
        """Which objectives it missed, of RTO and RPO; () if it counts and met both, or does not count."""
        if not self.counts:
            return ()
        found = []
        if not self.moved or self.outage_seconds is None or self.outage_seconds > objectives.rto_seconds:
            found.append("RTO")
        if self.moved and self.lost_seconds > objectives.rpo_seconds:
            found.append("RPO")
        return tuple(found)


@dataclass(frozen=True)
class Spread:
    """Percentiles by nearest rank. None: nothing was measured, or that many never ended."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread:
        ordered = sorted(math.inf if value is None else value for value in values)
        if not ordered:
            return cls()

        def rank(share: float) -> float | None:
            value = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
            return None if value == math.inf else value

        return cls(rank(0.5), rank(0.9), rank(0.99), rank(1.0))


@dataclass(frozen=True)
class Line:
    """One line of a story. `at`: seconds since the zero of the story. kind: fault, run, clients or person."""

    at: float
    text: str
    kind: str = "run"


@dataclass(frozen=True)
class Story:
    """One seed, told. zero: what `at` counts from. happenings: the scenario's, by the number that --keep takes."""

    seed: int
    zero: str
    setting: tuple[str, ...]
    happenings: tuple[tuple[int, str], ...]
    lines: tuple[Line, ...]
    felt: Felt
    replay: str


@dataclass(frozen=True)
class Found:
    """An invariant that did not hold, with the least scenario that was found to show it (None: not cut down)."""

    seed: int
    invariant: str
    what: str
    replay: str
    smallest: Story | None = None


@dataclass(frozen=True)
class Advice:
    """What to change, and the figure that says so."""

    change: str
    figure: str


@dataclass(frozen=True)
class Trial:
    """Everything that a report says. `missed_share_max`: how many may miss. assumed: facts that nobody declared, one
    sentence each. unjudged: how the seeds ended that have no recovery time."""

    application: str
    runbook: str
    mode: str
    source: str
    target: str
    objectives: Objectives
    first: int
    felts: tuple[Felt, ...]
    violations: tuple[Found, ...] = ()
    ends: Mapping[str, int] = field(default_factory=dict)
    fired: Mapping[str, int] = field(default_factory=dict)
    rows_never_taken: tuple[str, ...] = ()
    rare_faults: tuple[tuple[str, float], ...] = ()
    conditions: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    worst: Story | None = None
    missed_share_max: float = 0.05
    seconds: float = 0.0
    replay: str = ""

    @property
    def judged(self) -> tuple[Felt, ...]:
        return tuple(felt for felt in self.felts if felt.counts)

    @property
    def missed(self) -> tuple[Felt, ...]:
        return tuple(felt for felt in self.judged if felt.misses(self.objectives))

    @property
    def met(self) -> int:
        return len(self.judged) - len(self.missed)

    @property
    def missed_share(self) -> float:
        return len(self.missed) / len(self.judged) if self.judged else 0.0

    @property
    def kept(self) -> bool | None:
        """Whether the objectives are met in all but the share that may miss, as far as these seeds can say: None where
        another such trial might well say the opposite."""
        return confidence.kept(len(self.missed), len(self.judged), self.missed_share_max) if self.judged else None

    @property
    def missed_between(self) -> tuple[float, float]:
        """Where the share that misses lies in the long run."""
        return confidence.between(len(self.missed), len(self.judged))

    @property
    def seeds_to_tell(self) -> int | None:
        """How many seeds would probably answer; None if none that can be played would."""
        return confidence.seeds_to_tell(len(self.missed), len(self.judged), len(self.felts), self.missed_share_max)

    @property
    def outage(self) -> Spread:
        return Spread.of(felt.outage_seconds if felt.moved else None for felt in self.judged)

    @property
    def loss(self) -> Spread:
        return Spread.of(felt.lost_seconds for felt in self.judged if felt.moved)

    @property
    def unjudged(self) -> Mapping[str, int]:
        """Why the other seeds have no recovery time."""
        return Counter(_why(felt) for felt in self.felts if not felt.counts)

    @property
    def exit_code(self) -> int:
        """0: met, in all but the share that may miss; 1: an invariant did not hold; 3: more than that share missed; 4:
        so few were played that it cannot be told."""
        if self.violations:
            return 1
        return {True: 0, False: 3, None: 4}[self.kept]


def _why(felt: Felt) -> str:
    if felt.taken_back or felt.end == "undone":
        return "taken back before the promotion"
    return "the region was lost and no run was opened" if felt.source_lost else "nothing was lost and nothing was moved"
