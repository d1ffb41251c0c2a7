"""One writer's view of one application log: read the tail, append at its end, know one's own entry again.

Proof that two writers cannot both think they wrote entry n: `Store.append` succeeds only where n is free, so one body
is stored. A writer that got no clear answer reads n back and compares nonces; a nonce is 128 random bits, drawn for one
append, so equal nonces mean the stored body is the one it sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from cloudfail.clock import Clock
from cloudfail.errors import LogMoved, StoreUnavailable
from cloudfail.model.journal import GENESIS, BrokenChain, Entry, Kind, decode, digest_of, encode
from cloudfail.ports import Store
from cloudfail.secrecy import redacted_all

TOLD = frozenset({"message", "detail", "reason", "to_do", "effect", "lines", "facts"})
"""The parts of an entry that repeat somebody's words: an error's, a provider's, a person's. The others are compared,
hashed, signed or needed to put something back, and stay as they are."""


def told(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` as it is kept: what a log holds is there for good, and is read by many."""
    return {key: redacted_all(value) if key in TOLD else value for key, value in data.items()}


class TailMoved(Exception):
    """Somebody else appended first. Nothing of ours was written: refresh, think again."""


class Journal:
    """Not thread-safe on purpose: the engine has one writer (design.md §5). Other threads read through the store."""

    def __init__(self, store: Store, log: str, clock: Clock, by: str) -> None:
        self.store = store
        self.log = log
        self.clock = clock
        self.by = by
        self.seq = 0
        self.digest = GENESIS
        self.stored_at = 0.0
        self.seal: Entry | None = None

    def begin_at(self, other: Journal) -> None:
        """Go on from where `other`, of the same process, has read and checked the same log."""
        self.seq, self.digest, self.stored_at, self.seal = other.seq, other.digest, other.stored_at, other.seal

    def refresh(self) -> list[Entry]:
        """The entries that were appended since the last call, in order, each checked against the one before."""
        entries = []
        for stored in self.store.read(self.log, self.seq):
            entry = decode(stored.seq, stored.body, self.digest)
            self._read(entry)
            self.stored_at = stored.at
            entries.append(entry)
        return entries

    def _read(self, entry: Entry) -> None:
        self.seq, self.digest = entry.seq, entry.digest
        match entry.kind:
            case Kind.SEALED:
                self.seal = entry
            case Kind.BEGUN:
                self.seal = entry if entry.data["parts"] else None
            case Kind.MERGED if self.seal is not None and entry.data["whole"] and _is_last(entry):
                self.seal = None

    def append(self, kind: Kind, data: Mapping[str, Any], *, epoch: int = 0, t: float | None = None) -> Entry:
        """Append right behind the entry that was last read. Raises TailMoved if something is there already, and
        StoreUnavailable if the store does not say; then the entry may stand, and `refresh` will show it.

        Behind a seal nothing is appended but a new beginning, and behind a beginning only the parts that it announced:
        LogMoved. Who appends has read all that stands before, so nobody can miss either."""
        if self.seal is not None and kind is not (Kind.BEGUN if self.seal.kind is Kind.SEALED else Kind.MERGED):
            raise moved(self.seal, self.log)
        seq = self.seq + 1
        nonce = secrets.token_hex(16)
        body = encode(
            seq=seq,
            kind=kind,
            epoch=epoch,
            by=self.by,
            at=self.clock.wall(),
            t=t,
            nonce=nonce,
            previous=self.digest,
            data=told(data),
        )
        try:
            stored = self.store.append(self.log, seq, body)
        except StoreUnavailable:
            stored = False
            if not self._is_mine(seq, body):
                raise
            stored = True
        if not stored and not self._is_mine(seq, body):
            raise TailMoved
        entry = decode(seq, body, self.digest)
        self._read(entry)
        return entry

    def _is_mine(self, seq: int, body: bytes) -> bool:
        """Whether entry `seq` holds exactly our bytes: an SDK that retried inside reports a conflict with ourselves.
        Raises BrokenChain if the log's end, as we knew it, is gone: no append there would ever succeed."""
        tail = {stored.seq: stored.body for stored in self.store.read(self.log, max(0, seq - 2))}
        if seq > 1 and (seq - 1 not in tail or digest_of(tail[seq - 1]) != self.digest):
            raise BrokenChain(
                f"Entry {seq - 1} of the log is gone, or is not what it was.",
                "Nothing was changed; the run stands where the last good entry left it.",
                "Find out who wrote to the store: cloudfail audit verify",
            )
        return tail.get(seq) == body


def _is_last(part: Entry) -> bool:
    return bool(part.data["part"] == part.data["parts"])


def moved(seal: Entry, log: str) -> LogMoved:
    """What whoever would use a log that was moved away, or has not yet come whole, is told."""
    if seal.kind is Kind.BEGUN:
        return LogMoved(
            f"{seal.by} is moving the log of {log} here from {seal.data['before']}, and it has not come whole.",
            "Nothing was changed; nothing can be done by half a log.",
            "Wait, or finish it by the same command again: cloudfail state move",
        )
    return LogMoved(
        f"{seal.by} moved the log of {log} to {seal.data['to']} ({seal.data['reason']}).",
        "This one takes no more entries; nothing was changed.",
        f"Write `state: {seal.data['to']}` in cloudfail.yaml, wherever cloudfail runs.",
    )
