"""Two DocumentDB clusters, one of them a reader of the other: real sockets, asked by MongoDB's own driver.

There is no DocumentDB to run, and no MongoDB here either. What is kept to is what its developer guide says: users in
`admin`, roles that are data and so are replicated, `hello`, transactions, `killAllSessions`, no `endSessions`, no
retryable writes. What it does not say can be set: `sticky`, whether a connection keeps the rights that it logged in
with; `sessions`, whether the engine ends them on command.
"""

from __future__ import annotations

import contextlib
import copy
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.aws.document_commands import TRANSACTIONS, Client, User
from tests.emulators.aws.document_wire import answer, read

DELAY_SECONDS = 0.05
THAW_SECONDS = 120.0
Document = dict[str, Any]


class Node:
    """One cluster. `frozen`: whoever connects is taken and never answered."""

    def __init__(self, name: str, users: Mapping[str, User], lock: Any) -> None:
        self.name = name
        self.primary = False
        self.data: dict[str, dict[Any, Document]] = {}
        self.users = {user: copy.deepcopy(one) for user, one in users.items()}
        # What happened here as primary: (when, what). Whoever follows it applies these in order.
        self.log: list[tuple[float, Callable[[Node], None]]] = []
        self.upstream: Node | None = None
        self.applied = 0
        self.sticky = False
        self.tls: ssl.SSLContext | None = None
        self.sessions = True
        self.wire = 13
        self.seen: list[str] = []
        self.lock = lock
        self._answering = threading.Event()
        self._answering.set()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, user: str, *, port: int = 0) -> str:
        return f"mongodb://{user}@127.0.0.1:{port or self.port}/?tls=false"

    def freeze(self) -> None:
        self._answering.clear()

    def thaw(self) -> None:
        self._answering.set()

    @property
    def is_frozen(self) -> bool:
        return not self._answering.is_set()

    def drop(self) -> None:
        """Every connection ends, as when the server restarts."""
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._answering.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def happen(self, change: Callable[[Node], None]) -> None:
        """As primary: here at once, elsewhere later."""
        change(self)
        self.log.append((time.monotonic(), change))

    def follow(self, until: float) -> None:
        upstream = self.upstream
        if upstream is None or upstream.is_frozen or self.is_frozen:
            return
        while self.applied < len(upstream.log) and upstream.log[self.applied][0] <= until:
            upstream.log[self.applied][1](self)
            self.applied += 1

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        client = Client(self)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while (asked := read(connection)) is not None:
                if not self._answering.wait(THAW_SECONDS):
                    return
                connection.sendall(answer(asked, client.answer(asked)))
        except (OSError, ValueError):
            return
        finally:
            self._open.discard(connection)
            connection.close()


class Pair:
    """The writer in the east and its reader in the west, `delay_seconds` behind. Users: owner (root), cloudfail (root),
    shop and reports."""

    def __init__(self) -> None:
        rights = [{"role": "readWrite", "db": "shop"}, {"role": "readWrite", "db": "cloudfail"}]
        users = {
            "serviceadmin": User("nobody-knows", [{"role": "root", "db": "admin"}]),
            "owner": User("owners", [{"role": "root", "db": "admin"}]),
            "cloudfail": User("ours", [{"role": "root", "db": "admin"}]),
            "shop": User("shops", rights),
            "reports": User("reports", [{"role": "readWriteAnyDatabase", "db": "admin"}]),
        }
        self.lock = threading.RLock()
        self.delay_seconds = DELAY_SECONDS
        self.east, self.west = Node("east", users, self.lock), Node("west", users, self.lock)
        self.east.primary, self.west.upstream = True, self.east
        self._ending = threading.Event()
        threading.Thread(target=self._replicate, daemon=True).start()

    def _replicate(self) -> None:
        while not self._ending.wait(0.01):
            with self.lock:
                for node in (self.east, self.west):
                    node.follow(time.monotonic() - self.delay_seconds)

    def promote(self, node: Node) -> None:
        """It writes from here on, with what it has."""
        with self.lock:
            node.primary, node.upstream = True, None
            node.drop()

    def rejoin(self, old: Node, new: Node) -> None:
        """The old writer becomes a reader of the new one: what only it had is gone."""
        with self.lock:
            old.primary, old.log = False, []
            old.data, old.users = copy.deepcopy(new.data), copy.deepcopy(new.users)
            old.upstream, old.applied = new, len(new.log)
            old.drop()

    def exchange(self, old: Node, new: Node) -> None:
        """As a switchover does: the old writer stops, the new one gets all that it has, and writes."""
        with self.lock:
            old.primary = False
            new.follow(time.monotonic())
            self.promote(new)
            self.rejoin(old, new)

    def close(self) -> None:
        self._ending.set()
        for node in (self.east, self.west):
            node.close()
            TRANSACTIONS.pop(id(node), None)
