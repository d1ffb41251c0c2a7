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
from cloudfail.errors import StoreUnavailable
from cloudfail.model.journal import GENESIS, BrokenChain, Entry, Kind, decode, digest_of, encode
from cloudfail.ports import Store


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

    def begin_at(self, other: Journal) -> None:
        """Go on from where `other`, of the same process, has read and checked the same log."""
        self.seq, self.digest, self.stored_at = other.seq, other.digest, other.stored_at

    def refresh(self) -> list[Entry]:
        """The entries that were appended since the last call, in order, each checked against the one before."""
        entries = []
        for stored in self.store.read(self.log, self.seq):
            entry = decode(stored.seq, stored.body, self.digest)
            self.seq, self.digest, self.stored_at = entry.seq, entry.digest, stored.at
            entries.append(entry)
        return entries

    def append(self, kind: Kind, data: Mapping[str, Any], *, epoch: int = 0, t: float | None = None) -> Entry:
        """Append right behind the entry that was last read. Raises TailMoved if something is there already, and
        StoreUnavailable if the store does not say; then the entry may stand, and `refresh` will show it."""
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
            data=data,
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
        self.seq, self.digest = seq, entry.digest
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
