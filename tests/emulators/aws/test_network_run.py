"""A path, and what a whole run makes of it: files, plan, journal and engine, on moto, with packets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import InlineCalls
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState
from cloudfail.journal import Journal
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Kind
from cloudfail.model.observation import Known, Unknown
from cloudfail.plan import bind
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.world import PortsWorld
from cloudfail_aws import provider
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import DESTINATION, EAST, HOME, WEST, Routes
from tests.path_server import greeting

FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "123456789012"}}
  us-west-2: {{provider: aws, account: "123456789012"}}
primary: us-east-1
state: "sqlite:state.db"
resources:
  backbone:
    network: route-table
    region: {home}
    tables: {tables}
    destinations: ["{destination}"]
    answer_within: 20s
    members: {members}
"""
RUNBOOK = """\
name: reroute
mode: failover
steps:
  path:    {action: network.route, with: {network: backbone}, limit: 60s}
  approve: {gate: approval, needs: [path], expires: 10m}
"""


class Run:
    """One run of that runbook: the cloud is asked really, and waiting costs no time."""

    def __init__(self, site: Routes, folder: Path) -> None:
        members = json.dumps({region: dict(one) for region, one in site.resource.members.items()})
        text = FILE.format(home=HOME, tables=json.dumps(site.tables), destination=DESTINATION, members=members)
        (folder / "cloudfail.yaml").write_text(text)
        (folder / "reroute.yaml").write_text(RUNBOOK)
        self.loaded = config.load(folder / "cloudfail.yaml", [folder / "reroute.yaml"], {"aws": provider})
        self.clock, self.store = VirtualClock(), MemoryStore()
        self.world = PortsWorld(
            self.loaded, lambda _check, _region: Known(True, 0.0), lambda _database, _region: Unknown("none")
        )
        plan = bind(self.loaded, self.loaded.runbooks["reroute"], EAST, WEST, {}, ACTIONS)
        opened = {"run": "r1", "plan": plan_document(plan), "automation": "off", "reason": "lost", "preapproved": ""}
        self._say(Kind.OPENED, opened)

    def _say(self, kind: Kind, data: dict[str, Any]) -> None:
        journal = Journal(self.store, "shop", self.clock, "alice")
        journal.refresh()
        journal.append(kind, data)

    def command(self, command: str) -> None:
        self._say(Kind.COMMAND, {"run": "r1", "command": command, "reason": "test"})

    def drive(self) -> RunState:
        engine = Engine(
            store=self.store,
            application="shop",
            world=self.world,
            actions=ACTIONS,
            clock=self.clock,
            calls=InlineCalls(self.clock),
            worker="w1",
            lease_seconds=60.0,
            known=(Journal(self.store, "shop", self.clock, "w1"), LogState()),
        )
        return engine.drive(until=self.clock.boot() + 3600).runs["r1"]


@pytest.fixture
def site(cloud: Front, moto_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Routes]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with greeting(EAST, WEST) as greeters:
        made = Routes(cloud, moto_process.url, greeters)
        cloud.forget()
        yield made
        made.close()


def test_a_run_leads_every_route_and_says_who_was_heard(site: Routes, tmp_path: Path) -> None:
    run = Run(site, tmp_path)
    state = run.drive()
    assert state.phase is Phase.GATED, state.story
    assert state.did("path").ended == "done"
    assert f"says '220 {WEST}'" in state.did("path").detail
    assert {site.hop(table) for table in site.tables} == {site.hops[WEST]}
    effects = [e.data["effect"] for e in Journal(run.store, "shop", run.clock, "r").refresh() if e.kind is Kind.INTENT]
    assert effects == [
        f"lead backbone to {WEST} (now {EAST})",
        f"lead backbone to {WEST} (now {EAST} 1 of 2, {WEST} 1 of 2)",
    ]


def test_an_abort_at_the_gate_leads_it_back(site: Routes, tmp_path: Path) -> None:
    run = Run(site, tmp_path)
    run.drive()
    run.command("abort")
    assert run.drive().phase is Phase.UNDONE
    assert {site.hop(table) for table in site.tables} == {site.hops[EAST]}


def test_a_run_whose_packets_do_not_follow_halts_and_says_so(site: Routes, tmp_path: Path) -> None:
    site.packets.freeze()
    run = Run(site, tmp_path)
    state = run.drive()
    assert state.phase is Phase.HALTED, state.story
    assert "does not lead there" in state.halted_because
    assert f"220 {WEST}" in state.halted_because


def test_a_silent_ec2_halts_it_with_nothing_changed(site: Routes, tmp_path: Path) -> None:
    run = Run(site, tmp_path)
    site.front.outages.fail("Unavailable", 503, service="ec2")
    state = run.drive()
    assert state.phase is Phase.HALTED, state.story
    assert site.front.count(mutating=True) == 0
