"""The fence by network ACL against moto's EC2: what is written, what counts as standing, and what that is worth.

That an ACL also cuts connections made before it is AWS's word (VPC user guide); no emulator filters packets.
"""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from cloudfail.errors import Conflict, LeaseLost, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws.database.rds_replica import RdsReplica
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.emulator import Emulator


class Account:
    """orders-e behind an ACL of its own, orders-w its replica. Nobody here reaches them over SQL."""

    def __init__(self) -> None:
        session = botocore.session.Session()
        self.ec2 = session.create_client("ec2", region_name=EAST)
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.acl = self.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        self.entry(100, "allow")
        rds = {region: session.create_client("rds", region_name=region) for region in (EAST, WEST)}
        arn = rds[EAST].create_db_instance(
            DBInstanceIdentifier="orders-e", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
            MasterUsername="owner", MasterUserPassword="not-asked-for",
        )["DBInstance"]["DBInstanceArn"]  # fmt: skip
        rds[WEST].create_db_instance_read_replica(
            DBInstanceIdentifier="orders-w", SourceDBInstanceIdentifier=arn, DBInstanceClass="db.t3.micro"
        )
        self.clients = WorldClients()

    def entry(self, number: int, action: str) -> None:
        self.ec2.create_network_acl_entry(
            NetworkAclId=self.acl,
            RuleNumber=number,
            Protocol="-1",
            RuleAction=action,
            Egress=False,
            CidrBlock="0.0.0.0/0",
        )

    def numbers(self) -> set[int]:
        (acl,) = self.ec2.describe_network_acls(NetworkAclIds=[self.acl])["NetworkAcls"]
        return {one["RuleNumber"] for one in acl["Entries"] if not one["Egress"]} - {32767}

    def database(self, *fences: str, **network: Any) -> RdsReplica:
        east = {"instance": "orders-e", "network": {"acls": [self.acl], **network}}
        members = {EAST: east, WEST: "orders-w"}
        one = databases.resource(
            "rds-replica", members, fences=list(fences or ("logins", "network-acl")), api_within="25s"
        )
        return RdsReplica(one, databases.topology(one), self.clients)


@pytest.fixture
def account(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    return Account()


def fenced(database: RdsReplica, epoch: int = 10) -> None:
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("network-acl",)
    database.fence(EAST, WEST, expect=state, call=Calls().make(epoch))


def test_entries_that_stand_are_owed_for_silence_is_no_refusal(account: Account) -> None:
    database = account.database()
    fenced(database)
    assert account.numbers() == {1, 2, 100}
    state = known(database.fence_state(EAST, WEST))
    assert (state.outcome, state.methods_left) == (FenceOutcome.OWED, ())
    assert "network-acl stands" in state.evidence


def test_with_the_operators_word_that_there_is_no_other_way_it_prevents(account: Account) -> None:
    database = account.database(prevents=True)
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.NONE
    fenced(database)
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PREVENTED


def test_behind_it_the_old_writer_shows_as_one_that_takes_no_writes(account: Account) -> None:
    """Or nobody could lift it: to whoever asks the server, it is only silent."""
    database = account.database()
    assert isinstance(database.read(EAST), Unknown)
    fenced(database)
    state = known(database.read(EAST))
    assert (state.role, state.writable) == (Role.PRIMARY, False)
    fence = known(database.fence_state(EAST, WEST))
    database.unfence(EAST, expect=fence, call=Calls().make(11))
    assert account.numbers() == {100}
    assert isinstance(database.read(EAST), Unknown)


def test_entries_are_written_once(account: Account) -> None:
    database = account.database()
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    with pytest.raises(Conflict):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert len(account.clients.changes("CreateNetworkAclEntry")) == 2


def test_an_entry_that_lets_in_before_ours_is_no_fence(account: Account) -> None:
    account.entry(5, "allow")
    database = account.database(rule=10, prevents=True)
    fenced(database)
    assert account.numbers() == {5, 10, 11, 100}
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.NONE


def test_somebody_elses_entry_is_left_alone(account: Account) -> None:
    account.entry(1, "allow")
    database = account.database()
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(Permanent, match="somebody else's"):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert account.numbers() == {1, 100}
    assert not account.clients.changes("CreateNetworkAclEntry", "DeleteNetworkAclEntry")


def test_an_older_epoch_neither_puts_it_up_nor_lifts_it(account: Account) -> None:
    database = account.database()
    fenced(database, 20)
    fence = known(database.fence_state(EAST, WEST))
    with pytest.raises(Conflict):
        database.unfence(EAST, expect=fence, call=Calls().make(19))
    assert account.numbers() == {1, 2, 100}
    database.unfence(EAST, expect=fence, call=Calls().make(21))
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(Conflict):
        database.fence(EAST, WEST, expect=state, call=Calls().make(20))
    assert account.numbers() == {100}


def test_a_call_that_may_not_be_made_writes_nothing(account: Account) -> None:
    database = account.database()
    state = known(database.fence_state(EAST, WEST))
    call = Calls().make(raises=LeaseLost("Another worker took over."))
    with pytest.raises(LeaseLost):
        database.fence(EAST, WEST, expect=state, call=call)
    assert account.numbers() == {100}


def test_a_control_plane_that_does_not_answer_is_owed(account: Account) -> None:
    database = account.database(prevents=True)
    fenced(database)
    account.clients.gone.add(EAST)
    state = database.fence_state(EAST, WEST)
    assert isinstance(state, Known)
    assert state.value.outcome is FenceOutcome.OWED
    assert isinstance(database.read(EAST), Unknown)


def test_an_acl_that_is_not_there_is_said(account: Account) -> None:
    account.ec2.delete_network_acl(NetworkAclId=account.acl)
    state = known(account.database().fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.OWED
    assert account.acl in state.evidence
