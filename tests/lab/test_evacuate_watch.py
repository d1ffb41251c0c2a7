"""`cloudfail watch` in a real lab when more goes wrong than the one region: the target dies on the way, two watch at
once, the watcher itself is killed, a person pauses it (I2, I5, I7, L1)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState
from cloudfail.lab import wrapper
from cloudfail.lab.score import score
from cloudfail.model.journal import Entry, Kind
from tests.lab.kit import Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(180),
    pytest.mark.skipif(wrapper.why_not_netns() is not None, reason=f"needs netns: {wrapper.why_not_netns()}"),
]

POLICY = {"lease": "6s", "automation": "automatic"}


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("--synchronous", "remote_apply", policy=POLICY) as one:
        yield one


@pytest.fixture
def slow() -> Iterator[Site]:
    """A lab whose resolver keeps an answer for up to twenty seconds: a run there takes as long, and may."""
    with Site("--synchronous", "remote_apply", "--ttl-seconds", "20", policy=POLICY) as one:
        runbook = one.runbooks / "evacuate-local.yaml"
        text = runbook.read_text()
        www = next(line for line in text.splitlines() if line.lstrip().startswith("www:"))
        runbook.write_text(text.replace(www, www.replace("limit: 10s", "limit: 90s")))
        yield one


def watching(site: Site, *names: str) -> list[subprocess.Popen[bytes]]:
    """Watchers of those names, each of which has seen a healthy primary."""
    signed = site.cloudfail("plan", "east", "--sign-for", "1h", by="carol")
    assert signed.code == 0, signed.text
    watchers = [site.begin(name, "watch", by=name) for name in names]
    end = time.monotonic() + 30.0
    while not all("is healthy" in site.words_of(name) for name in names):
        assert time.monotonic() < end, [site.words_of(name) for name in names]
        time.sleep(0.05)
    return watchers


def kill_9(process: subprocess.Popen[bytes]) -> None:
    """The command itself: `process` is the nsenter that stands before it."""
    below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert below, "it has ended already"
    for pid in below:
        os.kill(int(pid), signal.SIGKILL)
    process.wait(10.0)


def entry(site: Site, kind: Kind, step: str) -> Callable[[LogState], Entry | None]:
    return lambda _log: next(
        (one for one in site.entries if one.kind is kind and one.data.get("step") == step), None
    )  # fmt: skip


def ended(log: LogState) -> RunState | None:
    return next((run for run in log.runs.values() if run.phase.final), None)


def test_two_watchers_open_one_run_between_them(site: Site) -> None:
    watching(site, "north", "south")
    record = site.load(100.0)
    time.sleep(1.5)
    site.lab.ask("kill", region="east")
    run = site.until(ended, 60.0, "an end")
    assert run.phase is Phase.DONE, run.story
    time.sleep(6.0)
    site.log()
    opened = [one for one in site.entries if one.kind is Kind.OPENED]
    assert len(opened) == 1
    intents = [one.data["step"] for one in site.entries if one.kind is Kind.INTENT]
    assert len(intents) == len(set(intents)), intents
    felt = score(site.stop_load(record), site.ids("west"))
    assert felt["writers_at_once_max"] == 1
    assert felt["acknowledged_writes_lost"] == 0
    for name in ("north", "south"):
        assert "Traceback" not in site.words_of(name)


def test_a_watcher_killed_in_the_middle_is_followed_by_the_other_by_itself(site: Site) -> None:
    watching_ones = dict(zip(("north", "south"), watching(site, "north", "south"), strict=True))
    record = site.load(120.0)
    time.sleep(1.5)
    site.lab.ask("kill", region="east")
    fenced = site.until(entry(site, Kind.SEEN, "fence"), 60.0, "a fence")
    holder = fenced.by.split("/")[0]
    kill_9(watching_ones[holder])
    killed = site.run()
    assert not killed.phase.final, "it had ended before the kill"
    run = site.until(ended, 60.0, "an end by the other watcher")
    assert run.phase is Phase.DONE, run.story
    site.log()
    claims = [one for one in site.entries if one.kind is Kind.CLAIM]
    took_over = [one for one in claims if one.data["took_over"]]
    assert len(took_over) == 1
    assert took_over[0].by.split("/")[0] != holder
    felt = score(site.stop_load(record), site.ids("west"))
    assert felt["writers_at_once_max"] == 1
    assert felt["acknowledged_writes_lost"] == 0


def test_a_target_that_dies_on_the_way_halts_the_run_and_takes_no_traffic(site: Site) -> None:
    watching(site, "watch")
    time.sleep(1.0)
    site.lab.ask("kill", region="east")
    site.until(entry(site, Kind.SEEN, "fence"), 60.0, "a fence")
    site.lab.ask("kill", region="west")
    run = site.until(
        lambda log: log.run if log.run is not None and log.run.phase is Phase.HALTED else None, 100.0, "a halt"
    )
    moved = [
        one.data["step"] for one in site.entries if one.kind is Kind.INTENT and one.data["step"] in {"edge", "www"}
    ]
    assert moved == []
    assert site.lab.ask("status")["www"] == "198.18.10.1", "an answer set was changed"
    said = site.cloudfail("status").text
    assert "is HALTED and cannot go on without a person" in said.splitlines()[0]
    assert f"cloudfail resume {run.id}" in said
    assert "west" in said
    print(said)
    print(site.words_of("watch"))


def test_a_pause_in_the_middle_starts_no_new_call_and_resume_goes_on(slow: Site) -> None:
    site = slow
    watching(site, "watch")
    clerk = site.clerk()
    end = time.monotonic() + 30.0
    while clerk.ask("ttl") < 17:
        assert time.monotonic() < end
        time.sleep(0.2)
    clerk.close()
    site.lab.ask("kill", region="east")
    site.until(entry(site, Kind.INTENT, "www"), 60.0, "the name pointed")
    paused = site.cloudfail("pause", "--reason", "the network team is on it", by="carol")
    assert paused.code == 0, paused.text
    assert "is paused" in paused.text
    run = site.run()
    assert run.phase is Phase.PAUSED, (run.story, paused.text)
    site.log()
    seq = next(one.seq for one in site.entries if one.kind is Kind.COMMAND)
    time.sleep(10.0)
    site.log()
    after = [one for one in site.entries if one.seq > seq and one.kind in {Kind.INTENT, Kind.SEEN}]
    assert after == []
    said = site.cloudfail("status").text
    assert "is PAUSED: no new call is made until it is resumed" in said.splitlines()[0], said
    print(said)
    resumed = site.cloudfail("resume", run.id, by="carol")
    print(resumed.text)
    assert resumed.code == 0, resumed.text
    assert site.run(run.id).phase is Phase.DONE
    intents = [one.data["step"] for one in site.entries if one.kind is Kind.INTENT]
    assert len(intents) == len(set(intents)), intents
