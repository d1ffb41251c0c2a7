"""What was seen, by whom, and the verdict that follows. Unknown is a value: never healthy, never dead (invariant
I6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Known(Generic[T_co]):
    """A value that was read. `at` is wall time in seconds; it informs and never decides."""

    value: T_co
    at: float


@dataclass(frozen=True)
class Unknown:
    """Nothing could be read, and why. A timeout, an empty list or a 429 is this, never "gone" or "drained"."""

    reason: str
    at: float = 0.0


class Health(StrEnum):
    """What one probe, or a count of probes, says."""

    HEALTHY = "healthy"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Observation:
    """One probe's answer: who looked, at which check of which region, and what came back.

    `at` is seconds on the observer's monotonic clock, made comparable by the receiver (it stamps arrival on its own
    clock); `duration_seconds` is how long the probe took. `detail` is one sentence for people.
    """

    vantage: str
    region: str
    check: str
    health: Health
    at: float
    duration_seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What all observations together say of one region. `since` is when this health began (same clock as `at`)."""

    region: str
    health: Health
    since: float
    at: float
    reasons: tuple[str, ...] = ()


def joined(told: Sequence[Known[tuple[str, ...]] | Unknown]) -> Known[tuple[str, ...]] | Unknown | None:
    """What would refuse counts, whatever else is unknown; that nothing would is known only where all of them say so.
    None where nobody said anything."""
    found = [sentence for one in told if isinstance(one, Known) for sentence in one.value]
    silent = [one for one in told if isinstance(one, Unknown)]
    if silent and not found:
        return Unknown("; ".join(one.reason for one in silent), silent[0].at)
    return Known(tuple(found), min(one.at for one in told)) if told else None
