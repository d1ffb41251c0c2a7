"""What is written in cloudfail.yaml for balancers and workers on Google Cloud, and what plan and lint are told of
them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_gcp import provider
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST

SERVICE = f"projects/{PROJECT}/global/backendServices/web"
REGIONAL = f"projects/{PROJECT}/regions/{EAST}/backendServices/web"
EAST_GROUP = f"projects/{PROJECT}/zones/{EAST}-a/networkEndpointGroups/web"
WEST_GROUP = f"projects/{PROJECT}/regions/{WEST}/instanceGroups/web"
EAST_MANAGER = f"projects/{PROJECT}/zones/{EAST}-a/instanceGroupManagers/web"
WEST_MANAGER = f"projects/{PROJECT}/regions/{WEST}/instanceGroupManagers/web"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-central1: {{provider: gcp, account: shop-prod}}
  europe-west1: {{provider: gcp, account: shop-prod}}
primary: us-central1
state: "sqlite:state.db"
resources:
  edge: {{loadbalancer: backend-service, service: "{service}", members: {{us-central1: {east}, europe-west1: {west}}}}}
  web:  {{compute: instance-group, members: {{us-central1: "{east_manager}", europe-west1: {west_manager}}}}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  workers: {action: compute.scale, with: {group: web, where: "${to}", like: "recorded ${from}"}, limit: 15m}
  traffic: {action: traffic.switch, with: {name: edge, to: "${to}"}, limit: 5m}
"""


def load(tmp_path: Path, **changes: str) -> config.Loaded:
    written = {
        "service": SERVICE,
        "east": f'"{EAST_GROUP}"',
        "west": f'"{WEST_GROUP}"',
        "east_manager": EAST_MANAGER,
        "west_manager": f'"{WEST_MANAGER}"',
    } | changes
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(**written))
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})


def test_a_path_and_a_url_that_ends_in_it_are_the_same(tmp_path: Path) -> None:
    url = "https://www.googleapis.com/compute/v1/"
    plain = load(tmp_path).topology.resources
    longer = load(tmp_path, service=url + SERVICE, west=f'"{url}{WEST_GROUP}"', east_manager=url + EAST_MANAGER)
    assert longer.topology.resources == plain
    assert dict(plain["edge"].options) == {"service": SERVICE}
    assert plain["edge"].members[WEST] == {"groups": (WEST_GROUP,)}
    assert plain["web"].members[EAST] == {"group": EAST_MANAGER, "backend_services": ()}


def test_a_region_may_have_several_groups_and_a_group_several_services(tmp_path: Path) -> None:
    second = EAST_GROUP.replace("-a/", "-b/")
    found = load(
        tmp_path,
        east=f'["{EAST_GROUP}", "{second}"]',
        west_manager=f'{{group: "{WEST_MANAGER}", backend_services: ["{SERVICE}", "{REGIONAL}"]}}',
    ).topology.resources
    assert found["edge"].members[EAST] == {"groups": (EAST_GROUP, second)}
    assert found["web"].members[WEST] == {"group": WEST_MANAGER, "backend_services": (SERVICE, REGIONAL)}


@pytest.mark.parametrize(
    ("changes", "said", "instead"),
    [
        ({"service": "web"}, "no path of a backend service", "global/backendServices/NAME"),
        ({"service": WEST_GROUP}, "no path of a backend service", "global/backendServices/NAME"),
        ({"east": "web"}, "no path of an instance group", "networkEndpointGroups/NAME"),
        ({"east": "[]"}, "a region without a group", "the path of its group"),
        (
            {"east": f'"projects/{PROJECT}/regions/{EAST}/networkEndpointGroups/run"'},
            "zonal network endpoint group",
            "zones/ZONE/networkEndpointGroups/NAME",
        ),
        ({"east_manager": EAST_GROUP}, "no path of a managed instance group", "instanceGroupManagers/NAME"),
        ({"west_manager": f'{{group: "{WEST_MANAGER}", target_groups: []}}'}, "target_groups", ""),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, changes: dict[str, Any], said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, **changes)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(
    ("service", "source", "refused"),
    [(SERVICE, EAST, False), (SERVICE, WEST, False), (REGIONAL, EAST, True), (REGIONAL, WEST, False)],
)
def test_lint_knows_where_each_control_plane_stands(tmp_path: Path, service: str, source: str, refused: bool) -> None:
    found = [one.rule for one in lint(load(tmp_path, service=service), source=source)]
    assert ("control-plane-home" in found) is refused


POOL = f"projects/{PROJECT}/locations/{EAST}/clusters/shop/nodePools/web"
RUN = f"projects/{PROJECT}/locations/{WEST}/services/web"


@pytest.mark.parametrize(
    ("kind", "east", "west"),
    [
        (
            "gke-node-pool",
            POOL,
            {"pool": POOL.replace(EAST, f"{WEST}-b"), "backend_services": [SERVICE], "floor": 2},
        ),
        ("cloud-run", RUN.replace(WEST, EAST), {"service": RUN, "url": "https://web-eu.shop.example/healthz"}),
    ],
)
def test_a_pool_and_a_service_are_written_by_their_paths(tmp_path: Path, kind: str, east: str, west: Any) -> None:
    found = whole(tmp_path, kind, east, west)
    web = found.topology.resources["web"]
    name = "pool" if kind == "gke-node-pool" else "service"
    assert web.members[EAST][name] == east
    assert {key: web.members[WEST][key] for key in west} == {
        **west,
        **{key: tuple(value) for key, value in west.items() if isinstance(value, list)},
    }
    assert found.kinds["web"].build(web, found.topology).read
    permissions = permissions_of(found, "web")
    for grant in (*permissions.watch, *permissions.execute):
        assert grant.on and all(one.startswith(f"projects/{PROJECT}") for one in grant.on)


@pytest.mark.parametrize(
    ("kind", "east", "said", "instead"),
    [
        ("gke-node-pool", "web", "no path of a node pool", "clusters/CLUSTER/nodePools/NAME"),
        ("gke-node-pool", POOL.rpartition("/nodePools/")[0], "no path of a node pool", "locations/ZONE"),
        ("gke-node-pool", {"pool": POOL, "floor": -1}, "floor", ""),
        ("cloud-run", "web", "no path of a Cloud Run service", "locations/REGION/services/NAME"),
        ("cloud-run", {"service": RUN, "url": "web.shop.example"}, "no URL to ask", "https://HOST/PATH"),
        ("cloud-run", {"service": RUN, "min": 3}, "min", ""),
    ],
)
def test_a_mistake_in_a_pool_or_a_service_is_found_while_the_file_is_read(
    tmp_path: Path, kind: str, east: Any, said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        whole(tmp_path, kind, east, RUN if kind == "cloud-run" else POOL)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(("kind", "refused"), [("gke-node-pool", False), ("cloud-run", True)])
def test_lint_knows_which_kind_cannot_be_held(tmp_path: Path, kind: str, refused: bool) -> None:
    east, west = (RUN.replace(WEST, EAST), RUN) if kind == "cloud-run" else (POOL, POOL.replace(EAST, WEST))
    found = whole(tmp_path, kind, east, west, "  hold: {action: compute.hold, with: {group: web}, limit: 1m}\n")
    said = [str(one) for one in lint(found) if one.rule == "verb-of-the-kind"]
    assert bool(said) is refused
    assert all("has no hold" in one for one in said)


def whole(tmp_path: Path, kind: str, east: Any, west: Any, steps: str = "") -> config.Loaded:
    """The file, with workers of that kind."""
    (tmp_path / "cloudfail.yaml").write_text(
        FILE.partition("  edge:")[0].replace("{{", "{").replace("}}", "}")
        + f"  web: {json.dumps({'compute': kind, 'members': {EAST: east, WEST: west}})}\n"
    )
    (tmp_path / "move.yaml").write_text(RUNBOOK.partition("  traffic:")[0] + steps)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})


def test_each_is_built_without_a_call(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    for name, resource in loaded.topology.resources.items():
        assert loaded.kinds[name].build(resource, loaded.topology).read


def test_every_kind_says_what_it_needs(tmp_path: Path) -> None:
    loaded = load(tmp_path, service=REGIONAL)
    for name, resource in loaded.topology.resources.items():
        permissions = loaded.kinds[name].permissions
        assert permissions is not None
        said = permissions(resource, loaded.topology, [EAST, WEST])
        for grant in (*said.watch, *said.execute):
            assert grant.on
            assert all(one.startswith(f"projects/{PROJECT}") for one in grant.on)
            assert grant.why or not any("*" in one for one in grant.on)
    assert "compute.regionOperations.list" in str(permissions_of(loaded, "edge"))


def permissions_of(loaded: config.Loaded, name: str) -> Any:
    told = loaded.kinds[name].permissions
    assert told is not None
    return told(loaded.topology.resources[name], loaded.topology, [EAST, WEST])


def test_the_kinds_load_no_vendor() -> None:
    code = "import sys, cloudfail_gcp.loadbalancer, cloudfail_gcp.compute; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in loaded.split()} & {"requests", "urllib3", "yaml"}
    assert "google.auth" not in loaded.split()
