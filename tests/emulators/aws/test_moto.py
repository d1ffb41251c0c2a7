"""moto as the tests use it: kept, reset, and with the promotion of a read replica as AWS has it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.emulators.aws import emulator, moto

pytestmark = pytest.mark.skipif(not moto.is_installed(), reason="moto is not installed: run script/setup dev.")
Client = Callable[[str, str], Any]


@pytest.fixture
def ask(moto: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> Client:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    return lambda service, region: session.create_client(service, region_name=region)


def _replica(ask: Client) -> tuple[Any, Any]:
    east, west = ask("rds", "us-east-1"), ask("rds", "us-west-2")
    made = east.create_db_instance(
        DBInstanceIdentifier="orders-e",
        DBInstanceClass="db.m5.large",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="app",
        MasterUserPassword="not-a-secret",
    )
    west.create_db_instance_read_replica(
        DBInstanceIdentifier="orders-w",
        SourceDBInstanceIdentifier=made["DBInstance"]["DBInstanceArn"],
        SourceRegion="us-east-1",
    )
    return east, west


def _one(client: Any, name: str) -> Any:
    return client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def test_a_promoted_replica_has_no_source_and_its_source_no_replica(ask: Client) -> None:
    east, west = _replica(ask)
    assert _one(west, "orders-w")["ReadReplicaSourceDBInstanceIdentifier"].endswith(":orders-e")
    assert _one(east, "orders-e")["ReadReplicaDBInstanceIdentifiers"]

    west.promote_read_replica(DBInstanceIdentifier="orders-w")

    assert not _one(west, "orders-w").get("ReadReplicaSourceDBInstanceIdentifier")
    assert _one(east, "orders-e")["ReadReplicaDBInstanceIdentifiers"] == []


def test_what_is_no_replica_is_not_promoted(ask: Client) -> None:
    _, west = _replica(ask)
    west.promote_read_replica(DBInstanceIdentifier="orders-w")
    with pytest.raises(ClientError) as refused:
        west.promote_read_replica(DBInstanceIdentifier="orders-w")
    assert refused.value.response["Error"]["Code"] == "InvalidDBInstanceState"


def test_a_prefix_list_is_changed_under_its_current_version_alone_and_keeps_its_name(ask: Client) -> None:
    ec2 = ask("ec2", "eu-central-1")
    made = ec2.create_managed_prefix_list(PrefixListName="partners", MaxEntries=5, AddressFamily="IPv4")["PrefixList"]
    entry = {"PrefixListId": made["PrefixListId"], "AddEntries": [{"Cidr": "192.0.2.0/24"}]}
    with pytest.raises(ClientError) as refused:
        ec2.modify_managed_prefix_list(CurrentVersion=7, **entry)
    assert refused.value.response["Error"]["Code"] == "PrefixListVersionMismatch"
    ec2.modify_managed_prefix_list(CurrentVersion=1, **entry)
    (now,) = ec2.describe_managed_prefix_lists(PrefixListIds=[made["PrefixListId"]])["PrefixLists"]
    assert (now["Version"], now["PrefixListName"]) == (2, "partners")


def test_each_test_begins_with_nothing(moto: emulator.Emulator, ask: Client) -> None:
    _replica(ask)
    moto.reset()
    assert ask("rds", "us-east-1").describe_db_instances()["DBInstances"] == []


def test_it_ends_with_the_test_run_also_when_that_is_killed() -> None:
    run = "from tests.emulators.aws import moto\nwith moto.running() as one:\n print(one.port, flush=True)\n input()"
    other = subprocess.Popen(
        [sys.executable, "-c", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=emulator.ROOT
    )
    assert other.stdout is not None
    port = int(other.stdout.readline())
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=20)
    deadline = time.monotonic() + 30
    while _is_up(port):
        assert time.monotonic() < deadline, f"moto still listens on {port}"
        time.sleep(0.2)


def _is_up(port: int) -> bool:
    """Whether any process still has moto's command line with that port."""
    found = subprocess.run(["pgrep", "-f", f"{moto.LAUNCHER.name}.* {port}$"], capture_output=True, check=False)
    return str(os.getpid()).encode() not in found.stdout.split() and bool(found.stdout.split())
