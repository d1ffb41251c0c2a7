"""A plan as a person reads it before agreeing: what would change, what cannot be undone, what may be lost.

Refusals come first: who skims must not miss that this plan may not be acted on. The point of no return is marked at
one step only, the first promotion in the plan's order, since everything before it can be put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cloudfail.config import durations
from cloudfail.lint.rto import bar
from cloudfail.model.codec import plan_document
from cloudfail.model.plan import Estimate, Plan, PlannedStep, Preview
from cloudfail.model.runbook import Mode
from cloudfail.model.states import LossBound
from cloudfail.model.topology import Objectives
from cloudfail.report.layout import Column, markdown, markdown_table, paragraph, table
from cloudfail.report.wording import (
    NONE,
    counted,
    listed,
    loss_against,
    plain,
    plan_command,
    seconds,
    short,
    without_secrets,
)

WIDTH = 110


@dataclass(frozen=True)
class PlanView:
    """Everything that is known about one plan at the moment of asking. `loss` is None where nobody read it."""

    plan: Plan
    previews: Mapping[str, Preview]
    estimate: Estimate
    objectives: Objectives
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    loss: LossBound | None = None

    @property
    def point_of_no_return(self) -> str:
        """The name of the first step that nothing takes back, "" if there is none."""
        return next((step.name for step in self.plan.steps if step.point_of_no_return), "")


def as_text(view: PlanView, width: int = WIDTH) -> str:
    plan = view.plan
    lines = [f"Plan {_title(plan)}" + ("   REFUSED" if view.refusals else "")]
    if view.refusals:
        lines += ["", "It may not be acted on:"]
        lines += [line for refusal in view.refusals for line in paragraph(f"- {plain(refusal)}", width, 2, 2)]
        lines.append("")
    lines += paragraph(bar(view.estimate, view.objectives.rto_seconds), width, 2, 2)
    lines.append("")
    columns = (Column(), Column(most=24), Column(most=20), Column(wraps=True), Column(most=28), Column())
    rows = [
        (
            "*" if step.name in view.estimate.critical_path else " ",
            plain(step.name),
            plain(step.resource) or NONE,
            change_of(view, step),
            plane_of(plan, step),
            f"undo: {undo_of(view, step)}",
        )
        for step in plan.steps
    ]
    lines += table(columns, rows, width)
    lines.append("")
    lines += paragraph("* on the critical path: what it takes, the whole takes.", width, 2)
    if view.loss is not None and view.loss.parts and _loses(plan):
        for part in view.loss.parts:
            lines += paragraph(f"loss: {plain(part)}", width, 2, 2)
    for warning in view.warnings:
        lines += paragraph(f"Warning: {plain(warning)}", width, 2, 2)
    if view.loss is None and _loses(plan):
        lines += paragraph(f"Warning: {_NOT_READ}", width, 2, 2)
    return "\n".join([*lines, _ending(view)]) + "\n"


_NOT_READ = "the loss bound was not read; before it promotes, the run reads it and stops for a person if it is unknown."


def _title(plan: Plan) -> str:
    way = f"{plain(plan.source)} → {plain(plan.target)}"
    return f"{short(plan.checksum)}  {way}   {plan.mode}   {counted(len(plan.steps), 'step')}"


def _ending(view: PlanView) -> str:
    if view.refusals:
        return "Nothing was changed. Remove what stands against it, then plan again."
    return f"Nothing was changed. To act on exactly this: {plan_command(view.plan)}"


def _loses(plan: Plan) -> bool:
    return any(loses_data(step, plan) for step in plan.steps)


def loses_data(step: PlannedStep, plan: Plan) -> bool:
    """Whether this step may lose acknowledged writes: by the provider's word, or because it promotes in a failover."""
    return step.facts.loses_data or (step.point_of_no_return and plan.mode is Mode.FAILOVER)


def change_of(view: PlanView, step: PlannedStep) -> str:
    """What the step would change now, in a few words."""
    preview = view.previews.get(step.name)
    said = [_change(view.plan, step, preview)]
    if loses_data(step, view.plan) and not (preview is not None and preview.state == "done"):
        said.append(loss_against(view.loss, view.plan.bounds.loss_seconds_max))
    said += [f"waits for {plain(what)}" for what in step.facts.waits_for]
    return "; ".join(said)


def _change(plan: Plan, step: PlannedStep, preview: Preview | None) -> str:
    if step.gate is not None:
        fits = f"waits for a person ({plain(step.gate)}), at most {durations.written(step.expires_seconds)}"
        return f"{fits}; {plain(preview.detail)}" if preview is not None and preview.detail else fits
    if preview is None:
        return "not looked at: its state now is unknown"
    before, after, detail = (plain(text) for text in (preview.before, preview.after, preview.detail))
    change = f"{before or 'unknown'} → {after}" if after else ""
    match preview.state:
        case "done":
            if _still_to_come(plan, step):
                return f"looked at after {listed([plain(need) for need in step.needs])}; now: {detail or 'so'}"
            return f"already so: {detail}" if detail else "already so"
        case "owed":
            return f"will be owed: {detail or 'it does not answer'}"
        case "moving":
            return f"under way: {detail or change}"
        case "unknown":
            return f"unknown now: {detail or 'nothing could be read'}"
        case _:
            return ": ".join(filter(None, [detail, change])) or "to do"


def _still_to_come(plan: Plan, step: PlannedStep) -> bool:
    """Whether that it is so now says little, because the run comes to it after steps that change it: a verification,
    or the step that lifts what an earlier one sets."""
    if not step.needs:
        return False
    return (step.action or "").startswith("verify.") or any(
        other.undo is not None and other.undo[0] == step.action for other in plan.steps if other.name != step.name
    )


def undo_of(view: PlanView, step: PlannedStep) -> str:
    """yes, no, or why the question does not arise."""
    if step.gate is not None:
        return NONE
    if step.name == view.point_of_no_return:
        return "no, POINT OF NO RETURN"
    if step.undo is not None:
        return "yes"
    if step.action == "custom.run" and step.facts.reversible:
        return "not needed"
    return "no" if step.facts.verb and step.facts.verb != "canary" else "changes nothing"


def plane_of(plan: Plan, step: PlannedStep) -> str:
    """Which plane the step's calls use, and the home of the control plane that they need."""
    if step.gate is not None or not step.facts.verb:
        return NONE
    home = home_of(plan, step)
    if step.facts.plane == "data":
        return f"data plane, {home}" if home else "data plane"
    return f"control plane of {home}" if home else "control plane, no region"


def home_of(plan: Plan, step: PlannedStep) -> str:
    """The region that the step's calls need, "" for none. The facts say `member`: the region that it acts on."""
    if step.facts.home != "member":
        return plain(step.facts.home or "")
    for key in ("where", "member", "region", "to"):
        if isinstance(step.arguments.get(key), str):
            return plain(step.arguments[key])
    return plain(plan.source if step.facts.verb == "fence" else plan.target)


def as_json(view: PlanView) -> dict[str, Any]:
    """The plan with all that was said of it. `plan` holds what the checksum covers, secrets hidden."""
    steps = []
    for step in view.plan.steps:
        preview = view.previews.get(step.name)
        steps.append(
            {
                "name": step.name,
                "resource": step.resource,
                "needs": list(step.needs),
                "critical_path": step.name in view.estimate.critical_path,
                "point_of_no_return": step.name == view.point_of_no_return,
                "undo": undo_of(view, step),
                "plane": None if step.gate else step.facts.plane,
                "home": home_of(view.plan, step) or None,
                "loses_data": loses_data(step, view.plan),
                "typical_seconds": step.facts.typical_seconds,
                "limit_seconds": step.limit_seconds,
                "preview": None if preview is None else asdict(preview),
            }
        )
    estimate = asdict(view.estimate) | {"expected": view.estimate.expected, "by_limits": view.estimate.by_limits}
    document: dict[str, Any] = without_secrets(
        {
            "checksum": view.plan.checksum,
            "plan": plan_document(view.plan),
            "steps": steps,
            "estimate_seconds": estimate,
            "objectives": asdict(view.objectives),
            "loss": None if view.loss is None else asdict(view.loss),
            "refusals": view.refusals,
            "warnings": view.warnings,
            "may_be_acted_on": not view.refusals,
            "act": None if view.refusals else plan_command(view.plan),
        }
    )
    return document


def as_markdown(view: PlanView) -> str:
    """For a change request or a chat: the same, in the same order."""
    plan = view.plan
    lines = [f"# Plan {markdown(_title(plan))}" + (" · REFUSED" if view.refusals else ""), ""]
    if view.refusals:
        lines += ["**It may not be acted on:**", "", *(f"- {markdown(plain(one))}" for one in view.refusals), ""]
    lines += [markdown(bar(view.estimate, view.objectives.rto_seconds)), ""]
    rows = [
        (
            ("▸ " if step.name in view.estimate.critical_path else "") + plain(step.name),
            plain(step.resource) or NONE,
            change_of(view, step),
            ", ".join(map(plain, step.needs)) or NONE,
            plane_of(plan, step),
            f"{seconds(step.facts.typical_seconds)} / {seconds(step.limit_seconds)}" if step.action else NONE,
            undo_of(view, step),
        )
        for step in plan.steps
    ]
    lines += markdown_table(("step", "resource", "change", "after", "plane", "usual / limit", "undo"), rows)
    lines += ["", "▸ on the critical path: what it takes, the whole takes.", ""]
    if view.loss is not None and _loses(plan):
        lines += [f"- loss: {markdown(plain(part))}" for part in view.loss.parts]
    elif _loses(plan):
        lines.append(f"- Warning: {_NOT_READ}")
    lines += [f"- Warning: {markdown(plain(one))}" for one in view.warnings]
    lines += ["", _ending_markdown(view), "", f"Checksum: `{plain(plan.checksum)}`"]
    return "\n".join(lines) + "\n"


def _ending_markdown(view: PlanView) -> str:
    said, _, typed = _ending(view).partition("exactly this: ")
    return f"{said}exactly this:\n\n    {typed}" if typed else said
