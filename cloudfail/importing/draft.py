"""A plan → a draft: workflows become runbooks, with the steps that Region switch does not have.

A Region switch plan fences nothing and bounds no loss. So every runbook that moves a writer gets what lint insists on:
deploys are held first, the old writer is fenced, a person approves after that and before the promotion, a write is
read back, users are seen, and an rpo of nothing means that any loss waits for a person's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloudfail.drafting import said, tidy_name
from cloudfail.errors import Refused
from cloudfail.importing.blocks import steps_of
from cloudfail.importing.databases import FOLLOW_MINUTES, follow_step
from cloudfail.importing.order import ordered
from cloudfail.importing.parts import ADDED, Names, Resource, Resources, Runbook, Step
from cloudfail.importing.plan import PARALLEL, Block, Loss, SwitchPlan, Workflow
from cloudfail.importing.translation import Translation
from cloudfail.model.runbook import Mode

STEPS_MAX = 200
CHECK = "users"


@dataclass(frozen=True)
class Row:
    """One block, and what became of it."""

    workflow: str
    block: str
    type: str
    became: str


@dataclass(frozen=True)
class Draft:
    """What was drafted. `losses`: what the plan has and the draft has not. `differences`: what is carried and means
    something else here."""

    plan: SwitchPlan
    application: str
    primary: str
    primary_assumed: bool
    resources: tuple[Resource, ...]
    runbooks: tuple[Runbook, ...]
    standing: str
    rows: tuple[Row, ...]
    losses: tuple[Loss, ...]
    differences: tuple[str, ...]

    def files(self) -> dict[str, str]:
        """Path below the directory → text."""
        from cloudfail.importing.writing import files

        return files(self)


def drafted(plan: SwitchPlan) -> Draft:
    """The draft of a plan. Raises Refused for one that fits into no runbook."""
    drafting = _Drafting(plan, Resources(), Names(), list(plan.losses), [])
    runbooks = list(drafting.runbooks())
    for runbook in runbooks:
        if len(runbook.steps) > STEPS_MAX:
            raise Refused(
                f"The runbook {runbook.name} would have {len(runbook.steps)} steps, and a runbook holds {STEPS_MAX}.",
                "Nothing was written.",
                "Import a plan with fewer steps in one workflow.",
            )
    losses = [*drafting.losses, *_plan_losses(plan)]
    unique = {(one.what, one.place.line, one.place.column): one for one in reversed(losses)}
    primary = plan.primary if plan.primary in plan.regions else None
    moves = [one for one in runbooks if one.mode is Mode.FAILOVER]
    # A workflow that activates a region is written for the move into it, one that deactivates, for the move out.
    home = primary or plan.regions[0]
    fits = [one for one in moves if (one.region == home) is one.name.startswith("evacuate-from") or not one.region]
    standing = (fits or moves or runbooks)[0].name if runbooks else "evacuate"
    return Draft(
        plan=plan,
        application=tidy_name(plan.name) or "application",
        primary=home,
        primary_assumed=primary is None,
        resources=tuple(drafting.resources.found.values()),
        runbooks=tuple(runbooks),
        standing=standing,
        rows=tuple(drafting.rows(runbooks)),
        losses=tuple(sorted(unique.values(), key=lambda one: (one.place.line, one.place.column))),
        differences=tuple(dict.fromkeys(drafting.differences)),
    )


def _plan_losses(plan: SwitchPlan) -> Iterator[Loss]:
    for trigger in plan.triggers:
        why = "no check reads CloudWatch alarms yet; automation stays off"
        yield Loss(f"the trigger: {said(trigger.said, 160)}", why, trigger.place)
    if plan.alarms:
        names = ", ".join(said(one.name) for one in plan.alarms[:6]) + (", …" if len(plan.alarms) > 6 else "")
        what = f"the alarm{'s' if len(plan.alarms) > 1 else ''} {names}"
        yield Loss(what, "no check reads CloudWatch alarms yet", plan.alarms[0].place)
    if not plan.workflows:
        yield Loss("every workflow", "the plan holds none that can be read", plan.place)


@dataclass
class _Drafting:
    plan: SwitchPlan
    resources: Resources
    names: Names
    losses: list[Loss]
    differences: list[str]

    def runbooks(self) -> Iterator[Runbook]:
        """Those that move first, so that what restores knows every database."""
        both = self.plan.approach == "activeActive"
        for workflow in self.plan.workflows:
            if workflow.action == "deactivate" or (workflow.action == "activate" and not both):
                yield self._move(workflow, Mode.FAILOVER)
                yield self._move(workflow, Mode.SWITCHOVER)
        restoring = [one for one in self.plan.workflows if one.action == "postRecovery"]
        returning = [one for one in self.plan.workflows if one.action == "activate" and both]
        for workflow in (*restoring, *returning):
            yield self._restore(workflow)
        for workflow in self.plan.workflows:
            if workflow.action not in ("activate", "deactivate", "postRecovery"):
                what = f"a workflow with the target action {said(workflow.action) or '(none)'}"
                why = "this version of cloudfail does not know it"
                self.losses.append(Loss(what, why, workflow.place, workflow.called))
        if not restoring and not returning and any(True for one in self.plan.workflows if one.action):
            yield self._restore(None)

    def _translated(self, workflow: Workflow, mode: Mode) -> tuple[Translation, list[list[Step]]]:
        comes_back = mode is Mode.RESTORE and workflow.action == "activate"
        subject = "${from}" if workflow.action == "deactivate" or comes_back else "${to}"
        names = Names(("freeze", "freeze_old", "approve", CHECK, "unfreeze", "unfreeze_old"))
        on = Translation(self.plan, workflow, mode, subject, self.resources, names)
        groups = [steps for block in workflow.steps if (steps := steps_of(on, block))]
        self.losses += on.losses
        self.differences += on.differences
        return on, groups

    def _move(self, workflow: Workflow, mode: Mode) -> Runbook:
        on, groups = self._translated(workflow, mode)
        failover = mode is Mode.FAILOVER
        stem = "evacuate" if failover else "switchover"
        side = "from" if workflow.action == "deactivate" else "to"
        name = self.names.give(f"{stem}-{side}-{workflow.region}" if workflow.region else stem)
        frame = _Frame(on, groups, failover)
        graceful = "ungraceful" if failover else "graceful"
        return Runbook(
            name=name,
            mode=mode,
            description=f"Draft: the {graceful} execution of the workflow {workflow.called} of {self.plan.name}.",
            steps=frame.steps(),
            remarks=(*_only_one(workflow), *on.left_out),
            region=workflow.region,
        )

    def _restore(self, workflow: Workflow | None) -> Runbook:
        remarks: tuple[str, ...]
        if workflow is None:
            nothing = Workflow("", "", "", (), self.plan.place)
            on = Translation(self.plan, nothing, Mode.RESTORE, "${to}", self.resources, Names(("unfreeze",)))
            groups: list[list[Step]] = []
            name, description = "restore", f"Draft: make {self.plan.name} whole again after an evacuation."
            remarks = ("added: this plan has no workflow that runs after a recovery",)
        else:
            on, groups = self._translated(workflow, Mode.RESTORE)
            stem = "restore" if workflow.action == "postRecovery" else "return"
            name = f"{stem}-{workflow.region}" if workflow.region else stem
            description = f"Draft: the workflow {workflow.called} of {self.plan.name}."
            remarks = (*_only_one(workflow), *on.left_out)
        steps = _restoring(on, groups, [one.name for one in self.resources.of("database")])
        where = workflow.region if workflow is not None else ""
        return Runbook(self.names.give(name), Mode.RESTORE, description, steps, remarks, where)

    def rows(self, runbooks: Sequence[Runbook]) -> Iterator[Row]:
        """Every block once, with what became of it in all runbooks."""
        became: dict[str, dict[str, None]] = {}
        for runbook in runbooks:
            for step in runbook.steps:
                what = "a gate: by hand" if step.by_hand else step.action or "a gate"
                became.setdefault(step.block, {}).setdefault(what)
        known = {workflow.called for workflow in self.plan.workflows if workflow.action in _KNOWN_ACTIONS}
        for workflow in self.plan.workflows:
            for block in _flat(workflow.steps):
                if block.type == PARALLEL and block.steps:
                    what = "side by side"
                elif workflow.called not in known:
                    what = "nothing"
                else:
                    what = ", ".join(became.get(block.key, {})) or "nothing"
                yield Row(workflow.called, block.name, block.type, what)


_KNOWN_ACTIONS = ("activate", "deactivate", "postRecovery")


def _only_one(workflow: Workflow) -> tuple[str, ...]:
    if not workflow.region:
        return ()
    return (f"written to {workflow.action} {workflow.region}; nothing keeps it from being used the other way round",)


def _flat(blocks: Sequence[Block]) -> Iterator[Block]:
    waiting = list(blocks)
    while waiting:
        block = waiting.pop(0)
        yield block
        waiting[:0] = block.steps


@dataclass
class _Frame:
    """The steps around those of one workflow that moves, and who waits for whom."""

    on: Translation
    groups: list[list[Step]]
    failover: bool

    def steps(self) -> tuple[Step, ...]:
        """All of them, in the order in which a person reads them."""
        freezes = [Step("freeze", "change.freeze", {"where": "${to}"}, "20s", remarks=(ADDED,))]
        owing = {"unreachable": "owe"} if self.failover else {}
        freezes.append(Step("freeze_old", "change.freeze", {"where": "${from}", **owing}, "20s", remarks=(ADDED,)))
        promotes = [step for group in self.groups for step in group if step.promotes]
        databases = list(dict.fromkeys(step.arguments["database"] for step in promotes))
        names = self.on.names
        fences = {
            one: Step(names.give(f"fence-{one}"), "database.fence", {"database": one, **owing}, "60s", remarks=(ADDED,))
            for one in databases
        }
        writes = {
            one: Step(names.give(f"write-{one}"), "verify.write", {"database": one}, "60s", remarks=(ADDED,))
            for one in databases
        }
        gate_group, gate = self._gate()
        added_gate = Step("approve", limit="10m", remarks=(ADDED,))
        users = Step(CHECK, "verify.users", {"check": CHECK}, "5m", remarks=(ADDED,))
        tail = [users, *([] if self.failover else self._home(databases)), *self._unfreezes()]
        middle: list[Step] = []
        for index, group in enumerate(self.groups):
            if promotes and index == gate_group:
                middle += fences.values()
                middle += [] if gate is not None else [added_gate]
            middle += group
            middle += [writes[step.arguments["database"]] for step in group if step.promotes]
        every = list({step.name: step for step in (*freezes, *middle, *tail)}.values())
        must = list(self._must(every, fences, writes, gate or added_gate, tail))
        return ordered(every, must, self._wanted(gate_group, list(fences.values())))

    def _gate(self) -> tuple[int, Step | None]:
        """The group before which the fences stand, and the plan's own approval that serves between them and the first
        promotion: the last one before it. A gate that only stands for work by hand decides nothing about loss."""
        first = next((i for i, group in enumerate(self.groups) if any(step.promotes for step in group)), 0)
        for index in range(first - 1, -1, -1):
            approvals = [step for step in self.groups[index] if step.is_gate and not step.by_hand]
            if approvals:
                return index, approvals[0]
        return first, None

    def _home(self, databases: list[str]) -> list[Step]:
        """After a switchover the old side follows the new one; only then may its fence go."""
        steps = []
        for one in databases:
            step = Step(self.on.names.give(f"follow-{one}"), limit=f"{FOLLOW_MINUTES}m", remarks=(ADDED,))
            steps += [follow_step(step, one), _unfence(self.on.names, one)]
        return steps

    def _unfreezes(self) -> list[Step]:
        sides = {"unfreeze": "${to}"} | ({} if self.failover else {"unfreeze_old": "${from}"})
        return [
            Step(name, "change.unfreeze", {"where": where}, "20s", remarks=(ADDED,)) for name, where in sides.items()
        ]

    def _must(
        self, every: list[Step], fences: dict[str, Step], writes: dict[str, Step], gate: Step, tail: list[Step]
    ) -> Iterator[tuple[str, str]]:
        held = ["freeze"] if self.failover else ["freeze", "freeze_old"]
        last = [step.name for step in tail]
        inner = [step for step in every if step.name not in (*last, "freeze", "freeze_old")]
        promotes = [step for step in inner if step.promotes]
        for step in inner:
            yield from ((name, step.name) for name in held)
        for fence in fences.values():
            yield fence.name, gate.name
        for step in promotes:
            yield gate.name, step.name
            yield step.name, writes[step.arguments["database"]].name
        after = [step for step in inner if step.action in ("consumers.enable", "traffic.switch")]
        for step in after:
            yield from ((one.name, step.name) for one in writes.values())
        scales = [step for step in inner if step.action == "compute.scale"]
        for step in (one for one in after if one.action == "traffic.switch"):
            yield from ((one.name, step.name) for one in scales)
        for step in inner:
            yield step.name, CHECK
        for name in held:
            yield name, CHECK
        follows = {step.arguments["database"]: step.name for step in tail if step.action == "database.follow"}
        for step in tail[1:]:
            yield CHECK, step.name
            if step.action == "database.unfence":
                yield follows[step.arguments["database"]], step.name
            elif step.action == "change.unfreeze":
                yield from ((one.name, step.name) for one in tail if one.action.startswith("database."))

    def _wanted(self, gate_group: int, fences: Sequence[Step]) -> Iterator[tuple[str, str]]:
        for index, (group, following) in enumerate(pairwise(self.groups)):
            if index + 1 == gate_group:
                yield from ((first.name, fence.name) for first in group for fence in fences)
            yield from ((first.name, then.name) for first in group for then in following)


def _unfence(names: Names, database: str) -> Step:
    before = (f'{{replica: {database}, in: "${{from}}"}}',)
    name = names.give(f"unfence-{database}")
    return Step(name, "database.unfence", {"database": database}, "60s", {"pre": before}, (ADDED,))


def _restoring(on: Translation, groups: list[list[Step]], databases: list[str]) -> tuple[Step, ...]:
    """Rebuild the replicas, then lift the fences, then let changes go; the plan's own steps before the fences go."""
    every = [step for group in groups for step in group]
    follows = {step.arguments["database"]: step for step in every if step.action == "database.follow"}
    for one in databases:
        if one not in follows:
            step = Step(on.names.give(f"follow-{one}"), limit=f"{FOLLOW_MINUTES}m", remarks=(ADDED,))
            follows[one] = follow_step(step, one)
            every.append(follows[one])
    lifted = {one: _unfence(on.names, one) for one in databases}
    last = Step("unfreeze", "change.unfreeze", {"where": "${from}"}, "20s", remarks=(ADDED,))
    must = [(follows[one].name, lifted[one].name) for one in databases]
    must += [(step.name, last.name) for step in (*every, *lifted.values())]
    wanted = [(first.name, then.name) for group, following in pairwise(groups) for first in group for then in following]
    return ordered([*every, *lifted.values(), last], must, wanted)
