"""database: sql-failover-group, and its siblings, against Resource Manager's stand-in and servers that speak TDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail.testing.conformance import DatabaseSuite
from tests.emulators.azure import sql_world
from tests.emulators.azure.front import Front
from tests.emulators.azure.sql_world import PACKAGE, World

Serve = Callable[[str, Any], Any]
Make = Callable[..., World]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def making(azure: Front, serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[World] = []

    def make(
        kind: str = sql_world.KIND, *, names: tuple[str, ...] = ("shop",), style: str = "status", **more: Any
    ) -> World:
        machine, ids = sql_world.machine(kind, style=style, **({"databases": names} if kind == sql_world.KIND else {}))
        servers = sql_world.pair(tmp_path, azure, monkeypatch, names)
        made.append(World(azure, serving(PACKAGE, machine), ids, servers, kind=kind, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class TestSql(DatabaseSuite):
    @pytest.fixture
    def world(self, making: Make) -> World:
        return making(names=("shop", "stock"))
