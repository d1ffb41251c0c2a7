"""What is asked of a group of workers: that its kind can do it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.lint.finding import Finding
from cloudfail.lint.view import View
from cloudfail.model.topology import PortName

ACTIONS = ("compute.scale", "compute.hold")


def findings(view: View) -> Iterator[Finding]:
    """Not every kind can hold scale-in, and the provider would refuse it on the bad day."""
    for step in view.steps(*ACTIONS):
        verb = view.traits[str(step.action)].verb
        resource = view.loaded.topology.resources.get(str(step.arguments.get("group")))
        if resource is None or resource.port is not PortName.COMPUTE:
            continue
        kind = view.loaded.kinds.get(resource.name)
        served = {} if kind is None else kind.verbs_of(resource) if kind.verbs_of is not None else kind.verbs
        if kind is not None and served and verb not in served:
            message = f"{step.name}: {kind.port} of kind {kind.name} has no {verb}"
            yield view.error("verb-of-the-kind", step, message, "take the step out of the runbook", "action")
