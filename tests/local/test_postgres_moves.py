"""Failover, lossless switchover and rejoin on real servers, with clients that write all along."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Transient
from cloudfail.model.observation import Known
from cloudfail.model.states import Role
from cloudfail_postgres.session import Session
from tests.local.servers import Pair, Writer, call, drive, known, until

pytestmark = pytest.mark.lab
MakePair = Callable[..., Pair]


def follow(database: Any, region: str, upstream: str, epoch: int = 5) -> list[str]:
    return drive(
        lambda: database.follow_state(region, upstream),
        lambda expect: database.follow(region, upstream, expect=expect, call=call(epoch)),
    )


def switch(database: Any, source: str, target: str, epoch: int = 6) -> list[str]:
    return drive(
        lambda: database.switchover_state(source, target),
        lambda expect: database.switchover(source, target, expect=expect, call=call(epoch)),
    )


def ids(server: Any) -> set[int]:
    return {row[0] for row in server.ask("SELECT id FROM orders")}


def test_a_synchronous_pair_is_evacuated_rejoined_and_switched_home_without_losing_a_write(pair: MakePair) -> None:
    one = pair(synchronous=True)
    database = one.database()
    database.warm()
    before = known(database.read("west"))
    assert (before.role, before.upstream, before.in_sync) == (Role.REPLICA, "east", True)
    assert isinstance(database.beat("east"), Known)
    writer = Writer(one.east, one.west)
    until(lambda: len(writer.acknowledged) > 20)
    one.east.kill()
    ordered = time.monotonic()
    database.failover("east", "west", expect=known(database.read("west")), call=call(5))
    took = time.monotonic() - ordered
    state = known(database.read("west"))
    assert (state.role, state.writable, state.epoch, state.timeline) == (Role.PRIMARY, True, 5, 2)
    assert took < 2.0
    # Ordered again, with what was seen before: nothing.
    database.failover("east", "west", expect=before, call=call(5, check=lambda: pytest.fail("sent")))
    until(lambda: writer.acknowledged_by[-1:] == ["west"])
    database.write_canary("west", "token", call=call(5))
    assert known(database.read_canary("west", "token")).token == "token"
    assert known(database.read_canary("west", "none")) is None

    made = follow(database, "east", "west")
    assert [words.split()[0] for words in made] == ["keep", "checkpoint", "rewind", "write", "start", "let"] or [
        words.split()[0] for words in made
    ] == ["keep", "rewind", "write", "start", "let"]
    assert known(database.read("east")).in_sync
    assert known(database.read("west")).writable

    made = switch(database, "west", "east")
    assert [words.split()[0] for words in made] == ["stop", "promote"]
    until(lambda: writer.acknowledged_by[-1:] == ["east"])
    assert follow(database, "west", "east", epoch=6)[0].startswith("write")
    time.sleep(0.1)
    acknowledged = writer.stop()
    assert set(acknowledged) <= ids(one.east)
    assert known(database.read("west")).in_sync
    assert not (one.root / "archive" / "west.rewinding").exists()


def test_the_diverged_tail_is_kept_whole_and_hashed_before_anything_is_rewound(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    database.failover("east", "west", expect=known(database.read("west")), call=call(5))
    one.east.ask("INSERT INTO orders (note) SELECT 'diverged' FROM generate_series(1, 100)")
    end = one.east.one("SELECT pg_current_wal_lsn()")
    one.east.kill()
    wal = {path.name: path.read_bytes() for path in (one.east.data / "pg_wal").glob("0" * 7 + "1*")}
    seen = known(database.follow_state("east", "west"))
    assert seen.next is not None
    assert seen.next.startswith("keep and hash")
    lines: list[str] = []
    database.follow("east", "west", expect=seen, call=call(5, lines=lines))
    kept = Path(seen.after.removeprefix("kept in "))
    manifest = dict(reversed(line.split()) for line in (kept / "MANIFEST.sha256").read_text().splitlines())
    copies = list((kept / "wal").iterdir())
    assert copies
    for path in copies:
        assert path.read_bytes() == wal[path.name]
        assert manifest[str(path)] == hashlib.sha256(path.read_bytes()).hexdigest()
    records = (kept / "records.txt").read_text()
    assert records.count("INSERT") >= 100, end
    assert lines
    # What was kept is not kept twice; the next effect is another one.
    with pytest.raises(Conflict):
        database.follow("east", "west", expect=seen, call=call(5))
    follow(database, "east", "west")
    assert one.east.one("SELECT count(*) FROM orders WHERE note = 'diverged'") == 0


def test_where_a_rewind_is_refused_it_is_cloned_and_the_old_directory_stays(pair: MakePair) -> None:
    one = pair(extra="wal_log_hints = off\n")
    database = one.database()
    database.failover("east", "west", expect=known(database.read("west")), call=call(5))
    one.east.ask("INSERT INTO orders (note) VALUES ('diverged')")
    one.east.kill()
    made = follow(database, "east", "west")
    assert [words.split()[0] for words in made if words.split()[0] in ("clone", "put", "rewind")] == ["clone", "put"]
    aside = Path(f"{one.east.data}.diverged-1")
    assert (aside / "PG_VERSION").exists()
    assert known(database.read("east")).upstream == "west"
    # Its own configuration came back, not the new primary's.
    assert one.east.one("SHOW port") == str(one.east.port)


def test_a_rewind_that_was_cut_off_midway_is_not_repeated_but_cloned(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    database.failover("east", "west", expect=known(database.read("west")), call=call(5))
    one.east.ask("INSERT INTO orders (note) VALUES ('diverged')")
    one.east.kill()

    class Cut(BaseException):
        pass

    def step(expect: Any) -> None:
        if not expect.next.startswith("rewind"):
            database.follow("east", "west", expect=expect, call=call(5))
            return
        (one.root / "archive" / "east.rewinding").touch()
        raise Cut

    with pytest.raises(Cut):
        drive(lambda: database.follow_state("east", "west"), step)
    made = follow(one.database(), "east", "west")
    assert made[0].startswith("clone")
    assert known(database.read("east")).upstream == "west"


def test_a_standby_that_missed_the_end_is_not_promoted_and_it_is_said_what_to_do(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    seen = known(database.switchover_state("east", "west"))
    one.west.stop()
    one.east.ask("INSERT INTO orders (note) VALUES ('only here')")
    one.east.stop()
    one.west.start()
    stuck = known(database.switchover_state("east", "west"))
    assert (stuck.next, stuck.done) == (None, False)
    assert "start east again" in stuck.detail
    with pytest.raises(Conflict):
        database.switchover("east", "west", expect=seen, call=call(6))
    assert known(database.read("west")).role is Role.REPLICA
    one.east.start()
    until(lambda: known(database.read("west")).upstream == "east")
    switch(database, "east", "west")
    assert one.west.one("SELECT count(*) FROM orders WHERE note = 'only here'") == 1


def test_a_standby_that_does_not_stream_stops_the_switchover_before_anything_is_stopped(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    one.west.ask("ALTER SYSTEM SET primary_conninfo = ''")
    one.west.ask("SELECT pg_reload_conf()")
    until(lambda: known(database.read("west")).upstream is None)
    seen = known(database.switchover_state("east", "west"))
    assert seen.next is None
    assert "nothing was stopped" in seen.detail
    assert follow(database, "west", "east") == ["point west at east"]


def test_a_source_that_crashed_is_no_switchover(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    one.east.kill()
    seen = known(database.switchover_state("east", "west"))
    assert (seen.next, seen.done) == (None, False)
    assert "not shut down cleanly" in seen.detail


def test_a_switchover_with_the_source_fenced_leaves_no_fence_behind(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    database.read("east")
    writer = Writer(one.east, one.west)
    until(lambda: len(writer.acknowledged) > 20)
    database.fence("east", "west", expect=known(database.fence_state("east", "west")), call=call(6))
    assert switch(one.database(), "east", "west")
    until(lambda: writer.acknowledged_by[-1:] == ["west"])
    follow(database, "east", "west", epoch=6)
    acknowledged = writer.stop()
    assert set(acknowledged) <= ids(one.west)
    assert known(database.fence_state("east", "west")).outcome == "proven"
    switch(database, "west", "east", epoch=7)
    assert one.east.ask("INSERT INTO orders (note) VALUES ('home') RETURNING 1", user="shop") == [(1,)]


def test_a_promoted_server_that_waits_for_a_standby_is_not_yet_writable_and_is_finished(pair: MakePair) -> None:
    one = pair(synchronous=True)
    database = one.database()
    assert isinstance(database.beat("east"), Known)
    one.west.ask("ALTER SYSTEM SET synchronous_standby_names = 'east'")
    one.west.ask("SELECT pg_reload_conf()")
    one.east.kill()
    one.west.ask("SELECT pg_promote(true)")
    half = known(database.read("west"))
    assert (half.role, half.writable) == (Role.PRIMARY, False)
    database.failover("east", "west", expect=half, call=call(5))
    until(lambda: known(database.read("west")).writable)  # a session hears of a reload a moment later


def test_an_older_epoch_does_not_promote(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    database.failover("east", "west", expect=known(database.read("west")), call=call(9))
    one.east.kill()
    follow(database, "east", "west", epoch=9)
    with pytest.raises(Conflict, match="epoch 9"):
        database.failover("west", "east", expect=known(database.read("east")), call=call(8))
    assert known(database.read("east")).role is Role.REPLICA


def test_orders_that_report_success_without_effect_are_not_done(
    pair: MakePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each verb: the server says yes to what would change it, and the world stays as it is."""
    one = pair()
    database = one.database()
    real = Session.order

    def deaf(self: Session, sql: str, *arguments: Any, **keywords: Any) -> Any:
        if any(word in sql for word in ("pg_promote", "ALTER SYSTEM", "COPY", "pg_terminate", "CHECKPOINT")):
            return real(self, "SELECT 1", seconds=keywords.get("seconds"))
        return real(self, sql, *arguments, **keywords)

    monkeypatch.setattr(Session, "order", deaf)
    database.failover("east", "west", expect=known(database.read("west")), call=call(5, seconds=0.5))
    assert known(database.read("west")).role is Role.REPLICA
    seen = known(database.fence_state("east", "west"))
    with pytest.raises(OutcomeUnknown):
        database.fence("east", "west", expect=seen, call=call(5, seconds=0.5))
    assert known(database.fence_state("east", "west")).methods_left == ("logins",)
    monkeypatch.undo()

    member = database.servers["east"].member
    database.servers["east"].member = member.model_copy(update={"run": ("true",)})
    first = known(database.switchover_state("east", "west"))
    database.switchover("east", "west", expect=first, call=call(6))
    second = database.switchover_state("east", "west")
    assert not known(second).done
    assert known(second).next == first.next
    database.servers["east"].member = member


def test_a_host_that_does_not_answer_is_unknown_and_never_taken_for_stopped(pair: MakePair) -> None:
    one = pair()
    database = one.database()
    one.east.stop()
    member = database.servers["east"].member
    database.servers["east"].member = member.model_copy(update={"run": ("sh", "-c", "exit 255", "ssh")})
    seen = database.switchover_state("east", "west")
    assert not isinstance(seen, Known)
    with pytest.raises((Transient, CloudfailError)):
        database.switchover("east", "west", expect=known(one.database().switchover_state("east", "west")), call=call())
    assert known(database.read("west")).role is Role.REPLICA
