"""loadbalancer: url-map, where two applications have their routes in one map and are at it in the same moment.

The map's own condition keeps either from undoing the other. What its log (`Kind.shared`) adds is that they wait for
each other instead of being refused: Compute Engine carries out one operation on a map at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
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
from cloudfail_gcp.loadbalancer.url_map import UrlMap
from tests.crash.sharing import open_run, plan
from tests.emulators.gcp.balancing import EAST, WEST, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.url_maps import UrlMaps
from tests.emulators.gcp.test_url_map import KIND, MAP, PATCH, SERVICES, Site, to

PAUSE_SECONDS = 2.5
"""Shorter than a request may take, and long enough for the other application to write, look and end."""


class Hesitating(UrlMap):
    pause_seconds = 0.0

    def _before(self, until: float) -> Any:
        seen = super()._before(until)
        time.sleep(self.pause_seconds)
        return seen


@dataclass
class Application:
    """One application with a route of its own in the map."""

    name: str
    route: Mapping[str, Any]
    store: Store
    pause_seconds: float = 0.0

    @property
    def written(self) -> tuple[Any, Topology]:
        resource, whole = topology(KIND, SERVICES, url_map=MAP, **self.route)
        return resource, replace(whole, application=self.name)

    def port(self) -> Hesitating:
        made = port_of(Hesitating, *self.written)
        made.pause_seconds = self.pause_seconds
        return made

    def open(self, *, shared: bool) -> None:
        resource, whole = self.written
        names = KIND.shared["shift"](resource, whole, "")
        made = plan(self.name, *(names if shared else ()))
        step = replace(made.steps[0], arguments={"name": "edge", "to": WEST})
        step = replace(step, facts=replace(step.facts, call_timeout_seconds=13.0))
        made = replace(made, source=EAST, target=WEST, steps=(step,))
        open_run(self.store, replace(made, checksum=checksum_of(made)), SystemClock())

    def drive(self) -> Phase:
        clock, port, whole = SystemClock(), self.port(), self.written[1]

        class Seen:
            topology = whole

            def loadbalancer(self, _name: str) -> UrlMap:
                return port

        world: Any = Seen()
        engine = Engine(
            store=self.store, application=self.name, world=world, actions=ACTIONS, clock=clock, calls=ThreadCalls(),
            worker=f"{self.name}/1", lease_seconds=60.0,
        )  # fmt: skip
        return engine.drive(until=clock.boot() + 120.0).runs["r1"].phase

    def weights(self) -> Mapping[str, int]:
        return known(self.port().read()).weights


@pytest.fixture
def machine(serving: Any, google: Front) -> UrlMaps:
    made: UrlMaps = serving("compute.v1", UrlMaps())
    Site(google, made)
    matchers = made.map_stands(MAP)["pathMatchers"]
    matchers[0]["defaultService"] = to(SERVICES[EAST])
    made.edit_map(MAP, pathMatchers=matchers)
    return made


@pytest.fixture
def both(machine: UrlMaps) -> Iterator[tuple[Application, Application]]:
    store = MemoryStore()
    yield Application("shop", {}, store), Application("billing", {"matcher": "shop"}, store, PAUSE_SECONDS)


def side_by_side(both: tuple[Application, Application], *, shared: bool) -> list[Phase]:
    ended: list[Phase] = []
    for application in both:
        application.open(shared=shared)
    drives = [threading.Thread(target=lambda one=one: ended.append(one.drive())) for one in both]
    for drive in reversed(drives):  # the one that hesitates first: it has looked when the other writes
        drive.start()
        time.sleep(1.0)
    for drive in drives:
        drive.join(150)
    return ended


@pytest.mark.timeout(300)
def test_two_applications_in_one_map_wait_for_each_other_and_both_end_right(
    both: tuple[Application, Application], google: Front
) -> None:
    assert side_by_side(both, shared=True) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [{EAST: 0, WEST: 100}] * 2
    assert [one.status for one in google.seen(operation=PATCH)] == [200, 200], "each wrote once, and none was refused"


@pytest.mark.timeout(300)
def test_without_their_waiting_google_refuses_one_and_neither_undoes_the_other(
    both: tuple[Application, Application], google: Front
) -> None:
    """So the test above can fail; and this is what two state stores come to."""
    assert side_by_side(both, shared=False) == [Phase.DONE] * 2
    assert [application.weights() for application in both] == [{EAST: 0, WEST: 100}] * 2
    assert 412 in [one.status for one in google.seen(operation=PATCH)]
