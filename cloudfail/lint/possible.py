"""Why each step of a failover can be done while its source does not answer, in words, or why it cannot; and what each
step of the way back needs.

The rules of `regions` say what is wrong. Who approves a runbook also wants to see why the rest is right: which control
plane a step needs and where that stands, what is only asked and then owed, what nobody has to be asked for at all. The
way back is planned: both sides answer, or its plan is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail import shares
from cloudfail.config.durations import written
from cloudfail.config.loaded import Loaded
from cloudfail.errors import Refused
from cloudfail.lint import clouds, regions
from cloudfail.lint.view import View, traits_of
from cloudfail.model.runbook import Mode, Step
from cloudfail.ports import VerbFacts
from cloudfail.stores import store_kind


def explained(loaded: Loaded, source: str, target: str, actions: Mapping[str, Any] | None = None) -> list[str]:
    """Lines for a person: the log, then each runbook, step by step: away from `source`, what is rebuilt there once it
    answers again, and home from `target`. Nothing is asked of any cloud."""
    lines = [f"With {source} lost, moving to {target}:", f"  the log: {_log(loaded.topology.state, source)}"]
    traits = traits_of(actions)
    for mode, begins, way in (
        (Mode.FAILOVER, "", (source, target)),
        (Mode.RESTORE, f"With {source} back, to follow {target}:", (source, target)),
        (Mode.SWITCHOVER, f"With both answering, from {target} to {source}:", (target, source)),
    ):
        views = [View(loaded, one, traits, *way) for one in loaded.runbooks.values() if one.mode is mode]
        lines += [begins] if views and begins else []
        lines += [line for view in views for line in _of(view)]
    return lines


def _of(view: View) -> Iterator[str]:
    wrong = {one.step: one.message for one in _waiting(view)}
    wide = max(len(name) for name in view.runbook.steps)
    yield f"  {view.runbook.name}:"
    for step in view.runbook.steps.values():
        why = reason(view, step) if view.runbook.mode is Mode.FAILOVER else planned_reason(view, step)
        why = f"NOT possible: {wrong[step.name]}" if step.name in wrong else why
        yield f"    {step.name:<{wide}}  {why}"


def reason(view: View, step: Step) -> str:
    """Why this step needs nothing that its source takes along, for one that breaks no rule. `view` has a source and a
    target."""
    assert view.source is not None
    if step.gate is not None:
        return "waits for a person, and asks no cloud"
    if step.arguments.get("unreachable") == "owe" and view.asks_source(step):
        return (
            f"asks {view.source}, and does not wait for it: what it does not answer is owed, and done when it is back"
        )
    if "beside" in step.arguments:
        beside = " or ".join(step.arguments["beside"])
        return f"asks {clouds.asked(view, step)}; owed if that does not answer, once {beside} sends users there"
    if step.action == "verify.users":
        return _vantages_look(view, step)
    facts = view.facts(step)
    if not facts:
        return f"nothing is declared for it in {_acts_in(view, step)}"
    return "; ".join(dict.fromkeys(_needs(view, step, one) for one in facts))


def planned_reason(view: View, step: Step) -> str:
    """What this step of a planned move needs. `view` has a source and a target."""
    if step.gate is not None:
        return "waits for a person, and asks no cloud"
    if step.action == "verify.users":
        return _vantages_look(view, step)
    facts = view.facts(step)
    if not facts:
        return f"nothing is declared for it in {_acts_in(view, step)}"
    said = list(dict.fromkeys(_asks(view, step, one) for one in facts))
    if step.action is not None and view.traits[step.action].waits_for_source:
        refused = ", and the plan is refused while that does not answer" if view.runbook.mode is Mode.SWITCHOVER else ""
        said.append(f"waits for {view.source}{refused}")
    if step.action == "traffic.ramp":
        steps = shares.steps_for(view.loaded, str(step.arguments["name"]), step.arguments["steps"])
        paced = f", a step when every check has passed in {view.target} for {written(step.arguments['hold'])}"
        said.append(f"gives it {shares.in_words(steps)}{paced if len(steps) > 1 else ', at once'}")
    return "; ".join(said)


def _asks(view: View, step: Step, facts: VerbFacts) -> str:
    if facts.home is None:
        return f"{facts.plane} plane, which stands in no one region"
    if facts.home != "member":
        return f"{facts.plane} plane of {facts.home}"
    if step.action in ("database.fence", "database.unfence"):
        return f"{facts.plane} plane of {view.source}"
    if step.action == "database.switchover":
        return f"{facts.plane} plane of {view.source} and {view.target}"
    return f"{facts.plane} plane of {_acts_in(view, step)}"


def _needs(view: View, step: Step, facts: VerbFacts) -> str:
    where = _acts_in(view, step) if facts.home == "member" else facts.home
    if where is None:
        return f"{facts.plane} plane, which stands in no one region{clouds.of_which(view, step)}"
    return f"{facts.plane} plane of {where}, not of {view.source}"


def _vantages_look(view: View, step: Step) -> str:
    if step.arguments["check"] not in view.loaded.topology.checks_in(str(view.target)):
        return f"{view.target} is a stand-in that does not serve it: nothing is waited for"
    return f"the vantages look at {view.target}"


def _acts_in(view: View, step: Step) -> str:
    """The region of the member that the step acts on: what it names, else the one that takes over."""
    named = next((region for _, region, _ in view.regions(step)), "${to}")
    if view.is_source(named):
        return str(view.source)
    return str(view.target) if view.is_target(named) else named


def _waiting(view: View) -> Iterator[Any]:
    yield from regions.no_wait_for_lost_region(view)
    yield from regions.control_plane_home(view)


def _log(url: str, source: str) -> str:
    scheme = url.partition(":")[0]
    try:
        stands = store_kind(url).place(url).regions
    except Refused as refused:
        return refused.happened
    if stands is None:
        return f"{scheme}, whose URL does not say where it stands; it must not be in {source}"
    if not stands:
        return f"{scheme}, which outlives each single region"
    if source in stands:
        return f"NOT possible: {scheme} in {', '.join(stands)}"
    return f"{scheme} in {', '.join(stands)}, not in {source}"
