"""What a PostgreSQL server says of itself to a login that is no superuser and has no way to its host: a managed one.

Two statements. The first asks what every server answers to everybody. The second asks for positions in WAL, which an
engine that only speaks PostgreSQL's language (Aurora) refuses; then they are unknown, and nothing that decides depends
on them. Sources: PostgreSQL documentation, chapters 9.27 and 28.2; Aurora user guide, "PostgreSQL functions that are
not supported".
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail_postgres.session import Row, Session, SqlError

_LOOK = """
SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), extract(epoch FROM clock_timestamp()),
       to_regclass('cloudfail.mark') IS NOT NULL, to_regclass('cloudfail.fence') IS NOT NULL
"""
_POSITION = """
SELECT (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END
          - '0/0'::pg_lsn)::bigint,
       CASE WHEN pg_is_in_recovery()
            THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                          (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       (SELECT status FROM pg_stat_wal_receiver),
       ((SELECT latest_end_lsn FROM pg_stat_wal_receiver) - '0/0'::pg_lsn)::bigint,
       extract(epoch FROM pg_last_xact_replay_timestamp())
"""
_EPOCH = "SELECT epoch FROM cloudfail.mark WHERE name = 'writer'"
_FENCES = "SELECT region, epoch, run, at, standing, roles FROM cloudfail.fence"
# Not supported, not allowed, not there, not in this state: an answer of the engine, and no position.
_NO_POSITION = ("0A000", "42501", "42883", "55000", "42P01")
_NO_TABLE = ("3F000", "42P01", "42501")


@dataclass(frozen=True)
class FenceRow:
    """A fence that stands, or stood, on the writer in `region`: which logins it took. It is replicated with them."""

    region: str
    epoch: int
    run: str
    at: float
    standing: bool
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Position:
    """Where a server is in its WAL, in bytes. streaming and upstream_end: of a replica's receiver, None if it has none;
    replayed_at: commit time of what it replayed last, on its primary's clock."""

    at: int
    timeline: int
    streaming: bool
    upstream_end: int | None
    replayed_at: float | None


@dataclass(frozen=True)
class Sight:
    """One look at one server. now: seconds since 1970 on its clock. position: None where the engine has none. epoch:
    what the mark beside the writer says, None where there is none."""

    recovery: bool
    read_only: bool
    now: float
    position: Position | None
    epoch: int | None
    fences: tuple[FenceRow, ...]

    def fence_of(self, region: str) -> FenceRow | None:
        """The row of the fence on the writer in `region`, whether it stands or was lifted."""
        return next((fence for fence in self.fences if fence.region == region), None)

    @property
    def lag_seconds(self) -> float | None:
        """Seconds that a replica is behind: zero when it has replayed all that it knows of, None when nobody knows."""
        where = self.position
        if not self.recovery or where is None or not where.streaming or where.upstream_end is None:
            return None
        if where.at >= where.upstream_end:
            return 0.0
        return None if where.replayed_at is None else max(0.0, self.now - where.replayed_at)


def look(session: Session, *, seconds: float | None = None) -> Sight:
    """Ask once. Raises the session's errors."""
    row = session.ask(_LOOK, seconds=seconds).rows[0]
    epoch: int | None = None
    fences: tuple[FenceRow, ...] = ()
    if row[3] == "t":
        marks = _rows(session, _EPOCH, seconds, _NO_TABLE)
        epoch = int(marks[0][0] or 0) if marks else None
    if row[4] == "t":
        fences = tuple(map(_fence, _rows(session, _FENCES, seconds, _NO_TABLE)))
    where = _rows(session, _POSITION, seconds, _NO_POSITION)
    return Sight(
        recovery=row[0] == "t",
        read_only=row[1] == "on" and row[0] != "t",
        now=float(row[2] or 0),
        position=_position(where[0]) if where else None,
        epoch=epoch,
        fences=fences,
    )


def _rows(session: Session, sql: str, seconds: float | None, nothing: tuple[str, ...]) -> tuple[Row, ...]:
    try:
        return session.ask(sql, seconds=seconds).rows
    except SqlError as error:
        if error.sqlstate not in nothing:
            raise
        return ()


def _position(row: Row) -> Position:
    return Position(
        at=int(row[0] or 0),
        timeline=int(row[1] or 0),
        streaming=row[2] == "streaming",
        upstream_end=None if row[3] is None else int(row[3]),
        replayed_at=None if row[4] is None else float(row[4]),
    )


def _fence(row: Row) -> FenceRow:
    roles = tuple(role for role in (row[5] or "").split("\n") if role)
    return FenceRow(row[0] or "", int(row[1] or 0), row[2] or "", float(row[3] or 0), row[4] == "t", roles)
