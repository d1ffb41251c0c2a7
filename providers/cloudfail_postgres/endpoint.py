"""One PostgreSQL server as cloudfail reaches it over SQL."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import conninfo

from cloudfail_postgres.secret import secret_value
from cloudfail_postgres.session import Session

ADMIN_NAME = "cloudfail"
WRITER_NAME = "cloudfail-writer"


class Endpoint:
    """The member in one region.

    Each session has one use, so that none waits for another: `look` reads, `act` changes, `beat` writes heartbeats and
    may hang in a commit, `canary` writes as an application does, `held` was opened before any fence and shows what
    becomes of connections that clients opened before. `dsn` is cloudfail's own login, `writer` an application's.
    spared: roles of the service that runs the server; no fence touches them, and nobody may.
    """

    def __init__(self, region: str, *, dsn: str, writer: str, seconds: float, spared: Sequence[str] = ()) -> None:
        self.region = region
        self.spared = "\n".join(spared)
        self.seconds = seconds
        self._writer = writer
        self.look = Session(dsn, name=ADMIN_NAME, seconds=seconds)
        self.act = Session(dsn, name=ADMIN_NAME, seconds=seconds)
        self.beat = Session(writer, name=WRITER_NAME, seconds=seconds)
        self.canary = Session(writer, name=WRITER_NAME, seconds=seconds)
        self.held = Session(writer, name=WRITER_NAME, seconds=seconds)

    @property
    def place(self) -> str:
        return self.look.place

    def writer_session(self) -> Session:
        """A new connection as an application would open it."""
        return Session(self._writer, name=WRITER_NAME, seconds=self.seconds)

    def close(self) -> None:
        for session in (self.look, self.act, self.beat, self.canary, self.held):
            session.close()


def with_password(dsn: str, reference: str | None) -> str:
    """The dsn, with the password that stands at `env:NAME` or `file:PATH`. Permanent where it does not."""
    return dsn if reference is None else conninfo.make_conninfo(dsn, password=secret_value(reference))
