"""The log itself goes elsewhere: moved, begun anew, kept by hand and carried in. Never two that are alive at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudfail import moving
from cloudfail.audit import verify
from cloudfail.config.loaded import Loaded
from cloudfail.errors import CloudfailError, LogMoved, Refused, StoreUnavailable
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.origin import PART_BYTES_MAX, Why, parted, unpacked
from cloudfail.execution.state import LogState, fold
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.ports import Store, StoredEntry
from cloudfail.stores import open_store
from cloudfail.stores.sqlite import SQLiteStore
from cloudfail.testing.clock import VirtualClock
from tests.crash.moves import LOADED, effects
from tests.kit import Stage

SHOP = LOADED.topology.application
NOWHERE = "postgresql://nobody@127.0.0.1:1/none?lives_in=elsewhere&connect_timeout=1"
LOST = moving.lost_sentence(SHOP)


class Place:
    """Stores as files of one directory, and the application's files with one of them in their `state:` line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()

    def url(self, name: str) -> str:
        return f"sqlite:{self.folder / name}.db"

    def files(self, state: str) -> Loaded:
        url = state if ":" in state else self.url(state)
        return replace(LOADED, topology=replace(LOADED.topology, state=url))

    def store(self, name: str) -> SQLiteStore:
        return SQLiteStore(self.folder / f"{name}.db")

    def journal(self, name: str, by: str = "w1") -> Journal:
        journal = Journal(self.store(name), SHOP, self.clock, by)
        journal.refresh()
        return journal

    def log(self, name: str) -> LogState:
        return fold(LogState(), Journal(self.store(name), SHOP, self.clock, "reader").refresh())

    def stage(self, name: str) -> Stage:
        return Stage(LOADED, clock=self.clock, store=self.store(name))

    def move(self, old: str, new: str, **options: Any) -> moving.Moved:
        given = {"by": "alice", "reason": "the region shakes", "clock": self.clock, **options}
        return moving.move(self.files(old), self.url(new), **given)

    def merge(self, into: str, other: str, **options: Any) -> int:
        given = {"by": "alice", "reason": "it answers again", "clock": self.clock, **options}
        return moving.merge(self.files(into), self.url(other), **given)

    def by_hand(self, state: str, journal: str) -> None:
        files = self.files(state)
        moving.break_glass(files, self.url(journal), source="east", by="alice", reason="no store", clock=self.clock)

    def filled(self, name: str, entries: int, size: int = 1000) -> None:
        journal = self.journal(name)
        for number in range(entries):
            journal.append(Kind.SAMPLE, {"number": number, "filling": f"{number:04}" * (size // 4)})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# ---- moved


def test_a_run_goes_on_in_the_new_store_and_changes_each_thing_once(place: Place) -> None:
    undisturbed = Stage(LOADED)
    undisturbed.open("evacuate-all", "east", "west")
    undisturbed.drive()
    made = place.stage("old")
    run = made.open("evacuate-all", "east", "west", preapproved="")
    made.drive()
    assert made.run(run).phase is Phase.GATED
    before = place.log("old")
    place.move("old", "new")
    made.store = place.store("new")
    assert made.run(run) == before.runs[run]
    made.command(run, "approve")
    made.drive(worker="w2")
    assert made.run(run).phase is Phase.DONE
    assert effects(made) == effects(undisturbed)
    assert place.log("new").epoch > before.epoch


def test_a_worker_that_is_in_a_call_makes_no_further_one_once_the_log_is_sealed(place: Place) -> None:
    made = place.stage("old")
    run = made.open("evacuate-all", "east", "west")
    called: list[str] = []

    def sealed_at_the_third(verb: str) -> None:
        called.append(verb)
        if len(called) == 3:
            place.move("old", "new")

    made.cloud.before_call = sealed_at_the_third
    with pytest.raises(LogMoved, match="alice moved the log") as caught:
        made.drive()
    assert "Write `state: sqlite:" in caught.value.to_do
    assert len(called) == 3
    made.store = place.store("new")
    made.cloud.before_call = lambda _verb: None
    took = made.clock.boot()
    made.drive(worker="w2")
    assert made.clock.boot() - took >= made.lease_seconds, "it did not wait for the silent holder's lease"
    assert made.run(run).phase is Phase.DONE
    assert set(effects(made).values()) == {1}


def test_every_entry_comes_along_and_the_chain_of_the_old_log_is_checked_in_the_new_one(place: Place) -> None:
    place.filled("old", 400)
    moved = place.move("old", "new")
    assert moved == moving.Moved(401, sealed=True)
    assert place.log("new").samples["number"] == 399
    entries = place.journal("new").store.read(SHOP, 0)
    bodies = [body for entry in entries[1:] for body in unpacked(_data(entry)["packed"])]
    assert [body.encode() for body in bodies] == [entry.body for entry in place.store("old").read(SHOP, 0)]
    assert not verify(Journal(place.store("new"), SHOP, place.clock, "auditor").refresh()).problems


def _data(stored: StoredEntry) -> dict[str, Any]:
    import json

    data: dict[str, Any] = json.loads(stored.body)["data"]
    return data


def test_the_audit_finds_a_carried_log_that_is_not_what_was_written(place: Place) -> None:
    moved_by_hand(place)
    journal, bodies = place.journal("old"), [entry.body for entry in place.store("hand").read(SHOP, 0)]
    bodies[4] = bodies[4].replace(b"freeze", b"frozen", 1)
    part = {
        "head": "h", "part": 1, "parts": 1, "packed": parted(bodies)[0], "before": "x", "whole": False,
        "primary": "west", "reason": "", "ends": "",
    }  # fmt: skip
    journal.append(Kind.MERGED, part)
    problems = verify(Journal(place.store("old"), SHOP, place.clock, "auditor").refresh()).problems
    assert len(problems) == 1
    assert problems[0].startswith("In the log of x, carried in by entry 3: Entry 6 of the log does not follow")
    assert "carries a log whose chain is broken" in place.log("old").refused


def test_parts_fit_into_an_entry_of_every_store() -> None:
    bodies = [f"{number:0500}".encode() for number in range(1000)]
    parts = parted(bodies)
    assert len(parts) > 2
    assert all(len(part) < PART_BYTES_MAX for part in parts)
    assert [body.encode() for part in parts for body in unpacked(part)] == bodies


class Dies:
    """A store that stops answering after so many appends."""

    def __init__(self, store: Store, appends: int) -> None:
        self.store, self.left = store, appends

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if self.left == 0:
            raise StoreUnavailable("it is gone")
        self.left -= 1
        return self.store.append(log, seq, body)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_half_a_log_is_used_by_nobody_and_the_same_command_finishes_it(place: Place, parts: int) -> None:
    place.filled("old", 700)

    def dying(url: str) -> Store:
        return open_store(url) if "old" in url else Dies(open_store(url), 1 + parts)

    with pytest.raises(StoreUnavailable):
        place.move("old", "new", opened=dying)
    for name in ("old", "new"):
        with pytest.raises(LogMoved):
            place.journal(name).append(Kind.SAMPLE, {})
    assert place.move("old", "new").entries == 701
    assert place.log("new").samples["number"] == 699
    place.journal("new").append(Kind.SAMPLE, {"number": 700})
    assert place.move("old", "new").entries == 701, "once more, and nothing changes"
    assert place.log("new").samples["number"] == 700


def test_two_who_move_it_at_once_make_one_log(place: Place) -> None:
    place.filled("old", 500)
    errors: list[Exception] = []

    def go() -> None:
        try:
            place.move("old", "new")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors
    assert place.log("new").samples["number"] == 499
    assert not verify(Journal(place.store("new"), SHOP, place.clock, "auditor").refresh()).problems


def test_two_who_move_it_to_different_places_are_told_which_one_it_is(place: Place) -> None:
    place.filled("old", 3)
    place.move("old", "new")
    with pytest.raises(Refused, match=r"moved this log to sqlite:.*new\.db already"):
        place.move("old", "third")
    assert not place.store("third").read(SHOP, 0)


def test_it_may_go_back_and_on_and_epochs_only_grow(place: Place) -> None:
    made = place.stage("a")
    made.open("evacuate-all", "east", "west", preapproved="")
    epochs = []
    for old, new in (("a", "b"), ("b", "a"), ("a", "c")):
        made.drive()
        epochs.append(place.log(old).epoch)
        place.move(old, new)
        made.store = place.store(new)
        made.clock.sleep(600)
    made.command("r1", "approve")
    made.drive()
    epochs.append(place.log("c").epoch)
    assert epochs == sorted(set(epochs))
    assert made.run("r1").phase is Phase.DONE


def test_a_store_with_another_log_is_left_alone(place: Place) -> None:
    place.filled("old", 3)
    place.filled("new", 2)
    with pytest.raises(Refused, match="another log of shop, of 2 entries"):
        place.move("old", "new")
    place.journal("old").append(Kind.SAMPLE, {})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://db.example/x?lives_in=east", "lives in east"),
        ("postgresql://app:hunter22@db.example/x?lives_in=north", "a URL with its password"),
        ("nonsense://x", "There is no store for nonsense"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_is_sealed(place: Place, url: str, words: str) -> None:
    place.filled("old", 3)
    with pytest.raises(Refused, match=words) as caught:
        moving.move(place.files("old"), url, by="alice", reason="x", clock=place.clock)
    assert "hunter22" not in str(caught.value)
    place.journal("old").append(Kind.SAMPLE, {})


def test_without_the_old_store_nothing_is_moved_unless_a_person_gives_it_up(place: Place) -> None:
    with pytest.raises(StoreUnavailable, match="--old-is-lost"):
        moving.move(place.files(NOWHERE), place.url("new"), by="alice", reason="x", clock=place.clock)
    assert not place.store("new").read(SHOP, 0)


# ---- lost


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"said": "yes", "primary": "west"}, "That is not it"),
        ({"said": "", "primary": "west"}, "a sentence of your own typing"),
        ({"said": LOST, "primary": ""}, "and nothing was said"),
        ({"said": LOST, "primary": "mars"}, "and mars was said"),
    ],
)
def test_a_log_is_given_up_only_by_a_whole_sentence(place: Place, options: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        place.move(NOWHERE, "new", old_is_lost=True, **options)
    assert not place.store("new").read(SHOP, 0)


def test_a_log_begun_without_the_old_one_is_careful(place: Place) -> None:
    moved = place.move(NOWHERE, "new", old_is_lost=True, primary="west", said=f" {LOST.upper()}. ")
    assert not moved.sealed
    log = place.log("new")
    assert log.primary == "west"
    assert log.automation_paused_by == "alice"
    assert log.origin is not None
    assert (log.origin.why, log.origin.sealed) == (Why.LOST, False)
    made = place.stage("new")
    made.open("evacuate-all", "west", "east")
    began = made.clock.boot()
    made.drive()
    assert made.clock.boot() - began >= made.lease_seconds, "a worker on the old store may still hold its lease"
    assert place.log("new").epoch > place.clock.wall() * 900


def test_a_store_that_was_called_lost_and_answers_is_moved_whole(place: Place) -> None:
    place.filled("old", 5)
    assert place.move("old", "new", old_is_lost=True, primary="west", said=LOST) == moving.Moved(6, sealed=True)
    assert place.log("new").samples["number"] == 4
    assert place.log("new").primary == "", "what the log says stands above what was said"


def test_a_lost_store_that_comes_back_is_sealed_and_its_runs_are_known(place: Place) -> None:
    made = place.stage("old")
    run = made.open("evacuate-all", "east", "west")
    made.drive()
    old = place.folder / "old.db"
    away = place.folder / "away.db"
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{old}{suffix}").exists():
            Path(f"{old}{suffix}").rename(f"{away}{suffix}")
    old.mkdir()
    place.move("old", "new", old_is_lost=True, primary="west", said=LOST)
    old.rmdir()
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{away}{suffix}").exists():
            Path(f"{away}{suffix}").rename(f"{old}{suffix}")
    place.merge("new", "old")
    log = place.log("new")
    assert log.runs[run].phase is Phase.DONE
    assert log.origin is not None
    assert log.origin.sealed
    with pytest.raises(LogMoved, match="alice moved the log"):
        place.journal("old").append(Kind.SAMPLE, {})


def test_a_run_that_a_lost_store_still_had_open_is_ended_as_it_stands_when_that_is_merged(place: Place) -> None:
    made = place.stage("old")
    run = made.open("evacuate-all", "east", "west", preapproved="")
    made.drive()
    assert made.run(run).phase is Phase.GATED
    away = place.folder / "away.db"
    old = place.folder / "old.db"
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{old}{suffix}").exists():
            Path(f"{old}{suffix}").rename(f"{away}{suffix}")
    old.mkdir()
    place.move("old", "new", old_is_lost=True, primary="west", said=LOST)
    old.rmdir()
    for suffix in ("", "-wal", "-shm"):
        if Path(f"{away}{suffix}").exists():
            Path(f"{away}{suffix}").rename(f"{old}{suffix}")
    with pytest.raises(Refused, match=f"To end it as it stands, so that no worker carries it on: --end-run {run}"):
        place.merge("new", "old", primary="west")
    place.merge("new", "old", primary="west", end_run=run)
    log = place.log("new")
    assert log.run is None
    assert log.runs[run].phase is Phase.DEGRADED
    assert "alice ended this run as it stood" in log.runs[run].story[-1].text
    assert log.primary == "west"
    since = len(made.cloud.effects)
    with pytest.raises(LogMoved):
        made.drive()
    assert len(made.cloud.effects) == since


# ---- by hand


def test_no_glass_is_broken_while_the_store_answers(place: Place) -> None:
    place.filled("old", 1)
    with pytest.raises(Refused, match="there is no glass to break"):
        place.by_hand("old", "hand")
    assert not place.store("hand").read(SHOP, 0)


@pytest.mark.parametrize("url", ["", "sqlite:", "memory:", "dynamodb://t?region=north"])
def test_the_journal_is_a_file_of_this_machine(place: Place, url: str) -> None:
    with pytest.raises(Refused, match="must be a file of this machine"):
        moving.break_glass(place.files(NOWHERE), url, source="east", by="a", reason="x", clock=place.clock)


def moved_by_hand(place: Place) -> Stage:
    """An application whose store knew it in the east, and that was moved west beside it."""
    place.filled("old", 2)
    place.by_hand(NOWHERE, "hand")
    place.by_hand(NOWHERE, "hand")
    made = place.stage("hand")
    made.open("evacuate-all", "east", "west")
    made.drive()
    assert made.run("r1").phase is Phase.DONE
    return made


def test_what_was_done_by_hand_is_carried_in_with_its_runs_and_epochs(place: Place) -> None:
    moved_by_hand(place)
    hand = place.log("hand")
    with pytest.raises(Refused, match=r"says that east serves, and .* says west") as caught:
        place.merge("old", "hand")
    assert "--primary east|west" in caught.value.to_do
    count = place.merge("old", "hand", primary="west")
    log = place.log("old")
    assert log.primary == "west"
    assert log.runs["r1"] == hand.runs["r1"]
    assert log.samples["number"] == 1, "what the log knew, it still knows"
    assert place.merge("old", "hand", primary="west") == count, "once more, and nothing changes"
    with pytest.raises(LogMoved):
        place.journal("hand").append(Kind.SAMPLE, {})
    made = place.stage("old")
    made.count = 1
    made.open("move-all", "west", "east")
    made.drive()
    assert place.log("old").epoch > hand.epoch
    assert not verify(Journal(place.store("old"), SHOP, place.clock, "auditor").refresh()).problems


def test_a_primary_that_neither_log_knows_is_refused(place: Place) -> None:
    moved_by_hand(place)
    with pytest.raises(Refused, match="Neither log says that mars serves"):
        place.merge("old", "hand", primary="mars")


def test_a_run_that_is_still_open_by_hand_is_ended_there_first(place: Place) -> None:
    place.filled("old", 2)
    place.by_hand(NOWHERE, "hand")
    place.stage("hand").open("evacuate-all", "east", "west")
    with pytest.raises(Refused, match="CLOUDFAIL_JOURNAL=sqlite:"):
        place.merge("old", "hand")


def test_a_run_that_the_store_still_had_open_ends_with_the_merge_and_no_call_of_it_follows(place: Place) -> None:
    made = place.stage("old")
    run = made.open("evacuate-all", "east", "west", preapproved="")
    made.count = 7
    made.drive()
    place.by_hand(NOWHERE, "hand")
    hand = Stage(LOADED, clock=place.clock, store=place.store("hand"), count=7)
    hand.open("evacuate-all", "east", "west")
    hand.drive()
    with pytest.raises(Refused, match=f"--end-run {run}"):
        place.merge("old", "hand", primary="west")
    place.merge("old", "hand", primary="west", end_run=run)
    log = place.log("old")
    assert log.run is None
    assert log.runs[run].phase is Phase.DEGRADED
    assert "alice ended this run as it stood" in log.runs[run].story[-1].text
    since = len(made.cloud.effects)
    made.drive()
    assert len(made.cloud.effects) == since


@pytest.mark.parametrize(
    "harm", [lambda part: {**part, "packed": part["packed"][:-8]}, lambda part: {**part, "part": 2}]
)
def test_a_part_that_cannot_be_read_carries_nothing_in(
    place: Place, harm: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    moved_by_hand(place)
    journal = place.journal("old")
    bodies = [entry.body for entry in place.store("hand").read(SHOP, 0)]
    part = {
        "head": "h", "part": 1, "parts": 1, "packed": parted(bodies)[0], "before": "x", "whole": False,
        "primary": "west", "reason": "", "ends": "",
    }  # fmt: skip
    journal.append(Kind.MERGED, harm(part))
    log = place.log("old")
    assert not log.runs
    assert log.primary == ""


def test_every_error_says_what_is_true_and_what_to_do(place: Place) -> None:
    place.filled("old", 1)
    tries: list[Callable[[], object]] = [
        lambda: place.move("old", "old"),
        lambda: place.move(NOWHERE, "new"),
        lambda: place.merge("old", "empty"),
        lambda: place.by_hand("old", "hand"),
    ]
    for attempt in tries:
        with pytest.raises(CloudfailError) as caught:
            attempt()
        assert caught.value.happened
        assert caught.value.true_now
        assert caught.value.to_do
