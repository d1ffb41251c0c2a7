"""What the kinds of this port call, as Azure RBAC names it. Sources: "Azure permissions for Integration"
(Microsoft.ServiceBus, Microsoft.EventGrid) and "Azure permissions for Web and Mobile" (Microsoft.Web),
learn.microsoft.com/azure/role-based-access-control/permissions/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import stated
from cloudfail_azure.paths import parent_of, subscription_of, type_of

_NAMESPACES = "Microsoft.ServiceBus/namespaces"
_ENABLE = ("enable",)
_STANDS = "Where it stands is the namespace's to say."


def _members(resource: Resource, regions: Sequence[str]) -> Iterator[tuple[str, Any]]:
    return ((region, resource.members[region]) for region in regions if region in resource.members)


def queue(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    return stated(one for region, member in _members(resource, regions) for one in _of_queue(region, member["queue"]))


def _of_queue(region: str, on: str) -> Iterator[tuple[bool, Grant]]:
    yield False, Grant(region, (f"{_NAMESPACES}/queues/read",), (on,))
    yield False, Grant(region, (f"{_NAMESPACES}/read",), (parent_of(on),), why=_STANDS)
    yield True, Grant(region, (f"{_NAMESPACES}/queues/write",), (on,), _ENABLE)


def subscription(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    told, of = [], f"{_NAMESPACES}/topics/subscriptions"
    for region, member in _members(resource, regions):
        on = str(member["subscription"])
        told.append((False, Grant(region, (f"{of}/read",), (on,))))
        told.append((False, Grant(region, (f"{_NAMESPACES}/read",), (parent_of(parent_of(on)),), why=_STANDS)))
        told.append((True, Grant(region, (f"{of}/write",), (on,), _ENABLE)))
    return stated(told)


def events(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A queue that is not in cloudfail.yaml is allowed in the whole subscription."""
    told: list[tuple[bool, Grant]] = []
    for region, member in _members(resource, regions):
        on = str(member["events"])
        action = f"Microsoft.EventGrid/{_typed(on)}/read"
        told.append((False, Grant(region, (action,), (on,))))
        if member.get("queue"):
            told += _of_queue(region, str(member["queue"]))
            continue
        everywhere = (subscription_of(on),)
        why = "The queue is what the event subscription says. Name it in cloudfail.yaml, and it is allowed alone."
        reads = (f"{_NAMESPACES}/queues/read", f"{_NAMESPACES}/read")
        told.append((False, Grant(region, reads, everywhere, why=why)))
        told.append((True, Grant(region, (f"{_NAMESPACES}/queues/write",), everywhere, _ENABLE, why=why)))
    return stated(told)


def function(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """Of a slot, Azure has operations of its own for the same."""
    told = []
    for region, member in _members(resource, regions):
        on = str(member["function"])
        app = parent_of(on)
        slot = type_of(app).lower() == "slots"
        site = parent_of(app) if slot else app
        of = "Microsoft.Web/sites/slots" if slot else "Microsoft.Web/sites"
        told.append((False, Grant(region, (f"{of}/read", f"{of}/functions/read"), (app,))))
        slots = ("Microsoft.Web/sites/slots/read", "Microsoft.Web/sites/config/read")
        told.append((False, Grant(region, slots, (site,), why="Whether the switch is tied to its slot.")))
        why = "Settings are replaced all at once, and so they are read first, secrets included."
        told.append((True, Grant(region, (f"{of}/config/list/action", f"{of}/config/write"), (app,), _ENABLE, why=why)))
    return stated(told)


def _typed(id_: str) -> str:
    """The types of a resource's id, without its names: "systemTopics/eventSubscriptions"."""
    rest = id_.lower().rpartition("/providers/microsoft.eventgrid/")[2]
    return "/".join(id_[len(id_) - len(rest) :].split("/")[::2])
