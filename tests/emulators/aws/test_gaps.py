"""A listing that others wrote to while it was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from cloudfail.errors import StoreUnavailable
from cloudfail.ports import StoredEntry
from cloudfail_aws.gaps import LOOKS_MAX, without_gap


def looks(*each: Sequence[int]) -> tuple[list[int], Callable[[int], list[StoredEntry]]]:
    """What each look finds, one after the other; and where each began."""
    began: list[int] = []

    def look(after: int) -> list[StoredEntry]:
        began.append(after)
        return [StoredEntry(seq, b"") for seq in each[len(began) - 1] if seq > after]

    return began, look


@pytest.mark.parametrize(
    ("each", "read", "began"),
    [
        ([[]], [], [0]),
        ([[1, 2, 3]], [1, 2, 3], [0]),
        # 2 was put when the walk had passed it, 3 before it came there.
        ([[1, 3], [1, 2, 3, 4]], [1, 2, 3, 4], [0, 1]),
        ([[2], [1, 2]], [1, 2], [0, 0]),
        # And again, further on.
        ([[1, 3], [2, 3, 5], [4, 5, 6]], [1, 2, 3, 4, 5, 6], [0, 1, 3]),
        # 2 was deleted: it is handed on as it is, for the chain to say so.
        ([[1, 3, 4], [3, 4]], [1, 3, 4], [0, 1]),
        ([[2, 3], [2, 3]], [2, 3], [0, 0]),
        ([[1, 3], []], [1], [0, 1]),
    ],
)
def test_what_a_look_passed_is_looked_at_again_once(each: list[list[int]], read: list[int], began: list[int]) -> None:
    seen, look = looks(*each)
    assert [entry.seq for entry in without_gap(look, 0)] == read
    assert seen == began


def test_a_log_that_is_written_faster_than_it_is_read_is_an_error() -> None:
    seen, look = looks(*([*range(1, at), at + 1] for at in range(2, LOOKS_MAX + 9)))
    with pytest.raises(StoreUnavailable, match="faster"):
        without_gap(look, 0)
    assert len(seen) == LOOKS_MAX + 1
