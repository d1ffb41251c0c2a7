"""What a step may ask of which region."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.lint.finding import Finding
from cloudfail.lint.view import SENDS, View
from cloudfail.model.runbook import Mode, Step


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook."""
    return [
        *no_wait_for_lost_region(view),
        *control_plane_home(view),
        *source_as_target(view),
        *literal_region(view),
        *mode_of_verbs(view),
        *left_frozen(view),
    ]


def no_wait_for_lost_region(view: View) -> Iterator[Finding]:
    """In a failover no step waits for the lost region: what it does not answer is owed, or not asked.

    Safety rule 10; AWS's guidance: the planned call fails in a real disaster. Steps on the lost side never block.
    """
    if view.runbook.mode is not Mode.FAILOVER:
        return
    for step in view.runbook.steps.values():
        if step.action is not None and step.arguments.get("unreachable") != "owe":
            yield from _waits(view, step)
        for when, conditions in (("pre", step.pre), ("post", step.post)):
            for index, condition in enumerate(conditions):
                if condition.signal != "fenced" and view.is_source(condition.region):
                    message = f"{step.name} waits to see {condition.signal} in ${{from}}, which is lost"
                    cure = 'write in: "${to}", or remove the condition'
                    yield view.error("no-wait-for-lost-region", step, message, cure, when, index)


def _waits(view: View, step: Step) -> Iterator[Finding]:
    asked = [(key, region) for key, region, mark in view.regions(step) if mark.reached]
    takes_owe = "unreachable" in step.arguments
    cure = "write unreachable: owe" if takes_owe else "do it in a runbook of mode restore, when the region answers"
    lost = [(key, region) for key, region in asked if view.is_source(region)]
    if lost:
        key, region = lost[0]
        message = f"{step.name} waits for {region}, which is lost"
        yield view.error("no-wait-for-lost-region", step, message, cure, "with", key)
    elif not asked and step.action is not None and view.traits[step.action].waits_for_source:
        yield view.error(
            "no-wait-for-lost-region", step, f"{step.name} ({step.action}) waits for the lost region", cure
        )


def control_plane_home(view: View) -> Iterator[Finding]:
    """No step needs a control plane whose home is a region that is being evacuated.

    Safety rule 10 (B10). Route 53's control plane stands in us-east-1 and was away for seven hours in December 2021;
    Global Accelerator's stands in us-west-2.
    """
    if view.runbook.mode is not Mode.FAILOVER:
        return
    goes = [view.source] if view.source is not None else list(view.loaded.topology.regions)
    for step in view.runbook.steps.values():
        if "beside" in step.arguments:
            continue
        for home in dict.fromkeys(facts.home for facts in view.facts(step)):
            if home in goes:
                named = ", ".join(view.resources(step))
                message = f"{step.name} ({step.action} of {named}) needs the control plane in {home}, which may be lost"
                cure = "use a data-plane switch in the survivor, or a provider whose control plane is elsewhere"
                yield view.error("control-plane-home", step, message, cure)


def source_as_target(view: View) -> Iterator[Finding]:
    """What goes to the region that takes over never goes to the one that is left (invariant I5)."""
    if view.runbook.mode is Mode.RESTORE:
        return
    for step in view.runbook.steps.values():
        for key, region, mark in view.regions(step):
            if mark.side == "target" and view.is_source(region):
                message = f"{step.name} ({step.action}) is told to use {region}, the region that is left"
                yield view.error("source-as-target", step, message, 'write "${to}"', "with", key)
        upstream = step.arguments.get("upstream")
        if step.action == "database.follow" and isinstance(upstream, str) and view.is_source(upstream):
            message = f"{step.name} makes the old primary the upstream"
            yield view.error("source-as-target", step, message, 'write upstream: "${to}"', "with", "upstream")


def literal_region(view: View) -> Iterator[Finding]:
    """A region that is written out makes a runbook good for one direction only, and wrong for the other."""
    for step in view.runbook.steps.values():
        for key, region, _mark in view.regions(step):
            if region in view.loaded.topology.regions:
                message = f"{step.name} names {region} itself: the runbook fits one direction only"
                cure = 'write "${from}" or "${to}"'
                if view.runbook.mode is Mode.FAILOVER and view.source is None and _blocks(step, key, view):
                    message = f"{step.name} waits for {region}, which may be the one that is lost"
                    yield view.error("no-wait-for-lost-region", step, message, cure, "with", key)
                else:
                    yield view.warning("literal-region", step, message, cure, "with", key)


def _blocks(step: Step, key: str, view: View) -> bool:
    reached = any(mark.reached for name, _, mark in view.regions(step) if name == key)
    return reached and step.arguments.get("unreachable") != "owe"


def mode_of_verbs(view: View) -> Iterator[Finding]:
    """Switchover and failover are two code paths: never silently escalate from one that loses nothing (safety rule 5);
    a restore moves nothing."""
    refused = {
        Mode.SWITCHOVER: {"database.failover": "write database.switchover, or mode: failover"},
        Mode.RESTORE: dict.fromkeys(
            ("database.failover", "database.switchover", *SENDS), "write a runbook of mode switchover"
        ),
        Mode.FAILOVER: {
            "traffic.ramp": "write traffic.switch: whoever is left on the lost region is served by nobody meanwhile"
        },
    }[view.runbook.mode]
    for step in view.runbook.steps.values():
        if step.action in refused:
            message = f"{step.name}: {step.action} does not belong into a {view.runbook.mode}"
            yield view.error("mode", step, message, refused[step.action], "action")


def left_frozen(view: View) -> Iterator[Finding]:
    """What a run froze where it moved to, it also lets go, else the next deploy waits for nobody knows what."""
    thawed = [str(step.arguments["where"]) for step in view.steps("change.unfreeze")]
    for step in view.steps("change.freeze"):
        where = str(step.arguments["where"])
        stays = view.runbook.mode is Mode.FAILOVER and view.is_source(where)
        if where in ("${from}", "${to}") and where not in thawed and not stays:
            message = f"{step.name} freezes changes in {where}, and nothing lets them go"
            cure = f'write a last step {{action: change.unfreeze, with: {{where: "{where}"}}}}'
            yield view.warning("left-frozen", step, message, cure)
