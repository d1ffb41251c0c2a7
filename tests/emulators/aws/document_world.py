"""A DocumentDB global cluster, orders-global: what its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws.database.documentdb_global import DocumentDbGlobal
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.documents import Node, Pair
from tests.emulators.aws.global_world import GLOBAL, NAMES, Control, World


class Documents:
    """global_world.Servers."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.nodes: dict[str, Node] = {EAST: self.pair.east, WEST: self.pair.west}

    def freeze(self, region: str) -> None:
        self.nodes[region].freeze()

    def thaw(self, region: str) -> None:
        self.nodes[region].thaw()

    def follow(self, lossy: bool, region: str) -> None:
        old = self.nodes[EAST if region == WEST else WEST]
        if lossy:
            self.pair.promote(self.nodes[region])
        else:
            self.pair.exchange(old, self.nodes[region])

    def close(self) -> None:
        self.pair.close()

    def client(self, user: str, region: str = EAST) -> Any:
        """What an application has."""
        node = self.nodes[region]
        return pymongo.MongoClient(
            "127.0.0.1", node.port, username=user, password=node.users[user].password, authSource="admin",
            directConnection=True, retryWrites=False, serverSelectionTimeoutMS=5000, socketTimeoutMS=5000,
        )  # fmt: skip


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ADMIN", "ours")
    monkeypatch.setenv("ORDERS_SHOP", "shops")


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    made = Control("docdb")
    made.environment(monkeypatch)
    yield made
    made.close()


@pytest.fixture
def servers(control: Control, secrets: None) -> Iterator[Documents]:
    made = Documents()
    control.follow = made.follow
    yield made
    made.close()


def member(servers: Documents, region: str, **more: Any) -> dict[str, Any]:
    node = servers.nodes[region]
    urls = {"url": node.url("cloudfail"), "writer": node.url("shop")}
    return (
        {"cluster": NAMES[region], "password": "env:ORDERS_ADMIN", "writer_password": "env:ORDERS_SHOP"} | urls | more
    )


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> DocumentDbGlobal:
    given = {"answer_within": "6s", "api_within": "20s", **options}
    one = databases.resource("documentdb-global", members, id=GLOBAL, **given)
    return DocumentDbGlobal(one, databases.topology(one), clients)


@pytest.fixture
def world(control: Control, servers: Documents) -> Iterator[World]:
    clients = WorldClients()
    members = {region: member(servers, region) for region in NAMES}
    one = World("documentdb-global", control, servers, clients, lambda: made(clients, members))
    yield one
    one.close()


@pytest.fixture
def bare(control: Control) -> tuple[DocumentDbGlobal, WorldClients]:
    """Its control plane alone, members by their names."""
    clients = WorldClients()
    return made(clients, dict(NAMES)), clients


def fenced(database: DocumentDbGlobal, epoch: int = 10) -> FenceOutcome:
    for _ in range(5):
        state = known(database.fence_state(EAST, WEST))
        if state.outcome is FenceOutcome.PROVEN or not state.methods_left:
            break
        database.fence(EAST, WEST, expect=state, call=Calls().make(epoch))
    return FenceOutcome(known(database.fence_state(EAST, WEST)).outcome)
