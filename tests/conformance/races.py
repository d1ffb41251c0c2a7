"""Two orchestrators race for the same entries, in two processes, or in two threads where the store is one process's
own: every store brings each to one winner."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier

from cloudfail.clock import SystemClock
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import Entry, Kind
from cloudfail.ports import Store

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
RACERS = 2
SECONDS_MAX = 1400 if FULL else 100
"""How long a test may wait for its racers; its own timeout must be longer."""


def race(opening: Callable[[int], Store], races: int) -> None:
    """Run the races and judge them. `opening` gives a store to the racer of that number; it is sent to another process,
    so it is a function of a module, or a partial of one. The pauses between look and append are the store's to make."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(RACERS)
    racers = [context.Process(target=_claims, args=(opening, turn, races, start)) for turn in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(SECONDS_MAX)
    for racer in racers:
        if racer.is_alive():
            racer.kill()
            racer.join(10)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    _judge(Journal(opening(0), "shop", SystemClock(), "reader").refresh(), races)


def race_in_threads(store: Store, races: int) -> None:
    """The same for a store that one process keeps to itself."""
    start = threading.Barrier(RACERS)
    with ThreadPoolExecutor(RACERS) as racers:
        running = [racers.submit(_claims, lambda _turn: store, turn, races, start) for turn in range(RACERS)]
        for one in running:
            try:
                one.result(SECONDS_MAX)
            except BaseException:
                start.abort()
                raise
    _judge(Journal(store, "shop", SystemClock(), "reader").refresh(), races)


def _judge(entries: list[Entry], races: int) -> None:
    assert races <= len(entries) <= races * RACERS
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert Counter(entry.epoch for entry in entries).most_common(1)[0][1] == 1, "an epoch was given twice"
    assert {entry.by for entry in entries} == {f"w{turn}" for turn in range(RACERS)}, "one of them never won"
    assert len(entries) < races * RACERS, "nobody ever lost: this was no race"


def _claims(opening: Callable[[int], Store], turn: int, races: int, start: Barrier | threading.Barrier) -> None:
    """Claim, as an engine does, each time the log is free. What was acknowledged stands at the end."""
    journal = Journal(opening(turn), "shop", SystemClock(), f"w{turn}")
    won: list[Entry] = []
    for _ in range(races):
        start.wait(60)
        journal.refresh()
        try:
            claim = journal.append(Kind.CLAIM, {"lease_seconds": 30.0, "quiet_seconds": 0.0}, epoch=journal.seq + 1)
        except TailMoved:
            continue
        assert claim.epoch == claim.seq
        won.append(claim)
    start.wait(60)
    entries = {entry.seq: entry for entry in Journal(journal.store, "shop", SystemClock(), "reader").refresh()}
    assert all(entries[claim.seq] == claim for claim in won), "an acknowledged claim is lost"
    assert len(won) == sum(entry.by == f"w{turn}" for entry in entries.values()), "an entry that nobody won"
