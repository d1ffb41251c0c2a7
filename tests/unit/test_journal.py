"""The audit chain: each entry carries the hash of the one before, and nobody mistakes another's entry for its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.errors import StoreUnavailable
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import GENESIS, BrokenChain, Kind, decode, digest_of, encode
from cloudfail.ports import StoredEntry
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def journal(store: MemoryStore, by: str = "alice") -> Journal:
    return Journal(store, "shop", VirtualClock(), by)


class Unanswering:
    """A store that took nothing and does not answer."""

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return []

    def append(self, log: str, seq: int, body: bytes) -> bool:
        raise StoreUnavailable("The disk is full.")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=4), TEXT)
def test_what_was_written_is_read_back(data: dict[str, object], by: str) -> None:
    store = MemoryStore()
    written = journal(store, by).append(Kind.SAMPLE, data)
    assert journal(store).refresh() == [written]
    assert written.data == data and written.by == by


def test_each_entry_carries_the_hash_of_the_one_before() -> None:
    store = MemoryStore()
    writer = journal(store)
    entries = [writer.append(Kind.SAMPLE, {"n": n}) for n in range(5)]
    bodies = [stored.body for stored in store.read("shop", 0)]
    assert [entry.previous for entry in entries] == [GENESIS, *map(digest_of, bodies[:-1])]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), st.data())
def test_a_byte_that_was_changed_anywhere_is_found(which: int, data: st.DataObject) -> None:
    store = MemoryStore()
    writer = journal(store)
    for n in range(6):
        writer.append(Kind.SAMPLE, {"n": n})
    body = bytearray(store._logs["shop"][which])
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    store._logs["shop"][which] = bytes(body)
    with pytest.raises(BrokenChain):
        journal(store).refresh()


def test_an_entry_that_was_put_in_is_found() -> None:
    store = MemoryStore()
    writer = journal(store)
    for n in range(3):
        writer.append(Kind.SAMPLE, {"n": n})
    store._logs["shop"].insert(1, store._logs["shop"][1])
    with pytest.raises(BrokenChain):
        journal(store).refresh()


def test_whoever_comes_second_is_told_and_wrote_nothing() -> None:
    store = MemoryStore()
    first, second = journal(store), journal(store, "bob")
    first.append(Kind.SAMPLE, {})
    with pytest.raises(TailMoved):
        second.append(Kind.SAMPLE, {})
    assert [entry.by for entry in second.refresh()] == ["alice"]


def test_a_store_that_does_not_answer_is_said_to_be_so() -> None:
    writer = Journal(Unanswering(), "shop", VirtualClock(), "alice")
    with pytest.raises(StoreUnavailable):
        writer.append(Kind.SAMPLE, {})
    assert writer.seq == 0


def test_a_log_that_grew_shorter_is_found_by_the_next_append() -> None:
    store = MemoryStore()
    writer = journal(store)
    for n in range(3):
        writer.append(Kind.SAMPLE, {"n": n})
    del store._logs["shop"][1:]
    with pytest.raises(BrokenChain):
        writer.append(Kind.SAMPLE, {"n": 3})


def test_equal_words_are_two_entries() -> None:
    store = MemoryStore()
    one, two = journal(store).append(Kind.SAMPLE, {}), None
    other = journal(store)
    other.refresh()
    two = other.append(Kind.SAMPLE, {})
    assert one.nonce != two.nonce and one.digest != two.digest


def test_bytes_are_canonical() -> None:
    body = encode(seq=1, kind=Kind.SAMPLE, epoch=0, by="ä", at=1.23456789, t=None, nonce="n", previous=GENESIS,
                  data={"b": 1, "a": {"d": 1, "c": 2}})  # fmt: skip
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert decode(1, body, GENESIS).at == 1.234568
