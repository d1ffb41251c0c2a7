"""Consumers: queues of Service Bus and subscriptions of its topics, functions, event subscriptions of Event Grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail.discovering.pairing import Thing
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.consumers.service_bus import VERSION
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, paired
from cloudfail_azure.discovering.workers import WEB_API, is_of_functions, sites
from cloudfail_azure.paths import name_of, parent_of

QUEUES = Sort(PortName.CONSUMERS, "service-bus-queue", "queues of Service Bus")
TOPICS = Sort(PortName.CONSUMERS, "service-bus-subscription", "subscriptions of Service Bus")
FUNCTIONS = Sort(PortName.CONSUMERS, "function-app", "functions")
EVENTS = Sort(PortName.CONSUMERS, "event-grid-subscription", "event subscriptions of Event Grid")
DRAFTS = tuple((sort.port, sort.kind) for sort in (QUEUES, TOPICS, FUNCTIONS, EVENTS))
EVENTS_API = "2025-02-15"


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    spaces = [one for one in look.of_type("Microsoft.ServiceBus/namespaces") if one.region in look.wanted.regions]
    queues = look.each(QUEUES.what, [f"{one.id}/queues" for one in spaces], VERSION)
    yield from paired(look, QUEUES, _below(spaces, queues))
    topics = look.each("topics of Service Bus", [f"{one.id}/topics" for one in spaces], VERSION)
    subscriptions = look.each(TOPICS.what, [f"{one.id}/subscriptions" for one in topics], VERSION)
    yield from paired(look, TOPICS, _below(spaces, subscriptions))
    apps = [one for one in sites(look) if is_of_functions(one)]
    functions = look.each(FUNCTIONS.what, [f"{one.id}/functions" for one in apps], WEB_API)
    yield from paired(look, FUNCTIONS, _below(apps, functions))
    yield from paired(look, EVENTS, _events(look))


def _below(above: list[Stood], things: list[Stood]) -> Iterator[Thing]:
    """Each stands where what it is below does, and has that one's tags: `shop-w/orders`, `shop-w/topic/orders`."""
    by_id: Mapping[str, Stood] = {one.id.lower(): one for one in above}
    for one in things:
        names, at = [name_of(one.id)], parent_of(one.id)
        while at.count("/") > 8 and at.lower() not in by_id:
            names, at = [name_of(at), *names], parent_of(at)
        if (of := by_id.get(at.lower())) is not None:
            yield Thing(of.region, "/".join((of.name, *names)), one.id, of.tags)


def _events(look: Look) -> Iterator[Thing]:
    """They are listed by the place of what sends the events, and have no tags: all of them are shown."""
    for region in look.wanted.regions:
        below = f"/providers/Microsoft.EventGrid/locations/{region}/eventSubscriptions"
        for one in look.listed(EVENTS.what, below, EVENTS_API):
            yield Thing(region, one.name, one.id)
