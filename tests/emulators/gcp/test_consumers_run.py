"""A whole run over consumers: what can be reached of the lost region is stopped, the rest is owed, and the survivor's
are started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.app import App
from cloudfail.execution.lifecycle import Phase
from cloudfail.stores.memory import MemoryStore
from cloudfail_gcp import provider
from cloudfail_local import provider as local
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.consuming import JOB, QUEUE
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.firing import Scheduler, Tasks
from tests.emulators.gcp.standins.pubsub import PubSub

pytestmark = pytest.mark.timeout(300)
ORDERS = f"projects/{PROJECT}/subscriptions/orders"
FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {EAST}: {{provider: gcp, account: {PROJECT}}}
  {WEST}: {{provider: gcp, account: {PROJECT}}}
primary: {EAST}
state: "memory:"
resources:
  orders:
    consumers: pubsub-subscription
    members:
      {EAST}: {{subscription: {ORDERS}, push: "@east"}}
      {WEST}: {{subscription: {ORDERS}, push: "@west"}}
  nightly: {{consumers: scheduler-job, members: {{{EAST}: {JOB[EAST]}, {WEST}: {JOB[WEST]}}}}}
  mails: {{consumers: tasks-queue, members: {{{EAST}: {QUEUE[EAST]}, {WEST}: {QUEUE[WEST]}}}}}
  deploys: {{change: flag, provider: local, directory: "@flags", members: {{{EAST}: e, {WEST}: w}}}}
"""
RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:      {action: change.freeze,     with: {where: "${to}"}, limit: 1m}
  stop_orders:
    action: consumers.disable
    with: {consumers: orders, where: "${from}", unreachable: owe}
    needs: [freeze]
    limit: 3m
  stop_jobs:
    action: consumers.disable
    with: {consumers: nightly, where: "${from}", unreachable: owe}
    needs: [freeze]
    limit: 3m
  orders:      {action: consumers.enable,  with: {consumers: orders, where: "${to}"},  needs: [stop_orders], limit: 3m}
  nightly:     {action: consumers.enable,  with: {consumers: nightly, where: "${to}"}, needs: [stop_jobs], limit: 3m}
  mails:       {action: consumers.enable,  with: {consumers: mails, where: "${to}"},   needs: [freeze], limit: 3m}
  unfreeze:    {action: change.unfreeze,   with: {where: "${to}"}, needs: [orders, nightly, mails], limit: 1m}
"""


class World:
    """Three services; the east receives from the first, and the west from nobody yet."""

    def __init__(self, serve: Callable[[str, Any], Any]) -> None:
        self.pubsub, self.scheduler, self.tasks = PubSub(), Scheduler(), Tasks()
        for document, machine in (
            ("pubsub.v1", self.pubsub),
            ("cloudscheduler.v1", self.scheduler),
            ("cloudtasks.v2", self.tasks),
        ):
            serve(document, machine)
        self.east, self.west = self.pubsub.receiver, self.scheduler.receiver
        self.pubsub.subscription(ORDERS, {"pushEndpoint": self.east.url})
        for region, state in ((EAST, "ENABLED"), (WEST, "PAUSED")):
            self.scheduler.job(JOB[region], self.west.url, state=state)
            self.tasks.queue(QUEUE[region], "RUNNING" if region == EAST else "PAUSED")

    def close(self) -> None:
        for one in (self.pubsub, self.scheduler, self.tasks):
            one.close()


@pytest.fixture
def world(serving: Callable[[str, Any], Any]) -> Iterator[World]:
    with contextlib.closing(World(serving)) as made:
        yield made


@pytest.fixture
def app(world: World, tmp_path: Path) -> App:
    topology, runbook, flags = tmp_path / "cloudfail.yaml", tmp_path / "take-over.yaml", tmp_path / "flags"
    flags.mkdir()
    told = {"@flags": str(flags), "@east": world.east.url, "@west": world.west.url}
    text = FILE
    for mark, value in told.items():
        text = text.replace(mark, value)
    topology.write_text(text, encoding="utf-8")
    runbook.write_text(RUNBOOK, encoding="utf-8")
    return App(config.load(topology, [runbook], {"gcp": provider, "local": local}), MemoryStore(), "alice")


def test_the_survivor_takes_the_subscription_and_starts_its_own_and_the_rest_is_owed(
    app: App, world: World, google: Front
) -> None:
    assert world.pubsub.delivers(ORDERS, world.east.heard)
    google.outages.silence(region=EAST)
    review = app.review(EAST, WEST, "take-over")
    assert review.refusals == []
    run = app.start(review.plan.checksum, reason="us-central1 does not answer")
    app.drive()
    done = app.run(run)
    assert done.phase is Phase.DEGRADED, done.halted_because
    assert world.pubsub.delivers(ORDERS, world.west.heard)
    assert world.scheduler.fires(JOB[WEST], lambda: len(world.west.got))
    assert world.tasks.dispatches(QUEUE[WEST], world.west.url, world.west.heard)
    assert world.scheduler.jobs[JOB[EAST]]["state"] == "ENABLED", "it could not be reached"

    # As a request of an older epoch would leave it, which was on its way when the run ended.
    world.tasks.projects_locations_queues_pause(
        {"projectsId": PROJECT, "locationsId": WEST, "queuesId": "mails"}, {}, None
    )
    app.watch_over(run)
    deadline = time.monotonic() + 30
    while world.tasks.queues[QUEUE[WEST]]["state"] != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    # The region answers again: what is owed is done by the next tick.
    google.outages.heal()
    app.drive(until=app.clock.boot() + 20)
    assert world.scheduler.jobs[JOB[EAST]]["state"] == "PAUSED"
    assert not world.scheduler.fires(JOB[EAST], lambda: len(world.west.got))
    assert app.log().obligations == ()
