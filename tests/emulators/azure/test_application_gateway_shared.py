"""loadbalancer: application-gateway, where two applications have their rules on one gateway and are at it in the same
moment.

The ETag keeps either from undoing the other. What the gateway's log (`Kind.shared`) adds is that they wait for each
other instead of being refused, or of cancelling the other's order.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.topology import Resource, Topology
from cloudfail.stores.memory import MemoryStore
from cloudfail_azure.loadbalancer.application_gateway import ApplicationGateway
from tests.emulators.azure.balancing import NORTH, WEST, port_of
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.application_gateways import ApplicationGateways
from tests.emulators.azure.test_application_gateway import KIND, NETWORK, PUT, TO_NORTH, Site
from tests.emulators.listening import listening
from tests.emulators.two_applications import PAUSE_SECONDS, Application, side_by_side


class Hesitating(ApplicationGateway):
    pause_seconds = 0.0

    def _before(self, until: float) -> Any:
        seen = super()._before(until)
        time.sleep(self.pause_seconds)
        return seen


class OnOneGateway(Application):
    """One application with a rule of its own on the gateway."""

    kind, source, target = KIND, WEST, NORTH
    call_seconds, drive_seconds = 40.0, 240.0

    def __init__(self, name: str, store: MemoryStore, site: Site, rule: str, pause_seconds: float = 0.0) -> None:
        super().__init__(name, store, pause_seconds)
        self.site, self.rule = site, rule

    def resource(self) -> tuple[Resource, Topology]:
        return self.site.topology(rule=self.rule)

    def port(self) -> Hesitating:
        made = port_of(Hesitating, *self.written)
        made.pause_seconds = self.pause_seconds
        return made


@pytest.fixture
def both(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[tuple[OnOneGateway, OnOneGateway]]:
    with contextlib.ExitStack() as stack:
        ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
        site = Site(azure, serving(NETWORK, ApplicationGateways(seconds=0.05)), ports)
        stack.callback(site.packets.close)
        azure.forget()
        store = MemoryStore()
        yield OnOneGateway("shop", store, site, "http"), OnOneGateway("billing", store, site, "theirs", PAUSE_SECONDS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shared", [True, False])
def test_two_applications_on_one_gateway_wait_for_each_other_and_neither_undoes_the_other(
    both: tuple[OnOneGateway, OnOneGateway], azure: Front, shared: bool
) -> None:
    """Without their waiting, which is what two state stores come to, one is refused; both end right all the same."""
    assert side_by_side(both, shared=shared) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [TO_NORTH] * 2
    assert (412 in [one.status for one in azure.seen(operation=PUT)]) is not shared
    both[0].site.machine.end()
    assert [both[0].site.machine.leads(both[0].site.gateway, one.rule) for one in both] == [NORTH, NORTH]
