"""Whole runs over a URL map, a forwarding rule and Spanner: a write is proven in the survivor, then users go there; as
the users themselves hear it, at addresses that lead as the configuration says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.app import App
from cloudfail.execution.lifecycle import Phase
from cloudfail.lint import lint
from cloudfail.stores.memory import MemoryStore
from cloudfail_gcp import provider
from cloudfail_local import provider as local
from tests.emulators.gcp.frontend import frontend, instance, nobody, users
from tests.emulators.gcp.standins import spanner
from tests.emulators.gcp.standins.forwarding_rules import ForwardingRules
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.standins.url_maps import UrlMaps
from tests.emulators.listening import listening

pytestmark = pytest.mark.timeout(300)
EAST, WEST = "us-east4", "us-east1"
PROJECT = "shop-prod"
DATABASE = f"projects/{PROJECT}/instances/orders/databases/orders"
MAP = f"projects/{PROJECT}/global/urlMaps/edge"
RULE = f"projects/{PROJECT}/global/forwardingRules/tcp"
SERVICES = {region: f"projects/{PROJECT}/global/backendServices/web-{region}" for region in (EAST, WEST)}
TARGETS = {region: f"projects/{PROJECT}/global/targetTcpProxies/tcp-{region}" for region in (EAST, WEST)}
GROUPS = {region: f"projects/{PROJECT}/zones/{region}-b/networkEndpointGroups/web" for region in (EAST, WEST)}
REPLICAS = {EAST: "READ_WRITE", WEST: "READ_WRITE", "us-central1": "WITNESS"}
FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {EAST}: {{provider: gcp, account: {PROJECT}}}
  {WEST}: {{provider: gcp, account: {PROJECT}}}
primary: {EAST}
state: "memory:"
resources:
  orders: {{database: spanner, id: "{DATABASE}", members: {{{EAST}: read-write, {WEST}: read-write}}}}
  carts:
    database: firestore
    path: projects/{PROJECT}/databases/(default)
    members: {{{EAST}: "http://proxy.{EAST}.internal:3128", {WEST}: "http://proxy.{WEST}.internal:3128"}}
  edge:
    loadbalancer: url-map
    url_map: {MAP}
    members: {{{EAST}: {SERVICES[EAST]}, {WEST}: {SERVICES[WEST]}}}
  tcp:
    loadbalancer: forwarding-rule
    forwarding_rule: {RULE}
    members:
      {EAST}: {{target: {TARGETS[EAST]}, backend_services: [{SERVICES[EAST]}]}}
      {WEST}: {{target: {TARGETS[WEST]}, backend_services: [{SERVICES[WEST]}]}}
  deploys: {{change: flag, provider: local, directory: "@flags", members: {{{EAST}: e, {WEST}: w}}}}
checks:
  users: {{tcp: "127.0.0.1:@port", every: 1s, timeout: 1s, fall: 2, rise: 1}}
"""
RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,   with: {where: "${to}"}, limit: 1m}
  orders:   {action: verify.write,    with: {database: orders}, needs: [freeze], limit: 1m}
  traffic:  {action: traffic.switch,  with: {name: edge, to: "${to}", at_most: healthy}, needs: [orders], limit: 2m}
  tcp:      {action: traffic.switch,  with: {name: tcp, to: "${to}", at_most: healthy}, needs: [orders], limit: 3m}
  users:    {action: verify.users,    with: {check: users}, needs: [traffic, tcp], limit: 1m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 1m}
"""


class Compute(UrlMaps, ForwardingRules):
    """Both, in one Compute Engine."""


class Site:
    """The addresses of both balancers."""

    def __init__(self, compute: Compute, database: spanner.Spanner, stack: contextlib.ExitStack) -> None:
        self.compute, self.database = compute, database
        self._nobody = stack.enter_context(nobody())
        for region, service in SERVICES.items():
            compute.service(service, {GROUPS[region]: 1.0})
            self._serves(region, stack.enter_context(instance(region)))
        compute.url_map(MAP, defaultService=BASE + SERVICES[EAST])
        compute.rule(RULE, TARGETS[EAST])
        by_target = {target: SERVICES[region] for region, target in TARGETS.items()}
        self.edge = stack.enter_context(frontend(compute, lambda: compute.leads(MAP)))
        self.tcp = stack.enter_context(frontend(compute, lambda: {by_target[compute.target(RULE)]: 1.0}))

    def lose(self, region: str) -> None:
        """Its instances and its replicas are gone."""
        self.stop(region)
        self.database.gone.add(region)

    def stop(self, region: str) -> None:
        """Its instances are gone."""
        self._serves(region, self._nobody)

    def _serves(self, region: str, port: int) -> None:
        self.compute.members[GROUPS[region]] = {f"projects/{PROJECT}/zones/{region}-b/instances/web": port}


@pytest.fixture
def site(serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        compute, database = Compute(), spanner.Spanner(DATABASE, REPLICAS)
        serving("spanner.v1", database)
        yield Site(serving("compute.v1", compute), database, stack)


@pytest.fixture
def app(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    topology, runbook, flags = tmp_path / "cloudfail.yaml", tmp_path / "take-over.yaml", tmp_path / "flags"
    flags.mkdir()
    with listening() as port:
        topology.write_text(FILE.replace("@flags", str(flags)).replace("@port", str(port)), encoding="utf-8")
        runbook.write_text(RUNBOOK, encoding="utf-8")
        yield App(config.load(topology, [runbook], {"gcp": provider, "local": local}), MemoryStore(), "alice")


def test_users_are_where_the_configuration_leads_them(site: Site) -> None:
    """So the test below can fail."""
    assert users(site.edge) == users(site.tcp) == {EAST: 20}
    site.lose(EAST)
    assert users(site.edge) == users(site.tcp) == {"": 20}


def test_lint_finds_nothing_that_would_need_the_lost_region(app: App) -> None:
    found = [one for one in lint(app.loaded, source=EAST) if one.rule in {"control-plane-home", "many-writers"}]
    assert found == []


def test_the_survivor_takes_a_write_and_then_all_users(app: App, site: Site) -> None:
    site.lose(EAST)
    review = app.review(EAST, WEST, "take-over")
    assert review.refusals == []
    run = app.start(review.plan.checksum, reason=f"{EAST} does not answer")
    app.drive()
    done = app.run(run)
    assert done.phase is Phase.DONE, done.halted_because
    assert users(site.edge) == users(site.tcp) == {WEST: 20}
    assert [key for key in site.database.rows if key.startswith(f"canary#{WEST}#")]


def test_without_a_healthy_target_in_the_survivor_nobody_is_sent_there(app: App, site: Site) -> None:
    """Both balancers count it themselves."""
    site.stop(WEST)
    review = app.review(EAST, WEST, "take-over")
    app.start(review.plan.checksum, reason="a mistake")
    app.drive(until=app.clock.boot() + 8.0)
    assert site.compute.orders == []
    assert users(site.edge) == users(site.tcp) == {EAST: 20}
