"""A plan over names of Route 53: what its API protects or does not count is a refusal, and its silence is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from cloudfail import config
from cloudfail.app import App, Review
from cloudfail.stores.memory import MemoryStore
from tests.emulators.aws.front import Front
from tests.emulators.listening import listening
from tests.emulators.wire import Answer, Request

EAST, WEST = "us-east-1", "us-west-2"
NAME = "www.shop.example."
ADDRESS = {EAST: "192.0.2.1", WEST: "192.0.2.2"}
TOPOLOGY = """\
application: shop
objectives: {{rto: 30m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "{account}"}}
  us-west-2: {{provider: aws, account: "{account}"}}
primary: us-east-1
state: "memory:"
resources:
  www: {{dns: route53, zone: {zone}, name: www.shop.example, ttl: 60s, resolvers: ["127.0.0.1:9"], answer_within: 2s,
        {more}}}
checks: {{up: {{tcp: "127.0.0.1:{port}"}}}}
"""
RUNBOOK = """\
name: move
mode: {mode}
steps:
  freeze: {{action: change.freeze, with: {{where: "${{to}}"}}, limit: 20s}}
  freeze_old: {{action: change.freeze, with: {{where: "${{from}}", unreachable: owe}}, limit: 20s}}
  traffic: {{action: traffic.switch, with: {{name: www}}, needs: [freeze, freeze_old], limit: 5m}}
  users: {{action: verify.users, with: {{check: up}}, needs: [traffic], limit: 3m}}
  unfreeze: {{action: change.unfreeze, with: {{where: "${{to}}"}}, needs: [users], limit: 20s}}
"""
PROTECTIONS = (
    '<?xml version="1.0"?><ListResourceRecordSetProtectionsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
    "<ResourceRecordSetProtections><ResourceRecordSetProtection><RecordName>www.shop.example.</RecordName>"
    "<RecordType>A</RecordType>{}</ResourceRecordSetProtection></ResourceRecordSetProtections>"
    "<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListResourceRecordSetProtectionsResponse>"
)


class Zone:
    def __init__(self, front: Front, tmp_path: Path, port: int) -> None:
        self.front, self.tmp_path, self.port = front, tmp_path, port
        session = botocore.session.Session()
        self.sdk = session.create_client("route53", region_name=EAST)
        self.s3 = session.create_client("s3", region_name=WEST)
        self.id = self.sdk.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"][12:]

    def put(self, address: str, **more: Any) -> None:
        record = {
            "Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}], **more,
        }  # fmt: skip
        self.sdk.change_resource_record_sets(
            HostedZoneId=self.id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )

    def check(self, *, disabled: bool) -> str:
        config = {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "Disabled": disabled}
        made = self.sdk.create_health_check(CallerReference=str(disabled), HealthCheckConfig=config)
        return str(made["HealthCheck"]["Id"])

    def protect(self, extra: str = "") -> None:
        said = PROTECTIONS.format(extra).encode()

        def answer(_request: Request) -> Answer:
            return Answer(200, (("Content-Type", "text/xml"),), said)

        self.front.serve("route53", answer, "ListResourceRecordSetProtections")

    def review(self, more: str = "", mode: str = "switchover") -> Review:
        members = f"members: {{us-east-1: {ADDRESS[EAST]}, us-west-2: {ADDRESS[WEST]}}}"
        topology, runbook = self.tmp_path / "cloudfail.yaml", self.tmp_path / "move.yaml"
        topology.write_text(TOPOLOGY.format(account="123456789012", zone=self.id, more=more or members, port=self.port))
        runbook.write_text(RUNBOOK.format(mode=mode))
        return App(config.load(topology, [runbook]), MemoryStore(), "alice").review(EAST, WEST, "move")


@pytest.fixture
def zone(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with listening() as port:
        yield Zone(front, tmp_path, port)


def named(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("www: ")]


@pytest.mark.timeout(120)
def test_a_protected_record_set_refuses_the_plan(zone: Zone) -> None:
    zone.put(ADDRESS[EAST])
    zone.protect()
    assert any("is protected against changes" in line for line in zone.review().refusals)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("disabled", [False, True])
def test_a_disabled_health_check_refuses_the_plan_and_one_that_counts_does_not(zone: Zone, disabled: bool) -> None:
    check = zone.check(disabled=disabled)
    for region, weight in ((EAST, 100), (WEST, 0)):
        zone.put(ADDRESS[region], SetIdentifier=region, Weight=weight, HealthCheckId=check)
    zone.front.serve("route53", empty, "ListResourceRecordSetProtections")
    members = ", ".join(
        f"{region}: {{answers: [{ADDRESS[region]}], health_check: {check}}}" for region in ADDRESS
    )  # fmt: skip
    refusals = named(zone.review(f"routing: weighted, members: {{{members}}}").refusals)
    assert any("is disabled" in line for line in refusals) is disabled, refusals


def empty(_request: Request) -> Answer:
    body = PROTECTIONS.partition("<ResourceRecordSetProtection>")[0] + "</ResourceRecordSetProtections>"
    body += "<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListResourceRecordSetProtectionsResponse>"
    return Answer(200, (("Content-Type", "text/xml"),), body.encode())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["silence", "refuse", "throttle"])
def test_a_switch_of_the_data_plane_is_planned_while_route_53_says_nothing(zone: Zone, how: str) -> None:
    zone.s3.create_bucket(Bucket="shop-switch", CreateBucketConfiguration={"LocationConstraint": WEST})
    getattr(zone.front.outages, how)(service="route53")
    more = (
        "switch: {object: 's3://shop-switch/us-east-1-out?region=us-west-2'}, "
        f"members: {{us-east-1: {ADDRESS[EAST]}, us-west-2: {ADDRESS[WEST]}}}"
    )
    review = zone.review(more, mode="failover")
    assert named(review.refusals) == []
    assert any("would refuse its change is not known" in line for line in named(review.warnings)), review.warnings
    assert review.previews["traffic"].state == "todo", review.previews
