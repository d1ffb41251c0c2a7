"""Decision + runbook + topology -> Plan. Pure: what the world says comes in as arguments.

A plan is what a person reviews: everything literal, in an order that can be carried out, with the bounds inside which
momentary values may vary. The same files and the same recorded capacity give the same checksum, on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from cloudfail import shares
from cloudfail.actions import Action
from cloudfail.config.loaded import Loaded
from cloudfail.config.substitution import substitute
from cloudfail.errors import Refused
from cloudfail.execution.state import LogState
from cloudfail.model.codec import checksum_of
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import Bounds, Plan, PlannedStep, Preview, StepFacts
from cloudfail.model.room import Room, short
from cloudfail.model.runbook import Condition, Mode, Runbook, Step
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind

PROMOTES = frozenset({"database.failover", "database.switchover"})
MOVES_TRAFFIC = frozenset({"traffic.switch", "traffic.ramp", "traffic.drain", "network.route", "network.move_address"})
PLAN_STEPS_MAX = 500


def bind(
    loaded: Loaded,
    runbook: Runbook,
    source: str,
    target: str,
    recorded: Mapping[str, Mapping[str, int]],
    actions: Mapping[str, Action],
) -> Plan:
    """Bind `runbook` to a move from `source` to `target`. `recorded`: compute group -> region -> workers wanted,
    the most of 24 hours. Raises Refused where something literal cannot be said."""
    topology = loaded.topology
    for region in (source, target):
        if region not in topology.regions:
            raise Refused(
                f"There is no region {region!r} in {topology.application}.",
                "Nothing was changed.",
                f"Its regions are {', '.join(topology.regions)}.",
            )
    if source == target:
        raise Refused(
            f"{source} cannot be evacuated to itself.", "Nothing was changed.", "Name another region with --to."
        )
    names = {"from": source, "to": target, "application": topology.application}
    steps = [_step(loaded, step, names, recorded, actions) for step in in_order(runbook)]
    if len(steps) > PLAN_STEPS_MAX:
        raise Refused(f"{runbook.name} has {len(steps)} steps.", "Nothing was changed.", f"Keep to {PLAN_STEPS_MAX}.")
    capacity = {
        str(step.arguments["group"]): int(step.arguments["count"]) for step in steps if step.action == "compute.scale"
    }
    bounds = Bounds(
        loss_seconds_max=topology.objectives.rpo_seconds, capacity_min=capacity, records_max=_records(steps)
    )
    plan = Plan(
        application=topology.application,
        runbook=runbook.name,
        mode=runbook.mode,
        source=source,
        target=target,
        steps=tuple(steps),
        bounds=bounds,
        checksum="",
        expires_seconds=topology.policy.plan_expires_seconds,
        limit_seconds=runbook.limit_seconds,
    )
    return replace(plan, checksum=checksum_of(plan))


def in_order(runbook: Runbook) -> list[Step]:
    """The steps in an order that their needs allow; the file's order wherever those leave a choice."""
    left = dict(runbook.steps)
    ordered: list[Step] = []
    while left:
        ready = next((step for step in left.values() if not any(need in left for need in step.needs)), None)
        if ready is None:
            raise Refused(
                f"{runbook.name} has a cycle: {', '.join(left)} need each other.",
                "Nothing was changed.",
                "Take one of the `needs` out.",
            )
        ordered.append(left.pop(ready.name))
    return ordered


def _records(steps: Iterable[PlannedStep]) -> int:
    return sum(1 for step in steps if step.action in MOVES_TRAFFIC)


def _step(
    loaded: Loaded,
    step: Step,
    names: Mapping[str, str],
    recorded: Mapping[str, Mapping[str, int]],
    actions: Mapping[str, Action],
) -> PlannedStep:
    arguments: dict[str, Any] = {key: _literal(value, names) for key, value in step.arguments.items()}
    action = actions[step.action] if step.action else None
    if step.action == "compute.scale":
        arguments = _counted(loaded.topology, step, names["to"], arguments, recorded)
    if step.action == "verify.users" and _unserved(
        loaded.topology, str(arguments.get("where", names["to"])), arguments
    ):
        arguments["served"] = False
    if step.action == "traffic.ramp":
        arguments = _divided(loaded, step, arguments)
    resources = _resources(loaded.topology, action, arguments)
    undo: tuple[str, Mapping[str, Any]] | None = None
    if step.undo is not None:
        name, own = step.undo
        undo = None if name == "none" else (name, {key: _literal(value, names) for key, value in own.items()})
    elif action is not None and action.undo is not None:
        undo = (action.undo, arguments)
    elif step.action == "custom.run":
        undo = _taken_back_by(loaded.topology, arguments)
    touched = dict.fromkeys(resources)
    if undo is not None:
        # A compensation may change another resource: that one, too, is agreed to word for word.
        touched |= dict.fromkeys(_resources(loaded.topology, actions[undo[0]], undo[1]))
    kinds = [(loaded.kinds[name], loaded.topology.resources[name]) for name in resources if name in loaded.kinds]
    shared = {
        *_shared(loaded, action, arguments),
        *(_shared(loaded, actions.get(undo[0]), undo[1]) if undo is not None else ()),
    }
    return PlannedStep(
        name=step.name,
        action=step.action,
        gate=step.gate,
        arguments=arguments,
        needs=step.needs,
        limit_seconds=step.limit_seconds,
        expires_seconds=step.expires_seconds,
        retries=step.retries,
        pre=tuple(_condition(condition, names) for condition in step.pre),
        post=tuple(_condition(condition, names) for condition in step.post),
        undo=undo,
        resource=resources[0] if len(resources) == 1 else "",
        identifiers={name: _identifiers(loaded.topology, name) for name in touched},
        facts=replace(_facts(action, kinds), shared=tuple(sorted(shared))),
        point_of_no_return=step.action in PROMOTES,
    )


def _taken_back_by(topology: Topology, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The custom resource that takes this one back, as its own `undo:` in cloudfail.yaml names it."""
    named = topology.resources[str(arguments["name"])].options.get("undo")
    return ("custom.run", {**arguments, "name": named, "check": None}) if isinstance(named, str) else None


def _literal(value: Any, names: Mapping[str, str]) -> Any:
    return substitute(value, names) if isinstance(value, str) else value


def _condition(condition: Condition, names: Mapping[str, str]) -> Condition:
    return replace(condition, region=substitute(condition.region, names))


def _counted(
    topology: Topology,
    step: Step,
    target: str,
    arguments: Mapping[str, Any],
    recorded: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """`like: recorded REGION` as a number: the most that region was seen to run in 24 hours (safety rule 8). A stand-in
    gets its share of that, rounded up; what a stand-in was seen to run is such a share."""
    counted = {key: value for key, value in arguments.items() if key != "like"}
    like = arguments.get("like")
    if like is None:
        return counted
    region = str(like).removeprefix("recorded ").strip()
    count = recorded.get(str(arguments["group"]), {}).get(region)
    if count is None:
        raise Refused(
            f"{step.name}: nobody recorded how many workers {arguments['group']} runs in {region}.",
            "Nothing was changed.",
            "Let `cloudfail watch` or `cloudfail check` see it while it runs, or write `count:` into the runbook.",
        )
    there, here = (_share_percent(topology, one) for one in (region, str(arguments.get("where", target))))
    counted["count"] = -(-count * here // there)
    return counted


def _unserved(topology: Topology, region: str, arguments: Mapping[str, Any]) -> bool:
    """Whether that is a stand-in, of which users have something else than this check."""
    check = arguments.get("check")
    return region in topology.regions and check in topology.checks and check not in topology.checks_in(region)


def _share_percent(topology: Topology, region: str) -> int:
    return topology.regions[region].share_percent if region in topology.regions else 100


def _divided(loaded: Loaded, step: Step, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The steps of a ramp that its name can carry. Raises Refused where those are not the runbook's, and must be."""
    name, written = str(arguments["name"]), list(arguments["steps"])
    steps = shares.steps_for(loaded, name, written)
    if steps != written and arguments["otherwise"] == "refuse":
        raise Refused(
            f"{step.name}: {name} {shares.how(steps)}, and cannot be given {shares.in_words(written)} of the traffic.",
            "Nothing was changed.",
            f"Write steps: {steps}, or otherwise: fewer_steps; or use a name or a balancer with weights.",
        )
    return {**{key: value for key, value in arguments.items() if key != "otherwise"}, "steps": steps}


def _resources(topology: Topology, action: Action | None, arguments: Mapping[str, Any]) -> list[str]:
    if action is None or not action.port:
        return []
    if action.port == PortName.CHANGE:
        where = arguments["where"]
        return [
            name
            for name, resource in topology.resources.items()
            if resource.port is PortName.CHANGE and where in resource.members
        ]
    key = {"compute": "group", "traffic": "name", "custom": "name"}.get(action.port, action.port)
    return [str(arguments[key])]


def _identifiers(topology: Topology, name: str) -> dict[str, Any]:
    """What is acted on, word for word, and as whom where that was written."""
    resource = topology.resources[name]
    written = {"kind": resource.kind, "id": resource.id, "members": resource.members, "options": resource.options}
    roles = {region: topology.roles_of(resource, region) for region in topology.regions}
    if any(one.watch or one.execute for one in roles.values()):
        written["roles"] = {region: [one.watch, one.execute] for region, one in roles.items()}
    return written


def _facts(action: Action | None, kinds: list[tuple[Kind, Resource]]) -> StepFacts:
    """What the providers say of the verb; where a step touches several resources, the worst of each."""
    if action is None or not action.verb:
        return StepFacts(typical_seconds=1.0)
    said = [(kind, kind.facts(action.verb, resource)) for kind, resource in kinds]
    if not said:
        return StepFacts(verb=action.verb, typical_seconds=1.0)
    return StepFacts(
        verb=action.verb,
        plane="control" if any(facts.plane == "control" for _, facts in said) else "data",
        home=next((facts.home for _, facts in said if facts.home is not None), None),
        loses_data=any(facts.loses_data for _, facts in said),
        reversible=all(facts.reversible for _, facts in said),
        typical_seconds=max(facts.typical_seconds for _, facts in said),
        longest_seconds=max(facts.longest_seconds for _, facts in said),
        settle_seconds=max(kind.settle_seconds for kind, _ in said),
        call_timeout_seconds=max(kind.call_timeout_seconds for kind, _ in said),
        fencing=next((facts.fencing for _, facts in said if facts.fencing == "watching"), said[0][1].fencing),
    )


def _shared(loaded: Loaded, action: Action | None, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What other applications may write too, of what the step replaces as a whole."""
    if action is None:
        return ()
    named: list[str] = []
    for name in _resources(loaded.topology, action, arguments):
        kind = loaded.kinds.get(name)
        of = kind.shared.get(action.verb) if kind is not None else None
        if of is not None:
            named += of(loaded.topology.resources[name], loaded.topology, str(arguments.get("where", "")))
    return tuple(named)


Rooms = Mapping[str, Known[Room] | Unknown]
"""Group -> what the account may run of it in the target region; a group without an entry has no such bound."""


def refusals(
    plan: Plan, topology: Topology, log: LogState, previews: Mapping[str, Preview], rooms: Rooms = MappingProxyType({})
) -> list[str]:
    """Why this plan may not be acted on now; empty if it may."""
    found = []
    if log.run is not None:
        found.append(
            f"Run {log.run.id} of {log.run.plan.source} is still {log.run.phase}: one run per application. "
            f"See it: cloudfail status"
        )
    owing = [step.name for run, step in log.obligations if run.plan.source == plan.target]
    if owing and plan.mode is not Mode.RESTORE:
        found.append(
            f"{plan.target} still owes {', '.join(owing)} of an earlier run: it may take no traffic before that is "
            f"settled. It is as soon as {plan.target} answers; then bring it back as a replica, by a runbook of mode "
            f"restore: cloudfail plan {plan.target} --to {plan.source} --runbook NAME"
        )
    primary = log.primary or topology.primary
    if plan.mode is not Mode.RESTORE and plan.source != primary:
        found.append(f"The primary is {primary}, not {plan.source}: there is nothing to evacuate from {plan.source}.")
    for step in plan.steps:
        if plan.mode is Mode.FAILOVER and _home(plan, step) == plan.source and not _may_be_owed(step):
            found.append(
                f"{step.name} needs {plan.source} itself, which is the region that is lost, and may not be owed."
            )
    if plan.mode is Mode.SWITCHOVER:
        found += [
            f"{name}: {preview.detail}; a switchover needs both sides to answer."
            for name, preview in previews.items()
            if preview.state == "unknown"
        ]
    known = {name: room.value for name, room in rooms.items() if isinstance(room, Known)}
    found += [
        f"In {plan.target} the account may not run that: {why} Raise the quota, or write a lower count: at the step "
        f"that scales {' and '.join(groups)}."
        for groups, why in short(scaled(plan), known)
    ]
    return found


def scaled(plan: Plan) -> dict[str, int]:
    """Group -> the most workers that a step of the plan makes of it in the target region."""
    found: dict[str, int] = {}
    for step in plan.steps:
        if step.action == "compute.scale" and step.arguments.get("where", plan.target) == plan.target:
            group = str(step.arguments["group"])
            found[group] = max(found.get(group, 0), int(step.arguments["count"]))
    return found


def _home(plan: Plan, step: PlannedStep) -> str | None:
    """The region whose control plane the step calls; "member" is the region that the step acts on."""
    if step.facts.home != "member":
        return step.facts.home
    if step.facts.verb == "fence":
        return plan.source
    return str(step.arguments.get("where") or step.arguments.get("member") or plan.target)


def _may_be_owed(step: PlannedStep) -> bool:
    return step.arguments.get("unreachable") == "owe"


def warnings(plan: Plan, previews: Mapping[str, Preview], rooms: Rooms = MappingProxyType({})) -> list[str]:
    """What a person should know before agreeing, without it being a reason to refuse."""
    found = [
        f"how many of {name} the account may run in {plan.target} is not known: {room.reason}"
        for name, room in rooms.items()
        if isinstance(room, Unknown)
    ]
    for step in plan.steps:
        if step.action == "traffic.ramp" and step.arguments["steps"] == shares.WHOLE:
            found.append(f"{step.name}: {step.resource} {shares.how(shares.WHOLE)}, so this is no ramp.")
        if step.action == "change.freeze" and not step.identifiers:
            found.append(f"{step.name}: nothing is declared that holds deploys in {step.arguments['where']}.")
        preview = previews.get(step.name)
        if preview is not None and preview.state == "owed":
            found.append(f"{step.name} will be owed: {preview.detail}")
        if preview is not None and preview.state == "unknown" and plan.mode is Mode.FAILOVER:
            found.append(f"{step.name}: not known yet: {preview.detail}")
    return found


def less_is_served(plan: Plan, topology: Topology) -> list[str]:
    """What users lose by a move to a stand-in, for a person to know before agreeing."""
    stand_in = topology.regions[plan.target].stand_in
    if stand_in is None or plan.mode is Mode.RESTORE:
        return []
    served = topology.checks_in(plan.target)
    without = [name for name in topology.checks if name not in served]
    lost = f", not {' and '.join(without)}" if without else ""
    said = f"{plan.target} is a stand-in: it serves {' and '.join(served)}{lost}."
    if stand_in.share_percent < 100:
        said += f" It runs {stand_in.share_percent}% of the workers, and sheds what they cannot carry."
    return [said]
