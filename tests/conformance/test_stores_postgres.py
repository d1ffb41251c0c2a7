"""A real PostgreSQL holds what every store must; and what only a server between us and the disk can break."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.execution.lifecycle import Phase
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.ports import StoredEntry
from cloudfail.stores import open_store, store_kind
from cloudfail.stores.postgres import PostgresStore
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from tests.conformance.races import FULL, race
from tests.crash.moves import LOADED
from tests.kit import Stage
from tests.local import servers

RACES = 1_000 if FULL else 100
RUNS, HANDLES = 200, 25
_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_buffers = 8MB
max_connections = 60
lc_messages = 'C'
log_min_messages = warning
fsync = off
"""
# fsync off only makes the tests fast: a killed process loses no page cache.


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    if not servers.has_postgres():
        pytest.skip(f"no PostgreSQL in {servers.BIN}")
    with servers.place() as root:
        made = servers.Server(root, "state", servers.free_port())
        servers.run(servers.BIN / "initdb", "-D", made.data, "-A", "trust", "-N", "-U", "postgres", "--no-instructions")
        (made.data / "postgresql.conf").write_text(_CONF.format(port=made.port))
        made.start()
        yield made
        made.stop("immediate")


@pytest.fixture
def url(server: servers.Server, request: pytest.FixtureRequest) -> str:
    """A database of its own for each test."""
    name = f"d{abs(hash(request.node.nodeid))}"
    server.ask(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@127.0.0.1:{server.port}/{name}"


class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def open_store(self, url: str) -> Iterator[OpenStore]:
        opened: list[PostgresStore] = []

        def make() -> PostgresStore:
            opened.append(PostgresStore(url))
            return opened[-1]

        yield make
        for store in opened:
            store.close()


# ---- its URL


@pytest.mark.parametrize(
    ("url", "regions"),
    [
        ("postgresql://me@db.example/state", None),
        ("postgresql://me@db.example/state?lives_in=eu-central-1", ("eu-central-1",)),
        ("postgresql://me@db.example/state?sslmode=require&lives_in=us-east-1,us-west-2,eu-west-1", ()),
        ("postgres://db.example/state", None),
    ],
)
def test_the_url_says_where_the_database_lives(url: str, regions: tuple[str, ...] | None) -> None:
    assert store_kind(url).place(url).regions == regions


@pytest.mark.parametrize(
    "url", ["postgresql://me@db.example", "postgresql://me@db.example/", "postgresql:///d?lives_in="]
)
def test_a_url_that_says_too_little_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(Refused) as raised:
        store_kind(url).place(url)
    assert "lives_in=REGION" in raised.value.to_do


def test_what_is_not_there_is_unavailable_and_no_password_is_told() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        open_store(f"postgresql://me:hunter2@127.0.0.1:{servers.free_port()}/state?lives_in=eu-central-1")
    assert "hunter2" not in str(raised.value)
    assert "me@127.0.0.1" in str(raised.value)
    assert raised.value.to_do


# ---- who may do what


def test_a_role_that_may_only_read_and_append_is_enough(server: servers.Server, url: str) -> None:
    """An audit wants a log that its writers cannot rewrite."""
    PostgresStore(url).close()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS appender")
        admin.execute("CREATE ROLE appender LOGIN")
        admin.execute("GRANT SELECT, INSERT ON cloudfail_entries TO appender")
    store = PostgresStore(url.replace("postgres@", "appender@"))
    assert store.append("shop", 1, b"a")
    assert [entry.body for entry in store.read("shop", 0)] == [b"a"]
    with psycopg.connect(url.replace("postgres@", "appender@"), autocommit=True) as same:
        for statement in ("DELETE FROM cloudfail_entries", "UPDATE cloudfail_entries SET body = ''"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                same.execute(statement)


def test_a_server_that_would_acknowledge_before_it_has_written_is_told_not_to(server: servers.Server, url: str) -> None:
    server.ask(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
    store = PostgresStore(url)
    assert store._connected().execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_two_that_make_the_table_at_the_same_moment_both_have_it(url: str) -> None:
    start = threading.Barrier(8)
    made: list[bool] = []

    def make(number: int) -> None:
        start.wait()
        made.append(PostgresStore(url).append(f"log {number}", 1, b"a"))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert made == [True] * 8


# ---- a server that stops answering


def test_an_append_whose_answer_is_lost_is_known_again(url: str) -> None:
    """The connection breaks after the server has committed, before its answer arrives."""
    with _Broken(url) as broken:
        store = PostgresStore(broken.url, call_seconds=2.0)
        journal = Journal(store, "shop", SystemClock(), "alice")
        journal.append(Kind.SAMPLE, {"web": 1})
        broken.lose_the_next_answer()
        entry = journal.append(Kind.SAMPLE, {"web": 2})
        assert broken.lost == 1
        assert entry.seq == 2
    assert len(PostgresStore(url).read("shop", 0)) == 2


def test_a_server_that_hangs_is_unavailable_after_a_while_and_back_when_it_answers(
    server: servers.Server, url: str
) -> None:
    store = PostgresStore(url, call_seconds=1.0)
    assert store.append("shop", 1, b"a")
    server.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.append("shop", 2, b"b")
        assert time.monotonic() - began < 30
    finally:
        server.thaw()
    taken = servers.until(lambda: _tried(lambda: store.read("shop", 0)), 20, "it answers again")
    assert taken[0].body == b"a"


def test_a_commit_whose_wait_for_the_standby_was_cancelled_is_in_doubt(server: servers.Server, url: str) -> None:
    """The server calls it committed, with a warning: it stands on the primary alone."""
    store = PostgresStore(url)
    server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.ask("SELECT pg_reload_conf()")
    try:
        servers.until(lambda: server.one("SHOW synchronous_standby_names") == "nobody", what="reloaded")
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        failed: list[str] = []

        def append() -> None:
            try:
                store.append("shop", 1, b"a")
            except StoreUnavailable as error:
                failed.append(str(error))

        thread = threading.Thread(target=append)
        thread.start()
        servers.until(lambda: server.ask(waiting), what="it waits for the standby")
        server.ask(f"SELECT pg_cancel_backend(pid) FROM ({waiting}) AS one")
        thread.join(20)
        assert failed and "synchronous replication" in failed[0]
    finally:
        server.ask("ALTER SYSTEM RESET synchronous_standby_names")
        server.ask("SELECT pg_reload_conf()")


def test_a_commit_that_waits_for_a_standby_for_ever_is_given_up(server: servers.Server, url: str) -> None:
    """The server's own timeout is over once it commits; nothing but us would ever end this wait."""
    store = PostgresStore(url, call_seconds=0.5)
    server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.ask("SELECT pg_reload_conf()")
    try:
        servers.until(lambda: server.one("SHOW synchronous_standby_names") == "nobody", what="reloaded")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.append("shop", 1, b"a")
        assert time.monotonic() - began < 20
    finally:
        server.ask("ALTER SYSTEM RESET synchronous_standby_names")
        server.ask("SELECT pg_reload_conf()")


def _tried(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except StoreUnavailable:
        return None


class _Broken:
    """A way to the server that loses an answer when it is told to: the request arrives, and the connection ends."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2].partition("/")[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._lose = threading.Event()
        self.lost = 0
        self.url = url.replace(f":{self._port}/", f":{self._listener.getsockname()[1]}/")

    def __enter__(self) -> _Broken:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def lose_the_next_answer(self) -> None:
        self._lose.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._carry, args=(client, there, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(there, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and self._lose.is_set():
                    self._lose.clear()
                    self.lost += 1
                    break
                to.sendall(data)
        except OSError:
            pass
        for end in (source, to):
            end.close()


# ---- races, and restarts


class _Pausing(PostgresStore):
    def append(self, log: str, seq: int, body: bytes) -> bool:
        time.sleep(random.uniform(0, 0.02))
        return super().append(log, seq, body)


def _open(url: str, _turn: int) -> PostgresStore:
    return _Pausing(url)


@pytest.mark.timeout(1500 if FULL else 120)
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(url: str) -> None:
    race(partial(_open, url), RACES)


class _Named:
    """The log of one of many applications, all of which one file describes."""

    def __init__(self, store: PostgresStore, number: int) -> None:
        self.store = store
        self.number = number

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(f"{log}-{self.number}", after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        return self.store.append(f"{log}-{self.number}", seq, body)


@pytest.mark.timeout(300)
def test_under_restarts_every_run_ends_and_changes_each_thing_once(server: servers.Server, url: str) -> None:
    """200 applications move at once while the server is killed and started again; whoever lost it tries again, as the
    next tick would."""
    handles = [PostgresStore(url) for _ in range(HANDLES)]
    calm = Stage(LOADED)
    calm.open("evacuate-all", "east", "west", preapproved="alice")
    calm.drive()
    wanted = Counter((effect.step, effect.verb, effect.resource, effect.region) for effect in calm.cloud.effects)
    stages: dict[int, Stage] = {}
    lost, broke = Counter[int](), list[BaseException]()
    start = threading.Barrier(RUNS + 1)

    def carry(number: int) -> None:
        try:
            start.wait()
            made = stages[number] = Stage(LOADED, store=_Named(handles[number % HANDLES], number))
            deadline, turn = time.monotonic() + 240, 0
            while time.monotonic() < deadline:
                turn += 1
                try:
                    log = made.engine(f"w{turn}").read()
                    if not log.runs:
                        made.open("evacuate-all", "east", "west", preapproved="alice")
                    if made.engine(f"w{turn}").drive(until=made.clock.boot() + 3600).run is None:
                        return
                except StoreUnavailable:
                    lost[number] += 1
                    time.sleep(0.5 + number % 7 / 10)
                    made.clock.sleep(1.0)
        except BaseException as error:
            broke.append(error)

    threads = [threading.Thread(target=carry, args=(number,), daemon=True) for number in range(RUNS)]
    for thread in threads:
        thread.start()
    start.wait()
    restarts = 0
    while any(thread.is_alive() for thread in threads) and restarts < 30:
        time.sleep(3.0)
        server.kill() if restarts % 2 else server.stop("immediate")
        servers.run(servers.BIN / "pg_ctl", "start", "-D", server.data, "-l", server.log, "-w", "-t", "60", seconds=70)
        restarts += 1
    for thread in threads:
        thread.join(60)
    assert not broke, broke[0]
    assert restarts >= 2 and lost, "nobody noticed a restart"
    for number, made in stages.items():
        # A connection that the last restart broke is found to be so by whoever uses it first.
        state = servers.until(
            lambda made=made: _tried(lambda: made.engine("reader").read()), 20, f"run {number} is read"
        )
        (run,) = state.runs.values()
        assert run.phase in {Phase.DONE, Phase.DEGRADED}, f"run {number} stands {run.phase}"
        done = Counter((effect.step, effect.verb, effect.resource, effect.region) for effect in made.cloud.effects)
        assert done == wanted, f"run {number}: {done - wanted} more, {wanted - done} less"


def test_what_was_acknowledged_is_there_after_the_server_was_killed(server: servers.Server, url: str) -> None:
    store = PostgresStore(url)
    for seq in range(1, 51):
        assert store.append("shop", seq, b"x")
    server.kill()
    server.start()
    assert len(servers.until(lambda: _tried(lambda: store.read("shop", 0)), 20, "it answers again")) == 50


def test_the_place_of_the_log_is_the_servers_own_clock(url: str) -> None:
    store = PostgresStore(url)
    assert store.append("shop", 1, b"a")
    assert abs(store.read("shop", 0)[0].at - time.time()) < 60
