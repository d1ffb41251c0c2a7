"""One connection to one PostgreSQL server, every step of it bounded in time.

libpq's own connect_timeout counts whole seconds (two at least) and a statement has no client-side bound at all: a
server stopped with SIGSTOP keeps its TCP connections and would hold us for ever. So this file drives libpq's
non-blocking interface (psycopg.pq) against a deadline of its own.
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import conninfo, pq

from cloudfail.errors import CloudfailError, OutcomeUnknown, Transient
from cloudfail_postgres.errors import from_sqlstate

Row = tuple[str | None, ...]
QUIET_SECONDS = 1.0


class Unreachable(Exception):
    """No connection was made; nothing was sent. `refused`: the address answered that nobody listens there."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class SqlError(Exception):
    """The server replied with an error. `login`: it was the login that it refused."""

    def __init__(self, sqlstate: str, message: str, *, login: bool = False) -> None:
        super().__init__(f"{message} (SQLSTATE {sqlstate})")
        self.sqlstate = sqlstate
        self.message = message
        self.login = login


class Lost(Exception):
    """The connection broke after the statement was sent."""


class Silent(Exception):
    """No answer within the time given; the statement may still be running."""


SessionError = (Unreachable, SqlError, Lost, Silent)


def mutation_error(error: Exception, what: str) -> CloudfailError:
    """The class of a failed statement that changes something."""
    if isinstance(error, Unreachable):
        return Transient(f"{what}: {error}.")
    if isinstance(error, SqlError):
        return from_sqlstate(error.sqlstate, f"{what}: {error.message}")
    return OutcomeUnknown(f"{what}: {error}.")


@dataclass(frozen=True)
class Answer:
    """Rows as text, and the notices that came with them. A WARNING on a commit is part of the answer: PostgreSQL
    reports a synchronous commit whose wait was cancelled as a success with a warning."""

    rows: tuple[Row, ...]
    notices: tuple[str, ...]
    tag: str = ""


class Session:
    """A connection that is opened when it is first used, and again after it broke. One statement at a time."""

    def __init__(self, dsn: str, *, name: str, settings: str = "", seconds: float = 0.5) -> None:
        parts: dict[str, str | int | None] = {"application_name": name}
        parts.update((key, str(value)) for key, value in conninfo.conninfo_to_dict(dsn).items())
        if settings:
            parts["options"] = f"{parts.get('options', '')} {settings}".strip()
        parts.setdefault("gssencmode", "disable")
        # Without these a session to a region that vanished would look open for hours.
        bounds = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
        for key, value in bounds.items():
            parts.setdefault(key, value)
        self._dsn = conninfo.make_conninfo("", **parts).encode()
        self._parts = parts
        self.seconds = seconds
        self._connection: pq.abc.PGconn | None = None
        self._notices: list[str] = []
        self._lock = threading.Lock()
        self._owed_answer = False
        self._quiet_until = 0.0
        self.opened_at: float | None = None
        # Whether cloudfail's own table of marks was read here (a provider's own look).
        self.reads_mark = False

    @property
    def user(self) -> str:
        return str(self._parts.get("user", ""))

    @property
    def place(self) -> str:
        """Where it connects to, for people: never the password."""
        host = self._parts.get("hostaddr") or self._parts.get("host", "localhost")
        return f"{host}:{self._parts.get('port', 5432)}"

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self, seconds: float | None = None) -> None:
        """Connect, if it is not connected. Raises Unreachable, SqlError (login refused) or Silent."""
        with self._turn(seconds or self.seconds):
            self._open(time.monotonic() + (seconds or self.seconds))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._owed_answer = False
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.finish()

    def ask(self, sql: str, parameters: Sequence[str | None] = (), *, seconds: float | None = None) -> Answer:
        """A statement that may be sent again: a connection that had broken is opened once more. A server that was
        silent a moment ago is not waited for again at once: several looks follow each other while a region is lost."""
        bound = seconds or self.seconds
        if time.monotonic() < self._quiet_until:
            raise Silent(f"{self.place} did not answer a moment ago")
        with self._turn(bound):
            deadline = time.monotonic() + bound
            stale = self._connection is not None
            try:
                return self._once(sql, parameters, deadline)
            except Silent:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
                raise
            except (Lost, SqlError) as error:
                # A session that was idle when its server restarted tells of it only now.
                if not stale or (isinstance(error, SqlError) and error.sqlstate not in ("57P01", "57P02", "57P05")):
                    raise
                return self._once(sql, parameters, deadline)

    def order(self, sql: str, parameters: Sequence[str | None] = (), *, seconds: float | None = None) -> Answer:
        """A statement that changes something: sent once. The connection is tried first, so that a stale one is
        noticed before and not after."""
        bound = seconds or self.seconds
        with self._turn(bound):
            deadline = time.monotonic() + bound
            if self._connection is not None and self._is_stale():
                self.close()
            return self._once(sql, parameters, deadline)

    def order_kept(self, sql: str, parameters: Sequence[str | None] = (), *, seconds: float) -> Answer:
        """As `order`, but a connection that owes an answer is kept, and that answer is waited for first. A commit that
        waits for its standby goes on waiting on the server when its client leaves; a client that came anew each second
        would pile up such backends."""
        with self._turn(seconds):
            deadline = time.monotonic() + seconds
            if self._connection is not None and not self._owed_answer and self._is_stale():
                self.close()
            self._open(deadline)
            return self._exchange(sql, parameters, deadline, keep=True)

    def ask_as_opened(self, sql: str, *, seconds: float) -> Answer:
        """A statement over this very connection, or Lost: never over a new one. A statement that got no answer earlier
        is waited for first."""
        with self._turn(seconds):
            if self._connection is None:
                raise Lost("the connection that was opened before is gone")
            return self._exchange(sql, (), time.monotonic() + seconds, keep=True)

    @contextlib.contextmanager
    def _turn(self, seconds: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=seconds):
            raise Silent(f"{self.place} still owes an earlier answer")
        try:
            yield
        finally:
            self._lock.release()

    def _is_stale(self) -> bool:
        """Whether the server has closed an idle connection: then there is something to read, or an end of file."""
        connection = self._connection
        if connection is None:
            return False
        poller = select.poll()
        poller.register(connection.socket, select.POLLIN)
        if not poller.poll(0):
            return False
        try:
            connection.consume_input()
        except Exception:  # noqa: BLE001
            return True
        return bool(connection.status != pq.ConnStatus.OK)

    def _once(self, sql: str, parameters: Sequence[str | None], deadline: float) -> Answer:
        self._open(deadline)
        return self._exchange(sql, parameters, deadline, keep=False)

    def _open(self, deadline: float) -> None:
        if self._connection is not None:
            return
        connection = pq.PGconn.connect_start(self._dsn)
        try:
            while True:
                if connection.status == pq.ConnStatus.BAD:
                    raise _login_error(connection, self.place)
                state = connection.connect_poll()
                if state == pq.PollingStatus.OK:
                    break
                if state == pq.PollingStatus.FAILED:
                    raise _login_error(connection, self.place)
                _wait(connection.socket, deadline, write=state == pq.PollingStatus.WRITING, place=self.place)
        except BaseException:
            connection.finish()
            raise
        connection.nonblocking = 1
        connection.notice_handler = self._notice
        self._connection = connection
        self._owed_answer = False
        self.opened_at = time.monotonic()

    def _exchange(self, sql: str, parameters: Sequence[str | None], deadline: float, *, keep: bool) -> Answer:
        """Send and read. On Silent the connection is closed unless `keep`; then its answer is owed, and read before
        the next statement goes out."""
        connection = self._connection
        assert connection is not None
        try:
            if self._owed_answer:
                self._results(connection, deadline)
                self._owed_answer = False
            self._notices.clear()
            if parameters:
                values = [None if value is None else value.encode() for value in parameters]
                connection.send_query_params(sql.encode(), values)
            else:
                connection.send_query(sql.encode())
            self._owed_answer = True
            results = self._results(connection, deadline)
            self._owed_answer = False
        except Silent:
            if not keep:
                self.close()
            raise
        except Lost:
            self.close()
            raise
        except SqlError:
            self._owed_answer = False
            if connection.status != pq.ConnStatus.OK:
                self.close()
            raise
        except Exception as error:
            self.close()
            raise Lost(f"{self.place}: {error}") from error
        last = results[-1] if results else None
        rows = tuple(
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for result in results
            if result.status == pq.ExecStatus.TUPLES_OK
            for row in range(result.ntuples)
        )
        tag = (last.command_status or b"").decode() if last is not None else ""
        return Answer(rows, tuple(self._notices), tag)

    def _results(self, connection: pq.abc.PGconn, deadline: float) -> list[pq.abc.PGresult]:
        """All results up to the end of the exchange; an error among them is raised after all were read."""
        results: list[pq.abc.PGresult] = []
        error: SqlError | None = None
        while True:
            while connection.flush() == 1:
                _wait(connection.socket, deadline, write=True, place=self.place)
            while connection.is_busy():
                _wait(connection.socket, deadline, write=False, place=self.place)
                try:
                    connection.consume_input()
                except Exception as broken:
                    if error is None:
                        raise Lost(f"{self.place} closed the connection") from broken
                    raise error from broken
            result = connection.get_result()
            if result is None:
                break
            if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
                error = error or _result_error(result, self.place)
                if connection.status != pq.ConnStatus.OK:
                    break
            results.append(result)
        if error is not None:
            if not error.sqlstate:
                raise Lost(f"{self.place}: {error.message}")
            raise error
        return results

    def _notice(self, result: pq.abc.PGresult) -> None:
        severity = (result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b"").decode()
        message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        self._notices.append(f"{severity}: {message}")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _wait(descriptor: int, deadline: float, *, write: bool, place: str) -> None:
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT if write else select.POLLIN)
    left = deadline - time.monotonic()
    if left <= 0 or not poller.poll(max(1, int(left * 1000))):
        raise Silent(f"{place} did not answer in time")


def _result_error(result: pq.abc.PGresult, place: str) -> SqlError:
    sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
    return SqlError(sqlstate, message or f"{place} closed the connection")


def _login_error(connection: pq.abc.PGconn, place: str) -> Exception:
    """libpq gives no SQLSTATE for a failed login, only its text; these texts are the server's own, untranslated where
    lc_messages is C, and a text that is not known means unreachable, which proves nothing."""
    message = " ".join((connection.error_message or b"").decode("utf-8", "replace").split())
    if "pg_hba.conf rejects" in message or "no pg_hba.conf entry" in message:
        return SqlError("28000", message, login=True)
    if "authentication failed" in message:
        return SqlError("28P01", message, login=True)
    if "is not permitted to log in" in message:
        return SqlError("28000", message, login=True)
    if "the database system is" in message:
        return SqlError("57P03", message, login=True)
    if "too many connections" in message or "too many clients" in message or "remaining connection slots" in message:
        return SqlError("53300", message, login=True)
    refused = "Connection refused" in message or "No such file or directory" in message
    return Unreachable(f"{place} does not accept connections: {message[:200]}", refused=refused)
