"""The entries of the application log (design.md §5: every application has one log).

Each entry carries the hash of the one before (the audit chain) and a nonce (so that a writer whose reply was lost can
tell its own entry from another's). `epoch` is the sequence number of the claim under which a worker wrote; a person's
command needs no lease and carries 0. `at` is wall time: it informs and never decides. `t` is seconds since the run was
opened, counted by the holders of the lease on clocks that only grow; people's entries carry none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cloudfail.errors import CloudfailError


class Kind(StrEnum):
    CLAIM = "claim"
    RENEW = "renew"
    RELEASE = "release"
    REVIEWED = "reviewed"
    STANDING = "standing"
    SAMPLE = "sample"
    OPENED = "opened"
    INTENT = "intent"
    RESULT = "result"
    SEEN = "seen"
    GATE = "gate"
    HALT = "halt"
    COMMAND = "command"
    CLOSED = "closed"
    # Where a log ends and another begins (cloudfail/moving.py); by named persons only.
    SEALED = "sealed"
    BEGUN = "begun"
    MERGED = "merged"


# What only the holder of the lease may write. The rest is people's, or a watcher's.
HOLDER_KINDS = frozenset(
    {Kind.CLAIM, Kind.RENEW, Kind.RELEASE, Kind.INTENT, Kind.RESULT, Kind.SEEN, Kind.GATE, Kind.HALT, Kind.CLOSED}
)

GENESIS = "0" * 64
ENTRIES_KEPT = 256
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class BrokenChain(CloudfailError):
    """The log is not what was written: an entry was changed, removed, or put in."""


@dataclass(frozen=True)
class Entry:
    seq: int
    kind: Kind
    epoch: int
    by: str
    at: float
    t: float | None
    nonce: str
    previous: str
    data: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def by_holder(self) -> bool:
        return self.kind in HOLDER_KINDS


def encode(
    *,
    seq: int,
    kind: Kind,
    epoch: int,
    by: str,
    at: float,
    t: float | None,
    nonce: str,
    previous: str,
    data: Mapping[str, Any],
) -> bytes:
    """The canonical bytes of an entry: sorted keys, no spaces, UTF-8. Its digest is the SHA-256 of these bytes."""
    document = {
        "seq": seq,
        "kind": str(kind),
        "epoch": epoch,
        "by": by,
        "at": round(at, 6),
        "t": None if t is None else round(t, 6),
        "nonce": nonce,
        "previous": previous,
        "data": data,
    }
    return _CANONICAL.encode(document).encode()


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=ENTRIES_KEPT)
def decode(seq: int, body: bytes, previous: str) -> Entry:
    """Read an entry back and check its link. Raises BrokenChain: never guesses at a log that was tampered with.

    The newest are kept, since an application and its engines each read the same log."""
    try:
        document = json.loads(body)
        entry = Entry(
            seq=document["seq"],
            kind=Kind(document["kind"]),
            epoch=document["epoch"],
            by=document["by"],
            at=document["at"],
            t=document["t"],
            nonce=document["nonce"],
            previous=document["previous"],
            data=document["data"],
            digest=digest_of(body),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenChain(
            f"Entry {seq} of the log cannot be read ({error}).",
            "Nothing was changed; the run stands where the entry before left it.",
            "Compare the store with its backup: cloudfail audit verify",
        ) from error
    if entry.seq != seq or entry.previous != previous:
        raise BrokenChain(
            f"Entry {seq} of the log does not follow the entry before it: it was changed, or one before it was.",
            "Nothing was changed; the run stands where the last good entry left it.",
            "Find out who wrote to the store: cloudfail audit verify",
        )
    return entry
