"""The role that the plan for AWS holds, enforced by an emulator of IAM in front of the store that the function opens.

It is enough for everything that the store does, and none of it is too much: without any one action, or for a table of
another name or place, something that the store does is refused, and the error names what was missing.

The emulator evaluates actions and resources. Conditions, boundaries and what organisations forbid are not tried.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from cloudfail.errors import CloudfailError
from cloudfail.ports import Store
from cloudfail_aws.clients import Clients
from cloudfail_aws.dynamodb_store import DynamoDBStore
from cloudfail_aws.store import dynamodb_place
from tests.emulators.aws import emulator
from tests.terraform.plans import ACCOUNT, AWS, planned
from tests.terraform.roots import Workplace

REGION = "eu-central-1"
URL = f"dynamodb://cloudfail?region={REGION}"
ACTIONS = ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")

Policy = dict[str, Any]
Act = Callable[[Policy], Store]

pytestmark = pytest.mark.parametrize("workplace", ["ceiling"], indirect=True)


@pytest.fixture(scope="module")
def rendered(workplace: Workplace) -> Policy:
    """The role's policy, as the plan has it."""
    plan = planned(workplace, AWS, topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:page")
    policy: Policy = json.loads(plan.resources["aws_iam_role_policy.watch"]["policy"])
    return policy


@pytest.fixture(scope="module")
def enforcing() -> Iterator[emulator.Emulator]:
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running(AUTH="true") as one:
        yield one


@pytest.fixture
def act(enforcing: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> Act:
    """What the store does when somebody with that policy uses it: opens, claims, goes on, and reads."""
    for name, value in enforcing.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    enforcing.reset()
    # An access key of twelve digits is that account's owner to the emulator.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    owner = botocore.session.Session()
    owner.create_client("dynamodb", region_name=REGION).create_table(
        TableName="cloudfail",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "log", "AttributeType": "S"},
            {"AttributeName": "seq", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "log", "KeyType": "HASH"}, {"AttributeName": "seq", "KeyType": "RANGE"}],
    )
    iam = owner.create_client("iam", region_name=REGION)
    iam.create_user(UserName="runner")
    key = iam.create_access_key(UserName="runner")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    def acted(policy: Policy) -> Store:
        iam.put_user_policy(UserName="runner", PolicyName="watch", PolicyDocument=json.dumps(policy))
        store = DynamoDBStore(dynamodb_place(URL), Clients())
        assert store.append("shop", 1, b"one")
        assert store.append("shop", 2, b"two")
        assert [entry.body for entry in store.read("shop", 0)] == [b"one", b"two"]
        return store

    return acted


def without(policy: Policy, action: str) -> Policy:
    less = copy.deepcopy(policy)
    for statement in less["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    less["Statement"] = [one for one in less["Statement"] if one["Action"]]
    return less


def test_the_role_is_enough_for_what_the_store_does(act: Act, rendered: Policy) -> None:
    act(rendered)


def test_every_action_on_the_table_is_tried(rendered: Policy) -> None:
    """Those on the function's own log streams are Lambda's, not ours."""
    held = {action for one in rendered["Statement"] if one["Sid"] != "Said" for action in one["Action"]}
    assert held == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_any_one_action_something_is_refused_by_its_name(act: Act, rendered: Policy, action: str) -> None:
    with pytest.raises(CloudfailError, match=action):
        act(without(rendered, action))


@pytest.mark.parametrize(("written", "instead"), [("table/cloudfail", "table/other"), (REGION, "us-east-1")])
def test_for_another_table_everything_is_refused(act: Act, rendered: Policy, written: str, instead: str) -> None:
    other = json.loads(json.dumps(rendered).replace(written, instead))
    assert other != rendered
    with pytest.raises(CloudfailError, match="dynamodb:DescribeTable"):
        act(other)


@pytest.mark.parametrize("operation", ["delete_item", "delete_table", "update_item", "scan"])
def test_what_would_take_entries_away_is_refused(act: Act, rendered: Policy, operation: str) -> None:
    store = act(rendered)
    client = botocore.session.Session().create_client("dynamodb", region_name=REGION)
    more: dict[str, Any] = {"TableName": "cloudfail"}
    if operation.endswith("_item"):
        more["Key"] = {"log": {"S": "shop"}, "seq": {"N": "2"}}
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        getattr(client, operation)(**more)
    assert [entry.seq for entry in store.read("shop", 0)] == [1, 2]
