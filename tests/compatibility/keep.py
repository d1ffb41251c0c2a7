"""Writes the logs of the present version, once: `script/keep-logs`.

Each story is driven by the real engine on a FakeCloud. What people do, and what happens to a region, happens only
between two stretches of work, so that every prefix of a stretch has one end: that of its stretch.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudfail import config
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, fold
from cloudfail.journal import Journal
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Kind
from cloudfail.testing.crash import Boundaries, Crash
from cloudfail.testing.provider import FakeProvider
from tests.compatibility.kept import LOGS, KeptLog, RecordingStore, carried_on, carried_to, load, meaning, write
from tests.compatibility.kept import moment_of as moment
from tests.kit import LOCAL, ROOT, RUNBOOKS, Stage

MOVES = ROOT / "tests/fixtures/moves"
CONFIGS = {"lab.yaml": LOCAL, "moves.yaml": MOVES / "cloudfail.yaml"}
RUNBOOK_FILES = {
    "lab.yaml": [RUNBOOKS / f"{name}.yaml" for name in ("evacuate-local", "restore-local", "failback-local")],
    "moves.yaml": [MOVES / f"{name}.yaml" for name in ("evacuate-all", "move-all")],
}


@dataclass
class Telling:
    """One story while it is told. `expect` closes a stretch: it says how what was written so far must end."""

    topology: str
    synchronous: bool = True
    stage: Stage = field(init=False)
    store: RecordingStore = field(init=False)
    stretches: list[tuple[int, Phase]] = field(default_factory=list)

    def __post_init__(self) -> None:
        loaded = config.load(CONFIGS[self.topology], RUNBOOK_FILES[self.topology], {"local": FakeProvider("local")})
        self.stage = Stage(loaded, synchronous=self.synchronous)
        self.store = RecordingStore(self.stage, self.stage.store)
        self.stage.store = self.store

    def say(self, kind: Kind, data: dict[str, Any], by: str = "alice") -> None:
        journal = Journal(self.stage.store, self.stage.application, self.stage.clock, by)
        journal.refresh()
        journal.append(kind, data)

    def dies(self, boundary: str) -> None:
        """A worker works until it dies at this boundary of the cloud (`after failover`)."""
        boundaries = Boundaries(0)

        def reached(name: str) -> None:
            boundaries.reached(name)
            if name == boundary:
                raise Crash(name)

        cloud = self.stage.cloud
        cloud.before_effect = lambda verb: reached(f"before {verb}")
        cloud.after_effect = lambda verb: reached(f"after {verb}")
        try:
            self.stage.drive()
        except Crash:
            cloud.before_effect = cloud.after_effect = lambda _verb: None
            return
        raise AssertionError(f"nobody died at {boundary}: {boundaries.names}")

    def expect(self, phase: Phase) -> None:
        self.stretches.append((len(self.store.moments), phase))


def evacuated_with_a_freeze_owed() -> Telling:
    told = Telling("lab.yaml")
    told.stage.cloud.kill("east")
    told.stage.open("evacuate-local", "east", "west")
    told.stage.drive()
    told.expect(Phase.DEGRADED)
    return told


def waits_at_the_gate() -> Telling:
    told = Telling("lab.yaml")
    told.stage.cloud.kill("east")
    told.stage.open("evacuate-local", "east", "west", preapproved="")
    told.stage.drive()
    told.expect(Phase.GATED)
    return told


def died_in_the_promotion() -> Telling:
    """The log ends with an intent that has no result; the promotion was ordered."""
    told = Telling("lab.yaml")
    told.stage.cloud.kill("east")
    told.stage.open("evacuate-local", "east", "west")
    told.dies("after failover")
    told.expect(Phase.DEGRADED)
    return told


def taken_over_in_the_promotion() -> Telling:
    """The order was announced and never given; another worker took over and finished."""
    told = Telling("moves.yaml")
    told.stage.open("evacuate-all", "east", "west")
    told.dies("before failover")
    told.stage.drive(worker="w2")
    told.expect(Phase.DONE)
    return told


def taken_back_at_the_gate() -> Telling:
    told = Telling("moves.yaml")
    run = told.stage.open("evacuate-all", "east", "west", preapproved="")
    told.stage.drive()
    told.expect(Phase.GATED)
    told.stage.command(run, "abort")
    told.stage.drive()
    told.expect(Phase.UNDONE)
    return told


def halted_because_workers_never_started() -> Telling:
    told = Telling("moves.yaml")
    told.stage.cloud.workers_start_seconds = 1e9
    told.stage.open("evacuate-all", "east", "west")
    told.stage.drive()
    told.expect(Phase.HALTED)
    return told


def stopped_half_way() -> Telling:
    """Paused, resumed, aborted after the promotion was ordered: nothing is undone, a person closes it as it stands."""
    told = Telling("moves.yaml")
    run = told.stage.open("evacuate-all", "east", "west", preapproved="")
    told.stage.drive()
    told.expect(Phase.GATED)
    told.stage.command(run, "pause")
    told.stage.drive()
    told.expect(Phase.PAUSED)
    told.stage.command(run, "resume")
    told.stage.drive()
    told.expect(Phase.GATED)
    told.stage.command(run, "approve")
    told.dies("after failover")
    told.expect(Phase.DONE)
    told.stage.command(run, "abort")
    told.expect(Phase.PARKED)
    told.stage.command(run, "close")
    return told


def restored_and_failed_back() -> Telling:
    told = Telling("lab.yaml")
    stage = told.stage
    stage.cloud.kill("east")
    stage.open("evacuate-local", "east", "west")
    stage.drive()
    told.expect(Phase.DEGRADED)
    stage.cloud.give_back("east", database=False)
    stage.drive()
    stage.open("restore-local", "east", "west")
    stage.drive()
    told.expect(Phase.DONE)
    stage.open("failback-local", "west", "east")
    stage.drive()
    told.expect(Phase.DONE)
    return told


def moved_by_a_switchover() -> Telling:
    told = Telling("moves.yaml")
    told.stage.open("move-all", "east", "west")
    told.stage.drive()
    told.expect(Phase.DONE)
    return told


def promoted_with_an_owed_fence() -> Telling:
    """The old side cannot be reached and may still take writes: a person accepted that, and the loss, by name. Around
    it everything that is written besides runs: what was seen, what was reviewed and signed, automation paused."""
    told = Telling("moves.yaml", synchronous=False)
    stage = told.stage
    stage.engine().world.database("orders").beat("east")
    told.say(Kind.SAMPLE, {"workers": {"web": {"east": 4, "west": 1}}}, "watcher")
    stage.cloud.cut_off("east")
    run = stage.open("evacuate-all", "east", "west", preapproved="")
    plan = stage.run(run).plan
    told.say(Kind.REVIEWED, {"checksum": plan.checksum, "plan": plan_document(plan)})
    told.say(Kind.STANDING, {"checksum": plan.checksum, "expires_seconds": 86400.0})
    told.say(Kind.COMMAND, {"run": "", "command": "pause", "reason": "test"})
    stage.drive()
    told.expect(Phase.GATED)
    stage.command(run, "approve")
    stage.drive()
    told.expect(Phase.GATED)
    stage.command(run, "approve", by="carol", accept_owed_fence=True, loss_seconds=600.0)
    stage.drive()
    told.expect(Phase.DEGRADED)
    return told


STORIES: tuple[Callable[[], Telling], ...] = (
    evacuated_with_a_freeze_owed,
    waits_at_the_gate,
    died_in_the_promotion,
    taken_over_in_the_promotion,
    taken_back_at_the_gate,
    halted_because_workers_never_started,
    stopped_half_way,
    restored_and_failed_back,
    moved_by_a_switchover,
    promoted_with_an_owed_fence,
)


def version() -> str:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def told_log(story: Callable[[], Telling], directory: Path) -> KeptLog:
    told = story()
    stage, store = told.stage, told.store
    bodies = [stored.body for stored in stage.store.read(stage.application, 0)]
    moments = [*store.moments, moment(stage)]
    topology = directory / told.topology
    loaded = load(topology)
    ends = []
    for last, phase in told.stretches:
        # The end of a stretch is that of its newest entry on which somebody can still work.
        seq = last
        while not _open_after(loaded, bodies, moments, seq):
            seq -= 1
        _, end = carried_on(carried_to(loaded, bodies[:seq], moments[seq]))
        if end.phase != phase:
            raise SystemExit(f"{story.__name__}: carried on from entry {seq} it is {end.phase}, not {phase}")
        ends.append((last, end))
    state = fold(LogState(), Journal(stage.store, stage.application, stage.clock, "reader").refresh())
    name = story.__name__.replace("_", "-")
    return KeptLog(directory.name, name, topology, bodies, moments, meaning(state), ends)


def _open_after(loaded: config.Loaded, bodies: list[bytes], moments: list[Any], seq: int) -> bool:
    return bool(carried_to(loaded, bodies[:seq], moments[seq]).engine("reader").read().open_run)


def keep(directory: Path) -> None:
    """Write every story's log into `directory`, which must not be there yet: all of them, or none."""
    if directory.exists():
        raise SystemExit(
            f"The logs of {directory.name} are kept already, in {directory.relative_to(ROOT)}; nothing was changed. "
            "What a release wrote is not written again. If this version was never released, remove them first."
        )
    directory.mkdir(parents=True)
    try:
        for name, source in CONFIGS.items():
            shutil.copyfile(source, directory / name)
        logs = [told_log(story, directory) for story in STORIES]
        kinds = {entry.kind for log in logs for entry in _entries(log)}
        if kinds != set(Kind):
            raise SystemExit(f"No story writes an entry of kind {', '.join(sorted(set(Kind) - kinds))}.")
        for log in logs:
            write(directory, log)
            sys.stdout.write(f"{log.name}: {len(log.bodies)} entries\n")
    except BaseException:
        shutil.rmtree(directory)
        raise


def _entries(log: KeptLog) -> list[Any]:
    stage = carried_to(load(log.config), log.bodies, log.moments[-1])
    return Journal(stage.store, stage.application, stage.clock, "reader").refresh()


if __name__ == "__main__":
    keep(LOGS / version())
