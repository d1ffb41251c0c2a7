"""What real PostgreSQL did and a careless tool gets wrong. Each with its control: the careless order still breaks here.

Seen on Debian's PostgreSQL 15; the version is part of the claim, since later ones changed some of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest

from cloudfail.model.observation import Known
from cloudfail.model.states import FenceOutcome, Role
from tests.local.servers import BIN, Pair, Writer, call, drive, known, run, set_upstream, until

pytestmark = pytest.mark.lab
MakePair = Callable[..., Pair]


def follow(database: Any, region: str, upstream: str, epoch: int = 5) -> list[str]:
    return drive(
        lambda: database.follow_state(region, upstream),
        lambda expect: database.follow(region, upstream, expect=expect, call=call(epoch)),
    )


def diverge(pair: Pair) -> Any:
    """west is promoted, and east takes writes that west never has; then east is stopped as after a crash."""
    database = pair.database()
    database.failover("east", "west", expect=known(database.read("west")), call=call(5))
    pair.east.ask("INSERT INTO orders (note) SELECT 'diverged' FROM generate_series(1, 50)")
    pair.east.kill()
    return database


def checkpoint_timeline(server: Any) -> int:
    return int(server.one("SELECT timeline_id FROM pg_control_checkpoint()"))


class TestRewindBeforeTheFirstCheckpoint:
    def test_control_pg_rewind_alone_reports_success_and_the_server_does_not_follow(self, pair: MakePair) -> None:
        """pg_rewind asks the new primary's control file for its timeline. Before the first checkpoint after the
        promotion it names the old one, the same as the old primary's: nothing to do, it says, and exits 0."""
        one = pair(extra="checkpoint_timeout = 1h\ncheckpoint_completion_target = 0.99\n")
        one.east.ask("CREATE TABLE filler AS SELECT generate_series(1, 20000) AS a")
        position = one.east.one("SELECT pg_current_wal_lsn()")
        until(lambda: one.west.one(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"))
        one.west.freeze_checkpointer()
        one.west.ask("SELECT pg_promote(true)")
        one.east.ask("INSERT INTO orders (note) SELECT 'diverged' FROM generate_series(1, 50)")
        one.east.stop()
        assert checkpoint_timeline(one.west) == 1
        done = run(BIN / "pg_rewind", "-D", one.east.data, f"--source-server={one.west.dsn('cloudfail')}", check=False)
        assert done.returncode == 0, done.stderr
        one.west.thaw()
        (one.east.data / "postgresql.conf").write_text(
            (one.east.data / "postgresql.conf").read_text().replace(str(one.west.port), str(one.east.port))
        )
        set_upstream(one.east, one.west)
        run(BIN / "pg_ctl", "start", "-D", one.east.data, "-l", one.east.log, "-w", "-t", "5", check=False)
        time.sleep(0.5)
        assert not one.west.one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")

    def test_ours_orders_the_checkpoint_first_and_the_rejoined_server_streams(self, pair: MakePair) -> None:
        one = pair()
        one.west.freeze_checkpointer()
        database = diverge(one)
        assert checkpoint_timeline(one.west) == 1
        one.west.thaw()
        made = follow(database, "east", "west")
        words = [effect.split()[0] for effect in made]
        assert words[:3] in (["keep", "checkpoint", "rewind"], ["keep", "rewind", "write"])
        assert known(database.read("east")).upstream == "west"
        assert one.east.one("SELECT count(*) FROM orders WHERE note = 'diverged'") == 0


class TestPromotionWithinMillisecondsOfTheDeath:
    """Seen only where the primary dies while it writes: the replica has then half a record in its hands."""

    def _die_writing(self, pair: Pair) -> None:
        writers = [Writer(pair.east, pause=0.0) for _ in range(2)]
        until(lambda: all(len(writer.acknowledged) > 20 for writer in writers))
        for pid in pair.east.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for writer in writers:
            writer.leave()

    def test_control_a_plain_pg_promote_sleeps_out_the_retrieve_interval(self, pair: MakePair) -> None:
        took = []
        for _ in range(8):
            one = pair()
            with closing(psycopg.connect(one.west.dsn("postgres"), autocommit=True)) as session:
                self._die_writing(one)
                session.execute("SELECT pg_promote(false)")
                ordered = time.monotonic()
                until(lambda: not session.execute("SELECT pg_is_in_recovery()").fetchone()[0], 15)  # type: ignore[index]
                took.append(round(time.monotonic() - ordered, 2))
            one.close()
            if took[-1] > 3:
                return
        pytest.fail(f"the trap was not seen: {took}")

    def test_ours_wakes_the_startup_process(self, pair: MakePair) -> None:
        for _ in range(4):
            one = pair()
            database = one.database()
            database.warm()
            seen = known(database.read("west"))
            assert one.west.one("SHOW wal_retrieve_retry_interval") == "5s"
            self._die_writing(one)
            ordered = time.monotonic()
            database.failover("east", "west", expect=seen, call=call(5))
            assert known(database.read("west")).writable
            assert time.monotonic() - ordered < 2.5
            one.close()


class TestFrozenPrimaryThatWakes:
    def test_control_an_asynchronous_one_acknowledges_writes_that_are_lost(self, pair: MakePair) -> None:
        one = pair()
        with closing(psycopg.connect(one.east.dsn("shop"), autocommit=True)) as client:
            client.execute("INSERT INTO orders (note) VALUES ('before')")
            one.east.freeze()
            one.west.ask("SELECT pg_promote(true)")
            one.east.thaw()
            row = client.execute("INSERT INTO orders (note) VALUES ('lost') RETURNING id").fetchone()
        assert row is not None
        assert one.west.one("SELECT count(*) FROM orders WHERE note = 'lost'") == 0
        assert one.east.one("SELECT NOT pg_is_in_recovery()")
        assert one.west.one("SELECT NOT pg_is_in_recovery()")

    def test_ours_owes_the_fence_while_it_is_frozen_and_proves_it_once_it_wakes(self, pair: MakePair) -> None:
        one = pair()
        database = one.database(answer_within="300ms")
        database.read("east")
        writer = Writer(one.east)
        until(lambda: len(writer.acknowledged) > 5)
        one.east.freeze()
        owed = known(database.fence_state("east", "west"))
        assert (owed.outcome, owed.methods_left) == (FenceOutcome.OWED, ())
        database.failover("east", "west", expect=known(database.read("west")), call=call(5))
        one.east.thaw()
        # It woke as a primary, and says so: the fence is due before anything else.
        state = until(lambda: _known(database.read("east")))
        assert (state.role, state.writable) == (Role.PRIMARY, True)
        seen = known(database.fence_state("east", "west"))
        assert (seen.outcome, seen.methods_left) == (FenceOutcome.NONE, ("logins",))
        database.fence("east", "west", expect=seen, call=call(5))
        proven = known(database.fence_state("east", "west"))
        assert proven.outcome is FenceOutcome.PROVEN, proven.evidence
        count = len(writer.acknowledged)
        time.sleep(0.3)
        assert len(writer.stop()) == count
        assert not known(database.read("east")).writable

    def test_a_synchronous_one_acknowledges_nothing_and_is_prevented_all_along(self, pair: MakePair) -> None:
        one = pair(synchronous=True)
        database = one.database(answer_within="300ms")
        assert isinstance(database.beat("east"), Known)
        writer = Writer(one.east)
        until(lambda: len(writer.acknowledged) > 5)
        one.east.freeze()
        assert known(database.fence_state("east", "west")).outcome is FenceOutcome.PREVENTED
        database.failover("east", "west", expect=known(database.read("west")), call=call(5))
        before = len(writer.acknowledged)
        one.east.thaw()
        time.sleep(0.5)
        # At most the one reply that was on its way when it froze, which west has.
        acknowledged = writer.stop()
        assert len(acknowledged) <= before + 1
        ids = {row[0] for row in one.west.ask("SELECT id FROM orders")}
        assert set(acknowledged) <= ids
        assert known(database.fence_state("east", "west")).outcome is FenceOutcome.PREVENTED


def _known(read: Any) -> Any:
    return read.value if isinstance(read, Known) else None


class TestOldPrimaryStartedWithoutCare:
    def test_control_as_a_standby_without_rewind_it_is_readable_and_never_streams(self, pair: MakePair) -> None:
        one = pair()
        diverge(one)
        set_upstream(one.east, one.west)
        one.east.start()
        assert one.east.one("SELECT 1") == 1
        time.sleep(1.0)
        assert one.west.one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 0
        assert one.east.one("SELECT count(*) FROM orders WHERE note = 'diverged'") == 50
        assert "forked off" in one.east.log.read_text()

    def test_ours_sees_that_such_a_standby_can_never_stream_and_rejoins_it(self, pair: MakePair) -> None:
        one = pair()
        database = diverge(one)
        set_upstream(one.east, one.west)
        one.east.start()
        assert known(database.read("east")).upstream is None
        seen = known(database.follow_state("east", "west"))
        assert not seen.done
        assert seen.next is not None
        assert seen.next.startswith("stop east")
        made = follow(database, "east", "west")
        assert any("keep and hash" in effect for effect in made)
        assert known(database.read("east")).upstream == "west"
        assert one.east.one("SELECT count(*) FROM orders WHERE note = 'diverged'") == 0

    def test_control_started_unfenced_it_is_a_second_writable_primary_at_once(self, pair: MakePair) -> None:
        one = pair()
        diverge(one)
        one.east.start()
        for server in (one.east, one.west):
            assert server.ask("INSERT INTO orders (note) VALUES ('two') RETURNING id", user="shop")

    def test_ours_notices_it_refuses_to_rejoin_it_unfenced_and_fences_it(self, pair: MakePair) -> None:
        one = pair()
        database = diverge(one)
        one.east.start()
        refused = known(database.follow_state("east", "west"))
        assert (refused.next, refused.done) == (None, False)
        assert "fence it first" in refused.detail
        seen = known(database.fence_state("east", "west"))
        assert seen.methods_left == ("logins",)
        database.fence("east", "west", expect=seen, call=call(5))
        assert known(database.fence_state("east", "west")).outcome is FenceOutcome.PROVEN
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            one.east.ask("SELECT 1", user="shop")
        made = follow(database, "east", "west")
        assert made[0].startswith("stop east")
        assert known(database.read("east")).upstream == "west"
        # As a replica it needs no fence, and takes readers again.
        assert one.east.ask("SELECT 1", user="shop") == [(1,)]
