"""A listing that was read while others appended, made whole.

Neither a DynamoDB Query nor an S3 listing is one moment's picture: it walks along the numbers, and each is as it was
when the walk passed it. So n may be missing and n + 1 be there, though n stood first.

Proof that a second look is enough. Entry n + 1 is written only after n was seen to stand, by a strongly consistent
read. Who has seen n + 1 and then looks at n, strongly consistently, sees n. If it does not, n was taken away: the log
was tampered with. Then the gap is handed on as it is, and the chain of digests says so loudly. To cut the listing off
at the gap would hide it, and the next append would fill the hole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from cloudfail.errors import StoreUnavailable

LOOKS_MAX = 10


class _Numbered(Protocol):
    @property
    def seq(self) -> int: ...


N = TypeVar("N", bound=_Numbered)


def without_gap(look: Callable[[int], Sequence[N]], after: int) -> list[N]:
    """All that `look(after)` finds, and what it missed. Numbers found are above `after`, and grow."""
    found = list(look(after))
    for _ in range(LOOKS_MAX):
        whole = next((index for index, entry in enumerate(found) if entry.seq != after + 1 + index), None)
        if whole is None:
            return found
        again = list(look(after + whole))
        found[whole:] = again
        if not again or again[0].seq != after + whole + 1:
            return found
    raise StoreUnavailable(
        "The state store was written faster than it could be read.",
        "Nothing is changed while the journal cannot be read.",
        "See who writes so much: cloudfail status",
    )
