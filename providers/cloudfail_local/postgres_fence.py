"""The fence: what stands between the clients and an old primary, and how it is proven.

`synchronous` needs nothing of the old side: where a commit cannot be acknowledged without the new side, promoting the
new side ends all acknowledgements of the old one (prevented). `logins` acts on the old server itself, with mechanisms
that are this server's own and are not replicated, so that the side that is promoted is not fenced with it: reject lines
at the head of pg_hba.conf, read-only as the default, and the end of every session. (NOLOGIN or a database's connection
limit would travel through WAL and fence the new primary too.) Neither ALTER SYSTEM, nor COPY TO a file, nor ending a
session writes WAL, so none of them waits for a standby that is gone.

Proven means: a write over a connection opened before the fence and one over a new connection were both refused by the
server. Silence is no refusal, and neither is "connection refused": a dead server may be started again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState
from cloudfail.ports import Call
from cloudfail_local.argv import Finished, NotStarted, TimedOut, run
from cloudfail_local.errors import from_command
from cloudfail_local.options import CommandFence, PostgresOptions
from cloudfail_local.postgres_server import Server
from cloudfail_local.postgres_state import FENCE_BEGIN, FENCE_END, FENCE_LIFTED, Facts, look
from cloudfail_postgres.heartbeat import newest, quoted
from cloudfail_postgres.session import SessionError, mutation_error
from cloudfail_postgres.synchronous import cannot_without
from cloudfail_postgres.write_proof import END_SESSIONS, SESSIONS, Proof, Tried, try_held, try_new

COMMAND_SECONDS = 5.0
RELOAD_SECONDS = 2.0
_ROLES = """
SELECT rolname FROM pg_roles
WHERE rolcanlogin AND rolname <> current_user AND (rolname = $1 OR NOT (rolsuper OR rolreplication))
ORDER BY rolname
"""


class Fencing:
    """The fence verbs of one database."""

    def __init__(self, servers: Mapping[str, Server], options: PostgresOptions) -> None:
        self._servers = servers
        self._options = options
        self._commands = {fence.name: fence for fence in options.fences if isinstance(fence, CommandFence)}
        self._order = tuple(fence.name if isinstance(fence, CommandFence) else fence for fence in options.fences)

    def state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        old, new = self._servers[source], self._servers[target]
        facts: Facts | None = None
        silence = ""
        try:
            facts = look(old.look)
        except SessionError as error:
            silence = str(error)
        prevented = self._prevented(old, new, facts)
        if prevented:
            return self._known(FenceOutcome.PREVENTED, prevented, facts)
        standing, left, words = self._ask_commands()
        for name in standing:
            if self._commands[name].prevents:
                return self._known(FenceOutcome.PREVENTED, f"{name} stands, as its check says", facts)
        if facts is None:
            if left:
                return self._known(FenceOutcome.NONE, f"{source} does not answer: {silence}", None, left)
            evidence = "; ".join((f"{source} does not answer, so no write could be tried: {silence}", *words))
            return self._known(FenceOutcome.OWED, evidence, None)
        if "logins" in self._order and facts.fence_mark is None and not facts.recovery:
            left = tuple(name for name in self._order if name in left or name == "logins")
        if not (facts.fence_mark or standing or facts.recovery or facts.read_only):
            if not left:
                return self._known(FenceOutcome.OWED, f"{source} answers and no way to fence it is configured", facts)
            return self._known(FenceOutcome.NONE, f"{source} answers and no fence stands on it", facts, left)
        return self._proven(old, facts, left)

    def _proven(self, old: Server, facts: Facts, left: tuple[str, ...]) -> Known[FenceState] | Unknown:
        if facts.recovery:
            # A server leaves recovery once and never goes back without a restart: one that is in recovery now has been
            # since it started, so no connection to it was ever let write.
            older = Proof(Tried.REFUSED, "it has been a replica since it started, so no older connection can write")
        else:
            older = try_held(old, old.look)
        proofs = (older, try_new(old))
        evidence = f"from here to {old.place}: " + "; ".join(proof.words for proof in proofs)
        if all(proof.tried is Tried.REFUSED for proof in proofs):
            return self._known(FenceOutcome.PROVEN, evidence, facts)
        if any(proof.tried is Tried.LET_IN for proof in proofs):
            return self._known(FenceOutcome.FAILED, evidence, facts, left)
        if left:
            return self._known(FenceOutcome.NONE, evidence, facts, left)
        return Unknown(evidence, time.time())

    def _prevented(self, old: Server, new: Server, facts: Facts | None) -> str:
        """Why the old side cannot acknowledge without the new one; empty where it can, or where nobody knows."""
        if "synchronous" not in self._order:
            return ""
        if facts is not None:
            if facts.recovery or not cannot_without(facts.names, facts.commit, new.name):
                return ""
            return (
                f"{old.region} itself says synchronous_commit={facts.commit}, synchronous_standby_names={facts.names}: "
                f"it cannot acknowledge without {new.name}"
            )
        try:
            row = newest(new, old.region, stale_seconds=self._options.heartbeat_stale)
        except SessionError:
            return ""
        if row is None or not row.fresh or not cannot_without(row.names, row.commit, new.name):
            return ""
        when = time.strftime("%H:%M:%S", time.gmtime(row.at))
        return (
            f"the heartbeat of {when} UTC replayed on {new.region} was committed under "
            f"synchronous_commit={row.commit}, synchronous_standby_names={row.names}: "
            f"{old.region} cannot acknowledge without {new.name}"
        )

    def _ask_commands(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """(standing, not standing, words about those of which neither is known)."""
        standing, left, words = [], [], []
        for name, fence in self._commands.items():
            result = _run(fence.check, COMMAND_SECONDS)
            if isinstance(result, Finished) and result.code == 0:
                standing.append(name)
                words.append(f"{name} stands, and proves nothing by itself")
            elif isinstance(result, Finished) and result.code == 1:
                left.append(name)
            else:
                words.append(f"{name} cannot be checked: {result.said if isinstance(result, Finished) else result}")
        return tuple(standing), tuple(left), tuple(words)

    def _known(
        self, outcome: FenceOutcome, evidence: str, facts: Facts | None, left: tuple[str, ...] = ()
    ) -> Known[FenceState]:
        mark = facts.fence_mark if facts is not None else None
        epoch = mark[0] if mark else None
        version = f"{outcome}/{','.join(left)}/{epoch}"
        return Known(FenceState(outcome, evidence, version, epoch, left), time.time())

    def apply(self, source: str, target: str, expect: FenceState, call: Call) -> None:
        seen = self.state(source, target)
        if isinstance(seen, Unknown):
            raise Transient(f"The fence on {source} cannot be read: {seen.reason}.")
        now = seen.value
        if now.outcome in (FenceOutcome.PROVEN, FenceOutcome.PREVENTED):
            return
        if now.version != expect.version or not expect.methods_left:
            raise Conflict(f"The fence on {source} is {now.version}, not {expect.version} as it was seen.")
        if now.epoch is not None and now.epoch > call.epoch:
            raise Conflict(f"Run epoch {now.epoch} fenced {source} after this one, {call.epoch}.")
        method = expect.methods_left[0]
        if method == "logins":
            apply_logins(self._servers[source], call)
            return
        call.check()
        problem = from_command(_run(self._commands[method].apply, call.timeout_seconds), f"fence {method}")
        if problem is not None:
            raise problem

    def lift(self, source: str, expect: FenceState, call: Call) -> None:
        """Lift all. Refused while another member is a primary: then the fence is what keeps the writer single (I1)."""
        old = self._servers[source]
        for other in self._servers.values():
            if other is old:
                continue
            try:
                facts = look(other.look)
            except SessionError:
                continue
            if not facts.recovery:
                raise Conflict(f"{other.region} is a primary: lifting the fence on {source} could make two writers.")
        standing, _, _ = self._ask_commands()
        for name in standing:
            call.check()
            problem = from_command(_run(self._commands[name].lift, call.timeout_seconds), f"lifting {name}")
            if problem is not None:
                raise problem
        try:
            facts = look(old.look)
        except SessionError as error:
            raise Transient(f"{source} does not answer, so its own fence cannot be lifted: {error}.") from error
        mark = facts.fence_mark
        if mark is None and not facts.read_only:
            return
        if mark is not None and (mark[0] > call.epoch or (expect.epoch is not None and mark[0] != expect.epoch)):
            raise Conflict(f"The fence on {source} carries epoch {mark[0]}, not {expect.epoch} as it was seen.")
        lift_logins(old, call)


def _run(argv: tuple[str, ...], seconds: float) -> Finished | TimedOut | NotStarted:
    try:
        return run(argv, seconds=seconds)
    except (TimedOut, NotStarted) as ending:
        return ending


def without_fence(text: str) -> str:
    """pg_hba.conf without our block, and without the word of an earlier one."""
    kept, inside = [], False
    for line in text.splitlines():
        if line.startswith(FENCE_BEGIN):
            inside = True
        elif line.startswith(FENCE_END):
            inside = False
        elif not inside and not line.startswith(FENCE_LIFTED):
            kept.append(line)
    return "\n".join(kept) + "\n"


def lifted_epoch(text: str) -> int:
    """The epoch under which a fence was last lifted, 0 if none was: what is left of it in pg_hba.conf, so that the late
    call of an older epoch does not fence again what a newer one let go."""
    words = [line.removeprefix(FENCE_LIFTED) for line in text.splitlines() if line.startswith(FENCE_LIFTED)]
    return max((int(word) for word in words if word.isdigit()), default=0)


def with_fence(text: str, roles: tuple[str, ...], *, epoch: int, run_id: str, at: float) -> str:
    """pg_hba.conf with reject lines for these roles before all else. The first line that matches decides, and the
    database word `all` does not match replication, so standbys keep streaming."""
    lines = [f"{FENCE_BEGIN} epoch={epoch} run={run_id.replace(' ', '_') or '-'} at={at:.3f}"]
    for role in roles:
        name = '"' + role.replace('"', '""') + '"'
        lines += [f"local all {name} reject", f"host all {name} all reject"]
    lines.append(FENCE_END)
    return "\n".join(lines) + "\n" + without_fence(text)


# CSV with control characters for delimiter and quote writes each line as it is: no tab or backslash is escaped.
_WRITE_FILE = (
    "COPY (SELECT line FROM unnest(string_to_array({text}, E'\\n')) WITH ORDINALITY AS t(line, n) ORDER BY n) "
    "TO {path} WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', ESCAPE E'\\x02', NULL '(null)')"
)


def _write_hba(server: Server, path: str, text: str, call: Call) -> None:
    call.check()
    server.act.order(
        _WRITE_FILE.format(text=quoted(text.removesuffix("\n")), path=quoted(path)), seconds=call.timeout_seconds
    )


def apply_logins(server: Server, call: Call) -> None:
    """Reject lines, read-only as the default, reload, then end sessions until none that may write is left."""
    deadline = time.monotonic() + call.timeout_seconds
    writer = server.canary.user
    session = server.act
    try:
        path, text, me = _hba(server)
        if writer == me:
            raise Permanent(
                f"`dsn` and `writer` of {server.region} log in as the same role, {me}.",
                "A fence on logins would shut cloudfail out with the application.",
                "Give `dsn` a role of its own.",
            )
        if lifted_epoch(text) > call.epoch:
            raise Conflict(
                f"Epoch {lifted_epoch(text)} lifted a fence from {server.region} after this one, {call.epoch}."
            )
        rows = session.ask(_ROLES, (writer,)).rows
        roles = tuple(row[0] for row in rows if row[0])
        if writer not in roles:
            roles = (*roles, writer)
        fenced = with_fence(text, roles, epoch=call.epoch, run_id=call.run, at=time.time())
        _write_hba(server, path, fenced, call)
        errors = session.ask("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL").rows
        if errors:
            _write_hba(server, path, text, call)
            raise Permanent(f"pg_hba.conf of {server.region} would not load with the fence: {errors[0][1]}.")
        call.check()
        session.order("ALTER SYSTEM SET default_transaction_read_only = on", seconds=_left(deadline))
        session.order("SELECT pg_reload_conf()", seconds=_left(deadline))
        call.log(f"{server.region}: logins of {', '.join(roles)} rejected in pg_hba.conf, read-only by default")
        while True:
            # The reload is asynchronous: sessions are ended until new ones are refused and none is left.
            call.check()
            session.order(END_SESSIONS, (writer, ""), seconds=_left(deadline))
            refused = try_new(server).tried is Tried.REFUSED
            left = int(session.ask(SESSIONS, (writer, ""), seconds=_left(deadline)).rows[0][0] or 0)
            if refused and not left:
                return
            if time.monotonic() > deadline - 0.05:
                raise OutcomeUnknown(f"The fence on {server.region} was written; {left} session(s) had not ended yet.")
            time.sleep(0.01)
    except SessionError as error:
        raise mutation_error(error, f"fence on {server.region}") from error


def lift_logins(server: Server, call: Call) -> None:
    """Take back what apply_logins did. Idempotent."""
    try:
        path, text, _ = _hba(server)
        call.check()
        server.act.order("ALTER SYSTEM RESET default_transaction_read_only", seconds=call.timeout_seconds)
        if FENCE_BEGIN in text:
            _write_hba(server, path, f"{FENCE_LIFTED}{call.epoch}\n{without_fence(text)}", call)
        call.check()
        server.act.order("SELECT pg_reload_conf()", seconds=call.timeout_seconds)
        # The reload is asynchronous: a look before it has arrived says that the fence still stands, or half of it.
        # What does not arrive soon is for the next look to say.
        until = time.monotonic() + min(RELOAD_SECONDS, call.timeout_seconds / 2)
        while time.monotonic() < until and _still_fenced(server):
            time.sleep(0.01)
    except SessionError as error:
        raise mutation_error(error, f"lifting the fence on {server.region}") from error


def _still_fenced(server: Server) -> bool:
    """Whether it is a primary that takes no writes yet."""
    facts = look(server.look)
    return not facts.recovery and (facts.read_only or try_new(server).tried is Tried.REFUSED)


def _hba(server: Server) -> tuple[str, str, str]:
    sql = "SELECT current_setting('hba_file'), pg_read_file(current_setting('hba_file')), current_user"
    row = server.act.ask(sql).rows[0]
    return row[0] or "", row[1] or "", row[2] or ""


def _left(deadline: float) -> float:
    return max(0.05, deadline - time.monotonic())
