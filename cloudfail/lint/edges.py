"""The graph's edges: cycles, and edges that only make the run slower or the file longer."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.lint import graph
from cloudfail.lint.finding import Finding
from cloudfail.lint.view import PROMOTES, View


def cycles(view: View) -> list[Finding]:
    """A cycle is never begun: none of its steps can be the first."""
    found = graph.cycle(view.needs)
    if not found:
        return []
    step = view.runbook.steps[found[0]]
    index = step.needs.index(found[1])
    message = f"these steps wait for each other: {' needs '.join(found)}"
    return [view.error("cycle", step, message, f"remove one of them from a needs: [{found[1]}], say", "needs", index)]


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook without cycles."""
    return [*needless_edge(view), *could_start_early(view)]


def needless_edge(view: View) -> Iterator[Finding]:
    """An edge that another one implies says nothing, and hides which one matters."""
    for step in view.runbook.steps.values():
        for index, need in enumerate(step.needs):
            via = next((other for other in step.needs if other != need and need in view.before[other]), None)
            if via is not None:
                message = f"{step.name} needs {need}, and {via} needs it already"
                yield view.warning("needless-edge", step, message, f"remove {need}", "needs", index)


def could_start_early(view: View) -> Iterator[Finding]:
    """What can be undone may start early: capacity that waits for a promotion makes the outage longer by itself."""
    late = {step.name for step in view.steps("database.fence", *PROMOTES)} | {gate.name for gate in view.gates()}
    for step in view.steps("compute.scale"):
        waits = sorted(late & view.before[step.name])
        if waits:
            message = f"{step.name} waits for {', '.join(waits)}, though it can be undone and nothing asks it to"
            freeze = next((freeze.name for freeze in view.steps("change.freeze")), "the freeze")
            yield view.warning("could-start-early", step, message, f"write needs: [{freeze}]", "needs")
