"""Real PostgreSQL servers for tests: a primary in `east`, a replica in `west`, on free loopback ports.

Servers run as the postgres user where the tests run as root. A reaper, a process of its own, ends every server under
the test's directory and removes it, and what they hold in the kernel, once the test run is gone, whatever killed it: it
notices by the end of a pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from cloudfail.errors import Conflict
from cloudfail.lab import remains
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail.ports import Call
from cloudfail_local.postgresql import PostgreSQL

BIN = Path(os.environ.get("CLOUDFAIL_PG_BIN", "/usr/lib/postgresql/15/bin"))
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups") if os.getuid() == 0 else ()

_REAPER = r"""
import os, pathlib, shutil, signal, sys, time
from cloudfail.lab import remains
root = pathlib.Path(sys.argv[1])
sys.stdin.buffer.read()
for _ in range(20):
    alive = False
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = pathlib.Path("/proc", name, "cmdline").read_bytes()
            if str(root).encode() in words and int(name) != os.getpid():
                os.kill(int(name), signal.SIGCONT)
                os.kill(int(name), signal.SIGKILL)
                alive = True
        except (OSError, ValueError):
            pass
    if not alive:
        break
    time.sleep(0.05)
for depth in ("*", "*/*"):
    for held in root.glob(depth + "/postmaster.pid"):
        remains.forget(held.parent)
shutil.rmtree(root, ignore_errors=True)
"""


def has_postgres() -> bool:
    return (BIN / "postgres").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*argv: object, check: bool = True, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AS_POSTGRES, *map(str, argv)], check=check, capture_output=True, text=True, timeout=seconds, cwd="/"
    )


def until(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A directory that the postgres user may enter, with a reaper behind it."""
    _adopt_orphans()
    root = Path(tempfile.mkdtemp(prefix="cloudfail-test-", dir="/tmp"))
    root.chmod(0o755)
    if os.getuid() == 0:
        who = pwd.getpwnam("postgres")
        os.chown(root, who.pw_uid, who.pw_gid)
    reaper = subprocess.Popen(
        [sys.executable, "-c", _REAPER, str(root)], stdin=subprocess.PIPE, start_new_session=True, cwd="/"
    )
    try:
        yield root
    finally:
        assert reaper.stdin is not None
        reaper.stdin.close()
        reaper.wait(timeout=20)


_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_buffers = 8MB
max_connections = 60
dynamic_shared_memory_type = mmap
shared_memory_type = mmap
wal_log_hints = on
wal_keep_size = 64MB
hot_standby = on
log_min_messages = warning
lc_messages = 'C'
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
max_wal_senders = 6
fsync = off
"""
# fsync off only makes the tests fast: no machine loses power here, and a killed process loses no page cache.
_HBA = """local all all trust
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


@dataclass
class Server:
    """One server of a pair."""

    root: Path
    region: str
    port: int

    @property
    def data(self) -> Path:
        return self.root / self.region

    @property
    def log(self) -> Path:
        return self.root / f"{self.region}.log"

    def dsn(self, user: str = "cloudfail") -> str:
        return f"host=127.0.0.1 port={self.port} dbname=postgres user={user}"

    def start(self) -> None:
        run(BIN / "pg_ctl", "start", "-D", self.data, "-l", self.log, "-W")
        until(self._answers, 20, f"{self.region} starts")

    def _answers(self) -> bool:
        try:
            return bool(self.ask("SELECT 1"))
        except psycopg.Error:
            return False

    def stop(self, mode: str = "fast") -> None:
        run(BIN / "pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", check=False)

    def pids(self) -> list[int]:
        """The postmaster and all its children."""
        try:
            master = int((self.data / "postmaster.pid").read_text().split()[0])
            # The number of a dead server may belong to somebody else by now.
            if str(self.data) not in Path(f"/proc/{master}/cmdline").read_text():
                return []
        except (OSError, ValueError, IndexError):
            return []
        found = [master]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == master:
                        found.append(int(entry.name))
        return found

    def signal(self, number: int) -> int:
        """Send a signal to all of it; how many it reached."""
        reached = 0
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                reached += 1
        return reached

    def kill(self) -> None:
        """SIGKILL to all at once, proven: no process of it is left, not even a dead one that nobody has buried (its
        number in postmaster.pid would look like a running server)."""
        pids = self.pids()
        assert self.signal(signal.SIGKILL) > 0
        until(lambda: not any(_there(pid) for pid in pids), what="killed")

    def freeze(self) -> None:
        assert self.signal(signal.SIGSTOP) > 0

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def ask(self, sql: str, user: str = "postgres", timeout: int = 5) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(user), autocommit=True, connect_timeout=timeout) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def one(self, sql: str, user: str = "postgres") -> Any:
        return self.ask(sql, user)[0][0]

    def freeze_checkpointer(self) -> None:
        """Hold the checkpointer alone, as on a server whose disk is busy: no checkpoint ends until `thaw`."""
        pid = self.one("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        os.kill(pid, signal.SIGSTOP)

    def listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def member(self) -> dict[str, Any]:
        return {
            "dsn": self.dsn("cloudfail"),
            "writer": self.dsn("shop"),
            "run": list(AS_POSTGRES),
            "data": str(self.data),
            "bin": str(BIN),
            "log": str(self.log),
        }


def _there(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return Path(f"/proc/{pid}").exists()


def _adopt_orphans() -> None:
    """Servers that pg_ctl starts are orphans; as their foster parent we can bury them at once. PR_SET_CHILD_SUBREAPER
    is 36 in linux/prctl.h."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


@dataclass
class Pair:
    """east and west; `synchronous` says whether east waits for west."""

    east: Server
    west: Server
    root: Path
    synchronous: bool = False
    databases: list[PostgreSQL] = field(default_factory=list)

    def database(self, **options: Any) -> PostgreSQL:
        options.setdefault("archive", str(self.root / "archive"))
        options.setdefault("fences", ["synchronous", "logins"])
        made = PostgreSQL(
            Resource(
                name="orders",
                port=PortName.DATABASE,
                kind="postgresql",
                provider="local",
                id=None,
                members={"east": self.east.member(), "west": self.west.member()},
                options=options,
            )
        )
        self.databases.append(made)
        return made

    def close(self) -> None:
        for database in self.databases:
            database.close()
        for server in (self.east, self.west):
            if server.pids():
                server.kill()
            remains.forget(server.data)
        shutil.rmtree(self.root, ignore_errors=True)


def make_templates(root: Path) -> Path:
    """A primary and its replica, stopped, made once and copied for each test."""
    template = root / "template"
    east = Server(template, "east", free_port())
    run("mkdir", "-p", template)
    run(BIN / "initdb", "-D", east.data, "-A", "trust", "-N", "-U", "postgres", "--no-instructions", seconds=180)
    (east.data / "postgresql.conf").write_text(_CONF.format(port=east.port))
    (east.data / "pg_hba.conf").write_text(_HBA)
    east.start()
    east.ask("CREATE ROLE cloudfail SUPERUSER LOGIN")
    east.ask("CREATE ROLE shop LOGIN")
    east.ask("CREATE ROLE replicator REPLICATION LOGIN")
    east.ask("CREATE TABLE orders (id bigserial PRIMARY KEY, note text)")
    east.ask("GRANT ALL ON orders TO shop")
    east.ask("GRANT ALL ON SEQUENCE orders_id_seq TO shop")
    run(
        BIN / "pg_basebackup", "-D", template / "west", "-d", east.dsn("replicator"), "-X", "stream", "-c", "fast", "-N"
    )
    east.stop()
    return template


def make_pair(root: Path, template: Path, name: str, *, synchronous: bool = False, extra: str = "") -> Pair:
    """A running, streaming pair."""
    home = root / name
    run("mkdir", "-p", home)
    run("cp", "-a", template / "east", template / "west", home)
    east, west = Server(home, "east", free_port()), Server(home, "west", free_port())
    for server in (east, west):
        (server.data / "postgresql.conf").write_text(_CONF.format(port=server.port) + extra)
    set_upstream(west, east)
    if synchronous:
        with (east.data / "postgresql.conf").open("a") as conf:
            conf.write("synchronous_standby_names = 'west'\nsynchronous_commit = on\n")
    east.start()
    west.start()
    pair = Pair(east, west, home, synchronous)
    until(lambda: east.one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1, what="streaming")
    return pair


def set_upstream(server: Server, upstream: Server) -> None:
    """What a careful or a careless person writes to make `server` a standby of `upstream`."""
    line = f"primary_conninfo = '{upstream.dsn('replicator')} application_name={server.region}'\n"
    with (server.data / "postgresql.auto.conf").open("a") as conf:
        conf.write(line)
    signal_file = server.data / "standby.signal"
    signal_file.touch()
    if os.getuid() == 0:
        who = pwd.getpwnam("postgres")
        os.chown(signal_file, who.pw_uid, who.pw_gid)


class Writer:
    """A client that writes and remembers each id that was acknowledged. It goes to whichever server lets it write."""

    def __init__(self, *servers: Server, pause: float = 0.002) -> None:
        self.acknowledged: list[int] = []
        self.acknowledged_by: list[str] = []
        self._servers = servers
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        turn = 0
        while not self._stop.is_set():
            server = self._servers[turn % len(self._servers)]
            turn += 1
            try:
                with psycopg.connect(server.dsn("shop"), autocommit=True, connect_timeout=2) as connection:
                    while not self._stop.is_set():
                        notices: list[str] = []
                        connection.add_notice_handler(lambda notice, seen=notices: seen.append(str(notice.severity)))
                        row = connection.execute("INSERT INTO orders (note) VALUES ('x') RETURNING id").fetchone()
                        if row is not None and "WARNING" not in notices:
                            self.acknowledged.append(row[0])
                            self.acknowledged_by.append(server.region)
                        self._stop.wait(self._pause)
            except psycopg.Error:
                self._stop.wait(0.01)

    def leave(self) -> None:
        """Stop without waiting for it."""
        self._stop.set()

    def stop(self) -> list[int]:
        self._stop.set()
        self._thread.join(timeout=5)
        return list(self.acknowledged)


def call(epoch: int = 1, seconds: float = 10.0, **changes: Any) -> Call:
    """A call that nobody stops; `lines` of its log can be given as a list."""
    lines: list[str] = changes.pop("lines", [])
    check = changes.pop("check", lambda: None)
    return Call("run-1", "step", epoch, "key", seconds, check, lines.append)


def known(value: Known[Any] | Unknown) -> Any:
    assert isinstance(value, Known), value
    return value.value


def drive(look: Callable[[], Any], act: Callable[[Any], None], *, seconds: float = 30.0, stages: int = 20) -> list[str]:
    """Look, act, look, until done: the effects that were made, by their words."""
    made: list[str] = []
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline and len(made) <= stages:
        last = look()
        if isinstance(last, Known) and last.value.done:
            return made
        if isinstance(last, Known) and last.value.next is not None:
            try:
                act(last.value)
            except Conflict:
                continue
            made.append(last.value.next)
        else:
            time.sleep(0.02)
    raise AssertionError(f"not done: {last}; made {made}")
