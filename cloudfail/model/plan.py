"""A runbook bound to a decision: immutable, with a checksum over all that a reviewer agreed to (invariant I10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cloudfail.model.runbook import Condition, Mode


@dataclass(frozen=True)
class StepFacts:
    """Rule 8 of design.md §4, for one planned step. `verb` is the port verb that it uses; `shared` the resources that
    other applications may write too, by literal names (`Kind.shared`)."""

    verb: str = ""
    plane: str = "data"
    home: str | None = None
    loses_data: bool = False
    reversible: bool = True
    typical_seconds: float = 5.0
    longest_seconds: float = 60.0
    settle_seconds: float = 0.0
    call_timeout_seconds: float = 10.0
    fencing: str = "watching"
    waits_for: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStep:
    """One step with everything literal: no `${…}` is left. `resource` names what it acts on ("" for none)."""

    name: str
    action: str | None
    gate: str | None
    arguments: Mapping[str, Any]
    needs: tuple[str, ...]
    limit_seconds: float
    expires_seconds: float
    retries: int
    pre: tuple[Condition, ...] = ()
    post: tuple[Condition, ...] = ()
    undo: tuple[str, Mapping[str, Any]] | None = None
    resource: str = ""
    identifiers: Mapping[str, Any] = field(default_factory=dict)
    facts: StepFacts = field(default_factory=StepFacts)
    point_of_no_return: bool = False


@dataclass(frozen=True)
class Bounds:
    """What may vary between review and act. Read again before each step; outside of them the run halts at a gate."""

    loss_seconds_max: float
    capacity_min: Mapping[str, int] = field(default_factory=dict)
    records_max: int = 1


@dataclass(frozen=True)
class Preview:
    """What a step would change now. Momentary: not part of the checksum. state: todo, moving, done, unknown or gate."""

    step: str
    state: str
    before: str = ""
    after: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """What a person reviews, and what the engine executes. `checksum` is hex SHA-256; people use its first digits."""

    application: str
    runbook: str
    mode: Mode
    source: str
    target: str
    steps: tuple[PlannedStep, ...]
    bounds: Bounds
    checksum: str
    expires_seconds: float
    limit_seconds: float | None = None

    def step(self, name: str) -> PlannedStep:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, PlannedStep]:
        return {step.name: step for step in self.steps}

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Step name -> where it stands in the plan's order."""
        return {step.name: number for number, step in enumerate(self.steps)}

    @cached_property
    def needed_by(self) -> Mapping[str, tuple[PlannedStep, ...]]:
        """Step name -> the steps that need it."""
        found: dict[str, tuple[PlannedStep, ...]] = {}
        for step in self.steps:
            for need in dict.fromkeys(step.needs):
                found[need] = (*found.get(need, ()), step)
        return found


@dataclass(frozen=True)
class Estimate:
    """The RTO as one bar, in seconds. path_* are the critical path, expected and by the steps' limits; gates apart."""

    detection: float
    hold_down: float
    path_expected: float
    path_limit: float
    ttl: float
    gate_limit: float
    critical_path: tuple[str, ...] = ()

    @property
    def expected(self) -> float:
        return self.detection + self.hold_down + self.path_expected + self.ttl

    @property
    def by_limits(self) -> float:
        return self.detection + self.hold_down + self.path_limit + self.ttl
