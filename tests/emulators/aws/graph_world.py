"""A Neptune global database, orders-global: what its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws.database.neptune_global import NeptuneGlobal
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.front import Front
from tests.emulators.aws.global_world import GLOBAL, NAMES, Control, World
from tests.emulators.aws.graphs import Graph, Pair
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.identities import Identities

ACCOUNT = "123456789012"
IDS = {EAST: "cluster-EASTEASTEAST", WEST: "cluster-WESTWESTWEST"}
WRITERS = ("shop", "reports")


class Graphs:
    """global_world.Servers, and the roles under which they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.identities = Identities(*WRITERS)
        data = {one: f"arn:aws:neptune-db:{one}:{ACCOUNT}:{IDS[one]}" for one in NAMES}
        self.pair = Pair(data[EAST], data[WEST], self.identities)
        self.nodes: dict[str, Graph] = {EAST: self.pair.east, WEST: self.pair.west}
        self.front = Front({})
        self._stand_ins = [StandIn(service, self.identities) for service in ("iam", "sts")]
        for one in self._stand_ins:
            self.front.serve(one.service, one.answer)
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{one.service.upper()}", self.front.url)

    def freeze(self, region: str) -> None:
        self.pair.freeze(self.nodes[region])

    def thaw(self, region: str) -> None:
        self.pair.thaw(self.nodes[region])

    def follow(self, lossy: bool, region: str) -> None:
        if lossy:
            self.pair.promote(self.nodes[region])
        else:
            self.pair.exchange(self.nodes[EAST if region == WEST else WEST], self.nodes[region])

    def policies(self) -> dict[str, list[str]]:
        return {name: list(role.policies) for name, role in self.identities.roles.items()}

    def close(self) -> None:
        self.front.close()
        self.pair.close()
        mistakes = self.pair.mistakes + [one for each in self._stand_ins for one in each.mistakes]
        assert not mistakes, "\n".join(mistakes)


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    made = Control("neptune")
    made.environment(monkeypatch)
    yield made
    made.close()


@pytest.fixture
def servers(control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graphs]:
    made = Graphs(monkeypatch)
    control.follow = made.follow
    yield made
    made.close()


def member(servers: Graphs, region: str, **more: Any) -> dict[str, Any]:
    url = servers.pair.url(servers.nodes[region])
    writers = [f"arn:aws:iam::{ACCOUNT}:role/app/{name}" for name in WRITERS]
    return {"cluster": NAMES[region], "endpoints": [url], "writers": writers, "resource": IDS[region], **more}


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> NeptuneGlobal:
    given = {"answer_within": "12s", "api_within": "30s", "requests_only": True, **options}
    one = databases.resource("neptune-global", members, id=GLOBAL, **given)
    return NeptuneGlobal(one, databases.topology(one), clients)


@pytest.fixture
def world(control: Control, servers: Graphs) -> Iterator[World]:
    clients = WorldClients()
    members = {region: member(servers, region) for region in NAMES}
    one = World("neptune-global", control, servers, clients, lambda: made(clients, members))
    yield one
    one.close()


@pytest.fixture
def bare(control: Control) -> tuple[NeptuneGlobal, WorldClients]:
    """Its control plane alone, members by their names."""
    clients = WorldClients()
    return made(clients, dict(NAMES)), clients


def fenced(database: NeptuneGlobal, epoch: int = 10) -> FenceOutcome:
    for _ in range(5):
        state = known(database.fence_state(EAST, WEST))
        if state.outcome is FenceOutcome.PROVEN or not state.methods_left:
            break
        database.fence(EAST, WEST, expect=state, call=Calls().make(epoch))
    return FenceOutcome(known(database.fence_state(EAST, WEST)).outcome)
