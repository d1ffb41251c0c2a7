"""What the tests of Azure's workers share: two regions, a port, and what a run does with it."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from cloudfail.actions import StepContext
from cloudfail.actions.compute import Scale
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Kind
from cloudfail.testing.conformance import known
from tests.emulators.azure.balancing import NORTH, WEST, World, call, port_of, topology
from tests.emulators.azure.front import Front
from tests.emulators.wire import Answer, Door

BOUNDS = ((1, 4, 2), (1, 8, 1))
"""Of the profile of a setting that is in force, and of one for the nights."""


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """A URL that answers 200, until the end of the block."""
    door = Door(lambda request: Answer(200))
    try:
        yield f"{door.url}/healthz"
    finally:
        door.shut()


class Workers(World, ABC):
    """A group in each region. ids: of what is scaled."""

    ids: dict[str, str]

    def __init__(self, azure: Front, kind: Kind, adapter: Callable[..., Any]) -> None:
        super().__init__(azure, kind, self.made)
        self._adapter = adapter

    @abstractmethod
    def members(self) -> dict[str, Any]:
        """As they are written."""

    def resource(self) -> tuple[Resource, Topology]:
        return topology(self.kind, self.members())

    def made(self, members: dict[str, Any] | None = None) -> Any:
        """A new port."""
        model: Any = self.kind.member
        resource, whole = topology(self.kind, members or self.members())
        told = {region: model.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: self._adapter(asking, told), resource, whole)

    def state(self, region: str = NORTH) -> Any:
        return known(self.port().read(region))

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came to that: {self.port().read(NORTH)}")

    def scaled(self, count: int, run_call: Any = None) -> None:
        """Ordered once nothing is under way, and wanted."""
        self.until(lambda: not self.state().moving)
        port = self.port()
        port.scale(NORTH, count, expect=known(port.read(NORTH)), call=run_call or call())
        self.until(lambda: not self.state().moving and self.state().wanted == count)

    def held(self, held: bool) -> None:
        self.until(lambda: not self.state().moving)
        port = self.port()
        port.hold(NORTH, held, expect=known(port.read(NORTH)), call=call())
        self.until(lambda: not self.state().moving and self.state().scale_in_held is held)

    def step(self, count: int) -> Any:
        """What `compute.scale` sees."""
        made = self.made

        class Here:
            def compute(self, name: str) -> Any:
                return made()

        arguments = {"group": "web", "count": count, "where": NORTH}
        one = PlannedStep("workers", "compute.scale", None, arguments, (), 300.0, 0.0, 0)
        here: Any = Here()
        return Scale().observe(here, StepContext(one, "r1", WEST, NORTH))
