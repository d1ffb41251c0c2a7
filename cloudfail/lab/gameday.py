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
from collections.abc import Callable

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
from cloudfail.lab.score import Write, read, score, window
from cloudfail.lab.spec import LabSpec, other_region
from cloudfail.lab.wrapper import environment
from cloudfail.model.journal import Entry
from cloudfail.model.topology import Objectives
from cloudfail.report.outcome import DrillReport, Leg, client_of, leg_of
from cloudfail.shipped import runbook_file
from cloudfail.stores.sqlite import SQLiteStore

SETTLE_SECONDS = 3.0
COMMAND_SECONDS = 60.0
# The picture begins a little before the fault, so that one sees the clients write.
DRAWN_BEFORE_SECONDS = 1.5
DRILL_NAME = "drill"
APPLICATION = "shop"


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

    def run(self) -> DrillReport:
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
            restore, _ = self._carry_out(source, target, drill.runbooks.restore)
            self.say(f"restore {restore.phase}: {restore.story[-1].text}")
            failback, back_began, back_ended = None, 0.0, 0.0
            if drill.runbooks.failback is not None:
                failback, back_began = self._carry_out(target, source, drill.runbooks.failback)
                self.say(f"failback {failback.phase}: {failback.story[-1].text}")
                time.sleep(SETTLE_SECONDS)
                back_ended = time.monotonic()
            record = load.stop()
        entries = self._entries()
        writes = read(record)
        surviving = lab.database_ids(source if failback is not None else target)
        # A write that was lost outside of both windows counts too, as the first leg's.
        everywhere = score(writes, surviving, hand_overs=2)["acknowledged_writes_lost"]
        home = None
        if failback is not None:
            home = self._leg(failback, writes, surviving, back_began, back_ended, entries)
            everywhere -= home.client.acknowledged_writes_lost or 0
        away = self._leg(failover, writes, surviving, began, calm, entries, fault_at, everywhere)
        return DrillReport(
            application=APPLICATION,
            started_at=started,
            mode=lab.layout.mode,
            synchronous=drill.lab.synchronous,
            objectives=Objectives(drill.objectives.rto, drill.objectives.rpo),
            failover=away,
            failback=home,
            journal_head=entries[-1].digest,
            journal_entries=len(entries),
            about={
                "drill": drill.name,
                "fault": f"{source} killed with SIGKILL: {proof.get('killed', 'all')} processes",
                "redundancy": f"restored by run {restore.id}: {restore.phase}",
            },
        )

    def _leg(
        self,
        run: RunState,
        writes: list[Write],
        surviving: set[str],
        began: float,
        ended: float,
        entries: list[Entry],
        fault_at: float | None = None,
        lost: int | None = None,
    ) -> Leg:
        """One half of the drill: the clients' window [began, ended] (monotonic), on the axis of the fault, or else of
        the opening of the run."""
        run = self._log.runs[run.id]
        scored = score(writes, surviving, began, ended)
        if lost is not None:
            scored["acknowledged_writes_lost"] = lost
        zero = (run.opened_at if fault_at is None else fault_at) - self._wall_less_monotonic
        drawn = window(writes, began - DRAWN_BEFORE_SECONDS, ended)
        within = [write for write in drawn if not write.group.startswith("inside")]
        client = client_of(
            scored, zero=zero, acknowledged_at=[write.done for write in within if write.outcome == "acknowledged"]
        )
        detected = None if fault_at is None else self._log.samples.get("detected", {}).get(run.plan.source)
        return leg_of(
            run,
            client,
            writers_at_once_max=scored["writers_at_once_max"],
            fault_at=fault_at,
            detected_at=detected,
            entries=entries,
        )

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

    def _carry_out(self, source: str, target: str, runbook: str) -> tuple[RunState, float]:
        """Review and carry out, pre-approved within its bounds; returns the run as it ended, and when it was ordered
        (monotonic)."""
        reviewed = json.loads(self._cloudfail("plan", source, "--to", target, "--runbook", runbook, "--format", "json"))
        checksum = reviewed["checksum"]
        ordered = time.monotonic()
        words = ("evacuate", source, "--to", target, "--runbook", runbook, "--plan", checksum, "--approve")
        self._cloudfail(*words, codes=(0, 3))
        return self._newest(runbook), ordered

    # ---- the journal

    def _store(self) -> SQLiteStore:
        return SQLiteStore(self.lab.directory / "state.db")

    def _read(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._store(), APPLICATION, SystemClock(), DRILL_NAME)
        self._log = fold(self._log, self._journal.refresh())
        return self._journal

    def _entries(self) -> list[Entry]:
        self._read()
        return Journal(self._store(), APPLICATION, SystemClock(), DRILL_NAME).refresh()

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
