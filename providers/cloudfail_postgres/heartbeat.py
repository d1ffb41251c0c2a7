"""The heartbeat row, the canary row and the epoch's mark: what cloudfail itself keeps inside the database.

A heartbeat is written each second over an application's own role. Its replayed copy on the surviving side is what the
loss bound is made of: lag is unknown once a region is dead, and this is not. The row carries the durability settings
under which it was committed, so that the surviving side can also tell whether its writer could acknowledge without it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from cloudfail.errors import OutcomeUnknown
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_postgres.endpoint import Endpoint
from cloudfail_postgres.session import Answer, SessionError, SqlError, mutation_error
from cloudfail_postgres.synchronous import cannot_without

_MISSING = ("3F000", "42P01", "42501")
_ALREADY = ("23505", "42P06", "42P07")

_SCHEMA = """
BEGIN;
SET LOCAL synchronous_commit = local;
CREATE SCHEMA IF NOT EXISTS cloudfail;
CREATE TABLE IF NOT EXISTS cloudfail.heartbeat (
  region text PRIMARY KEY, at double precision NOT NULL, names text NOT NULL, commit text NOT NULL);
CREATE TABLE IF NOT EXISTS cloudfail.canary (
  token text PRIMARY KEY, region text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS cloudfail.mark (
  name text PRIMARY KEY, epoch bigint NOT NULL, run text NOT NULL, at double precision NOT NULL);
GRANT USAGE ON SCHEMA cloudfail TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON cloudfail.heartbeat, cloudfail.canary TO {role};
GRANT SELECT ON cloudfail.mark TO {role};
COMMIT
"""
_BEAT = """
INSERT INTO cloudfail.heartbeat AS h (region, at, names, commit)
VALUES ($1, $2::double precision, current_setting('synchronous_standby_names'), current_setting('synchronous_commit'))
ON CONFLICT (region) DO UPDATE SET at = excluded.at, names = excluded.names, commit = excluded.commit
RETURNING at
"""
_CANARY = """
WITH old AS (DELETE FROM cloudfail.canary WHERE at < now() - interval '7 days')
INSERT INTO cloudfail.canary (token, region) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING
"""
# A lower epoch never replaces a higher one; the row that comes back says whose it is now.
_MARK = """
BEGIN;
SET LOCAL synchronous_commit = local;
INSERT INTO cloudfail.mark AS m (name, epoch, run, at) VALUES ('writer', {epoch}, {run}, {at})
ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, run = excluded.run, at = excluded.at
WHERE m.epoch < excluded.epoch;
COMMIT
"""


def ensure_schema(server: Endpoint, *, seconds: float) -> None:
    """Create cloudfail's own tables on the primary. It waits for no standby: no acknowledged data is in it."""
    role = '"' + server.canary.user.replace('"', '""') + '"'
    for last in (False, True):
        try:
            server.act.order(_SCHEMA.format(role=role), seconds=seconds)
            return
        except SqlError as error:
            # Two creators at once: the other one won. The failed transaction is left behind before the next try.
            server.act.close()
            if last or error.sqlstate not in _ALREADY:
                raise


def quoted(text: str) -> str:
    """A string literal for the statements that take no parameters; standard_conforming_strings does not matter."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def write_mark(server: Endpoint, call: Call, *, seconds: float) -> None:
    """Write the epoch beside the writer's role, on the primary. Replicated, so that the next target carries it."""
    statement = _MARK.format(epoch=int(call.epoch), run=quoted(call.run), at=time.time())
    try:
        server.act.order(statement, seconds=seconds)
    except SqlError as error:
        server.act.close()
        if error.sqlstate not in _MISSING:
            raise
        ensure_schema(server, seconds=seconds)
        server.act.order(statement, seconds=seconds)


def _warned(answer: Answer) -> str | None:
    """The first warning that came with a success. A synchronous commit whose wait was cancelled is reported so: it is
    on this server's disk, and nobody may count on it."""
    return next((notice for notice in answer.notices if notice.startswith("WARNING")), None)


def beat(server: Endpoint, *, seconds: float) -> Known[float] | Unknown:
    """One heartbeat on the primary in this region; Known only if its commit was acknowledged without a warning."""
    at = time.time()
    parameters = (server.region, repr(at))
    try:
        try:
            answer = server.beat.order_kept(_BEAT, parameters, seconds=seconds)
        except SqlError as error:
            if error.sqlstate not in _MISSING:
                raise
            ensure_schema(server, seconds=seconds)
            answer = server.beat.order_kept(_BEAT, parameters, seconds=seconds)
    except SessionError as error:
        return Unknown(f"heartbeat in {server.region}: {error}", at)
    warning = _warned(answer)
    if warning is not None:
        return Unknown(f"heartbeat in {server.region} is on its own disk only: {warning}", at)
    if not answer.rows:
        return Unknown(f"heartbeat in {server.region} wrote no row", at)
    return Known(at, at)


def write_canary(server: Endpoint, token: str, call: Call) -> None:
    """Write the canary row as an application would."""
    what = f"canary in {server.region}"
    try:
        call.check()
        try:
            answer = server.canary.order(_CANARY, (token, server.region), seconds=call.timeout_seconds)
        except SqlError as error:
            if error.sqlstate not in _MISSING:
                raise
            call.check()
            ensure_schema(server, seconds=call.timeout_seconds)
            answer = server.canary.order(_CANARY, (token, server.region), seconds=call.timeout_seconds)
    except SessionError as error:
        raise mutation_error(error, what) from error
    warning = _warned(answer)
    if warning is not None:
        raise OutcomeUnknown(f"{what}: it is on its own disk only: {warning}.")


def read_canary(server: Endpoint, token: str) -> Known[WriteProof | None] | Unknown:
    """The canary row over the application's own role."""
    try:
        rows = server.canary.ask("SELECT token, region FROM cloudfail.canary WHERE token = $1", (token,)).rows
    except SqlError as error:
        if error.sqlstate in _MISSING:
            return Known(None, time.time())
        return Unknown(f"canary in {server.region}: {error}", time.time())
    except SessionError as error:
        return Unknown(f"canary in {server.region}: {error}", time.time())
    proof = WriteProof(rows[0][0] or "", rows[0][1] or "") if rows else None
    return Known(proof, time.time())


@dataclass(frozen=True)
class Heartbeat:
    """The newest heartbeat of one region's writer that a server holds. fresh: no transaction much younger than it was
    replayed, so its settings are the newest that are known."""

    at: float
    names: str
    commit: str
    fresh: bool


def newest(server: Endpoint, region: str, *, stale_seconds: float) -> Heartbeat | None:
    """The newest heartbeat of `region` on `server`; None where it holds none. Raises the session's errors."""
    sql = (
        "SELECT at, names, commit, coalesce(extract(epoch FROM pg_last_xact_replay_timestamp()), at) - at "
        "FROM cloudfail.heartbeat WHERE region = $1"
    )
    try:
        rows = server.look.ask(sql, (region,)).rows
    except SqlError as error:
        if error.sqlstate in _MISSING:
            return None
        raise
    if not rows:
        return None
    at, names, commit, younger = rows[0]
    return Heartbeat(float(at or 0), names or "", commit or "on", float(younger or 0) <= stale_seconds)


@dataclass(frozen=True)
class LagSample:
    """What a replica said of its lag, and the last moment at which its primary was seen to serve; both on this
    process's monotonic clock, in seconds. reported_by: whose word it is where the replica itself has none, and
    stale_seconds how old that may be (None: as everything else)."""

    lag_seconds: float | None
    in_sync: bool
    sampled: float
    served: float | None
    reported_by: str = ""
    stale_seconds: float | None = None


def loss_bound(
    beat_row: Heartbeat | None,
    acknowledged: Known[float] | Unknown,
    sample: LagSample | None,
    *,
    standby: str,
    now: float,
    stale_seconds: float,
) -> LossBound:
    """What a promotion now would lose (design.md §5). Unknown is None, never zero.

    With a heartbeat: if its writer could not acknowledge without `standby`, nothing that it acknowledged is missing
    here; else the last acknowledged heartbeat less the newest replayed one. Without one: the last lag sample plus its
    age at the last moment when the primary was seen to serve.
    """
    if beat_row is not None:
        alive = max(0.0, now - beat_row.at)
        parts = [f"newest heartbeat replayed: {alive:.1f} s ago"]
        if beat_row.fresh and cannot_without(beat_row.names, beat_row.commit, standby):
            parts.append(
                f"committed with synchronous_commit={beat_row.commit}, synchronous_standby_names={beat_row.names}: "
                f"nothing is acknowledged without {standby}"
            )
            return LossBound(0.0, 0.0, tuple(parts))
        if not beat_row.fresh:
            parts.append("later transactions were replayed without a heartbeat: its settings may be out of date")
        if isinstance(acknowledged, Unknown):
            parts.append(f"newest heartbeat acknowledged: unknown ({acknowledged.reason})")
            return LossBound(None, alive, tuple(parts))
        dead = max(0.0, acknowledged.value - beat_row.at)
        parts.append(f"newest heartbeat acknowledged: {max(0.0, now - acknowledged.value):.1f} s ago")
        return LossBound(dead, alive, tuple(parts))
    if sample is None or sample.served is None:
        return LossBound(None, None, ("no heartbeat was replayed and no lag was sampled: unknown",))
    age = max(0.0, sample.served - sample.sampled)
    if age > (stale_seconds if sample.stale_seconds is None else sample.stale_seconds):
        return LossBound(None, None, (f"no heartbeat; the last lag sample was {age:.1f} s old: too old",))
    if sample.in_sync:
        return LossBound(0.0, None, ("no heartbeat; the last sample saw the standby synchronous and caught up",))
    if sample.lag_seconds is None:
        return LossBound(None, None, ("no heartbeat; the last sample did not know the lag",))
    by = f" by {sample.reported_by}" if sample.reported_by else ""
    parts_lag = (
        f"no heartbeat; last lag sample{by} {sample.lag_seconds:.1f} s",
        f"{age:.1f} s old when last seen to serve",
    )
    return LossBound(sample.lag_seconds + age, None, parts_lag)
