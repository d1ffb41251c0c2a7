"""What is asked of a route or an address: that its kind can do it, and that something proves that it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail.lint.finding import Finding
from cloudfail.lint.view import View
from cloudfail.model.topology import PortName, Resource

ACTIONS = ("network.route", "network.move_address")


def findings(view: View) -> list[Finding]:
    """What these rules say of a runbook."""
    return [*verb_of_the_kind(view), *no_member(view), *nothing_proves_it(view)]


def verb_of_the_kind(view: View) -> Iterator[Finding]:
    """A route table gives no address away, and an address has no route: the provider would refuse it on the bad day."""
    for step in view.steps(*ACTIONS):
        verb = view.traits[str(step.action)].verb
        for resource in _of(view, step.arguments):
            kind = view.loaded.kinds.get(resource.name)
            if kind is None:
                continue
            served = kind.verbs_of(resource) if kind.verbs_of is not None else kind.verbs
            if served and verb not in served:
                other = next(action for action in ACTIONS if action != step.action)
                message = f"{step.name}: a {kind.port} of kind {kind.name} has no {verb}"
                yield view.error("verb-of-the-kind", step, message, f"write action: {other}", "action")


def no_member(view: View) -> Iterator[Finding]:
    """What is led to the region that takes over needs a next hop, or a holder, there."""
    if view.target is None:
        return
    for step in view.steps(*ACTIONS):
        for resource in _of(view, step.arguments):
            if view.is_target(str(step.arguments["to"])) and view.target not in resource.members:
                message = f"{step.name}: {resource.name} has no member in {view.target}"
                yield view.error("no-member", step, message, f"write members: {{{view.target}: …}} in cloudfail.yaml")


def nothing_proves_it(view: View) -> Iterator[Finding]:
    """A route table that was read says what was ordered. Where nothing is asked through it, the step ends on the API's
    word alone (safety rule 14), and its result says so."""
    for step in view.steps(*ACTIONS):
        for resource in _of(view, step.arguments):
            members = resource.members.items()
            mute = [
                region
                for region, member in members
                if view.target in (None, region) and not (isinstance(member, Mapping) and member.get("reach"))
            ]
            if mute:
                message = f"{step.name} ends when {resource.name} is set: nothing is asked through it in {mute[0]}"
                cure = f'write members: {{{mute[0]}: {{…, reach: "host:port"}}}}: what must answer there after the move'
                yield view.warning("nothing-proves-it", step, message, cure)


def _of(view: View, arguments: Mapping[str, object]) -> Iterator[Resource]:
    resource = view.loaded.topology.resources.get(str(arguments.get("network")))
    if resource is not None and resource.port is PortName.NETWORK:
        yield resource
