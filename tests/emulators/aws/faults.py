"""Networks that lose answers, and regions that do not answer: real sockets, between the SDK and the emulator."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from botocore.config import Config

from cloudfail_aws.clients import Clients

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Proxy:
    """A loopback proxy in front of `port`. `lose(marker, times, how)`: the next `times` requests whose bytes hold
    `marker` are handed on and applied; their answers are lost. how: "closed" (the connection breaks), "silent" (no
    answer, ever), "busy" (the answer is a 503)."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.lost = 0
        self._marker = b""
        self._left = 0
        self._how = "closed"
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lose(self, marker: bytes, times: int, how: str = "closed") -> None:
        with self._lock:
            self._marker, self._left, self._how = marker, times, how

    def close(self) -> None:
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream), timeout=30)
            self._open += [client, server]
            doomed = threading.Event()
            threading.Thread(target=self._up, args=(client, server, doomed), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client, doomed), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(1 << 16):
                with self._lock:
                    if self._left > 0 and self._marker in chunk:
                        self._left -= 1
                        self.lost += 1
                        doomed.set()
                server.sendall(chunk)
        self._end(client, server)

    def _down(self, server: socket.socket, client: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(1 << 16):
                # "100 Continue" is no answer yet: the body has not been sent.
                if doomed.is_set() and not chunk.startswith(b"HTTP/1.1 100"):
                    if self._how == "silent":
                        continue
                    if self._how == "busy":
                        client.sendall(_BUSY)
                    break
                client.sendall(chunk)
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for one in ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()


class TestClients(Clients):
    """Clients that ask another address in some regions, that retry inside as an SDK does by default, or whose answers
    are amended. amend: event -> handler, as botocore names them (`after-call.dynamodb.DescribeTable`)."""

    __test__ = False

    def __init__(
        self,
        *,
        urls: dict[str, str] | None = None,
        attempts: int = 1,
        amend: dict[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__()
        self._urls = {} if urls is None else urls
        self._attempts = attempts
        self._amend = amend or {}
        self._own: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def get(self, service: str, region: str, role: str = "") -> Any:
        with self._making:
            if (service, region) not in self._own:
                client = botocore.session.Session().create_client(
                    service,
                    region_name=region,
                    endpoint_url=self._urls.get(region),
                    config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": self._attempts}),
                )
                for event, handler in self._amend.items():
                    client.meta.events.register(event, handler)
                self._own[service, region] = client
            return self._own[service, region]
