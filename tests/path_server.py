"""The data plane of paths in the tests: a TCP forwarder on loopback that sends each connection where the path's own
control plane says (an emulator's route table, address or prefix list; a site's router), and listeners that say who they
are.

It asks an emulator itself, never through the front, as packets go on when EC2's control plane is gone. `freeze` lets it
fall behind: what is set is another, and packets go where they went.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

CONNECTIONS_MAX = 64
SECONDS = 10.0
Where = Callable[[], int | None]


class Greeter:
    """A listener that says `220 NAME` to whoever connects."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:
                client.sendall(f"220 {self.name}\r\n".encode())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Forwarder:
    """Connections to 127.0.0.1:`port` go to the port that `where` names at that moment; to nobody where it is None."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._frozen: tuple[int | None] | None = None
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """From here on packets go where they go now, whatever the control plane says."""
        with self._lock:
            self._frozen = (self._where(),)

    def to(self, port: int) -> None:
        """From here on packets go there, whatever the control plane says."""
        with self._lock:
            self._frozen = (port,)

    def follow(self) -> None:
        with self._lock:
            self._frozen = None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._room.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                with self._lock:
                    port = self._frozen[0] if self._frozen else self._where()
                if port is None:
                    return
                with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as behind:
                    while chunk := behind.recv(1 << 12):
                        client.sendall(chunk)
        finally:
            self._room.release()


@contextlib.contextmanager
def greeting(*names: str) -> Iterator[dict[str, Greeter]]:
    """A listener for each of them, until the end of the block."""
    made = {name: Greeter(name) for name in names}
    try:
        yield made
    finally:
        for one in made.values():
            one.close()
