"""A drill in the lab, from calm to calm: load, fault, evacuation by a real `cloudfail watch`, restore, failback.

Everything that cloudfail does here is done by its own commands, in a namespace of their own, as an operator's machine
would: this file only breaks things, waits, reads the journal, and scores what the clients felt.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from cloudfail.clock import SystemClock
from cloudfail.config.drills import Drill
from cloudfail.errors import CloudfailError
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState, fold
from cloudfail.journal import Journal
from cloudfail.lab import configuration
from cloudfail.lab import load as client_load
from cloudfail.lab.lab import Lab
from cloudfail.lab.score import read, score
from cloudfail.lab.spec import LabSpec, other_region
from cloudfail.lab.wrapper import environment
from cloudfail.shipped import runbook_file
from cloudfail.stores.sqlite import SQLiteStore

SETTLE_SECONDS = 3.0
COMMAND_SECONDS = 60.0
DRILL_NAME = "drill"


@dataclass(frozen=True)
class Leg:
    """One half of the drill. Times are wall seconds; `clients` is what cloudfail.lab.score says of its window."""

    run: RunState
    began_at: float
    ended_at: float
    clients: Mapping[str, Any]
    detected_at: float | None
    loss: tuple[float | None, float | None]


@dataclass(frozen=True)
class Outcome:
    """All that a report needs. `head` is the digest of the journal's last entry."""

    drill: Drill
    mode: str
    started_at: float
    fault: Mapping[str, Any]
    fault_at: float
    failover: Leg
    restore: RunState
    failback: Leg | None
    head: str


class DrillFailed(CloudfailError):
    """The drill did not come to its end. What the application's log says stands in the message."""


class GameDay:
    """One drill on one running lab. `say` gets one plain line for each thing that happens."""

    def __init__(self, drill: Drill, lab: Lab, say: Callable[[str], None]) -> None:
        self.drill = drill
        self.lab = lab
        self.say = say
        self.directory = lab.directory / "application"
        self.config = self.directory / "cloudfail.yaml"
        self._wall_less_monotonic = time.time() - time.monotonic()
        self._journal: Journal | None = None
        self._log = LogState()
        self._deadline = time.monotonic() + drill.limit

    # ---- the sequence

    def run(self) -> Outcome:
        drill, lab = self.drill, self.lab
        source = drill.fault.kill
        target = other_region(source)
        started = time.time()
        self._write_configuration()
        self.say(f"{lab.layout.mode} lab up: east and west, PostgreSQL {drill.lab.synchronous}, clients writing")
        with client_load.start(lab, seconds=drill.limit + 30.0, rates=drill.load.rates()) as load:
            self._cloudfail("plan", source, "--sign-for", "1h", "--format", "json")
            self.say(f"plan for losing {source} reviewed and signed; watching from three vantages")
            watch = self._watch()
            try:
                self._until_calm()
                time.sleep(drill.fault.after)
                began = time.monotonic()
                fault_at = time.time()
                proof = lab.kill(source)
                self.say(f"{source} killed: {proof.get('killed', 'all')} processes ended with SIGKILL")
                failover = self._until_ended(drill.runbooks.failover)
                self.say(f"evacuation {failover.phase}: {failover.story[-1].text}")
                time.sleep(SETTLE_SECONDS)
                calm = time.monotonic()
            finally:
                self._stop(watch)
            self.say(f"{source} comes back, its database stopped: restoring redundancy")
            lab.start_region(source, database=False)
            restore = self._carry_out(source, target, drill.runbooks.restore)
            self.say(f"restore {restore.phase}: {restore.story[-1].text}")
            failback, back_began, back_ended = None, 0.0, 0.0
            if drill.runbooks.failback is not None:
                back_began = time.monotonic()
                failback = self._carry_out(target, source, drill.runbooks.failback)
                self.say(f"failback {failback.phase}: {failback.story[-1].text}")
                time.sleep(SETTLE_SECONDS)
                back_ended = time.monotonic()
            record = load.stop()
        writes = read(record)
        surviving = lab.database_ids(source if failback is not None else target)
        legs = [self._leg(failover, began, calm, score(writes, surviving, began, calm))]
        if failback is not None:
            legs.append(self._leg(failback, back_began, back_ended, score(writes, surviving, back_began, back_ended)))
        everything = score(writes, surviving, hand_overs=len(legs))
        legs[0] = self._with_all_losses(legs[0], everything, legs[1:])
        return Outcome(
            drill=drill,
            mode=lab.layout.mode,
            started_at=started,
            fault=proof,
            fault_at=fault_at,
            failover=legs[0],
            restore=restore,
            failback=legs[1] if len(legs) > 1 else None,
            head=self._read().digest,
        )

    @staticmethod
    def _with_all_losses(leg: Leg, everything: Mapping[str, Any], others: list[Leg]) -> Leg:
        """A write that was lost between the two windows counts too: it is the first leg's."""
        elsewhere = sum(other.clients["acknowledged_writes_lost"] for other in others)
        lost = everything["acknowledged_writes_lost"] - elsewhere
        clients = {**leg.clients, "acknowledged_writes_lost": lost}
        return Leg(leg.run, leg.began_at, leg.ended_at, clients, leg.detected_at, leg.loss)

    def _leg(self, run: RunState, began: float, ended: float, clients: Mapping[str, Any]) -> Leg:
        offset = self._wall_less_monotonic
        moved = {
            name: {
                **group,
                "outage_began": group["outage_began"] + offset if group["outage_began"] else None,
                "outage_ended": group["outage_ended"] + offset if group["outage_ended"] else None,
            }
            for name, group in clients["groups"].items()
        }
        run = self._log.runs[run.id]
        detected = self._log.samples.get("detected", {}).get(run.plan.source) if run.automation != "off" else None
        return Leg(run, began + offset, ended + offset, {**clients, "groups": moved}, detected, self._loss(run))

    def _loss(self, run: RunState) -> tuple[float | None, float | None]:
        """The loss bounds that were journaled with the promotion's first intent."""
        journal = Journal(self._store(), "shop", SystemClock(), DRILL_NAME)
        for entry in journal.refresh():
            if entry.kind == "intent" and entry.data["run"] == run.id:
                step = run.plan.step(entry.data["step"])
                if step.point_of_no_return:
                    return (0.0, 0.0) if step.action == "database.switchover" else tuple(entry.data["loss"][:2])
        return None, None

    # ---- cloudfail, as an operator runs it

    def _write_configuration(self) -> None:
        drill = self.drill
        (self.directory / "runbooks").mkdir(parents=True)
        document = configuration.document(self.lab)
        document["objectives"] = {
            "rto": f"{drill.objectives.rto:g}s",
            "rpo": f"{drill.objectives.rpo:g}s",
        }
        document["policy"] |= {
            "lease": f"{drill.policy.lease:g}s",
            "hold_down": f"{drill.policy.hold_down:g}s",
            "runbook": drill.runbooks.failover,
        }
        self.config.write_text(yaml.safe_dump(document, sort_keys=False, width=120, default_flow_style=None))
        for name in (drill.runbooks.failover, drill.runbooks.restore, drill.runbooks.failback):
            if name is not None:
                shutil.copy(runbook_file(name), self.directory / "runbooks")

    def _argv(self, *words: str) -> list[str]:
        prefix = self.lab.inside("control")
        return [
            *prefix,
            sys.executable,
            "-P",
            "-m",
            "cloudfail",
            *words,
            "--config",
            str(self.config),
            "--as",
            DRILL_NAME,
        ]

    def _cloudfail(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of cloudfail's in the control namespace. Raises DrillFailed with what it printed."""
        done = subprocess.run(
            self._argv(*words),
            env=environment(),
            cwd=self.directory,
            text=True,
            capture_output=True,
            timeout=min(COMMAND_SECONDS, max(1.0, self._deadline - time.monotonic())),
            check=False,
        )
        if done.returncode not in codes:
            raise DrillFailed(
                f"`cloudfail {' '.join(words)}` ended with {done.returncode}: {(done.stdout + done.stderr).strip()}",
                "The lab is ended.",
                "Run it by hand: cloudfail lab up, then cloudfail lab exec -- cloudfail …",
            )
        return done.stdout

    def _watch(self) -> subprocess.Popen[bytes]:
        log = (self.directory / "watch.log").open("wb")
        watch = subprocess.Popen(
            self._argv("watch"), env=environment(), cwd=self.directory, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        return watch

    def _until_calm(self) -> None:
        """Wait until the watcher says that the primary is healthy: only then can a loss be new to it."""
        log = self.directory / "watch.log"
        while time.monotonic() < self._deadline:
            if "is healthy" in log.read_text():
                return
            time.sleep(0.05)
        raise DrillFailed("The watcher never saw a healthy primary.", "The lab is ended.", self._watch_words())

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5.0)

    def _carry_out(self, source: str, target: str, runbook: str) -> RunState:
        """Review and carry out, pre-approved within its bounds; returns the run as it ended."""
        reviewed = json.loads(self._cloudfail("plan", source, "--to", target, "--runbook", runbook, "--format", "json"))
        checksum = reviewed["checksum"]
        words = ("evacuate", source, "--to", target, "--runbook", runbook, "--plan", checksum, "--approve")
        self._cloudfail(*words, codes=(0, 3))
        return self._newest(runbook)

    # ---- the journal

    def _store(self) -> SQLiteStore:
        return SQLiteStore(self.lab.directory / "state.db")

    def _read(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._store(), "shop", SystemClock(), DRILL_NAME)
        self._log = fold(self._log, self._journal.refresh())
        return self._journal

    def _newest(self, runbook: str) -> RunState:
        self._read()
        runs = [run for run in self._log.runs.values() if run.plan.runbook == runbook]
        if not runs:
            raise DrillFailed(f"No run of {runbook} was opened.", "The lab is ended.", self._watch_words())
        return runs[-1]

    def _until_ended(self, runbook: str) -> RunState:
        """Wait for the run that the watcher opens to end; one that waits for a person fails the drill."""
        while time.monotonic() < self._deadline:
            self._read()
            for run in self._log.runs.values():
                if run.plan.runbook == runbook and run.phase.final:
                    return run
                if run.plan.runbook == runbook and run.phase in {Phase.HALTED, Phase.PARKED, Phase.PAUSED}:
                    raise DrillFailed(
                        f"Run {run.id} is {run.phase}: {run.halted_because}", "The lab is ended.", run.to_do
                    )
            time.sleep(0.02)
        raise DrillFailed(f"No run of {runbook} ended in time.", "The lab is ended.", self._watch_words())

    def _watch_words(self) -> str:
        log = self.directory / "watch.log"
        return f"The watcher said: {log.read_text()[-2000:] if log.exists() else 'nothing'}"


def spec_of(drill: Drill) -> LabSpec:
    return LabSpec(
        mode=drill.lab.mode,
        synchronous=drill.lab.synchronous,
        ttl_seconds=round(drill.lab.ttl),
        workers={str(name): count for name, count in drill.lab.workers.items()},
    )
