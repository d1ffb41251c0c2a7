"""PostgreSQL, and what speaks its protocol across regions (CockroachDB, YugabyteDB).

Why an entry is never written twice, nor behind a gap: (log, seq) is the primary key, and an insert of entry n finds
entry n - 1 in the statement's own snapshot, so committed, or inserts nothing. A database that is one primary and its
standbys lives as long as that primary: it must stand in no region that may be evacuated.

    postgresql://cloudfail@db.example/cloudfail?sslmode=verify-full&lives_in=eu-central-1

`lives_in` is ours: the region that it stands in, or, separated by commas, all those that it spans. The rest is libpq's.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.ports import Store, StoredEntry, StorePlace

CALL_SECONDS = 5.0
"""How long a call may take. Longer than a failover of a database across regions takes to be noticed would be too long:
a lease that cannot be renewed is lost anyway."""

TABLE = "cloudfail_entries"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  log TEXT NOT NULL, seq BIGINT NOT NULL CHECK (seq > 0), body BYTEA NOT NULL,
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (log, seq)
)
"""
_APPEND = f"""
INSERT INTO {TABLE} (log, seq, body)
SELECT %(log)s, %(seq)s, %(body)s
WHERE %(seq)s = 1 OR EXISTS (SELECT 1 FROM {TABLE} WHERE log = %(log)s AND seq = %(seq)s - 1)
ON CONFLICT DO NOTHING
"""
_READ = f"""
SELECT seq, body, extract(epoch FROM at)::float8 FROM {TABLE} WHERE log = %s AND seq > %s ORDER BY seq
"""


class PostgresStoreKind:
    """Fulfils `ports.StoreKind` for `postgresql:`."""

    def place(self, url: str) -> StorePlace:
        regions = _split(url)[1]
        if regions is None:
            return StorePlace("", None)
        return StorePlace("", regions if len(regions) == 1 else ())

    def open(self, url: str) -> Store:
        return PostgresStore(_split(url)[0])


def _split(url: str) -> tuple[str, tuple[str, ...] | None]:
    """What libpq is told, and where the URL says that the database lives. Raises Refused."""
    parts = urlsplit(url)
    if not parts.path.strip("/"):
        raise Refused(
            f"{_without_password(url)} names no database.",
            "Nothing was read or changed.",
            "Write `state: postgresql://USER@HOST/DATABASE?lives_in=REGION`.",
        )
    query = parse_qsl(parts.query, keep_blank_values=True)
    said = [value for name, value in query if name == "lives_in"]
    rest = urlencode([(name, value) for name, value in query if name != "lives_in"])
    regions = tuple(region for region in said[0].split(",") if region) if said else None
    if regions == ():
        raise Refused("lives_in= names no region.", "Nothing was read or changed.", "Write lives_in=REGION.")
    return urlunsplit(parts._replace(scheme="postgresql", query=rest)), regions


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    name, _, host = parts.netloc.rpartition("@")
    user = name.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))


class PostgresStore:
    """Fulfils `ports.Store`; safe to share between threads, which take turns on one connection. A connection that broke
    is made anew by the next call; what it was doing is in doubt, and the caller reads it back."""

    def __init__(self, url: str, *, call_seconds: float = CALL_SECONDS) -> None:
        import psycopg  # said at once, not at the first append at night

        self.url = url
        self.name = _without_password(url)
        self._psycopg = psycopg
        self._call_seconds = call_seconds
        self._lock = threading.Lock()
        self._connection: Any = None
        self._doubt = ""
        self._ends = float("inf")
        self._closed = threading.Event()
        with self._lock:
            try:
                self._connected()
            except psycopg.Error as error:
                raise self._unavailable(error) from error
        threading.Thread(target=_break_overdue, args=(weakref.ref(self), self._closed), daemon=True).start()

    def read(self, log: str, after: int) -> list[StoredEntry]:
        rows = self._run(lambda connection: connection.execute(_READ, (log, after)).fetchall())
        return [StoredEntry(seq, bytes(body), at) for seq, body, at in rows]

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1:
            return False
        values = {"log": log, "seq": seq, "body": body}
        try:
            return bool(self._run(lambda connection: connection.execute(_APPEND, values).rowcount) == 1)
        except _SomebodyElse:
            return False

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        closed = getattr(self, "_closed", None)
        if closed is not None:
            closed.set()

    def break_overdue(self) -> None:
        """Break the connection under a call that takes too long. The server's own timeout ends before it commits, and a
        commit that waits for a standby which is gone waits for ever. Called now and then, from another thread."""
        connection = self._connection
        if time.monotonic() > self._ends and connection is not None:
            with suppress(OSError, self._psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)

    def _run(self, call: Callable[[Any], Any]) -> Any:
        with self._lock:
            try:
                connection = self._connected()
                self._doubt = ""
                self._ends = time.monotonic() + 2 * self._call_seconds
                result = call(connection)
            except (self._psycopg.errors.SerializationFailure, self._psycopg.errors.UniqueViolation) as error:
                raise _SomebodyElse from error  # it was rolled back, and said so
            except (self._psycopg.Error, OSError) as error:
                self._drop()
                raise self._unavailable(error) from error
            finally:
                self._ends = float("inf")
            if self._doubt:
                self._drop()
                raise self._unavailable(RuntimeError(self._doubt))
            return result

    def _noticed(self, notice: Any) -> None:
        # Somebody cancelled the wait for the synchronous standby: the entry stands on the primary alone, and the server
        # calls it committed, with a warning. (PostgreSQL, src/backend/replication/syncrep.c.)
        if notice.severity_nonlocalized == "WARNING":
            self._doubt = notice.message_primary or "it warned"

    def _connected(self) -> Any:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        whole = max(1, round(self._call_seconds))
        connection: Any = self._psycopg.connect(
            self.url,
            autocommit=True,
            connect_timeout=whole,
            # Entries are read where they are written: a standby may lag behind what was acknowledged.
            target_session_attrs="read-write",
            keepalives_idle=whole,
            keepalives_interval=1,
            keepalives_count=2,
            tcp_user_timeout=int(self._call_seconds * 1000),
            options=f"-c statement_timeout={int(self._call_seconds * 1000)}",
            application_name="cloudfail",
        )
        connection.add_notice_handler(self._noticed)
        try:
            # Whatever the server's default: an entry that was acknowledged outlives a crash.
            if connection.execute("SHOW synchronous_commit").fetchone()[0] in {"off", "local"}:
                connection.execute("SET synchronous_commit TO on")
            # Looked for before it is made: a role that may only read and append, as an audit wants it, makes nothing.
            if connection.execute("SELECT to_regclass(%s)", (TABLE,)).fetchone()[0] is None:
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _make(self, connection: Any) -> None:
        try:
            connection.execute(_SCHEMA)
        except (
            self._psycopg.errors.UniqueViolation,
            self._psycopg.errors.DuplicateTable,
            self._psycopg.errors.DuplicateObject,
        ):
            return  # two made it at the same moment: which of its parts the second one meets first is chance

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        said = " ".join(str(error).split()) or type(error).__name__
        return StoreUnavailable(
            f"The state store {self.name} does not answer ({said}).",
            "Nothing is changed while the journal cannot be written.",
            f"See whether it can be reached from here: psql '{self.name}' -c 'select 1'",
        )


def _break_overdue(store: weakref.ref[PostgresStore], closed: threading.Event) -> None:
    while not closed.wait(0.5):
        living = store()
        if living is None:
            return
        living.break_overdue()
        del living


class _SomebodyElse(Exception):
    """The database refused the entry since another one was first; it is certain that ours was not written."""
