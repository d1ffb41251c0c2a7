"""Resources with a member in each of two regions of the front, as an application's file names them, and what the
conformance suites ask of a world."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session

from cloudfail.actions import StepContext
from cloudfail.clock import SystemClock
from cloudfail.model.plan import PlannedStep
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_aws import provider
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from tests.emulators.aws.front import Front
from tests.emulators.aws.outages import Fault

SOURCE, TARGET = "us-east-1", "us-west-2"
REGIONS = (SOURCE, TARGET)


def topology(*resources: Resource) -> Topology:
    return Topology(
        application="shop",
        objectives=Objectives(rto_seconds=900.0, rpo_seconds=30.0),
        regions={name: Region(name, "aws") for name in REGIONS},
        primary=SOURCE,
        state="memory:",
        resources={resource.name: resource for resource in resources},
    )


def resource(port: PortName, kind: str, members: Mapping[str, Any], name: str = "web") -> Resource:
    """As the loader makes it: each member as its kind's own model dumps it."""
    model = kind_of(port, kind).member
    assert model is not None
    dumped = {region: model.model_validate(member).model_dump() for region, member in members.items()}
    return Resource(name=name, port=port, kind=kind, provider="aws", id=None, members=dumped)


def kind_of(port: PortName, kind: str) -> Kind:
    return provider.kinds()[port, kind]


# To read a service's model and to make a client of it costs more than most tests: they share what can be shared.
_SESSION = botocore.session.Session()
_CLIENTS: dict[str, Clients] = {}
_NUMBERS = itertools.count(1)


def asking(front: Front, of: Resource) -> Asking:
    """With a budget of its own, as a process that has just begun."""
    return Asking(of, topology(of), _CLIENTS.setdefault(front.url, Clients()), Budget(SystemClock()))


@functools.cache
def _client(url: str, service: str, region: str) -> Any:
    return _SESSION.create_client(service, region_name=region, endpoint_url=url)


def sdk(front: Front, service: str, region: str = TARGET) -> Any:
    """What an operator has at hand."""
    return _client(front.url, service, region)


def unique(stem: str) -> str:
    """A name that no other test uses: cheaper than to have the emulators forget everything."""
    return f"{stem}-{next(_NUMBERS)}"


@dataclass
class World:
    """Fulfils conformance.Harness. `follow` does once what the emulator leaves out of what AWS does by itself."""

    front: Front
    kind: Kind
    made: Any
    follow: Callable[[], None] = lambda: None
    source: str = SOURCE
    target: str = TARGET
    _cut: Fault | None = None

    def port(self) -> Any:
        return self.made

    def make_unreachable(self, region: str) -> None:
        self._cut = self.front.outages.refuse(region=region)

    def restore(self, region: str) -> None:
        assert self._cut is not None
        self._cut.lift()

    def wait(self, seconds: float) -> None:
        self.follow()
        time.sleep(min(seconds, 0.05))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


@dataclass
class OneResource:
    """What actions ask of their world, where there is one resource."""

    made: Any

    def compute(self, _name: str) -> Any:
        return self.made

    def consumers(self, _name: str) -> Any:
        return self.made


def step(action: str, **arguments: Any) -> StepContext:
    """A step of an open run from the source to the target."""
    planned = PlannedStep(
        name="step", action=action, gate=None, arguments=arguments, needs=(), limit_seconds=60.0, expires_seconds=60.0,
        retries=3,
    )  # fmt: skip
    return StepContext(step=planned, run="r1", source=SOURCE, target=TARGET)
