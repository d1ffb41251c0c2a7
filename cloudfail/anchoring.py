"""Makes anchors while a run goes on.

A failover waits for no anchor. Whoever appends an entry only says so (`hear`): a thread for each place signs and
writes, with the store's own deadlines, and tries again later what did not go. `wait` is for the end of a command or of
a tick, and bounded. What is still owed then is said, and is made up by the next who has the key: an anchor speaks for
every entry before it.

A place is a store (`ports.Store`) under a log of its own, since that is what an anchor needs: a number that is taken
once, and a read that never shows a list with a hole. Anchors are numbered by the place, not by the entry: so nobody who
can only add to it can take an entry's place in advance.

Two processes may anchor the same entry; the second finds the first's and leaves it. One that finds the same entry
anchored with another digest has found a fork: that is said at once, and its own anchor is written beside it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cloudfail.anchor_places import Keys, checked, folder_of, key_text, label_of, signers_of
from cloudfail.clock import Clock, SystemClock
from cloudfail.config.loaded import Loaded
from cloudfail.errors import CloudfailError, StoreUnavailable
from cloudfail.execution.state import LogState
from cloudfail.model.anchor import Anchor, log_of, written
from cloudfail.model.journal import Entry, Kind
from cloudfail.ports import Store
from cloudfail.proof import ANCHORED, Point, anchored, why_anchored
from cloudfail.signing import AllowedSigners, Namespace, sign, verify
from cloudfail.stores import open_store

RETRY_SECONDS = 30.0
WAIT_SECONDS = 5.0
"""How long the end of a command or of a tick waits for what is owed."""
POINTS_MAX = 512
"""Kept in memory; of more, the newest, which speak for the others."""
TRIES = 8
DIGEST_BYTES = 32


class _Owed(NamedTuple):
    point: Point
    live: bool


class Anchoring:
    """The anchors of one application that this process makes. `hear` and `owed` may be called from any thread. `tell`
    is called once for each fork, from a thread of ours."""

    def __init__(
        self,
        application: str,
        places: Mapping[str, Callable[[], Store]],
        keys: Keys,
        by: str,
        clock: Clock | None = None,
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.application = application
        self.keys = keys
        self.by = by
        self.clock = clock or SystemClock()
        self.retry_seconds = retry_seconds
        self.tell: Callable[[str], None] = lambda _line: None
        self.changed = threading.Condition()
        self._digests = bytearray()
        self._carries = False  # another log, whose anchors may lie there too
        self._points: dict[int, _Owed] = {}
        self._told: dict[str, int] = {}
        self._begun = False
        self._places = [_Place(self, label, opened) for label, opened in places.items()]

    def hear(self, entry: Entry, log: LogState) -> None:
        """An entry that this process read or wrote, in the log's order. Costs nothing and never raises for what a place
        does."""
        self._carries = bool(log.origin or log.merged)
        if entry.seq == len(self._digests) // DIGEST_BYTES + 1:
            self._digests += bytes.fromhex(entry.digest)
        if entry.kind is Kind.SAMPLE and ANCHORED in entry.data:
            with self.changed:
                self._told = anchored(log, self.first)
        why = why_anchored(entry, log)
        if not why:
            return
        with self.changed:
            self._points.setdefault(entry.seq, _Owed(Point(entry.seq, entry.digest, why), self._begun))
            while len(self._points) > POINTS_MAX:
                del self._points[min(self._points)]
        if self._begun:
            self._rouse()

    def begin(self) -> None:
        """From now on this process writes anchors, beginning with what it heard and nobody anchored."""
        if not self._begun:
            self._begun = True
            self._rouse()

    def wait(self, seconds: float = WAIT_SECONDS) -> None:
        """Try what is owed once more, and wait for it for so long."""
        end = time.monotonic() + seconds
        with self.changed:
            waiting = {place: place.rounds_begun + 1 for place in self._places if self._begun and self.owed_in(place)}
        self._rouse()
        with self.changed:
            while (left := end - time.monotonic()) > 0 and any(
                place.rounds_ended < target and self.owed_in(place) for place, target in waiting.items()
            ):
                self.changed.wait(left)

    def end(self) -> None:
        """Write no more, until `begin`. A thread that waits for an answer ends when it has it."""
        with self.changed:
            self._begun = False
            for place in self._places:
                place.wake.set()

    def _rouse(self) -> None:
        for place in self._places:
            place.rouse()

    # ---- what is owed

    def owed_in(self, place: _Place) -> list[Point]:
        """What this place does not hold yet. Of what was written before this process began, only what is behind the
        newest anchor, as the log tells of it or as it was found."""
        with self.changed:
            newest = max(self._told.get(place.label, 0), place.newest)
            return [
                owed.point
                for seq, owed in sorted(self._points.items())
                if (seq, owed.point.digest) not in place.held and (owed.live or seq > newest)
            ]

    @property
    def first(self) -> str:
        """The digest of the log's first entry, which names the log; "" before it was read."""
        return self.digest_of(1)

    def digest_of(self, seq: int) -> str:
        """As this process read it; "" for an entry that it has not read."""
        return self._digests[(seq - 1) * DIGEST_BYTES : seq * DIGEST_BYTES].hex()

    def forks_in(self, place: _Place) -> list[str]:
        with self.changed:
            others = [] if self._carries else place.others.values()
            return [
                f"FORKED: {who}, is of a log of this name that begins with another entry. Somebody wrote this one anew "
                "from its beginning, or there are two: cloudfail audit verify"
                for who in others
            ] + [
                f"FORKED: {who}, says that entry {seq} is {digest[:16]}…; in the log that is open here it is "
                f"{self.digest_of(seq)[:16]}…. Somebody writes another log under this name, or wrote this one anew: "
                "cloudfail audit verify"
                for (seq, digest), who in place.held.items()
                if self.digest_of(seq) not in {digest, ""}
            ]

    @property
    def begun(self) -> bool:
        return self._begun

    @property
    def owed(self) -> int:
        """How many points are not anchored in some place."""
        return len({point.seq for place in self._places for point in self.owed_in(place)})

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person must know: forks that were found, and what is owed, with the reason."""
        found = []
        for place in self._places:
            found += self.forks_in(place)
            owed = self.owed_in(place)
            if owed:
                more = f" and {len(owed) - 1} more" if len(owed) > 1 else ""
                because = f": {place.failure}" if place.failure else "."
                what = "Not anchored" if place.rounds_begun else "As far as the log says, not anchored yet"
                found.append(f"{what} in {place.label}: {owed[0]}{more}{because}")
        return tuple(found)

    @property
    def news(self) -> dict[str, int]:
        """Place -> newest entry that is anchored there, where the log does not say so yet."""
        return {place.label: place.newest for place in self._places if place.newest > self._told.get(place.label, 0)}


class _Place:
    """One place, and the thread that writes to it while something is owed there."""

    def __init__(self, anchoring: Anchoring, label: str, opened: Callable[[], Store]) -> None:
        self.label = label
        self.held: dict[tuple[int, str], str] = {}
        self.others: dict[str, str] = {}
        self.newest = 0
        self.failure = ""
        self.wake = threading.Event()
        self.rounds_begun = 0
        self.rounds_ended = 0
        self._anchoring = anchoring
        self._opened = opened
        self._store: Store | None = None
        self._read_to = 0
        self._said: list[str] = []
        self._thread: threading.Thread | None = None

    def rouse(self) -> None:
        anchoring = self._anchoring
        with anchoring.changed:
            if not anchoring.begun or not anchoring.owed_in(self):
                return
            self.wake.set()
            if self._thread is None:
                thread = threading.Thread(target=self._work, name=f"anchors {self.label}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads, or the process is about to end: the run goes on
                    self.failure = str(error)
                else:
                    self._thread = thread

    def _work(self) -> None:
        anchoring = self._anchoring
        while True:
            self.wake.wait(anchoring.retry_seconds)
            with anchoring.changed:
                self.wake.clear()
                if not anchoring.begun or not anchoring.owed_in(self):
                    self._thread = None
                    anchoring.changed.notify_all()
                    return
                self.rounds_begun += 1
            failure = ""
            try:
                self._write()
            except CloudfailError as error:
                failure = str(error)
            except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises, the run goes on
                failure = f"{type(error).__name__}: {error}"
            with anchoring.changed:
                self.failure = failure
                self.rounds_ended += 1
                news = [line for line in anchoring.forks_in(self) if line not in self._said]
                self._said += news
                anchoring.changed.notify_all()
            for line in news:
                with contextlib.suppress(Exception):  # whoever listens must not end the anchors
                    anchoring.tell(line)

    def _write(self) -> None:
        private, allowed = self._anchoring.keys.private(), self._anchoring.keys.allowed()
        if self._store is None:
            self._store = self._opened()
        self._catch_up(self._store, allowed)
        for point in self._anchoring.owed_in(self):
            self._put(self._store, private, allowed, point)

    def _put(self, store: Store, private: str, allowed: AllowedSigners, point: Point) -> None:
        anchoring = self._anchoring
        now = round(anchoring.clock.wall(), 6)
        anchor = Anchor(anchoring.application, point.seq, point.digest, anchoring.first, now, point.why, anchoring.by)
        signature = sign(anchor.payload, Namespace.ANCHOR, private)
        # An anchor that nobody believes is none.
        verify(anchor.payload, signature, Namespace.ANCHOR, allowed, anchor.at)
        log, body = log_of(anchoring.application), written(anchor, signature)
        for _ in range(TRIES):
            if store.append(log, self._read_to + 1, body):
                self._read_to += 1
                self._hold(anchor, "our own")
                return
            self._catch_up(store, allowed)
            if (point.seq, point.digest) in self.held:
                return
        raise StoreUnavailable(f"Others wrote to {self.label} each time that an anchor was to be written.")

    def _catch_up(self, store: Store, allowed: AllowedSigners) -> None:
        """What others, or earlier attempts whose answer was lost, have written there."""
        for stored in store.read(log_of(self._anchoring.application), self._read_to):
            self._read_to = stored.seq
            seen = checked(self._anchoring.application, self.label, stored, allowed)
            if seen.anchor is None or seen.problem:
                continue
            if seen.anchor.first != self._anchoring.first:
                self.others.setdefault(seen.anchor.first, f"{seen}, signed by {seen.signer}")
            else:
                self._hold(seen.anchor, f"{seen}, signed by {seen.signer}")

    def _hold(self, anchor: Anchor, who: str) -> None:
        with self._anchoring.changed:
            self.held.setdefault((anchor.seq, anchor.digest), who)
            self.newest = max(self.newest, anchor.seq)


def anchoring_of(loaded: Loaded, by: str, clock: Clock | None = None) -> Anchoring | None:
    """As the configuration says; None where it says nothing of anchors. Opens and reads nothing yet."""
    audit = loaded.topology.audit
    if audit is None:
        return None
    folder = folder_of(loaded)
    keys = Keys(lambda: key_text(audit.key, folder), lambda: signers_of(audit, folder))
    places = {label_of(url): (lambda url=url: open_store(url)) for url in audit.anchors}
    return Anchoring(loaded.topology.application, places, keys, by, clock)
