"""A member becomes a replica of another one: an old primary rejoins, a replica changes its upstream.

Stages, each read from the world alone, so that a crash at any point goes on where it stood: stop a fenced old primary ·
keep what diverged · first checkpoint of the new primary · rewind (or clone, the old directory set aside) · own
configuration · start · stream · acknowledge only with it again.

The checkpoint comes first because pg_rewind of PostgreSQL 15 reads the new primary's timeline from its control file,
which still names the old one until its first checkpoint: it then reports success and leaves a directory that cannot
start. An old primary is never simply started as a standby: it comes up, is readable, and never streams.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import conninfo

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail_local.options import PostgresOptions
from cloudfail_local.postgres_archive import MANIFEST, archive_tail, exists, rewinding_mark, tail_place
from cloudfail_local.postgres_control import Control, fork_of, read_control
from cloudfail_local.postgres_rejoin import (
    clone,
    configure,
    is_configured,
    put_clone_in_place,
    rewind,
    start,
    unstartable_mark,
)
from cloudfail_local.postgres_server import Server
from cloudfail_local.postgres_state import Facts, look
from cloudfail_postgres.session import Session, SessionError, SqlError, Unreachable, mutation_error
from cloudfail_postgres.synchronous import parse_names

READ_SECONDS = 3.0
_CLEAN = ("shut down", "shut down in recovery")
_AS_REPLICA = ("shut down in recovery", "in archive recovery")


@dataclass(frozen=True)
class Stage:
    """What comes next, and what its effect needs to know."""

    progress: Progress
    name: str = ""
    control: Control | None = None
    fork: int | None = None


def _next(name: str, words: str, before: str, after: str, *marks: object) -> Progress:
    return Progress(words, before=before, after=after, version="/".join((name, *map(str, marks))))


class Following:
    """The follow verb of one database."""

    def __init__(self, servers: Mapping[str, Server], options: PostgresOptions) -> None:
        self._servers = servers
        self._options = options

    def archive(self, server: Server) -> str:
        return self._options.archive or posixpath.join(posixpath.dirname(server.data), "cloudfail-archive")

    def state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        at = time.time()
        try:
            stage = self._stage(self._servers[region], self._servers[upstream])
        except CloudfailError as error:
            return Unknown(str(error), at)
        return stage if isinstance(stage, Unknown) else Known(stage.progress, at)

    def act(self, region: str, upstream: str, expect: Progress, call: Call) -> None:
        member, up = self._servers[region], self._servers[upstream]
        stage = self._stage(member, up)
        if isinstance(stage, Unknown):
            raise Transient(f"How far {region} has come cannot be read: {stage.reason}.")
        if stage.progress.done:
            return
        if stage.progress.next is None or stage.progress.version != expect.version:
            raise Conflict(f"{region} is at {stage.progress.version or stage.progress.detail}, not {expect.version}.")
        try:
            self._do(stage, member, up, call)
        except SessionError as error:
            raise mutation_error(error, stage.name) from error

    def _do(self, stage: Stage, member: Server, up: Server, call: Call) -> None:
        from cloudfail_local.postgres_promotion import stop_cleanly

        archive = self.archive(member) if member.member.data else ""
        control = stage.control
        match stage.name:
            case "stop":
                stop_cleanly(member, call)
            case "repoint":
                call.check()
                line = wanted_conninfo(member, up).replace("'", "''")
                member.act.order(f"ALTER SYSTEM SET primary_conninfo = '{line}'", seconds=call.timeout_seconds)
                reload_until(member.act, f"position('{line}' in current_setting('primary_conninfo')) > 0", call)
            case "keep" if control is not None:
                archive_tail(member, control, stage.fork, archive, call)
            case "checkpoint":
                call.check()
                up.act.order("CHECKPOINT", seconds=call.timeout_seconds)
            case "rewind":
                rewind(member, up, archive, call)
            case "clone":
                clone(member, up, call)
            case "swap":
                put_clone_in_place(member, archive, call)
            case "configure":
                configure(member, wanted_conninfo(member, up), archive, call)
            case "start":
                start(member, archive, call)
            case "synchronous":
                call.check()
                up.act.order(
                    f"ALTER SYSTEM SET synchronous_standby_names = '{_quoted_name(member.name)}'",
                    seconds=call.timeout_seconds,
                )
                reload_until(up.act, "current_setting('synchronous_standby_names') <> ''", call)
            case _:
                raise Permanent(f"No such stage: {stage.name}.")

    def _stage(self, member: Server, up: Server) -> Stage | Unknown:
        at = time.time()
        try:
            of = look(up.look)
        except SessionError as error:
            return Unknown(f"{up.region} does not answer: {error}", at)
        if of.recovery:
            return Stage(Progress(None, False, f"{up.region} is a replica itself: promote it first"))
        try:
            facts = look(member.look)
        except (SqlError, Unreachable) as error:
            return self._down(member, up, of, str(error))
        except SessionError as error:
            return Unknown(f"{member.region} does not answer: {error}", at)
        if facts.system != of.system:
            return Stage(Progress(None, False, f"{member.region} is no copy of {up.region}: system identifiers differ"))
        if not facts.recovery:
            return self._old_primary(member, up, facts, of)
        return self._replica(member, up, facts, of)

    def _old_primary(self, member: Server, up: Server, facts: Facts, of: Facts) -> Stage:
        if facts.timeline > of.timeline:
            words = f"{member.region} is a primary on a later timeline than {up.region}: nothing is overwritten"
            return Stage(Progress(None, False, words))
        if facts.writable:
            words = f"{member.region} still takes writes: fence it first (database.fence)"
            return Stage(Progress(None, False, words))
        return Stage(
            _next("stop", f"stop {member.region} cleanly", "an old primary", "stopped", facts.version, of.version),
            "stop",
        )

    def _replica(self, member: Server, up: Server, facts: Facts, of: Facts) -> Stage:
        if facts.receiver == "streaming" and facts.sender in up.addresses() and facts.timeline == of.timeline:
            return self._streams(member, up, of)
        fork = self._fork(up, of, facts.timeline)
        if facts.timeline != of.timeline and (fork is None or max(facts.position, facts.received) > fork):
            beyond = f"{max(facts.position, facts.received) - fork} bytes" if fork is not None else "a timeline"
            words = f"stop {member.region}: it holds {beyond} that {up.region} never had and can never stream"
            return Stage(_next("stop", words, "a diverged standby", "stopped", facts.version, of.version), "stop")
        if not same_place(facts.conninfo, wanted_conninfo(member, up)):
            words = f"point {member.region} at {up.region}"
            return Stage(_next("repoint", words, "another upstream", f"follows {up.region}", of.version), "repoint")
        return Stage(Progress(None, False, f"{member.region} runs as a replica and does not stream yet"))

    def _streams(self, member: Server, up: Server, of: Facts) -> Stage:
        listed = {name.lower() for name in parse_names(of.names)[1]}
        if not self._synchronous(up) or member.name.lower() in listed:
            return Stage(Progress(None, True, f"{member.region} streams from {up.region}"))
        if of.standbys.get(member.name) is None:
            words = f"{member.region} streams under another name than {member.name}: {', '.join(of.standbys) or 'none'}"
            return Stage(Progress(None, False, words))
        words = f"let {up.region} acknowledge only with {member.region} again"
        names = of.names or "nobody"
        return Stage(
            _next("synchronous", words, f"waits for {names}", f"waits for {member.name}", of.version), "synchronous"
        )

    def _synchronous(self, up: Server) -> bool:
        if self._options.synchronous is not None:
            return self._options.synchronous
        sql = "SELECT count(*) FROM cloudfail.heartbeat WHERE names <> '' AND commit NOT IN ('off', 'local')"
        try:
            return up.look.ask(sql).rows[0][0] != "0"
        except SqlError:
            return False

    def _fork(self, up: Server, of: Facts, timeline: int) -> int | None:
        if of.timeline == timeline:
            return None
        try:
            sql = f"SELECT pg_read_file('pg_wal/{of.timeline:08X}.history', 0, 100000, true)"
            return fork_of(up.look.ask(sql).rows[0][0] or "", timeline)
        except SqlError:
            return None

    def _down(self, member: Server, up: Server, of: Facts, silence: str) -> Stage | Unknown:
        if not member.reaches_host:
            return Unknown(f"{member.region} does not answer ({silence}), and no `data` and `bin` say how to start it")
        marker = f"{member.data}.cloning.done"
        if exists(member, marker, seconds=READ_SECONDS):
            words = f"put the clone of {member.region} in place; its old directory is kept beside it"
            return Stage(_next("swap", words, "cloned", "in place", of.version), "swap")
        control = read_control(member)
        if isinstance(control, Unknown):
            return control
        if control.running:
            return Stage(Progress(None, False, f"{member.region} is starting or stopping ({silence})"))
        if control.system != of.system:
            return Stage(Progress(None, False, f"{member.region} is no copy of {up.region}: system identifiers differ"))
        fresh = exists(member, posixpath.join(member.data, "backup_label"), seconds=READ_SECONDS)
        fork = self._fork(up, of, control.timeline)
        if not fresh and self._diverged(control, of, fork):
            return self._diverged_stage(member, up, of, control, fork)
        if control.timeline > of.timeline:
            words = f"{member.region} is on a later timeline than {up.region}: nothing is overwritten"
            return Stage(Progress(None, False, words))
        if exists(member, unstartable_mark(self.archive(member), member.region), seconds=READ_SECONDS):
            words = f"clone {member.region} from {up.region} (it did not start); its old directory is kept"
            return Stage(_next("clone", words, "does not start", f"a copy of {up.region}", of.version), "clone")
        if not is_configured(member, wanted_conninfo(member, up), self.archive(member)):
            words = f"write {member.region}'s configuration: a replica of {up.region}"
            return Stage(_next("configure", words, "as an old primary", "as a replica", of.version), "configure")
        return Stage(
            _next("start", f"start {member.region} as a replica of {up.region}", "stopped", "running", of.version),
            "start",
        )

    @staticmethod
    def _diverged(control: Control, of: Facts, fork: int | None) -> bool:
        """Whether the directory may hold what the new primary never had.

        A clean shutdown ends with its checkpoint record: a fork after the start of that record means that the new
        primary has replayed it, and nothing came after. A replica's directory holds nothing flushed beyond its minimum
        recovery point. All else is taken for diverged; pg_rewind finds out if it was not.
        """
        if control.timeline > of.timeline:
            return False
        if control.timeline == of.timeline:
            return control.state not in _AS_REPLICA
        if fork is None:
            return True
        if control.state in _AS_REPLICA:
            return control.minimum_recovery > fork
        return not (control.state in _CLEAN and control.checkpoint < fork)

    def _diverged_stage(self, member: Server, up: Server, of: Facts, control: Control, fork: int | None) -> Stage:
        archive = self.archive(member)
        region = member.region
        place = tail_place(archive, region, control)
        mark = f"{control.timeline}/{control.checkpoint}"
        if not exists(member, posixpath.join(place, MANIFEST), seconds=READ_SECONDS):
            words = f"keep and hash what {region} wrote that {up.region} never had"
            return Stage(_next("keep", words, "in its own WAL only", f"kept in {place}", mark), "keep", control, fork)
        if of.checkpoint_timeline != of.timeline:
            words = f"checkpoint {up.region}: its control file still names timeline {of.checkpoint_timeline}"
            return Stage(_next("checkpoint", words, f"{of.checkpoint_timeline}", f"{of.timeline}", mark), "checkpoint")
        tried = exists(member, rewinding_mark(archive, region), seconds=READ_SECONDS)
        if self._options.rejoin == "rewind" and control.hints and fork is not None and not tried:
            words = f"rewind {region} to where {up.region} left timeline {control.timeline}"
            return Stage(_next("rewind", words, "diverged", f"a copy of {up.region}", mark), "rewind")
        why = "an earlier rewind did not end well" if tried else "it cannot be rewound"
        words = f"clone {region} from {up.region} ({why}); its old directory is kept"
        return Stage(_next("clone", words, "diverged", f"a copy of {up.region}", mark), "clone")


def reload_until(session: Session, condition: str, call: Call) -> None:
    """Reload, and wait until the session sees it: a reload is asynchronous, and a look right after it would order the
    same again."""
    deadline = time.monotonic() + min(1.0, call.timeout_seconds / 2)
    session.order("SELECT pg_reload_conf()", seconds=call.timeout_seconds)
    while session.ask(f"SELECT {condition}").rows[0][0] != "t" and time.monotonic() < deadline:
        time.sleep(0.005)


def wanted_conninfo(member: Server, up: Server) -> str:
    """primary_conninfo for `member` under `up`."""
    return conninfo.make_conninfo("", **{**up.upstream, "application_name": member.name})


def same_place(left: str, right: str) -> bool:
    """Whether two conninfo strings stream from the same address under the same name."""
    try:
        one, two = conninfo.conninfo_to_dict(left), conninfo.conninfo_to_dict(right)
    except Exception:  # noqa: BLE001
        return False
    keys = ("host", "hostaddr", "port", "application_name")
    return all(str(one.get(key, "")) == str(two.get(key, "")) for key in keys)


def _quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""').replace("'", "''") + '"'
