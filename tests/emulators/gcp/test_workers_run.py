"""A whole run over GKE and Cloud Run while the region that is lost is silent: the survivor gets nodes by what was
recorded, and instances as said, and nothing is asked over there."""

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
from tests.emulators.gcp.standins.cloud_run import CloudRun
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools
from tests.emulators.gcp.standins.quotas import Quotas, ServiceUsage

pytestmark = pytest.mark.timeout(300)
EAST_POOL, WEST_POOL = (f"projects/{PROJECT}/locations/{region}/clusters/shop/nodePools/web" for region in (EAST, WEST))
EAST_SERVICE, WEST_SERVICE = (f"projects/{PROJECT}/locations/{region}/services/api" for region in (EAST, WEST))
FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {EAST}: {{provider: gcp, account: {PROJECT}}}
  {WEST}: {{provider: gcp, account: {PROJECT}}}
primary: {EAST}
state: "memory:"
resources:
  nodes: {{compute: gke-node-pool, members: {{{EAST}: {EAST_POOL}, {WEST}: {{pool: {WEST_POOL}, floor: 1}}}}}}
  api: {{compute: cloud-run, members: {{{EAST}: {EAST_SERVICE}, {WEST}: {{service: {WEST_SERVICE}, url: "@url"}}}}}}
  deploys: {{change: flag, provider: local, directory: "@flags", members: {{{EAST}: e, {WEST}: w}}}}
checks:
  users: {{http: "@url", every: 1s, timeout: 1s, fall: 2, rise: 1}}
"""
RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,  with: {where: "${to}"}, limit: 1m}
  hold:     {action: compute.hold,   with: {group: nodes}, needs: [freeze], limit: 2m}
  nodes:    {action: compute.scale,  with: {group: nodes, like: "recorded ${from}"}, needs: [hold], limit: 2m}
  api:      {action: compute.scale,  with: {group: api, count: 5}, needs: [freeze], limit: 2m}
  users:    {action: verify.users,   with: {check: users}, needs: [nodes, api], limit: 1m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 1m}
"""


class Compute(Quotas, InstanceGroups):
    """Of one project."""


@pytest.fixture
def world(serving: Callable[[str, Any], Any]) -> Iterator[tuple[NodePools, CloudRun]]:
    with contextlib.closing(Compute()) as compute, contextlib.closing(CloudRun()) as run:
        compute.quotas |= {(region, "N2_CPUS"): (200.0, 40.0) for region in (EAST, WEST)}
        pools = NodePools(compute)
        bounds = {"minNodeCount": 1, "maxNodeCount": 3}
        pools.pool(EAST_POOL, (f"{EAST}-a", f"{EAST}-b"), 4, **bounds | {"maxNodeCount": 6})
        pools.pool(WEST_POOL, (f"{WEST}-b", f"{WEST}-c"), 2, **bounds)
        run.service(EAST_SERVICE, {"minInstanceCount": 4})
        run.service(WEST_SERVICE, {"minInstanceCount": 1})
        serving("compute.v1", compute)
        serving("serviceusage.v1beta1", ServiceUsage())
        serving("run.v2", run)
        serving("container.v1", pools)
        yield pools, run


@pytest.fixture
def app(world: tuple[NodePools, CloudRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    topology, runbook, flags = tmp_path / "cloudfail.yaml", tmp_path / "take-over.yaml", tmp_path / "flags"
    flags.mkdir()
    url = f"http://127.0.0.1:{world[1].at(WEST_SERVICE).door}/"
    topology.write_text(FILE.replace("@flags", str(flags)).replace("@url", url), encoding="utf-8")
    runbook.write_text(RUNBOOK, encoding="utf-8")
    return App(config.load(topology, [runbook], {"gcp": provider, "local": local}), MemoryStore(), "alice")


def test_the_survivor_gets_the_nodes_of_the_lost_region_and_its_services_their_minimum(
    app: App, world: tuple[NodePools, CloudRun], google: Front
) -> None:
    pools, run = world
    assert app.count() == {"nodes": {EAST: 8, WEST: 4}, "api": {EAST: 4, WEST: 1}}
    app.record()
    google.outages.silence(region=EAST)
    review = app.review(EAST, WEST, "take-over")
    assert review.refusals == []
    google.forget()
    number = app.start(review.plan.checksum, reason="us-central1 does not answer")
    app.drive()
    done = app.run(number)
    assert done.phase is Phase.DONE, done.halted_because
    assert pools.sizes(WEST_POOL) == [4, 4]
    assert pools.at(WEST_POOL).autoscaling["minNodeCount"] == 4
    assert (run.at(WEST_SERVICE).whole["scaling"], run.running(WEST_SERVICE)) == ({"minInstanceCount": 5}, 5)
    assert google.count(region=EAST) == 0, "a step asked the region that is lost"

    # As a request of an older epoch would leave it, which was on its way when the run ended.
    pools.at(WEST_POOL).autoscaling["minNodeCount"] = 1
    app.watch_over(number)
    deadline = time.monotonic() + 30
    while pools.at(WEST_POOL).autoscaling["minNodeCount"] != 4 or pools.sizes(WEST_POOL) != [4, 4]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_project_that_may_not_run_so_many_is_told_so_before_the_run(
    app: App, world: tuple[NodePools, CloudRun], google: Front
) -> None:
    app.record()
    world[0].compute.quotas[WEST, "N2_CPUS"] = (24.0, 24.0)  # type: ignore[attr-defined]
    google.outages.silence(region=EAST)
    said = str(app.review(EAST, WEST, "take-over"))
    assert f"quota N2_CPUS of {PROJECT} in {WEST}" in said
