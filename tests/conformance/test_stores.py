"""Memory and SQLite hold what every store must; and what only a file on a disk can break."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.errors import StoreUnavailable
from cloudfail.journal import Journal
from cloudfail.model.journal import BrokenChain, Kind
from cloudfail.stores import open_store as open_by_url
from cloudfail.stores.files import FileStore
from cloudfail.stores.memory import MemoryStore
from cloudfail.stores.sqlite import SQLiteStore
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from tests.conformance.races import FULL, race, race_in_threads
from tests.crash.moves import LOADED
from tests.kit import Stage

RACES = 10_000 if FULL else 200
RACERS = 2


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        store = MemoryStore()
        return lambda: store


class TestSQLiteStore(StoreSuite):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: SQLiteStore(tmp_path / "state.db")


class TestFileStore(StoreSuite):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: open_by_url(f"file:{tmp_path}/log")


class TestFileStoreWithoutLinks(StoreSuite):
    """A medium that knows no hard links, as some that are written once."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: _Linkless(tmp_path / "log")


class _Linkless(FileStore):
    def _link(self, draft: Path, file: Path) -> None:
        raise PermissionError(1, "Operation not permitted")


# ---- two orchestrators race, in two processes


class _Pausing(SQLiteStore):
    def append(self, log: str, seq: int, body: bytes) -> bool:
        time.sleep(random.uniform(0, 0.003))
        return super().append(log, seq, body)


def _open(path: Path, _turn: int) -> SQLiteStore:
    return _Pausing(path)


@pytest.mark.timeout(1500 if FULL else 120)
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(tmp_path: Path) -> None:
    """Both read the same tail, both append; whoever lost sees that it lost. No epoch is ever given twice."""
    race(partial(_open, tmp_path / "state.db"), RACES)


class _PausingMemory(MemoryStore):
    def append(self, log: str, seq: int, body: bytes) -> bool:
        time.sleep(random.uniform(0, 0.003))
        return super().append(log, seq, body)


@pytest.mark.timeout(1500 if FULL else 120)
def test_two_orchestrators_of_one_process_have_one_winner_each_time() -> None:
    """A store in memory is one process's own: its racers are threads."""
    race_in_threads(_PausingMemory(), RACES)


def _drive(path: str, worker: str, times: int, start: Barrier) -> None:
    made = Stage(LOADED, store=SQLiteStore(path))
    clock = SystemClock()
    engine = Engine(
        store=made.store,
        application=made.application,
        world=FakeWorld(made.cloud),
        actions=ACTIONS,
        clock=clock,
        calls=ThreadCalls(),
        worker=worker,
        lease_seconds=30.0,
    )
    start.wait()
    for _ in range(times):
        engine.drive(until=clock.boot() + 0.01)


@pytest.mark.timeout(1500 if FULL else 60)
def test_of_two_engines_that_drive_the_same_run_one_holds_it_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    made = Stage(LOADED, store=SQLiteStore(path))
    made.open("evacuate-all", "east", "west", preapproved="")
    made.drive()
    before = len(made.store.read(made.application, 0))
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(RACERS)
    racers = [context.Process(target=_drive, args=(path, f"w{index}", RACES, start)) for index in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(55 if not FULL else 1200)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    entries = Journal(SQLiteStore(path), made.application, SystemClock(), "reader").refresh()[before:]
    claims = [entry for entry in entries if entry.kind is Kind.CLAIM]
    assert len(claims) >= RACES / 2
    assert {entry.by for entry in claims} == {"w0", "w1"}
    assert len({entry.epoch for entry in claims}) == len(claims), "an epoch was given twice"
    holder = ("", 0)
    for entry in entries:
        if entry.kind is Kind.CLAIM:
            assert holder == ("", 0), f"entry {entry.seq}: {entry.by} claimed what {holder[0]} held"
            holder = (entry.by, entry.seq)
        assert (entry.by, entry.epoch) == holder, f"entry {entry.seq} is not the holder's"
        if entry.kind is Kind.RELEASE:
            holder = ("", 0)


# ---- durability


_WRITER = """
import sys
from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.stores.sqlite import SQLiteStore
journal = Journal(SQLiteStore(sys.argv[1]), "shop", SystemClock(), "writer")
journal.refresh()
while True:
    entry = journal.append(Kind.SAMPLE, {"filling": "x" * 500})
    print(entry.seq, entry.digest, flush=True)
"""


def test_what_was_acknowledged_outlives_a_writer_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    acknowledged: dict[int, str] = {}
    for turn in range(3):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(0.1 + 0.07 * turn)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
        writer.wait()
        for line in (first + rest).splitlines():
            seq, _, digest = line.partition(" ")
            if len(digest) == 64:
                acknowledged[int(seq)] = digest
        entries = Journal(SQLiteStore(path), "shop", SystemClock(), "reader").refresh()
        stored = {entry.seq: entry.digest for entry in entries}
        assert acknowledged.items() <= stored.items()
        assert len(stored) - len(acknowledged) <= turn + 1, "at most the append in flight had no answer"
    assert len(acknowledged) > 10


# ---- a store that does not answer


def test_a_locked_database_is_unavailable_and_says_what_to_do(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.db", busy_seconds=0.1)
    blocker = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked") as raised:
        store.append("shop", 1, b"a")
    assert "Nothing is changed" in raised.value.true_now
    assert raised.value.to_do
    blocker.execute("ROLLBACK")
    assert store.append("shop", 1, b"a")


@pytest.mark.parametrize(
    "content", [b"this is no database, and never was one" * 40, b"SQLite format 3\0" + b"\xff" * 500]
)
def test_a_file_that_is_no_database_is_unavailable_and_not_a_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(StoreUnavailable):
        SQLiteStore(tmp_path / "state.db").read("shop", 0)
    assert (tmp_path / "state.db").read_bytes() == content, "what it could not read, it left alone"


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        SQLiteStore(tmp_path / "file" / "state.db")


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.db")
    store.close()
    with pytest.raises(StoreUnavailable):
        store.read("shop", 0)
    with pytest.raises(StoreUnavailable):
        store.append("shop", 1, b"a")


# ---- a log that was tampered with


def _written(path: Path, count: int = 5) -> None:
    journal = Journal(SQLiteStore(path), "shop", SystemClock(), "alice")
    for number in range(count):
        journal.append(Kind.SAMPLE, {"number": number})


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE entries SET body = replace(body, '\"number\":1', '\"number\":7') WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 1",
        "UPDATE entries SET seq = seq + 10 WHERE seq = 5",
        "UPDATE entries SET body = '{}' WHERE seq = 2",
        "UPDATE entries SET body = x'ff' WHERE seq = 4",
        "UPDATE entries SET body = '[1]' WHERE seq = 4",
        "UPDATE entries SET body = 'null' WHERE seq = 4",
        "UPDATE entries SET body = '' WHERE seq = 4",
    ],
)
def test_a_log_in_which_something_was_changed_is_refused(tmp_path: Path, tampering: str) -> None:
    _written(tmp_path / "state.db")
    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute(tampering).rowcount == 1
    connection.commit()
    connection.close()
    with pytest.raises(BrokenChain) as raised:
        Journal(SQLiteStore(tmp_path / "state.db"), "shop", SystemClock(), "bob").refresh()
    assert "cloudfail audit verify" in raised.value.to_do


def test_a_log_whose_end_was_cut_off_is_noticed_by_whoever_had_read_it(tmp_path: Path) -> None:
    """A shorter log is a valid one for a newcomer; one who knew its end cannot append where it thinks the end is."""
    _written(tmp_path / "state.db")
    journal = Journal(SQLiteStore(tmp_path / "state.db"), "shop", SystemClock(), "bob")
    journal.refresh()
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("DELETE FROM entries WHERE seq > 3")
    connection.commit()
    connection.close()
    with pytest.raises(BrokenChain):
        journal.append(Kind.SAMPLE, {"number": 6})


def test_a_log_that_was_written_anew_is_noticed_by_whoever_had_read_it(tmp_path: Path) -> None:
    _written(tmp_path / "state.db")
    journal = Journal(SQLiteStore(tmp_path / "state.db"), "shop", SystemClock(), "bob")
    journal.refresh()
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("DELETE FROM entries")
    connection.commit()
    connection.close()
    _written(tmp_path / "state.db", 9)
    with pytest.raises(BrokenChain):
        journal.append(Kind.SAMPLE, {"number": 6})
    with pytest.raises(BrokenChain):
        journal.refresh()
