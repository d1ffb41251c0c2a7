"""Batches of changes: pure."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail_aws.budget import records_in
from cloudfail_aws.dns.batches import (
    CHARACTERS_MAX,
    RECORDS_MAX,
    Isolation,
    Move,
    TooLarge,
    batches,
    changes_of,
)


def move(number: int, *, old: int = 1, new: int = 1, length: int = 9, upsert: bool = False) -> Move:
    name = f"n{number}.shop.example."

    def change(action: str, count: int) -> dict[str, object]:
        values = [{"Value": str(one).rjust(length, "0")} for one in range(count)]
        return {
            "Action": action,
            "ResourceRecordSet": {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": values},
        }

    if upsert:
        return Move(name, (change("UPSERT", new),))
    return Move(name, (change("DELETE", old), change("CREATE", new)))


def test_ten_thousand_names_are_twenty_batches_with_the_condition_and_twenty_without() -> None:
    with_condition = batches([move(number) for number in range(10_000)])
    without = batches([move(number, upsert=True) for number in range(10_000)])
    assert len(with_condition) == len(without) == 20
    assert {sum(one.records for one in batch) for batch in with_condition} == {RECORDS_MAX}
    assert all(
        records_in("route53", "change_resource_record_sets", {"ChangeBatch": {"Changes": changes_of(batch)}}) == 1000
        for batch in with_condition
    )


def test_long_values_are_bounded_by_their_characters() -> None:
    made = batches([move(number, length=100) for number in range(1000)])
    assert len(made) == math.ceil(1000 * 200 / CHARACTERS_MAX)
    assert all(sum(one.characters for one in batch) <= CHARACTERS_MAX for batch in made)


def test_an_alias_counts_as_one() -> None:
    alias = {"Action": "CREATE", "ResourceRecordSet": {"Name": "a.", "Type": "A", "AliasTarget": {}}}
    assert (Move("a.", (alias,)).records, Move("a.", (alias,)).characters) == (1, 0)


def test_what_fits_into_no_batch_is_named() -> None:
    with pytest.raises(TooLarge, match=r"n7\.shop"):
        batches([move(1), move(7, new=RECORDS_MAX)])


SIZES = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 40), st.booleans()), min_size=0, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(SIZES, st.integers(24, 60), st.integers(960, 2000))
def test_every_move_is_in_one_batch_whole_and_no_batch_is_over_a_limit(
    sizes: list[tuple[int, int, int, bool]], records_max: int, characters_max: int
) -> None:
    moves = [
        move(number, old=old, new=new, length=length, upsert=upsert)
        for number, (old, new, length, upsert) in enumerate(sizes)
    ]
    made = batches(moves, records_max=records_max, characters_max=characters_max)
    assert sorted(one.name for batch in made for one in batch) == sorted(one.name for one in moves)
    for batch in made:
        assert batch
        assert sum(one.records for one in batch) <= records_max
        assert sum(one.characters for one in batch) <= characters_max
    # First fit: no two batches could have been one.
    for first, second in itertools.pairwise(made):
        both = first + second
        assert sum(one.records for one in both) > records_max or sum(one.characters for one in both) > characters_max


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 500), st.sets(st.integers(0, 499), max_size=5))
def test_what_is_refused_is_isolated_and_everything_else_is_applied_once(size: int, bad: set[int]) -> None:
    moves = [move(number) for number in range(size)]
    poison = {moves[number].name for number in bad if number < size}
    isolation, applied, requests = Isolation(moves), [], 0
    while (group := isolation.next()) is not None:
        requests += 1
        if poison & {one.name for one in group}:
            isolation.refused()
        else:
            applied += [one.name for one in group]
            isolation.applied()
    assert {one.name for one in isolation.poisoned} == poison
    assert sorted([*applied, *poison]) == sorted(one.name for one in moves)
    assert requests <= 1 + len(poison) * 2 * (1 + math.ceil(math.log2(size + 1)))
