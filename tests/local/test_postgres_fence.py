"""The four outcomes of a fence on real servers, and what must not be taken for one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome
from cloudfail_local.postgres_fence import without_fence
from cloudfail_local.postgresql import PostgreSQL
from tests.local.servers import Pair, call, known, until

pytestmark = pytest.mark.lab
MakePair = Callable[..., Pair]


def fence(database: PostgreSQL, epoch: int = 5) -> Any:
    seen = known(database.fence_state("east", "west"))
    database.fence("east", "west", expect=seen, call=call(epoch))
    return known(database.fence_state("east", "west"))


def command(root: Path, name: str = "core-switch", **changes: Any) -> dict[str, Any]:
    flag = str(root / name)
    return {"name": name, "apply": ["touch", flag], "lift": ["rm", flag], "check": ["test", "-e", flag], **changes}


@pytest.fixture(scope="module")
def one(postgres_root: Path, template: Path) -> Any:
    from tests.local.servers import make_pair

    made = make_pair(postgres_root, template, "fence")
    yield made
    made.close()


@pytest.fixture
def calm(one: Pair) -> Any:
    """The module's pair, with no fence left on it afterwards."""
    yield one
    database = one.database()
    seen = known(database.fence_state("east", "west"))
    database.unfence("east", expect=seen, call=call(seen.epoch or 5))
    for made in one.databases:
        made.close()
    one.databases.clear()
    # What a lifted fence leaves behind would refuse the lower epochs of the next test.
    hba = one.east.data / "pg_hba.conf"
    hba.write_text(without_fence(hba.read_text()))


def test_proven_both_writes_are_refused_and_the_new_side_is_not_fenced_with_it(calm: Pair) -> None:
    database = calm.database()
    assert known(database.read("east")).writable
    assert isinstance(database.beat("east"), Known)
    with closing(psycopg.connect(calm.east.dsn("shop"), autocommit=True)) as client:
        state = fence(database)
        assert state.outcome is FenceOutcome.PROVEN, state.evidence
        assert state.epoch == 5
        with pytest.raises(psycopg.OperationalError):
            client.execute("INSERT INTO orders (note) VALUES ('x')")
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        calm.east.ask("SELECT 1", user="shop")
    after = known(database.read("east"))
    assert not after.writable
    assert "fence=5" in after.version
    # Per instance: nothing of it travelled to the side that is to be promoted, which keeps streaming.
    assert calm.west.ask("SELECT 1", user="shop") == [(1,)]
    assert calm.west.one("SHOW default_transaction_read_only") == "off"
    assert known(database.read("west")).upstream == "east"


def test_a_client_that_asks_for_read_write_itself_is_shut_out_too(calm: Pair) -> None:
    """Read-only as a default alone is no fence: this is why logins are rejected and sessions ended."""
    calm.east.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    calm.east.ask("SELECT pg_reload_conf()")
    until(lambda: calm.east.one("SHOW default_transaction_read_only") == "on")
    with closing(psycopg.connect(calm.east.dsn("shop"), autocommit=True)) as client:
        client.execute("SET default_transaction_read_only = off")
        client.execute("INSERT INTO orders (note) VALUES ('let in')")
        assert fence(calm.database()).outcome is FenceOutcome.PROVEN
        with pytest.raises(psycopg.OperationalError):
            client.execute("INSERT INTO orders (note) VALUES ('x')")


def test_another_process_that_holds_no_old_connection_proves_it_by_the_list_of_sessions(calm: Pair) -> None:
    first = calm.database()
    first.read("east")
    fence(first)
    state = known(calm.database().fence_state("east", "west"))
    assert state.outcome is FenceOutcome.PROVEN
    assert "no connection opened before is held here" in state.evidence


def test_failed_a_session_that_is_left_over_and_still_writes(calm: Pair) -> None:
    database = calm.database()
    database.read("east")
    fence(database)
    # Someone opens the door again by hand; the mark of the fence still stands at the head of the file.
    hba = calm.east.data / "pg_hba.conf"
    text = hba.read_text()
    hba.write_text(text.replace(" reject", " trust"))
    calm.east.ask("ALTER SYSTEM RESET default_transaction_read_only")
    calm.east.ask("SELECT pg_reload_conf()")
    state = until(lambda: _failed(calm.database().fence_state("east", "west")))
    assert "let in" in state.evidence
    hba.write_text(text)


def _failed(read: Any) -> Any:
    return read.value if isinstance(read, Known) and read.value.outcome is FenceOutcome.FAILED else None


def test_a_fence_that_reports_success_and_does_nothing_is_not_done(calm: Pair) -> None:
    database = calm.database(fences=[command(calm.root, apply=["true"]), "logins"])
    database.read("east")
    state = fence(database)
    assert state.outcome is FenceOutcome.NONE
    assert state.methods_left == ("core-switch", "logins")


def test_fences_are_tried_in_the_order_of_the_file_and_a_command_alone_proves_nothing(calm: Pair) -> None:
    database = calm.database(fences=["synchronous", command(calm.root), "logins"])
    database.read("east")
    first = known(database.fence_state("east", "west"))
    assert (first.outcome, first.methods_left) == (FenceOutcome.NONE, ("core-switch", "logins"))
    database.fence("east", "west", expect=first, call=call(5))
    second = known(database.fence_state("east", "west"))
    # Its check says that it stands; the writes that were tried say otherwise.
    assert (second.outcome, second.methods_left) == (FenceOutcome.FAILED, ("logins",))
    database.fence("east", "west", expect=second, call=call(5))
    third = known(database.fence_state("east", "west"))
    assert third.outcome is FenceOutcome.PROVEN
    database.unfence("east", expect=third, call=call(5))
    assert not (calm.root / "core-switch").exists()
    assert known(database.fence_state("east", "west")).outcome is FenceOutcome.NONE
    database.unfence("east", expect=third, call=call(5))
    assert calm.east.ask("INSERT INTO orders (note) VALUES ('again') RETURNING 1", user="shop") == [(1,)]
    assert known(database.read("east")).writable


def test_a_site_s_word_that_its_fence_prevents_is_taken_only_where_it_was_given(calm: Pair) -> None:
    database = calm.database(fences=[command(calm.root, "power", prevents=True)])
    assert fence(database).outcome is FenceOutcome.PREVENTED
    database.unfence("east", expect=known(database.fence_state("east", "west")), call=call(5))


def test_a_changed_world_is_a_conflict_and_an_older_epoch_too(calm: Pair) -> None:
    database = calm.database()
    before = known(database.fence_state("east", "west"))
    fence(database, epoch=7)
    # As the world is wanted: nothing is changed.
    database.fence("east", "west", expect=before, call=call(7, check=lambda: pytest.fail("sent")))
    seen = known(database.fence_state("east", "west"))
    with pytest.raises(Conflict):
        database.unfence("east", expect=seen, call=call(6))
    assert known(database.fence_state("east", "west")).outcome is FenceOutcome.PROVEN


def test_a_lost_lease_stops_the_fence_before_it_changes_anything(calm: Pair) -> None:
    class Stopped(Exception):
        pass

    def check() -> None:
        raise Stopped

    database = calm.database()
    seen = known(database.fence_state("east", "west"))
    with suppress(Stopped):
        database.fence("east", "west", expect=seen, call=call(5, check=check))
    assert known(database.fence_state("east", "west")).outcome is FenceOutcome.NONE
    assert known(database.read("east")).writable


def test_an_application_that_logs_in_as_cloudfail_does_cannot_be_fenced_by_logins(calm: Pair) -> None:
    database = calm.database()
    database.servers["east"].canary._parts["user"] = "cloudfail"
    with pytest.raises(Permanent, match="same role"):
        fence(database)


def test_owed_a_dead_server_s_refused_connections_prove_nothing(pair: MakePair) -> None:
    one = pair()
    database = one.database(fences=["synchronous", command(one.root), "logins"])
    database.read("east")
    database.beat("east")
    one.east.kill()
    first = known(database.fence_state("east", "west"))
    assert (first.outcome, first.methods_left) == (FenceOutcome.NONE, ("core-switch",))
    database.fence("east", "west", expect=first, call=call(5))
    owed = known(database.fence_state("east", "west"))
    assert (owed.outcome, owed.methods_left) == (FenceOutcome.OWED, ())
    assert "no write could be tried" in owed.evidence
    with pytest.raises(Transient):
        database.unfence("east", expect=owed, call=call(5))


def test_prevented_the_dead_primary_could_not_acknowledge_without_the_target(pair: MakePair) -> None:
    one = pair(synchronous=True)
    database = one.database()
    assert isinstance(database.beat("east"), Known)
    one.east.kill()
    state = known(database.fence_state("east", "west"))
    assert state.outcome is FenceOutcome.PREVENTED
    assert "synchronous_standby_names=west" in state.evidence
    # Without the method declared, the same world is owed.
    assert known(one.database(fences=["logins"]).fence_state("east", "west")).outcome is FenceOutcome.OWED
    bound = database.loss("east", "west", Known(time.time(), 0.0))
    assert bound.if_dead_seconds == 0.0
    # A topology that names somebody else is not prevented.
    database.servers["west"].name = "north"
    assert known(database.fence_state("east", "west")).outcome is FenceOutcome.OWED


def test_a_commit_whose_wait_was_cancelled_is_unknown_and_never_acknowledged(pair: MakePair) -> None:
    one = pair(synchronous=True)
    database = one.database(answer_within="300ms")
    assert isinstance(database.beat("east"), Known)
    one.west.kill()
    assert not known(database.read("east")).writable
    stop = threading.Event()

    def cancel() -> None:
        while not stop.wait(0.05):
            one.east.ask("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    # Nobody cancels: the commit waits, the heartbeat is unknown, and no second backend piles up behind it.
    for _ in range(3):
        assert isinstance(database.beat("east"), Unknown)
    assert one.east.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1
    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    seen = [database.beat("east") for _ in range(3)]
    stop.set()
    thread.join()
    assert all(isinstance(one_beat, Unknown) for one_beat in seen), seen
    assert any("own disk only" in one_beat.reason for one_beat in seen if isinstance(one_beat, Unknown)), seen


def test_a_server_that_accepts_and_says_nothing_costs_no_more_than_the_time_given(pair: MakePair) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        one = pair()
        database = one.database(answer_within="200ms")
        server = database.servers["east"]
        server.look._dsn = f"host=127.0.0.1 port={mute.getsockname()[1]} dbname=postgres user=cloudfail".encode()
        started = time.monotonic()
        assert isinstance(database.read("east"), Unknown)
        assert time.monotonic() - started < 1.0
