"""Logs that a release wrote, with the world as it was beside each entry: read back, and carried on from any point.

A kept log is three files. NAME.jsonl holds what the store held, one entry a line, byte for byte. NAME.worlds.jsonl says
how the cloud stood just before each entry was appended, and, as its last line, after the last one (null: as before).
NAME.json says what the log is and what it must still mean: the phases of its runs, what is owed, who is primary, and,
for each stretch between two words of a person, how a run ends that is carried on undisturbed from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cloudfail import config
from cloudfail.execution.state import LogState, RunState
from cloudfail.model.states import Role
from cloudfail.ports import Store, StoredEntry
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.fakecloud import FakeCloud, Member
from cloudfail.testing.provider import FakeProvider
from tests.kit import ROOT, Stage

LOGS = ROOT / "tests/fixtures/logs"
_PLAIN = ("workers", "weights", "synchronous", "promote_seconds", "workers_start_seconds")
_PAIRS = ("held", "frozen", "enabled")
_SETS = ("down", "cut", "unhealthy", "targets_down")


def world_document(cloud: FakeCloud) -> dict[str, Any]:
    """All of a FakeCloud that the future can depend on, as plain JSON values."""
    document: dict[str, Any] = {name: getattr(cloud, name) for name in _PLAIN}
    document |= {name: {"/".join(pair): value for pair, value in getattr(cloud, name).items()} for name in _PAIRS}
    document |= {name: sorted(getattr(cloud, name)) for name in _SETS}
    document["databases"] = {
        name: {region: {**asdict(member), "canaries": sorted(member.canaries)} for region, member in members.items()}
        for name, members in cloud.databases.items()
    }
    document["marks"] = cloud._marks
    plain: dict[str, Any] = json.loads(json.dumps(document, sort_keys=True))
    return plain


def put_back(cloud: FakeCloud, document: dict[str, Any]) -> None:
    """Bring `cloud` to the state that `world_document` wrote."""
    cloud.workers = {
        name: {region: (wanted, since) for region, (wanted, since) in members.items()}
        for name, members in document["workers"].items()
    }
    cloud.weights = {name: dict(weights) for name, weights in document["weights"].items()}
    for name in ("synchronous", "promote_seconds", "workers_start_seconds"):
        setattr(cloud, name, document[name])
    for name in _PAIRS:
        setattr(cloud, name, {tuple(pair.split("/")): value for pair, value in document[name].items()})
    for name in _SETS:
        setattr(cloud, name, set(document[name]))
    cloud.databases = {
        name: {
            region: Member(**{**member, "role": Role(member["role"]), "canaries": set(member["canaries"])})
            for region, member in members.items()
        }
        for name, members in document["databases"].items()
    }
    cloud._marks = dict(document["marks"])
    cloud.writers.clear()
    cloud._note_writers()


@dataclass(frozen=True)
class Moment:
    """How the world stood, at which second of the machine and of the wall."""

    boot: float
    wall: float
    world: dict[str, Any]


def moment_of(stage: Stage) -> Moment:
    return Moment(stage.clock.boot(), stage.clock.wall(), world_document(stage.cloud))


@dataclass
class RecordingStore:
    """A store that notes how the world stood before each entry that landed."""

    stage: Stage
    inner: Store
    moments: list[Moment] = field(default_factory=list)

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.inner.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        moment = moment_of(self.stage)
        done = self.inner.append(log, seq, body)
        if done:
            self.moments.append(moment)
        return done


def load(topology: Path) -> config.Loaded:
    return config.load(topology, [], {"local": FakeProvider("local")})


def carried_to(loaded: config.Loaded, bodies: list[bytes], moment: Moment) -> Stage:
    """The application as these entries left it, in the world as it stood at that moment. Nobody works on it."""
    clock = VirtualClock(moment.wall - moment.boot + 1000.0)
    clock.suspend(moment.boot - clock.boot())
    stage = Stage(loaded, clock=clock, store=MemoryStore())
    put_back(stage.cloud, moment.world)
    for seq, body in enumerate(bodies, start=1):
        assert stage.store.append(stage.application, seq, body)
    return stage


@dataclass(frozen=True)
class End:
    """How a run ends, or waits, when a new worker carries it on and nobody says another word."""

    phase: str
    cloud: dict[str, Any]


def carried_on(stage: Stage) -> tuple[RunState, End]:
    run = stage.engine("reader").read().open_run
    stage.drive(worker="the next one")
    state = stage.run(run)
    return state, End(str(state.phase), json.loads(json.dumps(stage.cloud.snapshot())))


def meaning(state: LogState) -> dict[str, Any]:
    """What a log says, in words that do not depend on how a sentence is put."""
    return {
        "primary": state.primary,
        "open_run": state.open_run,
        "automation_paused": bool(state.automation_paused_by),
        "runs": {
            run.id: {
                "phase": str(run.phase),
                "phases": [str(line.phase) for line in run.story],
                "ended": dict(run.ended),
                "owed": [step.name for step in run.owed],
                "promoted": run.promoted,
                "holds_fence": run.holds_fence,
                "accepted": [run.accepted.owed_fence, run.accepted.loss_seconds],
            }
            for run in state.runs.values()
        },
    }


@dataclass(frozen=True)
class KeptLog:
    """`ends`: the last entry of each stretch, and how a run that is carried on from anywhere in it must end."""

    version: str
    name: str
    config: Path
    bodies: list[bytes]
    moments: list[Moment]
    meaning: dict[str, Any]
    ends: list[tuple[int, End]]

    def end_after(self, seq: int) -> End:
        return next(end for last, end in self.ends if seq <= last)

    def moments_after(self, seq: int) -> list[Moment]:
        """The world when a worker died right after entry `seq`, and when it died right before the next: an effect may
        have landed between the two."""
        first, last = self.moments[seq - 1], self.moments[seq]
        return [first] if first.world == last.world else [first, last]


def write(directory: Path, log: KeptLog) -> None:
    (directory / f"{log.name}.jsonl").write_bytes(b"".join(body + b"\n" for body in log.bodies))
    lines, before = [], None
    for moment in log.moments:
        world = None if moment.world == before else moment.world
        lines.append(json.dumps([moment.boot, moment.wall, world], sort_keys=True))
        before = moment.world
    (directory / f"{log.name}.worlds.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = {
        "config": log.config.name,
        "means": log.meaning,
        "ends": [{"to": last, "phase": end.phase, "cloud": end.cloud} for last, end in log.ends],
    }
    text = json.dumps(document, indent=1, sort_keys=True)
    (directory / f"{log.name}.json").write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> KeptLog:
    """The kept log whose entries are in `path` (NAME.jsonl)."""
    directory, name = path.parent, path.stem
    document = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
    moments: list[Moment] = []
    for line in (directory / f"{name}.worlds.jsonl").read_text(encoding="utf-8").splitlines():
        boot, wall, world = json.loads(line)
        moments.append(Moment(boot, wall, moments[-1].world if world is None else world))
    return KeptLog(
        directory.name,
        name,
        directory / document["config"],
        path.read_bytes().splitlines(),
        moments,
        document["means"],
        [(end["to"], End(end["phase"], end["cloud"])) for end in document["ends"]],
    )


def kept_logs() -> Iterator[KeptLog]:
    for path in sorted(LOGS.glob("*/*.jsonl")):
        if not path.name.endswith(".worlds.jsonl"):
            yield read(path)
