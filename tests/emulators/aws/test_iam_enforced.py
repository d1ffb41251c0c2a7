"""The policies that are printed, enforced by ministack itself over roles that are taken on: for the kinds whose actions
and resources it holds against a policy as AWS does. (Of RDS it takes no global cluster for a resource, of the default
bus it words a rule's ARN otherwise, of event source mappings it takes one action for another: those go by the gate.)"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from cloudfail.errors import Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail_aws import provider
from cloudfail_aws.asking import Asking
from cloudfail_aws.consumers.options import RuleMember, ScheduleMember
from cloudfail_aws.consumers.rule import Rule
from cloudfail_aws.consumers.schedule import Schedule
from cloudfail_aws.database.dynamodb_global import DynamoDBGlobal
from cloudfail_aws.dns import s3_switch
from cloudfail_aws.dns.route53 import Route53
from cloudfail_aws.loadbalancer.cloudfront import CloudFront
from tests.emulators.aws import (
    balancing,
    databases,
    dns_world,
    emulator,
    members,
    test_cloudfront,
    test_dynamodb_global,
)
from tests.emulators.aws.dns_world import ADDRESS, EAST, NAME, WEST, ZoneFile, record
from tests.emulators.aws.front import ACCOUNT
from tests.emulators.aws.gate import EXECUTE, WATCH, policies_of, with_roles, without
from tests.emulators.aws.test_consumers import WHOLE

TO_WEST, TO_EAST = {EAST: 0, WEST: 100}, {EAST: 100, WEST: 0}
Sdk = Callable[[str, str], Any]
Made = tuple[Resource, Topology, Callable[[Asking], Any]]


@pytest.fixture(scope="module")
def enforcing() -> Iterator[emulator.Emulator]:
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running(AUTH="true") as one:
        yield one


@pytest.fixture
def owner(enforcing: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> Sdk:
    """The account's owner. The process itself is a user that may do nothing but take on the two roles."""
    for name, value in emulator.sdk_environment(enforcing.url, ACCOUNT).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    enforcing.reset()
    session = botocore.session.Session()
    session.set_credentials(ACCOUNT, "test")

    def client(service: str, region: str) -> Any:
        return session.create_client(service, region_name=region)

    iam = client("iam", EAST)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    for role in (WATCH, EXECUTE):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=_document(trust))
    iam.create_user(UserName="runner")
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName="runner", PolicyName="may", PolicyDocument=_document(may))
    key = iam.create_access_key(UserName="runner")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    return client


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def a_name(sdk: Sdk) -> Made:
    zone = ZoneFile(sdk("route53", EAST))
    zone.put(record(ADDRESS[EAST]))
    of = dns_world.resource("route53", {"zone": zone.id, "name": NAME, "answer_within": "60s"}, ADDRESS)
    whole = with_roles(dns_world.topology())
    return of, whole, lambda asking: Route53(of, whole, asking)


def a_switch(sdk: Sdk) -> Made:
    sdk("s3", WEST).create_bucket(Bucket="shop-out", CreateBucketConfiguration={"LocationConstraint": WEST})
    options = {"name": NAME, "object": "s3://shop-out/us-east-1-out", "answer_within": "60s"}
    of = dns_world.resource("s3-switch", options, ADDRESS)
    whole = with_roles(dns_world.topology())
    return of, whole, lambda asking: s3_switch.build(of, whole, asking)


def a_distribution(sdk: Sdk) -> Made:
    config = test_cloudfront.configuration()
    made = sdk("cloudfront", EAST).create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    of, whole = balancing.topology("cloudfront", {EAST: "east", WEST: "west"}, distribution=made)
    return of, with_roles(whole), CloudFront


def a_rule(sdk: Sdk) -> Made:
    sdk("events", WEST).create_event_bus(Name="shop-bus")
    sdk("events", WEST).put_rule(Name="orders", EventBusName="shop-bus", EventPattern='{"source": ["shop"]}')
    of = members.resource(PortName.CONSUMERS, "eventbridge-rule", {WEST: "shop-bus/orders"}, "jobs")
    found = {WEST: RuleMember.model_validate(of.members[WEST])}
    return of, with_roles(members.topology(of)), lambda asking: Rule(asking, found)


def a_schedule(sdk: Sdk) -> Made:
    sdk("scheduler", WEST).create_schedule(Name="books", State="ENABLED", **WHOLE)
    of = members.resource(PortName.CONSUMERS, "schedule", {WEST: "books"}, "jobs")
    found = {WEST: ScheduleMember.model_validate(of.members[WEST])}
    return of, with_roles(members.topology(of)), lambda asking: Schedule(asking, found)


def a_global_table(sdk: Sdk) -> Made:
    def owned(region: str) -> Any:
        return sdk("dynamodb", region)

    test_dynamodb_global.create(owned, [("session", "HASH", "S")], WEST)
    of = databases.resource("dynamodb-global", dict.fromkeys((EAST, WEST), test_dynamodb_global.TABLE))
    whole = with_roles(databases.topology(of))
    return of, whole, lambda asking: DynamoDBGlobal(of, whole)


def writes(table: DynamoDBGlobal) -> bool:
    """Whether all that a run asks of it goes, in each region."""
    for region in (EAST, WEST):
        if isinstance(table.read(region), Unknown) or isinstance(table.beat(region), Unknown):
            return False
        try:
            table.write_canary(region, "r1/write", call=dns_world.call())
        except Permanent:
            return False
        if isinstance(table.read_canary(region, "r1/write"), Unknown):
            return False
    return True


def turns(port: Any) -> bool:
    """Whether all that a run asks of it goes: there, and back. False where a look is unknown or a change is refused."""
    if isinstance(port, DynamoDBGlobal):
        return writes(port)
    is_switch = hasattr(port, "enable")
    for wanted in (False, True) if is_switch else (TO_WEST, TO_EAST):
        seen = port.read(WEST) if is_switch else port.read()
        if isinstance(seen, Unknown):
            return False
        try:
            if is_switch:
                port.enable(WEST, wanted, expect=seen.value, call=dns_world.call())
            else:
                port.shift(wanted, expect=seen.value, call=dns_world.call())
        except Permanent:
            return False
    return True


# What the emulator lets pass, and AWS does not: the gate's to show. So it is with GetObject of whoever deletes by ETag.
PASSES = {
    "route53:ListResourceRecordSetProtections": "it serves no protections; only a preflight asks for them",
    "iam:PassRole": "it asks nothing of who passes a schedule's role on",
}


@pytest.mark.parametrize("make", [a_name, a_switch, a_distribution, a_rule, a_schedule, a_global_table])
def test_ministack_lets_exactly_what_is_printed_do_all_of_it(owner: Sdk, make: Callable[[Sdk], Made]) -> None:
    of, whole, adapter = make(owner)
    kind = provider.kinds()[of.port, of.kind]
    policies = policies_of(kind, of, whole, (EAST, WEST))
    iam = owner("iam", EAST)

    def attach(role: str, policy: Any) -> None:
        if policy["Statement"]:
            iam.put_role_policy(RoleName=role, PolicyName="may", PolicyDocument=json.dumps(policy))
        else:
            iam.delete_role_policy(RoleName=role, PolicyName="may")

    port = adapter(Asking.of(of, whole))
    assert not turns(port), "nothing is allowed yet"
    for role, policy in policies.items():
        attach(role, policy)
    assert turns(port)
    for role, policy in policies.items():
        for what, less in without(policy):
            action = what.rpartition(" ")[2]
            if action in PASSES or (role, action) == (EXECUTE, "s3:GetObject"):
                continue
            attach(role, less)
            assert not turns(port), f"{role} without {what}"
            attach(role, policy)
            assert turns(port), "and all is where it was before"
