"""What is written in cloudfail.yaml for user-defined routes, and what plan and lint are told of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError, Refused
from cloudfail.lint import lint
from cloudfail.model.topology import PortName
from cloudfail_azure import provider
from tests.emulators.azure.balancing import NORTH, WEST

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop/providers"
TABLE = f"{GROUP}/Microsoft.Network/routeTables/hub"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  westeurope: {{provider: azure, account: 11111111-2222-3333-4444-555555555555}}
  northeurope: {{provider: azure, account: 11111111-2222-3333-4444-555555555555}}
primary: westeurope
state: "sqlite:state.db"
resources:
  path: {{network: route-table, {options}, members: {{westeurope: {west}, northeurope: {north}}}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  lead: {action: network.route, with: {network: path}, limit: 5m}
"""
OPTIONS = f"region: northeurope, tables: [{TABLE}], destinations: [10.20.0.0/16]"
KIND = provider.kinds()[PortName.NETWORK, "route-table"]


def load(
    tmp_path: Path,
    options: str = OPTIONS,
    west: str = "10.1.0.4",
    north: str = '{hop: 10.2.0.4, reach: "10.20.7.1:443"}',
) -> config.Loaded:
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(options=options, west=west, north=north))
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"azure": provider})


def test_what_is_written_is_what_the_adapter_gets(tmp_path: Path) -> None:
    path = load(tmp_path).topology.resources["path"]
    assert path.options == {
        "region": NORTH, "tables": (TABLE,), "destinations": ("10.20.0.0/16",), "answer_within": 2.0,
    }  # fmt: skip
    assert path.members == {
        WEST: {"hop": "10.1.0.4", "reach": None},
        NORTH: {"hop": "10.2.0.4", "reach": {"at": "10.20.7.1:443", "says": None}},
    }


@pytest.mark.parametrize(
    ("options", "west", "said", "instead"),
    [
        (OPTIONS, "appliance", "no next hop", "VirtualNetworkGateway"),
        (OPTIONS, '{hop: 10.1.0.4, reach: "10.20.7.1"}', "no host:port", "10.20.7.1:443"),
        (OPTIONS, "{hop: 10.1.0.4, rech: x}", "rech", "reach"),
        (OPTIONS.replace("10.20.0.0", "10.20.1.0"), "10.1.0.4", "not written plainly", "10.20.0.0/16"),
        (OPTIONS.replace("10.20.0.0/16", "AzureCloud"), "10.1.0.4", "no range of addresses", "10.20.0.0/16"),
        (OPTIONS.replace(TABLE, "hub"), "10.1.0.4", "no id of a route table", "routeTables/NAME"),
        (OPTIONS.replace("northeurope", "North Europe"), "10.1.0.4", "region", ""),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, options: str, west: str, said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, options, west)
    assert said in str(raised.value)
    assert instead in str(raised.value)


def test_two_members_with_one_next_hop_are_refused(tmp_path: Path) -> None:
    topology = load(tmp_path, north="10.1.0.4").topology
    with pytest.raises(Refused, match=f"10.1.0.4 is a member's in {WEST} and in {NORTH}"):
        KIND.build(topology.resources["path"], topology)


@pytest.mark.parametrize(("source", "target", "refused"), [(WEST, NORTH, False), (NORTH, WEST, True)])
def test_lint_knows_that_a_table_needs_its_own_region(tmp_path: Path, source: str, target: str, refused: bool) -> None:
    found = [one.rule for one in lint(load(tmp_path), source=source, target=target)]
    assert ("control-plane-home" in found) is refused


def test_lint_says_where_nothing_proves_a_move_and_where_something_does(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert "nothing-proves-it" not in [one.rule for one in lint(loaded, source=WEST, target=NORTH)]
    assert "nothing-proves-it" in [one.rule for one in lint(loaded, source=NORTH, target=WEST)]


def test_one_worker_at_a_time_changes_a_table(tmp_path: Path) -> None:
    topology = load(tmp_path).topology
    assert KIND.shared_names(topology.resources["path"], topology) == (f"azure/{TABLE.lower()}",)


def test_a_late_call_is_met_by_watching() -> None:
    assert {verb: facts.fencing for verb, facts in KIND.verbs.items()} == {"route": "watching"}


def test_naming_the_kind_brings_no_vendor_library() -> None:
    asked = (
        "import sys, cloudfail_azure, cloudfail_azure.network; "
        "print([one for one in ('azure.core', 'azure.identity', 'asyncio') if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
