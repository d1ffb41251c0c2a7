"""What the tests of balancers share: a topology of two regions, and a port that asks the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from cloudfail.actions import Done, Look, StepContext, Todo
from cloudfail.actions.ramp import Ramp
from cloudfail.actions.traffic import Switch
from cloudfail.clock import SystemClock
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Call, Kind
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.loadbalancer import KINDS
from tests.emulators.aws.asked import Asked
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.wire import Answer, Request

EAST, WEST = "us-east-1", "us-west-2"
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
P = TypeVar("P")


def topology(kind: str, members: Mapping[str, str], **options: Any) -> tuple[Resource, Topology]:
    """An application `shop` whose balancer is `edge`, with the options as `load` would leave them."""
    model = BY_NAME[kind].options
    assert model is not None
    written = model(**options).model_dump()
    resource = Resource("edge", PortName.LOADBALANCER, kind, "aws", None, dict(members), written)
    regions = {name: Region(name, "aws", ACCOUNT) for name in (EAST, WEST)}
    whole = Topology("shop", Objectives(900, 30), regions, EAST, "memory:", {"edge": resource})
    return resource, whole


class ControlClients(Clients):
    """s3control puts the account before the host's name, which an address of loopback has no room for. `asked`: which
    service was asked in which region."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, str]] = set()

    def get(self, service: str, region: str, *more: Any, **named: Any) -> Any:
        self.asked.add((service, region))
        made = super().get(service, region, *more, **named)
        if service == "s3control":
            made.meta.events.register("before-sign.s3-control", without_account, unique_id="cloudfail-tests")
        return made


def without_account(request: Any, **_event: Any) -> None:
    request.url = request.url.replace(f"://{ACCOUNT}.", "://")


def port_of(adapter: Callable[[Asking], P], resource: Resource, whole: Topology, clients: Clients | None = None) -> P:
    """A new port, with a budget and clients of its own."""
    return adapter(Asking(resource, whole, clients or ControlClients(), Budget(SystemClock())))


class World:
    """cloudfail.testing.conformance.Harness for one balancer behind the front."""

    source, target = EAST, WEST

    def __init__(self, front: Front, kind: str, service: str, port: Callable[[], Any]) -> None:
        self.front, self.kind, self.service = front, BY_NAME[kind], service
        self._port = port

    def port(self) -> Any:
        return self._port()

    def make_unreachable(self, region: str) -> None:
        assert not region
        self.front.outages.refuse(service=self.service)

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


def call(epoch: int = 10, *, seconds: float = 30.0, log: Callable[[str], None] = lambda _line: None) -> Call:
    return Call("r1", "traffic", epoch, "r1/traffic", seconds, lambda: None, log)


@dataclass(frozen=True)
class Seen:
    """The world as `traffic.switch` of a failover from east to west looks at it: this balancer, and no checks."""

    site: World
    topology: Topology
    step = PlannedStep("traffic", "traffic.switch", None, {"name": "edge", "to": WEST}, (), 300.0, 0.0, 0)

    def loadbalancer(self, name: str) -> Any:
        assert name == "edge"
        return self.site.port()

    @property
    def context(self) -> StepContext:
        return StepContext(self.step, "r1", EAST, WEST)


class Idle:
    """A state machine that says yes to everything, and does nothing."""

    def __getattr__(self, _operation: str) -> Callable[[dict[str, Any], Asked], dict[str, Any]]:
        return lambda given, what: {}


def yes(_request: Request) -> Answer:
    """The same in XML, which no stand-in speaks."""
    return Answer(200, (("Content-Type", "text/xml"),))


def look(site: World) -> Look:
    """What the step sees now."""
    seen: Any = _seen(site)
    return Switch().observe(seen, seen.context)


def act(site: World, todo: Todo) -> None:
    """What the step does about it."""
    seen: Any = _seen(site)
    Switch().act(seen, seen.context, todo, call())


def ramped(site: World, steps: tuple[int, ...] = (1, 10, 50, 100), looks_max: int = 60) -> list[Mapping[str, int]]:
    """The weights that a ramp gives, in turn, until it is done. Its holds are the core's, and take no time here."""
    seen: Any = _seen(site)
    arguments = {"name": "edge", "to": WEST, "steps": list(steps), "hold": 0.0}
    step, memory, given = replace(seen.step, action="traffic.ramp", arguments=arguments), {}, []
    for _ in range(looks_max):
        context = StepContext(step, "r1", EAST, WEST, memory.get("first", {}), latest=memory.get("latest", {}))
        saw = Ramp().observe(seen, context)
        if isinstance(saw, Done):
            return given
        if isinstance(saw, Todo):
            memory = {"first": memory.get("first") or saw.memory, "latest": saw.memory}
            given.append(saw.memory["wanted"])
            Ramp().act(seen, context, saw, call())
        site.wait(0.1)
    raise AssertionError(f"{saw} after {given}")


RAMP = [{EAST: 99, WEST: 1}, {EAST: 90, WEST: 10}, {EAST: 50, WEST: 50}, {EAST: 0, WEST: 100}]


def success_that_nothing_follows_completes_nothing(site: World) -> None:
    """The API's word for it is given, and the world is as before: the step is not done, and would act again."""
    todo = look(site)
    assert isinstance(todo, Todo)
    act(site, todo)
    again = look(site)
    assert isinstance(again, Todo)
    assert again.expect.weights == todo.expect.weights


def _seen(site: World) -> Seen:
    return Seen(site, topology("global-accelerator", {EAST: "e", WEST: "w"})[1])
