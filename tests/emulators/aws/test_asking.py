"""As whom AWS is asked, and how often: against an emulator that enforces the roles' policies, over two accounts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from cloudfail.errors import Conflict, Halted, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail.ports import Call
from cloudfail_aws import provider
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients, session_name
from tests.emulators.aws import emulator
from tests.emulators.aws.faults import proxy

OWNER, OTHER = "111111111111", "222222222222"
REGION, WEST = "us-east-1", "us-west-2"
TABLE = "things"
KEY = {"id": {"S": "one"}}


def role(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def topology(*roles: Roles, resource: Roles | None = None) -> tuple[Resource, Topology]:
    table = Resource("things", PortName.CONSUMERS, "table", "aws", TABLE, {}, roles=resource)
    east, west = roles
    regions = {
        REGION: Region(REGION, "aws", OWNER, roles=east),
        WEST: Region(WEST, "aws", OTHER, roles=west),
    }
    return table, Topology("shop", Objectives(60, 5), regions, REGION, "memory:", {"things": table})


ROLES = (
    Roles(role(OWNER, "watch"), role(OWNER, "execute")),
    Roles(role(OTHER, "watch"), role(OTHER, "execute")),
)


def call(run: str = "us-east-1-7c1f-ab12", epoch: int = 7, seconds: float = 10.0, **more: Any) -> Call:
    return Call(run, "step", epoch, f"{run}/step", seconds, more.pop("check", lambda: None))


@pytest.fixture(scope="module")
def enforcing() -> Iterator[emulator.Emulator]:
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running(AUTH="true") as one:
        yield one


@pytest.fixture
def accounts(enforcing: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> emulator.Emulator:
    """A table in each of two accounts, with a role that reads and a role that writes; the process itself is a user of
    the first that may do nothing but take on these roles."""
    for name, value in enforcing.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    enforcing.reset()
    for account, region in ((OWNER, REGION), (OTHER, WEST)):
        # An access key of twelve digits is that account's owner to the emulator.
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
        owner = botocore.session.Session()
        owner.create_client("dynamodb", region_name=region).create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        iam = owner.create_client("iam", region_name=region)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"}, "Action": "sts:AssumeRole"}
        for name, actions in (("watch", ["dynamodb:GetItem"]), ("execute", ["dynamodb:PutItem"])):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
            allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_policy(allowed))
        if account == OWNER:
            iam.create_user(UserName="runner")
            may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
            iam.put_user_policy(UserName="runner", PolicyName="may", PolicyDocument=_policy(may))
            key = iam.create_access_key(UserName="runner")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    return enforcing


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def put(asking: Asking, region: str, made: Call) -> None:
    asking.change("dynamodb", region, "put_item", call=made, TableName=TABLE, Item=KEY)


def got(asking: Asking, region: str) -> dict[str, Any]:
    return asking.read("dynamodb", region, "get_item", within=10, TableName=TABLE, Key=KEY)


@pytest.mark.parametrize("region", [REGION, WEST])
def test_reads_go_out_as_who_watches_and_changes_as_who_executes(accounts: emulator.Emulator, region: str) -> None:
    asking = Asking.of(*topology(*ROLES))
    assert "Item" not in got(asking, region)
    put(asking, region, call())
    assert got(asking, region)["Item"] == KEY


def test_who_watches_may_change_nothing_and_who_executes_reads_nothing(accounts: emulator.Emulator) -> None:
    swapped = Roles(watch=ROLES[0].execute, execute=ROLES[0].watch)
    asking = Asking.of(*topology(swapped, ROLES[1]))
    with pytest.raises(Permanent, match="GetItem"):
        got(asking, REGION)
    with pytest.raises(Permanent, match="PutItem"):
        put(asking, REGION, call())
    assert "Item" not in got(Asking.of(*topology(*ROLES)), REGION)


def test_without_roles_it_is_the_process_itself_that_asks(accounts: emulator.Emulator) -> None:
    with pytest.raises(Permanent, match="GetItem"):
        got(Asking.of(*topology(Roles(), Roles())), REGION)


def test_a_resource_of_another_account_is_asked_under_its_own_roles(accounts: emulator.Emulator) -> None:
    """A table of the second account, in the region whose other resources belong to the first."""
    asking = Asking.of(*topology(ROLES[0], ROLES[0], resource=ROLES[1]))
    put(asking, WEST, call())
    assert got(asking, WEST)["Item"] == KEY


def test_the_session_says_which_run_and_which_lease_it_was(aws: emulator.Emulator) -> None:
    asking = Asking.of(*topology(*ROLES))

    def who(made: Call | None) -> str:
        if made is None:
            return str(asking.read("sts", REGION, "get_caller_identity", within=5)["Arn"])
        return str(asking.change("sts", REGION, "get_caller_identity", call=made)["Arn"])

    assert who(None) == f"arn:aws:sts::{OWNER}:assumed-role/watch/cloudfail"
    for epoch in (7, 31, 31, 7):
        assert who(call(epoch=epoch)).endswith(f":assumed-role/execute/cloudfail-us-east-1-7c1f-ab12-{epoch}")
    assert who(None).endswith("/watch/cloudfail")


def test_what_an_older_lease_was_given_is_forgotten(aws: emulator.Emulator) -> None:
    clients = Clients()
    asking = Asking(*topology(*ROLES), clients)
    execute = ROLES[0].execute
    old = clients.get("dynamodb", REGION, execute, session_name("r1", 7))
    watching = clients.get("dynamodb", REGION, ROLES[0].watch)
    with pytest.raises(Permanent):
        put(asking, REGION, call("r1", 9))
    assert clients.get("dynamodb", REGION, ROLES[0].watch) is watching
    assert clients.get("dynamodb", REGION, execute, session_name("r1", 7)) is not old


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("us-east-1-7c1f-ab12", "cloudfail-us-east-1-7c1f-ab12-7"),
        ("west/7c1f 'x'", "cloudfail-west-7c1f--x--7"),
        ("a" * 70 + "-7c1f-ab12", "cloudfail-" + "a" * 38 + "..aa-7c1f-ab12-7"),
    ],
)
def test_a_session_s_name_is_one_that_aws_takes(run: str, name: str) -> None:
    assert session_name(run, 7) == name
    assert len(name) <= 64


def test_a_change_that_may_not_be_made_is_not_sent(accounts: emulator.Emulator) -> None:
    asking = Asking.of(*topology(*ROLES))
    for error in (LeaseLost("Another worker took over."), Halted("bob asked to pause.")):

        def check(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)):
            put(asking, REGION, call(check=check))
    assert "Item" not in got(asking, REGION)


def test_credentials_are_there_before_the_check_not_between_it_and_the_request(
    accounts: emulator.Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With STS out, the run's last check is not spent: nothing was about to be sent."""
    checked: list[int] = []
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    with pytest.raises(Transient, match="No credentials yet"):
        put(Asking.of(*topology(*ROLES)), REGION, call(seconds=2.0, check=lambda: checked.append(1)))
    assert checked == []


def test_a_role_that_may_not_be_taken_on_is_said_so(accounts: emulator.Emulator) -> None:
    nobody = Roles(role(OWNER, "nobody"), role(OWNER, "nobody"))
    with pytest.raises(Permanent, match="AssumeRole"):
        put(Asking.of(*topology(nobody, nobody)), REGION, call())


def test_a_read_is_made_again_when_its_answer_was_lost(aws: emulator.Emulator, sdk: Any) -> None:
    sdk("dynamodb", REGION).create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with proxy(aws.port) as wire, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", wire.url)
        asking = Asking.of(*topology(Roles(), Roles()))
        wire.lose(b"GetItem", 2)
        assert "Item" not in got(asking, REGION)
        assert wire.lost == 2


def test_a_change_whose_answer_was_lost_is_not_made_again(aws: emulator.Emulator, sdk: Any) -> None:
    queue = sdk("sqs", REGION).create_queue(QueueName="things")["QueueUrl"]
    with proxy(aws.port) as wire, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", wire.url)
        asking = Asking.of(*topology(Roles(), Roles()))
        for how in ("closed", "busy"):
            wire.lose(b"SendMessage", 1, how)
            with pytest.raises(OutcomeUnknown):
                asking.change("sqs", REGION, "send_message", call=call(), QueueUrl=queue, MessageBody=how)
    said = sdk("sqs", REGION).get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert said["ApproximateNumberOfMessages"] == "2", "each once: its effect was there although its answer was not"


def test_a_condition_that_does_not_hold_is_a_conflict(aws: emulator.Emulator, sdk: Any) -> None:
    sdk("s3", REGION).create_bucket(Bucket="things")
    asking = Asking.of(*topology(Roles(), Roles()))
    for_one = {"Bucket": "things", "Key": "one", "Body": b"", "IfNoneMatch": "*"}
    asking.change("s3", REGION, "put_object", call=call(), **for_one)
    with pytest.raises(Conflict):
        asking.change("s3", REGION, "put_object", call=call(), **for_one)


def test_all_pages_are_read(aws: emulator.Emulator, sdk: Any) -> None:
    asking = Asking.of(*topology(Roles(), Roles()))
    tables = sdk("dynamodb", REGION)
    for index in range(5):
        tables.create_table(
            TableName=f"table-{index}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    found = asking.pages("dynamodb", REGION, "list_tables", "TableNames", within=10, Limit=2)
    assert found == [f"table-{index}" for index in range(5)]


def test_the_provider_says_who_it_is(aws: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    known = provider.identity()
    assert isinstance(known, Known)
    assert known.value.startswith("arn:aws:")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    unknown = provider.identity()
    assert isinstance(unknown, Unknown)
    assert unknown.reason
