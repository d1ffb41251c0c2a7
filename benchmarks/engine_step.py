"""What the engine adds to a step: a run of serial steps against two bare synced appends on the same disk, in one run.

    python benchmarks/engine_step.py --steps 200 --rounds 15

Every step is a change that takes no time at all, so what is left is the engine's own: it looks, journals the intent,
makes the call in a thread, journals the result, looks again and journals what was seen; reads the tail of the log
before it decides and again right before the call; folds each entry and asks the core what comes next. The store is
SQLite as in production (WAL, synchronous=FULL), the clock is the system's.

The floor is two appends of as many bytes as this run's entries had, to the same kind of file in the same directory: an
intent before and a result after, the least that a journal which survives a crash can do. Rounds alternate. Exit code
0: the median of the time per step is at most 3 times the median of two bare appends.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudfail.actions import Done, Look, StepContext, Todo, World
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.journal import Journal
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Kind
from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.runbook import Mode
from cloudfail.ports import Call
from cloudfail.stores.sqlite import SQLiteStore

BOUND = 3.0
LEASE_SECONDS = 30.0


class Instantly:
    """A step that is done as soon as it is ordered. What was ordered lives here, as it would in a cloud."""

    name, port, verb = "benchmark.change", "", "change"
    undo: str | None = None
    waits_for_source = False

    def __init__(self) -> None:
        self.changed: set[str] = set()

    def observe(self, world: World, context: StepContext) -> Look:
        name = context.step.name
        if name in self.changed:
            return Done(f"{name} is as it should be")
        return Todo(f"change {name}", before="as it was", after="as it should be")

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        call.check()
        self.changed.add(context.step.name)


def serial_plan(steps: int) -> Plan:
    names = [f"step-{number:03}" for number in range(steps)]
    planned = tuple(
        PlannedStep(
            name=name,
            action=Instantly.name,
            gate=None,
            arguments={"where": "west"},
            needs=(names[number - 1],) if number else (),
            limit_seconds=600.0,
            expires_seconds=600.0,
            retries=3,
            facts=StepFacts(verb="change", fencing="condition", typical_seconds=0.1),
        )
        for number, name in enumerate(names)
    )
    return Plan("shop", "serial", Mode.FAILOVER, "east", "west", planned, Bounds(30.0), secrets.token_hex(32), 3600.0)


def engine_round(path: Path, steps: int, profile: cProfile.Profile | None) -> tuple[float, int, int]:
    """(seconds per step, entries per step, bytes per entry) of one run."""
    store, clock, action = SQLiteStore(path), SystemClock(), Instantly()
    actions: Mapping[str, Any] = {Instantly.name: action}
    journal = Journal(store, "shop", clock, "benchmark")
    opened = {
        "run": "run", "plan": plan_document(serial_plan(steps)), "automation": "off", "reason": "a benchmark",
        "preapproved": "", "standing": False,
    }  # fmt: skip
    journal.append(Kind.OPENED, opened)
    engine = Engine(
        store=store, application="shop", world=None, actions=actions, clock=clock,  # type: ignore[arg-type]
        calls=ThreadCalls(), worker="benchmark", lease_seconds=LEASE_SECONDS,
    )  # fmt: skip
    if profile is not None:
        profile.enable()
    began = time.perf_counter()
    state = engine.drive()
    took = time.perf_counter() - began
    if profile is not None:
        profile.disable()
    run = state.runs["run"]
    if run.phase is not Phase.DONE or len(action.changed) != steps:
        raise SystemExit(f"The run is {run.phase} after {len(action.changed)} of {steps} steps: {run.story[-1].text}")
    entries = [stored for stored in store.read("shop", 1) if b'"step":' in stored.body]
    store.close()
    if len(entries) != 3 * steps:
        raise SystemExit(f"{len(entries)} entries for {steps} steps: each must have its intent, result and seen.")
    return took / steps, len(entries) // steps, sum(len(entry.body) for entry in entries) // len(entries)


def bare_round(path: Path, steps: int, size: int) -> float:
    """Seconds per two bare appends."""
    store = SQLiteStore(path)
    body = os.urandom(size)
    began = time.perf_counter()
    for seq in range(1, 2 * steps + 1):
        store.append("bare", seq, body)
    took = time.perf_counter() - began
    store.close()
    return took / steps


def bootstrap(rounds: list[tuple[float, float]], draws: int = 10_000) -> tuple[float, float]:
    """95 % interval of the ratio of medians, whole rounds drawn again."""
    draw = random.Random(20)
    ratios = sorted(
        statistics.median(a for a, _ in sample) / statistics.median(b for _, b in sample)
        for sample in (draw.choices(rounds, k=len(rounds)) for _ in range(draws))
    )
    return ratios[int(draws * 0.025)], ratios[int(draws * 0.975)]


def main() -> int:
    parser = argparse.ArgumentParser(description="The engine's time per step against two bare synced appends.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--directory", type=Path, help="where the files go (default: the system's temporary directory)")
    parser.add_argument("--profile", action="store_true", help="print where the engine's thread spends its time")
    arguments = parser.parse_args()
    print(
        f"{time.strftime('%Y-%m-%d')}  {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}; {arguments.steps} serial steps, {arguments.rounds} rounds"
    )
    profile = cProfile.Profile() if arguments.profile else None
    ours, bare = [], []
    with tempfile.TemporaryDirectory(dir=arguments.directory, prefix="cloudfail-benchmark-") as name:
        directory = Path(name)
        engine_round(directory / "warm.db", 10, None)
        for number in range(arguments.rounds):
            step, entries, size = engine_round(directory / f"engine-{number}.db", arguments.steps, profile)
            two = bare_round(directory / f"bare-{number}.db", arguments.steps, size)
            ours.append(step)
            bare.append(two)
            print(
                f"round {number + 1}: {step * 1e3:.3f} ms per step ({entries} entries of {size} bytes), "
                f"{two * 1e3:.3f} ms per two bare appends, ratio {step / two:.2f}"
            )
    ratio = statistics.median(ours) / statistics.median(bare)
    low, high = bootstrap(list(zip(ours, bare, strict=True)))
    passed = ratio <= BOUND
    print(
        f"medians: {statistics.median(ours) * 1e3:.3f} ms per step, {statistics.median(bare) * 1e3:.3f} ms per two "
        f"bare appends; ratio {ratio:.2f} (95 % interval {low:.2f} to {high:.2f}), bound {BOUND:g}  "
        f"{'PASS' if passed else 'FAIL'}"
    )
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
