"""What each world of test_iam.py hands over: a resource, its topology, and all that is done with its port."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.model.observation import Known
from cloudfail.model.topology import PortName, Resource, Roles, Topology
from cloudfail.testing.conformance import known
from tests.emulators.azure import balancing
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front

TO_NORTH, TO_WEST = {WEST: 0, NORTH: 100}, {WEST: 100, NORTH: 0}
SOON_SECONDS = 30.0

Serve = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Used:
    """One resource, its topology without roles, and what is done with its port."""

    resource: Resource
    topology: Topology
    uses: Callable[[Any], None]

    def with_roles(self) -> Topology:
        """Each region asked as two that were never asked before, since what is left of a budget is kept by identity;
        with the resource in it, beside what the file names else."""
        roles = Roles(str(uuid.uuid4()), str(uuid.uuid4()))
        regions = {name: replace(region, roles=roles) for name, region in self.topology.regions.items()}
        there = {**self.topology.resources, self.resource.name: self.resource}
        return replace(self.topology, regions=regions, resources=there)


Make = Callable[[Front, Serve, contextlib.ExitStack], Used]


def until(holds: Callable[[], bool]) -> None:
    """A look between waits; each is a read that is held against the roles too."""
    end = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def there_and_back(port: Any) -> None:
    for weights in (TO_NORTH, TO_WEST):
        state = known(port.read())
        port.shift(weights, expect=state, call=balancing.call())
        until(lambda: isinstance(seen := port.read(), Known) and not getattr(seen.value, "moving", ""))


Key = tuple[PortName, str, str]
"""Port, kind, and the shape in which it is tried."""
