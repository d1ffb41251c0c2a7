"""The address of a load balancer, on loopback: a connection is led to an instance as the configuration says, and what
the instance says comes back. So users see where they were sent, whatever an API says of it."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tests.emulators.gcp.standins.backend_services import BackendServices

HEARD_MAX = 64
WAIT_SECONDS = 5.0


@contextlib.contextmanager
def instance(says: str) -> Iterator[int]:
    """A port on which each connection hears that word, until the end of the block."""
    with _serving(lambda connection: connection.sendall(says.encode())) as port:
        yield port


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port on which nobody listens, and which nobody else is given meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextlib.contextmanager
def frontend(machine: BackendServices, leads: Callable[[], Mapping[str, float]]) -> Iterator[int]:
    """leads: backend service's path -> its share of connections, asked for each of them."""

    def relay(connection: socket.socket) -> None:
        shares = leads()
        (service,) = random.choices(list(shares), list(shares.values()))
        open_groups = [group for group, scaler in machine.scalers(service).items() if scaler > 0]
        ports = [port for group in open_groups for port in machine.members.get(group, {}).values()]
        with socket.create_connection(("127.0.0.1", random.choice(ports)), timeout=WAIT_SECONDS) as onward:
            connection.sendall(onward.recv(HEARD_MAX))

    with _serving(relay) as port:
        yield port


def users(port: int, count: int = 20) -> Counter[str]:
    """What so many users hear, one after the other; "" where nobody serves them."""
    heard: Counter[str] = Counter()
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as connection:
            heard[connection.recv(HEARD_MAX).decode()] += 1
    return heard


@contextlib.contextmanager
def _serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_take, args=(listener, serve), daemon=True).start()
        yield int(listener.getsockname()[1])
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _take(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        with contextlib.suppress(OSError, IndexError), connection:
            serve(connection)
