"""A path, and what a whole run makes of it: files, plan, journal and engine, on moto, with packets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.execution.lifecycle import Phase
from cloudfail_aws import provider
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import DESTINATION, EAST, HOME, WEST, Routes
from tests.emulators.leading import LedRun
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


class Run(LedRun):
    """One run of that runbook: the cloud is asked really, and waiting costs no time."""

    def __init__(self, site: Routes, folder: Path) -> None:
        members = json.dumps({region: dict(one) for region, one in site.resource.members.items()})
        text = FILE.format(home=HOME, tables=json.dumps(site.tables), destination=DESTINATION, members=members)
        (folder / "cloudfail.yaml").write_text(text)
        (folder / "reroute.yaml").write_text(RUNBOOK)
        loaded = config.load(folder / "cloudfail.yaml", [folder / "reroute.yaml"], {"aws": provider})
        super().__init__(loaded, "reroute", EAST, WEST)


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
    effects = run.effects()
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
