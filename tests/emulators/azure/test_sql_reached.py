"""Azure SQL over TDS: how its servers are reached, what is refused, and what their errors mean."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
from pydantic import ValidationError

from cloudfail.errors import OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database import tsql_errors
from cloudfail_azure.database.tsql_session import Lost, Refusal, Unreachable
from cloudfail_databases.data_plane import NoWord
from tests.emulators.azure import sql_world
from tests.emulators.azure.balancing import WEST
from tests.emulators.azure.standins.sql import SQL
from tests.emulators.azure.test_sql import Make, making

__all__ = ["making"]
pytestmark = pytest.mark.timeout(300)


def test_a_server_that_nobody_vouches_for_is_told_no_password(making: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = making()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    read = world.port().plane
    with pytest.raises(NoWord):
        read.look(WEST)
    assert not world.pair.west.sessions
    assert not world.pair.west.asked


def test_a_file_that_went_is_written_again_and_one_that_was_never_there_is_not_passed_over(
    making: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, FreeTDS would trust whoever answers."""
    world = making()
    known(world.port().read(WEST))
    ours = Path(os.environ["FREETDSCONF"])
    ours.unlink()
    database = world.another()
    assert known(database.read(WEST)).writable
    assert Path(os.environ["FREETDSCONF"]).is_file()
    monkeypatch.setenv("FREETDSCONF", str(ours.with_name("nobody-wrote-this.conf")))
    beat = world.another().beat(WEST)
    assert isinstance(beat, Unknown)
    assert "no certificate would be checked" in beat.reason


def test_a_secret_that_is_not_there_and_databases_that_are_not_named_are_that_members_silence(
    making: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = making()
    world.options["databases"] = ()
    assert "no `databases` are written" in str(world.another().beat(WEST))
    world.options["databases"] = ("shop",)
    monkeypatch.delenv("SQL_OURS")
    beat = world.another().beat(WEST)
    assert isinstance(beat, Unknown)
    assert "SQL_OURS" in beat.reason


def test_it_needs_its_own_driver_and_no_other() -> None:
    for missing, said in (("psycopg", "built"), ("pymssql", "pip install 'cloudfail[azure,sqlserver]'")):
        program = f"""
import sys
sys.modules[{missing!r}] = None
from cloudfail_azure import provider
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
ids = {{"westeurope": {SQL!r} + "/servers/a/databases/shop", "northeurope": {SQL!r} + "/servers/b/databases/shop"}}
members = {{region: {{"database": one}} for region, one in ids.items()}}
one = Resource("orders", PortName.DATABASE, "sql-database", "azure", None, members, {{}})
regions = {{name: Region(name, "azure", "s") for name in ids}}
whole = Topology("shop", Objectives(900.0, 30.0), regions, "westeurope", "memory:", {{one.name: one}})
try:
    provider.kinds()[one.port, one.kind].build(one, whole)
    print("built")
except Exception as error:
    print(type(error).__name__, error)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
        assert said in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mssql://cloudfail:hunter2@h", "a secret is never written here"),
        ("mssql://h", "write mssql://USER@HOST"),
        ("mssql://cloudfail@h", "write where both passwords are"),
    ],
)
def test_a_way_in_that_cannot_be_is_refused_and_no_secret_said(written: str, said: str) -> None:
    machine, ids = sql_world.machine()
    assert machine is not None
    with pytest.raises(ValidationError) as raised:
        sql_world.resource(sql_world.KIND, {WEST: {"group": ids[WEST], "url": written, "writer": "mssql://shop@h"}})
    assert said in "".join(str(one["msg"]) for one in raised.value.errors())


ERRORS = {
    3906: Permanent, 18456: Permanent, 916: Permanent, 229: Permanent, 262: Permanent, 15151: Permanent,
    208: Permanent, 4060: Transient, 1205: Transient, 1222: Transient, 4221: Transient, 10928: Transient,
    10929: Transient, 40501: Transient, 40613: Transient, 49918: Transient, 49919: Transient, 49920: Transient,
    40197: OutcomeUnknown, 40540: OutcomeUnknown,
}  # fmt: skip


def test_each_error_of_the_engine_has_its_class() -> None:
    assert set(ERRORS) == set(tsql_errors.CODE)
    for code, kind in ERRORS.items():
        assert type(tsql_errors.mutation_error(Refusal(code, "words"), "a statement")) is kind
    assert type(tsql_errors.mutation_error(Refusal(50000, "words"), "a statement")) is OutcomeUnknown
    assert type(tsql_errors.mutation_error(Unreachable("it"), "a statement")) is Transient
    assert type(tsql_errors.mutation_error(Lost("it"), "a statement")) is OutcomeUnknown


def test_what_is_written_into_a_statement_stays_a_literal(making: Make) -> None:
    world = making()
    token = "r1/it's [N'a'] -- DROP"
    world.port().write_canary(WEST, token, call=Calls().make())
    proof = known(world.port().read_canary(WEST, token))
    assert proof is not None
    assert proof.token == token
    assert known(world.port().read_canary(WEST, "r1/it")) is None
