"""A draft as text: cloudfail.yaml and the runbooks, with every reason as a comment where it is needed.

Every text that comes from the plan is quoted, or is a name that was made safe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from cloudfail.drafting import comment, flow, inline, is_plain, quoted, said
from cloudfail.importing.draft import CHECK, Draft
from cloudfail.importing.parts import Resource, Runbook, Step
from cloudfail.importing.source import FILL_IN
from cloudfail.model.runbook import Mode


def files(draft: Draft) -> dict[str, str]:
    """Path below the directory → text."""
    written = {"cloudfail.yaml": "\n".join(_topology(draft)) + "\n"}
    for runbook in draft.runbooks:
        written[f"runbooks/{runbook.name}.yaml"] = "\n".join(_runbook(runbook)) + "\n"
    return written


def _topology(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    yield from comment(f"A draft, made from the AWS Region switch plan {said(plan.name)}.")
    if plan.description:
        yield from comment(said(plan.description, 300))
    yield from comment("Read every line before it is used. What needs a person's word is marked: fill in.")
    yield from _open_values(draft)
    if draft.losses:
        yield "#"
        yield from comment("Not carried:")
        for one in draft.losses:
            yield from comment(f"- {one.what}: {one.why}")
    yield f"application: {quoted(draft.application)}"
    yield from _objectives(draft)
    yield "regions:"
    for region in plan.regions:
        account = f', account: "{plan.account}"' if plan.account else ""
        yield f"  {quoted(region)}: {{provider: aws{account}}}"
    if draft.primary_assumed:
        yield "# fill in: the plan names no primary region; this is its first"
    yield f"primary: {quoted(draft.primary)}"
    yield "# added: Region switch keeps its own state. fill in: a store that lives in neither region, such as"
    yield "#   dynamodb://TABLE?region=… of a third one. A file is lost with its machine."
    yield "state: sqlite:state.db"
    if draft.resources:
        yield from comment("The plan names no resource of the port `change`: until one is, the freezes hold nothing.")
        yield "resources:"
        for resource in draft.resources:
            yield from _resource(resource)
    yield from _checks(draft)
    yield from _policy(draft)


def _open_values(draft: Draft) -> Iterator[str]:
    if not draft.plan.expressions:
        return
    yield "#"
    yield from comment("Expressions of the template, by the name that stands for each. None was evaluated.")
    for name, expression in draft.plan.expressions.items():
        yield from comment(f"- {name} = {expression}")


def _objectives(draft: Draft) -> Iterator[str]:
    minutes = draft.plan.rto_minutes
    yield from comment("rpo is added: Region switch bounds no loss. At 0s every loss waits for a person's word.")
    if minutes is None:
        yield "# fill in: rto (the plan states no recovery time)"
    rto = max(int(minutes), 1) if minutes is not None else 60
    yield f"objectives: {{rto: {min(rto, 500_000)}m, rpo: 0s}}"


def _resource(resource: Resource) -> Iterator[str]:
    for remark in resource.remarks:
        yield from comment(remark, 2)
    parts = [f"{resource.port}: {resource.kind}"]
    if resource.id is not None:
        parts.append(f"id: {quoted(resource.id)}")
    parts += [f"{key}: {quoted(value)}" for key, value in resource.options.items()]
    if resource.members:
        parts.append(f"members: {inline(resource.members)}")
    yield from flow(f"  {quoted(resource.name)}: ", parts)


def _checks(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    yield from comment("added: Region switch looks at alarms, cloudfail at what users see. fill in: where to look.")
    yield from comment("Until this check passes in a region, no traffic is sent there.")
    for alarm in plan.alarms:
        what = f"alarm {said(alarm.name)} ({said(alarm.type)}): {said(alarm.identifier, 160)}"
        yield from comment(f"not carried: {what}", 0)
    yield "checks:"
    yield f'  {CHECK}: {{http: "https://${{region}}.{FILL_IN}host.invalid/", every: 10s, fall: 3, rise: 2}}'


def _policy(draft: Draft) -> Iterator[str]:
    delays = [one.delay_minutes for one in draft.plan.triggers if one.delay_minutes]
    cool_down = f", cool_down: {min(int(max(delays)), 500_000)}m" if delays and max(delays) >= 1 else ""
    if draft.plan.triggers:
        yield from comment("The plan begins by itself when its alarms say so. Here only a person begins a run.")
    yield f'policy: {{automation: "off"{cool_down}, runbook: {quoted(draft.standing)}}}'


def _runbook(runbook: Runbook) -> Iterator[str]:
    said_first = {
        Mode.FAILOVER: "A draft. `${from}` is lost and nothing waits for it; Region switch calls this ungraceful.",
        Mode.SWITCHOVER: "A draft. Both regions are healthy and nothing is lost; Region switch calls this graceful.",
        Mode.RESTORE: "A draft. `${from}` is the region that was left, `${to}` the one that serves. No user is moved.",
    }
    yield from comment(said_first[runbook.mode])
    for remark in runbook.remarks:
        yield from comment(remark)
    yield f"name: {quoted(runbook.name)}"
    yield f"mode: {runbook.mode}"
    yield f"description: {json.dumps(said(runbook.description, 300), ensure_ascii=False)}"
    yield "steps:"
    for step in runbook.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    for remark in step.remarks:
        yield from comment(remark, 2)
    parts = [f"action: {step.action}" if step.action else "gate: approval"]
    if step.arguments:
        parts.append(f"with: {{{', '.join(f'{key}: {_argument(value)}' for key, value in step.arguments.items())}}}")
    if step.needs:
        parts.append(f"needs: [{_listed(step.needs)}]")
    parts.append(f"{'limit' if step.action else 'expires'}: {step.limit}")
    parts += [f"{when}: [{', '.join(conditions)}]" for when, conditions in step.conditions.items()]
    yield from flow(f"  {quoted(step.name)}: ", parts)


def _argument(text: str) -> str:
    """A name, or one of the runbook's own `${from}` and `${to}`."""
    return text if is_plain(text) else json.dumps(text, ensure_ascii=False)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def where_used(draft: Draft, written: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Name of an expression → how it was written, and the files in which it stands ("" where a default stands)."""
    found = {}
    for name, expression in draft.plan.expressions.items():
        whole = re.compile(re.escape(name) + r"(?![A-Za-z0-9_.-])")
        inside = [
            path
            for path, text in written.items()
            if any(whole.search(line) for line in text.splitlines() if not line.startswith("# - "))
        ]
        found[name] = (expression, ", ".join(inside))
    return found
