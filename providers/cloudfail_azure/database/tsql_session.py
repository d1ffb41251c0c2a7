"""One connection to one database of Azure SQL over TDS, every step of it bounded in time.

pymssql (FreeTDS) speaks the protocol. It checks no certificate unless a file of FreeTDS' own says which authorities
are trusted, so such a file is written for this process: those that every other request to Azure is made with, and the
server's name is checked. Where FREETDSCONF is set already, that file is the operator's, and is left as it is.

python-tds would be the other client; it checks the server's name by what pyOpenSSL no longer has.

Its timeouts count for each step anew, so `within` bounds the whole. No statement is sent twice but reads.

Sources: pymssql's documentation; FreeTDS user guide, "The freetds.conf file"; "Database Engine errors".
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import certifi
import pymssql

from cloudfail.retry import within

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
CLOSE_SECONDS = 1.0
QUIET_SECONDS = 1.0
PORT = 1433
CONFIGURATION = "FREETDSCONF"
_CLIENTS = range(20000, 21000)
"""Numbers of DB-Library's own: it is the client that speaks, and no server."""
KILLED = 596
"""The session is in the kill state: of the statement nothing is said."""
_LOCK = threading.Lock()
_OURS: set[str] = set()
"""The files that were written here."""


class Unreachable(Exception):
    """No connection was made; nothing was sent."""


class Lost(Exception):
    """The connection broke, or there was no answer in time. What was sent may be carried out."""


class Refusal(Exception):
    """The server answered with an error. code: its number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (error {code})")
        self.code = code
        self.message = message


TsqlError = (Unreachable, Lost, Refusal)


class Session:
    """Opened when it is first used. One request at a time. login: (user, password)."""

    def __init__(
        self, host: str, port: int, database: str, login: tuple[str, str], *, name: str, seconds: float
    ) -> None:
        self._at = (host, port)
        self.database = database
        self.user, self._password = login
        self._name = name
        self.seconds = seconds
        self._connection: Any = None
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    @property
    def place(self) -> str:
        """What it connects to, for people."""
        return f"{self.database} at {self._at[0]}:{self._at[1]}"

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(TimeoutError, pymssql.Error, OSError):
                within(CLOSE_SECONDS, connection.close)

    def ask(self, statement: str) -> Rows:
        """What may be sent again: over a connection that broke it is, once. A server that was silent a moment ago is
        not waited for again at once: several looks follow each other while a region is lost."""
        if time.monotonic() < self._quiet_until:
            raise Lost(f"{self.place} did not answer a moment ago")
        until = time.monotonic() + self.seconds
        stale = self.is_open
        try:
            return self._once((statement,), until)
        except Lost:
            if stale and time.monotonic() < until - 0.05:
                return self._once((statement,), until)
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            raise
        except Unreachable:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            raise

    def order(self, *statements: str) -> None:
        """Sent once, one after the other, over a connection that was seen to answer just before."""
        self.ask("SELECT 1")
        self._once(statements, time.monotonic() + self.seconds)

    def order_as_opened(self, *statements: str) -> None:
        """Over the connection that is there, and over no other. Raises Lost where none is."""
        if not self.is_open:
            raise Lost("the connection that was opened before is gone")
        self._once(statements, time.monotonic() + self.seconds)

    def _once(self, statements: tuple[str, ...], until: float) -> Rows:
        left = until - time.monotonic()
        if left <= 0 or not self._lock.acquire(timeout=left):
            raise Lost(f"{self.place} still owes an earlier answer")
        try:
            if self._connection is None:
                self._connection = _said(self.place, until - time.monotonic(), self._opened, opening=True)
            connection, found = self._connection, Rows()
            for one in statements:
                found = _said(self.place, until - time.monotonic(), lambda one=one: _carried_out(connection, one))  # type: ignore[misc]
            return found
        except (Lost, Unreachable):
            self.close()
            raise
        finally:
            self._lock.release()

    def _opened(self) -> Any:
        host, port = self._at
        # FreeTDS waits for one that is silent until its own time is over, which counts in whole seconds.
        socket.create_connection((host, port), timeout=self.seconds).close()
        _trust()
        seconds = max(1, round(self.seconds + 0.5))
        return pymssql.connect(
            server=host,
            port=str(port),
            user=self.user,
            password=self._password,
            database=self.database,
            timeout=seconds,
            login_timeout=seconds,
            appname=self._name,
            tds_version="7.4",
            encryption="require",
            conn_properties="",
            autocommit=True,
        )


def _carried_out(connection: Any, statement: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def _said(place: str, seconds: float, request: Callable[[], T], *, opening: bool = False) -> T:
    """What `request` returns. Raises Unreachable, Lost or Refusal."""
    if seconds <= 0:
        raise Lost(f"{place} did not answer in time")
    try:
        return within(seconds, request)
    except pymssql.Error as error:
        code, words = _told(error)
        if code and code not in _CLIENTS and code != KILLED:
            raise Refusal(code, words) from error
        raise (Unreachable if opening else Lost)(f"{place}: {words}") from error
    except TimeoutError as error:
        raise Lost(f"{place} did not answer in time") from error
    except socket.gaierror as error:
        raise Unreachable(f"{place} has no address: {error.strerror}") from error
    except OSError as error:
        raise (Unreachable if opening else Lost)(f"{place} does not answer: {error.strerror or error}") from error


def _told(error: Exception) -> tuple[int, str]:
    """(number, words) of what pymssql raised, in which a failed login is nested once more."""
    told: Any = error.args
    while isinstance(told, tuple) and len(told) == 1:
        told = told[0]
    if not (isinstance(told, tuple) and len(told) == 2 and isinstance(told[0], int)):
        return 0, " ".join(str(error).split())[:200] or type(error).__name__
    words = told[1].decode("utf-8", "replace") if isinstance(told[1], bytes) else str(told[1])
    return told[0], " ".join(words.split("DB-Lib error", 1)[0].split())[:200] or "it says no more"


def _trust() -> None:
    """Tell FreeTDS whom to trust, once for this process. Without such a file it would trust everybody, and says nothing
    of one that is not there."""
    with _LOCK:
        named = os.environ.get(CONFIGURATION)
        if named and not Path(named).is_file() and named not in _OURS:
            raise Unreachable(f"{CONFIGURATION} names {named}, which is not there, so no certificate would be checked")
        if not named or not Path(named).is_file():
            authorities = os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()
            handle, name = tempfile.mkstemp(prefix="cloudfail-freetds-", suffix=".conf")
            os.close(handle)
            Path(name).write_text(
                f"[global]\n\tca file = {authorities}\n\tcheck certificate hostname = yes\n\tencryption = require\n",
                encoding="utf-8",
            )
            os.environ[CONFIGURATION] = name
            _OURS.add(name)
            atexit.register(Path(name).unlink, missing_ok=True)
