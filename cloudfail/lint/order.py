"""The order pairs of design.md §7. "A before B" means a path in the graph of needs, over any number of steps.

Each rule may be set aside at the step where it is broken, with a reason: `override: {fence-before-promote: …}`. It is
then a warning that repeats the reason, so that nobody does it silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from cloudfail.lint.finding import Finding, Severity
from cloudfail.lint.view import PROMOTES, SENDS, View
from cloudfail.model.runbook import ORDER_RULES, Mode, Step
from cloudfail.model.topology import PortName


def freeze_first(view: View) -> Iterator[Finding]:
    """Deploys, schedulers and infrastructure tools are held before anything is changed, else they change it back.

    Safety rule 13. GitHub locked its deploy tooling by hand 15 minutes into the outage of 2018; at Stripe in 2019 a
    roll-back during recovery caused the second outage; Terraform resets a desired size that a failover has raised. A
    failover must hold the target (the lost side cannot be waited for); a switchover holds both sides.
    """
    if view.runbook.mode is Mode.RESTORE:
        return
    freezes = view.steps("change.freeze")
    sides: list[tuple[str, Callable[[str], bool]]] = [("${to}", lambda where: not view.is_source(where))]
    if view.runbook.mode is Mode.SWITCHOVER:
        sides.append(("${from}", lambda where: not view.is_target(where)))
    for region, fits in sides:
        held = [freeze.name for freeze in freezes if fits(str(freeze.arguments["where"]))]
        early = {step.name: step for step in view.changing() if not view.before[step.name].intersection(held)}
        for step in early.values():
            if not view.before[step.name].intersection(early):  # the first ones: the others follow from them
                cure = (
                    f"needs: [{held[0]}]" if held else f'a step {{action: change.freeze, with: {{where: "{region}"}}}}'
                )
                message = f"{step.name} changes something before changes in {region} are frozen"
                yield view.error("freeze-first", step, message, f"write {cure}")


def unfreeze_last(view: View) -> Iterator[Finding]:
    """Nothing is changed by us any more when others may change again.

    Safety rule 13, its other half: a deploy that starts while traffic is on its way meets a half-moved application.
    """
    steps = view.runbook.steps.values()
    changed = [step.name for step in steps if step.action and not step.action.startswith("change.")]
    for step in view.steps("change.unfreeze"):
        late = [name for name in changed if name not in view.before[step.name]]
        if late:
            ends = [name for name in late if not any(name in view.before[other] for other in late)]
            message = f"{step.name} lets changes go while {', '.join(ends)} may still run"
            yield view.error(
                "unfreeze-last", step, message, f"write needs: [{', '.join([*step.needs, *ends])}]", "needs"
            )


def fence_before_promote(view: View) -> Iterator[Finding]:
    """The old primary takes no writes before the new one may.

    Safety rule 3, invariant I1. Aurora's own write fencing is best effort, and its manual says to take applications
    offline first; Vitess lost acknowledged writes where a deposed primary still answered.
    """
    for step in view.steps(*PROMOTES):
        fences = _of(view.steps("database.fence"), "database", step)
        if not any(fence.name in view.before[step.name] for fence in fences):
            database = step.arguments["database"]
            cure = (
                f"needs: [{fences[0].name}]"
                if fences
                else f"a step {{action: database.fence, with: {{database: {database}}}}}"
            )
            message = f"{step.name} promotes {database} before its old primary is fenced"
            yield view.error("fence-before-promote", step, message, f"write {cure}")


def approval_between(view: View) -> Iterator[Finding]:
    """A person decides after the fence, which can be undone, and before the promotion, which cannot.

    Safety rule 2. GitHub 2018: 43 seconds of partition became 24 hours because the promotion was nobody's decision;
    PostgreSQL's manual: user action is always required. Approved earlier, it would be approved on stale facts.
    """
    for step in view.steps(*PROMOTES):
        before = view.before[step.name]
        fences = [fence.name for fence in _of(view.steps("database.fence"), "database", step) if fence.name in before]
        gates = [gate.name for gate in view.gates() if gate.name in before]
        if not any(not fences or view.before[gate].intersection(fences) for gate in gates):
            fence = fences[0] if fences else "the fence"
            message = f"no approval stands between {fence} and {step.name}"
            cure = f"a gate with needs: [{fence}], and needs: [that gate] at {step.name}"
            yield view.error("approval-between-fence-and-promote", step, message, f"write {cure}")


def promote_before_consumers(view: View) -> Iterator[Finding]:
    """Queue and event consumers start when the database takes writes.

    Safety rule 3. Consumers on a replica fail each message into the dead-letter queue, and two sets of consumers
    process each twice.
    """
    for step in view.steps("consumers.enable"):
        yield from _after_every(view, "promote-before-consumers", step, view.steps(*PROMOTES), "starts consumers")


def promote_before_traffic(view: View) -> Iterator[Finding]:
    """Users come when the database takes writes.

    Safety rule 3, invariant I5: no step moves traffic to a region that is not yet promoted.
    """
    for step in view.steps(*SENDS):
        yield from _after_every(view, "promote-before-traffic", step, view.steps(*PROMOTES), "sends users")


def capacity_before_traffic(view: View) -> Iterator[Finding]:
    """There is room for the users before they come.

    Safety rule 8. At Netflix 25 of 50 minutes of an evacuation were instances starting; at Salesforce NA14 the backlog
    overloaded the site that had taken over.
    """
    scales = [step for step in view.steps("compute.scale") if not view.is_source(str(step.arguments["where"]))]
    groups = [one.name for one in view.loaded.topology.resources.values() if one.port is PortName.COMPUTE]
    for step in view.steps(*SENDS):
        if scales:
            yield from _after_every(view, "capacity-before-traffic", step, scales, "sends users")
        elif groups:
            cure = (
                f'a step {{action: compute.scale, with: {{group: {groups[0]}, like: "recorded ${{from}}"}}}} before it'
            )
            message = f"{step.name} sends users to {', '.join(groups)}, which nothing scales"
            yield view.error("capacity-before-traffic", step, message, f"write {cure}")


def write_after_promote(view: View) -> Iterator[Finding]:
    """A promotion is proven by a write that is read back, never by what the API says.

    Safety rule 14. RDS reports a status, Cloud DNS says `done`: neither says that a client can write.
    """
    promotes, writes = view.steps(*PROMOTES), view.steps("verify.write")
    for step in writes:
        early = [one.name for one in _of(promotes, "database", step) if one.name not in view.before[step.name]]
        if early:
            message = f"{step.name} writes before {', '.join(early)} has promoted"
            yield view.error("write-after-promote", step, message, f"write needs: [{', '.join(early)}]")
    for step in promotes:
        if not _of(writes, "database", step):
            database = step.arguments["database"]
            cure = f"a step {{action: verify.write, with: {{database: {database}}}, needs: [{step.name}]}}"
            yield view.error(
                "write-after-promote", step, f"nothing writes to {database} after {step.name}", f"write {cure}"
            )


def users_after_traffic(view: View) -> Iterator[Finding]:
    """The evacuation is done when users are seen to be served, and not before.

    Safety rule 14: teams have declared victory on processes that were merely running.
    """
    switches, users = view.steps(*SENDS), view.steps("verify.users")
    for step in users:
        yield from _after_every(view, "users-after-traffic", step, switches, "looks for users")
    if switches and not users:
        names = ", ".join(step.name for step in switches)
        check = next(iter(view.loaded.topology.checks), "a check")
        cure = f"a step {{action: verify.users, with: {{check: {check}}}, needs: [{names}]}}"
        yield view.error("users-after-traffic", switches[-1], f"nobody looks at users after {names}", f"write {cure}")


RULES: Mapping[str, Callable[[View], Iterator[Finding]]] = dict(
    zip(
        ORDER_RULES,
        (
            freeze_first,
            unfreeze_last,
            fence_before_promote,
            approval_between,
            promote_before_consumers,
            promote_before_traffic,
            capacity_before_traffic,
            write_after_promote,
            users_after_traffic,
        ),
        strict=True,
    )
)


def findings(view: View) -> list[Finding]:
    """What the order rules say of a runbook."""
    return [finding for rule in RULES.values() for finding in rule(view)]


def set_aside(view: View, found: Iterable[Finding]) -> list[Finding]:
    """The findings, those that a step's override names as warnings with its reason; and overrides that are idle."""
    result, used = [], set()
    for finding in found:
        step = view.runbook.steps[finding.step] if finding.step is not None else None
        reason = step.override.get(finding.rule) if step is not None and finding.rule in ORDER_RULES else None
        if reason is None:
            result.append(finding)
        else:
            used.add((finding.step, finding.rule))
            result.append(replace(finding, severity=Severity.WARNING, overridden=reason))
    for step in view.runbook.steps.values():
        for rule in step.override:
            if (step.name, rule) not in used:
                message = f"{step.name} sets {rule} aside, and does not break it"
                result.append(view.warning("idle-override", step, message, "remove the override", "override", rule))
    return result


def _of(steps: Iterable[Step], key: str, like: Step) -> list[Step]:
    """Those steps that name the same thing under `key`."""
    return [step for step in steps if step.arguments.get(key) == like.arguments.get(key)]


def _after_every(view: View, rule: str, step: Step, firsts: list[Step], does: str) -> Iterator[Finding]:
    missing = [first.name for first in firsts if first.name not in view.before[step.name]]
    if missing:
        names = ", ".join(missing)
        message = f"{step.name} {does} without waiting for {names}"
        yield view.error(rule, step, message, f"write needs: [{', '.join([*step.needs, *missing])}]")
