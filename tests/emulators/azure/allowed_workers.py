"""The worlds of workers (allowed.py): each is scaled, and held where something sizes it, and its room is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.model.observation import Known
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import known
from tests.emulators.azure import balancing, test_aks_pool, test_app_service, test_container_app, test_scale_set
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.sizes import Workers
from tests.emulators.azure.standins.scale_sets import PROVIDERS
from tests.emulators.azure.used import Key, Make, Serve, Used, until

SIZE = "Standard_D2s_v5"
RESERVATIONS = f"{PROVIDERS}/Microsoft.Compute/capacityReservationGroups/web"


def _settled(port: Any, region: str) -> Any:
    """What is read there once nothing is under way."""
    until(lambda: isinstance(seen := port.read(region), Known) and not seen.value.moving)
    return known(port.read(region))


def _uses(port: Any, scaled: Sequence[tuple[str, int]], *, reserved: int | None = None) -> None:
    """Each of them, and a hold in the north; what there is room for there, with what is reserved."""
    for region, count in scaled:
        port.scale(region, count, expect=_settled(port, region), call=balancing.call())
    for held in (True, False):
        port.hold(NORTH, held, expect=_settled(port, NORTH), call=balancing.call())
    room = known(port.room(NORTH))
    assert reserved is None or room.reserved == reserved


def _used(site: Workers, members: Mapping[str, Any], *scaled: tuple[str, int], reserved: int | None = None) -> Used:
    resource, whole = balancing.topology(site.kind, members)
    return Used(resource, whole, lambda port: _uses(port, scaled, reserved=reserved))


def _scale_set(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """The north's is sized by a setting, and the west's by hand. A reservation is there for the north's."""
    site = test_scale_set.Site(front, serve)
    stack.callback(site.sets.close)
    site.sets.seconds = 0.05
    profile = {"capacityReservation": {"capacityReservationGroup": {"id": RESERVATIONS}}}
    site.sets.at(site.ids[NORTH])["properties"]["virtualMachineProfile"] = profile
    site.sets.reserved[SIZE] = (4, 1)
    return _used(site, site.members(), (NORTH, 3), (NORTH, 2), (WEST, 2), reserved=3)


def _plan(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """The north's is sized by a setting, and the west's by hand."""
    site = test_app_service.Site(front, serve)
    stack.callback(site.web.close)
    site.web.seconds = 0.05
    return _used(site, site.members(), (NORTH, 3), (WEST, 2))


def _container_app(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    site = test_container_app.Site(front, serve)
    stack.callback(site.apps.close)
    site.apps.seconds = 0.05
    return _used(site, site.members(), (NORTH, 3), (WEST, 2))


def _pool(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """Only the north's has the autoscaler. A reservation is there for it."""
    site = test_aks_pool.Site(front, serve)
    stack.callback(site.sets.close)
    site.aks.seconds = 0.05
    site.told()["capacityReservationGroupID"] = RESERVATIONS
    site.sets.reserved[SIZE] = (4, 1)
    return _used(site, site.members(), (NORTH, 3), (WEST, 2), reserved=3)


KINDS: Mapping[Key, Make] = {
    (PortName.COMPUTE, "aks-pool", "with the autoscaler and without"): _pool,
    (PortName.COMPUTE, "app-service", "by a setting and by hand"): _plan,
    (PortName.COMPUTE, "container-app", "by its minimum"): _container_app,
    (PortName.COMPUTE, "scale-set", "by a setting and by hand"): _scale_set,
}
