"""What a custom action leaves unsaid, and how anybody can tell that it was done."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.config.custom import STATED, taken_back_by
from cloudfail.config.loaded import Loaded
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.lint.view import View
from cloudfail.model.topology import PortName


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook."""
    return [*unseen(view), *twice(view)]


def unseen(view: View) -> Iterator[Finding]:
    """A step is done when it is seen to be (safety rule 14): a command that ended with 0 says nothing of the world."""
    for step in view.steps("custom.run"):
        if step.arguments.get("check") is None and any(not facts.observed for facts in view.facts(step)):
            name = step.arguments["name"]
            check = next(iter(view.loaded.topology.checks), "NAME")
            message = f"nothing can tell that {step.name} is done: {name} has no observe, and the step names no check"
            yield view.error("custom-unseen", step, message, f"write observe at {name}, or check: {check}", "with")


def twice(view: View) -> Iterator[Finding]:
    """A custom action is a state that is wanted: the second step that wants it does nothing."""
    seen: dict[tuple[str, str], str] = {}
    for step in view.steps("custom.run"):
        what = (str(step.arguments["name"]), str(step.arguments["where"]))
        first = seen.setdefault(what, step.name)
        if first != step.name:
            message = f"{step.name} runs {what[0]} in {what[1]} as {first} does: it will be found done"
            yield view.warning("custom-twice", step, message, "remove one of them, or name another resource")


def unstated(loaded: Loaded) -> Iterator[Finding]:
    """Only the site knows what its own command does. What it does not say is taken for the worse, so that plan and
    approval say "can lose data" and "cannot be undone" of what does neither."""
    for name, resource in loaded.topology.resources.items():
        silent = [key for key in STATED if resource.options.get(key) is None]
        if resource.port is PortName.CUSTOM and silent:
            message = f"{name} does not say {', '.join(silent)}: the worse is taken"
            cure = {
                "plane": "plane: data",
                "home": "home: none",
                "loses_data": "loses_data: false",
                "undo": "undo: NAME",
            }[silent[0]]
            place = loaded.place("resources", name, key=True)
            yield at(place, "custom-unstated", message, f"write {cure}, if it is so", severity=Severity.WARNING)
        undo = taken_back_by(resource.options) if resource.port is PortName.CUSTOM else None
        if undo is not None and not loaded.kinds[undo].facts("run", loaded.topology.resources[undo]).observed:
            message = f"{undo} takes {name} back, and has no observe: nobody could tell that it did"
            yield at(loaded.place("resources", name, "undo"), "custom-unseen", message, f"write observe at {undo}")
