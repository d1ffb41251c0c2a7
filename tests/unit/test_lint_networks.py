"""A path or an address moves traffic: what holds for the order of traffic holds for it, and it is to be proven."""

# ruff: noqa: E501 - a runbook, as a table

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.lint import Finding, lint
from cloudfail.testing.provider import FakeProvider
from tests.kit import ROOT

TOPOLOGY = (ROOT / "tests/fixtures/moves/networked.yaml").read_text(encoding="utf-8")
RUNBOOK = """\
name: evacuate
mode: failover
steps:
  freeze:     {action: change.freeze,        with: {where: "${to}"},                       limit: 60s}
  fence:      {action: database.fence,       with: {database: orders, unreachable: owe},   needs: [freeze],  limit: 60s}
  approve:    {gate: approval,                                                             needs: [fence],   expires: 10m}
  promote:    {action: database.failover,    with: {database: orders},                     needs: [approve], limit: 4m}
  scale:      {action: compute.scale,        with: {group: web, like: "recorded ${from}"}, needs: [freeze],  limit: 4m}
  write:      {action: verify.write,         with: {database: orders},                     needs: [promote], limit: 30s}
  path:       {action: network.route,        with: {network: backbone},                    needs: [write, scale], limit: 2m}
  address:    {action: network.move_address, with: {network: vip},                         needs: [write, scale], limit: 2m}
  users:      {action: verify.users,         with: {check: shop},                          needs: [path, address], limit: 60s}
  unfreeze:   {action: change.unfreeze,      with: {where: "${to}"},                       needs: [users],   limit: 60s}
"""


def found(
    tmp_path: Path, runbook: str = RUNBOOK, topology: str = TOPOLOGY, *, target: str | None = None
) -> list[Finding]:
    (tmp_path / "cloudfail.yaml").write_text(topology)
    (tmp_path / "evacuate.yaml").write_text(runbook)
    providers = {"local": FakeProvider("local")}
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "evacuate.yaml"], providers)
    source = {"west": "east", "east": "west"}.get(target or "")
    ours = ("state-store", "rto", "identities")
    return [one for one in lint(loaded, source=source, target=target) if one.rule not in ours]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_a_runbook_that_keeps_the_order_is_clean(tmp_path: Path) -> None:
    assert [str(one) for one in found(tmp_path) if one.severity == "error" or one.step in ("path", "address")] == []


@pytest.mark.parametrize(
    ("rule", "step", "old", "new", "message"),
    [
        ("promote-before-traffic", "path", "backbone},                    needs: [write, scale]",
         "backbone}, needs: [scale]", "path sends users without waiting for promote"),
        ("capacity-before-traffic", "address", "vip},                         needs: [write, scale]",
         "vip}, needs: [write]", "address sends users without waiting for scale"),
        ("users-after-traffic", "users", "needs: [path, address]", "needs: [path]",
         "users looks for users without waiting for address"),
        ("freeze-first", "path", "backbone},                    needs: [write, scale]", "backbone}",
         "path changes something before changes in ${to} are frozen"),
        ("source-as-target", "path", "{network: backbone}", '{network: backbone, to: "${from}"}',
         "path (network.route) is told to use ${from}"),
        ("verb-of-the-kind", "path", "{network: backbone}", "{network: vip}",
         "path: a network of kind elastic-ip has no route"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_an_error_at_its_step(
    tmp_path: Path, rule: str, step: str, old: str, new: str, message: str
) -> None:
    errors = {
        (one.rule, one.step): one.message
        for one in found(tmp_path, changed(RUNBOOK, old, new))
        if one.severity == "error"
    }
    assert message in errors[rule, step]


def test_the_order_may_be_set_aside_with_a_reason(tmp_path: Path) -> None:
    early = changed(
        RUNBOOK,
        "backbone},                    needs: [write, scale], limit: 2m",
        "backbone}, needs: [scale], limit: 2m, override: {promote-before-traffic: replication needs it}",
    )
    (said,) = [one for one in found(tmp_path, early) if one.rule == "promote-before-traffic"]
    assert (said.severity, said.overridden) == ("warning", "replication needs it")


def test_a_restore_moves_no_path(tmp_path: Path) -> None:
    restore = changed(RUNBOOK, "mode: failover", "mode: restore")
    assert {"path", "address"} <= {one.step for one in found(tmp_path, restore) if one.rule == "mode"}


def test_nothing_proves_it_is_a_warning_where_no_member_says_what_must_answer(tmp_path: Path) -> None:
    mute = changed(TOPOLOGY, '{hop: tgw-w, reach: "198.18.20.1:22"}', "{hop: tgw-w}")
    for target in (None, "west"):
        (said,) = [one for one in found(tmp_path, topology=mute, target=target) if one.rule == "nothing-proves-it"]
        assert (said.severity, said.step) == ("warning", "path")
        assert "nothing is asked through it in west" in said.message
        assert "reach" in said.instead
    assert not [one for one in found(tmp_path, topology=mute, target="east") if one.rule == "nothing-proves-it"]


def test_a_path_needs_a_member_where_it_is_led_to(tmp_path: Path) -> None:
    alone = changed(TOPOLOGY, ', west: {hop: tgw-w, reach: "198.18.20.1:22"}', "")
    (said,) = [one for one in found(tmp_path, topology=alone, target="west") if one.rule == "no-member"]
    assert (said.severity, said.message) == ("error", "path: backbone has no member in west")
