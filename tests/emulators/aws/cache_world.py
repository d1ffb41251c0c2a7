"""What the tests of elasticache-global share: an AWS that has ElastiCache alone, and servers behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.model.states import FenceOutcome
from cloudfail.testing.conformance import DatabaseSuite
from cloudfail_aws.database.elasticache_global import ElastiCacheGlobal
from tests.emulators.aws import caches
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.caches import EAST, World
from tests.emulators.aws.databases import WorldClients
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.caches import Caches
from tests.local.servers import place

Serve = Callable[[str, Any], StandIn]


@pytest.fixture
def aws(stand_in: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[all_of_aws.Front, Caches]]:
    """An AWS that has ElastiCache alone: a datastore whose primary is sessions-e, and a user in each region."""
    machine = Caches()
    machine.datastore(caches.NAME, dict(caches.GROUPS), EAST)
    for region, user in caches.USERS.items():
        machine.user(region, user, "shop", caches.ACCESS)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHE_OWN", "own-secret")
    monkeypatch.setenv("CACHE_SHOP", "shop-secret")
    with all_of_aws.front({}) as front:
        for name, value in front.environment().items():
            monkeypatch.setenv(name, value)
        front.serve("elasticache", stand_in("elasticache", machine).answer)
        yield front, machine


@pytest.fixture
def front(aws: tuple[all_of_aws.Front, Caches]) -> all_of_aws.Front:
    return aws[0]


@pytest.fixture
def machine(aws: tuple[all_of_aws.Front, Caches]) -> Caches:
    return aws[1]


@pytest.fixture
def world(machine: Caches) -> Iterator[World]:
    with place() as root, caches.pair(root) as servers:
        made = World(servers, machine, WorldClients())
        machine._on_failover, machine._on_user = made.move, made.allow
        machine.failover_seconds = machine.modify_seconds = caches.LATE_SECONDS
        yield made
        made.close()


@pytest.fixture
def bare(machine: Caches) -> tuple[ElastiCacheGlobal, WorldClients]:
    """Its control plane alone, members written by their names."""
    clients = WorldClients()
    return caches.made(clients, dict(caches.GROUPS), api_within="25s"), clients


def fence(world: World, epoch: int = 10) -> FenceOutcome:
    return DatabaseSuite().fence(world, epoch)


def switched(world: World) -> None:
    DatabaseSuite().move(world)
