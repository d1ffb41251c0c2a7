"""One database of one member as cloudfail reaches it, and what cloudfail itself keeps there, in the schema `cloudfail`.

`mark`: the epoch beside the writer. `heartbeat`: one row for each region's writer, rewritten each second. `canary`: one
for each token. `trial`: one for each region, which every write that is tried for itself rewrites. `fence`: from whom a
fence took the right to connect. All of it is replicated like any other data. The tables are made by cloudfail's own
login, on the primary, when it first looks.

Sources: T-SQL references of DATABASEPROPERTYEX, sys.dm_geo_replication_link_status, sys.database_permissions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from cloudfail.errors import Conflict
from cloudfail.ports import Call
from cloudfail_azure.database.tsql_errors import NO_SUCH_TABLE, REFUSED
from cloudfail_azure.database.tsql_session import Refusal, Session, TsqlError
from cloudfail_databases.data_plane import Proof, Standing, Tried

ADMIN_NAME = "cloudfail"
WRITER_NAME = "cloudfail-writer"

_ROLE = (
    "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS nvarchar(20)), "
    "(SELECT COUNT(*) FROM sys.dm_geo_replication_link_status WHERE role_desc = N'SECONDARY'), "
    "OBJECT_ID(N'cloudfail.fence')"
)
_TABLES = (
    ("mark", "name nvarchar(200) NOT NULL PRIMARY KEY, epoch bigint NOT NULL, run nvarchar(200) NOT NULL"),
    ("heartbeat", "region nvarchar(100) NOT NULL PRIMARY KEY, written float NOT NULL"),
    ("trial", "region nvarchar(100) NOT NULL PRIMARY KEY, written float NOT NULL"),
    ("canary", "token nvarchar(400) NOT NULL PRIMARY KEY, region nvarchar(100) NOT NULL, written float NOT NULL"),
    # The last one: where it is, all are.
    (
        "fence",
        (
            "region nvarchar(100) NOT NULL PRIMARY KEY, epoch bigint NOT NULL, run nvarchar(200) NOT NULL, "
            "standing int NOT NULL, whole int NOT NULL, taken nvarchar(4000) NOT NULL"
        ),
    ),
)
_WRITERS = ("heartbeat", "trial", "canary")


class Endpoint:
    """Each session has one use, so that none waits for another: `look` reads, `act` changes, `beat` writes heartbeats,
    `canary` writes as an application does, `held` was opened before any fence and shows what becomes of connections
    that clients opened before."""

    def __init__(
        self,
        region: str,
        database: str,
        *,
        own: tuple[str, int, str, str],
        writer: tuple[str, int, str, str],
        seconds: float,
    ) -> None:
        """own, writer: (host, port, user, password)."""
        self.region, self.database, self.seconds = region, database, seconds
        self._writer = writer
        self.look = Session(*own[:2], database, own[2:], name=ADMIN_NAME, seconds=seconds)
        self.act = Session(*own[:2], database, own[2:], name=ADMIN_NAME, seconds=seconds)
        self.beat = self.writer_session()
        self.canary = self.writer_session()
        self.held = self.writer_session()

    def writer_session(self) -> Session:
        """A new connection as an application would open it."""
        host, port, user, password = self._writer
        return Session(host, port, self.database, (user, password), name=WRITER_NAME, seconds=self.seconds)

    def close(self) -> None:
        for session in (self.look, self.act, self.beat, self.canary, self.held):
            session.close()


@dataclass(frozen=True)
class Fence:
    """The note of a fence. taken: the users who may not connect. whole: no session of anybody else was left."""

    region: str
    epoch: int
    standing: bool
    whole: bool
    taken: tuple[str, ...]

    @property
    def note(self) -> Standing:
        return Standing(self.region, self.epoch, whole=self.whole)


@dataclass(frozen=True)
class Sight:
    """One look at one database. updateable: as the engine says; secondary: of another database, by its own word; made:
    whether cloudfail's tables are there."""

    updateable: bool
    secondary: bool
    made: bool = True
    epoch: int | None = None
    fences: tuple[Fence, ...] = ()

    def fence_of(self, region: str) -> Fence | None:
        return next((one for one in self.fences if one.region == region), None)


def sight(endpoint: Endpoint) -> Sight:
    """Ask once. Raises the session's errors."""
    asked = endpoint.look
    updateability, secondary, made = asked.ask(_ROLE)[0]
    updateable, replica = str(updateability) == "READ_WRITE", int(secondary) > 0
    if made is None:
        return Sight(updateable, replica, False)
    marks = asked.ask("SELECT epoch FROM cloudfail.mark WHERE name = N'writer'")
    fences = asked.ask("SELECT region, epoch, standing, whole, taken FROM cloudfail.fence")
    return Sight(
        updateable,
        replica,
        True,
        int(marks[0][0]) if marks else None,
        tuple(
            Fence(str(region), int(epoch), int(standing) == 1, int(whole) == 1, tuple(json.loads(taken)))
            for region, epoch, standing, whole, taken in fences
        ),
    )


def make(endpoint: Endpoint) -> None:
    """The tables, and the writer's right to those that it writes. Nothing that is there is changed."""
    made = ["IF SCHEMA_ID(N'cloudfail') IS NULL EXEC(N'CREATE SCHEMA cloudfail')"]
    for name, columns in _TABLES:
        made.append(f"IF OBJECT_ID(N'cloudfail.{name}') IS NULL CREATE TABLE cloudfail.{name} ({columns})")
        if name in _WRITERS:
            user = named(endpoint.canary.user)
            made.append(f"GRANT SELECT, INSERT, UPDATE ON OBJECT::cloudfail.{name} TO {user}")
    endpoint.act.order(*made)


def with_tables(endpoint: Endpoint, attempt: Callable[[], None]) -> None:
    """`attempt`, and where the tables are not there yet, once more with them. Raises the session's errors."""
    try:
        attempt()
    except Refusal as error:
        if error.code != NO_SUCH_TABLE:
            raise
        make(endpoint)
        attempt()


def quoted(value: str | float) -> str:
    """A literal. In one of T-SQL's, nothing but the quote itself has a meaning."""
    return "N'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def named(name: str) -> str:
    """A name of the database's own."""
    return "[" + name.replace("]", "]]") + "]"


def upserted(table: str, key: tuple[str, str], values: dict[str, str | float], only: str = "") -> tuple[str, str]:
    """Two statements that leave one row under that key. only: a condition on a row that is there."""
    column, at = key
    where = f"{column} = {quoted(at)}"
    told = ", ".join(f"{name} = {quoted(value)}" for name, value in values.items())
    names = ", ".join((column, *values))
    literals = ", ".join(map(quoted, (at, *values.values())))
    there = f"SELECT 1 FROM cloudfail.{table} WHERE {where}"
    return (
        f"UPDATE cloudfail.{table} SET {told} WHERE {where}{f' AND {only}' if only else ''}",
        f"INSERT INTO cloudfail.{table} ({names}) SELECT {literals} WHERE NOT EXISTS ({there})",
    )


def put(endpoint: Endpoint, table: str, key: tuple[str, str], call: Call, **values: str | float) -> None:
    """Write that row, unless it carries a newer epoch: Conflict."""
    epoch = int(call.epoch)
    own: dict[str, str | float] = {"epoch": epoch, "run": call.run[:200], **values}
    call.check()
    endpoint.act.order(*upserted(table, key, own, f"epoch <= {epoch}"))
    found = endpoint.act.ask(f"SELECT epoch FROM cloudfail.{table} WHERE {key[0]} = {quoted(key[1])}")
    if not found or int(found[0][0]) > epoch:
        raise Conflict(
            f"{endpoint.database} in {endpoint.region} carries the mark of a newer run than epoch {call.epoch}."
        )


def trial(region: str) -> tuple[str, str]:
    """The write that is tried for itself: one row, rewritten."""
    return upserted("trial", ("region", region), {"written": time.time()})


def try_now(endpoint: Endpoint) -> Proof:
    """A write as an application does it, over a session that is kept warm."""
    return judged("a write", lambda: with_tables(endpoint, lambda: endpoint.canary.order(*trial(endpoint.region))))


def try_new(endpoint: Endpoint) -> Proof:
    """A write over a new connection, as an application opens it."""
    session = endpoint.writer_session()
    try:
        return judged("a new connection", lambda: session.order(*trial(endpoint.region)))
    finally:
        session.close()


def judged(where: str, attempt: Callable[[], None]) -> Proof:
    try:
        attempt()
    except Refusal as error:
        refused = error.code in REFUSED
        return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"{where}: {error.message[:120]}")
    except TsqlError as error:
        return Proof(Tried.NO_WORD, f"{where}: {error}")
    return Proof(Tried.LET_IN, f"{where}: the write was let in")
