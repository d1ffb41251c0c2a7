"""What is written in cloudfail.yaml for paths and addresses on Google Cloud, and what plan and lint are told of
them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_gcp import provider
from cloudfail_gcp.network import KINDS
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.paths.world import EDGES, HOLDERS, HOME, VIP, VPC, ZONE_B, ZONE_C

ROUTE = f"vpc: {VPC}, destinations: [10.20.0.0/16]"
ADDRESS = f"address: {VIP}"
INSTANCE = f"projects/{PROJECT}/zones/{WEST}-b/instances/gw"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-central1: {{provider: gcp, account: shop-prod}}
  europe-west1: {{provider: gcp, account: shop-prod}}
primary: us-central1
state: "sqlite:state.db"
resources:
  path: {{network: {kind}, {options}, members: {{us-central1: {east}, europe-west1: {west}}}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  lead: {{action: {action}, with: {{network: path}}, limit: 5m}}
"""


def load(
    tmp_path: Path,
    kind: str = "route",
    options: str = ROUTE,
    east: str = "10.1.0.2",
    west: str = f'{{hop: {INSTANCE}, reach: "10.20.7.1:443"}}',
    action: str = "network.route",
) -> config.Loaded:
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(kind=kind, options=options, east=east, west=west))
    (tmp_path / "move.yaml").write_text(RUNBOOK.format(action=action))
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})


def test_what_is_written_is_what_the_adapter_gets(tmp_path: Path) -> None:
    path = load(tmp_path).topology.resources["path"]
    assert path.options == {
        "vpc": VPC, "destinations": ("10.20.0.0/16",), "tags": (), "priority": 1000, "answer_within": 2.0,
    }  # fmt: skip
    assert path.members == {
        EAST: {"hop": "10.1.0.2", "reach": None},
        WEST: {"hop": INSTANCE, "reach": {"at": "10.20.7.1:443", "says": None}},
    }


def test_a_path_and_a_url_that_ends_in_it_are_the_same(tmp_path: Path) -> None:
    url = "https://www.googleapis.com/compute/v1/"
    plain = load(tmp_path, "static-ip", ADDRESS, INSTANCE, HOLDERS[ZONE_B]).topology.resources
    longer = load(
        tmp_path, "static-ip", f"address: {url}{VIP}", url + INSTANCE, url + HOLDERS[ZONE_B]
    ).topology.resources
    assert longer == plain
    assert plain["path"].members[WEST] == {"holder": HOLDERS[ZONE_B], "interface": "nic0", "reach": None}
    assert load(tmp_path, east=url + INSTANCE.replace("gw", "gw-2")).topology.resources["path"].members[EAST][
        "hop"
    ] == INSTANCE.replace("gw", "gw-2")


@pytest.mark.parametrize(
    ("kind", "options", "east", "said", "instead"),
    [
        ("route", ROUTE, "router", "no next hop", "the path of an instance"),
        ("route", ROUTE, '{hop: 10.1.0.2, reach: "10.20.7.1"}', "no host:port", "10.20.7.1:443"),
        ("route", ROUTE, "{hop: 10.1.0.2, rech: x}", "rech", "reach"),
        ("route", ROUTE.replace("10.20.0.0", "10.20.1.0"), "10.1.0.2", "another form", "10.20.0.0/16"),
        ("route", ROUTE.replace("10.20.0.0/16", "shop"), "10.1.0.2", "no range of addresses", "10.20.0.0/16"),
        ("route", ROUTE.replace(VPC, "main"), "10.1.0.2", "no path of a VPC network", "global/networks/NAME"),
        ("route", f"{ROUTE}, priority: 0", "10.1.0.2", "priority", ""),
        ("route", f"{ROUTE}, tags: [Edge]", "10.1.0.2", "tags", ""),
        ("router-advertisement", f"router: {EDGES[WEST]}", "{}", "ranges of its own or by its priority", "ranges:"),
        (
            "router-advertisement", f"router: {EDGES[WEST]}, priority: {{leads: 200, waits: 100}}", "{}",
            "the lower priority wins", "leads",
        ),
        ("router-advertisement", "router: edge, ranges: [10.20.0.0/17]", "{}", "no path of a Cloud Router", "NAME"),
        ("static-ip", ADDRESS, "gw", "no path of an instance", "zones/ZONE/instances/NAME"),
        ("static-ip", "address: 192.0.2.10", INSTANCE, "no path of a regional address", "regions/REGION/addresses"),
        (
            "static-ip", f"address: projects/{PROJECT}/global/addresses/vip", INSTANCE,
            "announced everywhere at once", "backend-service",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, kind: str, options: str, east: str, said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, kind, options, east, east)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(("source", "target"), [(EAST, WEST), (WEST, EAST)])
def test_routes_need_the_control_plane_of_no_region(tmp_path: Path, source: str, target: str) -> None:
    found = [one.rule for one in lint(load(tmp_path), source=source, target=target)]
    assert "control-plane-home" not in found


@pytest.mark.parametrize(("source", "target", "refused"), [(EAST, WEST, False), (WEST, EAST, True)])
def test_lint_knows_that_an_address_needs_its_own_region(
    tmp_path: Path, source: str, target: str, refused: bool
) -> None:
    loaded = load(tmp_path, "static-ip", ADDRESS, HOLDERS[ZONE_B], HOLDERS[ZONE_C], "network.move_address")
    assert HOME == WEST
    found = [one.rule for one in lint(loaded, source=source, target=target)]
    assert ("control-plane-home" in found) is refused


@pytest.mark.parametrize(("source", "target", "refused"), [(EAST, WEST, False), (WEST, EAST, True)])
def test_lint_knows_that_a_router_needs_its_own_region_alone(
    tmp_path: Path, source: str, target: str, refused: bool
) -> None:
    options = f"router: {EDGES[WEST]}, ranges: [10.20.0.0/17, 10.20.128.0/17]"
    loaded = load(tmp_path, "router-advertisement", options, '"10.20.7.1:443"', '"10.20.7.1:443"')
    assert loaded.topology.resources["path"].members[EAST] == {"reach": {"at": "10.20.7.1:443", "says": None}}
    found = [one.rule for one in lint(loaded, source=source, target=target)]
    assert ("control-plane-home" in found) is refused


@pytest.mark.parametrize(
    ("kind", "options", "member", "guessed"),
    [
        ("route", ROUTE, "10.1.0.{n}", True),
        ("router-advertisement", f"router: {EDGES[WEST]}, ranges: [10.20.0.0/17]", "{{}}", False),
        ("static-ip", ADDRESS, INSTANCE + "-{n}", False),
        ("static-ip", ADDRESS.replace(WEST, "europe-west4"), INSTANCE + "-{n}", True),
    ],
)
def test_whose_role_it_is_asked_under_is_not_guessed(
    tmp_path: Path, kind: str, options: str, member: str, guessed: bool
) -> None:
    """An address or a router in a region of the file is asked as that region is; what is global, or stands elsewhere,
    has no region to say it."""
    load(tmp_path, kind, options, member.format(n=1), member.format(n=2))
    text = (tmp_path / "cloudfail.yaml").read_text()
    for name in (EAST, WEST):
        who = f"{name}@shop-prod.iam.gserviceaccount.com"
        roles = f'{name}: {{provider: gcp, roles: {{watch: "w-{who}", execute: "e-{who}"}}, account:'
        text = text.replace(f"{name}: {{provider: gcp, account:", roles)
    (tmp_path / "cloudfail.yaml").write_text(text)
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})
    assert ("whose-role" in [one.rule for one in lint(loaded)]) is guessed


def test_lint_says_where_nothing_proves_a_move_and_where_something_does(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    there = [one for one in lint(loaded, source=EAST, target=WEST) if one.rule == "nothing-proves-it"]
    back = [one for one in lint(loaded, source=WEST, target=EAST) if one.rule == "nothing-proves-it"]
    assert there == []
    assert len(back) == 1
    assert "reach" in back[0].instead


def test_lint_refuses_the_verb_of_the_other_kind(tmp_path: Path) -> None:
    loaded = load(tmp_path, action="network.move_address")
    (said,) = [one for one in lint(loaded) if one.rule == "verb-of-the-kind"]
    assert said.severity == "error"
    assert "network.route" in said.instead


def test_each_verb_says_how_a_late_call_is_met() -> None:
    assert {(kind.name, verb): facts.fencing for kind in KINDS for verb, facts in kind.verbs.items()} == {
        ("route", "route"): "watching",
        ("router-advertisement", "route"): "watching",
        ("static-ip", "move_address"): "watching",
    }


def test_naming_the_kinds_brings_no_vendor_library() -> None:
    asked = (
        "import sys, cloudfail_gcp, cloudfail_gcp.network; "
        "print([one for one in ('requests', 'google.auth', 'asyncio') if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
