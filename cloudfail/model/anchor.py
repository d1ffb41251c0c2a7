"""An anchor: one signed line that says "entry N of this log had this digest", kept where the log's writers cannot
change it. Since each entry holds the digest of the one before, it speaks for all entries up to N.

It is a text of two parts: a line of JSON, and the armored signature of exactly that line, its newline included. So
anybody checks it by hand (docs/audit.md). `at` informs and proves nothing: it is the signer's own clock.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

LOG_SUFFIX = "/anchors"
BYTES_MAX = 1 << 17
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEYS = {"application": str, "seq": int, "digest": str, "first": str, "at": float, "why": str, "by": str}


@dataclass(frozen=True)
class Anchor:
    """`first`: the digest of the log's first entry, which names the log; "" where nobody kept it. `why` says what was
    being done when it was made; `by` is who made it, in their own words."""

    application: str
    seq: int
    digest: str
    first: str = ""
    at: float = 0.0
    why: str = ""
    by: str = ""

    @property
    def payload(self) -> bytes:
        """What is signed: one line of ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @property
    def head(self) -> str:
        return head_line(self.application, self.seq, self.digest)


def log_of(application: str) -> str:
    """The name under which an application's anchors are kept in a store; no application is called so."""
    return application + LOG_SUFFIX


def head_line(application: str, seq: int, digest: str) -> str:
    """A log's head on one line. Whoever keeps it, on paper or in a message, can hold the log against it."""
    return f"{application} {seq} {digest}"


def read_head(text: str, application: str) -> Anchor:
    """`SEQ DIGEST`, with or without the application before it. Raises ValueError."""
    words = text.split()
    named = words.pop(0) if len(words) == 3 else application
    if len(words) != 2 or not words[0].isascii() or not words[0].isdecimal() or not _DIGEST.fullmatch(words[1]):
        raise ValueError("a head is a number and 64 hexadecimal digits")
    if named != application:
        raise ValueError(f"it is the head of {named}, and this is the log of {application}")
    return Anchor(application, int(words[0]), words[1])


def written(anchor: Anchor, signature: str) -> bytes:
    return anchor.payload + signature.encode()


def split(body: bytes) -> tuple[Anchor, bytes, str]:
    """The anchor, the bytes that were signed, and the signature. Raises ValueError for what is no anchor; whether the
    signature holds is another question."""
    if len(body) > BYTES_MAX:
        raise ValueError("it is longer than an anchor can be")
    line, newline, signature = body.partition(b"\n")
    try:
        document: Any = json.loads(line)
    except RecursionError:
        raise ValueError("its first line is no anchor") from None
    if not isinstance(document, dict) or set(document) != set(_KEYS):
        raise ValueError("its first line is no anchor")
    for key, kind in _KEYS.items():
        value = document[key]
        if not isinstance(value, int | float if kind is float else kind) or isinstance(value, bool):
            raise ValueError(f"its {key} is of the wrong kind")
    digests = (document["digest"], document["first"])
    if document["seq"] < 1 or not all(_DIGEST.fullmatch(digest) for digest in digests):
        raise ValueError("its seq or a digest in it cannot be an entry's")
    return Anchor(**{**document, "at": float(document["at"])}), line + newline, signature.decode()
