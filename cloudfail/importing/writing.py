"""A draft as text: cloudfail.yaml and the runbooks, with every reason as a comment where it is needed.

Written by hand and not by a YAML library: the comments are half of what a draft says, and no library keeps a step on
one line. Every text that comes from the plan is quoted, or is a name that was made safe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from cloudfail.importing.draft import CHECK, Draft
from cloudfail.importing.parts import Resource, Runbook, Step
from cloudfail.importing.source import FILL_IN, said
from cloudfail.model.runbook import Mode

WIDTH = 118
COMMENT_WIDTH = 116
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def files(draft: Draft) -> dict[str, str]:
    """Path below the directory → text."""
    written = {"cloudfail.yaml": "\n".join(_topology(draft)) + "\n"}
    for runbook in draft.runbooks:
        written[f"runbooks/{runbook.name}.yaml"] = "\n".join(_runbook(runbook)) + "\n"
    return written


def _value(text: str) -> str:
    """A text as YAML reads it back. `${` would be put in for, or refused, where only the very text is meant."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return str(text)
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)


def _map(entries: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_value(key)}: {_value(value)}" for key, value in entries.items()) + "}"


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    """A comment, broken at blanks."""
    line, prefix = "", " " * indent + "# "
    for word in text.split():
        if line and len(prefix) + len(line) + 1 + len(word) > COMMENT_WIDTH:
            yield prefix + line
            line, prefix = "", " " * indent + "#   "
        line = f"{line} {word}".lstrip()
    yield prefix + line


def _topology(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    yield from _comment(f"A draft, made from the AWS Region switch plan {said(plan.name)}.")
    if plan.description:
        yield from _comment(said(plan.description, 300))
    yield from _comment("Read every line before it is used. What needs a person's word is marked: fill in.")
    yield from _open_values(draft)
    if draft.losses:
        yield "#"
        yield from _comment("Not carried:")
        for one in draft.losses:
            yield from _comment(f"- {one.what}: {one.why}")
    yield f"application: {_value(draft.application)}"
    yield from _objectives(draft)
    yield "regions:"
    for region in plan.regions:
        account = f', account: "{plan.account}"' if plan.account else ""
        yield f"  {_value(region)}: {{provider: aws{account}}}"
    if draft.primary_assumed:
        yield "# fill in: the plan names no primary region; this is its first"
    yield f"primary: {_value(draft.primary)}"
    yield "# added: Region switch keeps its own state. fill in: a store that lives in neither region, such as"
    yield "#   dynamodb://TABLE?region=… of a third one. A file is lost with its machine."
    yield "state: sqlite:state.db"
    if draft.resources:
        yield from _comment("The plan names no resource of the port `change`: until one is, the freezes hold nothing.")
        yield "resources:"
        for resource in draft.resources:
            yield from _resource(resource)
    yield from _checks(draft)
    yield from _policy(draft)


def _open_values(draft: Draft) -> Iterator[str]:
    if not draft.plan.expressions:
        return
    yield "#"
    yield from _comment("Expressions of the template, by the name that stands for each. None was evaluated.")
    for name, expression in draft.plan.expressions.items():
        yield from _comment(f"- {name} = {expression}")


def _objectives(draft: Draft) -> Iterator[str]:
    minutes = draft.plan.rto_minutes
    yield from _comment("rpo is added: Region switch bounds no loss. At 0s every loss waits for a person's word.")
    if minutes is None:
        yield "# fill in: rto (the plan states no recovery time)"
    rto = max(int(minutes), 1) if minutes is not None else 60
    yield f"objectives: {{rto: {min(rto, 500_000)}m, rpo: 0s}}"


def _resource(resource: Resource) -> Iterator[str]:
    for remark in resource.remarks:
        yield from _comment(remark, 2)
    parts = [f"{resource.port}: {resource.kind}"]
    if resource.id is not None:
        parts.append(f"id: {_value(resource.id)}")
    parts += [f"{key}: {_value(value)}" for key, value in resource.options.items()]
    if resource.members:
        parts.append(f"members: {_map(resource.members)}")
    yield from _flow(f"  {_value(resource.name)}: ", parts)


def _flow(head: str, parts: list[str]) -> Iterator[str]:
    """One line if it fits, else as many as it needs; a part is not broken."""
    line, indent = f"{head}{{{parts[0]}", " " * min(len(head) + 1, 12)
    for part in parts[1:]:
        if len(line) + len(part) + 3 > WIDTH:
            yield f"{line},"
            line = f"{indent}{part}"
        else:
            line = f"{line}, {part}"
    yield f"{line}}}"


def _checks(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    yield from _comment("added: Region switch looks at alarms, cloudfail at what users see. fill in: where to look.")
    yield from _comment("Until this check passes in a region, no traffic is sent there.")
    for alarm in plan.alarms:
        what = f"alarm {said(alarm.name)} ({said(alarm.type)}): {said(alarm.identifier, 160)}"
        yield from _comment(f"not carried: {what}", 0)
    yield "checks:"
    yield f'  {CHECK}: {{http: "https://${{region}}.{FILL_IN}host.invalid/", every: 10s, fall: 3, rise: 2}}'


def _policy(draft: Draft) -> Iterator[str]:
    delays = [one.delay_minutes for one in draft.plan.triggers if one.delay_minutes]
    cool_down = f", cool_down: {min(int(max(delays)), 500_000)}m" if delays and max(delays) >= 1 else ""
    if draft.plan.triggers:
        yield from _comment("The plan begins by itself when its alarms say so. Here only a person begins a run.")
    yield f'policy: {{automation: "off"{cool_down}, runbook: {_value(draft.standing)}}}'


def _runbook(runbook: Runbook) -> Iterator[str]:
    said_first = {
        Mode.FAILOVER: "A draft. `${from}` is lost and nothing waits for it; Region switch calls this ungraceful.",
        Mode.SWITCHOVER: "A draft. Both regions are healthy and nothing is lost; Region switch calls this graceful.",
        Mode.RESTORE: "A draft. `${from}` is the region that was left, `${to}` the one that serves. No user is moved.",
    }
    yield from _comment(said_first[runbook.mode])
    for remark in runbook.remarks:
        yield from _comment(remark)
    yield f"name: {_value(runbook.name)}"
    yield f"mode: {runbook.mode}"
    yield f"description: {json.dumps(said(runbook.description, 300), ensure_ascii=False)}"
    yield "steps:"
    for step in runbook.steps:
        yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    for remark in step.remarks:
        yield from _comment(remark, 2)
    parts = [f"action: {step.action}" if step.action else "gate: approval"]
    if step.arguments:
        parts.append(f"with: {{{', '.join(f'{key}: {_argument(value)}' for key, value in step.arguments.items())}}}")
    if step.needs:
        parts.append(f"needs: [{_listed(step.needs)}]")
    parts.append(f"{'limit' if step.action else 'expires'}: {step.limit}")
    parts += [f"{when}: [{', '.join(conditions)}]" for when, conditions in step.conditions.items()]
    yield from _flow(f"  {_value(step.name)}: ", parts)


def _argument(text: str) -> str:
    """A name, or one of the runbook's own `${from}` and `${to}`."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_value(name) for name in names)


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
