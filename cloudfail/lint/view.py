"""A runbook as the rules look at it: who comes before whom, which side a step touches, what its verb's facts say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudfail.actions.arguments import ARGUMENTS
from cloudfail.config.document import Place
from cloudfail.config.fields import Refers
from cloudfail.config.loaded import Loaded
from cloudfail.lint import graph
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.model.runbook import Runbook, Step
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind, VerbFacts
from cloudfail.shares import steps_for

PROMOTES = ("database.failover", "database.switchover")
SENDS = ("traffic.switch", "traffic.ramp", "network.route", "network.move_address")
"""What makes users, or what works for them, arrive in another region."""
MOVES_TRAFFIC = (*SENDS, "traffic.drain")
LOOKS = frozenset(name for name, model in ARGUMENTS.items() if not model.changes)
QUICK = VerbFacts(home=None, typical_seconds=1.0)
"""For a step whose region holds nothing of its sort: it looks once and is done."""


@dataclass(frozen=True)
class Traits:
    """What lint reads of an action."""

    verb: str
    undo: str | None
    waits_for_source: bool


def traits_of(actions: Mapping[str, Any] | None) -> dict[str, Traits]:
    """The traits of the given actions, and of the others by their argument models."""
    known: dict[str, Any] = {**ARGUMENTS, **(actions or {})}
    return {name: Traits(one.verb, one.undo, one.waits_for_source) for name, one in known.items()}


@dataclass(frozen=True)
class View:
    """One runbook under one topology. `source` and `target` are None where it is linted for any direction."""

    loaded: Loaded
    runbook: Runbook
    traits: Mapping[str, Traits]
    source: str | None = None
    target: str | None = None

    @cached_property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        return {name: step.needs for name, step in self.runbook.steps.items()}

    @cached_property
    def before(self) -> Mapping[str, frozenset[str]]:
        """A path in the graph of needs, over any number of steps."""
        return graph.before(self.needs)

    def steps(self, *actions: str) -> list[Step]:
        """The steps of these actions, in the order of the file."""
        return [step for step in self.runbook.steps.values() if step.action in actions]

    def gates(self) -> list[Step]:
        return [step for step in self.runbook.steps.values() if step.gate is not None]

    def changing(self) -> list[Step]:
        """The steps that change something, freezing and unfreezing apart."""
        quiet = LOOKS | {"change.freeze", "change.unfreeze"}
        return [step for step in self.runbook.steps.values() if step.action is not None and step.action not in quiet]

    def is_source(self, region: str) -> bool:
        return region in ("${from}", self.source)

    def is_target(self, region: str) -> bool:
        return region in ("${to}", self.target)

    def regions(self, step: Step) -> Iterator[tuple[str, str, Refers]]:
        """The step's arguments that name a region: key, value, what the action means by it."""
        yield from ((key, value, mark) for key, value, mark in self._marked(step) if mark.sort == "region")

    def asks_source(self, step: Step) -> bool:
        """Whether it is the side that is left which the step acts on."""
        named = [region for _, region, mark in self.regions(step) if mark.reached]
        if named:
            return any(self.is_source(region) for region in named)
        return step.action is not None and self.traits[step.action].waits_for_source

    def may_be_owed(self, step: Step) -> bool:
        """Whether the step is owed where what is lost does not answer: it asks the side that is left, or another name
        sends users where they are served."""
        return step.arguments.get("unreachable") == "owe" and (self.asks_source(step) or "beside" in step.arguments)

    def resources(self, step: Step) -> list[str]:
        """The resources that the step acts on. A freeze acts on all that changes its region."""
        named = [value for _, value, mark in self._marked(step) if mark.sort not in ("region", "check")]
        if named or step.action not in ("change.freeze", "change.unfreeze"):
            return named
        where = str(step.arguments["where"])
        literal = {"${from}": self.source, "${to}": self.target}.get(where, where)
        return [
            name
            for name, resource in self.loaded.topology.resources.items()
            if resource.port is PortName.CHANGE
            and (literal is None or not resource.members or literal in resource.members)
        ]

    def kinds(self, step: Step) -> list[Kind]:
        return [self.loaded.kinds[name] for name in self.resources(step) if name in self.loaded.kinds]

    def facts(self, step: Step) -> list[VerbFacts]:
        """What the providers say of the verb that the step uses, one for each resource that it touches."""
        verb = self.traits[step.action].verb if step.action else ""
        if not verb:
            return []
        known, resources = self.loaded.kinds, self.loaded.topology.resources
        return [known[name].facts(verb, resources[name]) for name in self.resources(step) if name in known]

    def typical_seconds(self, step: Step) -> float:
        """How long the step takes on a good day: its verb, what its reads need to settle, never more than its limit."""
        if step.gate is not None:
            return 0.0
        if step.action == "verify.users":
            check = self.loaded.topology.checks[str(step.arguments["check"])]
            return min(check.every_seconds * check.rise, step.limit_seconds)
        settle = max((kind.settle_seconds for kind in self.kinds(step)), default=0.0)
        typical = max((facts.typical_seconds for facts in self.facts(step)), default=QUICK.typical_seconds) + settle
        if step.action == "traffic.ramp":
            shifts = len(steps_for(self.loaded, str(step.arguments["name"]), step.arguments["steps"]))
            typical = shifts * typical + (shifts - 1) * float(step.arguments["hold"])
        return min(typical, step.limit_seconds)

    def place(self, *path: str | int, key: bool = False) -> Place:
        return self.loaded.place(*path, runbook=self.runbook.name, key=key)

    def error(self, rule: str, step: Step, message: str, instead: str, *path: str | int) -> Finding:
        """An error at a step's name, or at `path` below the step."""
        place = self.place("steps", step.name, *path, key=not path)
        return at(place, rule, message, instead, step=step.name)

    def warning(self, rule: str, step: Step, message: str, instead: str, *path: str | int) -> Finding:
        place = self.place("steps", step.name, *path, key=not path)
        return at(place, rule, message, instead, severity=Severity.WARNING, step=step.name)

    def _marked(self, step: Step) -> Iterator[tuple[str, str, Refers]]:
        model = ARGUMENTS.get(step.action or "")
        for key, field in model.model_fields.items() if model is not None else ():
            for mark in field.metadata:
                value = step.arguments.get(key)
                if isinstance(mark, Refers) and isinstance(value, str):
                    yield key, value, mark
