"""A path, and what a whole run makes of it: files, plan, journal and engine, on stand-ins, with packets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.execution.lifecycle import Phase
from cloudfail_gcp import provider
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.paths.world import FAR, HOPS, NEAR, VPC, Making, RouteSite
from tests.emulators.leading import LedRun

FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {east}: {{provider: gcp, account: {project}}}
  {west}: {{provider: gcp, account: {project}}}
primary: {east}
state: "sqlite:state.db"
resources:
  backbone:
    network: route
    vpc: {vpc}
    destinations: ["{near}", "{far}"]
    answer_within: 20s
    members: {members}
"""
RUNBOOK = """\
name: reroute
mode: failover
steps:
  path:    {action: network.route, with: {network: backbone}, limit: 2m, retries: 0}
  approve: {gate: approval, needs: [path], expires: 10m}
"""


@pytest.fixture
def path(site: Making) -> RouteSite:
    made: RouteSite = site("route")
    made.machine.seconds = 0.0  # waiting costs the run no time, so that none passes for an operation either
    return made


def run_of(path: RouteSite, folder: Path) -> LedRun:
    members = json.dumps({region: dict(one) for region, one in path.resource.members.items()})
    text = FILE.format(east=EAST, west=WEST, project=PROJECT, vpc=VPC, near=NEAR, far=FAR, members=members)
    (folder / "cloudfail.yaml").write_text(text)
    (folder / "reroute.yaml").write_text(RUNBOOK)
    loaded = config.load(folder / "cloudfail.yaml", [folder / "reroute.yaml"], {"gcp": provider})
    return LedRun(loaded, "reroute", EAST, WEST)


def test_a_run_announces_each_effect_and_says_who_was_heard(path: RouteSite, tmp_path: Path) -> None:
    run = run_of(path, tmp_path)
    state = run.drive()
    assert state.phase is Phase.GATED, state.story
    assert state.did("path").ended == "done"
    assert f"says '220 {WEST}'" in state.did("path").detail
    assert path.machine.goes(VPC, NEAR) == path.machine.goes(VPC, FAR) == {HOPS[WEST]}
    effects = run.effects()
    assert len(effects) == len(set(effects)) == 4
    assert path.changes() == ["routes.insert", "routes.insert", "routes.delete", "routes.delete"]


def test_an_abort_at_the_gate_leads_it_back(path: RouteSite, tmp_path: Path) -> None:
    run = run_of(path, tmp_path)
    run.drive()
    run.command("abort")
    assert run.drive().phase is Phase.UNDONE
    assert path.machine.goes(VPC, NEAR) == path.machine.goes(VPC, FAR) == {HOPS[EAST]}


def test_a_run_whose_packets_do_not_follow_halts_with_the_old_routes_there(path: RouteSite, tmp_path: Path) -> None:
    path.packets.freeze()
    run = run_of(path, tmp_path)
    state = run.drive()
    assert state.phase is Phase.HALTED, state.story
    assert "The old one stays until it does" in state.halted_because
    assert {"to-0", "to-1"} <= set(path.machine.names())
