"""What one server says of itself, and what that means: role, writable, position, lag, loss.

All facts of one look come from one statement, so that they belong together. Sources: PostgreSQL 15 documentation,
chapters 9.27 (control functions) and 28.2 (pg_stat_replication).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudfail.model.states import DatabaseState, Role
from cloudfail_postgres.session import Row, Session, SqlError
from cloudfail_postgres.synchronous import standbys_needed

FENCE_BEGIN = "# cloudfail fence begin"
FENCE_END = "# cloudfail fence end"
FENCE_LIFTED = "# cloudfail fence lifted epoch="
_FENCE_MARK = re.compile(re.escape(FENCE_BEGIN) + r" epoch=(\d+) run=(\S*) at=([0-9.]+)")

# A primary's own timeline stands in the name of the segment that it writes: the control file says so only after the
# first checkpoint, and that difference is what pg_rewind stumbles over (see postgres_follow.py). A replica without a
# receiver has no word for the timeline that it replays: its control file lags behind, and what it has received (the
# segments, not the history files, which a diverged replica has too) is the evidence.
_LOOK = """
SELECT pg_is_in_recovery(),
       (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END
          - '0/0'::pg_lsn)::bigint,
       (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), '0/0') ELSE '0/0' END
          - '0/0'::pg_lsn)::bigint,
       CASE WHEN pg_is_in_recovery()
            THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                          greatest((SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                                   (SELECT timeline_id FROM pg_control_checkpoint()),
                                   (SELECT max(('x' || substr(name, 1, 8))::bit(32)::int) FROM pg_ls_waldir()
                                     WHERE name ~ '^[0-9A-F]{24}$')))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       (SELECT timeline_id FROM pg_control_checkpoint()),
       (SELECT system_identifier FROM pg_control_system()),
       current_setting('default_transaction_read_only'),
       current_setting('synchronous_standby_names'),
       current_setting('synchronous_commit'),
       (SELECT string_agg(application_name || '=' || sync_state, ',')
          FROM pg_stat_replication WHERE state = 'streaming'),
       pg_read_file(current_setting('hba_file'), 0, 400, true),
       (SELECT status FROM pg_stat_wal_receiver),
       (SELECT sender_host FROM pg_stat_wal_receiver),
       (SELECT sender_port FROM pg_stat_wal_receiver),
       ((SELECT latest_end_lsn FROM pg_stat_wal_receiver) - '0/0'::pg_lsn)::bigint,
       extract(epoch FROM pg_last_xact_replay_timestamp()),
       extract(epoch FROM clock_timestamp()),
       current_setting('primary_conninfo'),
       to_regclass('cloudfail.mark') IS NOT NULL,
       pg_is_in_recovery() AND (pg_stat_file('promote', true)).size IS NOT NULL
"""
_EPOCH = "SELECT epoch FROM cloudfail.mark WHERE name = 'writer'"
_NO_MARK = ("3F000", "42P01", "42501")


@dataclass(frozen=True)
class Facts:
    """One look at one server. Positions are bytes of WAL; times are seconds since 1970 on the server's clock."""

    recovery: bool
    position: int
    received: int
    timeline: int
    checkpoint_timeline: int
    system: str
    read_only: bool
    names: str
    commit: str
    standbys: dict[str, str]
    fence: str
    receiver: str | None
    sender: tuple[str, str] | None
    upstream_end: int | None
    replayed_at: float | None
    now: float
    conninfo: str
    epoch: int | None
    promoting: bool = False

    @property
    def fence_mark(self) -> tuple[int, str, float] | None:
        """(epoch, run, at) of the fence that stands in pg_hba.conf, None where none stands."""
        match = _FENCE_MARK.search(self.fence)
        return None if match is None else (int(match[1]), match[2], float(match[3]))

    @property
    def blocked(self) -> bool:
        """Whether a commit would wait for a standby that is not there."""
        if self.recovery or self.commit in ("off", "local"):
            return False
        needed = standbys_needed(self.names)
        return needed > sum(1 for state in self.standbys.values() if state in ("sync", "quorum", "potential"))

    @property
    def writable(self) -> bool:
        """A new session would be read-write and its commit would be acknowledged."""
        return not (self.recovery or self.read_only or self.fence_mark or self.blocked)

    @property
    def version(self) -> str:
        """Changes with role, timeline, fence and with whether writes are acknowledged; not with each write."""
        role = "replica" if self.recovery else "primary"
        mark = self.fence_mark
        # A replica's epoch is its primary's, arriving by replay: no change of its own.
        epoch = "-" if self.recovery else self.epoch
        return (
            f"{self.system}/{self.timeline}/{role}/{'ro' if self.read_only else 'rw'}"
            f"/{'blocked' if self.blocked else 'free'}/fence={mark[0] if mark else '-'}/epoch={epoch}"
        )


def look(session: Session, *, seconds: float | None = None) -> Facts:
    """Ask once: in one round trip where this session has read the mark before. Raises the session's errors."""
    if session.reads_mark:
        try:
            row, *marks = session.ask(f"{_LOOK};{_EPOCH}", seconds=seconds).rows
            return _facts(row, _epoch(marks))
        except SqlError as error:
            if error.sqlstate not in _NO_MARK:
                raise
            session.reads_mark = False
    row, marks = session.ask(_LOOK, seconds=seconds).rows[0], []
    if row[18] == "t":
        try:
            marks = list(session.ask(_EPOCH, seconds=seconds).rows)
            session.reads_mark = True
        except SqlError as error:
            if error.sqlstate not in _NO_MARK:
                raise
    return _facts(row, _epoch(marks))


def _epoch(marks: list[Row]) -> int | None:
    return int(marks[0][0] or 0) if marks else None


def _facts(row: Row, epoch: int | None) -> Facts:
    def number(index: int) -> int:
        return int(row[index] or 0)

    pairs = (pair.rpartition("=") for pair in (row[9] or "").split(",") if pair)
    return Facts(
        recovery=row[0] == "t",
        position=number(1),
        received=number(2),
        timeline=number(3),
        checkpoint_timeline=number(4),
        system=row[5] or "",
        read_only=row[6] == "on",
        names=row[7] or "",
        commit=row[8] or "on",
        standbys={name: state for name, _, state in pairs},
        fence=row[10] or "",
        receiver=row[11],
        sender=None if row[12] is None else (row[12], row[13] or ""),
        upstream_end=None if row[14] is None else int(row[14]),
        replayed_at=None if row[15] is None else float(row[15]),
        now=float(row[16] or 0),
        conninfo=row[17] or "",
        epoch=epoch,
        promoting=row[19] == "t",
    )


def lag_seconds(facts: Facts) -> float | None:
    """Seconds that a replica is behind: zero when it has replayed all that its upstream says it has, None when it
    streams from nobody (the lag is then unknown, and grows)."""
    if not facts.recovery:
        return None
    if facts.receiver != "streaming" or facts.upstream_end is None:
        return None
    if facts.position >= facts.upstream_end:
        return 0.0
    return None if facts.replayed_at is None else max(0.0, facts.now - facts.replayed_at)


def state_of(facts: Facts, *, upstream: str | None, in_sync: bool) -> DatabaseState:
    """The port's words for these facts."""
    return DatabaseState(
        role=Role.REPLICA if facts.recovery else Role.PRIMARY,
        writable=facts.writable,
        position=facts.position,
        timeline=facts.timeline,
        lag_seconds=lag_seconds(facts),
        upstream=upstream,
        in_sync=in_sync,
        moving="its promotion was ordered" if facts.promoting else "",
        version=facts.version,
        epoch=facts.epoch,
    )
