"""What the tests of consumers share: one of each kind in each of two regions, and whether it really delivers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.model.topology import PortName
from cloudfail.ports import Kind
from cloudfail_gcp import provider
from cloudfail_gcp.consumers.eventarc_trigger import EventarcTrigger
from cloudfail_gcp.consumers.pubsub_subscription import PubsubSubscription
from cloudfail_gcp.consumers.scheduler_job import SchedulerJob
from cloudfail_gcp.consumers.tasks_queue import TasksQueue
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.delivering import Delivering
from tests.emulators.gcp.standins.firing import Scheduler, Tasks
from tests.emulators.gcp.standins.pubsub import Eventarc, PubSub

Serve = Callable[[str, Any], Any]
NAMES = ("pubsub-subscription", "eventarc-trigger", "scheduler-job", "tasks-queue")
SUBSCRIPTION = {region: f"projects/{PROJECT}/subscriptions/orders-{region}" for region in (EAST, WEST)}
TRANSPORT = {region: f"projects/{PROJECT}/subscriptions/eventarc-{region}-orders-sub-1" for region in (EAST, WEST)}
TRIGGER = {region: f"projects/{PROJECT}/locations/{region}/triggers/orders" for region in (EAST, WEST)}
JOB = {region: f"projects/{PROJECT}/locations/{region}/jobs/nightly" for region in (EAST, WEST)}
QUEUE = {region: f"projects/{PROJECT}/locations/{region}/queues/mails" for region in (EAST, WEST)}
LABELS = {"team": "orders"}


class Site:
    """cloudfail.testing.conformance.Harness for one kind. `machine`: who delivers, to its own receiver. Each is on
    unless `enabled` is not set. Ever after, `port(**member)` adds to what the file says of each member."""

    source, target = EAST, WEST
    name = ""
    adapter: Any = None

    def __init__(self, front: Front, serve: Serve, *, enabled: bool = True) -> None:
        self.front, self.serve, self.enabled = front, serve, enabled
        self.kind: Kind = provider.kinds()[PortName.CONSUMERS, self.name]
        self.machine: Any = self.served()

    def served(self) -> Delivering:
        """Mount what the kind asks."""
        raise NotImplementedError

    def member(self, region: str) -> dict[str, Any]:
        raise NotImplementedError

    def delivers(self) -> bool:
        """Whether something that comes now is delivered in the target."""
        raise NotImplementedError

    def port(self, **member: Any) -> Any:
        return self.with_members({region: {**self.member(region), **member} for region in (EAST, WEST)})

    def with_members(self, members: Mapping[str, Any]) -> Any:
        assert self.kind.member is not None
        resource, whole = topology(self.kind, members)
        told = {region: self.kind.member.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: self.adapter(asking, told), resource, whole)

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(region=region)

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


class Pushed(Site):
    name, adapter = "pubsub-subscription", PubsubSubscription
    path = SUBSCRIPTION

    def served(self) -> PubSub:
        machine: PubSub = self.serve("pubsub.v1", PubSub())
        push = {"pushEndpoint": machine.receiver.url}
        for region in (EAST, WEST):
            machine.subscription(self.path[region], push if self.enabled else None, labels=dict(LABELS))
        return machine

    def member(self, region: str) -> dict[str, Any]:
        return {"subscription": self.path[region], "push": self.machine.receiver.url}

    def delivers(self) -> bool:
        came: bool = self.machine.delivers(self.path[WEST], self.machine.receiver.heard)
        return came

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(service="pubsub")


class Triggered(Pushed):
    name, adapter = "eventarc-trigger", EventarcTrigger
    path = TRANSPORT

    def served(self) -> PubSub:
        self.eventarc: Eventarc = self.serve("eventarc.v1", Eventarc())
        for region in (EAST, WEST):
            self.eventarc.trigger(TRIGGER[region], TRANSPORT[region])
        return super().served()

    def member(self, region: str) -> dict[str, Any]:
        return {"trigger": TRIGGER[region], "push": self.machine.receiver.url}


class Scheduled(Site):
    """A job that is paused is off at once, unless it is said otherwise: `delivers` has it fire."""

    name, adapter = "scheduler-job", SchedulerJob

    def served(self) -> Scheduler:
        machine: Scheduler = self.serve("cloudscheduler.v1", Scheduler())
        for region in (EAST, WEST):
            machine.job(JOB[region], machine.receiver.url, state="ENABLED" if self.enabled else "PAUSED")
        return machine

    def member(self, region: str) -> dict[str, Any]:
        return {"job": JOB[region], "quiet_for": "0s"}

    def delivers(self) -> bool:
        came: bool = self.machine.fires(JOB[WEST], lambda: len(self.machine.receiver.got))
        return came


class Queued(Site):
    name, adapter = "tasks-queue", TasksQueue

    def served(self) -> Tasks:
        machine: Tasks = self.serve("cloudtasks.v2", Tasks())
        for region in (EAST, WEST):
            machine.queue(QUEUE[region], "RUNNING" if self.enabled else "PAUSED")
        return machine

    def member(self, region: str) -> dict[str, Any]:
        return {"queue": QUEUE[region]}

    def delivers(self) -> bool:
        receiver = self.machine.receiver
        came: bool = self.machine.dispatches(QUEUE[WEST], receiver.url, receiver.heard)
        return came


SITES: Mapping[str, type[Site]] = {one.name: one for one in (Pushed, Triggered, Scheduled, Queued)}
