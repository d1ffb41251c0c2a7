"""One PostgreSQL server as cloudfail reaches it: its sessions over SQL, and its host through a command prefix."""

from __future__ import annotations

import posixpath
import threading

from psycopg import conninfo

from cloudfail.errors import Permanent
from cloudfail_local.argv import Finished, NotStarted, TimedOut, behind, run
from cloudfail_local.options import PostgresMember
from cloudfail_postgres.endpoint import Endpoint


class Server(Endpoint):
    """The member in one region, and its host."""

    def __init__(self, region: str, member: PostgresMember, *, seconds: float) -> None:
        super().__init__(region, dsn=member.dsn, writer=member.writer, seconds=seconds)
        self.member = member
        self.name = member.name or region
        self.lock = threading.Lock()

    @property
    def upstream(self) -> dict[str, str]:
        """How another member streams from this one: conninfo parts, without a password that stands elsewhere."""
        if self.member.upstream:
            return {key: str(value) for key, value in conninfo.conninfo_to_dict(self.member.upstream).items()}
        parts = {key: str(value) for key, value in conninfo.conninfo_to_dict(self.member.dsn).items()}
        kept: dict[str, str] = {key: parts[key] for key in ("host", "hostaddr", "port", "sslmode") if key in parts}
        kept["user"] = "replicator"
        return kept

    def addresses(self) -> set[tuple[str, str]]:
        """(host, port) pairs by which a replica's receiver may name this server."""
        pairs = set()
        for parts in (conninfo.conninfo_to_dict(self.member.dsn), self.upstream):
            for key in ("host", "hostaddr"):
                if key in parts:
                    pairs.add((str(parts[key]), str(parts.get("port", "5432"))))
        return pairs

    # The host.

    @property
    def reaches_host(self) -> bool:
        """Whether configuration says how to act on the server's host."""
        return self.member.data is not None and self.member.bin is not None

    @property
    def data(self) -> str:
        if self.member.data is None:
            raise Permanent(f"The member {self.region} has no `data`: its directory must be known for this step.")
        return self.member.data

    def program(self, name: str) -> str:
        if self.member.bin is None:
            raise Permanent(f"The member {self.region} has no `bin`: PostgreSQL's programs are needed for this step.")
        return posixpath.join(self.member.bin, name)

    def on_host(self, *argv: str, seconds: float, stdin: bytes = b"") -> Finished | TimedOut | NotStarted:
        """Run a command there. Every ending is a value: the caller says what it means."""
        try:
            return run(behind(self.member.run, argv), seconds=seconds, stdin=stdin)
        except (TimedOut, NotStarted) as ending:
            return ending
