"""How long clients cannot write: cloudfail against the shortest script that fails over, in one run.

    python benchmarks/outage.py --pairs 40

A region of the lab (real PostgreSQL with remote_apply, real HAProxy, real clients) is killed with SIGKILL under load.
Both contenders probe every 0.5 s and count three failures. `minimal.py` is one observer that promotes and steers and
does nothing else. cloudfail is a real `cloudfail watch`: three vantages of which two must agree, a standing plan that
was signed, the shipped runbook evacuate-local with fence, gate, journal and a write that is seen to succeed before
traffic moves. Runs alternate, each in a lab of its own; in pair k of n both are killed at k/n of the probe interval.

The outage is the longest time between two acknowledged writes of the clients at the edge (100 writes/s, no retries).
Every kill is proven and every recovery seen, or the run does not pass. Exit code 0: the ratio of the medians is at most
1.25, no acknowledged write was lost and there was never more than one writer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError
from cloudfail.execution.state import LogState, fold
from cloudfail.journal import Journal
from cloudfail.lab import configuration, wrapper
from cloudfail.lab import load as client_load
from cloudfail.lab.lab import Lab
from cloudfail.lab.score import read, score
from cloudfail.lab.spec import LabSpec
from cloudfail.model.journal import Entry
from cloudfail.shipped import runbook_file
from cloudfail.stores.sqlite import SQLiteStore

BOUND = 1.25
INTERVAL_SECONDS = 0.5
RATES = {"edge": 100.0, "inside-east": 10.0, "inside-west": 10.0}
SPEC = LabSpec(synchronous="remote_apply", ttl_seconds=1, workers={"east": 1, "west": 1})
CALM_SECONDS = 2.2
"""More than the 1.95 s that cloudfail insists on having watched before it acts; both contenders are given it."""
RECOVERED_SECONDS = 0.6
PATIENCE_SECONDS = 20.0
LAB_STARTS_MAX = 3
MINIMAL = Path(__file__).with_name("minimal.py")


@dataclass(frozen=True)
class Run:
    """One kill. Seconds; `phases` are counted from the kill."""

    contender: str
    pair: int
    offset: float
    outage: float
    lost: int
    writers: int
    acknowledged: int
    killed: int
    phases: dict[str, float] = field(default_factory=dict)
    steps_before_traffic: tuple[str, ...] = ()


class NotProven(Exception):
    """A kill that did not hit, or a recovery that was not seen: this run says nothing of the outage."""


# ---- the two contenders: started before the kill, asked afterwards what they did when


class Minimal:
    name = "minimal"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.words = lab.directory / "minimal.log"

    def start(self) -> None:
        argv = [
            *self.lab.inside("control"), sys.executable, "-P", str(MINIMAL),
            "--host", self.lab.layout.addresses["east"], "--port", str(self.lab.layout.http_port),
            "--standby-dsn", self.lab.layout.dsn("west", "cloudfail"), "--edge-socket", str(self.lab.edge_socket),
        ]  # fmt: skip
        with self.words.open("wb") as words:
            self.process = subprocess.Popen(argv, env=wrapper.environment(), stdout=words, stderr=subprocess.STDOUT)

    def events(self) -> dict[str, float]:
        lines = self.words.read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return {event["event"]: event["at"] for event in events}

    def calm(self) -> bool:
        return "calm" in self.events()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def phases(self, killed_at: float) -> dict[str, float]:
        events = self.events()
        return {name: events[name] - killed_at for name in ("detected", "promoted", "traffic")}

    def steps_before_traffic(self) -> tuple[str, ...]:
        return ()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Cloudfail:
    name = "cloudfail"

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.directory = lab.directory / "application"
        self.words = self.directory / "watch.log"
        self.log = LogState()
        self.entries: list[Entry] = []

    def start(self) -> None:
        (self.directory / "runbooks").mkdir(parents=True)
        document = configuration.document(self.lab)
        document["policy"] |= {"hold_down": "0s", "runbook": "evacuate-local"}
        (self.directory / "cloudfail.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        shutil.copy(runbook_file("evacuate-local"), self.directory / "runbooks")
        signed = subprocess.run(
            self._argv("plan", "east", "--sign-for", "1h", "--format", "json"),
            env=wrapper.environment(), cwd=self.directory, text=True, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        if signed.returncode != 0:
            raise NotProven(f"the plan was not signed: {signed.stdout}{signed.stderr}")
        with self.words.open("wb") as words:
            self.process = subprocess.Popen(
                self._argv("watch"),
                env=wrapper.environment(),
                cwd=self.directory,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
        self.journal = Journal(SQLiteStore(self.lab.directory / "state.db"), "shop", SystemClock(), "benchmark")

    def _argv(self, *words: str) -> list[str]:
        config = self.directory / "cloudfail.yaml"
        prefix = self.lab.inside("control")
        return [*prefix, sys.executable, "-P", "-m", "cloudfail", *words, "--config", str(config), "--as", "benchmark"]

    def calm(self) -> bool:
        return "is healthy" in self.words.read_text()

    def ended(self) -> bool:
        """Whether the run that the watcher opened is over, all of its steps seen done or owed."""
        fresh = self.journal.refresh()
        self.entries += fresh
        self.log = fold(self.log, fresh)
        return any(run.phase.final for run in self.log.runs.values())

    def phases(self, killed_at: float) -> dict[str, float]:
        offset = time.time() - time.monotonic() + killed_at
        at = {"detected": self.log.samples["detected"]["east"]}
        for entry in self.entries:
            if entry.kind == "opened":
                at["opened"] = entry.at
            elif entry.kind == "seen" and entry.data["way"] == "do":
                at[entry.data["step"]] = entry.at
        return {name: at[name] - offset for name in ("detected", "opened", "fence", "promote", "write", "edge")}

    def steps_before_traffic(self) -> tuple[str, ...]:
        """The steps that had ended when the edge was ordered to turn over."""
        ended: list[str] = []
        for entry in self.entries:
            if entry.kind == "intent" and entry.data["step"] == "edge":
                break
            if entry.kind == "seen" and entry.data["way"] == "do":
                ended.append(entry.data["step"] + (" (owed)" if entry.data["ended"] == "owed" else ""))
            elif entry.kind == "gate" and entry.data["event"] == "gate passed":
                ended.append(entry.data["step"])
        return tuple(ended)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(3.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise NotProven(f"not within {PATIENCE_SECONDS:g} s: {what}")
        time.sleep(0.1)


def sleep_to_phase(offset: float) -> None:
    """Until `offset` seconds after a whole interval of the clock by which everybody here probes."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    time.sleep((offset - now) % INTERVAL_SECONDS)


@contextlib.contextmanager
def started(spec: LabSpec) -> Iterator[Lab]:
    """A lab. One that does not come up says nothing of the contenders, and is started again."""
    for attempt in range(1, LAB_STARTS_MAX + 1):
        try:
            lab = Lab.start(spec)
            break
        except CloudfailError as error:
            if attempt == LAB_STARTS_MAX:
                raise
            print(f"  (the lab did not start, again: {error})", flush=True)
    with lab:
        yield lab


def measure(contender: type[Minimal] | type[Cloudfail], pair: int, offset: float, keep: Path | None) -> Run:
    with started(SPEC) as lab, client_load.start(lab, seconds=60.0, rates=RATES) as load:
        side = contender(lab)
        side.start()
        try:
            until(side.calm, f"{side.name} sees a healthy primary")
            time.sleep(CALM_SECONDS)
            began = time.monotonic() - 1.0
            sleep_to_phase(offset)
            proof = lab.kill("east")
            killed_at = proof["began_monotonic"]
            until(side.ended, f"{side.name} is through")
            time.sleep(RECOVERED_SECONDS)
            ended = time.monotonic()
            phases, steps = side.phases(killed_at), side.steps_before_traffic()
        finally:
            side.stop()
            if keep is not None and isinstance(side, Cloudfail):
                shutil.copytree(side.directory, keep / f"pair-{pair}", dirs_exist_ok=True)
                for part in lab.directory.glob("state.db*"):
                    shutil.copy(part, keep / f"pair-{pair}")
        writes = read(load.stop())
        felt = score(writes, lab.database_ids("west"), began, ended)
        edge = felt["groups"]["edge"]
        gap_ended = edge["outage_ended"]
        if gap_ended is None or not edge["outage_began"] <= killed_at + 0.1 <= gap_ended:
            raise NotProven(f"the longest gap is not the kill's, or it never ended: {edge}")
        after = [write for write in writes if write.outcome == "acknowledged" and write.sent > gap_ended]
        if not after or {write.region for write in after} != {"west"}:
            raise NotProven(f"west did not take over: {len(after)} writes acknowledged after the gap")
        phases["first write"] = gap_ended - killed_at
        return Run(
            contender=side.name,
            pair=pair,
            offset=offset,
            outage=edge["write_outage_seconds"],
            lost=felt["acknowledged_writes_lost"],
            writers=felt["writers_at_once_max"],
            acknowledged=felt["acknowledged_writes"],
            killed=proof["killed"],
            phases={name: round(seconds, 4) for name, seconds in phases.items()},
            steps_before_traffic=steps,
        )


# ---- what is said of them


def p95(values: list[float]) -> float:
    ordered = sorted(values)
    place = 0.95 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def bootstrap(pairs: list[tuple[float, float]], rounds: int = 10_000) -> tuple[float, float]:
    """95 % interval of the ratio of medians, whole pairs drawn again (a fixed seed: the same runs, the same answer)."""
    draw = random.Random(20)
    ratios = sorted(
        statistics.median(a for a, _ in sample) / statistics.median(b for _, b in sample)
        for sample in (draw.choices(pairs, k=len(pairs)) for _ in range(rounds))
    )
    return ratios[int(rounds * 0.025)], ratios[int(rounds * 0.975)]


def say(run: Run) -> None:
    phases = "  ".join(f"{name} {seconds:.3f}" for name, seconds in run.phases.items())
    print(
        f"{run.pair:>4}  {run.contender:<9}  +{run.offset:.3f}  {run.outage:7.3f}  lost {run.lost}  "
        f"writers {run.writers}  killed {run.killed:>2}  | {phases}",
        flush=True,
    )


def summary(runs: dict[str, list[Run]], failures: list[str]) -> bool:
    ours, theirs = runs["cloudfail"], runs["minimal"]
    print()
    for name, found in runs.items():
        outages = [run.outage for run in found]
        print(
            f"{name:<9}  n={len(found)}  outage median {statistics.median(outages):.3f} s  p95 {p95(outages):.3f} s  "
            f"worst {max(outages):.3f} s  acknowledged {sum(run.acknowledged for run in found)}  "
            f"lost {sum(run.lost for run in found)}  writers at once {max(run.writers for run in found)}"
        )
        medians = {phase: statistics.median(run.phases[phase] for run in found) for phase in found[0].phases}
        print("           from the kill, medians: " + "  ".join(f"{n} {s:.3f}" for n, s in medians.items()))
    steps = {run.steps_before_traffic for run in ours}
    print(f"\ncloudfail's steps before traffic moved: {' | '.join(', '.join(found) for found in sorted(steps))}")
    medians = [statistics.median(run.outage for run in found) for found in (ours, theirs)]
    ratio = medians[0] / medians[1]
    low, high = bootstrap([(a.outage, b.outage) for a, b in zip(ours, theirs, strict=True)])
    clean = all(run.lost == 0 and run.writers <= 1 for run in ours)
    passed = ratio <= BOUND and clean and not failures
    for failure in failures:
        print(f"NOT PROVEN  {failure}")
    print(
        f"ratio of medians cloudfail / minimal: {ratio:.3f}  (95 % interval {low:.3f} to {high:.3f}, bound {BOUND})  "
        f"{'PASS' if passed else 'FAIL'}"
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description="Client write outage: cloudfail against a minimal script.")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write every run there")
    parser.add_argument("--keep", type=Path, help="keep cloudfail's words of each run there")
    arguments = parser.parse_args()
    if wrapper.needed("auto"):
        return wrapper.enter([sys.executable, str(Path(__file__).resolve()), *sys.argv[1:]])
    with tempfile.TemporaryDirectory(prefix="cloudfail-bytecode-") as bytecode:
        # Installed packages are compiled; without this a checkout may be compiled again by each process that starts.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        return compare(arguments)


def compare(arguments: argparse.Namespace) -> int:

    load = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d')}  {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}")
    print("pair  contender  offset   outage s")
    runs: dict[str, list[Run]] = {"cloudfail": [], "minimal": []}
    failures: list[str] = []
    began = time.monotonic()
    for pair in range(arguments.pairs):
        offset = (pair + 0.5) / arguments.pairs * INTERVAL_SECONDS
        both: list[Run] = []
        for contender in (Cloudfail, Minimal):
            try:
                both.append(measure(contender, pair, offset, arguments.keep))
            except (NotProven, CloudfailError) as error:
                failures.append(f"pair {pair}, {contender.name}: {error}")
                print(f"{pair:>4}  {contender.name:<9}  NOT PROVEN: {error}", flush=True)
                continue
            say(both[-1])
        if len(both) == 2:
            runs["cloudfail"].append(both[0])
            runs["minimal"].append(both[1])
    if not runs["minimal"]:
        print("No pair was measured.  FAIL")
        return 1
    passed = summary(runs, failures)
    print(f"took {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f} at the end")
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps([asdict(run) for found in runs.values() for run in found], indent=1) + "\n"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
