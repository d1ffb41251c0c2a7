"""Making a standby the writer: after its primary died (failover), and without losing anything (switchover).

PostgreSQL 15, measured: a promotion that is ordered within milliseconds of the primary's death takes five seconds about
one time in five, because the startup process sleeps out wal_retrieve_retry_interval. See `promote`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Progress
from cloudfail.ports import Call
from cloudfail_local.errors import from_command
from cloudfail_local.postgres_control import Control, read_control
from cloudfail_local.postgres_server import Server
from cloudfail_local.postgres_state import Facts, look
from cloudfail_postgres.heartbeat import write_mark
from cloudfail_postgres.session import SessionError, SqlError, Unreachable, mutation_error

NUDGE_SECONDS = 0.03


def promote(server: Server, call: Call, facts: Facts | None = None) -> None:
    """Order the promotion of a standby, and finish it if it comes soon; safe to order again at any point.

    synchronous_standby_names is emptied before, on the standby, where it has no effect: a crash between the two leaves
    a standby that is none the worse, and a promoted server never waits for the standby that it has not got.
    """
    deadline = time.monotonic() + call.timeout_seconds * 0.8
    what = f"promotion of {server.region}"
    try:
        facts = facts or look(server.act)
        if facts.epoch is not None and facts.epoch > call.epoch:
            raise Conflict(
                f"{server.region} carries the mark of epoch {facts.epoch}, later than this run's {call.epoch}."
            )
        if facts.names and (facts.recovery or facts.blocked):
            call.check()
            server.act.order("ALTER SYSTEM SET synchronous_standby_names = ''", seconds=_left(deadline))
            server.act.order("SELECT pg_reload_conf()", seconds=_left(deadline))
            call.log(f"{server.region} acknowledges without a standby from now on: its redundancy is owed")
        if facts.recovery:
            call.check()
            try:
                server.act.order("SELECT pg_promote(false)", seconds=_left(deadline))
            except SqlError as error:
                if error.sqlstate != "55000":
                    raise
        # A reload wakes the startup process out of its sleep; one that is lost to the race is sent again.
        soon = min(deadline, time.monotonic() + 2.0)
        nudge = time.monotonic() + NUDGE_SECONDS
        while server.act.ask("SELECT pg_is_in_recovery()", seconds=_left(deadline)).rows[0][0] == "t":
            if time.monotonic() > soon:
                return
            if time.monotonic() > nudge:
                call.check()
                server.act.order("SELECT pg_reload_conf()", seconds=_left(deadline))
                nudge = time.monotonic() + NUDGE_SECONDS
            time.sleep(0.002)
        call.check()
        write_mark(server, call, seconds=_left(deadline))
    except SessionError as error:
        raise mutation_error(error, what) from error


def failover(target: Server, expect: DatabaseState, call: Call) -> None:
    """Promote, whatever the source still held. A primary that takes writes is left as it is."""
    try:
        facts = look(target.look)
    except SessionError as error:
        raise Transient(f"{target.region} does not answer: {error}.") from error
    if facts.writable:
        return
    if facts.version != expect.version:
        raise Conflict(f"{target.region} is {facts.version}, not {expect.version} as it was seen.")
    promote(target, call, facts)


class Switchover:
    """A move of the writer without loss, one effect at a time, each stage read from the world alone.

    Invariant I4. The source is stopped cleanly: before it ends it sends everything, its shutdown checkpoint last, to
    the standbys that are connected. The target is promoted only once it has replayed that checkpoint record, whose
    position stands in the source's control file; after it the source has written nothing. So the target holds all.
    """

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = servers

    def state(self, source: str, target: str) -> Known[Progress] | Unknown:
        at = time.time()
        old, new = self._servers[source], self._servers[target]
        try:
            to = look(new.look)
        except SessionError as error:
            return Unknown(f"{target} does not answer: {error}", at)
        try:
            of = look(old.look)
        except (SqlError, Unreachable) as error:
            if not to.recovery and to.writable:
                return Known(Progress(None, True, f"{target} takes writes; {source} is stopped"), at)
            return self._stopped(old, new, to, str(error))
        except SessionError as error:
            return Unknown(f"{source} does not answer: {error}", at)
        return Known(_both_answer(source, target, of, to), at)

    def _stopped(self, old: Server, new: Server, to: Facts, silence: str) -> Known[Progress] | Unknown:
        at = time.time()
        control = read_control(old)
        if isinstance(control, Unknown):
            return Unknown(f"{old.region} does not answer ({silence}), and its host: {control.reason}", at)
        return Known(_source_stopped(old.region, new.region, control, to), at)

    def act(self, source: str, target: str, expect: Progress, call: Call) -> None:
        seen = self.state(source, target)
        if isinstance(seen, Unknown):
            raise Transient(f"The switchover cannot be read: {seen.reason}.")
        if seen.value.done:
            return
        if seen.value.version != expect.version or seen.value.next is None:
            raise Conflict(f"The switchover is at {seen.value.version}, not {expect.version} as it was seen.")
        if seen.value.version.startswith("stop/"):
            stop_cleanly(self._servers[source], call)
        else:
            promote(self._servers[target], call)


def _both_answer(source: str, target: str, of: Facts, to: Facts) -> Progress:
    if not of.recovery and not to.recovery:
        detail = f"both {source} and {target} are primaries: fence {source}, then let it follow {target}"
        return Progress(None, False, detail)
    if of.recovery and not to.recovery:
        if to.writable:
            return Progress(None, True, f"{target} takes writes; {source} is a replica")
        return Progress(
            f"let {target} acknowledge without a standby",
            before=f"{target} waits for {to.names}",
            after=f"{target} takes writes",
            version=f"promote/{to.version}",
        )
    if of.recovery:
        return Progress(None, False, f"both {source} and {target} are replicas: fail over to {target} instead")
    if of.system != to.system:
        return Progress(None, False, f"{target} is not a copy of {source}: their system identifiers differ")
    if to.receiver != "streaming" or to.timeline != of.timeline:
        detail = f"{target} does not stream from {source}; nothing was stopped. Let {target} follow {source} first"
        return Progress(None, False, detail)
    return Progress(
        f"stop {source} cleanly; it sends all that it has to {target} first",
        before=f"{source} takes writes",
        after=f"{source} is stopped",
        version=f"stop/{of.version}/{to.version}",
    )


def _source_stopped(source: str, target: str, control: Control, to: Facts) -> Progress:
    if not to.recovery:
        return Progress(
            f"let {target} acknowledge without a standby",
            before=f"{target} waits for {to.names}",
            after=f"{target} takes writes",
            version=f"promote/{to.version}",
        )
    if control.running:
        return Progress(None, False, f"{source} is stopping or starting ({control.state})")
    if control.state != "shut down":
        detail = (
            f"{source} is down and was not shut down cleanly ({control.state}): start it again and repeat the "
            f"switchover, or fail over and accept the loss"
        )
        return Progress(None, False, detail)
    if control.system != to.system or control.timeline != to.timeline:
        return Progress(None, False, f"{target} is not on {source}'s timeline: nothing is promoted")
    if to.position > control.checkpoint:
        return Progress(
            f"promote {target}; it holds all of {source}, its shutdown checkpoint included",
            before=f"{target} is a replica",
            after=f"{target} takes writes",
            version=f"promote/{control.checkpoint}/{to.version}",
        )
    if to.received > control.checkpoint:
        return Progress(None, False, f"{target} has received all and replays it")
    missing = control.checkpoint - to.position
    detail = (
        f"{target} lacks the last {missing} bytes that {source} wrote, so it is not promoted: start {source} again, "
        f"let {target} stream from it until it has caught up, and repeat the switchover"
    )
    return Progress(None, False, detail)


def stop_cleanly(server: Server, call: Call) -> None:
    """`pg_ctl stop -m fast`: ends sessions, writes the shutdown checkpoint, sends all to connected standbys."""
    if not server.reaches_host:
        raise Permanent(f"The member {server.region} has no `data` and `bin`: it cannot be stopped from here.")
    wait = max(1, int(call.timeout_seconds * 0.8))
    call.check()
    ending = server.on_host(
        server.program("pg_ctl"), "stop", "-D", server.data, "-m", "fast", "-w", "-t", str(wait),
        seconds=call.timeout_seconds,
    )  # fmt: skip
    server.close()
    problem = from_command(ending, f"stopping {server.region}")
    if problem is not None:
        raise problem


def _left(deadline: float) -> float:
    return max(0.05, deadline - time.monotonic())
