"""What a ramp needs: a name that carries its shares, checks to be paced by, and the time for all of its holds."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail import shares
from cloudfail.config.durations import written
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.lint.rto import ttl_of
from cloudfail.lint.view import View
from cloudfail.model.runbook import Mode, Step


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook. In a failover a ramp is refused by its mode, and nothing else matters."""
    if view.runbook.mode is Mode.FAILOVER:
        return []
    ramps = view.steps("traffic.ramp")
    return [finding for step in ramps for rule in (divides, paced, time_for_all) for finding in rule(view, step)]


def divides(view: View, step: Step) -> Iterator[Finding]:
    """A name that gives one region at a time cannot give a tenth to another: asked to, it would refuse in the middle of
    the move, or make a whole of it without a word. With `otherwise: fewer_steps` the plan shows the steps that it
    takes, and warns where that is but one."""
    name, asked = str(step.arguments["name"]), list(step.arguments["steps"])
    steps = shares.steps_for(view.loaded, name, asked)
    if steps != asked and step.arguments["otherwise"] == "refuse":
        message = (
            f"{step.name}: {name} {shares.how(steps)}, and cannot be given {shares.in_words(asked)} of the traffic"
        )
        instead = f"write steps: {steps}, or otherwise: fewer_steps; or use a name or a balancer with weights"
        yield view.error("ramp", step, message, instead, "with", "name")


def paced(view: View, step: Step) -> Iterator[Finding]:
    """Health paces the steps (safety rule 9): where nothing is checked, only a clock does."""
    if not view.loaded.topology.checks:
        message = f"{step.name} goes on while every check passes in the target, and there is no check"
        yield view.error("ramp", step, message, "write one under `checks:` in cloudfail.yaml")


def time_for_all(view: View, step: Step) -> Iterator[Finding]:
    """Its limit holds every hold, and for each step what a name's resolvers need: else each run halts half-way. A hold
    that is over before users have followed has shown nothing of the step."""
    steps = shares.steps_for(view.loaded, str(step.arguments["name"]), step.arguments["steps"])
    least = (len(steps) - 1) * float(step.arguments["hold"]) + len(steps) * ttl_of(view, step)
    if len(steps) > 1 and float(step.arguments["hold"]) < ttl_of(view, step):
        held, ttl = written(step.arguments["hold"]), written(ttl_of(view, step))
        message = f"{step.name} holds each step for {held}, and resolvers keep the old answer for {ttl}"
        yield view.warning("ttl", step, message, f"write hold: {ttl}, or a shorter ttl in cloudfail.yaml", "with")
    if step.limit_seconds <= least:
        message = f"{step.name} is given {written(step.limit_seconds)}, and its holds and the TTL take {written(least)}"
        place = view.place("steps", step.name)
        cure = f"write limit: {written(max(60.0, least * 2))}"
        yield at(place, "limit-too-short", message, cure, severity=Severity.WARNING, step=step.name)
