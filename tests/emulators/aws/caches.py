"""Global datastores whose control plane is a stand-in and whose servers are a real Redis pair.

What an API call does to the data plane is done here, to real servers, late, or not at all, while the API goes on saying
what it says. A region that is unreachable has a server that stands still and a control plane where nobody listens.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import redis

from cloudfail.model.topology import PortName
from cloudfail_aws import provider
from cloudfail_aws.database.elasticache_global import ElastiCacheGlobal
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.emulator import free_port
from tests.emulators.aws.standins.caches import Caches
from tests.local.servers import until

BINARY = "redis-server"
NAME = "ldgnf-sessions"
GROUPS = {EAST: "sessions-e", WEST: "sessions-w"}
USERS = {EAST: "shop-e", WEST: "shop-w"}
ACCESS = "on ~* &* +@all -@admin -@dangerous"
OWN = "on >own-secret ~cloudfail:* -@all +get +mget +set +ping +info +client|list +acl|list"
LATE_SECONDS = 0.5


def has_redis() -> bool:
    return shutil.which(BINARY) is not None


class Server:
    """One Redis server, with the logins of cloudfail and of an application. `default` is the test's own."""

    def __init__(self, root: Path, name: str, **more: str) -> None:
        self.port = free_port()
        self.frozen = False
        self.data = root / name
        self.data.mkdir()
        said = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.data),
            "save": "",
            "appendonly": "no",
            "set-proc-title": "no",  # its command line tells the reaper whose it is
            "repl-ping-replica-period": "1",
            "repl-diskless-sync-delay": "0",
            "repl-timeout": "5",
            **more,
        }
        words = [word for key, value in said.items() for word in (f"--{key}", value)]
        for user in ("default on nopass ~* &* +@all", f"shop >shop-secret {ACCESS}", f"cloudfail {OWN}"):
            words += ["--user", *user.split()]
        self._process = subprocess.Popen(
            [BINARY, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        until(lambda: self._process.poll() is not None or self._answers(), 30.0, f"{name} does not start")
        assert self._process.poll() is None, f"{name} ended: it does not take {words}"

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *words: str) -> Any:
        """As the test, over a connection of its own, which ends with the answer."""
        with redis.Redis(
            port=self.port, decode_responses=True, socket_timeout=20, single_connection_client=True
        ) as one:
            return one.execute_command(*words)

    def info(self) -> Mapping[str, str]:
        said: Mapping[str, str] = self.ask("INFO", "replication")
        return said

    def follow(self, upstream: Server | None) -> None:
        self.ask("REPLICAOF", *(("NO", "ONE") if upstream is None else ("127.0.0.1", str(upstream.port))))

    def allow(self, user: str, access: str) -> None:
        self.ask("ACL", "SETUSER", user, "resetkeys", "resetchannels", "nocommands", *access.split())

    def freeze(self) -> None:
        self.frozen = True
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        self.frozen = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        self._process.kill()
        self._process.wait(20)


@contextlib.contextmanager
def pair(root: Path) -> Iterator[dict[str, Server]]:
    """us-east-1 writes, us-west-2 replicates it."""
    made: dict[str, Server] = {}
    try:
        for region in (EAST, WEST):
            made[region] = Server(root, region)
        made[WEST].follow(made[EAST])
        until(lambda: made[WEST].info().get("master_link_status") == "up", 30.0, "no replication")
        yield made
    finally:
        for server in made.values():
            server.stop()


@contextlib.contextmanager
def called_a_master(server: Server) -> Iterator[int]:
    """A port at which this replica calls itself a master, as a managed service might have it, and is none the less a
    replica. What it says is changed on its way, by so many bytes as before."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = [listener]

    def carry(taken: socket.socket, given: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := taken.recv(1 << 16):
                given.sendall(chunk.replace(b"role:slave\r\nmaster_host", b"role:master\r\naster_host"))
        given.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection(("127.0.0.1", server.port), timeout=20)
                open_.extend((client, upstream))
                for pair_ in ((client, upstream), (upstream, client)):
                    threading.Thread(target=carry, args=pair_, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        for one in open_:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def member(region: str, server: Server, **more: Any) -> dict[str, Any]:
    return {
        "group": GROUPS[region],
        "endpoint": f"127.0.0.1:{server.port}",
        "tls": False,
        "user": "cloudfail",
        "password": "env:CACHE_OWN",
        "writer": "shop",
        "writer_password": "env:CACHE_SHOP",
        "users": [USERS[region]],
        "spares": ["default"],  # the test itself
        **more,
    }


def made(clients: WorldClients, members: Mapping[str, Any], **options: Any) -> ElastiCacheGlobal:
    one = databases.resource("elasticache-global", members, id=NAME, **options)
    return ElastiCacheGlobal(one, databases.topology(one), clients)


class World:
    """conformance.Harness, and the hand that moves the servers."""

    source, target = EAST, WEST

    def __init__(self, servers: Mapping[str, Server], machine: Caches, clients: WorldClients) -> None:
        self.servers = servers
        self.machine = machine
        self.clients = clients
        self._closed = False
        self._lock = threading.Lock()
        self.ports: list[ElastiCacheGlobal] = []
        self._kind = provider.kinds()[PortName.DATABASE, "elasticache-global"]
        self._port = self.another()

    def another(self, **options: Any) -> ElastiCacheGlobal:
        """As another process would have it, which holds no connection of before."""
        members = {region: member(region, server) for region, server in self.servers.items()}
        given = {"answer_within": "6s", "api_within": "25s", **options}
        self.ports.append(made(self.clients, members, **given))
        return self.ports[-1]

    def port(self) -> ElastiCacheGlobal:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.clients.gone.add(region)
        self.servers[region].freeze()

    def restore(self, region: str) -> None:
        self.servers[region].thaw()
        self.clients.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.3))

    def fencing(self, verb: str) -> str:
        return self._kind.verbs[verb].fencing

    def close(self) -> None:
        with self._lock:
            self._closed = True  # what calls would still lead to leads nowhere
        for port in self.ports:
            port.close()

    # What calls lead to.

    def move(self, _name: str, region: str) -> None:
        """The datastore's roles have changed, says the API: so do the servers'."""
        other = next(one for one in self.servers if one != region)
        with self._lock:
            if self._closed:
                return
            self.servers[region].follow(None)
            if not self.servers[other].frozen:
                self.servers[other].follow(self.servers[region])

    def allow(self, region: str, user: str, access: str) -> None:
        with self._lock:
            if not self._closed:
                self.servers[region].allow(user, access)
