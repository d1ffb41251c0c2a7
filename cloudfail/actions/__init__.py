"""What a step does: one file per family. An action has no `run`: it observes, and it acts (design.md §4).

`observe(world, step) -> Look` reads the world and says todo, moving, done, owed or unknown; it changes nothing and may
be called at any time by anyone. `act(world, step, seen, call)` makes ONE effect, the one that `seen` (a Todo) names.
`undo` is the name of the action that takes it back, None where nothing does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Topology
from cloudfail.ports import Call, Change, Compute, Consumers, Custom, Database, Dns, LoadBalancer, Network, Signals


@dataclass(frozen=True)
class Todo:
    """The world is not as the step wants it. `effect` is the one effect to make, in an operator's words; `before` and
    `after` what it changes. `memory` is what the compensation will need (journaled with the first intent). `expect`
    is handed back to the port. `fence` and `loss` are set where the effect may lose data: what fence stands at this
    very look, and the seconds that it would lose (None: unknown). `facts`: figures that were seen, as those of Done.
    hold_seconds: the effect is made only after each look has said this same Todo for so long; any other look in between
    begins it anew. Since when is journaled, so that it outlives a worker's turn; a take-over begins it anew.
    takes_back: it goes back to what was before, which no pre-condition holds up."""

    effect: str
    before: str = ""
    after: str = ""
    expect: Any = None
    memory: Mapping[str, Any] = field(default_factory=dict)
    loses_data: bool = False
    fence: str = ""
    loss_if_dead_seconds: float | None = None
    loss_if_alive_seconds: float | None = None
    loss_parts: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    hold_seconds: float = 0.0
    takes_back: bool = False


@dataclass(frozen=True)
class Moving:
    """The world is on its way; order nothing, look again."""

    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """Seen from the data plane to be as the step wants it. outcome: a fence's proven or prevented, else ""."""

    detail: str
    outcome: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Owed:
    """It could not be done because the lost side does not answer. It stands as an obligation until it is."""

    detail: str


@dataclass(frozen=True)
class NotKnown:
    """Nothing can be said: a failed read is not taken for anything at all."""

    reason: str


Look = Todo | Moving | Done | Owed | NotKnown


class World(Protocol):
    """The ports, by the names that cloudfail.yaml gives. Each raises Refused where the topology has no such thing."""

    topology: Topology

    def database(self, name: str) -> Database: ...
    def dns(self, name: str) -> Dns: ...
    def loadbalancer(self, name: str) -> LoadBalancer: ...
    def compute(self, name: str) -> Compute: ...
    def consumers(self, name: str) -> Consumers: ...
    def network(self, name: str) -> Network: ...
    def custom(self, name: str) -> Custom: ...
    def changes(self, region: str) -> Mapping[str, Change]: ...
    def signals(self, name: str) -> Signals: ...

    def healthy(self, check: str, region: str) -> Known[bool] | Unknown:
        """Whether `check` of `region` passes now, from enough vantages, looked at afresh."""

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        """Time of the newest heartbeat of that database that was seen acknowledged in `region` (writer's wall
        clock)."""


@dataclass(frozen=True)
class StepContext:
    """What an action may know: the planned step, the run, and where it goes from and to. `memory` is what the first
    intent of this step saw before it changed anything, `latest` what the newest one saw before its own change.
    `undoing`: this is the compensation of that step. `watching`: the step was done, and is looked at to see that it
    stays so."""

    step: PlannedStep
    run: str
    source: str
    target: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    undoing: bool = False
    latest: Mapping[str, Any] = field(default_factory=dict)
    watching: bool = False


class Action(Protocol):
    """One verb of a runbook. `port` and `verb` find the provider's facts; `waits_for_source` says that it cannot end
    while the source does not answer (lint refuses that in a failover unless `unreachable: owe` is given)."""

    name: str
    port: str
    verb: str
    undo: str | None
    waits_for_source: bool

    def observe(self, world: World, context: StepContext) -> Look: ...

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None: ...
