"""What every store must hold: one suite, run against each (design.md §5).

Subclass it and give it the fixture `open_store`, which returns a function: each call opens the same backing log anew,
as another process would.

    class TestMine(StoreSuite):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path / "log")
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from cloudfail.clock import SystemClock
from cloudfail.errors import StoreUnavailable
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import Kind
from cloudfail.ports import Call, Store, StoredEntry
from cloudfail.resource_log import ResourceLogs, Writer, log_of

OpenStore = Callable[[], Store]
WRITERS = 8
ROUNDS = 25


class AnswerLost:
    """A store whose next appends land, and whose answer is lost: `raises` StoreUnavailable, or says False, as an SDK
    does that retried inside and then met its own write."""

    def __init__(self, store: Store, *, raises: bool) -> None:
        self.store = store
        self.raises = raises

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.store.append(log, seq, body)
        if self.raises:
            raise StoreUnavailable("The connection was reset.")
        return False


class StoreSuite:
    """The promises of `ports.Store`."""

    def test_an_empty_log_reads_as_nothing(self, open_store: OpenStore) -> None:
        assert open_store().read("shop", 0) == []
        assert open_store().read("shop", 7) == []

    def test_an_entry_is_read_back_byte_for_byte(self, open_store: OpenStore) -> None:
        bodies = [b"{}", b"\x00\xff\n'\";--", "Müßiggang 東京".encode(), b"x" * 300_000]
        store = open_store()
        for seq, body in enumerate(bodies, start=1):
            assert store.append("shop", seq, body)
        assert [(entry.seq, entry.body) for entry in open_store().read("shop", 0)] == list(enumerate(bodies, start=1))

    def test_a_number_is_taken_once(self, open_store: OpenStore) -> None:
        store = open_store()
        assert store.append("shop", 1, b"a")
        assert not store.append("shop", 1, b"b")
        assert not open_store().append("shop", 1, b"a"), "the same bytes again are no second entry either"
        assert [entry.body for entry in store.read("shop", 0)] == [b"a"]

    def test_no_entry_is_stored_behind_a_gap(self, open_store: OpenStore) -> None:
        store = open_store()
        assert not store.append("shop", 2, b"b")
        assert store.append("shop", 1, b"a")
        assert not store.append("shop", 3, b"c")
        assert store.append("shop", 2, b"b")
        assert [entry.seq for entry in store.read("shop", 0)] == [1, 2]

    def test_numbers_begin_at_one(self, open_store: OpenStore) -> None:
        store = open_store()
        for seq in (0, -1):
            assert not store.append("shop", seq, b"a")
        assert store.read("shop", 0) == []

    def test_reading_begins_after_the_number_that_was_asked(self, open_store: OpenStore) -> None:
        store = open_store()
        for seq in range(1, 301):
            assert store.append("shop", seq, str(seq).encode())
        for after in (0, 1, 99, 100, 299, 300, 301):
            assert [entry.seq for entry in store.read("shop", after)] == list(range(after + 1, 301))

    def test_logs_do_not_touch_each_other(self, open_store: OpenStore) -> None:
        store = open_store()
        names = ["shop", "SHOP", "shop/", "shop%", "shop.orders", "läden"]
        for name in names:
            assert store.append(name, 1, name.encode())
        for name in names:
            assert [entry.body for entry in store.read(name, 0)] == [name.encode()]

    def test_a_resources_log_stands_beside_an_applications(self, open_store: OpenStore) -> None:
        """And two processes that want the resource have it one after the other."""
        resource = "aws/elasticloadbalancing/arn:aws:elasticloadbalancing:us-west-2:111111111111:listener/app/web/1/2"
        assert open_store().append("shop", 1, b"a")
        clock = SystemClock()
        for number, name in enumerate(("shop", "billing", "shop"), start=1):
            writer = Writer(name, "r1", "edge", number, f"w{number}")
            call = Call("r1", "edge", number, "key", 30.0, lambda: None)
            logs = ResourceLogs(open_store(), clock)
            with logs.claimed(
                (resource,), writer, call=call, ends=clock.boot() + 30.0, leading_since=clock.boot(),
                settle_seconds=0.0, still=lambda: None,
            ) as own:  # fmt: skip
                own.check()
        kinds = [entry.kind for entry in Journal(open_store(), log_of(resource), clock, "reader").refresh()]
        assert kinds == [Kind.CLAIM, Kind.RELEASE] * 3
        assert [entry.body for entry in open_store().read("shop", 0)] == [b"a"]

    def test_an_entry_that_was_acknowledged_is_seen_by_everybody_at_once(self, open_store: OpenStore) -> None:
        writer, reader = open_store(), open_store()
        for seq in range(1, 51):
            assert writer.append("shop", seq, b"x")
            assert len(reader.read("shop", 0)) == seq

    def test_of_many_writers_one_wins_each_number(self, open_store: OpenStore) -> None:
        store = open_store()
        wins: list[list[int]] = [[] for _ in range(WRITERS)]
        start = threading.Barrier(WRITERS)

        def race(writer: int, own: Store) -> None:
            start.wait()
            while len(taken := own.read("shop", 0)) < ROUNDS:
                seq = len(taken) + 1
                if own.append("shop", seq, f"{writer}:{seq}".encode()):
                    wins[writer].append(seq)

        # Half of them share one handle, as the threads of one worker do; the others open their own.
        threads = [
            threading.Thread(target=race, args=(writer, store if writer % 2 else open_store()))
            for writer in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        won = sorted(seq for writer in wins for seq in writer)
        bodies = [entry.body.decode() for entry in open_store().read("shop", 0)]
        assert won == list(range(1, len(bodies) + 1)), "a number was won twice, or by nobody"
        assert bodies == [f"{next(writer for writer in range(WRITERS) if seq in wins[writer])}:{seq}" for seq in won], (
            "the entry is not the winner's"
        )

    def test_a_journal_knows_its_own_entry_when_the_answer_was_lost(self, open_store: OpenStore) -> None:
        for raises in (True, False):
            journal = Journal(AnswerLost(open_store(), raises=raises), f"shop-{raises}", SystemClock(), "alice")
            entry = journal.append(Kind.SAMPLE, {"web": 4})
            assert entry.seq == journal.seq == 1
            assert len(open_store().read(f"shop-{raises}", 0)) == 1
            assert Journal(open_store(), f"shop-{raises}", SystemClock(), "bob").refresh() == [entry]

    def test_a_journal_knows_that_anothers_entry_is_not_its_own(self, open_store: OpenStore) -> None:
        ours = Journal(open_store(), "shop", SystemClock(), "alice")
        theirs = Journal(open_store(), "shop", SystemClock(), "alice")
        theirs.append(Kind.SAMPLE, {"web": 4})
        try:
            ours.append(Kind.SAMPLE, {"web": 4})
        except TailMoved:
            pass
        else:
            raise AssertionError("the same words by the same person are still two entries")
        assert len(ours.refresh()) == 1
        assert ours.append(Kind.SAMPLE, {"web": 4}).seq == 2
