"""Two applications whose parts are in one thing of their cloud, such as a balancer, and who are at it in the same
moment: each has a run of its own that moves its traffic, in one store. One of them hesitates between its last look and
its request, which is where the other one comes between."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.codec import checksum_of
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Kind, Store
from cloudfail.testing.conformance import known
from tests.crash.sharing import open_run, plan

PAUSE_SECONDS = 2.5
"""Shorter than a request may take, and long enough for the other application to write, look and end."""


@dataclass
class Application(ABC):
    """One of the two. call_seconds: what one request may take; drive_seconds: what its run may."""

    kind: ClassVar[Kind]
    source: ClassVar[str]
    target: ClassVar[str]
    call_seconds: ClassVar[float] = 13.0
    drive_seconds: ClassVar[float] = 120.0
    name: str
    store: Store
    pause_seconds: float = 0.0

    @abstractmethod
    def resource(self) -> tuple[Resource, Topology]:
        """Its balancer "edge", as its file has it."""

    @abstractmethod
    def port(self) -> Any:
        """A fresh adapter, which pauses for `pause_seconds` before it writes."""

    @property
    def written(self) -> tuple[Resource, Topology]:
        resource, whole = self.resource()
        return resource, replace(whole, application=self.name)

    def open(self, *, shared: bool) -> None:
        """shared: with the log of what both write, by which they wait for each other."""
        names = self.kind.shared["shift"](*self.written, "")
        made = plan(self.name, *(names if shared else ()))
        step = replace(made.steps[0], arguments={"name": "edge", "to": self.target})
        step = replace(step, facts=replace(step.facts, call_timeout_seconds=self.call_seconds))
        made = replace(made, source=self.source, target=self.target, steps=(step,))
        open_run(self.store, replace(made, checksum=checksum_of(made)), SystemClock())

    def drive(self) -> Phase:
        clock, port, whole = SystemClock(), self.port(), self.written[1]

        class Seen:
            topology = whole

            def loadbalancer(self, _name: str) -> Any:
                return port

        world: Any = Seen()
        engine = Engine(
            store=self.store, application=self.name, world=world, actions=ACTIONS, clock=clock, calls=ThreadCalls(),
            worker=f"{self.name}/1", lease_seconds=60.0,
        )  # fmt: skip
        return engine.drive(until=clock.boot() + self.drive_seconds).runs["r1"].phase

    def weights(self) -> Mapping[str, int]:
        return known(self.port().read()).weights


def side_by_side(both: tuple[Application, Application], *, shared: bool) -> list[Phase]:
    ended: list[Phase] = []
    for application in both:
        application.open(shared=shared)
    drives = [threading.Thread(target=lambda one=one: ended.append(one.drive())) for one in both]
    for drive in reversed(drives):  # the one that hesitates first: it has looked when the other writes
        drive.start()
        time.sleep(1.0)
    for drive, application in zip(drives, both, strict=True):
        drive.join(application.drive_seconds + 25.0)
    return ended
