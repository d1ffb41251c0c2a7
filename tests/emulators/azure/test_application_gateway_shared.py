"""loadbalancer: application-gateway, where two applications have their rules on one gateway and are at it in the same
moment.

The ETag keeps either from undoing the other. What the gateway's log (`Kind.shared`) adds is that they wait for each
other instead of being refused, or of cancelling the other's order.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.codec import checksum_of
from cloudfail.model.topology import Topology
from cloudfail.ports import Store
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.conformance import known
from cloudfail_azure.loadbalancer.application_gateway import ApplicationGateway
from tests.crash.sharing import open_run, plan
from tests.emulators.aws.balancing import listening
from tests.emulators.azure.balancing import NORTH, WEST, port_of
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.application_gateways import ApplicationGateways
from tests.emulators.azure.test_application_gateway import KIND, NETWORK, PUT, TO_NORTH, Site

PAUSE_SECONDS = 2.5
"""Shorter than a request may take, and long enough for the other application to write, look and end."""


class Hesitating(ApplicationGateway):
    pause_seconds = 0.0

    def _before(self, until: float) -> Any:
        seen = super()._before(until)
        time.sleep(self.pause_seconds)
        return seen


@dataclass
class Application:
    """One application with a rule of its own on the gateway."""

    name: str
    rule: str
    site: Site
    store: Store
    pause_seconds: float = 0.0

    @property
    def written(self) -> tuple[Any, Topology]:
        resource, whole = self.site.topology(rule=self.rule)
        return resource, replace(whole, application=self.name)

    def port(self) -> Hesitating:
        made = port_of(Hesitating, *self.written)
        made.pause_seconds = self.pause_seconds
        return made

    def open(self, *, shared: bool) -> None:
        names = KIND.shared["shift"](*self.written, "")
        made = plan(self.name, *(names if shared else ()))
        step = replace(made.steps[0], arguments={"name": "edge", "to": NORTH})
        step = replace(step, facts=replace(step.facts, call_timeout_seconds=40.0))
        made = replace(made, source=WEST, target=NORTH, steps=(step,))
        open_run(self.store, replace(made, checksum=checksum_of(made)), SystemClock())

    def drive(self) -> Phase:
        clock, port, whole = SystemClock(), self.port(), self.written[1]

        class Seen:
            topology = whole

            def loadbalancer(self, _name: str) -> ApplicationGateway:
                return port

        world: Any = Seen()
        engine = Engine(
            store=self.store, application=self.name, world=world, actions=ACTIONS, clock=clock, calls=ThreadCalls(),
            worker=f"{self.name}/1", lease_seconds=60.0,
        )  # fmt: skip
        return engine.drive(until=clock.boot() + 240.0).runs["r1"].phase

    def weights(self) -> Mapping[str, int]:
        return known(self.port().read()).weights


@pytest.fixture
def both(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[tuple[Application, Application]]:
    with contextlib.ExitStack() as stack:
        ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
        site = Site(azure, serving(NETWORK, ApplicationGateways(seconds=0.05)), ports)
        stack.callback(site.packets.close)
        azure.forget()
        store = MemoryStore()
        yield Application("shop", "http", site, store), Application("billing", "theirs", site, store, PAUSE_SECONDS)


def side_by_side(both: tuple[Application, Application], *, shared: bool) -> list[Phase]:
    ended: list[Phase] = []
    for application in both:
        application.open(shared=shared)
    drives = [threading.Thread(target=lambda one=one: ended.append(one.drive())) for one in both]
    for drive in reversed(drives):  # the one that hesitates first: it has looked when the other writes
        drive.start()
        time.sleep(1.0)
    for drive in drives:
        drive.join(260)
    return ended


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shared", [True, False])
def test_two_applications_on_one_gateway_wait_for_each_other_and_neither_undoes_the_other(
    both: tuple[Application, Application], azure: Front, shared: bool
) -> None:
    """Without their waiting, which is what two state stores come to, one is refused; both end right all the same."""
    assert side_by_side(both, shared=shared) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [TO_NORTH] * 2
    assert (412 in [one.status for one in azure.seen(operation=PUT)]) is not shared
    both[0].site.machine.end()
    assert [both[0].site.machine.leads(both[0].site.gateway, one.rule) for one in both] == [NORTH, NORTH]
