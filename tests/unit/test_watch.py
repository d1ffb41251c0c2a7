"""watch.py: real observer processes that come, die, fall silent, talk nonsense and never outlive us; and heartbeats."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.detect import Detection, observe, verdicts
from cloudfail.model.observation import Health, Known, Observation, Unknown
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage
from cloudfail.watch import Arrivals, Heartbeats, Observers, sample_once

GOOD, DOWN, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN
boot = SystemClock().boot


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def topology(east: int, west: int, *vantages: Vantage, **rules: Any) -> Topology:
    rules = {"every_seconds": 0.1, "timeout_seconds": 0.5, "fall": 3, "rise": 2, **rules}
    return Topology(
        "shop",
        Objectives(60, 5),
        {
            name: Region(name, "local", variables={"port": str(number)})
            for name, number in (("east", east), ("west", west))
        },
        "east",
        "",
        {},
        {"web": Check("web", "http", "http://127.0.0.1:${port}/", **rules)},
        {vantage.name: vantage for vantage in vantages},
    )


def eventually(what: Callable[[], Any], seconds: float = 8.0) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come about in time")


class Seen:
    """What the observers delivered, folded."""

    def __init__(self, where: Topology) -> None:
        self.where, self.state, self.all = where, Detection(where.checks), list[Observation]()

    def __call__(self, observation: Observation) -> None:
        self.all.append(observation)
        self.state = observe(self.state, observation)

    def health(self, region: str) -> Health:
        return verdicts(self.state, self.where, boot())[region].health

    def by(self, vantage: str) -> list[Observation]:
        return [observation for observation in self.all if observation.vantage == vantage]


def children() -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "cloudfail.probes.observer" in line]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_three_vantages_see_one_region_well_and_one_down(port: int) -> None:
    where = topology(port, closed_port(), Vantage("a"), Vantage("b"), Vantage("c"))
    seen = Seen(where)
    with Observers(where, seen) as observers:
        eventually(lambda: seen.health("east") is GOOD and seen.health("west") is DOWN)
        assert [state.starts for state in observers.states()] == [1, 1, 1]
        assert sorted(state.name for state in observers.states()) == ["a", "b", "c"]
    assert all(observation.at <= boot() for observation in seen.all)
    assert children() == []


def test_without_vantages_one_looks_from_here(port: int) -> None:
    where = topology(port, port)
    seen = Seen(where)
    with Observers(where, seen):
        eventually(lambda: seen.health("east") is GOOD)
    assert {observation.vantage for observation in seen.all} == {"here"}


def test_vantages_look_in_turn_about_their_times_by_lot(port: int) -> None:
    """Up to a fifth of the interval early or late: what fails in step with looks at fixed times looks always down."""
    where = topology(port, port, Vantage("a"), Vantage("b"), every_seconds=0.2)
    seen = Seen(where)
    with Observers(where, seen):
        eventually(lambda: min(len(seen.by("a")), len(seen.by("b"))) >= 16)
    for vantage, phase in (("a", 0.0), ("b", 0.1)):
        times = [observation.at for observation in seen.by(vantage) if observation.region == "east"][2:]
        late = sorted((at - phase + 0.1) % 0.2 - 0.1 for at in times)
        assert -0.05 < late[len(late) // 2] < 0.07, late
        assert late[-1] - late[0] > 0.005, late


def test_a_vantage_that_dies_is_unknown_at_once_and_comes_back(port: int) -> None:
    where = topology(port, port, Vantage("a"), every_seconds=1.0)
    seen = Seen(where)
    with Observers(where, seen) as observers:
        eventually(lambda: seen.health("east") is GOOD)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: seen.health("east") is UNKNOWN, 0.5)
        assert "observer ended" in seen.all[-1].detail
        eventually(lambda: seen.health("east") is GOOD)
        assert observers.states()[0].starts == 2


def test_a_vantage_that_is_stopped_is_unknown_then_replaced(port: int) -> None:
    where = topology(port, port, Vantage("a"), timeout_seconds=0.1)
    seen = Seen(where)
    with Observers(where, seen, patience_seconds=0.5) as observers:
        eventually(lambda: seen.health("east") is GOOD)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: seen.health("east") is UNKNOWN)
        eventually(lambda: observers.states()[0].starts == 2 and seen.health("east") is GOOD)
        assert gone(pid)


def test_a_vantage_that_cannot_start_is_tried_again_and_says_why(port: int) -> None:
    where = topology(
        port, port, Vantage("ssh", ("/no/such/program",)), Vantage("exits", ("sh", "-c", "echo no; exit 3"))
    )
    seen = Seen(where)
    with Observers(where, seen) as observers:
        eventually(lambda: all(state.starts or "No such file" in state.last_words for state in observers.states()))
        eventually(lambda: {observation.vantage for observation in seen.all} == {"ssh", "exits"})
    assert {observation.health for observation in seen.all} == {UNKNOWN}
    assert any("No such file" in observation.detail for observation in seen.by("ssh"))
    assert any(observation.detail.endswith("(no)") for observation in seen.by("exits"))


NONSENSE = """
import json, sys, time
good = dict(region="east", check="web", health="healthy", took=0.1, sent=1.0, detail="x")
lines = ["", "{", "[]", "null", "x" * 100_000, "[" * 9000, json.dumps({**good, "region": "mars"}),
         json.dumps({**good, "health": "fine"}), json.dumps({**good, "sent": "soon"}),
         json.dumps({**good, "sent": 1e999}),
         json.dumps({**good, "took": -1}), json.dumps({**good, "detail": "\\x1b[31m red"}),
         json.dumps({**good, "sent": 2.0})]
for line in lines:
    print(line, flush=True)
sys.stdin.read()
"""


def test_nonsense_is_counted_and_dropped(port: int) -> None:
    where = topology(port, port, Vantage("a", (sys.executable, "-c", NONSENSE)))
    seen: queue.SimpleQueue[Observation] = queue.SimpleQueue()
    with Observers(where, seen.put) as observers:
        first, second = seen.get(timeout=5), seen.get(timeout=5)
        assert (first.health, first.detail) == (GOOD, "·[31m red")
        assert second.detail == "x"
        (state,) = observers.states()
        assert state.observations == 2
        assert state.garbage >= 11


def test_stop_ends_a_vantage_that_does_not_want_to(port: int) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    where = topology(port, port, Vantage("a", (sys.executable, "-c", stubborn)))
    observers = Observers(where, lambda observation: None).start()
    eventually(lambda: observers.states()[0].garbage)
    began = time.monotonic()
    observers.stop()
    assert time.monotonic() - began < 4
    assert not observers.states()[0].running


def test_no_observer_outlives_a_parent_that_was_killed(port: int) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_watch as t
def say(observation):
    sys.stdout.write(".")
    sys.stdout.flush()
with t.Observers(t.topology({port}, {port}, t.Vantage("a"), t.Vantage("b", ("sh", "-c", '"$@"; :', "sh"))), say):
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.read(6)
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent.pid)], capture_output=True, text=True)
    pids = [int(pid) for pid in found.stdout.split()]
    for pid in list(pids):
        below = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
        pids += [int(each) for each in below.stdout.split()]
    assert len(pids) == 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    eventually(lambda: all(gone(pid) for pid in pids), 3.0)
    parent.stdout.close()


def document(port: int, **changes: Any) -> bytes:
    probe = {"region": "e", "check": "c", "kind": "http", "target": f"http://127.0.0.1:{port}/", "every": 0.1}
    return json.dumps([{**probe, "timeout": 0.5, "loopback": True, **changes}]).encode() + b"\n"


@contextlib.contextmanager
def observer(said: bytes) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudfail.probes.observer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(said)
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def test_the_observer_leaves_when_stdin_closes(port: int) -> None:
    with observer(document(port)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["health"] == "healthy"
        process.stdin.close()
        assert process.wait(2) == 0


def test_the_observer_leaves_when_nobody_reads(port: int) -> None:
    with observer(document(port)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(2) == 0


def test_the_observer_leaves_after_its_rounds(port: int) -> None:
    with observer(document(port, rounds=3)) as process:
        assert process.stdout is not None
        assert len(process.stdout.read().splitlines()) == 3
        assert process.wait(2) == 0


def test_the_observer_leaves_with_its_parent_though_a_stranger_holds_its_stdin_open(port: int) -> None:
    parent = subprocess.Popen(
        ["sh", "-c", '"$@"; :', "sh", sys.executable, "-m", "cloudfail.probes.observer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(document(port))
    parent.stdin.flush()
    assert parent.stdout.readline()
    parent.kill()
    began = time.monotonic()
    at_last = threading.Timer(4.0, parent.stdin.close)  # so that a failure of this test leaves nobody behind
    at_last.start()
    parent.stdout.read()  # to its end, which comes when the observer is gone
    assert time.monotonic() - began < 3.5
    at_last.cancel()
    parent.stdin.close()
    parent.stdout.close()
    parent.wait()


def test_looks_that_take_all_of_their_interval_follow_each_other_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = document(silent.getsockname()[1], rounds=4, every=0.3, timeout=0.3)
        with observer(said) as process:
            assert process.stdout is not None
            sent = [json.loads(line)["sent"] for line in process.stdout]
    assert len(sent) == 4
    assert 0.8 < sent[-1] - sent[0] < 1.3  # skipping every other time would take 1.8


@pytest.mark.parametrize("said", [b"nonsense\n", b"{}\n", b'[{"region": "e"}]\n'])
def test_the_observer_refuses_a_document_that_is_none(said: bytes) -> None:
    with observer(said) as process:
        assert process.stderr is not None
        words = process.stderr.read()
        assert process.wait(2) == 2
        assert words.startswith(b"cloudfail.probes.observer: ")
        assert b"Traceback" not in words


def test_an_observer_whose_reader_was_stopped_is_not_taken_for_fresh(port: int) -> None:
    """What waited in the pipe keeps the time at which it was said."""
    arrivals = Arrivals()
    assert arrivals.seen_at(1000.0, 5000.1) == pytest.approx(5000.1)
    assert arrivals.seen_at(1010.0, 5010.1) == pytest.approx(5010.1)
    late = [arrivals.seen_at(1020.0 + 10 * n, 5620.0 + n / 1000) for n in range(60)]
    assert late[0] == pytest.approx(5020.1, abs=0.5)
    assert late[-1] == pytest.approx(5610.1, abs=0.5)
    assert all(seen <= 5620.1 for seen in late)


def test_a_first_line_that_was_late_is_corrected_by_the_next() -> None:
    arrivals = Arrivals()
    arrivals.seen_at(1000.0, 5003.0)
    assert arrivals.seen_at(1001.0, 5001.5) == pytest.approx(5001.5)
    assert arrivals.seen_at(1002.0, 5009.0) == pytest.approx(5002.5, abs=0.01)


def test_clocks_that_drift_apart_do_not_make_answers_look_late() -> None:
    arrivals = Arrivals()
    for n in range(10_000):
        arrived = 5000.0 + 10 * n
        assert arrived - arrivals.seen_at(1000.0 + 10 * n * 0.9999, arrived) < 0.01


def test_sampling_once_is_enough_for_a_verdict_and_leaves_nothing(port: int) -> None:
    where = topology(port, closed_port(), Vantage("a"), Vantage("b"), Vantage("c"), every_seconds=10.0)
    seen = Seen(where)
    for observation in sample_once(where, every_seconds_max=0.1):
        seen(observation)
    assert (seen.health("east"), seen.health("west")) == (GOOD, DOWN)
    assert len(seen.all) == 3 * 2 * 3
    assert children() == []


def test_sampling_keeps_its_deadline_and_can_be_narrowed(port: int) -> None:
    where = topology(port, port, Vantage("a"), Vantage("hangs", ("sleep", "60")))
    began = time.monotonic()
    seen = sample_once(where, 2, region="east", deadline_seconds=2.5)
    assert time.monotonic() - began < 6
    assert {(observation.vantage, observation.region) for observation in seen} == {("a", "east")}
    assert len(seen) == 2


def test_watching_needs_no_psycopg() -> None:
    code = "import sys; sys.modules['psycopg'] = None; import cloudfail.watch"
    subprocess.run([sys.executable, "-c", code], check=True)


class Beaten:
    """A database of which only beats are asked."""

    def __init__(self) -> None:
        self.beats: list[str] = []
        self.hang = threading.Event()
        self.hang.set()
        self.fail = ""

    def beat(self, region: str) -> Known[float] | Unknown:
        self.beats.append(region)
        if region == "east":
            self.hang.wait(30)
        if self.fail == "raise":
            raise RuntimeError("a provider's mistake")
        if self.fail:
            return Unknown(self.fail)
        return Known(time.time(), time.time())


def heartbeats(**databases: Beaten) -> Heartbeats:
    return Heartbeats(databases, "east", every_seconds=0.02)  # type: ignore[arg-type]


def test_heartbeats_remember_the_newest_that_was_acknowledged() -> None:
    orders = Beaten()
    with heartbeats(orders=orders) as beats:
        eventually(lambda: len(orders.beats) > 3)
        orders.fail = "raise"
        made = len(orders.beats)
        eventually(lambda: len(orders.beats) > made + 2)
        last = beats.acknowledged("orders", "east")
        assert isinstance(last, Known)
        made = len(orders.beats)
        eventually(lambda: len(orders.beats) > made + 2)
        assert beats.acknowledged("orders", "east") == last
        orders.fail = ""
        eventually(lambda: beats.acknowledged("orders", "east") != last)
    assert isinstance(beats.acknowledged("orders", "west"), Unknown)


def test_a_beat_that_never_succeeded_says_why() -> None:
    orders = Beaten()
    orders.fail = "connection refused"
    with heartbeats(orders=orders) as beats:
        eventually(lambda: len(orders.beats) > 2)
        assert beats.acknowledged("orders", "east") == Unknown("connection refused")


def test_a_beat_that_hangs_holds_up_neither_another_database_nor_the_new_primary_nor_the_end() -> None:
    orders, carts = Beaten(), Beaten()
    orders.hang.clear()
    beats = heartbeats(orders=orders, carts=carts).start()
    eventually(lambda: len(carts.beats) > 3)
    assert orders.beats == ["east"]
    beats.believe("west")
    eventually(lambda: isinstance(beats.acknowledged("orders", "west"), Known))
    assert orders.beats.count("east") == 1
    began = time.monotonic()
    beats.stop()
    assert time.monotonic() - began < 1
    orders.hang.set()


def test_after_a_move_the_old_primary_is_beaten_no_more_and_may_be_again() -> None:
    orders = Beaten()
    with heartbeats(orders=orders) as beats:
        eventually(lambda: len(orders.beats) > 2)
        beats.believe("west")
        eventually(lambda: orders.beats[-1] == "west" and orders.beats.count("west") > 3)
        easts, wests = orders.beats.count("east"), orders.beats.count("west")
        eventually(lambda: orders.beats.count("west") > wests + 3)
        assert orders.beats.count("east") == easts
        beats.believe("east")
        eventually(lambda: orders.beats.count("east") > easts + 2)
