"""database: cloud-sql against its Admin API's stand-in and real PostgreSQL servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.testing.conformance import DatabaseSuite
from tests.emulators.gcp import sql_world
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.sql_world import World
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
Serve = Callable[[str, Any], Any]


@pytest.fixture
def world(google: Front, serving: Serve, pair: Callable[..., servers.Pair]) -> Iterator[World]:
    made = World(google, serving("sqladmin.v1", sql_world.machine()), pair())
    yield made
    made.close()


@pytest.mark.lab
class TestCloudSql(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world
