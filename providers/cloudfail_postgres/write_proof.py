"""Writes that are tried, and what became of them: what proves a fence.

Proven means: a write over a connection opened before the fence and one over a new connection were both refused by the
server. Silence is no refusal, and neither is "connection refused": a dead server may be started again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cloudfail_postgres.endpoint import Endpoint
from cloudfail_postgres.session import Lost, Session, SessionError, Silent, SqlError, Unreachable

_REFUSALS = ("25006", "28000", "57P01")
_ROW = "INSERT INTO cloudfail.canary (token, region) VALUES ('fence-' || txid_current(), 'fence')"
# $1: the writer; $2: roles of the service that runs the server, a line each. A login without pg_read_all_stats is not
# told what another's session is: what is hidden counts as one that may write.
SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE coalesce(backend_type, 'client backend') = 'client backend'
  AND pid <> pg_backend_pid() AND usename <> current_user
  AND (usename = $1 OR NOT (usename = ANY (string_to_array($2, E'\\n'))
       OR (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = usename)))
"""
END_SESSIONS = SESSIONS.replace("count(*)", "pg_terminate_backend(pid)")


class Tried(Enum):
    """What became of a write that was tried (and rolled back where it was let in)."""

    REFUSED = "refused"
    LET_IN = "let in"
    NO_WORD = "no word"


@dataclass(frozen=True)
class Proof:
    tried: Tried
    words: str


def try_new(server: Endpoint) -> Proof:
    """A write over a new connection, as an application opens it; rolled back if it is let in."""
    session = server.writer_session()
    try:
        session.open()
        return _judge(lambda: _try_write(session, server.seconds), "a new connection")
    except SqlError as error:
        refused = error.sqlstate in _REFUSALS
        return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"a new connection: {error.message[:120]}")
    except (Unreachable, Silent, Lost) as error:
        return Proof(Tried.NO_WORD, f"a new connection: {error}")
    finally:
        session.close()


def try_held(server: Endpoint, look_session: Session) -> Proof:
    """A write over the connection that was opened before the fence. Where this process holds none (it was started
    later), the server's own list of sessions is asked: none that could write may be left."""
    if server.held.opened_at is not None:
        if not server.held.is_open:
            return _none_left(server, look_session, "the connection opened before was ended")
        return _judge(lambda: _try_write(server.held, server.seconds), "a connection opened before")
    return _none_left(server, look_session, "no connection opened before is held here")


def try_now(server: Endpoint) -> Proof:
    """A write as an application does it, over a session that is kept warm; rolled back if it is let in."""
    try:
        server.canary.open()
        return _judge(lambda: _try_write(server.canary, server.seconds), "a write")
    except SqlError as error:
        refused = error.sqlstate in _REFUSALS
        return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"a write: {error.message[:120]}")
    except (Unreachable, Silent, Lost) as error:
        return Proof(Tried.NO_WORD, f"a write: {error}")


def _none_left(server: Endpoint, session: Session, words: str) -> Proof:
    try:
        left = int(session.ask(SESSIONS, (server.canary.user, server.spared)).rows[0][0] or 0)
    except SessionError as error:
        return Proof(Tried.NO_WORD, f"{words}; its sessions cannot be listed: {error}")
    if left:
        return Proof(Tried.LET_IN, f"{words}; {left} session(s) that may write are left")
    return Proof(Tried.REFUSED, f"{words}; the server lists no session that may write")


def _try_write(session: Session, seconds: float) -> None:
    try:
        session.ask_as_opened(f"ROLLBACK; BEGIN; {_ROW}; ROLLBACK", seconds=seconds)
    except SqlError as error:
        if error.sqlstate not in ("42P01", "3F000", "42501"):
            raise
        # No table of ours yet, or no right to it: creating a table is a write that a read-only session is refused.
        session.ask_as_opened("ROLLBACK; BEGIN; CREATE TEMPORARY TABLE cloudfail_try (); ROLLBACK", seconds=seconds)


def _judge(attempt, where: str) -> Proof:  # type: ignore[no-untyped-def]
    try:
        attempt()
    except SqlError as error:
        refused = error.sqlstate in _REFUSALS
        return Proof(Tried.REFUSED if refused else Tried.NO_WORD, f"{where}: {error.message[:120]}")
    except Lost as error:
        return Proof(Tried.REFUSED, f"{where}: {error}")
    except Silent as error:
        return Proof(Tried.NO_WORD, f"{where}: {error}")
    return Proof(Tried.LET_IN, f"{where}: the write was let in")
