"""What the tests of Azure's balancers and workers share: a topology of two regions, and a port that asks the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cloudfail.actions import Look, StepContext, Todo
from cloudfail.actions.traffic import Switch
from cloudfail.clock import SystemClock
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.sessions import Sessions
from tests.emulators.aws.balancing import call
from tests.emulators.azure.front import SUBSCRIPTION, Front

WEST, NORTH = "westeurope", "northeurope"
P = TypeVar("P")


def topology(kind: Kind, members: Mapping[str, Any], **options: Any) -> tuple[Resource, Topology]:
    """An application `shop` with one resource, with its options and members as `load` would leave them."""
    written = kind.options(**options).model_dump() if kind.options is not None else {}
    model = kind.member
    whole = {region: model.model_validate(one).model_dump() if model else one for region, one in members.items()}
    name = {PortName.LOADBALANCER: "edge", PortName.COMPUTE: "web"}.get(kind.port, "it")
    resource = Resource(name, kind.port, kind.name, "azure", None, whole, written)
    regions = {region: Region(region, "azure", SUBSCRIPTION) for region in (WEST, NORTH)}
    return resource, Topology("shop", Objectives(900, 30), regions, WEST, "memory:", {name: resource})


def port_of(adapter: Callable[[Asking], P], resource: Resource, whole: Topology) -> P:
    """A new port, with a budget and sessions of its own."""
    clock = SystemClock()
    return adapter(Asking(resource, whole, Sessions(), Budget(clock), clock))


class World:
    """cloudfail.testing.conformance.Harness for one resource behind the front."""

    source, target = WEST, NORTH

    def __init__(self, azure: Front, kind: Kind, port: Callable[[], Any]) -> None:
        self.front, self.kind = azure, kind
        self._port = port

    def port(self) -> Any:
        return self._port()

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(**({"region": region} if region else {}))

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


@dataclass(frozen=True)
class Seen:
    """The world as `traffic.switch` of a failover from source to target looks at it: this balancer, and no checks."""

    site: World
    topology: Topology
    step = PlannedStep("traffic", "traffic.switch", None, {"name": "edge", "to": NORTH}, (), 300.0, 0.0, 0)

    def loadbalancer(self, name: str) -> Any:
        assert name == "edge"
        return self.site.port()

    @property
    def context(self) -> StepContext:
        return StepContext(self.step, "r1", WEST, NORTH)


def look(site: World, whole: Topology) -> Look:
    """What the step sees now."""
    seen: Any = Seen(site, whole)
    return Switch().observe(seen, seen.context)


def act(site: World, whole: Topology, todo: Todo) -> None:
    """What the step does about it."""
    seen: Any = Seen(site, whole)
    Switch().act(seen, seen.context, todo, call())


__all__ = ["NORTH", "WEST", "Seen", "World", "act", "call", "look", "port_of", "topology"]
