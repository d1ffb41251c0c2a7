"""Every verb of every kind of Azure, under every fault between us and Resource Manager (tests/emulators/verbs.py)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail_azure import provider
from tests.emulators.azure.front import Front
from tests.emulators.azure.ordered import VERBS, Key, Serve
from tests.emulators.verbs import Ordered, VerbSuite

pytestmark = pytest.mark.timeout(600)


# Where the same is shown of a verb that takes several effects, or that only servers can show: in which files.
ELSEWHERE = {
    **{("postgresql-flexible", verb): "test_flexible.py" for verb in ("switchover", "follow", "canary")},
    ("cosmos-db", "fence"): "test_cosmos_db.py",
    ("cosmos-db", "follow"): "test_cosmos_moves.py",
    ("cosmos-db", "canary"): "test_cosmos_documents.py",
    ("cosmos-db-multi-write", "canary"): "test_cosmos_multi_write.py",
    **{("mysql-flexible", verb): "test_mysql_flexible.py" for verb in ("fence", "follow")},
    **{
        (kind, verb): "test_sql.py"
        for kind in ("sql-failover-group", "sql-instance-group", "sql-database")
        for verb in ("fence", "switchover", "follow", "canary")
    },
    **{(kind, "failover"): "test_sql_control.py" for kind in ("sql-instance-group", "sql-database")},
}


def words(key: Key) -> str:
    return f"{key[1]}.{key[2]}, {key[3]}"


class TestEveryVerb(VerbSuite):
    @pytest.fixture(params=list(VERBS), ids=words)
    def verb(self, request: pytest.FixtureRequest, azure: Front, serving: Serve) -> Iterator[Ordered]:
        with contextlib.ExitStack() as stack:
            yield VERBS[request.param](azure, serving, stack).begun()


def test_every_verb_of_every_kind_has_its_row() -> None:
    """Or is named with the file that shows it."""
    there = {(port, kind.name, verb) for (port, _), kind in provider.kinds().items() for verb in kind.verbs}
    rows = {(port, kind, verb) for port, kind, verb, _ in VERBS}
    assert rows <= there
    assert {(kind, verb) for _, kind, verb in there - rows} == set(ELSEWHERE)
    assert all((Path(__file__).parent / file).is_file() for file in ELSEWHERE.values())
