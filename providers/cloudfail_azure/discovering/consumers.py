"""Consumers: queues of Service Bus."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.discovering.pairing import Thing
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.consumers.service_bus_queue import VERSION
from cloudfail_azure.discovering.looking import Look
from cloudfail_azure.discovering.pairs import Sort, paired
from cloudfail_azure.paths import name_of, parent_of

QUEUES = Sort(PortName.CONSUMERS, "service-bus-queue", "queues of Service Bus")
DRAFTS = ((QUEUES.port, QUEUES.kind),)


def found(look: Look) -> Iterator[Found | str]:
    """A queue stands where its namespace does, and has that one's tags."""
    spaces = [one for one in look.of_type("Microsoft.ServiceBus/namespaces") if one.region in look.wanted.regions]
    by_id = {one.id.lower(): one for one in spaces}
    queues = look.each(QUEUES.what, [f"{one.id}/queues" for one in spaces], VERSION)
    things = [
        Thing(space.region, f"{space.name}/{name_of(one.id)}", one.id, space.tags)
        for one in queues
        if (space := by_id.get(parent_of(one.id).lower())) is not None
    ]
    yield from paired(look, QUEUES, things)
