"""What a runbook that crosses clouds may need of them: nothing of the one that is lost."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.errors import Refused
from cloudfail.lint.finding import Finding, Severity, at
from cloudfail.lint.view import View
from cloudfail.model.runbook import Mode, Step
from cloudfail.stores import store_kind


def findings(view: View) -> Iterator[Finding]:
    """What these rules say of a runbook, where the application has regions in several clouds."""
    yield from beside_is_moved(view)
    if view.runbook.mode is Mode.FAILOVER:
        yield from needs_lost_cloud(view)
        yield from log_in_lost_cloud(view)


def needs_lost_cloud(view: View) -> Iterator[Finding]:
    """A move from one cloud to another needs nothing of the first, not even what stands in no region of it.

    Control planes of whole clouds were away: Google Cloud's for hours on 2025-06-12, in all regions at once.
    """
    for step in view.runbook.steps.values():
        if step.action is None or view.may_be_owed(step):
            continue
        for cloud in sorted(_may_be_lost(view) & _without_region(view, step)):
            message = f"{step.name} ({step.action}) needs {cloud}, which may be lost as a whole"
            cure = (
                f"have the name served by another cloud at the same time, and write unreachable: owe, beside: [NAME]; "
                f"or let a cloud serve it that has no region of {view.loaded.topology.application}"
            )
            yield view.warning("needs-lost-cloud", step, message, cure, "action")


def log_in_lost_cloud(view: View) -> Iterator[Finding]:
    """Without its log a run has no effect: it stands where no cloud that can be lost takes it along."""
    cloud = _log_in(view)
    if cloud in _may_be_lost(view):
        message = f"the log is in {cloud}, which may be lost as a whole, and with it every run"
        cure = "write a store in a cloud that serves no region of this application: docs/state.md"
        place = view.loaded.place("state")
        yield at(place, "log-in-lost-cloud", message, cure, severity=Severity.WARNING)


def beside_is_moved(view: View) -> Iterator[Finding]:
    """What a step is owed beside is moved by a step of the same runbook; else nobody is sent to the target."""
    moved = {str(step.arguments["name"]) for step in view.steps("traffic.switch")}
    for step in view.steps("traffic.switch"):
        for name in step.arguments.get("beside", ()):
            if name not in moved or name == step.arguments["name"]:
                what = "itself" if name == step.arguments["name"] else f"{name}, which no step of it moves"
                message = f"{step.name} is owed beside {what}"
                yield view.error("owed-beside", step, message, "name another that is moved too", "with", "beside")


def asked(view: View, step: Step) -> str:
    """The clouds that a step of a name asks, in words."""
    return " and ".join(sorted(_without_region(view, step))) or "its provider"


def of_which(view: View, step: Step) -> str:
    """Whose plane it is, where clouds are what may be lost."""
    clouds = _without_region(view, step)
    return f" of {' and '.join(sorted(clouds))}" if _may_be_lost(view) and clouds else ""


def _may_be_lost(view: View) -> set[str]:
    """The clouds that a move leaves: of the source, if the target is in another; of every region, if neither is known
    and there are several."""
    regions = view.loaded.topology.regions
    if view.source is not None and view.target is not None:
        left, entered = regions[view.source].provider, regions[view.target].provider
        return {left} - {entered}
    of = {region.provider for region in regions.values()}
    return of if len(of) > 1 else set()


def _without_region(view: View, step: Step) -> set[str]:
    """The clouds that a step asks whatever the region: what serves a name, or stands in no region of a member."""
    touched = set(view.resources(step))
    verb = view.traits[step.action].verb if step.action else ""
    return {
        part.provider
        for part, kind in view.loaded.parts()
        if part.name in touched and verb and kind.facts(verb, part).home != "member"
    }


def _log_in(view: View) -> str:
    url = view.loaded.topology.state
    try:
        return store_kind(url).place(url).provider
    except Refused:
        return ""  # said by the rules of policies
