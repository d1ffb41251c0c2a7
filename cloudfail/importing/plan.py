"""A Region switch plan as its file states it: the API's answer to GetPlan, what CreatePlan takes, or a resource of a
CloudFormation template. Only what makes a plan is asked for here; what a block means is blocks.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudfail.config.document import Items, Keys, Node, Place, Scalar
from cloudfail.config.mistakes import Mistake, did_you_mean, listed, shown
from cloudfail.drafting import tidy_name
from cloudfail.errors import ConfigError, Refused
from cloudfail.importing.source import FILL_IN, Part, Placeholder, Source, read_source

RESOURCE_TYPE = "AWS::ARCRegionSwitch::Plan"
BLOCKS_MAX = 150
"""Of one plan. A runbook holds 200 steps, and every database adds four; the service itself allows fewer than this."""
WORKFLOWS_MAX = 20
PARALLEL = "Parallel"

# What of a plan is read, or says nothing that a draft could hold.
_PLAN_KEYS = frozenset((
    "name", "description", "workflows", "regions", "primaryregion", "recoveryapproach", "recoverytimeobjectiveminutes",
    "executionrole", "owner", "associatedalarms", "triggers", "reportconfiguration", "servicequotachecksenabled", "arn",
    "version", "updatedat", "tags",
))  # fmt: skip
_WORKFLOW_KEYS = frozenset(("steps", "workflowtargetaction", "workflowtargetregion", "workflowdescription"))
_STEP_KEYS = frozenset(("name", "description", "executionblocktype", "executionblockconfiguration"))


@dataclass(frozen=True)
class Loss:
    """Something that the draft does not carry: what, where it stands, and why not. `step` of `workflow` has it."""

    what: str
    why: str
    place: Place
    workflow: str = ""


@dataclass(frozen=True)
class Block:
    """One step. `config` is the one part of its configuration, None where it has none that can be read; `steps` are
    those of a parallel block. `unreadable`: why nothing of it could be read."""

    name: str
    type: str
    description: str
    config: Part | None
    steps: tuple[Block, ...]
    place: Place
    unreadable: str = ""

    @property
    def key(self) -> str:
        """What tells it from every other one: two steps may have one name."""
        return f"{self.place.line}:{self.place.column}"


@dataclass(frozen=True)
class Workflow:
    """The steps for one target action (activate, deactivate, postRecovery), of one region or of either ("")."""

    action: str
    region: str
    description: str
    steps: tuple[Block, ...]
    place: Place

    @property
    def called(self) -> str:
        return f"{self.action} {self.region}".rstrip()


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm by the plan's own name for it."""

    name: str
    type: str
    identifier: str
    place: Place


@dataclass(frozen=True)
class Trigger:
    """A condition under which the service begins by itself."""

    said: str
    delay_minutes: float | None
    place: Place


@dataclass(frozen=True)
class SwitchPlan:
    """A plan. `sort` says what was read; `losses` what of it nothing here reads."""

    file: str
    sort: str
    name: str
    description: str
    regions: tuple[str, ...]
    primary: str | None
    approach: str
    rto_minutes: float | None
    account: str | None
    workflows: tuple[Workflow, ...]
    alarms: tuple[Alarm, ...]
    triggers: tuple[Trigger, ...]
    losses: tuple[Loss, ...]
    source: Source
    place: Place

    @property
    def expressions(self) -> Mapping[str, str]:
        """Name → expression, for what the template leaves open."""
        return {str(one): one.expression for one in self.source.names.values()}


@dataclass
class _Reader:
    """Collects mistakes (no plan can be read) and losses (a plan can, without this)."""

    source: Source
    mistakes: list[Mistake] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    blocks: int = 0

    def wrong(self, place: Place, problem: str, instead: str) -> None:
        self.mistakes.append(Mistake(place.file, place.line, place.column, shown(place.text), problem, instead))

    def refuse(self) -> None:
        if self.mistakes:
            mistakes = sorted(self.mistakes, key=lambda one: (one.line, one.column))
            raise ConfigError(tuple(mistakes))


def read_plan(path: Path, resource: str | None = None) -> SwitchPlan:
    """The plan in that file; of a template that holds several, the one that is named `resource`."""
    reader = _Reader(read_source(path))
    found, sort = _plan_in(reader, resource)
    _refuse_odd_keys(reader, found)
    plan = _read(reader, found, sort)
    reader.refuse()
    return plan


def _plan_in(reader: _Reader, wanted: str | None) -> tuple[Part, str]:
    root = reader.source.root
    resources = root.get("Resources")
    if resources is not None and resources.is_mapping:
        return _resource_in(reader, resources, wanted)
    if wanted is not None:
        raise Refused(
            f"--resource {wanted} names a resource of a template, and {reader.source.document.file} is none.",
            "Nothing was written.",
            "Leave --resource out.",
        )
    inner = root.get("plan")
    if inner is not None and inner.is_mapping:
        return inner, "a Region switch plan (the API's answer)"
    if root.get("workflows") is None or (root.get("regions") is None and root.get("recoveryApproach") is None):
        problem = "this is not a Region switch plan"
        cure = f"give what `aws arc-region-switch get-plan` prints, or a template with an {RESOURCE_TYPE}"
        reader.wrong(root.place, problem, cure)
        reader.refuse()
    return root, "a Region switch plan (as it is created)"


def _resource_in(reader: _Reader, resources: Part, wanted: str | None) -> tuple[Part, str]:
    plans = {name: part for name, part in resources.entries() if part.text_of("Type") == RESOURCE_TYPE}
    every = [name for name, _ in resources.entries()]
    chosen = next(iter(plans), "") if wanted is None else wanted
    if not plans:
        problem = f"this template holds no resource of the type {RESOURCE_TYPE}"
        reader.wrong(resources.place, problem, f"name the template that does; here are {listed(every) or 'none'}")
    elif wanted is None and len(plans) > 1:
        second = list(plans)[1]
        problem = f"this template holds {len(plans)} plans"
        reader.wrong(resources.key_place(second), problem, f"choose one: --resource {' or '.join(list(plans)[:6])}")
    elif chosen not in plans:
        sort = f'no resource "{shown(chosen)}"' if chosen not in every else f'"{shown(chosen)}", which is not a plan'
        reader.wrong(resources.place, f"this template holds {sort}", did_you_mean(chosen, plans, "its plans"))
    reader.refuse()
    body = plans[chosen].get("Properties")
    if body is None or not body.is_mapping:
        reader.wrong(resources.key_place(chosen), f"{shown(chosen)} has no Properties", "write them below it")
        reader.refuse()
        raise AssertionError("that was refused")
    return body, f"{RESOURCE_TYPE} {chosen} of a CloudFormation template"


def _refuse_odd_keys(reader: _Reader, part: Part) -> None:
    """A key that is no text is a template's own affair elsewhere, and in the plan it would be a part that is lost."""
    first, last = part.node.line, max(node.line for node in _nodes(part.node))
    reader.mistakes += [one for one in reader.source.keys if first <= one.line <= last]
    reader.refuse()


def _nodes(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, Items):
            waiting += one.nodes
        elif isinstance(one, Keys):
            waiting += [value for _, value in one.entries.values()]


def _read(reader: _Reader, part: Part, sort: str) -> SwitchPlan:
    regions = _regions(reader, part)
    workflows = _workflows(reader, part)
    _unread(reader, part, _PLAN_KEYS, "the plan's key")
    report, quotas = part.get("reportConfiguration"), part.get("serviceQuotaChecksEnabled")
    if report is not None:
        why = "cloudfail keeps a journal of every run, and puts no report into a bucket"
        reader.losses.append(Loss("the report after each execution", why, report.place))
    if quotas is not None and quotas.text() not in ("false", "False"):
        reader.losses.append(Loss("the checks of service quotas", "cloudfail does not read quotas", quotas.place))
    name = part.text_of("name")
    if name is None:
        reader.wrong(part.place, '"name" is missing: this plan has no name', "write it, or import the whole plan")
    role = part.text_of("executionRole")
    return SwitchPlan(
        file=reader.source.document.file,
        sort=sort,
        name=name or "",
        description=part.text_of("description") or "",
        regions=regions,
        primary=_region_name(part.text_of("primaryRegion")),
        approach=part.text_of("recoveryApproach") or "",
        rto_minutes=part.number_of("recoveryTimeObjectiveMinutes"),
        account=account_of(role or "") or _account(part.text_of("owner")),
        workflows=workflows,
        alarms=tuple(_alarms(reader, part)),
        triggers=tuple(_triggers(part)),
        losses=tuple(reader.losses),
        source=reader.source,
        place=part.place,
    )


def _account(text: str | None) -> str | None:
    return text if text is not None and re.fullmatch(r"[0-9]{12}", text) else None


def account_of(arn: str) -> str | None:
    """The account in an ARN that is written out."""
    return _account((arn.split(":", 5) + [""] * 5)[4])


def _region_name(text: str | None) -> str | None:
    return None if text is None else text if isinstance(text, Placeholder) else tidy_name(text) or None


def _regions(reader: _Reader, part: Part) -> tuple[str, ...]:
    node = part.get("regions")
    if node is not None and node.expression is not None:
        reader.losses.append(Loss(f"the regions: {node.expression.expression}", "they are not written out", node.place))
        return (f"{FILL_IN}region-1", f"{FILL_IN}region-2")
    found = [name for one in node.items() if (name := _region_name(one.text()))] if node is not None else []
    regions = tuple(dict.fromkeys(found))
    if len(regions) < 2:
        place = part.place if node is None else node.place
        reader.wrong(place, "this plan does not name two regions", "write regions: [us-east-1, us-west-2]")
    elif len(regions) > 60:
        reader.wrong(part.place, f"this plan names {len(regions)} regions", "a Region switch plan has two")
    return regions


def _workflows(reader: _Reader, part: Part) -> tuple[Workflow, ...]:
    node = part.get("workflows")
    if node is None or not (node.is_list or node.expression):
        place = part.place if node is None else node.place
        reader.wrong(place, '"workflows" is missing, or no list', "import the whole plan")
        return ()
    if node.expression is not None:
        what = f"the workflows: {node.expression.expression}"
        reader.losses.append(Loss(what, "they are not written out", node.place))
    if len(node.items()) > WORKFLOWS_MAX:
        reader.wrong(node.place, f"this plan has more than {WORKFLOWS_MAX} workflows", "import a plan as it is in AWS")
        return ()
    result = []
    for one in node.items():
        if not one.is_mapping:
            reader.losses.append(Loss(f"a workflow: {_what(one)}", "its steps cannot be read", one.place))
            continue
        action = one.text_of("workflowTargetAction") or ""
        region = _region_name(one.text_of("workflowTargetRegion")) or ""
        steps = one.get("steps")
        blocks = _blocks(reader, steps, f"{action} {region}".rstrip()) if steps is not None else ()
        _unread(reader, one, _WORKFLOW_KEYS, "the workflow's key")
        result.append(Workflow(action, region, one.text_of("workflowDescription") or "", blocks, one.place))
    return tuple(result)


def _blocks(reader: _Reader, steps: Part, workflow: str) -> tuple[Block, ...]:
    if not steps.is_list:
        reader.losses.append(Loss(f"steps: {_what(steps)}", "they are not written out", steps.place, workflow))
        return ()
    result = []
    for index, one in enumerate(steps.items(), 1):
        reader.blocks += 1
        if reader.blocks > BLOCKS_MAX:
            cure = "split it: a cloudfail runbook holds 200 steps, with those that are added"
            reader.wrong(one.place, f"this plan has more than {BLOCKS_MAX} steps", cure)
            reader.refuse()
        result.append(_block(reader, one, index, workflow))
    return tuple(result)


def _block(reader: _Reader, part: Part, index: int, workflow: str) -> Block:
    if not part.is_mapping:
        found = part.expression
        why = (
            f"it is an expression, which is not evaluated: {found.expression}" if found is not None else "it is no step"
        )
        return Block(f"step-{index}", "", "", None, (), part.place, why)
    sort = part.text_of("executionBlockType") or ""
    wrapped = part.get("executionBlockConfiguration")
    configs = [(key, value) for key, value in wrapped.entries() if not _is_null(value)] if wrapped is not None else []
    config = configs[0][1] if len(configs) == 1 and configs[0][1].is_mapping else None
    inner = config.get("steps") if config is not None and sort == PARALLEL else None
    steps = _blocks(reader, inner, workflow) if inner is not None else ()
    _unread(reader, part, _STEP_KEYS, "the step's key", workflow)
    name = part.text_of("name") or f"step-{index}"
    return Block(name, sort, part.text_of("description") or "", config, steps, part.place)


def _is_null(part: Part) -> bool:
    return isinstance(part.node, Scalar) and part.node.value is None


def _what(part: Part) -> str:
    found = part.expression
    return found.expression if found is not None else "no mapping" if not part.is_mapping else "no list"


def _unread(reader: _Reader, part: Part, known: frozenset[str], what: str, workflow: str = "") -> None:
    for key, value in part.entries():
        if key.lower() not in known:
            why = "this version of cloudfail does not know it"
            reader.losses.append(Loss(f'{what} "{shown(key)}"', why, value.place, workflow))


def _alarms(reader: _Reader, part: Part) -> Iterator[Alarm]:
    node = part.get("associatedAlarms")
    if node is not None and not node.is_mapping:
        reader.losses.append(Loss(f"alarms: {_what(node)}", "they are not written out", node.place))
    for name, one in node.entries()[:200] if node is not None else ():
        yield Alarm(name, one.text_of("alarmType") or "", one.text_of("resourceIdentifier") or "", one.place)


def _triggers(part: Part) -> Iterator[Trigger]:
    node = part.get("triggers")
    for one in node.items()[:200] if node is not None else ():
        conditions = one.get("conditions")
        when = [
            f"{each.text_of('associatedAlarmName')} is {each.text_of('condition')}"
            for each in (conditions.items()[:10] if conditions is not None else [])
        ]
        said = f"{one.text_of('action')} {one.text_of('targetRegion')} when {' and '.join(when) or '…'}"
        yield Trigger(said, one.number_of("minDelayMinutesBetweenExecutions"), one.place)
