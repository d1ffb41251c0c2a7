"""The policies that are printed for DocumentDB's and Neptune's global clusters: enough for what the ports ask, not
more. What the stand-in makes of each request does not matter here: what AWS asks of IAM comes before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from cloudfail.errors import CloudfailError
from cloudfail.model.topology import Resource
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws import provider
from cloudfail_aws.clients import WATCHING, Clients
from cloudfail_aws.database.documentdb_global import DocumentDbGlobal
from cloudfail_aws.database.global_clusters import Tail, copy_name
from cloudfail_aws.database.global_database import GlobalDatabase
from cloudfail_aws.database.neptune_global import NeptuneGlobal
from tests.emulators.aws import databases, graph_world, test_network_acl
from tests.emulators.aws.balancing import ControlClients
from tests.emulators.aws.databases import EAST, WEST
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import ACCOUNT
from tests.emulators.aws.gate import Gate, policies_of, with_roles
from tests.emulators.aws.global_world import GLOBAL, NAMES, Control


@pytest.fixture
def account(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> test_network_acl.Account:
    """EC2, for the network ACL."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**moto.environment(), "AWS_ACCESS_KEY_ID": ACCOUNT}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", moto.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", moto.url)
    return test_network_acl.Account()


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Control]]:
    made: list[Control] = []

    def make(service: str) -> Control:
        made.append(Control(service))
        made[-1].environment(monkeypatch)
        return made[-1]

    yield make
    for one in made:
        one.close()


def exercise(database: GlobalDatabase) -> None:
    """Everything that these kinds ask of their control plane, once."""
    seen = database.clusters.describe(WEST)
    east, west = seen.member(NAMES[EAST], EAST), seen.member(NAMES[WEST], WEST)
    assert east is not None
    assert west is not None
    database.clusters.describe(EAST)
    for member in (east, west):
        region = member.region
        database.clusters.epoch(member)
        database.clusters.tails(region)
        kept = f"rds:unplanned-global-failover-{NAMES[region]}-2026-11-23"
        for order in (
            lambda to=member: database.clusters.fail_over(to, Calls().make()),
            lambda to=member: database.clusters.switch_over(west if to is east else east, to, Calls().make()),
            lambda at=region, tail=kept: database.clusters.copy(at, Tail(tail, copy_name(tail), ""), Calls().make()),
        ):
            with contextlib.suppress(CloudfailError):
                order()
    known(database.fence_state(EAST, WEST))
    for network in database.fencing._networks.values():
        for region in filter(network.has, (EAST, WEST)):
            network.apply(region, Calls().make())
            assert known(network.standing(region))
            network.lift(region, Calls().make())


def fenced_members(account: test_network_acl.Account) -> dict[str, Any]:
    east = {"cluster": NAMES[EAST], "network": {"acls": [account.acl]}, "closed_group": "sg-0closed"}
    return {EAST: east, WEST: NAMES[WEST]}


def gated(of: Resource) -> Gate:
    roles = with_roles(databases.topology(of))
    return Gate(policies_of(provider.kinds()[of.port, of.kind], of, roles, (EAST, WEST)))


def test_documentdb(account: test_network_acl.Account, controls: Callable[[str], Control]) -> None:
    controls("docdb")
    of = databases.resource("documentdb-global", fenced_members(account), id=GLOBAL, api_within="25s")
    gate = gated(of)
    database = DocumentDbGlobal(of, with_roles(databases.topology(of)), cast(Clients, gate))
    exercise(database)
    gate.judge()


class GraphGate(Gate):
    """An application's role is not cloudfail's: no policy of ours is held against what is asked under it."""

    def get(self, service: str, region: str, role: str = "", session: str = WATCHING, endpoint: str = "") -> Any:
        if role.endswith(graph_world.WRITERS):
            return self._inner.setdefault(role, ControlClients()).get(service, region, role, session, endpoint)
        return super().get(service, region, role, session, endpoint)


def test_neptune(
    account: test_network_acl.Account, controls: Callable[[str], Control], monkeypatch: pytest.MonkeyPatch
) -> None:
    controls("neptune")
    servers = graph_world.Graphs(monkeypatch)
    members = {
        region: {
            **graph_world.member(servers, region),
            "writers": [f"arn:aws:iam::{ACCOUNT}:role/{one}" for one in graph_world.WRITERS],
            "resource": f"cluster-{region.replace('-', '').upper()}",
        }
        for region in (EAST, WEST)
    }
    members[EAST] |= {"network": {"acls": [account.acl]}, "closed_group": "sg-0closed"}
    of = databases.resource("neptune-global", members, id=GLOBAL, api_within="25s", answer_within="6s")
    roles = with_roles(databases.topology(of))
    gate = GraphGate(policies_of(provider.kinds()[of.port, of.kind], of, roles, (EAST, WEST)))
    database = NeptuneGlobal(of, roles, cast(Clients, gate))
    exercise(database)
    for region in (EAST, WEST):
        known(database.read(region))
        with contextlib.suppress(CloudfailError):
            database.plane.admit(region, Calls().make())
    gate.judge()
    servers.close()
