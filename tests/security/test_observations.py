"""Threat: forged or replayed observations. They add nothing to what one vantage may say, and one says nothing alone.

The liars are real processes on a vantage's pipe, as a vantage that was broken into would be.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail.app import App
from cloudfail.clock import SystemClock
from cloudfail.detect import Detection, observe, staleness_seconds, verdicts
from cloudfail.execution.samples import sampled
from cloudfail.execution.state import LogState, fold
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.observation import Health, Known, Observation, Unknown
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage
from cloudfail.stores.memory import MemoryStore
from cloudfail.watch import Observers
from tests.entrypoints.site import Site
from tests.kit import load_local

boot = SystemClock().boot
DOWN, GOOD, UNKNOWN = Health.DOWN, Health.HEALTHY, Health.UNKNOWN

LIAR = """
import json, sys, time
line = dict(region="east", check="web", health="down", took=0.01, sent=time.monotonic(), detail="lie")
def say(**changed):
    sys.stdout.write(json.dumps({**line, **changed}) + "\\n")
    sys.stdout.flush()
def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)
"""
END = "\nsys.stdin.read()\n"


def lying(how: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"{LIAR}\n{how}\n{END}")


def topology(*vantages: Vantage, fall: int = 3, port: int = 9) -> Topology:
    check = Check(
        "web", "http", f"http://127.0.0.1:{port}/", every_seconds=0.2, timeout_seconds=1.0, fall=fall, rise=1,
        vantages_needed=len(vantages) // 2 + 1,
    )  # fmt: skip
    regions = {name: Region(name, "local") for name in ("east", "west")}
    named = {vantage.name: vantage for vantage in vantages}
    return Topology("shop", Objectives(60, 5), regions, "east", "", {}, {"web": check}, named)


class Seen:
    def __init__(self, where: Topology) -> None:
        self.where, self.state, self.all = where, Detection(where.checks), list[Observation]()

    def __call__(self, observation: Observation) -> None:
        self.all.append(observation)
        self.state = observe(self.state, observation)

    def health(self, region: str = "east") -> Health:
        return verdicts(self.state, self.where, boot())[region].health


def until(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


def heard(how: str, lines: int, *, fall: int = 3) -> tuple[Seen, int]:
    """What a lone liar brought about by `lines` lines, and how many of them were garbage."""
    where = topology(Vantage("liar", lying(how)), fall=fall)
    seen = Seen(where)
    with Observers(where, seen) as observers:
        until(lambda: observers.states()[0].observations + observers.states()[0].garbage >= lines)
        return seen, observers.states()[0].garbage


def test_answers_in_a_row_are_counted_and_the_same_answer_again_is_none() -> None:
    """Three bad ones make a vantage say down: three, and not one that is told three times."""
    honest, garbage = heard("for _ in range(3): say(sent=now()); time.sleep(0.02)", 3)
    assert (len(honest.all), garbage, honest.state.counts["east", "web", "liar"].health) == (3, 0, DOWN)
    replayed, garbage = heard("at = now()\nfor _ in range(20): say(sent=at)", 20)
    assert (len(replayed.all), garbage) == (1, 19)
    assert replayed.state.counts["east", "web", "liar"].health is UNKNOWN


def test_older_lines_told_again_behind_newer_ones_count_for_nothing() -> None:
    how = "first = now(); say(sent=first); time.sleep(0.02); say(sent=now(), health='healthy')\n"
    seen, garbage = heard(how + "for back in range(10): say(sent=first - back)", 12)
    assert (len(seen.all), garbage) == (2, 10)
    assert seen.state.counts["east", "web", "liar"].health is GOOD


def test_an_answer_of_the_future_is_seen_when_it_arrived_and_makes_its_vantage_mute() -> None:
    """From then on everything else that it says is, by its own clock, ages old: unknown, which is neither."""
    how = "say(sent=now() + 1e6)\n"
    seen, _ = heard(how + "time.sleep(0.1)\nfor k in range(5): say(sent=now() + 1e6 + k / 1000); time.sleep(0.01)", 6)
    assert all(observation.at <= boot() for observation in seen.all)
    back, garbage = heard(how + "for _ in range(5): say(sent=now()); time.sleep(0.01)", 6)
    assert (len(back.all), garbage) == (1, 5)


def test_an_answer_that_was_long_on_its_way_is_old() -> None:
    """Minutes in a pipe: its time is the time at which it was seen."""
    how = "say(sent=now() - 600, health='healthy'); say(sent=now()); time.sleep(0.02)\n"
    seen, _ = heard(how, 2, fall=1)
    stale = Observation("liar", "east", "web", DOWN, boot() - staleness_seconds(seen.where.checks["web"]) - 1)
    state = observe(Detection(seen.where.checks), stale)
    assert verdicts(state, seen.where, boot())["east"].health is UNKNOWN


def test_what_a_line_says_of_its_vantage_is_not_read() -> None:
    seen, _ = heard("for name in ('a', 'b', 'witness'): say(sent=now(), vantage=name); time.sleep(0.01)", 3)
    assert {observation.vantage for observation in seen.all} == {"liar"}


@pytest.mark.parametrize(
    "line",
    [
        "say(region='mars')",
        "say(check='other')",
        "say(region=['east'])",
        "say(health='dead')",
        "say(sent=float('nan'))",
        "say(sent=float('inf'))",
        "say(sent='now')",
        "say(took=-1)",
        "say(took=float('nan'))",
        "say(detail='x' * 100000)",
        "print('[' * 5000, flush=True)",
        "sys.stdout.buffer.write(bytes(range(256)) + b'\\n'); sys.stdout.flush()",
        "print('null', flush=True)",
    ],
)
def test_what_is_no_answer_to_what_was_asked_is_garbage(line: str) -> None:
    seen, garbage = heard(line, 1)
    assert garbage >= 1
    assert [one for one in seen.all if one.health is not UNKNOWN] == []


@pytest.fixture
def port() -> Iterator[int]:
    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_one_vantage_that_lies_makes_no_region_lost_however_often_it_speaks(port: int) -> None:
    """Two honest ones beside it see what is so."""
    how = "for k in range(100000):\n for region in ('east', 'west'): say(sent=now(), region=region)\n time.sleep(0.02)"
    where = topology(Vantage("liar", lying(how)), Vantage("a"), Vantage("b"), port=port, fall=1)
    seen = Seen(where)
    ever: set[Health] = set()
    with Observers(where, seen):
        until(lambda: ever.add(seen.health()) or sum(one.vantage == "liar" for one in seen.all) > 50)
        until(lambda: seen.health() is GOOD)
        until(lambda: ever.add(seen.health()) or sum(one.vantage == "liar" for one in seen.all) > 100)
    assert DOWN not in ever


def test_an_observation_that_claims_a_time_to_come_is_no_evidence() -> None:
    """In whatever way it got past the door: a voice from the future would otherwise stay fresh for ever."""
    where = topology(Vantage("a"), fall=1)
    state = observe(Detection(where.checks), Observation("a", "east", "web", DOWN, boot() + 3600))
    assert verdicts(state, where, boot())["east"].health is UNKNOWN
    early = observe(Detection(where.checks), Observation("a", "east", "web", DOWN, 100.0))
    again = observe(early, Observation("a", "east", "web", GOOD, 99.0))
    assert again is early


# ---- the log


def entry(seq: int, data: Any) -> Entry:
    return Entry(seq, Kind.SAMPLE, 0, "mallory", 0.0, None, "", "", data)


@pytest.mark.parametrize(
    "forged",
    [
        {"down": "east"},
        {"down": {"at": "now", "seconds": {"east": 1e9}}},
        {"down": {"at": float("nan"), "seconds": {"east": 1.0}}},
        {"down": {"at": 1.0, "seconds": {"east": float("inf")}}},
        {"down": {"at": 1.0, "seconds": {"east": -1e9}}},
        {"down": {"at": 1.0, "seconds": [["east", 5]]}},
        {"down": {"at": True, "seconds": {}}},
        {"acknowledged": {"orders/east": "yesterday"}},
        {"acknowledged": {"orders/east": float("nan")}},
        {"acknowledged": []},
        {"workers": {"web": {"east": "many"}}},
        {"workers": {"web": {"east": 4.5}}},
        {"workers": {"web": 4}},
        {"workers_before": {"web": {"east": [5.0, 8]}}},
        {"workers_before": {"web": {"east": [[5.0, 8.5]]}}},
        {"workers_before": {"web": {"east": [[float("inf"), 8]]}}},
        {"workers_before": {"web": [[5.0, 8]]}},
        {"detected": {"east": None}},
        {"bundle": {"serial": "9", "digest": ""}},
        {"bundle": None},
    ],
)
def test_a_note_in_the_log_without_its_words_shape_is_left_out(forged: dict[str, Any]) -> None:
    """What an honest watcher noted before stays."""
    honest = {
        "down": {"at": 5.0, "seconds": {"east": 3.0}}, "acknowledged": {"orders/east": 5.0}, "detected": {"east": 5.0},
        "workers": {"web": {"east": 4}}, "workers_before": {"web": {"east": [[5.0, 8]]}},
        "bundle": {"serial": 3, "digest": "ab"},
    }  # fmt: skip
    assert sampled(honest, forged) == honest
    assert fold(LogState(), [entry(1, honest), entry(2, forged)]).samples == honest


def test_a_heartbeat_that_was_acknowledged_in_the_future_bounds_no_loss() -> None:
    app = App(load_local(), MemoryStore(), "alice")
    app.remember({"acknowledged": {"orders/east": app.clock.wall() + 3600}})
    app.log()
    assert isinstance(app._acknowledged("orders", "east"), Unknown)
    app.remember({"acknowledged": {"orders/east": app.clock.wall() - 5}})
    assert isinstance(app._acknowledged("orders", "east"), Known)


DELIVER = """
import json, sys
from types import SimpleNamespace
from cloudfail.entrypoints import aws_lambda, gcp_function
hostile = json.loads(sys.argv[1])
context = SimpleNamespace(aws_request_id="12345678-0000", get_remaining_time_in_millis=lambda: 5000)
print(json.dumps(aws_lambda.handler(hostile, context)))
answer, status = gcp_function.tick_http(SimpleNamespace(method="POST", get_json=lambda **_: hostile, data=hostile))
print(json.dumps(answer), status)
"""
EVENT = {
    "source": "aws.cloudwatch",
    "detail": {"alarmName": "east", "state": {"value": "ALARM"}, "region": "east"},
    "command": "approve",
    "run": "",
    "samples": {"down": {"east": 1e9}},
    "observations": [{"vantage": "first", "region": "east", "check": "app", "health": "down", "sent": 1e18}],
    "CLOUDFAIL_CONFIG": "/tmp/other.yaml",
    "__class__": "App",
}


def test_a_forged_event_and_a_forged_note_cost_a_tick_and_change_nothing(tmp_path: Path) -> None:
    """Automation may act on a signed plan; the region serves; the event and the log say that it has been down for ages.
    This process looks for itself."""
    site = Site(tmp_path, automation="automatic")
    try:
        signed = site.cli("plan", "east", "--sign-for", "1h", "--as", "alice")
        assert signed.returncode == 0, signed.stderr
        app = App.open(tmp_path / "cloudfail.yaml", [tmp_path / "runbooks" / "evacuate.yaml"], "mallory")
        app.remember({"down": {"at": app.clock.wall(), "seconds": {"east": 1e9, "mars": 1e9}}})
        environment = {**site.environment(), "CLOUDFAIL_LIMIT_SECONDS": "5", "PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run(
            [sys.executable, "-c", DELIVER, json.dumps(EVENT)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert '"run": null' in ran.stdout and ran.stdout.rstrip().endswith("200")
        log = app.log()
        assert log.runs == {} and log.standing is not None
        assert site.changes() == {}
    finally:
        site.close()
