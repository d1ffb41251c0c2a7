"""An application that an operator set up is drafted from its account; with its blanks filled in, the draft lints, and
the shipped runbook is planned on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.emulators.aws.dns_world import NAME
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.evacuation import EAST, WEST, Site
from tests.emulators.aws.front import ACCOUNT
from tests.emulators.aws.standins.health_checks import as_aws_says_it
from tests.emulators.aws.test_evacuation import aws_front, pair, postgres_root, same_account, site, template
from tests.emulators.wire import Upstream

__all__ = ["aws_front", "pair", "postgres_root", "same_account", "site", "template"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

REGION = re.compile(r"^      (us-\w+-\d):$")
BLANK = re.compile(r'^(\s+)# fill in: (dsn|writer): ".*"$')


def filled_in(text: str, site: Site) -> str:
    """As a person does it: what the draft's comments ask for, and nothing else."""
    lines, region = [], ""
    for line in text.splitlines():
        if found := REGION.match(line):
            region = found[1]
        if found := BLANK.match(line):
            login = {"dsn": "cloudfail", "writer": "shop"}[found[2]]
            line = f'{found[1]}{found[2]}: "{site.servers[region].dsn(login)}"'
        lines.append(line)
    text = "\n".join(lines) + "\n"

    def instead(old: str, new: str) -> None:
        nonlocal text
        assert text.count(old) == 1, old
        text = text.replace(old, new)

    for region in (EAST, WEST):
        there = f'  {region}: {{provider: aws, account: "{ACCOUNT}"'
        instead(there, f'{there}, variables: {{address: "{site.users.address(region)}"}}')
    instead("objectives: {rto: 60m, rpo: 0s}", "objectives: {rto: 30m, rpo: 30s}")
    instead("state: sqlite:state.db", "state: dynamodb://cloudfail?region=eu-central-1")
    ttl = "    ttl: 60s\n"
    instead(ttl, f'{ttl}    resolvers: ["{site.names.address}"]\n    answer_within: 20s\n')
    check = 'checkout: {http: "http://${address}/healthz", every: 2s, timeout: 2s, fall: 2, rise: 1, vantages: 2 of 3}'
    return f"{text}checks:\n  {check}\nvantages: {{one: {{}}, two: {{}}, three: {{}}}}\npolicy: {{scope: site}}\n"


def drafted(site: Site, name: str) -> tuple[int, Path]:
    """What the command says of the account: its exit code, and the file."""
    asked = ("discover", "aws", "--region", EAST, "--region", WEST, "--application", "shop", "--out", name)
    said = site.cloudfail(*asked)
    assert (site.root / name).exists(), said.text
    return said.code, site.root / name


def as_aws_has_it(site: Site, ministack: Emulator) -> None:
    """The site's RDS is one global cluster; other instances are an emulator's. Its health check was made past the
    front, and reaches the bucket by an address; Route 53's checkers do by S3's own name."""
    site.front.serve("rds", "moto", "DescribeDBInstances")
    site.front.serve("route53", as_aws_says_it(Upstream(ministack.port)), "ListHealthChecks", name="ministack")
    check = next(iter(site.zone.health_checks))
    site.zone.client.update_health_check(HealthCheckId=check, FullyQualifiedDomainName=f"s3.{WEST}.amazonaws.com")
    site.front.forget()


def test_an_account_becomes_a_draft_and_the_draft_filled_in_a_plan(site: Site, same_account: Emulator) -> None:
    as_aws_has_it(site, same_account)
    code, path = drafted(site, "drafted.yaml")
    text = path.read_text(encoding="utf-8")
    assert site.front.seen(mutating=True) == []
    unread = [line for line in text.splitlines() if "could not be" in line]
    assert code == 3, "two services that this world does not have"
    assert {line.split()[2] for line in unread} == {"globalaccelerator", "s3control"}
    assert "primary: us-east-1" in text
    assert 'switch: {object: "s3://shop-switch-usw2/us-east-1-out?region=us-west-2"}' in text
    for line in (
        "  web: {compute: autoscaling, members: {us-east-1: web-e, us-west-2: web-w}}",
        "    id: orders-global",
        "        cluster: orders-e",
        "        cluster: orders-w",
    ):
        assert line in text.splitlines()
    assert NAME in text

    alone = site.root / "alone"
    alone.mkdir()
    (alone / "cloudfail.yaml").write_text(text, encoding="utf-8")
    assert "0 findings" in site.cloudfail("lint", "--config", str(alone / "cloudfail.yaml")).text

    path.write_text(filled_in(text, site), encoding="utf-8")
    linted = site.cloudfail("lint", "--from", EAST, "--why", "--config", str(path))
    assert linted.code == 0, linted.text
    assert "0 of them errors" in linted.text
    assert "NOT possible" not in linted.text
    site.lose_east()
    planned = site.cloudfail("plan", EAST, "--config", str(path))
    assert planned.code == 0, planned.text
    assert re.search(r"--plan [0-9a-f]+", planned.text), planned.text
    assert site.changes(region=EAST) == site.changes(region=WEST) == [], "a plan is noted in its store, and that is all"


def test_the_same_account_is_drafted_by_the_same_bytes_in_another_process(site: Site) -> None:
    first, second = (drafted(site, name)[1].read_bytes() for name in ("one.yaml", "two.yaml"))
    assert first == second
