"""What the tests of Compute Engine share: a topology of two regions, and a port that asks the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cloudfail.actions import Done, Look, StepContext, Todo
from cloudfail.actions.ramp import Ramp
from cloudfail.actions.traffic import Switch
from cloudfail.clock import SystemClock
from cloudfail.errors import Transient
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call, Kind
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.sessions import Sessions
from tests.emulators.aws import balancing
from tests.emulators.gcp.front import Front

PROJECT = "shop-prod"
EAST, WEST = "us-central1", "europe-west1"
P = TypeVar("P")


def topology(kind: Kind, members: Mapping[str, Any], **options: Any) -> tuple[Resource, Topology]:
    """An application `shop` with one resource, with its options and members as `load` would leave them."""
    assert kind.member is not None
    written = kind.options(**options).model_dump() if kind.options is not None else {}
    whole = {region: kind.member.model_validate(member).model_dump() for region, member in members.items()}
    name = "edge" if kind.port is PortName.LOADBALANCER else "web"
    resource = Resource(name, kind.port, kind.name, "gcp", None, whole, written)
    regions = {region: Region(region, "gcp", PROJECT) for region in (EAST, WEST)}
    return resource, Topology("shop", Objectives(900, 30), regions, EAST, "memory:", {name: resource})


def port_of(adapter: Callable[[Asking], P], resource: Resource, whole: Topology) -> P:
    """A new port, with a budget and sessions of its own."""
    clock = SystemClock()
    return adapter(Asking(resource, whole, Sessions(), Budget(clock), clock))


class World:
    """cloudfail.testing.conformance.Harness for one resource of Compute Engine behind the front."""

    source, target = EAST, WEST

    def __init__(self, google: Front, kind: Kind, port: Callable[[], Any]) -> None:
        self.front, self.kind = google, kind
        self._port = port

    def port(self) -> Any:
        return self._port()

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(**({"region": region} if region else {"service": "compute"}))

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


def call(epoch: int = 10, *, seconds: float = 30.0, log: Callable[[str], None] = lambda _line: None) -> Call:
    return balancing.call(epoch, seconds=seconds, log=log)


@dataclass(frozen=True)
class Seen:
    """The world as `traffic.switch` of a failover from source to target looks at it: this balancer, and no checks."""

    site: World
    topology: Topology
    step = PlannedStep("traffic", "traffic.switch", None, {"name": "edge", "to": WEST}, (), 300.0, 0.0, 0)

    def loadbalancer(self, name: str) -> Any:
        assert name == "edge"
        return self.site.port()

    @property
    def context(self) -> StepContext:
        return StepContext(self.step, "r1", EAST, WEST)


def look(site: World, whole: Topology) -> Look:
    """What the step sees now."""
    seen: Any = Seen(site, whole)
    return Switch().observe(seen, seen.context)


def act(site: World, whole: Topology, todo: Todo) -> None:
    """What the step does about it."""
    seen: Any = Seen(site, whole)
    Switch().act(seen, seen.context, todo, call())


RAMP = [{EAST: 99, WEST: 1}, {EAST: 90, WEST: 10}, {EAST: 50, WEST: 50}, {EAST: 0, WEST: 100}]


def ramped(site: World, whole: Topology, *, to: str = WEST, looks_max: int = 200) -> list[Mapping[str, int]]:
    """The weights that a ramp to that region by 1, 10, 50 and 100 gives, in turn, until it is done. Its holds are the
    core's, and take no time here."""
    seen: Any = Seen(site, whole)
    arguments = {"name": "edge", "to": to, "steps": [1, 10, 50, 100], "hold": 0.0}
    step, given = replace(seen.step, action="traffic.ramp", arguments=arguments), list[Mapping[str, int]]()
    memory: dict[str, Mapping[str, Any]] = {}
    for _ in range(looks_max):
        context = StepContext(step, "r1", EAST, WEST, memory.get("first", {}), latest=memory.get("latest", {}))
        saw = Ramp().observe(seen, context)
        if isinstance(saw, Done):
            return given
        if isinstance(saw, Todo):
            try:
                Ramp().act(seen, context, saw, call())
            except Transient:
                continue  # what was ordered before is under way
            memory = {"first": memory.get("first") or saw.memory, "latest": saw.memory}
            if not given or given[-1] != saw.memory["wanted"]:
                given.append(saw.memory["wanted"])
        site.wait(0.1)
    raise AssertionError(f"{saw} after {given}")
