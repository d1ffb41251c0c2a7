"""One connection to one Redis or Valkey server, each step of it bounded in time. Nothing connects behind our back: that
a connection was made before a fence must stay true of it."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any

from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

CODES = {
    "ReadOnlyError": "READONLY",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
    "AuthorizationError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
}
"""The library takes the code from the message where it has a class for it."""


class CacheError(Exception):
    """What a question to a server came to, where not to an answer."""


class Unreachable(CacheError):
    """No connection was made, or there is no way to one; nothing was sent."""


class Silent(CacheError):
    """No answer within the bound."""


class Lost(CacheError):
    """The connection ended. What was sent may have been taken."""


class Refusal(CacheError):
    """The server answered, with an error. code: its first word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


@dataclass(frozen=True)
class Address:
    """Where a server is, and as whom it is asked there. ca: a file, or None for the system's authorities."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    ca: str | None


class Session:
    """`ask` connects where it must; `ask_as_opened` never does. Safe to share between threads; one question at a
    time."""

    def __init__(self, address: Address, seconds: float) -> None:
        self.user = address.user
        self.opened_at: float | None = None
        self._address = address
        self._seconds = seconds
        self._connection: Any = None
        self._lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        """Raises Unreachable, Silent, Refusal."""
        with self._lock:
            if self._connection is not None:
                return
            made = self._made()
            try:
                made.connect()
            except exceptions.AuthenticationError as error:
                raise Refusal(_code(error), str(error)) from error
            except exceptions.TimeoutError as error:
                raise Silent(f"no answer within {self._seconds:g} s") from error
            except exceptions.ResponseError as error:
                raise Refusal(_code(error), _rest(error)) from error
            except (exceptions.RedisError, OSError, ValueError) as error:
                raise Unreachable(" ".join(str(error).split())) from error
            self._connection, self.opened_at = made, time.time()

    def ask(self, *words: str) -> Any:
        """The reply. A connection that has ended meanwhile is made anew, once: all that is asked here may be asked
        again. Raises CacheError."""
        with self._lock:
            was_open = self.is_open
            self.open()
            try:
                return self.ask_as_opened(*words)
            except Lost:
                if not was_open:
                    raise
            self.open()
            return self.ask_as_opened(*words)

    def ask_as_opened(self, *words: str) -> Any:
        """The reply, over the connection as it is. Raises CacheError; Lost where there is none any more."""
        with self._lock:
            connection = self._connection
            if connection is None:
                raise Lost("the connection has ended")
            try:
                connection.send_command(*words)
                return connection.read_response()
            except exceptions.TimeoutError as error:
                self.close()
                raise Silent(f"no answer within {self._seconds:g} s") from error
            except exceptions.ResponseError as error:
                raise Refusal(_code(error), _rest(error)) from error
            except (exceptions.RedisError, OSError) as error:
                self.close()
                raise Lost(f"the connection has ended: {' '.join(str(error).split())}") from error

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(exceptions.RedisError, OSError):
                connection.disconnect()

    def _made(self) -> Any:
        at = self._address
        said: dict[str, Any] = {
            "host": at.host,
            "port": at.port,
            "username": at.user,
            "password": at.password,
            "socket_timeout": self._seconds,
            "socket_connect_timeout": self._seconds,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": True,
            "protocol": 2,
        }
        if at.tls:
            said |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": at.ca}
        kind: Any = SSLConnection if at.tls else Connection
        return kind(**said)


def _code(error: Exception) -> str:
    known = next((CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in CODES), None)
    return known or (str(error).split() or ["ERR"])[0]


def _rest(error: Exception) -> str:
    code, text = _code(error), " ".join(str(error).split())
    return text.removeprefix(code).strip()[:200]
