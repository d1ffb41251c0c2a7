"""Lint of several applications' files: who names what another one names too."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.entrypoints.cli import app
from cloudfail.lint.applications import findings

ELB = "arn:aws:elasticloadbalancing:us-west-2:111111111111"
ID = "0123456789abcdef"
LISTENER = f"{ELB}:listener/app/web/{ID}/{ID}"
RULE = f"{ELB}:listener-rule/app/web/{ID}/{ID}/{ID}"
GROUPS = "arn:aws:globalaccelerator::111111111111:accelerator/a1/listener/l1/endpoint-group"
FILE = """\
application: {name}
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws{account}}}
  us-west-2: {{provider: aws{account}}}
primary: us-east-1
state: "{state}"
resources:
  {resource}
"""
ALB = "edge: {{loadbalancer: alb, listener: '{arn}', members: {{us-east-1: {own}-e, us-west-2: {own}-w}}}}"
WORKERS = "web: {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}"
STORE = "dynamodb://cloudfail?region=eu-central-1"


def written(tmp_path: Path, name: str, resource: str, *, state: str = STORE, account: str = "") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    said = f", account: '{account}'" if account else ""
    file = folder / "cloudfail.yaml"
    file.write_text(FILE.format(name=name, resource=resource, state=state, account=said))
    return file


def found(one: Path, other: Path) -> list[tuple[str, str, str]]:
    loaded = [config.load(file, []) for file in (one, other)]
    said = findings(loaded[0], [loaded[1]])
    assert len(said) == len(findings(loaded[1], [loaded[0]])), "the same is found from the other side"
    return [(str(one.severity), one.rule, one.message) for one in said]


def alb(own: str, arn: str = LISTENER) -> str:
    return ALB.format(own=own, arn=arn)


def test_a_list_that_two_applications_write_is_told_and_that_they_wait_for_each_other(tmp_path: Path) -> None:
    shop, billing = written(tmp_path, "shop", alb("s")), written(tmp_path, "billing", alb("b"))
    [(severity, rule, message)] = found(shop, billing)
    assert (severity, rule) == ("warning", "resource-of-two")
    assert message.startswith(f"edge writes aws/elasticloadbalancing/{LISTENER}, as edge of billing does (")
    assert message.endswith("their runs wait for each other")


def test_in_two_stores_they_cannot_and_that_is_an_error(tmp_path: Path) -> None:
    shop = written(tmp_path, "shop", alb("s"))
    billing = written(tmp_path, "billing", alb("b"), state="dynamodb://other?region=eu-central-1")
    [(severity, _, message)] = found(shop, billing)
    assert severity == "error"
    assert "two stores, so that neither waits for the other" in message


def test_a_rule_of_ones_own_is_nobody_s_business(tmp_path: Path) -> None:
    shop = written(tmp_path, "shop", alb("s"))
    rule = alb("b", RULE).replace("listener:", "rule:")
    assert found(shop, written(tmp_path, "billing", rule)) == []


def test_dials_are_shared_by_their_listener_and_schedules_by_their_region(tmp_path: Path) -> None:
    dials = "edge: {{loadbalancer: global-accelerator, members: {{us-east-1: '{0}/{1}', us-west-2: '{0}/{2}'}}}}"
    one = written(tmp_path, "one", dials.format(GROUPS, "e1", "w1"))
    two = written(tmp_path, "two", dials.format(GROUPS, "e2", "w2"))
    assert len(found(one, two)) == 1
    three = written(tmp_path, "three", "nightly: {consumers: schedule, members: {us-east-1: a/b, us-west-2: c}}")
    four = written(tmp_path, "four", "cron: {consumers: schedule, members: {us-east-1: a/b, us-west-2: d}}")
    [(_, _, message)] = found(three, four)
    assert "nightly writes aws/scheduler/us-east-1/a/b, as cron of four does" in message


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [("", "", 1), ("111111111111", "", 1), ("111111111111", "111111111111", 1), ("111111111111", "222222222222", 0)],
)
def test_what_both_move_alone_is_told_unless_it_stands_in_another_account(
    tmp_path: Path, first: str, second: str, count: int
) -> None:
    shop = written(tmp_path, "shop", WORKERS, account=first)
    billing = written(tmp_path, "billing", WORKERS.replace("web:", "workers:"), account=second)
    told = found(shop, billing)
    assert len(told) == count
    assert all("web is workers of billing too" in message for _, _, message in told)


def test_two_files_of_one_application_are_one_to_a_store(tmp_path: Path) -> None:
    shop = written(tmp_path, "shop", alb("s"))
    (tmp_path / "x").mkdir()
    again = written(tmp_path / "x", "shop", alb("b", LISTENER.replace("web", "api")))
    assert [(severity, rule) for severity, rule, _ in found(shop, again)] == [("error", "same-application")]


def test_the_command_takes_files_and_directories_and_says_what_it_was_held_against(tmp_path: Path) -> None:
    shop, billing = written(tmp_path, "shop", alb("s")), written(tmp_path, "billing", alb("b"))
    written(tmp_path, "wiki", WORKERS)
    for beside, files in ((billing, 1), (billing.parent, 1), (tmp_path, 2)):
        said = CliRunner().invoke(app, ["lint", "-c", str(shop), "--with", str(beside)])
        assert said.output.count("[resource-of-two]") == 1, said.output
        assert said.output.splitlines()[-1].count("cloudfail.yaml") == files, "never against itself"
    alone = CliRunner().invoke(app, ["lint", "-c", str(shop)])
    assert "resource-of-two" not in alone.output and "held against" not in alone.output
    (tmp_path / "empty").mkdir()
    said = CliRunner().invoke(app, ["lint", "-c", str(shop), "--with", str(tmp_path / "empty")])
    assert said.exit_code != 0
