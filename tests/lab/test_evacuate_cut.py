"""A region cut off with clients still inside, and a region that freezes and wakes: what is not proven is owed, nobody
is told `done`, and what was owed is settled before the old side may serve again (I1, I3, I5, I8)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState, Track
from cloudfail.lab import wrapper
from cloudfail.lab.score import Write, score
from cloudfail.model.journal import Kind
from tests.lab.kit import Site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(180),
    pytest.mark.skipif(wrapper.why_not_netns() is not None, reason=f"needs netns: {wrapper.why_not_netns()}"),
]

POLICY = {"lease": "6s", "automation": "automatic"}
STILL_SECONDS = 3.0


@pytest.fixture
def asynchronous() -> Iterator[Site]:
    with Site("--synchronous", "off", policy=POLICY) as site:
        yield site


@pytest.fixture
def synchronous() -> Iterator[Site]:
    with Site("--synchronous", "remote_apply", policy=POLICY) as site:
        yield site


def acknowledged(writes: list[Write], group: str, after: float) -> list[Write]:
    own = [write for write in writes if write.group == group and write.sent > after]
    return [write for write in own if write.outcome == "acknowledged"]


def open_run(log: LogState) -> RunState | None:
    return log.run


def ended(log: LogState) -> RunState | None:
    return next((run for run in log.runs.values() if run.phase.final), None)


def fence_settled(log: LogState) -> bool:
    return any(run.track(Track("fence", "owed")).ended == "done" for run in log.runs.values())


def serving(site: Site) -> tuple[str, dict[str, bool]]:
    """Where the name points, and which databases are standbys."""
    status = site.lab.ask("status")
    databases = {name: region["database"] for name, region in status["regions"].items()}
    return status["www"], {name: data["standby"] for name, data in databases.items() if isinstance(data, dict)}


def waits_for_a_person(site: Site) -> RunState:
    """The watcher's run stands at its gate with the fence owed; nothing of it says that the fence is done."""
    run: RunState = site.until(
        lambda log: log.run if log.run is not None and log.run.phase is Phase.GATED else None, 30.0, "a gate"
    )
    time.sleep(STILL_SECONDS)
    run = site.run(run.id)
    assert run.phase is Phase.GATED, run.story
    assert run.did("fence").ended == "owed"
    assert not run.promoted
    address, standbys = serving(site)
    assert address == "198.18.10.1", "the name was moved without a promotion"
    assert standbys["west"], "west was promoted without a person"
    said = site.cloudfail("status").text
    first = said.splitlines()[0]
    assert "WAITS FOR A PERSON at approve" in first, said
    assert "done" not in first, said
    assert "--accept-owed-fence" in said, said
    steps = site.cloudfail("status", run.id).text
    assert not [line for line in steps.splitlines() if line.split()[:2] == ["done", "fence"]], steps
    assert not [line for line in site.words_of("watch").splitlines() if "is done" in line]
    assert not [line for line in site.words_of("watch").splitlines() if "fence  done" in line]
    return run


def approve(site: Site, run: RunState) -> RunState:
    """A named person accepts the owed fence and a number of seconds, and the run goes on to a degraded end."""
    plain = site.cloudfail("approve", run.id, "--reason", "just do it", by="dave")
    assert plain.code == 0, plain.text
    time.sleep(1.0)
    assert site.run(run.id).phase is Phase.GATED, "an approval that does not name the owed fence passed the gate"
    said = site.cloudfail(
        "approve", run.id, "--accept-owed-fence", "--loss-seconds", "300", "--reason", "site unreachable", by="carol"
    )
    assert said.code == 0, said.text
    run = site.until(ended, 45.0, "an end")
    assert run.phase is Phase.DEGRADED, run.story
    assert run.accepted.owed_fence == "carol"
    assert "DEGRADED" in site.cloudfail("status").text.splitlines()[0]
    address, standbys = serving(site)
    assert address == "198.18.20.1"
    assert not standbys["west"]
    return run


def watching(site: Site) -> None:
    signed = site.cloudfail("plan", "east", "--sign-for", "1h", by="carol")
    assert signed.code == 0, signed.text
    site.begin("watch", "watch", by="watcher")
    end = time.monotonic() + 20.0
    while "is healthy" not in site.words_of("watch"):
        assert time.monotonic() < end, site.words_of("watch")
        time.sleep(0.05)


def test_a_cut_with_clients_inside_is_owed_and_settled_first_when_it_heals(asynchronous: Site) -> None:
    site = asynchronous
    watching(site)
    record = site.load(150.0)
    time.sleep(2.0)
    cut_at = time.monotonic()
    site.lab.ask("cut", region="east")
    run = waits_for_a_person(site)
    approve(site, run)
    refused = site.cloudfail("plan", "west", "--to", "east", "--runbook", "failback-local")
    assert refused.code == 2, refused.text
    assert "it may take no traffic before that is settled" in " ".join(refused.text.split()), refused.text
    assert acknowledged(site.stop_load(record), "inside-east", cut_at + 2.0), "nobody wrote inside of the cut region"
    record = site.load(60.0)
    site.lab.ask("heal")
    healed_at = time.monotonic()
    site.until(fence_settled, 30.0, "the owed fence settled")
    settled_at = time.monotonic()
    time.sleep(3.0)
    writes = site.stop_load(record)
    assert acknowledged(writes, "inside-east", settled_at) == [], "the old side took a write after it was fenced"
    refusals = {write.reason for write in writes if write.group == "inside-east" and write.sent > settled_at}
    assert refusals, "nobody tried"
    assert len(acknowledged(writes, "edge", settled_at)) > 20
    assert {write.region for write in acknowledged(writes, "edge", healed_at)} == {"west"}
    after = [entry for entry in site.entries if entry.kind is Kind.INTENT and entry.data["way"] == "owed"]
    assert [entry.data["step"] for entry in after] == ["fence"]
    print(f"settled {settled_at - healed_at:.2f} s after the heal; refusals {refusals}")
    print(site.cloudfail("status").text)


def test_the_same_cut_is_prevented_under_synchronous_replication_and_passes_by_itself(synchronous: Site) -> None:
    site = synchronous
    watching(site)
    record = site.load(100.0)
    time.sleep(2.0)
    site.lab.ask("cut", region="east")
    cut_at = time.monotonic()
    run = site.until(ended, 45.0, "an end without a person")
    assert run.phase is Phase.DONE, run.story
    assert run.did("fence").outcome == "prevented"
    time.sleep(1.0)
    site.lab.ask("heal")
    time.sleep(3.0)
    writes = site.stop_load(record)
    felt = score(writes, site.ids("west"))
    assert felt["acknowledged_writes_lost"] == 0
    assert felt["writers_at_once_max"] == 1
    # One that east waited for when the cut came may have been replicated already.
    assert acknowledged(writes, "inside-east", cut_at + 0.5) == []
    assert len([write for write in writes if write.group == "inside-east" and write.sent > cut_at]) > 20
    assert {write.region for write in acknowledged(writes, "edge", cut_at + 0.5)} == {"west"}
    print(felt["write_outage_seconds"])


def test_a_frozen_primary_that_wakes_acknowledges_nothing_under_synchronous_replication(synchronous: Site) -> None:
    site = synchronous
    watching(site)
    record = site.load(100.0)
    time.sleep(2.0)
    site.lab.ask("freeze", region="east")
    frozen_at = time.monotonic()
    run = site.until(ended, 45.0, "an end without a person")
    assert run.phase is Phase.DONE, run.story
    site.lab.ask("wake", region="east")
    time.sleep(4.0)
    writes = site.stop_load(record)
    felt = score(writes, site.ids("west"))
    assert felt["acknowledged_writes_lost"] == 0
    assert felt["writers_at_once_max"] == 1
    assert [write for write in writes if write.region == "east" and write.sent > frozen_at] == []
    assert {write.region for write in acknowledged(writes, "dns", frozen_at + 0.5)} == {"west"}


def test_a_frozen_asynchronous_primary_is_fenced_by_the_obligation_when_it_wakes(asynchronous: Site) -> None:
    site = asynchronous
    watching(site)
    record = site.load(150.0)
    time.sleep(2.0)
    site.lab.ask("freeze", region="east")
    approve(site, waits_for_a_person(site))
    site.lab.ask("wake", region="east")
    woke_at = time.monotonic()
    site.until(fence_settled, 30.0, "the owed fence settled")
    settled_at = time.monotonic()
    time.sleep(3.0)
    writes = site.stop_load(record)
    assert acknowledged(writes, "inside-east", settled_at) == [], "the old side took a write after it was fenced"
    assert len([write for write in writes if write.group == "inside-east" and write.sent > settled_at]) > 20
    assert {write.region for write in acknowledged(writes, "edge", woke_at)} == {"west"}
    print(f"fenced {settled_at - woke_at:.2f} s after it woke")
