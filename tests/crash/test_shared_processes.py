"""The same with real processes, a real file of SQLite, SIGKILL and SIGSTOP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudfail.clock import SystemClock
from cloudfail.journal import Journal
from cloudfail.model.journal import Entry, Kind
from cloudfail.resource_log import log_of
from cloudfail.stores.sqlite import SQLiteStore
from tests.crash.sharing import APPLICATIONS, EAST, LISTENER, WEST, open_run, plan

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 120.0

pytestmark = pytest.mark.timeout(600)


@dataclass
class Site:
    directory: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = SQLiteStore(self.directory / "state.db", busy_seconds=30.0)
        groups = {f"{name}-{region}": 100 if region == EAST else 0 for name in APPLICATIONS for region in (EAST, WEST)}
        self.list = self.directory / "list.json"
        self.list.write_text(json.dumps(groups))

    def open(self, *shared: str) -> None:
        for application in APPLICATIONS:
            open_run(self.store, plan(application, *shared), SystemClock())

    def begin(self, application: str, notes: str, how: str = "", seconds: float = 0.3) -> subprocess.Popen[bytes]:
        words = [str(self.directory / "state.db"), str(self.list), application, str(self.directory / notes), how]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.shared_worker", *words, str(seconds)], cwd=ROOT
        )  # fmt: skip
        self.processes.append(process)
        return process

    def notes(self, name: str) -> list[str]:
        file = self.directory / name
        return file.read_text().splitlines() if file.exists() else []

    def weights(self, application: str) -> tuple[int, int]:
        groups = json.loads(self.list.read_text())
        return groups[f"{application}-{EAST}"], groups[f"{application}-{WEST}"]

    def entries(self) -> list[Entry]:
        return Journal(self.store, log_of(LISTENER), SystemClock(), "reader").refresh()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait(30)


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("turn", range(10 if FULL else 2))
def test_two_processes_that_write_one_list_lose_no_change(site: Site, turn: int) -> None:
    site.open(LISTENER)
    both = [site.begin(name, name, seconds=0.2 + 0.1 * turn) for name in APPLICATIONS]
    assert [process.wait(SECONDS_MAX) for process in both] == [0, 0]
    assert [site.weights(name) for name in APPLICATIONS] == [(0, 100)] * 2
    kinds = [entry.kind for entry in site.entries()]
    assert kinds == [Kind.CLAIM, Kind.RELEASE] * 2


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_holder_that_is_killed_or_stopped_is_taken_over_and_its_call_does_not_begin(site: Site, how: str) -> None:
    site.open(LISTENER)
    first = site.begin("billing", "first", how)
    until(lambda: "holds" in site.notes("first"), "the first worker never came to hold the list")
    other = site.begin("shop", "other")
    assert other.wait(SECONDS_MAX) == 0
    assert site.weights("shop") == (0, 100)
    assert site.weights("billing") == (100, 0), "what was held back is as it was"
    claims = [entry for entry in site.entries() if entry.kind is Kind.CLAIM]
    assert [entry.data["application"] for entry in claims] == ["billing", "shop"]
    waited = claims[1].at - claims[0].at
    lapse = claims[0].data["lease_seconds"] * 1.25 + claims[0].data["quiet_seconds"]
    assert waited >= lapse - 0.5, "it took over too early"
    if how == "stop":
        os.kill(first.pid, signal.SIGCONT)
        until(lambda: "woke" in site.notes("first"), "it did not wake")
    # Its own run goes on, by itself or by another: its change comes on top, and the other's stays.
    if how == "kill":
        assert first.wait(30) == -signal.SIGKILL
    else:
        until(lambda: first.poll() is not None, "the woken worker does not end")
        woke = site.notes("first")
        assert "sends" not in woke[woke.index("woke") : woke.index("woke") + 2], "woken, it sent what it held"
    assert site.begin("billing", "second").wait(SECONDS_MAX) == 0
    assert [site.weights(name) for name in APPLICATIONS] == [(0, 100)] * 2
