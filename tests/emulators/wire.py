"""HTTP on loopback as an emulator needs it: a door that answers by a function, and asking another server.

Threads, one for each connection, which stays open for the next request. Header and body leave in one send: in two, the
second waits for the first one's acknowledgement, 40 ms a call. Sockets and threads are the test run's own, so nothing
is left when that is killed.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

CONNECTIONS_MAX = 512
HEADERS_MAX = 256
LINE_MAX = 1 << 16
BODY_MAX = 1 << 26
# How long a connection may idle, and how long a silence is kept, before it is given up.
IDLE_SECONDS = 120.0
SILENCE_SECONDS = 600.0
UPSTREAM_SECONDS = 60.0

_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


class Lost(enum.Enum):
    """What a client gets instead of an answer."""

    BROKEN = "the connection is reset"
    SILENCE = "nothing, until the client gives up"


@dataclass(frozen=True)
class Request:
    """One as it came. `headers` have names in lower case; `target` is the path and the query as sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Still percent-encoded: an ARN in a path has slashes that are no separators."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The parameters of AWS's query protocol: in the body, or in the address of a presigned request."""
        if "form-urlencoded" in self.headers.get("content-type", ""):
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return self.query


@dataclass(frozen=True)
class Answer:
    """`cut`: after so many bytes of the body the connection breaks."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None


Answers = Callable[[Request], "Answer | Lost"]


class Door:
    """A loopback address that answers by `answers`, over TLS if it has a `context`. It can be shut, so that connecting
    is refused and what was connected is reset, and opened again at the same port."""

    def __init__(self, answers: Answers, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self._answers = answers
        self._context = context
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = port
        self.open()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    def open(self) -> None:
        with self._lock:
            if self._listener is not None:
                return
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=CONNECTIONS_MAX)
            self.port = int(self._listener.getsockname()[1])
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._open = self._open, set()
        if listener is not None:
            # The thread that waits in accept is woken by the shutdown, not by the close.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for one in connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                welcome = self._listener is listener and self._room.acquire(blocking=False)
                if welcome:
                    self._open.add(connection)
            if welcome:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            else:
                _reset(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(IDLE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                with contextlib.suppress(OSError):
                    connection = self._over_tls(connection, self._context)
            with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as reader:
                while (request := _read(reader, connection)) is not None:
                    if not _send(connection, request, self._answers(request)):
                        break
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            self._room.release()

    def _over_tls(self, plain: socket.socket, context: ssl.SSLContext) -> socket.socket:
        """Raises OSError where the client does not shake hands."""
        secured = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=True)
        with self._lock:
            self._open.discard(plain)
            self._open.add(secured)
        return secured


def _read(reader: BinaryIO, connection: socket.socket) -> Request | None:
    """The next request; None where the client is done. Raises ValueError for what is no HTTP."""
    line = reader.readline(LINE_MAX)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split()
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        name, colon, value = reader.readline(LINE_MAX).decode("latin-1").partition(":")
        if not colon:
            break
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = b"".join(_chunks(reader))
    else:
        length = int(headers.get("content-length", "0"))
        if length > BODY_MAX:
            raise ValueError(f"a body of {length} bytes")
        body = reader.read(length)
    return Request(method, target, headers, body)


def _chunks(reader: BinaryIO) -> Iterator[bytes]:
    left = BODY_MAX
    while size := int(reader.readline(LINE_MAX).split(b";")[0], 16):
        left -= size
        if left < 0:
            raise ValueError("a body without an end")
        yield reader.read(size)
        reader.readline(LINE_MAX)
    while reader.readline(LINE_MAX).strip():
        pass


def _send(connection: socket.socket, request: Request, answer: Answer | Lost) -> bool:
    """Whether the connection may serve another request."""
    if answer is Lost.SILENCE:
        connection.settimeout(SILENCE_SECONDS)
        # Until the client goes, or the door is shut.
        connection.recv(1)
        return False
    if isinstance(answer, Lost):
        _reset(connection)
        return False
    named = {name.lower() for name, _ in answer.headers}
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers if name.lower() not in _OF_ONE_HOP]
    if "content-length" not in named and answer.status not in (204, 304):
        lines.append(f"Content-Length: {len(answer.body)}")
    body = b"" if request.method == "HEAD" else answer.body[: answer.cut]
    connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    return answer.cut is None and request.headers.get("connection", "").lower() != "close"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _reset(connection: socket.socket) -> None:
    # No farewell: the client sees a reset, as when a machine between the two is gone.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Upstream:
    """Asks the server at `port`, over a connection that each thread keeps."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._kept = threading.local()

    def __call__(self, request: Request) -> Answer | Lost:
        connection = self._connection()
        try:
            # The host as it was sent: signatures cover it.
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in _OF_ONE_HOP and name not in ("content-length", "expect"):
                    connection.putheader(name, value)
            if request.body or request.method not in ("GET", "HEAD"):
                connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Lost.BROKEN
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP]
        if request.method != "HEAD":
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return Answer(answer.status, tuple(headers), body)

    def _connection(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if kept is None:
            kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=UPSTREAM_SECONDS)
            self._kept.connection = kept
        elif kept.sock is not None and select.select([kept.sock], [], [], 0)[0]:
            # Readable while nothing was asked: the server has closed it. A new one opens with the request.
            kept.close()
        return kept
