"""What cloudfail.yaml says of URL maps and forwarding rules on Google Cloud, and what lint is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_gcp import provider
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST

SERVICE = f"projects/{PROJECT}/global/backendServices/web"
MAP = f"projects/{PROJECT}/global/urlMaps/edge"
RULE = f"projects/{PROJECT}/global/forwardingRules/edge"
TARGET = f"projects/{PROJECT}/global/targetTcpProxies/web"
FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-central1: {{provider: gcp, account: shop-prod}}
  europe-west1: {{provider: gcp, account: shop-prod}}
primary: us-central1
state: "sqlite:state.db"
resources:
  edge: {{loadbalancer: url-map, url_map: "{map}"{route},
         members: {{us-central1: "{service}-e", europe-west1: "{service}-w"}}}}
  tcp:  {{loadbalancer: forwarding-rule, forwarding_rule: "{rule}",
         members: {{us-central1: "{target}-e", europe-west1: {west}}}}}
"""
RUNBOOK = """\
name: home
mode: switchover
steps:
  traffic: {action: traffic.ramp, with: {name: edge, to: "${to}", steps: [10, 50, 100], hold: 1m}, limit: 15m}
"""


def load(tmp_path: Path, **changes: str) -> config.Loaded:
    written = {"service": SERVICE, "map": MAP, "rule": RULE, "target": TARGET, "west": f'"{TARGET}-w"', "route": ""}
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(**(written | changes)))
    (tmp_path / "home.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "home.yaml"], {"gcp": provider})


def test_a_path_and_a_url_that_ends_in_it_are_the_same(tmp_path: Path) -> None:
    url = "https://www.googleapis.com/compute/v1/"
    plain = load(tmp_path).topology.resources
    assert load(tmp_path, service=url + SERVICE, map=url + MAP, target=url + TARGET).topology.resources == plain
    assert plain["edge"].members[WEST] == {"service": f"{SERVICE}-w"}
    assert plain["tcp"].members[EAST] == {"target": f"{TARGET}-e", "backend_services": ()}
    behind = f'{{target: "{TARGET}-w", backend_services: ["{SERVICE}-w"]}}'
    longer = load(tmp_path, west=behind).topology.resources
    assert longer["tcp"].members[WEST] == {"target": f"{TARGET}-w", "backend_services": (f"{SERVICE}-w",)}


@pytest.mark.parametrize(
    ("changes", "said", "instead"),
    [
        ({"map": "edge"}, "no path of a global URL map", "global/urlMaps/NAME"),
        ({"map": MAP.replace("global", f"regions/{EAST}")}, "its own region alone", "global/urlMaps/NAME"),
        ({"rule": RULE.replace("global", f"regions/{EAST}")}, "its own region alone", "global/forwardingRules/NAME"),
        ({"target": f"projects/{PROJECT}/global/urlMaps/web"}, "no path of a global target proxy", "targetTcpProxies"),
        ({"service": SERVICE.replace("global", f"regions/{EAST}")}, "no path of a global backend service", "global/"),
        ({"route": ", path: /api/*"}, "stands in a path matcher", "matcher: NAME"),
        ({"route": ", matcher: api, path: /api/*, priority: 3"}, "name two rules", ""),
        ({"route": ", matcher: api, path: api"}, "path", ""),
        ({"route": ", routing: evenly"}, "routing", ""),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, changes: dict[str, Any], said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, **changes)
    assert said in str(raised.value)
    assert instead in str(raised.value)


@pytest.mark.parametrize(("route", "refused"), [("", True), (", routing: weighted", False)])
def test_lint_knows_which_route_can_be_ramped(tmp_path: Path, route: str, refused: bool) -> None:
    found = [one.message for one in lint(load(tmp_path, route=route)) if one.rule == "ramp"]
    assert any("cannot be given" in message for message in found) is refused


def test_each_is_built_without_a_call_and_writes_to_a_log_of_its_own_name(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    for name, resource in loaded.topology.resources.items():
        assert loaded.kinds[name].build(resource, loaded.topology).read
    shared = [loaded.kinds[name].shared_names(one, loaded.topology) for name, one in loaded.topology.resources.items()]
    assert shared == [(f"gcp/compute/{MAP}",), (f"gcp/compute/{RULE}",)]
