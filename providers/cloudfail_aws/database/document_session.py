"""One connection to one DocumentDB member over MongoDB's wire protocol, every step of it bounded in time.

pymongo decides much by itself that must not be left to it here: it is told to talk to the one server that is named
(no discovery: a member is asked, not whoever its replica set calls the primary), to send nothing twice (DocumentDB has
no retryable writes), and to keep one connection. Its own timeouts count for each step anew, so `within` bounds the
whole.

Sources: pymongo's documentation; DocumentDB developer guide, "Connecting programmatically".
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pymongo
from pymongo import monitoring
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.uri_parser import parse_uri

from cloudfail.errors import Permanent
from cloudfail.retry import within

T = TypeVar("T")
QUIET_SECONDS = 1.0
CLOSE_SECONDS = 1.0
NOT_PRIMARY = 10107


class Unreachable(Exception):
    """No connection was made; nothing was sent."""


class Lost(Exception):
    """The connection broke, or there was no answer in time. What was sent may be carried out."""


class Refusal(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message


DocumentError = (Unreachable, Lost, Refusal)


class _Connections(monitoring.ConnectionPoolListener):
    """How many connections were made, and how many of them are left."""

    def __init__(self) -> None:
        self.made = 0
        self.ended = 0

    def connection_ready(self, event: Any) -> None:
        self.made += 1

    def connection_closed(self, event: Any) -> None:
        self.ended += 1

    def _none(self, event: Any) -> None:
        """Of no interest."""

    pool_created = pool_ready = pool_cleared = pool_closed = _none
    connection_created = connection_check_out_started = connection_check_out_failed = _none
    connection_checked_out = connection_checked_in = _none


class Session:
    """Opened when it is first used. One request at a time. hosts are tried in their order, each time it is opened."""

    def __init__(self, url: str, password: str | None, *, name: str, seconds: float) -> None:
        try:
            parsed = parse_uri(url, warn=False)
        except (PyMongoError, ValueError, OSError) as error:  # OSError: a certificate's file that cannot be read
            raise Permanent(
                f"The address of a DocumentDB member cannot be used: {getattr(error, 'strerror', None) or error}.",
                "Nothing was asked of it.",
                "Write mongodb://USER@HOST:PORT/?tls=true, with tlsCAFile=, a file that is there.",
            ) from error
        self._hosts: list[tuple[str, int]] = [(host, port or 27017) for host, port in parsed["nodelist"]]
        self._options = dict(parsed["options"])
        self._password = password
        self._name = name
        self.user = str(parsed["username"] or "")
        self.seconds = seconds
        self._client: Any = None
        self._connections = _Connections()
        self._at: tuple[str, int] = self._hosts[0]
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    @property
    def place(self) -> str:
        """Where it connects to, for people."""
        return f"{self._at[0]}:{self._at[1]}"

    @property
    def is_open(self) -> bool:
        """Whether the connection that was made is there still, as far as this side has heard."""
        return self._client is not None and self._connections.made > self._connections.ended

    @property
    def made(self) -> int:
        """Connections made so far by this session's client."""
        return self._connections.made

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(TimeoutError, PyMongoError):
                within(CLOSE_SECONDS, client.close)

    def ask(self, request: Callable[[Any], T], *, seconds: float | None = None) -> T:
        """What may be sent again: over a connection that broke it is, once. A server that was silent a moment ago is
        not waited for again at once: several looks follow each other while a region is lost."""
        if time.monotonic() < self._quiet_until:
            raise Lost(f"{self.place} did not answer a moment ago")
        until = time.monotonic() + (seconds or self.seconds)
        stale = self.is_open
        try:
            return self._once(request, until)
        except Lost:
            if stale and time.monotonic() < until - 0.05:
                return self._once(request, until)
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            raise

    def order(self, request: Callable[[Any], T], *, seconds: float | None = None) -> T:
        """What changes something: sent once."""
        return self._once(request, time.monotonic() + (seconds or self.seconds))

    def ask_as_opened(self, request: Callable[[Any], T]) -> tuple[T, bool]:
        """The answer, and whether it came over the connection that was there. Raises Lost where none was: nothing is
        sent over a new one then, unless the old one turned out to be gone in the moment of sending."""
        if not self.is_open:
            raise Lost("the connection that was opened before is gone")
        made = self.made
        answer = self._once(request, time.monotonic() + self.seconds)
        return answer, self.made == made

    def _once(self, request: Callable[[Any], T], until: float) -> T:
        left = until - time.monotonic()
        if left <= 0 or not self._lock.acquire(timeout=left):
            raise Lost(f"{self.place} still owes an earlier answer")
        try:
            client = self._client or self._open(until)
            return _said(self.place, until - time.monotonic(), lambda: request(client))
        except (Lost, Unreachable):
            self.close()
            raise
        finally:
            self._lock.release()

    def _open(self, until: float) -> Any:
        """A client of the first host that answers. Each gets its share of the time. Raises Unreachable or Refusal."""
        silence = Unreachable(f"{self.place} has no address")
        for number, host in enumerate(self._hosts):
            self._at = host
            share = time.monotonic() + (until - time.monotonic()) / (len(self._hosts) - number)
            client = None
            try:
                # pymongo would try one that refuses again and again, until its time is over.
                _said(self.place, share - time.monotonic(), partial(_knock, host, self.seconds))
                client = self._made(host)
                # Greets, and logs in. Nothing else was sent.
                _said(self.place, share - time.monotonic(), partial(client.admin.command, "ping"))
            except (Unreachable, Lost, Refusal) as error:
                if client is not None:
                    with contextlib.suppress(TimeoutError, PyMongoError):
                        within(CLOSE_SECONDS, client.close)
                if isinstance(error, Refusal):
                    raise
                silence = Unreachable(str(error))
                continue
            self._client = client
            return client
        raise silence

    def _made(self, host: tuple[str, int]) -> Any:
        milliseconds = max(1, int(self.seconds * 1000))
        self._connections = _Connections()
        ours: dict[str, Any] = {
            "appname": self._name,
            "directConnection": True,
            "retryWrites": False,
            "retryReads": False,
            "maxPoolSize": 1,
            "connectTimeoutMS": milliseconds,
            "socketTimeoutMS": milliseconds,
            "serverSelectionTimeoutMS": milliseconds,
            "waitQueueTimeoutMS": milliseconds,
            # Its monitor would throw the one connection away because another one fared ill.
            "heartbeatFrequencyMS": 3_600_000,
            "serverMonitoringMode": "poll",
            "w": "majority",
        }
        taken = {key.lower() for key in ours} | {"replicaset"}
        theirs = {key: value for key, value in self._options.items() if key.lower() not in taken}
        login = {"username": self.user, "password": self._password or "", "authSource": "admin"}
        try:
            return pymongo.MongoClient(
                host[0], host[1], event_listeners=[self._connections], **{**theirs, **login, **ours}
            )
        except (ConfigurationError, ValueError, TypeError) as error:
            raise Unreachable(f"{self.place} cannot be asked with these options: {_line(error)}") from error


def _knock(host: tuple[str, int], seconds: float) -> None:
    socket.create_connection(host, timeout=seconds).close()


def _said(place: str, seconds: float, request: Callable[[], T]) -> T:
    """What `request` returns. Raises Unreachable, Lost or Refusal."""
    if seconds <= 0:
        raise Lost(f"{place} did not answer in time")
    try:
        return within(seconds, request)
    except NotPrimaryError as error:
        details = error.details if isinstance(error.details, dict) else {}
        raise Refusal(int(details.get("code") or NOT_PRIMARY), _line(error)) from error
    except (ServerSelectionTimeoutError, WaitQueueTimeoutError) as error:
        raise Unreachable(f"{place} does not answer: {_line(error)}") from error
    except OperationFailure as error:
        raise Refusal(int(error.code or 0), _line(error)) from error
    except TimeoutError as error:
        raise Lost(f"{place} did not answer in time") from error
    except socket.gaierror as error:
        raise Unreachable(f"{place} has no address: {error.strerror}") from error
    except ConnectionRefusedError as error:
        raise Unreachable(f"{place} does not accept connections") from error
    except (AutoReconnect, PyMongoError, OSError) as error:
        raise Lost(f"{place}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """On one line, without pymongo's description of the topology."""
    text = str(error).split(", full error", 1)[0].split(", Timeout:", 1)[0].split(" (configured timeouts", 1)[0]
    return " ".join(text.split())[:200]
