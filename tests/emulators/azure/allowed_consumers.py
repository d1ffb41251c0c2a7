"""The worlds of consumers (allowed.py): each is turned off and on, in both regions."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, known
from tests.emulators.azure import test_consumers, test_function_app, test_service_bus_queue
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.event_grid import EventGrid
from tests.emulators.azure.standins.function_apps import FunctionApps
from tests.emulators.azure.standins.service_bus import ServiceBus
from tests.emulators.azure.used import Key, Make, Serve, Used


def _uses(port: Any) -> None:
    known(port.preflight())
    for region in (WEST, NORTH):
        for enabled in (False, True):
            port.enable(region, enabled, expect=known(port.read(region)), call=Calls().make())


def _bus(serve: Serve, stack: contextlib.ExitStack) -> ServiceBus:
    machine: ServiceBus = serve("azure.mgmt.servicebus", ServiceBus())
    stack.callback(machine.close)
    return machine


def _queue(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    return Used(*test_service_bus_queue.Site(front, _bus(serve, stack)).topology(), _uses)


def _subscription(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    return Used(*test_consumers.Topics(front, _bus(serve, stack)).topology(), _uses)


def _events(*, named: bool) -> Make:
    """The north's stands below a system topic, and the west's beside what sends. named: whether the file says to which
    queue each delivers."""

    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
        site = test_consumers.Events(front, _bus(serve, stack), serve("azure.mgmt.eventgrid", EventGrid()))
        below = "Microsoft.EventGrid/systemTopics/blobs/eventSubscriptions/orders-n"
        site.events[NORTH] = f"{test_consumers.SCOPE}/{below}"
        site.leads(site.events[NORTH], "ServiceBusQueue", site.turned[NORTH])
        queues = site.turned if named else {}
        return Used(*site.topology(queues), _uses)

    return make


def _function(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """The north's is one of a slot."""
    machine: FunctionApps = serve("azure.mgmt.web", FunctionApps())
    stack.callback(machine.close)
    site = test_function_app.Site(front, machine)
    machine.function(f"books-{WEST}/slots/staging", WEST)
    site.functions[NORTH] = machine.function(f"books-{NORTH}/slots/staging", NORTH)
    return Used(*site.topology(), _uses)


KINDS: Mapping[Key, Make] = {
    (PortName.CONSUMERS, "event-grid-subscription", "to a queue that is named"): _events(named=True),
    (PortName.CONSUMERS, "event-grid-subscription", "to whichever queue"): _events(named=False),
    (PortName.CONSUMERS, "function-app", "of an app and of a slot"): _function,
    (PortName.CONSUMERS, "service-bus-queue", "on and off"): _queue,
    (PortName.CONSUMERS, "service-bus-subscription", "on and off"): _subscription,
}
