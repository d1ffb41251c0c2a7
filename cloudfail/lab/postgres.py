"""PostgreSQL of a region: its files, its start, its first copy.

What is a node's own (address, port, sockets, name) stands in `node.conf` beside the data directory, and
`postgresql.conf` only includes it. pg_rewind copies the source's files over the target's; like this a copy is harmless.
`postgresql.auto.conf` (standby's connection, synchronous standbys) is copied as anywhere else: whoever rewinds must
write it anew.

No unix socket lies in the data directory (pg_basebackup would copy its lock file), and shared memory is mapped, so that
a killed server leaves nothing in /dev/shm.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.lab.parts import Parts, become
from cloudfail.lab.spec import Layout, Synchronous, other_region

# `monitor` asks for the application's health and may write nothing. REPLICATION marks it as no client: a fence that
# turns away whoever may write leaves such roles alone, so a fenced database that answers does not look dead.
SCHEMA = """
CREATE ROLE cloudfail SUPERUSER LOGIN;
CREATE ROLE replicator REPLICATION LOGIN;
CREATE ROLE shop LOGIN;
CREATE ROLE monitor LOGIN REPLICATION;
GRANT pg_monitor TO monitor;
"""
TABLE = """
CREATE TABLE writes (id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), region text NOT NULL);
GRANT SELECT, INSERT ON writes TO shop;
"""
HBA = """local all all trust
host all all 127.0.0.0/8 trust
host all all 198.18.0.0/15 trust
host replication all 127.0.0.0/8 trust
host replication all 198.18.0.0/15 trust
"""


@dataclass(frozen=True)
class Postgres:
    """One region's server. `enter` is the argv prefix that puts a command into the region."""

    region: str
    directory: Path
    layout: Layout
    parts: Parts
    synchronous: Synchronous
    enter: Sequence[str]

    @property
    def data(self) -> Path:
        return self.directory / "pg"

    @property
    def log(self) -> Path:
        return self.directory / "pg.log"

    def run_prefix(self, *, enter: bool = True) -> list[str]:
        """The argv prefix that runs a command as PostgreSQL's user, in the region or just on this machine."""
        user = become(self.parts.postgres_user) if self.parts.postgres_user else []
        return [*(self.enter if enter else ()), *user] or ["env"]

    def socket_dsn(self, database: str = "shop", user: str = "postgres") -> str:
        """Over the unix socket: reaches the server from any namespace, whatever is cut."""
        return f"host={self.directory / 'run'} port={self.layout.database_port} dbname={database} user={user}"

    def command(self, program: str, *arguments: str, seconds: float = 60.0, enter: bool = True) -> None:
        """Run one of PostgreSQL's programs in the region and insist that it succeeds."""
        argv = [*self.run_prefix(enter=enter), str(self.parts.postgres_bin / program), *arguments]
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            tail = self.log.read_text(errors="replace")[-600:] if self.log.exists() else ""
            raise CloudfailError(
                f"{program} failed in {self.region}: {done.stderr.strip()[-600:]} {tail}".strip(),
                f"PostgreSQL of {self.region} is not running.",
                f"Read {self.log}.",
            )

    def initialise(self) -> None:
        """initdb, the role of the primary, and the configuration. 0.5 to 0.8 s, most of the lab's start; its
        network need not be up yet."""
        self.command(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            "--no-sync", "--no-instructions", enter=False,
        )  # fmt: skip
        (self.data / "postgresql.conf").write_text("include '../node.conf'\n")
        (self.data / "pg_hba.conf").write_text(HBA)
        self.write_node_conf()

    def write_node_conf(self) -> None:
        """`cluster_name` is also the name under which a standby appears to its primary."""
        commit = "remote_apply" if self.synchronous == "remote_apply" else "on"
        settings: dict[str, Any] = {
            "listen_addresses": self.layout.addresses[self.region],
            "port": self.layout.database_port,
            "unix_socket_directories": str(self.directory / "run"),
            "cluster_name": self.region,
            "synchronous_commit": commit,
            "wal_log_hints": "on",
            "wal_keep_size": "256MB",
            "wal_retrieve_retry_interval": "100ms",
            "wal_sender_timeout": "5s",
            "wal_receiver_timeout": "5s",
            "wal_receiver_status_interval": "1s",
            "max_connections": 120,
            "shared_buffers": "32MB",
            "shared_memory_type": "mmap",
            "dynamic_shared_memory_type": "mmap",
            "jit": "off",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        lines = [f"{name} = '{value}'" for name, value in settings.items()]
        (self.directory / "node.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start the server as it stands, and wait until it accepts connections."""
        self.command(
            "pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "30", "-s", "start", seconds=40.0
        )  # fmt: skip

    def create_shop(self) -> None:
        """Roles, database and table."""
        for database, statements in (("postgres", (SCHEMA, "CREATE DATABASE shop")), ("shop", (TABLE,))):
            for statement in statements:
                self.query(statement, database=database)

    def copy_from(self, primary: Postgres) -> None:
        """Become a streaming standby of `primary`, which was initialised and never started: its files are at rest, so
        a plain copy is a whole backup (and a second faster than pg_basebackup)."""
        copy = ["cp", "-a", "--reflink=auto", str(primary.data), str(self.data)]
        subprocess.run(copy, check=True, capture_output=True, timeout=60)
        source = f"host={self.layout.addresses[primary.region]} port={self.layout.database_port} user=replicator"
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"primary_conninfo = '{source}'\n")
        signal_file = self.data / "standby.signal"
        signal_file.touch()
        if self.parts.postgres_user:
            shutil.chown(signal_file, self.parts.postgres_user)
        self.write_node_conf()

    def name_synchronous_standby(self) -> None:
        """From now on a commit waits for the other region. Set here and not in a file, so that the copy made before
        does not wait for itself after its promotion."""
        self.query(f"ALTER SYSTEM SET synchronous_standby_names = '{other_region(self.region)}'")
        self.query("SELECT pg_reload_conf()")

    def query(self, statement: str, *, database: str = "shop", seconds: int = 5) -> list[tuple[Any, ...]]:
        """Run one statement over the unix socket as superuser and return its rows, at most `seconds` per statement."""
        import psycopg

        options = f"options='-c statement_timeout={seconds * 1000} -c synchronous_commit=local'"
        dsn = f"{self.socket_dsn(database)} connect_timeout={seconds} {options}"
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def positions(self) -> dict[str, Any]:
        """What the server says of itself: standby or not, the last position written (or received, or replayed: right
        after a reconnection the received one is only the start of a segment), rows in `writes`, and how many commits
        wait for a synchronous standby."""
        (row,) = self.query(
            "SELECT r, CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) "
            "ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn, (SELECT count(*) FROM writes), "
            "(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep') FROM pg_is_in_recovery() AS r"
        )
        return {"standby": row[0], "position_bytes": int(row[1] or 0), "writes": row[2], "waiting": row[3]}

    def ids(self) -> set[str]:
        """Every id in `writes`, as this server knows it."""
        return {str(row[0]) for row in self.query("SELECT id FROM writes", seconds=30)}

    def streaming(self) -> bool:
        """Does a standby stream from this server?"""
        with contextlib.suppress(Exception):
            return bool(self.query("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"))
        return False
