"""The fence on the writer of a global datastore: which methods there are, in which order, and what proves them.

`users` takes from the applications' users what they may, by ElastiCache's API in the region that is fenced. It is
proven by the server alone: a write over a connection opened before and one over a new connection were refused, and it
lists no other user who may run anything, with or without a session. `network-acl` needs EC2's control plane there, and
is for a server that does not answer. From outside that looks like silence, which is no refusal: it counts only by the
operator's word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cloudfail.errors import CloudfailError, Conflict, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, FenceState
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.cache_plane import Endpoint, Plane, Seen
from cloudfail_aws.database.cache_session import CacheError, Lost, Refusal, Session
from cloudfail_aws.database.cache_users import may_nothing

REFUSALS = ("READONLY", "NOPERM")
"""What a server says to a write that it does not take. A login that is refused may be a wrong password of ours."""
TRY_SECONDS = "60"


class Method(Protocol):
    """One way to fence."""

    @property
    def name(self) -> str: ...

    def has(self, region: str) -> bool: ...

    def prevents(self, region: str) -> bool: ...

    def standing(self, region: str) -> Known[bool] | Unknown: ...

    def epoch(self, region: str) -> int | None: ...

    def apply(self, region: str, call: Call) -> None: ...

    def lift(self, region: str, call: Call) -> None: ...


class Tried(Enum):
    """What became of a write that was tried."""

    REFUSED = "refused"
    LET_IN = "let in"
    NO_WORD = "no word"


@dataclass(frozen=True)
class Proof:
    tried: Tried
    words: str


class Fencing:
    """The fence verbs of one datastore. order: the methods as they are declared."""

    def __init__(self, plane: Plane, methods: Sequence[Method], order: Sequence[str], regions: Sequence[str]) -> None:
        self._plane = plane
        named = {one.name: one for one in methods}
        self._methods = [named[name] for name in order]
        self._regions = tuple(regions)

    def state(self, source: str) -> Known[FenceState] | Unknown:
        """ports.Database.fence_state."""
        seen: Seen | None = None
        silence = ""
        try:
            seen = self._plane.look(source)
        except CacheError as error:
            silence = str(error)
        standing, left, words = self._sorted(source)
        epoch = self._epoch(source, standing)
        for one in standing:
            if one.prevents(source):
                evidence = f"{one.name} stands in {source}, and `prevents` says that there is no other way in"
                return _known(FenceOutcome.PREVENTED, evidence, epoch)
        if seen is None:
            if left:
                return _known(FenceOutcome.NONE, f"{source} does not answer: {silence}", epoch, left)
            evidence = "; ".join((f"{source} does not answer, so no write could be tried: {silence}", *words))
            return _known(FenceOutcome.OWED, evidence, epoch)
        if not standing and not seen.replica:
            if seen.refusal.startswith("NOPERM") and self._epoch(source, self._methods) is not None:
                # Given back, says the API; the server has not heard of it yet.
                return Unknown(f"no fence is said to stand on {source}, and its server still refuses: {seen.refusal}")
            if not left:
                evidence = "; ".join((f"{source} answers and no way to fence it is configured", *words))
                return _known(FenceOutcome.OWED, evidence, epoch)
            return _known(FenceOutcome.NONE, f"{source} answers and no fence stands on it", epoch, left)
        return self._judged(source, seen, standing, left, epoch)

    def _sorted(self, source: str) -> tuple[list[Method], tuple[str, ...], list[str]]:
        """(standing, not standing and possible, words about the rest)."""
        standing: list[Method] = []
        left: list[str] = []
        words: list[str] = []
        for one in self._methods:
            if not one.has(source):
                continue
            read = one.standing(source)
            if isinstance(read, Unknown):
                words.append(read.reason)
            elif read.value:
                standing.append(one)
                words.append(f"{one.name} stands, and proves nothing by itself")
            else:
                left.append(one.name)
        return standing, tuple(left), words

    @staticmethod
    def _epoch(source: str, standing: Sequence[Method]) -> int | None:
        found = []
        for one in standing:
            try:
                found.append(one.epoch(source) if one.has(source) else None)
            except CloudfailError:
                return None  # a mark that cannot be read now is checked again before anything is changed
        return max((epoch for epoch in found if epoch is not None), default=None)

    def _judged(
        self, source: str, seen: Seen, standing: Sequence[Method], left: tuple[str, ...], epoch: int | None
    ) -> Known[FenceState] | Unknown:
        endpoint = self._plane.endpoint(source)
        proofs = (_held(endpoint), _new(endpoint), _sessions(endpoint, replica=seen.replica))
        evidence = f"from here to {endpoint.place}: " + "; ".join(proof.words for proof in proofs)
        if all(proof.tried is Tried.REFUSED for proof in proofs):
            return _known(FenceOutcome.PROVEN, evidence, epoch)
        if any(proof.tried is Tried.LET_IN for proof in proofs):
            # What stands did not keep a write out: it is ordered again, for users that came since.
            again = left or tuple(one.name for one in standing[:1])
            return _known(FenceOutcome.FAILED, evidence, epoch, again)
        if left:
            return _known(FenceOutcome.NONE, evidence, epoch, left)
        return Unknown(evidence, time.time())

    def shuts(self, region: str) -> bool:
        """Whether a method of ours is seen to stand on the member in this region."""
        for one in self._methods:
            read = one.standing(region) if one.has(region) else None
            if isinstance(read, Known) and read.value:
                return True
        return False

    def open(self, region: str, call: Call) -> None:
        """Take back what stands on this member: its fence is lifted, or has done its work."""
        timed = TimeLeft(call)
        for one in self._methods:
            if one.has(region):
                one.lift(region, timed.rest())

    def apply(self, source: str, expect: FenceState, call: Call) -> None:
        """ports.Database.fence."""
        timed = TimeLeft(call)
        read = self.state(source)
        if isinstance(read, Unknown):
            raise Transient(f"The fence on {source} cannot be read: {read.reason}.")
        now = read.value
        if now.outcome in (FenceOutcome.PROVEN, FenceOutcome.PREVENTED):
            return
        if now.version != expect.version or not expect.methods_left:
            raise Conflict(f"The fence on {source} is {now.version}, not {expect.version} as it was seen.")
        next(one for one in self._methods if one.name == expect.methods_left[0]).apply(source, timed.rest())

    def lift(self, source: str, expect: FenceState, call: Call) -> None:
        """ports.Database.unfence. Refused while another member is a writer: then the fence is what keeps the writer
        single (invariant I1)."""
        timed = TimeLeft(call)
        for other in self._regions:
            if other == source or not self._plane.has(other):
                continue
            try:
                seen = self._plane.look(other)
            except CacheError:
                continue
            if not seen.replica:
                raise Conflict(f"{other} is a primary: lifting the fence on {source} could make two writers.")
        self.open(source, timed.rest())


def _known(outcome: FenceOutcome, evidence: str, epoch: int | None, left: tuple[str, ...] = ()) -> Known[FenceState]:
    return Known(FenceState(outcome, evidence, f"{outcome}/{','.join(left)}/{epoch}", epoch, left), time.time())


def _tried(ask: Callable[..., object], where: str, *, ended: Tried = Tried.NO_WORD) -> Proof:
    """A write as an application makes it. ended: what it means if the connection is no more."""
    try:
        ask("SET", "cloudfail:try", "1", "EX", TRY_SECONDS)
    except Refusal as error:
        return Proof(Tried.REFUSED if error.code in REFUSALS else Tried.NO_WORD, f"{where}: {error}")
    except Lost as error:
        return Proof(ended, f"{where}: {error}")
    except CacheError as error:
        return Proof(Tried.NO_WORD, f"{where}: {error}")
    return Proof(Tried.LET_IN, f"{where}: the write was taken")


def _held(endpoint: Endpoint) -> Proof:
    """Over the connection that was opened before the fence. Where this process has none, or it has ended, the server's
    list of sessions is what speaks for those of others."""
    held: Session = endpoint.held
    if held.opened_at is None:
        return Proof(Tried.REFUSED, "no connection opened before is held here, so that its sessions decide")
    if not held.is_open:
        return Proof(Tried.REFUSED, "the connection opened before was ended, so that its sessions decide")
    return _tried(held.ask_as_opened, "a connection opened before", ended=Tried.REFUSED)


def _new(endpoint: Endpoint) -> Proof:
    session = endpoint.new()
    try:
        session.open()
        return _tried(session.ask_as_opened, "a new connection")
    except CacheError as error:
        return Proof(Tried.NO_WORD, f"a new connection: {error}")
    finally:
        session.close()


def _sessions(endpoint: Endpoint, *, replica: bool) -> Proof:
    """Whether a user is left who may run something and log in, or has a session, by the server's own lists. A server
    looks up a user's rules with each command, so that they count for sessions of before too. Spared are cloudfail's own
    login, and whom the operator says is no application. A replica takes no write of any."""
    if replica:
        return Proof(Tried.REFUSED, "it is a replica, which takes no write of a client")
    own, spared = endpoint.own, {endpoint.own.user, *endpoint.spares}
    try:
        rules = _rules(own.ask("ACL", "LIST"))
        listed = [_words(line) for line in str(own.ask("CLIENT", "LIST", "TYPE", "normal")).splitlines() if line]
    except CacheError as error:
        return Proof(Tried.NO_WORD, f"its sessions cannot be listed: {error}")
    sessions = [one.get("user", "") for one in listed if one.get("user") not in spared]
    may_come = [user for user, said in rules.items() if "off" not in said.split() and user not in spared]
    free = sorted({user for user in (*sessions, *may_come) if not may_nothing(rules.get(user, "+@all"))})
    if free:
        return Proof(Tried.LET_IN, f"it lists users that may still run commands: {', '.join(free)}")
    return Proof(Tried.REFUSED, f"it lists {len(sessions)} session(s) of others, and no user who may run anything")


def _rules(lines: object) -> dict[str, str]:
    """User -> its rules, from ACL LIST: `user NAME rule rule …`."""
    found = {}
    for line in lines if isinstance(lines, list) else ():
        words = str(line).split()
        if len(words) >= 2 and words[0] == "user":
            found[words[1]] = " ".join(words[2:])
    return found


def _words(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split())
    return {name: value for name, _, value in pairs}
