"""What a person reads after an import: what was read, what each block became, what is missing, what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from cloudfail.drafting import said
from cloudfail.importing.draft import Draft
from cloudfail.importing.opinion import Opinion
from cloudfail.importing.parts import ADDED
from cloudfail.importing.writing import where_used

WIDTH = 110
FINDINGS_SHOWN = 40
APPROACHES = {"activeActive": "active/active", "activePassive": "active/passive"}


def report(draft: Draft, opinion: Opinion, written: Mapping[str, str], place: str) -> str:
    """The whole screen. `place` is the directory, "" where the files were only printed."""
    parts = [_read(draft), _table(draft), _losses(draft), _differences(draft), _added(draft), _open(draft, written)]
    parts += [_judged(opinion), _next(draft, opinion, written, place)]
    return "\n\n".join("\n".join(part) for lines in parts if (part := list(lines)))


def _read(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    approach = APPROACHES.get(plan.approach, said(plan.approach))
    yield f"Read {plan.file}: {said(plan.sort, 120)}."
    facts = [f"{said(plan.name)}", " and ".join(plan.regions), approach or "no approach stated"]
    facts += [_counted(len(plan.workflows), "workflow"), _counted(len(draft.rows), "block")]
    yield "  " + ", ".join(facts)


def _table(draft: Draft) -> Iterator[str]:
    if not draft.rows:
        return
    heads = ("workflow", "step of the plan", "block", "in the draft")
    rows = [heads]
    rows += [(said(one.workflow, 24), said(one.block, 32), said(one.type, 28), one.became) for one in draft.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        yield "  ".join((*cells, row[3])).rstrip()


def _losses(draft: Draft) -> Iterator[str]:
    if not draft.losses:
        yield "Everything in the plan was carried."
        return
    yield f"Not carried ({len(draft.losses)}):"
    for one in draft.losses:
        yield from _item(f"line {one.place.line}: {one.what}: {one.why}")


def _differences(draft: Draft) -> Iterator[str]:
    if draft.differences:
        yield "Carried, and different here:"
        for one in draft.differences:
            yield from _item(one)


def _added(draft: Draft) -> Iterator[str]:
    added = dict.fromkeys(
        step.action or "a gate" for runbook in draft.runbooks for step in runbook.steps if ADDED in step.remarks
    )
    if added:
        yield from _wrapped(f"Added, since Region switch has no such steps: {', '.join(added)}.")
    yield from _wrapped(
        "Added as well: rpo 0s (any loss waits for a person's word), a check of what users see, a state store. The "
        "plan names nothing that deploys: the freezes hold nothing until a resource of the port `change` is named."
    )


def _open(draft: Draft, written: Mapping[str, str]) -> Iterator[str]:
    used = where_used(draft, written)
    if used:
        yield f"Expressions of the template, kept by name and not evaluated ({len(used)}):"
        for name, (expression, files) in used.items():
            yield from _item(f"{name} = {expression}" + (f" in {files}" if files else "; nothing in the draft uses it"))


def _judged(opinion: Opinion) -> Iterator[str]:
    if opinion.unserved:
        yield from _wrapped(f"No installed provider serves these kinds: {', '.join(opinion.unserved)}.")
        yield ""
    if opinion.missing:
        yield "The draft does not load here as things are:"
        for one in opinion.missing[:FINDINGS_SHOWN]:
            yield from ("  " + line for line in one.splitlines())
        yield ""
    if not opinion.findings:
        yield "Lint, as if every kind were served: nothing to say."
        return
    yield "Lint, as if every kind were served; how long their verbs take is not known, so times are guesses:"
    counts = f"{_counted(len(opinion.findings), 'finding')}, {_counted(opinion.errors, 'error')}"
    yield f"  {counts}"
    for one in opinion.findings[:FINDINGS_SHOWN]:
        yield from ("  " + line for line in one.splitlines())
    if len(opinion.findings) > FINDINGS_SHOWN:
        yield f"  … and {len(opinion.findings) - FINDINGS_SHOWN} more: cloudfail lint"


def _next(draft: Draft, opinion: Opinion, written: Mapping[str, str], place: str) -> Iterator[str]:
    if place:
        yield f"Wrote {len(written)} files: {', '.join(f'{place}/{name}' for name in written)}"
    else:
        yield "Nothing was written."
    yield "Next:"
    steps = ["Fill in what is marked `fill in`: the state store, the check, and what the plan left open."]
    if any(step.by_hand for runbook in draft.runbooks for step in runbook.steps):
        steps.append("Go through the gates that say `by hand`: each stands for a block that no action carries.")
    if opinion.unserved:
        steps.append("Until a provider serves these kinds the draft is a document: nothing can be run from it.")
    steps.append(f"cloudfail lint --config {place or 'DIR'}/cloudfail.yaml")
    for index, step in enumerate(steps, 1):
        yield from _item(step, f"{index}. ")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _item(text: str, mark: str = "- ") -> Sequence[str]:
    lines = textwrap.wrap(text, WIDTH - 2 - len(mark), break_long_words=False, break_on_hyphens=False)
    return [f"  {' ' * len(mark) if index else mark}{line}" for index, line in enumerate(lines)]
