"""What the core tells the engine to do, and the moment that it decides in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.actions import Look as Seen
from cloudfail.actions import Todo
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.state import RunState, Track
from cloudfail.model.journal import Kind
from cloudfail.model.plan import PlannedStep


@dataclass(frozen=True)
class Observed:
    """What a look said, and at which run second it was asked. `count`: how many looks in a row this track has had."""

    seen: Seen
    t: float
    count: int


@dataclass(frozen=True)
class LookAt:
    track: Track


@dataclass(frozen=True)
class ActOn:
    track: Track
    todo: Todo
    attempt: int


@dataclass(frozen=True)
class AppendEntry:
    kind: Kind
    data: Mapping[str, Any]


@dataclass(frozen=True)
class WaitUntil:
    """`stay`: whether a worker that does not wait for people stays for it (a gate and what is owed can wait)."""

    t: float
    why: str
    stay: bool = True
    track: Track | None = None


Command = LookAt | ActOn | AppendEntry | WaitUntil


@dataclass(frozen=True)
class Now:
    """The moment that a decision is made in. t: run seconds. quiet_until: after a take-over nothing is changed before
    (rule 10). busy: tracks with a call out. looks: the newest look of each track that is still to be used."""

    t: float
    quiet_until: float
    busy: frozenset[Track]
    looks: Mapping[Track, Observed]


def ended(
    run: RunState, track: Track, ended: str, detail: str, *, outcome: str = "", facts: Mapping[str, Any] | None = None
) -> AppendEntry:
    """This track has ended so."""
    return AppendEntry(
        Kind.SEEN,
        {
            "run": run.id,
            "step": track.step,
            "way": track.way,
            "ended": ended,
            "detail": detail,
            "outcome": outcome,
            "facts": dict(facts or {}),
        },
    )


def holding(run: RunState, track: Track, effect: str, detail: str) -> AppendEntry:
    """From now on `effect` is wanted without a break; "": it is not any longer. No track ends by this."""
    data = {"run": run.id, "step": track.step, "way": track.way, "ended": "", "detail": detail, "holding": effect}
    return AppendEntry(Kind.SEEN, data)


def gate_entry(run: RunState, step: PlannedStep, event: Event, detail: str) -> AppendEntry:
    """What came of a gate."""
    return AppendEntry(Kind.GATE, {"run": run.id, "step": step.name, "event": str(event), "detail": detail})


def halt(run: RunState, reason: str, to_do: str, asks: Mapping[str, Any]) -> AppendEntry:
    """The run stops, and asks a person for `asks`."""
    data = {"run": run.id, "event": str(Event.HALT), "reason": reason, "to_do": to_do, "asks": dict(asks)}
    return AppendEntry(Kind.HALT, data)


def halt_event(run: RunState, event: Event, reason: str, to_do: str) -> AppendEntry:
    """The run stops, and asks for nothing in particular."""
    return AppendEntry(Kind.HALT, {"run": run.id, "event": str(event), "reason": reason, "to_do": to_do})
