"""A real SIGKILL at every boundary of the shipped runbooks, in a real lab: another process carries the run on to the
same end, every state change happens once, and the clients see one writer and lose nothing (I1, I2, I4, I9).

The lab goes in circles: evacuate (a region is killed), restore, fail back; a worker dies once in each leg, and
`cloudfail resume`, typed by somebody else, finishes the leg. CI takes a sample that holds every verb;
CLOUDFAIL_FULL=1 takes every boundary; CLOUDFAIL_PART=2/3 the second of three parts of them, so that three labs may
share it, and CLOUDFAIL_FROM=9 goes on with the ninth circle.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.lab import wrapper
from cloudfail.lab.score import score
from cloudfail.model.journal import Kind
from tests.lab.kit import Clerk, Site, stopped

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
PART, PARTS = (int(number) for number in os.environ.get("CLOUDFAIL_PART", "1/1").split("/"))
FROM = int(os.environ.get("CLOUDFAIL_FROM", "1"))
SECONDS_MAX = 10800 if FULL else 480
# Short, so that a take-over comes soon. A call may take 0.45 of it: pg_rewind needs half a second here, and several on
# a machine that is busy with other tests.
LEASE, LEASE_OF_A_REJOIN = "3s", "20s" if FULL else "6s"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(SECONDS_MAX),
    pytest.mark.skipif(wrapper.why_not_netns() is not None, reason=f"needs netns: {wrapper.why_not_netns()}"),
]

LEGS = {
    "evacuate-local": ("east", "west"),
    "restore-local": ("east", "west"),
    "failback-local": ("west", "east"),
}
# One line, one circle: where the worker dies (is stopped) in each of its legs, before, inside or after each verb;
# CLOUDFAIL_FULL=1 takes every boundary there is.
SAMPLE = (
    ("before effect promote:promote", "after effect follow:rewind", "after effect fence:fence"),
    ("before effect edge:point", "before effect follow:start", "before effect promote:promote"),
    ("after append intent scale:scale", "before append result unfreeze:let", "after effect promote:stop"),
)
STOPS = ("inside effect promote:promote", "inside effect follow:start", "inside effect www:point")
SERVES = {"role": "primary", "writable": True}
FOLLOWS = {"role": "replica", "writable": False}
EFFECTS = {
    "evacuate-local": "freeze:hold freeze_old:hold scale:scale promote:promote write:write edge:point www:point "
    "unfreeze:let",
    "restore-local": "follow:keep follow:checkpoint follow:rewind follow:write follow:start follow:let unfreeze:let",
    "failback-local": "freeze:hold freeze_old:hold scale:scale fence:fence promote:stop promote:promote write:write "
    "edge:point www:point follow:write follow:start follow:let unfreeze:let unfreeze_old:let",
}


@dataclass
class Leg:
    """How one leg went: the boundaries that the first worker reached, and the verbs that came back, of both."""

    run: str
    phase: Phase
    names: list[str]
    returned: Counter[str]
    ordered: set[str]
    world: Mapping[str, Any]
    died: bool
    quiet: bool = True
    woken: tuple[int, str] = (0, "")


@dataclass
class Circle:
    """One lab that goes round and round. `play` does one leg."""

    site: Site
    clerk: Clerk = field(init=False)
    configs: Mapping[str, Path] = field(init=False)

    def __post_init__(self) -> None:
        # An evacuation of a dead region can prove its fence by synchronous replication only; the way home has a source
        # that answers, and fences it by logins, so that the fence's own verbs are crossed too.
        slower = {"lease": LEASE_OF_A_REJOIN}
        self.configs = {
            "evacuate-local": self.site.config,
            "restore-local": self.site.variant("restore", policy=slower),
            "failback-local": self.site.variant("failback", orders={"fences": ["logins"]}, policy=slower),
        }
        self.clerk = self.site.clerk()

    def prepare(self, leg: str, run: str | None = None) -> None:
        lab = self.site.lab
        match leg:
            case "evacuate-local":
                lab.ask("kill", region="east")
            case "restore-local":
                lab.ask("start", region="east")
            case "failback-local":
                lab.ask("scale", region="east", count=1)

    def play(self, leg: str, at: str = "", how: str = "kill") -> Leg:
        site = self.site
        source, target = LEGS[leg]

        if leg == "evacuate-local":
            site.lab.ask("scale", region="west", count=1)
            self._beaten()
            run = self.clerk.ask("open", source=source, target=target, runbook=leg)
            self.prepare(leg)
        else:
            self.prepare(leg)
            run = self.clerk.ask("open", source=source, target=target, runbook=leg)
        config = self.configs[leg]
        notes = site.directory / f"{run}.notes"
        words = ["work", str(config), str(site.runbooks), run, str(notes), *([at, how] if at else [])]
        worker = site.begin_worker(run, *words)
        died, quiet, woken = False, True, (0, "")
        try:
            end = time.monotonic() + 90.0
            while time.monotonic() < end and worker.poll() is None and not (how == "stop" and stopped(worker)):
                time.sleep(0.02)
            died = worker.poll() == -signal.SIGKILL or (how == "stop" and worker.poll() is None)
            if not at or ("checkpoint" in at and not died):  # PostgreSQL may have made it by itself
                assert worker.poll() == 0, site.words_of(run)
            else:
                assert died, f"{leg} never came to {at!r}: {worker.poll()}\n{site.words_of(run)}"
                said = site.cloudfail("resume", run, by="bob", config=config)
                assert said.code == 0, f"{leg} killed {at}\n{said.text}\n{site.words_of(run)}"
            # What a woken worker's last calls come back with counts no more: they were sent again, as calls that change
            # nothing, and the world is held against what it must be.
            names = notes.read_text().splitlines()
            if how == "stop":
                before = site.log().seq
                worker.send_signal(signal.SIGCONT)
                worker.wait(20.0)
                woken, quiet = (worker.returncode, site.words_of(run)), site.log().seq == before
        finally:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                site.stop(worker)
        done = Counter(name.removeprefix("after effect ") for name in names if name.startswith("after effect"))
        site.log()
        ordered: set[str] = set()
        effects: dict[str, str] = {}
        for entry in [entry for entry in site.entries if entry.data.get("run") == run]:
            if entry.kind not in {Kind.INTENT, Kind.RESULT} or entry.data["way"] != "do":
                continue
            step = entry.data["step"]
            if entry.kind is Kind.INTENT:
                effects[step] = str(entry.data["effect"]).split()[0]
                ordered.add(f"{step}:{effects[step]}")
            elif entry.data["outcome"] == "ok" and entry.by.startswith("bob/"):
                done[f"{step}:{effects[step]}"] += 1
        return Leg(
            run=run,
            phase=site.run(run).phase,
            names=names,
            returned=done,
            ordered=ordered,
            world=self._world(target),
            died=died,
            quiet=quiet,
            woken=woken,
        )

    def _world(self, serving: str) -> Mapping[str, Any]:
        """What is true now; asked again while a busy machine did not answer in time."""
        end = time.monotonic() + 20.0
        while True:
            world = self.clerk.ask("world")
            known = [isinstance(world[serving][what], Mapping) for what in ("database", "workers", "frozen")]
            if (all(known) and isinstance(world["edge"], Mapping) and world["resolved"]) or time.monotonic() > end:
                return dict(world)

    def _beaten(self) -> None:
        """Wait for a heartbeat of now: the fence's proof is made of it."""
        since = time.time()
        end = time.monotonic() + 15.0
        while time.monotonic() < end:
            beat = self.clerk.ask("beats")
            if beat is not None and beat > since:
                return
            time.sleep(0.1)
        raise AssertionError("no heartbeat was acknowledged")

    def close(self) -> None:
        self.clerk.close()
        self.site.close()


@pytest.fixture(scope="module")
def circle() -> Iterator[Circle]:
    going = Circle(Site("--synchronous", "remote_apply", policy={"lease": LEASE, "automation": "off"}))
    try:
        yield going
    finally:
        going.close()


def test_a_worker_killed_at_any_boundary_is_followed_by_another_and_the_end_is_the_same(circle: Circle) -> None:
    for number, boundaries in enumerate(circles(circle), FROM):
        go_round(circle, boundaries)
        print(f"circle {number} held: {', '.join(boundaries)}", flush=True)


def test_a_worker_stopped_inside_a_verb_past_its_lease_wakes_and_changes_nothing(circle: Circle) -> None:
    for leg in go_round(circle, STOPS, "stop"):
        code, said = leg.woken
        assert code == 4, said
        assert "took over this application. This worker makes no further call; the run goes on there." in said, said
        assert said.rstrip().endswith("See it: cloudfail status")
        assert "Traceback" not in said
        assert leg.quiet, "the woken worker wrote to the journal"


def circles(circle: Circle) -> Iterator[tuple[str, ...]]:
    """The sample; or every boundary that a calm circle shows, one of each leg at a time."""
    if not FULL:
        yield from SAMPLE
        return
    calm = [circle.play(leg) for leg in LEGS]
    names = [[name for name in leg.names if "#" not in name] for leg in calm]
    for number in range(PART - 1 + PARTS * (FROM - 1), max(map(len, names)), PARTS):
        yield tuple(one[number % len(one)] for one in names)


def go_round(circle: Circle, boundaries: tuple[str, ...], how: str = "kill") -> list[Leg]:
    """One circle under clients' writes, the worker ended once in each leg; everything is held against what must be."""
    record = circle.site.load(300.0)
    before = circle.clerk.ask("world")
    legs = []
    for (leg, (source, target)), at in zip(LEGS.items(), boundaries, strict=True):
        played = circle.play(leg, at, how)
        legs.append(played)
        where = f"{leg}, {how} {at}"
        assert played.phase is Phase.DONE, where
        moved = leg != "restore-local"
        serving = target
        ends_as_it_must(played.world, serving, where)
        assert timeline(played.world) - timeline(before) == moved, f"{where}: promoted not exactly once"
        assert played.world["serial"] - before["serial"] == moved, f"{where}: the name was not changed exactly once"
        happened_once(leg, played, where)
        before = played.world
    writes = circle.site.stop_load(record)
    felt = score(writes, circle.site.ids("east"), hand_overs=2)
    assert felt["writers_at_once_max"] == 1, boundaries
    assert felt["acknowledged_writes_lost"] == 0, boundaries
    assert felt["acknowledged_writes"] > 200, felt
    return legs


def ends_as_it_must(world: Mapping[str, Any], serving: str, where: str) -> None:
    other = "east" if serving == "west" else "west"
    weights = {serving: 100, other: 0}
    address = {"east": "198.18.10.1", "west": "198.18.20.1"}[serving]
    assert SERVES.items() <= world[serving]["database"].items(), (where, world)
    if isinstance(world[other]["database"], Mapping):
        assert FOLLOWS.items() <= world[other]["database"].items(), (where, world)
        assert world[other]["database"]["in_sync"], (where, world)
    assert world["edge"]["weights"] == weights, where
    assert world["www"] == {"weights": weights, "answers": [address]}, where
    assert world["resolved"] == {"198.18.53.2:53": [address]}, where
    assert world[serving]["workers"] == {"wanted": 2, "running": 2}, where
    assert world[serving]["frozen"] == {"frozen": False}, where


def happened_once(leg: str, played: Leg, where: str) -> None:
    """No effect came back from its verb twice, in whichever process, and each that the leg is made of was ordered. (A
    call that was cut short may have landed and is not counted; PostgreSQL may make the checkpoint by itself; on a
    machine too slow to rewind within one call, a clone follows.)"""
    wanted = set(EFFECTS[leg].split())
    assert wanted - played.ordered <= {"follow:checkpoint"}, (where, played.ordered)
    assert played.ordered - wanted <= {"follow:clone", "follow:put", "follow:stop"}, (where, played.ordered)
    again = {"follow:keep"} if "follow:clone" in played.ordered else set()  # what a rewind that failed left is kept too
    once = {effect: count for effect, count in played.returned.items() if effect not in again}
    assert all(count == 1 for count in once.values()), (where, played.returned)


def timeline(world: Mapping[str, Any]) -> int:
    members = [world[region]["database"] for region in ("east", "west")]
    return max(int(member["timeline"]) for member in members if isinstance(member, Mapping))
