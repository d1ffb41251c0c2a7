"""Whole runs over Compute Engine: as many workers as the lost region had, then the traffic, and nothing asked there."""

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
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.listening import listening

pytestmark = pytest.mark.timeout(300)
SERVICE = f"projects/{PROJECT}/global/backendServices/web"
EAST_GROUP = f"projects/{PROJECT}/regions/{EAST}/instanceGroupManagers/web-e"
WEST_GROUP = f"projects/{PROJECT}/regions/{WEST}/instanceGroupManagers/web-w"
FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {EAST}: {{provider: gcp, account: {PROJECT}}}
  {WEST}: {{provider: gcp, account: {PROJECT}}}
primary: {EAST}
state: "memory:"
resources:
  edge:
    loadbalancer: backend-service
    service: {SERVICE}
    members:
      {EAST}: {EAST_GROUP.replace("Managers", "s")}
      {WEST}: {WEST_GROUP.replace("Managers", "s")}
  web:
    compute: instance-group
    members:
      {EAST}: {{group: {EAST_GROUP}, backend_services: [{SERVICE}]}}
      {WEST}: {{group: {WEST_GROUP}, backend_services: [{SERVICE}]}}
  deploys: {{change: flag, provider: local, directory: "@flags", members: {{{EAST}: e, {WEST}: w}}}}
checks:
  users: {{tcp: "127.0.0.1:@port", every: 1s, timeout: 1s, fall: 2, rise: 1}}
"""
RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,  with: {where: "${to}"}, limit: 1m}
  hold:     {action: compute.hold,   with: {group: web}, needs: [freeze], limit: 2m}
  workers:  {action: compute.scale,  with: {group: web, like: "recorded ${from}"}, needs: [hold], limit: 2m}
  traffic:  {action: traffic.switch, with: {name: edge, to: "${to}", at_most: healthy}, needs: [workers], limit: 2m}
  users:    {action: verify.users,   with: {check: users}, needs: [traffic], limit: 1m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 1m}
"""


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[InstanceGroups]:
    with contextlib.closing(InstanceGroups()) as made:
        policy = {"minNumReplicas": 1, "maxNumReplicas": 4, "mode": "ON"}
        made.group(EAST_GROUP, 4, policy=policy)
        made.group(WEST_GROUP, 2, policy=policy)
        groups = (made.instance_group(group) for group in (EAST_GROUP, WEST_GROUP))
        made.service(SERVICE, dict(zip(groups, (1.0, 0.0), strict=True)))
        yield serving("compute.v1", made)


@pytest.fixture
def app(machine: InstanceGroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    topology, runbook, flags = tmp_path / "cloudfail.yaml", tmp_path / "take-over.yaml", tmp_path / "flags"
    flags.mkdir()
    with listening() as port:
        topology.write_text(FILE.replace("@flags", str(flags)).replace("@port", str(port)), encoding="utf-8")
        runbook.write_text(RUNBOOK, encoding="utf-8")
        yield App(config.load(topology, [runbook], {"gcp": provider, "local": local}), MemoryStore(), "alice")


def test_what_is_recorded_is_what_ran_and_not_the_floor_under_it(app: App) -> None:
    assert app.count() == {"web": {EAST: 4, WEST: 2}}


def test_the_survivor_gets_as_much_as_the_lost_region_had_and_then_its_users(
    app: App, machine: InstanceGroups, google: Front
) -> None:
    app.record()
    google.outages.silence(region=EAST)
    review = app.review(EAST, WEST, "take-over")
    assert review.refusals == []
    google.forget()
    run = app.start(review.plan.checksum, reason="us-central1 does not answer")
    app.drive()
    done = app.run(run)
    assert done.phase is Phase.DONE, done.halted_because
    west = machine.at(WEST_GROUP)
    assert west.autoscaler is not None
    policy = west.autoscaler["autoscalingPolicy"]
    assert (policy["minNumReplicas"], policy["mode"], west.target) == (4, "ONLY_SCALE_OUT", 4)
    assert list(machine.scalers(SERVICE).values()) == [0.0, 1.0]
    assert google.count(region=EAST) == 0, "a step asked the region that is lost"

    # As a request of an older epoch would leave it, which was on its way when the run ended.
    policy["minNumReplicas"] = 3
    app.watch_over(run)
    deadline = time.monotonic() + 20
    while machine.at(WEST_GROUP).autoscaler["autoscalingPolicy"]["minNumReplicas"] != 4:  # type: ignore[index]
        assert time.monotonic() < deadline
        time.sleep(0.05)
