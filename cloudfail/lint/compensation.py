"""What is done before the point of no return can be taken back; gates and limits have bounds that fit."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.config.durations import written
from cloudfail.lint import graph
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.lint.view import PROMOTES, View

GATE_SECONDS_MAX = 86400.0


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook."""
    return [*missing_compensation(view), *gate_expiry(view), *limits(view)]


def missing_compensation(view: View) -> Iterator[Finding]:
    """An abort before the promotion undoes everything that was done (design.md §4 rule 11), if it knows how."""
    promotes = {step.name for step in view.steps(*PROMOTES)}
    for step in view.changing():
        if not promotes or step.name in promotes or promotes & view.before[step.name]:
            continue
        reversible = all(facts.reversible for facts in view.facts(step))
        if step.action == "custom.run":
            continue  # what takes it back, or why nothing does, stands at the resource
        if step.action and step.undo is None and view.traits[step.action].undo is None and reversible:
            message = f"{step.name} ({step.action}) comes before the point of no return, and nothing takes it back"
            yield view.warning("missing-compensation", step, message, "write undo: an action, or undo: none")


def gate_expiry(view: View) -> Iterator[Finding]:
    """A gate that nobody answers ends by itself, soon: SSM's approve step waits seven days unless told otherwise."""
    for gate in view.gates():
        place = view.place("steps", gate.name, "expires")
        if place == view.place("steps", gate.name):
            message = f"{gate.name} does not say when it expires"
            yield view.warning("gate-expiry", gate, message, f"write expires: {written(gate.expires_seconds)}")
        elif gate.expires_seconds > GATE_SECONDS_MAX:
            message = (
                f"{gate.name} may wait {written(gate.expires_seconds)}: whoever approves then approves stale facts"
            )
            yield view.error("gate-expiry", gate, message, "write expires: 10m", "expires")


def limits(view: View) -> Iterator[Finding]:
    """A limit below what the verb takes on a good day ends every run; one for the run below its steps' too."""
    for step in view.runbook.steps.values():
        typical = max((facts.typical_seconds for facts in view.facts(step)), default=0.0)
        if step.gate is None and step.limit_seconds < typical:
            message = f"{step.name} is given {written(step.limit_seconds)} and takes {written(typical)} on a good day"
            yield view.warning("limit-too-short", step, message, f"write limit: {written(typical * 2)}")
    steps = view.runbook.steps
    longest, _ = graph.longest(view.needs, lambda name: 0.0 if steps[name].gate else steps[name].limit_seconds)
    limit = view.runbook.limit_seconds
    if limit is not None and limit < longest:
        message = f"the run's limit is {written(limit)}, and its longest path may take {written(longest)} by its limits"
        yield at(
            view.place("limit"),
            "limit-too-short",
            message,
            f"write limit: {round(longest)}s",
            severity=Severity.WARNING,
        )
