"""The log of one resource that several applications write: claimed for one read-modify-write (design.md §5).

Each application's runs have their own log and lease, so nothing there keeps two applications apart that write one
listener, and a verb that replaces a whole list would undo what the other one wrote between its reading and its
writing. So around the one call of such a verb (`Kind.shared`) its worker holds the resource's own log, in the same
store. Several are claimed in the order of their names, and nobody waits for a smaller name while holding a larger one,
so that no two wait for each other.

The invariant: between the first read and the last request of a holder's call, no request of another's call on that
resource is sent, or can still land. Why it holds:

- A claim is an append: where two try, one body is stored (cloudfail/journal.py). Its number is its epoch.
- A claim's lease is as long as a call may take and counts from before the claim was sent, which is after the call's own
  time began. So it outlasts the call, is never renewed, and `check` (which every verb asks before each request) stops
  the call once its time is over, the clocks disagree, or anything stands behind the claim.
- Every entry says for how long after it nobody else may claim, and that is counted by whoever waits, on a clock that
  only grows, from when it first saw that the entry is the newest: later than the holder's own count began. A claim:
  lease + margin, and then the call's time and the settle time, for what was sent before the lease ended (rule 10). A
  release: the settle time where a request was made, since a read may be so stale (rule 3), and what is read stale is
  written stale; the call's time more where a request's answer was lost, since it may still land.
- So nothing is claimed over a call that may land, and who claims may act at once. A claim that was taken over was
  waited out by whoever took it over; a third counts from that one's entry, which is later.

Two shorter ways, for one's own. An effect that is tried again (same run, same step) waits for the settle time alone:
what lands late then writes what this one does. The others' wait is carried on in its entries, not begun anew shorter.
And a worker under a newer lease of the same application need not wait for the lapse of what an older one held: no call
of that one begins once the newer lease stands, so the old call's time and the settle time from there are enough.

What it cannot do: stop one request that was already let through when its machine stood still, and lands after the
take-over. That is found by watching (rule 10), as with every verb that the cloud does not check.

Crashes: whoever dies leaves a claim or none, and a claim can be taken over. Waiting is bounded by half of the call's
own time; what is not free by then is `Held`, which counts as no attempt, and is tried again until the step's limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.clock import Clock
from cloudfail.errors import Conflict, LeaseLost, Permanent, StoreUnavailable, Transient
from cloudfail.journal import Journal, TailMoved
from cloudfail.lease import MARGIN_SHARE, Lease, Silence
from cloudfail.model.journal import BrokenChain, Entry, Kind
from cloudfail.ports import Call, Store

WAIT_SHARE = 0.5
"""Of a call's time, what may be spent on waiting: the rest is for the call."""
POLL_SECONDS = 0.25
POLL_SECONDS_MIN = 0.01


def log_of(resource: str) -> str:
    """The name of that resource's log. No application is called so (a name has no colon), it is short enough for every
    store, and the resource's own name stands in each entry."""
    return f"resource:{hashlib.sha256(resource.encode()).hexdigest()[:32]}"


class Held(Transient):
    """Somebody else writes the resource now, or has just written it. The call was not made."""


@dataclass(frozen=True)
class Writer:
    """Who writes. epoch: of its application's lease. worker: as whom it appends."""

    application: str
    run: str
    step: str
    epoch: int
    worker: str


@dataclass(frozen=True)
class Last:
    """The newest entry of a resource's log. writer: None for a log without any. held: it is a claim, of a call that may
    be going on. The seconds are those that its writer wrote down."""

    seq: int = 0
    writer: Writer | None = None
    held: bool = False
    lease_seconds: float = 0.0
    settle_seconds: float = 0.0
    quiet_seconds: float = 0.0

    def left_for(self, writer: Writer, seen_seconds: float, leading_seconds: float) -> float:
        """Seconds until that one may claim. seen_seconds: for how long it has known this entry as the newest.
        leading_seconds: for how long it has held its own application's lease."""
        if self.writer is None:
            return 0.0
        own = self.writer.application == writer.application
        if self.held and own and self.writer.epoch < writer.epoch:
            return self.quiet_seconds - leading_seconds
        if self.held:
            return self.lease_seconds * (1 + MARGIN_SHARE) + self.quiet_seconds - seen_seconds
        if own and (self.writer.run, self.writer.step) == (writer.run, writer.step):
            return self.settle_seconds - seen_seconds
        return self.quiet_seconds - seen_seconds


def last_of(entry: Entry) -> Last:
    """Raises BrokenChain for an entry that lacks what every one has: it must not be guessed at."""
    data = entry.data
    try:
        writer = Writer(
            str(data["application"]), str(data["run"]), str(data["step"]), int(data["application_epoch"]), entry.by
        )
        return Last(
            entry.seq,
            writer,
            entry.kind is Kind.CLAIM,
            float(data.get("lease_seconds", 0.0)),
            float(data["settle_seconds"]),
            float(data["quiet_seconds"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BrokenChain(
            f"Entry {entry.seq} of the log ({entry.kind}, by {entry.by!r}) is none that cloudfail wrote: {error!r}.",
            "Nothing was changed.",
            "Find out who wrote to the store.",
        ) from error


class _Known:
    """One resource's log, as far as this process has read it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.last = Last()
        self.silence = Silence()
        self.lock = threading.Lock()

    def take(self, entry: Entry) -> None:
        if entry.kind in {Kind.CLAIM, Kind.RELEASE}:
            self.last = last_of(entry)


@dataclass
class _Hold:
    """One claim that stands. owed_until: until when (boot seconds) others must wait for what was sent before it."""

    resource: str
    journal: Journal
    claim: Entry
    lease: Lease
    owed_until: float

    def check(self) -> None:
        """Raises LeaseLost where a call under this claim may not begin a request any more."""
        if self.journal.store.read(self.journal.log, self.claim.seq):
            raise LeaseLost(f"{self.resource} was taken over by another.")
        if self.lease.remaining() <= 0:
            raise LeaseLost(f"The claim on {self.resource} has run out.")


class ResourceLogs:
    """What one process knows of the resources' logs in its store. It outlives the engines of that process, which come
    and go with each turn, so that a silence is counted over turns. Safe for threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def claimed(
        self,
        resources: Iterable[str],
        writer: Writer,
        *,
        call: Call,
        ends: float,
        leading_since: float,
        settle_seconds: float,
        still: Callable[[], None],
    ) -> Iterator[Call]:
        """Hold these resources for one call, and give the call to make: its `check` asks for the claims too, its time
        is what is left.

        ends: when the call must be over. leading_since: when the writer's application lease was claimed.
        settle_seconds: how stale a read of them may be. still: asked before each look, so that waiting ends as a call
        would; raises as `Call.check`. Raises Held; StoreUnavailable; Permanent for a log that is not what was written.
        """
        names = sorted(set(resources))
        if not names:
            yield call
            return
        until = ends - call.timeout_seconds * (1 - WAIT_SHARE)
        seconds = (call.timeout_seconds, settle_seconds)
        holds: list[_Hold] = []
        made = False

        def check() -> None:
            nonlocal made
            for hold in holds:
                hold.check()
            call.check()
            made = True

        def give_back(quiet_seconds: float) -> None:
            for hold in reversed(holds):
                self._release(hold, writer, settle_seconds if made else 0.0, quiet_seconds if made else 0.0, call.log)

        # Nothing is given back on what is no Exception: the process ends here, and the claim is left to lapse.
        try:
            for name in names:
                holds.append(self._claim(name, writer, seconds, until, leading_since, still))
            yield replace(call, check=check, timeout_seconds=max(0.0, ends - self.clock.boot()))
        except (Transient, Permanent, Conflict):
            give_back(settle_seconds)
            raise
        except Exception:
            give_back(sum(seconds))
            raise
        give_back(settle_seconds)

    def last(self, resource: str) -> tuple[Last, float]:
        """The newest entry of that resource's log, and for how long this process has known it as such."""
        known = self._of(resource)
        with known.lock:
            return self._look(known)

    def _of(self, resource: str) -> _Known:
        with self._lock:
            if resource not in self._known:
                self._known[resource] = _Known(Journal(self.store, log_of(resource), self.clock, ""))
            return self._known[resource]

    def _look(self, known: _Known) -> tuple[Last, float]:
        for entry in known.journal.refresh():
            known.take(entry)
        return known.last, known.silence.lasted(known.last.seq, self.clock.boot())

    def _claim(
        self,
        resource: str,
        writer: Writer,
        seconds: tuple[float, float],
        until: float,
        leading_since: float,
        still: Callable[[], None],
    ) -> _Hold:
        """Wait for it, and claim it. seconds: of the call, and of settling."""
        known = self._of(resource)
        while True:
            still()
            try:
                with known.lock:
                    last, seen = self._look(known)
                    left = last.left_for(writer, seen, self.clock.boot() - leading_since)
                    hold = self._try(resource, known, writer, seconds, seen) if left <= 0 else None
            except BrokenChain as error:
                raise Permanent(f"The log of {resource}: {error.happened}", error.true_now, error.to_do) from error
            if hold is not None:
                return hold
            now = self.clock.boot()
            if now >= until:
                raise Held(_waits(resource, last, writer, left))
            self.clock.sleep(max(POLL_SECONDS_MIN, min(POLL_SECONDS, left, until - now)))

    def _try(
        self, resource: str, known: _Known, writer: Writer, seconds: tuple[float, float], seen: float
    ) -> _Hold | None:
        """One append; None if somebody else was first."""
        last = known.last
        journal = Journal(self.store, known.journal.log, self.clock, writer.worker)
        journal.begin_at(known.journal)
        lease = Lease(self.clock, seconds[0])
        mark = lease.before_sending()
        owed = 0.0 if last.held else max(0.0, last.quiet_seconds - seen)
        data = {
            **_said(resource, writer),
            "lease_seconds": lease.seconds,
            "settle_seconds": seconds[1],
            "quiet_seconds": max(sum(seconds), owed),
        }
        try:
            claim = journal.append(Kind.CLAIM, data, epoch=journal.seq + 1)
        except TailMoved:
            return None
        lease.renewed(mark)
        known.journal.begin_at(journal)
        known.take(claim)
        return _Hold(resource, journal, claim, lease, mark.boot + owed)

    def _release(
        self, hold: _Hold, writer: Writer, settle_seconds: float, quiet_seconds: float, log: Callable[[str], None]
    ) -> None:
        """Give it back. Where the store does not answer, or another took it over, there is nothing more to do: what
        stands lapses by itself."""
        known = self._of(hold.resource)
        owed = max(0.0, hold.owed_until - self.clock.boot())
        data = {
            **_said(hold.resource, writer),
            "settle_seconds": settle_seconds,
            "quiet_seconds": max(quiet_seconds, owed),
        }
        try:
            with known.lock:
                released = hold.journal.append(Kind.RELEASE, data, epoch=hold.claim.epoch)
                if released.seq > known.journal.seq:
                    known.journal.begin_at(hold.journal)
                    known.take(released)
        except TailMoved:
            log(f"{hold.resource} had been taken over by another before it was given back")
        except (StoreUnavailable, BrokenChain) as error:
            log(f"{hold.resource} could not be given back, and is left to lapse: {error.happened}")


def _said(resource: str, writer: Writer) -> dict[str, Any]:
    return {
        "resource": resource,
        "application": writer.application,
        "run": writer.run,
        "step": writer.step,
        "application_epoch": writer.epoch,
    }


def _waits(resource: str, last: Last, writer: Writer, left: float) -> str:
    holder = last.writer
    if holder is None or left <= 0:
        return f"waits for its turn at {resource}, which others are writing"
    who = "another step" if holder.application == writer.application else f"application {holder.application}"
    does = "writes" if last.held else "has just written"
    return f"waits for {who}: run {holder.run} ({holder.step}) {does} {resource}; at the longest {left:.0f} s more"
