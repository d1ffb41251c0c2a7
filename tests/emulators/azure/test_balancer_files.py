"""What is written in cloudfail.yaml for the balancers of azure-mgmt-network, and what lint is told of them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_azure import provider
from tests.emulators.azure.balancing import NORTH, WEST

PAGE = (Path(__file__).parents[3] / "docs" / "azure.md").read_text(encoding="utf-8")
HEAD = f"""\
application: shop
objectives: {{rto: 90m, rpo: 30s}}
regions:
  {WEST}: {{provider: azure, account: 11111111-2222-3333-4444-555555555555}}
  {NORTH}: {{provider: azure, account: 11111111-2222-3333-4444-555555555555}}
primary: {WEST}
state: "sqlite:state.db"
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  lead: {action: traffic.switch, with: {name: edge}, limit: 60m}
"""


def loaded(tmp_path: Path, kind: str, *changes: tuple[str, str]) -> config.Loaded:
    """The page's own example of that kind."""
    example = next(one for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if f"loadbalancer: {kind}\n" in one)
    text = HEAD + textwrap.dedent(example)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "cloudfail.yaml").write_text(text)
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"azure": provider})


@pytest.mark.parametrize(
    ("kind", "home"), [("azure-load-balancer", "uksouth"), ("application-gateway", "swedencentral")]
)
def test_the_pages_example_loads_and_lint_refuses_it_where_its_region_is_left(
    tmp_path: Path, kind: str, home: str
) -> None:
    def rules(found: config.Loaded) -> list[str]:
        return [one.rule for one in lint(found, source=WEST, target=NORTH)]

    assert "control-plane-home" not in rules(loaded(tmp_path, kind))
    assert "control-plane-home" in rules(loaded(tmp_path, kind, (f"region: {home}", f"region: {WEST}")))


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("azure-load-balancer", "/backendAddressPools/regions", "", "no id of a backend address pool"),
        ("azure-load-balancer", "region: uksouth", "region: UK South", "region"),
        ("azure-load-balancer", "{addresses: [north-1, north-2]}", "{addresses: []}", "addresses"),
        (
            "application-gateway",
            "/applicationGateways/shop\n",
            "/loadBalancers/shop\n",
            "no id of an application gateway",
        ),
        ("application-gateway", "/backendAddressPools/north", "/probes/north", "no id of a backend pool"),
        ("application-gateway", "    rule: https\n", "", "rule"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(tmp_path: Path, kind: str, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(tmp_path, kind, (old, new))
