"""A fence by logins on a server whose host nobody reaches: NOLOGIN for every role that may write, and the end of every
session.

NOLOGIN is a row in the catalog, so it travels to the replica like any other, and would shut clients out of the side
that is promoted. Therefore the roles are noted in `cloudfail.fence` in the same transaction that revokes them:
wherever the revocation arrives, the list of what to give back arrives with it, and neither without the other. On the
new writer they are given back (plane.Plane.admit); the old one keeps its fence.

`cloudfail.last` holds a row that is written after the fence was proven, by which a replica shows that it holds all: WAL
is replayed in order, so whoever has the row has every commit before it, and after it no client could commit. A fence
that is put up or lifted removes the row in its own transaction: one that is there was written under the fence that
stands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.ports import Call
from cloudfail_postgres.endpoint import Endpoint
from cloudfail_postgres.heartbeat import ensure_schema, quoted
from cloudfail_postgres.session import SessionError, SqlError, mutation_error
from cloudfail_postgres.write_proof import END_SESSIONS, SESSIONS, Tried, try_new

_NEWER = "CF001"
_TABLES = """
BEGIN;
SET LOCAL synchronous_commit = local;
CREATE TABLE IF NOT EXISTS cloudfail.fence (
  region text PRIMARY KEY, epoch bigint NOT NULL, run text NOT NULL, at double precision NOT NULL,
  standing boolean NOT NULL, roles text NOT NULL);
CREATE TABLE IF NOT EXISTS cloudfail.last (
  region text PRIMARY KEY, epoch bigint NOT NULL, run text NOT NULL, at double precision NOT NULL);
COMMIT
"""
_ROLES = """
SELECT rolname FROM pg_roles
WHERE rolcanlogin AND rolname <> current_user
  AND (rolname = $1 OR NOT (rolsuper OR rolreplication OR rolname = ANY (string_to_array($2, E'\\n'))))
ORDER BY rolname
"""
# One statement, so one transaction: all of it or nothing, also where a newer epoch was first.
_FENCE = """
DO $cloudfail$
DECLARE
  old cloudfail.fence;
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  SELECT * INTO old FROM cloudfail.fence WHERE region = {region} FOR UPDATE;
  IF FOUND AND old.epoch > {epoch} THEN
    RAISE EXCEPTION 'epoch % was here', old.epoch USING ERRCODE = 'CF001';
  END IF;
  {change}
  DELETE FROM cloudfail.last WHERE region = {region};
END
$cloudfail$
"""
_PUT_UP = """
  INSERT INTO cloudfail.fence AS f (region, epoch, run, at, standing, roles)
  VALUES ({region}, {epoch}, {run}, {at}, true, {roles})
  ON CONFLICT (region) DO UPDATE SET epoch = excluded.epoch, run = excluded.run, at = excluded.at, standing = true,
    roles = CASE WHEN f.standing THEN f.roles || E'\\n' || excluded.roles ELSE excluded.roles END;
"""
_LIFT = "UPDATE cloudfail.fence SET epoch = {epoch}, run = {run}, at = {at}, standing = false WHERE region = {region};"
_LAST = """
BEGIN;
SET LOCAL synchronous_commit = local;
INSERT INTO cloudfail.last AS l (region, epoch, run, at) VALUES ({region}, {epoch}, {run}, {at})
ON CONFLICT (region) DO NOTHING;
COMMIT
"""


def revoke(server: Endpoint, call: Call) -> None:
    """Take the logins away, then end sessions until none that may write is left."""
    deadline = time.monotonic() + call.timeout_seconds
    writer = server.canary.user
    try:
        _own_tables(server, call)
        if writer == str(server.act.ask("SELECT current_user").rows[0][0]):
            raise Permanent(
                f"`dsn` and `writer` of {server.region} log in as the same role, {writer}.",
                "A fence on logins would shut cloudfail out with the application.",
                "Give `dsn` a role of its own.",
            )
        roles = [row[0] for row in server.act.ask(_ROLES, (writer, server.spared)).rows if row[0]]
        change = _PUT_UP.format(**_named(server.region, call), roles=quoted("\n".join(roles))) + "".join(
            f"  ALTER ROLE {_identifier(role)} NOLOGIN;\n" for role in roles
        )
        _change(server, server.region, change, call, deadline)
        call.log(f"{server.region}: logins revoked: {', '.join(roles) or 'none were left'}")
        while True:
            call.check()
            server.act.order(END_SESSIONS, (writer, server.spared), seconds=_left(deadline))
            refused = try_new(server).tried is Tried.REFUSED
            listed = server.act.ask(SESSIONS, (writer, server.spared), seconds=_left(deadline))
            left = int(listed.rows[0][0] or 0)
            if refused and not left:
                return
            if time.monotonic() > deadline - 0.05:
                raise OutcomeUnknown(
                    f"The logins on {server.region} were revoked; {left} session(s) had not ended yet."
                )
            time.sleep(0.01)
    except SessionError as error:
        raise mutation_error(error, f"fence on {server.region}") from error


def give_back(server: Endpoint, region: str, roles: Sequence[str], call: Call) -> None:
    """Give the logins back that the fence on the writer in `region` took, on this server. Idempotent."""
    deadline = time.monotonic() + call.timeout_seconds
    change = _LIFT.format(**_named(region, call)) + "".join(
        f"  ALTER ROLE {_identifier(role)} LOGIN;\n" for role in roles
    )
    try:
        _change(server, region, change, call, deadline)
    except SessionError as error:
        raise mutation_error(error, f"lifting the fence on {server.region}") from error


def write_last(server: Endpoint, call: Call) -> None:
    """The row after which no client can have committed. Only where the fence was seen proven."""
    try:
        call.check()
        server.act.order(_LAST.format(**_named(server.region, call)), seconds=call.timeout_seconds)
    except SqlError as error:
        server.act.close()
        raise mutation_error(error, f"last row on {server.region}") from error
    except SessionError as error:
        raise mutation_error(error, f"last row on {server.region}") from error


def last_row(server: Endpoint, region: str) -> tuple[str, str, str] | None:
    """The row that was written on `region`, as this server holds it; None where it holds none. Raises the session's
    errors."""
    try:
        rows = server.look.ask("SELECT epoch, run, at FROM cloudfail.last WHERE region = $1", (region,)).rows
    except SqlError as error:
        if error.sqlstate in ("3F000", "42P01"):
            return None
        raise
    return (rows[0][0] or "", rows[0][1] or "", rows[0][2] or "") if rows else None


def _own_tables(server: Endpoint, call: Call) -> None:
    there = server.act.ask(
        "SELECT to_regclass('cloudfail.fence') IS NOT NULL AND to_regclass('cloudfail.last') IS NOT NULL"
    )
    if there.rows[0][0] == "t":
        return
    call.check()
    ensure_schema(server, seconds=call.timeout_seconds)
    call.check()
    server.act.order(_TABLES, seconds=call.timeout_seconds)


def _change(server: Endpoint, region: str, change: str, call: Call, deadline: float) -> None:
    named = _named(region, call)
    if "$cloudfail$" in change:
        raise Permanent(f"A role on {server.region} is named $cloudfail$: it cannot be quoted.")
    call.check()
    try:
        server.act.order(
            _FENCE.format(region=named["region"], epoch=named["epoch"], change=change), seconds=_left(deadline)
        )
    except SqlError as error:
        if error.sqlstate == _NEWER:
            raise Conflict(f"The fence on {region} is a newer run's: {error.message} after {call.epoch}.") from error
        if error.sqlstate == "42501":
            raise Permanent(
                f"The login of cloudfail in {server.region} may not change the others: {error.message}.",
                "Nothing was changed.",
                "Grant it CREATEROLE, and membership with ADMIN OPTION in the roles (PostgreSQL 16 and later).",
            ) from error
        raise


def _named(region: str, call: Call) -> dict[str, str]:
    return {
        "region": quoted(region),
        "epoch": str(int(call.epoch)),
        "run": quoted(call.run),
        "at": repr(time.time()),
    }


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _left(deadline: float) -> float:
    return max(0.05, deadline - time.monotonic())
