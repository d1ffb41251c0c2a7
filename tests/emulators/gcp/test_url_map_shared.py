"""loadbalancer: url-map, where two applications have their routes in one map and are at it in the same moment.

The map's own condition keeps either from undoing the other. What its log (`Kind.shared`) adds is that they wait for
each other instead of being refused: Compute Engine carries out one operation on a map at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.topology import Resource, Topology
from cloudfail.stores.memory import MemoryStore
from cloudfail_gcp.loadbalancer.url_map import UrlMap
from tests.emulators.gcp.balancing import EAST, WEST, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.url_maps import UrlMaps
from tests.emulators.gcp.test_url_map import KIND, MAP, PATCH, SERVICES, Site, to
from tests.emulators.two_applications import PAUSE_SECONDS, Application, side_by_side


class Hesitating(UrlMap):
    pause_seconds = 0.0

    def _before(self, until: float) -> Any:
        seen = super()._before(until)
        time.sleep(self.pause_seconds)
        return seen


class InOneMap(Application):
    """One application with a route of its own in the map."""

    kind, source, target = KIND, EAST, WEST

    def __init__(self, name: str, store: MemoryStore, route: Mapping[str, Any], pause_seconds: float = 0.0) -> None:
        super().__init__(name, store, pause_seconds)
        self.route = route

    def resource(self) -> tuple[Resource, Topology]:
        return topology(KIND, SERVICES, url_map=MAP, **self.route)

    def port(self) -> Hesitating:
        made = port_of(Hesitating, *self.written)
        made.pause_seconds = self.pause_seconds
        return made


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
    yield InOneMap("shop", store, {}), InOneMap("billing", store, {"matcher": "shop"}, PAUSE_SECONDS)


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
