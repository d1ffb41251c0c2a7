"""Anchors against somebody who may write whatever he likes to the store, and knows how."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cloudfail import moving
from cloudfail.anchor_places import Keys, checked, key_text
from cloudfail.anchoring import Anchoring
from cloudfail.app import App
from cloudfail.audit import Verdict, judge
from cloudfail.calls import InlineCalls
from cloudfail.engine import Engine
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.origin import parted, unpacked
from cloudfail.model.anchor import Anchor, log_of, read_head, split, written
from cloudfail.model.journal import GENESIS, digest_of
from cloudfail.model.plan import Plan
from cloudfail.model.policy import Automation
from cloudfail.ports import Store, StoredEntry
from cloudfail.proof import Seen, anchored
from cloudfail.report.audit import as_json, as_text
from cloudfail.signing import AllowedSigners, Namespace, public_line, sign
from cloudfail.stores.files import FileStore
from cloudfail.stores.memory import MemoryStore
from cloudfail.stores.sqlite import SQLiteStore
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.store_suite import AnswerLost
from tests.crash.moves import load
from tests.kit import Stage

SHOP = load().topology.application
LOG = log_of(SHOP)


def key() -> str:
    private = ed25519.Ed25519PrivateKey.generate()
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


RUNNER, STRANGER = key(), key()
ALLOWED = AllowedSigners.parse(f'runner namespaces="{Namespace.ANCHOR}" {public_line(RUNNER)}')
KEYS = Keys(lambda: RUNNER, lambda: ALLOWED)


class StagedApp(App):
    """The production use cases on a FakeCloud."""

    def __init__(self, stage: Stage, by: str, places: dict[str, Callable[[], Store]], keys: Keys = KEYS) -> None:
        super().__init__(stage.loaded, stage.store, by, stage.clock)
        self.world = FakeWorld(stage.cloud)
        self.anchoring = Anchoring(SHOP, places, keys, by, stage.clock, retry_seconds=0.05)

    def engine(self) -> Engine:
        engine = super().engine()
        engine.calls = InlineCalls(self.clock)  # type: ignore[arg-type]
        return engine

    def planned(self) -> Plan:
        self.remember({"workers": {"web": {"east": 4, "west": 4}}})
        return self.bind("east", "west", "evacuate-all")

    def begin(self, *, approved: bool = True) -> str:
        plan = self.planned()
        reason = "east is lost"
        return self.open_run(plan, automation=Automation.OFF, reason=reason, preapproved="alice" if approved else "")

    def go_on(self) -> Phase:
        log = self.drive(until=self.clock.boot() + 3600)
        return list(log.runs.values())[-1].phase


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(load(), store=SQLiteStore(tmp_path / "state.db"))


@pytest.fixture
def place(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "anchors")


def app_of(stage: Stage, place: Store, by: str = "runner-1", keys: Keys = KEYS) -> StagedApp:
    return StagedApp(stage, by, {"file:anchors": lambda: place}, keys)


def verdict_of(store: Store, place: Store, *heads: Anchor) -> Verdict:
    bodies = [(entry.seq, entry.body) for entry in store.read(SHOP, 0)]
    seen = [checked(SHOP, "file:anchors", stored, ALLOWED) for stored in place.read(LOG, 0)]
    return judge(SHOP, bodies, [*seen, *(Seen("the head that was given", 0, head) for head in heads)], ["file:anchors"])


def anchors(place: Store) -> list[Anchor]:
    return [split(stored.body)[0] for stored in place.read(LOG, 0)]


def moved(stage: Stage, place: Store | None) -> StagedApp:
    """An evacuation that waited at its gate, and its anchors; None for none."""
    app = app_of(stage, place) if place is not None else StagedApp(stage, "runner-1", {})
    run = app.begin(approved=False)
    assert app.go_on() is Phase.GATED
    app.command(run, Event.APPROVE)
    assert app.go_on() is Phase.DONE
    app.settle_anchors(30.0)
    return app


# ---- what is anchored


def test_a_run_is_anchored_when_it_is_opened_at_its_gate_at_its_point_of_no_return_and_at_its_end(
    stage: Stage, place: FileStore
) -> None:
    app = moved(stage, place)
    made = anchors(place)
    entries = {entry.seq: entry for entry in app.audit()}
    assert [anchor.why.split()[0] for anchor in made] == ["opened", "gate", "point", "closed"]
    assert [str(entries[anchor.seq].kind) for anchor in made] == ["opened", "gate", "intent", "closed"]
    assert all(entries[anchor.seq].digest == anchor.digest for anchor in made)
    assert entries[made[2].seq].data["step"] == "promote"

    verdict = verdict_of(stage.store, place)
    assert (verdict.state, verdict.proof.proven) == ("proven", made[-1].seq)
    assert verdict.proof.places == {"file:anchors": made[-1].seq}
    assert verdict.proof.unproven == verdict.proof.late == ()
    assert f"proven up to entry {made[-1].seq}" in as_text(verdict)
    assert as_json(verdict)["head"] == app.head
    assert {anchor.first for anchor in made} == {app.audit()[0].digest}
    assert anchored(app.log(), made[0].first) == {"file:anchors": made[-1].seq}


def test_a_plan_that_somebody_signs_for_automation_is_anchored(stage: Stage, place: FileStore) -> None:
    app = app_of(stage, place)
    plan = app.planned()
    app.sign(plan, 3600.0)
    assert app.settle_anchors(30.0) == ()
    assert [anchor.why for anchor in anchors(place)] == [f"standing plan {plan.checksum[:8]}"]


def test_a_watch_notes_how_far_the_log_is_anchored_once(stage: Stage, place: FileStore) -> None:
    app = app_of(stage, place)
    app.begin()
    assert app.go_on() is Phase.DONE
    assert app.anchoring is not None
    app.anchoring.wait(30.0)
    for _ in range(3):
        app.note_anchors()
    notes = [entry for entry in app.audit() if "anchored" in entry.data]
    assert [note.data["anchored"]["places"] for note in notes] == [{"file:anchors": anchors(place)[-1].seq}]


def test_reading_makes_no_anchor(stage: Stage, place: FileStore) -> None:
    moved(stage, None)
    reader = app_of(stage, place)
    reader.log()
    assert reader.settle_anchors(30.0) == ()
    assert anchors(place) == []


def test_without_anchors_a_log_is_consistent_and_not_more(stage: Stage, place: FileStore) -> None:
    moved(stage, None)
    verdict = verdict_of(stage.store, place)
    assert (verdict.state, verdict.problems, verdict.proof.proven) == ("consistent", (), 0)
    assert "Consistent is not proven" in as_text(verdict)
    assert [point.why.split()[0] for point in verdict.proof.unproven] == ["opened", "gate", "point", "closed"]


# ---- somebody who can write to the store


def bodies(store: Store) -> list[bytes]:
    return [stored.body for stored in store.read(SHOP, 0)]


def put(path: Path, written_anew: list[bytes]) -> None:
    """Put these entries in the place of all that are there, as only the owner of the database can."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM entries WHERE log = ?", (SHOP,))
        rows = [(SHOP, seq, body) for seq, body in enumerate(written_anew, start=1)]
        database.executemany("INSERT INTO entries (log, seq, body) VALUES (?, ?, ?)", rows)
    database.close()


def rewritten(entries: list[bytes], first: int, change: Callable[[dict[str, Any]], object]) -> list[bytes]:
    """The same log in which entry `first` says something else, and every digest behind it is computed anew."""
    found, previous = [], GENESIS
    for seq, body in enumerate(entries, start=1):
        document = json.loads(body)
        if seq == first:
            change(document)
        document |= {"seq": seq, "previous": previous}
        found.append(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        previous = digest_of(found[-1])
    return found


def test_a_log_that_was_written_anew_is_consistent_in_itself_and_found_by_its_anchors(
    stage: Stage, place: FileStore, tmp_path: Path
) -> None:
    moved(stage, place)
    made = anchors(place)
    for first in range(1, made[-1].seq + 1):
        entries = rewritten(bodies(stage.store), first, lambda document: document.update(by="mallory"))
        assert judge(SHOP, list(enumerate(entries, start=1))).state == "consistent", "he did it well"
        copy = SQLiteStore(tmp_path / "copy.db")
        put(tmp_path / "copy.db", entries)
        verdict = verdict_of(copy, place)
        copy.close()
        off = 1 if first == 1 else next(anchor.seq for anchor in made if anchor.seq >= first)
        below = max((anchor.seq for anchor in made if anchor.seq < first), default=0)
        assert verdict.state == "broken"
        assert verdict.proof.proven == below
        (problem,) = verdict.problems
        assert problem.startswith(f"The log was rewritten: entry {off} is not the one that anchor")
        trusted = f"Entry {below + 1} is the first that cannot be trusted." if below else "No entry of it can be"
        assert trusted in problem


def test_what_was_rewritten_behind_the_last_anchor_is_not_found_and_not_called_proven(
    stage: Stage, place: FileStore, tmp_path: Path
) -> None:
    moved(stage, place)
    last = anchors(place)[-1].seq
    entries = bodies(stage.store)
    assert len(entries) > last
    put(tmp_path / "state.db", rewritten(entries, last + 1, lambda document: document.update(by="mallory")))
    verdict = verdict_of(stage.store, place)
    assert (verdict.state, verdict.proof.proven) == ("proven", last)
    assert f"{len(entries) - last} behind it consistent" in as_text(verdict)


def test_a_log_whose_end_was_cut_off_is_found_by_its_anchors(stage: Stage, place: FileStore, tmp_path: Path) -> None:
    moved(stage, place)
    made = anchors(place)
    entries = bodies(stage.store)
    for length in range(made[-1].seq):
        put(tmp_path / "state.db", entries[:length])
        verdict = verdict_of(stage.store, place)
        assert verdict.state == "broken"
        assert verdict.problems[0] == (
            f"The log was truncated: it ends with entry {length}, and anchor {len(made)} in file:anchors, signed by "
            f"{ALLOWED.lines[0].names[0]} ({ALLOWED.lines[0].key.fingerprint}), holds entry {made[-1].seq} "
            f"({made[-1].why})."
        )
        assert len(verdict.problems) == 1
        assert verdict.proof.proven == max((anchor.seq for anchor in made if anchor.seq <= length), default=0)


def test_of_two_logs_under_one_name_either_is_found_and_whoever_writes_the_second_says_so(
    stage: Stage, place: FileStore, tmp_path: Path
) -> None:
    """The store was copied, and both copies are written to: a restored backup, or somebody who shows each of two
    readers another story."""
    first = app_of(stage, place)
    first.begin(approved=False)
    first.settle_anchors(30.0)
    other = Stage(load(), store=SQLiteStore(tmp_path / "other.db"), clock=stage.clock)
    put(tmp_path / "other.db", bodies(stage.store))
    assert first.go_on() is Phase.GATED
    first.settle_anchors(30.0)
    second = app_of(other, place, "runner-2")
    told: list[str] = []
    assert second.anchoring is not None
    second.anchoring.tell = told.append
    assert second.go_on() is Phase.GATED
    said = second.settle_anchors(30.0)
    assert any(line.startswith("FORKED: anchor 2 in file:anchors, signed by runner ") for line in said)
    assert told == [line for line in said if line.startswith("FORKED")], "at once, and once"
    assert [anchor.by for anchor in anchors(place)] == ["runner-1", "runner-1", "runner-2"]
    for store in (stage.store, other.store):
        verdict = verdict_of(store, place)
        assert verdict.state == "broken"
        assert "was anchored with 2 different digests, by runner-1 and by runner-2" in verdict.problems[0]
        assert verdict.proof.proven == anchors(place)[0].seq, "up to where both say the same"


def test_whoever_goes_on_with_a_log_that_was_rewritten_between_its_points_says_so(
    stage: Stage, place: FileStore, tmp_path: Path
) -> None:
    """Its own next anchor is of another entry than those that stand: nothing that is anchored twice gives it away."""
    first = app_of(stage, place)
    first.begin(approved=False)
    first.settle_anchors(30.0)
    entries = bodies(stage.store)
    put(tmp_path / "state.db", rewritten([entries[0], *entries], 2, lambda document: document.update(by="mallory")))
    second = app_of(stage, place, "runner-2")
    assert second.go_on() is Phase.GATED
    said = second.settle_anchors(30.0)
    assert [line.split()[:2] for line in said] == [["FORKED:", "anchor"]]
    seqs = [anchor.seq for anchor in anchors(place)]
    assert len(seqs) == len(set(seqs)) > 1, "no entry is anchored twice"
    assert verdict_of(stage.store, place).problems[0].startswith("The log was forked: entry 2 is not the one")


def test_an_anchor_that_does_not_agree_below_one_that_does_is_a_fork(stage: Stage, place: FileStore) -> None:
    app = moved(stage, place)
    made = anchors(place)[0]
    lie = signed(Anchor(SHOP, made.seq + 1, "0" * 64, made.first, why="gate", by="runner-2"))
    assert place.append(LOG, 5, lie)
    verdict = verdict_of(app.store, place)
    assert verdict.state == "broken"
    assert verdict.problems[0].startswith("The log was forked: entry")
    assert verdict.proof.proven == anchors(place)[0].seq


def test_a_log_that_was_moved_is_held_against_the_anchors_of_the_one_before(
    stage: Stage, place: FileStore, tmp_path: Path
) -> None:
    moved(stage, place)
    before = anchors(place)
    topology = replace(stage.loaded.topology, state=f"sqlite:{tmp_path}/state.db")
    new_url = f"sqlite:{tmp_path}/new.db"
    moving.move(replace(stage.loaded, topology=topology), new_url, by="alice", reason="tidying", clock=stage.clock)
    new = Stage(load(), store=SQLiteStore(tmp_path / "new.db"), clock=stage.clock)
    verdict = verdict_of(new.store, place)
    assert (verdict.state, verdict.problems) == ("consistent", ()), "its own entries are not anchored yet"
    tick = app_of(new, place, "runner-2")
    tick.make_anchors()
    assert tick.settle_anchors(30.0) == ()
    verdict = verdict_of(new.store, place)
    assert (verdict.state, verdict.problems, verdict.proof.unproven) == ("proven", (), ())
    assert verdict.proof.proven == anchors(place)[-1].seq <= 2

    def carry_something_else(document: dict[str, Any]) -> None:
        old = [body.encode() for body in unpacked(document["data"]["packed"])]
        changed = rewritten(old, before[2].seq, lambda entry: entry.update(by="mallory"))
        document["data"] |= {"packed": parted(changed)[0], "head": digest_of(changed[-1])}

    changed = rewritten(bodies(new.store), 2, carry_something_else)
    assert judge(SHOP, list(enumerate(changed, start=1))).state == "consistent", "he did it well"
    seen = [checked(SHOP, "file:anchors", stored, ALLOWED) for stored in place.read(LOG, 0)]
    of_the_old_one = [one for one in seen if one.anchor is not None and one.anchor.by == "runner-1"]
    (problem,) = judge(SHOP, list(enumerate(changed, start=1)), of_the_old_one).problems
    assert problem.startswith(f"The log that was carried in was rewritten: entry {before[2].seq} is not the one")
    assert f"Entry {before[1].seq + 1} is the first that cannot be trusted." in problem


def test_anchors_of_another_log_under_the_same_name_are_told(stage: Stage, place: FileStore, tmp_path: Path) -> None:
    moved(stage, place)
    other = Stage(load(), store=SQLiteStore(tmp_path / "other.db"), clock=stage.clock)
    app = app_of(other, place, "runner-2")
    app.begin()
    (said,) = app.settle_anchors(30.0)
    assert said.startswith("FORKED: anchor 1 in file:anchors, signed by runner ")
    assert "is of a log of this name that begins with another entry" in said
    for store in (stage.store, other.store):
        verdict = verdict_of(store, place)
        assert verdict.state == "broken"
        assert verdict.problems[0].endswith("Or another log was written under its name.")
        assert verdict.proof.proven > 0, "what its own anchors say of it stands"


def test_anchors_that_were_taken_away_are_missed(stage: Stage, place: FileStore) -> None:
    moved(stage, place)
    made = anchors(place)
    (place.path / "shop_2fanchors" / "000000000004").unlink()
    verdict = verdict_of(stage.store, place)
    assert verdict.state == "broken"
    assert verdict.problems[0] == (
        f"The log says that entry {made[3].seq} was anchored in file:anchors, and no anchor there reaches further than "
        f"entry {made[2].seq}: anchors were taken away."
    )
    assert len(verdict.problems) == 1
    (place.path / "shop_2fanchors" / "000000000002").unlink()
    with pytest.raises(StoreUnavailable, match=r"Entry 2 of the log .* is not in"):
        place.read(LOG, 0)


def test_a_chain_that_does_not_follow_is_broken_there_and_what_is_below_is_proven(
    stage: Stage, place: FileStore
) -> None:
    moved(stage, place)
    made = anchors(place)
    entries = bodies(stage.store)
    cut = made[1].seq + 1
    changed = [*entries[:cut], entries[cut].replace(b'"by":"runner-1', b'"by":"mallory-1'), *entries[cut + 1 :]]
    assert changed != entries
    seen = [checked(SHOP, "file:anchors", stored, ALLOWED) for stored in place.read(LOG, 0)]
    verdict = judge(SHOP, list(enumerate(changed, start=1)), seen)
    assert (verdict.state, verdict.entries, verdict.proof.proven) == ("broken", cut + 1, made[1].seq)
    assert [problem for problem in verdict.problems if "truncated" in problem] == [], (
        "behind the break nothing is known"
    )
    gap = judge(SHOP, [(1, entries[0]), (3, entries[2])], seen)
    assert gap.problems[0] == "Entry 2 of the log is not there, and entry 3 is."


def test_an_entry_that_is_well_chained_and_means_nothing_is_a_problem_and_no_traceback(stage: Stage) -> None:
    moved(stage, None)
    entries = bodies(stage.store)
    for first in range(1, len(entries) + 1):
        for data in ({}, {"run": 7}, {"run": "r", "plan": []}, {"run": [], "step": {}, "way": "do"}, [], None):
            changed = rewritten(entries, first, lambda document, data=data: document.update(data=data))
            assert judge(SHOP, list(enumerate(changed, start=1))).state in {"broken", "consistent"}


# ---- what is no anchor


def signed(anchor: Anchor, private: str = RUNNER, namespace: str = Namespace.ANCHOR) -> bytes:
    return written(anchor, sign(anchor.payload, namespace, private))


def test_what_is_no_anchor_is_told_and_proves_nothing(stage: Stage, place: FileStore) -> None:
    app = moved(stage, place)
    head = app.audit()[-1]
    anchor = Anchor(SHOP, head.seq, head.digest, app.audit()[0].digest, 1_800_000_000.0, "closed", "runner-1")
    wrong = {
        "made with the key": signed(anchor, STRANGER),
        "made for 'approval@cloudfail'": signed(anchor, namespace=Namespace.APPROVAL),
        "does not hold": signed(anchor).replace(b'"by":"runner-1"', b'"by":"runner-2"'),
        "it is one of other": signed(replace(anchor, application="other")),
        "The signature cannot be read": anchor.payload,
        "its first line is no anchor": b"{}\n",
        "cannot be read": b"\xff\xfe",
        "its seq is of the wrong kind": anchor.payload.replace(f'"seq":{head.seq}'.encode(), b'"seq":true'),
        "cannot be an entry's": signed(replace(anchor, seq=0)),
        "longer than an anchor": b"x" * 200_000,
        "no anchor": b"[" * 100_000,
    }
    proven = verdict_of(stage.store, place).proof.proven
    for number, (said, body) in enumerate(wrong.items(), start=5):
        assert place.append(LOG, number, body)
        verdict = verdict_of(stage.store, place)
        assert (verdict.state, verdict.proof.proven) == ("broken", proven)
        assert said in verdict.problems[-1]
        assert verdict.problems[-1].startswith(f"Anchor {number} in file:anchors proves nothing")


def test_a_key_counts_as_of_when_the_place_took_the_anchor_in_its_own_time() -> None:
    expired = AllowedSigners.parse(f'runner valid-before="20270101Z" {public_line(RUNNER)}')
    body = signed(Anchor(SHOP, 1, "0" * 64, "0" * 64, at=1_700_000_000.0))
    assert checked(SHOP, "p", StoredEntry(1, body), expired).problem == "", "a place without a clock: the signer's"
    assert "may not sign" in checked(SHOP, "p", StoredEntry(1, body, at=1_900_000_000.0), expired).problem


# ---- nobody waits for an anchor


class Down:
    """A place that does not answer until it is `up`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.up = False

    def _answer(self) -> None:
        if not self.up:
            raise StoreUnavailable("The place does not answer.", "Nothing was changed.", "See to it.")

    def read(self, log: str, after: int) -> list[StoredEntry]:
        self._answer()
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self._answer()
        return self.store.append(log, seq, body)


def test_a_place_that_is_down_stops_no_run_and_the_next_who_comes_makes_up_for_it(
    stage: Stage, place: FileStore
) -> None:
    down = Down(place)
    app = app_of(stage, down)
    app.begin()
    assert app.go_on() is Phase.DONE
    said = app.settle_anchors(0.5)
    assert len(said) == 1
    assert said[0].startswith("Not anchored in file:anchors: entry 2 (opened")
    assert "and 3 more: The place does not answer." in said[0]
    verdict = verdict_of(stage.store, place)
    assert [point.why.split()[0] for point in verdict.proof.unproven] == ["opened", "gate", "point", "closed"]

    down.up = True
    reader = app_of(stage, down)
    reader.log()
    assert reader.anchoring is not None
    assert reader.anchoring.owed == 4, "whoever asks for the status is told, without asking the place"
    tick = app_of(stage, down, "runner-2")
    tick.make_anchors()
    tick.log()
    assert tick.settle_anchors(30.0) == ()
    verdict = verdict_of(stage.store, place)
    assert (verdict.state, verdict.proof.unproven) == ("proven", ())
    reader.log()
    assert reader.anchoring.owed == 0


def test_a_place_that_hangs_is_not_waited_for(stage: Stage, place: FileStore) -> None:
    answers = threading.Event()

    class Hangs(Down):
        def _answer(self) -> None:
            assert answers.wait(60)

    app = StagedApp(stage, "runner-1", {"s3://hangs": lambda: Hangs(MemoryStore()), "file:anchors": lambda: place})
    try:
        app.begin()
        assert app.go_on() is Phase.DONE
        said = app.settle_anchors(0.5)
        assert [line.split(":")[0] for line in said] == ["Not anchored in s3"]
        assert len(anchors(place)) == 4, "the other place got its own"
    finally:
        answers.set()


def test_without_a_key_on_this_machine_a_run_goes_on_and_says_what_is_owed(stage: Stage, place: FileStore) -> None:
    keys = Keys(lambda: key_text("env:CLOUDFAIL_NO_SUCH_KEY", Path()), lambda: ALLOWED)
    app = app_of(stage, place, keys=keys)
    app.begin()
    assert app.go_on() is Phase.DONE
    (said,) = app.settle_anchors(30.0)
    assert "CLOUDFAIL_NO_SUCH_KEY, which holds the key that signs anchors, is not set here." in said
    assert anchors(place) == []


def test_a_key_that_nobody_believes_makes_no_anchor(stage: Stage, place: FileStore) -> None:
    app = app_of(stage, place, keys=Keys(lambda: STRANGER, lambda: ALLOWED))
    app.begin()
    (said,) = app.settle_anchors(30.0)
    assert "is no allowed signer's" in said
    assert anchors(place) == []


@pytest.mark.parametrize("raises", [True, False])
def test_an_anchor_whose_answer_was_lost_is_not_written_twice(stage: Stage, place: FileStore, raises: bool) -> None:
    app = app_of(stage, AnswerLost(place, raises=raises))
    app.begin()
    assert app.go_on() is Phase.DONE
    for _ in range(5):
        app.make_anchors()
        if not app.settle_anchors(30.0):
            break
    assert [anchor.why.split()[0] for anchor in anchors(place)] == ["opened", "gate", "point", "closed"]


def test_two_processes_that_follow_one_run_leave_one_anchor_for_each_entry(stage: Stage, place: FileStore) -> None:
    first, second = app_of(stage, place), app_of(stage, place, "runner-2")
    for app in (first, second):
        app.make_anchors()
    first.begin()
    second.log()
    first.settle_anchors(30.0)
    second.settle_anchors(30.0)
    assert first.go_on() is Phase.DONE
    second.make_anchors()
    second.log()
    first.settle_anchors(30.0)
    second.settle_anchors(30.0)
    made = [(anchor.seq, anchor.digest) for anchor in anchors(place)]
    assert len(made) == len(set(made)) == 4
    assert verdict_of(stage.store, place).state == "proven"


# ---- by hand


def test_a_head_that_somebody_kept_is_held_against_the_log(stage: Stage, place: FileStore) -> None:
    app = moved(stage, None)
    entries = app.audit()
    kept = read_head(app.head, SHOP)
    assert kept.head == app.head
    assert read_head(f"{kept.seq} {kept.digest}", SHOP) == kept
    assert verdict_of(stage.store, place, kept).proof.proven == len(entries)
    other = Anchor(SHOP, 3, "f" * 64)
    verdict = verdict_of(stage.store, place, other)
    assert verdict.problems[0].startswith(
        "The log was rewritten: entry 3 is not the one that the head that was given holds. No entry"
    )
    for wrong in ("", "3", f"x {'0' * 64}", f"3 {'0' * 63}", f"other 3 {'0' * 64}", f"3 {'0' * 64} x y"):
        with pytest.raises(ValueError):
            read_head(wrong, SHOP)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")
def test_anybody_can_check_an_anchor_with_ssh_keygen(stage: Stage, place: FileStore, tmp_path: Path) -> None:
    """The commands of docs/audit.md."""
    moved(stage, place)
    (tmp_path / "allowed_signers").write_text(f'runner namespaces="{Namespace.ANCHOR}" {public_line(RUNNER)}\n')
    shutil.copy(place.path / "shop_2fanchors" / "000000000001", tmp_path / "anchor")
    page = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    script = page.split("```sh\n")[1].split("```")[0].replace("NAME", "runner")
    done = subprocess.run(["sh", "-e"], input=script, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 'Good "anchor@cloudfail" signature for runner' in done.stdout
    body = (tmp_path / "anchor").read_bytes()
    (tmp_path / "anchor").chmod(0o644)
    (tmp_path / "anchor").write_bytes(body.replace(b'"seq":2', b'"seq":3'))
    done = subprocess.run(["sh", "-e"], input=script, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0


# ---- the command line


_FILE = """
application: shop
objectives: {{rto: 60m, rpo: 30s}}
regions: {{east: {{provider: local}}, west: {{provider: local}}}}
primary: east
state: sqlite:{root}/state.db
audit: {{anchors: ["file:{root}/anchors"], key: "env:CLOUDFAIL_TEST_ANCHOR_KEY", signers: keys/allowed_signers}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "cloudfail.yaml").write_text(_FILE.format(root=tmp_path))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "allowed_signers").write_text(f"runner {public_line(RUNNER)}\n")
    yield tmp_path


def cli(site: Path, *words: str, private: str = RUNNER) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "CLOUDFAIL_AS": "alice"}
    if private:
        environment["CLOUDFAIL_TEST_ANCHOR_KEY"] = private
    return subprocess.run(
        [sys.executable, "-m", "cloudfail", *words],
        cwd=site, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_line_anchors_what_it_appends_and_verifies_it(site: Path) -> None:
    app = App.open(site / "cloudfail.yaml", [], "alice")
    app.anchoring = None
    app._append(_standing(), {"checksum": "abcdef0123456789", "expires_seconds": 60.0})
    status = cli(site, "status", private="")
    assert "Log's head, to be kept: shop 1 " in status.stdout
    owed = f"As far as the log says, not anchored yet in file:{site}/anchors: entry 1 (standing plan abcdef01)."
    assert owed in status.stdout
    assert not (site / "anchors").exists(), "looking changes nothing"

    first = cli(site, "audit", "verify", "--format", "json")
    assert (first.returncode, json.loads(first.stdout)["state"]) == (0, "consistent"), first.stderr
    refused = cli(site, "pause", "--automation", private="")
    assert refused.returncode == 0
    assert "CLOUDFAIL_TEST_ANCHOR_KEY" in refused.stderr
    done = cli(site, "resume", "--automation")
    assert (done.returncode, done.stderr) == (0, "")
    verified = cli(site, "audit", "verify", "--format", "json", private="")
    assert verified.returncode == 0
    said = json.loads(verified.stdout)
    assert (said["state"], said["proven_up_to"], said["unproven"]) == ("proven", 1, [])
    assert said["places"] == {f"file:{site}/anchors": 1}

    exported = cli(site, "audit", "export", "log.jsonl")
    assert exported.returncode == 0, exported.stderr
    assert cli(site, "audit", "export", "log.jsonl").returncode == 1, "nothing is overwritten"
    assert cli(site, "audit", "verify", "--log", "log.jsonl", "--head", said["head"]).returncode == 0
    whole = (site / "log.jsonl").read_text().splitlines()
    (site / "log.jsonl").write_text("\n".join(line.replace("abcdef", "fedcba") for line in whole))
    changed = cli(site, "audit", "verify", "--log", "log.jsonl")
    assert changed.returncode == 1
    assert "BROKEN" in changed.stdout.splitlines()[0]
    wrong = cli(site, "audit", "verify", "--head", f"1 {'0' * 64}")
    assert wrong.returncode == 1
    assert "The log was rewritten: entry 1 is not the one that the head that was given holds" in wrong.stdout
    assert cli(site, "audit", "verify", "--head", "x").returncode == 2


def test_places_that_cannot_be_read_are_no_proof_and_no_pass(site: Path) -> None:
    (site / "anchors").write_text("a file where a directory should be")
    shown = cli(site, "audit", "verify")
    assert shown.returncode == 1
    assert "NOT PROVEN: no place of its anchors could be read" in shown.stdout
    (site / "keys" / "allowed_signers").unlink()
    shown = cli(site, "audit", "verify")
    assert shown.returncode == 1
    assert "which says who may sign anchors, cannot be read" in shown.stderr


def _standing() -> Any:
    from cloudfail.model.journal import Kind

    return Kind.STANDING


def test_a_key_is_named_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(RUNNER)
    assert key_text("file:key", tmp_path) == RUNNER
    assert key_text(f"file:{tmp_path}/key", Path("/nowhere")) == RUNNER
    for reference in ("file:none", "env:CLOUDFAIL_NO_SUCH_KEY"):
        with pytest.raises(Refused) as caught:
            key_text(reference, tmp_path)
        assert caught.value.true_now
        assert caught.value.to_do
