"""Fixtures for the local provider's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local import servers


@pytest.fixture(scope="session")
def postgres_root() -> Iterator[Path]:
    if not servers.has_postgres():
        pytest.skip(f"no PostgreSQL in {servers.BIN}")
    with servers.place() as root:
        yield root


@pytest.fixture(scope="session")
def template(postgres_root: Path) -> Path:
    return servers.make_templates(postgres_root)


@pytest.fixture
def pair(postgres_root: Path, template: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., servers.Pair]]:
    made: list[servers.Pair] = []

    def make(**options: Any) -> servers.Pair:
        one = servers.make_pair(
            postgres_root, template, f"pair-{abs(hash(request.node.nodeid))}-{len(made)}", **options
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
