"""Databases that take writes in every region by design: there is no writer to move, and a write is all the proof there
is. Invariant I1 says of them that they are exempt; so no order pair asks for a fence, and none may be written."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.lint.finding import Finding
from cloudfail.lint.view import View
from cloudfail.model.runbook import Mode, Step

MOVES = ("database.fence", "database.unfence", "database.failover", "database.switchover", "database.follow")
NEVER_HOLD = ("fenced", "replica")
"""Conditions that such a database cannot fulfil: a step would wait for them until its limit."""


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook."""
    return [*nothing_to_move(view), *never_holds(view), *write_before_traffic(view)]


def nothing_to_move(view: View) -> Iterator[Finding]:
    """A fence or a promotion of what has many writers would never be done: it halts the run on the bad day."""
    for step in view.steps(*MOVES):
        name = str(step.arguments["database"])
        if name in _those(view):
            message = f"{step.name} ({step.action}): {name} takes writes in every region by design"
            message += ", so that there is nothing to fence, to promote or to follow"
            yield view.error("many-writers", step, message, _instead(view, step, name), "action")


def _instead(view: View, step: Step, name: str) -> str:
    proofs = _proofs(view, name)
    if proofs:
        return f"remove it, and where others need {step.name} write {proofs[0]}, which proves that {name} takes writes"
    return f"write {{action: verify.write, with: {{database: {name}}}}} instead, and let the traffic need it"


def never_holds(view: View) -> Iterator[Finding]:
    """A condition that cannot become true holds its step until the limit."""
    those = _those(view)
    for step in view.runbook.steps.values():
        for when, conditions in (("pre", step.pre), ("post", step.post)):
            for index, one in enumerate(conditions):
                if one.signal in NEVER_HOLD and one.subject in those:
                    message = f"{step.name} waits until {one.subject} is {one.signal}, which it never is: it takes "
                    message += "writes in every region by design"
                    instead = f'write {{writable: {one.subject}, in: "{one.region}"}}, or remove the condition'
                    yield view.error("many-writers", step, message, instead, when, index)


def write_before_traffic(view: View) -> Iterator[Finding]:
    """Users come when a write was seen to succeed where they are sent. Nothing else would show it, since no promotion
    does."""
    if view.runbook.mode is Mode.RESTORE:
        return
    for step in view.steps("traffic.switch"):
        for name in _those(view):
            proofs = _proofs(view, name)
            if not view.before[step.name].intersection(proofs):
                message = f"{step.name} sends users before a write to {name} was seen to succeed there"
                if proofs:
                    instead = f"write needs: [{', '.join([*step.needs, proofs[0]])}]"
                else:
                    instead = f"write a step {{action: verify.write, with: {{database: {name}}}}} before it"
                yield view.warning("write-before-traffic", step, message, instead)


def _proofs(view: View, name: str) -> list[str]:
    return [one.name for one in view.steps("verify.write") if one.arguments["database"] == name]


def _those(view: View) -> list[str]:
    return [name for name, kind in view.loaded.kinds.items() if kind.many_writers]
