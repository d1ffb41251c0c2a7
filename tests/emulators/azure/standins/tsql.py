"""Servers of Azure SQL that are asked over TDS: databases, users, sessions, and a geo-secondary of each database.

What cloudfail keeps in tables is kept in SQLite, which carries the same statements out; what SQL Server alone has (its
system views, DENY, GRANT, KILL) is answered here, to the statements that are known and to no others. What it answers is
our reading of the T-SQL references: nothing of it is SQL Server.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.emulators.azure.standins import tds

OWN = "cloudfail"
_CREATE = re.compile(r"IF OBJECT_ID\(N'cloudfail\.\w+'\) IS NULL (CREATE TABLE .*)")
_USER = re.compile(r"(DENY|GRANT) CONNECT TO \[(.+)\]")
_KILL = re.compile(r"KILL (\d+)")
_TABLE = re.compile(r"(SELECT|UPDATE|INSERT INTO)\b.* cloudfail\.\w+")


class Stopped(Exception):
    """An answer that is an error."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number, self.message = number, message


class Database:
    """One database on one server. users: that are in it, beside dbo. denied: of those, who may not connect."""

    def __init__(self, name: str, users: tuple[str, ...], primary: Database | None = None) -> None:
        self.name = name
        self.users = users
        self.denied: set[str] = set()
        self.primary = primary
        self.lock = threading.RLock()
        self.rows = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.rows.execute(f"ATTACH ':memory:' AS {OWN}")

    def replicate(self) -> None:
        """All that the primary holds."""
        if self.primary is None:
            return
        with self.primary.lock, self.lock:
            if self.primary.made():
                self.rows.deserialize(self.primary.rows.serialize(name=OWN), name=OWN)
            self.denied = set(self.primary.denied)

    def made(self) -> bool:
        asked = f"SELECT 1 FROM {OWN}.sqlite_master WHERE name = 'fence'"
        return self.rows.execute(asked).fetchone() is not None


@dataclass
class _Session:
    number: int
    user: str
    database: Database
    application: str
    sock: socket.socket
    killed: bool = False


class Server:
    """One logical server, on a port of its own. logins: user -> password. owners: who is dbo everywhere."""

    def __init__(self, context: ssl.SSLContext, logins: Mapping[str, str]) -> None:
        self._context = context
        self.logins = dict(logins)
        self.owners = {OWN}
        self.databases: dict[str, Database] = {}
        self.sessions: dict[int, _Session] = {}
        self.replicating: Callable[[], bool] = lambda: True
        self.asked: list[str] = []
        self._numbers = itertools.count(51)
        self._thawed = threading.Event()
        self._thawed.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    # ---- the hand of the test

    def freeze(self) -> None:
        """It answers nothing more, and goes on to accept."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def close(self) -> None:
        self.thaw()
        self._listener.close()
        for one in list(self.sessions.values()):
            one.sock.close()

    # ---- connections

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        session: _Session | None = None
        with contextlib.suppress(tds.Closed, OSError), sock:
            self._thawed.wait()
            wire = tds.Wire(sock, self._context)
            wire.greet()
            session = self._enter(wire, sock)
            while session is not None:
                text = wire.batch()
                self._thawed.wait()
                if session.killed:
                    break
                if text is not None:
                    wire.send(tds.REPLY, self._answer(session, text.strip()))
                    if session.killed:
                        break
        if session is not None:
            self.sessions.pop(session.number, None)

    def _enter(self, wire: tds.Wire, sock: socket.socket) -> _Session | None:
        who = wire.login()
        self._thawed.wait()
        database = self.databases.get(who.database)
        known = self.logins.get(who.user) == who.password
        if not known or (database is not None and not self._may_connect(database, who.user)):
            wire.send(tds.REPLY, tds.error(18456, f"Login failed for user '{who.user}'.", severity=14))
            return None
        if database is None:
            wire.send(tds.REPLY, tds.error(4060, f"Cannot open database '{who.database}'.", severity=11))
            return None
        session = _Session(next(self._numbers), who.user, database, who.application, sock)
        self.sessions[session.number] = session
        wire.welcome(who.database)
        return session

    def _may_connect(self, database: Database, user: str) -> bool:
        if self.replicating():
            database.replicate()
        return user in self.owners or (user in database.users and user not in database.denied)

    # ---- statements

    def _answer(self, session: _Session, text: str) -> bytes:
        database = session.database
        if self.replicating():
            database.replicate()
        try:
            with database.lock:
                return self._carried_out(session, database, text)
        except Stopped as error:
            return tds.error(error.number, error.message)

    def _carried_out(self, session: _Session, database: Database, text: str) -> bytes:
        if text.lower() == f"use [{database.name}]" or text.startswith("SET "):
            return tds.done()
        self.asked.append(text)
        if text == "SELECT 1":
            return tds.rows([""], [["1"]])
        if text == "SELECT USER_NAME()":
            return tds.rows([""], [["dbo" if session.user in self.owners else session.user]])
        if text.startswith("SELECT CAST(DATABASEPROPERTYEX("):
            made = "1" if database.made() else None
            writes = "READ_WRITE" if database.primary is None else "READ_ONLY"
            return tds.rows(["", "", ""], [[writes, "0" if database.primary is None else "1", made]])
        if text.startswith("SELECT name FROM sys.database_principals"):
            left = database.denied if "sys.database_permissions" in text else set()
            return tds.rows(["name"], [[one] for one in database.users if one not in left])
        if text.startswith("SELECT session_id FROM sys.dm_exec_sessions"):
            others = [one for one in self.sessions.values() if one.database is database and one.user != session.user]
            return tds.rows(["session_id"], [[str(one.number)] for one in others])
        if found := _KILL.fullmatch(text):
            return self._kill(session, int(found[1]))
        if _TABLE.match(text):
            return self._on_tables(session, database, text)
        return self._as_owner(session, database, text)

    def _kill(self, session: _Session, number: int) -> bytes:
        if session.user not in self.owners:
            raise Stopped(6102, "User does not have permission to use the KILL statement.")
        other = self.sessions.pop(number, None)
        if other is None:
            raise Stopped(6106, f"Process ID {number} is not an active process ID.")
        other.killed = True
        with contextlib.suppress(OSError):
            other.sock.shutdown(socket.SHUT_RDWR)
        return tds.done()

    def _as_owner(self, session: _Session, database: Database, text: str) -> bytes:
        """What changes the database itself."""
        if session.user not in self.owners:
            raise Stopped(262, "Permission denied.")
        self._written(database)
        if text.startswith(("IF SCHEMA_ID(", "GRANT SELECT, INSERT, UPDATE ON OBJECT::")):
            return tds.done()
        if found := _CREATE.fullmatch(text):
            with contextlib.suppress(sqlite3.OperationalError):  # it is there
                database.rows.execute(found[1])
            return tds.done()
        if found := _USER.fullmatch(text):
            if found[2] not in database.users:
                raise Stopped(15151, f"Cannot find the user '{found[2]}'.")
            (database.denied.add if found[1] == "DENY" else database.denied.discard)(found[2])
            return tds.done()
        raise AssertionError(f"nobody here knows what this is: {text}")

    def _on_tables(self, session: _Session, database: Database, text: str) -> bytes:
        reads = text.startswith("SELECT")
        if not reads:
            self._written(database)
        if not database.made():
            raise Stopped(208, "Invalid object name.")
        if (
            not reads
            and session.user not in self.owners
            and not re.search(r"cloudfail\.(heartbeat|trial|canary)\b", text)
        ):
            raise Stopped(229, "The permission was denied on the object.")
        found = database.rows.execute(re.sub(r"\bN'", "'", text))
        if not reads:
            return tds.done(found.rowcount)
        names = [one[0] for one in found.description]
        return tds.rows(names, [[None if one is None else str(one) for one in row] for row in found.fetchall()])

    @staticmethod
    def _written(database: Database) -> None:
        if database.primary is not None:
            raise Stopped(3906, f'Failed to update database "{database.name}" because the database is read-only.')


@dataclass
class Pair:
    """Two servers, and on both the same databases; those on `west` are primary at first."""

    west: Server
    north: Server
    names: tuple[str, ...] = ("shop",)
    users: tuple[str, ...] = ("shop", "reports")
    linked: bool = field(default=True)

    def __post_init__(self) -> None:
        for name in self.names:
            self.west.databases[name] = Database(name, self.users)
            self.north.databases[name] = Database(name, self.users, self.west.databases[name])
        for one in (self.west, self.north):
            one.replicating = lambda: self.linked

    def turn(self, new: Server, old: Server, *, loses: bool = False) -> None:
        """The databases on `new` are the primaries from now on. Without loss they have everything before."""
        for name in self.names:
            to, come_from = new.databases[name], old.databases[name]
            if not loses:
                to.replicate()
            to.primary = None
            if not loses:
                come_from.primary = to

    def take_back(self, old: Server, new: Server) -> None:
        """The old primary is a secondary of the new one; what only it held is gone."""
        for name in self.names:
            old.databases[name].primary = new.databases[name]
            old.databases[name].replicate()

    def close(self) -> None:
        for one in (self.west, self.north):
            one.close()


def until(seen: Callable[[], bool], seconds: float = 30.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if seen():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")
