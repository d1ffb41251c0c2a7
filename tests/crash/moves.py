"""Moves that between them use every verb: an evacuation, a switchover, a move of paths and addresses, a ramp, and three
that are taken back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudfail import config
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Entry, Kind
from cloudfail.testing.provider import FakeProvider
from tests.kit import ROOT, Stage

FILES = ROOT / "tests/fixtures/moves"
FULL = bool(os.environ.get("CLOUDFAIL_FULL"))


def load() -> config.Loaded:
    runbooks = [FILES / f"{name}.yaml" for name in ("evacuate-all", "move-all", "reroute", "ramp-all")]
    return config.load(FILES / "networked.yaml", runbooks, {"local": FakeProvider("local")})


LOADED = load()
UNCONDITIONAL = ("freeze", "unfreeze", "hold", "scale", "enable", "disable")
VERBS = {
    "freeze", "unfreeze", "fence", "unfence", "failover", "switchover", "follow", "scale", "hold", "shift", "canary",
    "enable", "disable", "route", "move_address", "run",
}  # fmt: skip


@dataclass(frozen=True)
class Move:
    """`open` leaves a run that only has to be driven; `ends` is how it ends undisturbed."""

    open: Callable[[Stage], str]
    ends: Phase


def evacuate(stage: Stage) -> str:
    """The source still answers, so that every step has something to do."""
    return stage.open("evacuate-all", "east", "west")


def move(stage: Stage) -> str:
    return stage.open("move-all", "east", "west")


def reroute(stage: Stage) -> str:
    return stage.open("reroute", "east", "west")


def to_the_gate(stage: Stage, runbook: str = "evacuate-all") -> str:
    run = stage.open(runbook, "east", "west", preapproved="")
    stage.drive()
    assert stage.run(run).phase is Phase.GATED, stage.run(run).story
    return run


def take_back(stage: Stage) -> str:
    run = to_the_gate(stage)
    stage.command(run, "abort")
    return run


def take_paths_back(stage: Stage) -> str:
    run = to_the_gate(stage, "reroute")
    stage.command(run, "abort")
    return run


def ramp(stage: Stage) -> str:
    return stage.open("ramp-all", "east", "west")


def take_ramp_back(stage: Stage) -> str:
    """A person aborts while a tenth of the users is held in the new region."""
    run = ramp(stage)
    stage.drive(seconds=12.0)
    assert stage.cloud.weights["edge"] == {"east": 90, "west": 10}, stage.run(run).story
    stage.command(run, "abort")
    return run


MOVES = {
    "evacuate": Move(evacuate, Phase.DONE),
    "move": Move(move, Phase.DONE),
    "reroute": Move(reroute, Phase.DONE),
    "take back": Move(take_back, Phase.UNDONE),
    "take paths back": Move(take_paths_back, Phase.UNDONE),
    "ramp": Move(ramp, Phase.DONE),
    "take ramp back": Move(take_ramp_back, Phase.UNDONE),
}


def stage(**options: Any) -> Stage:
    made = Stage(LOADED)
    made.cloud.unconditional = frozenset(options.get("unconditional", ()))
    return made


def entries(made: Stage) -> list[Entry]:
    return made.engine("reader").journal.refresh()


def intents(made: Stage, run: str, way: str | None = None) -> list[Entry]:
    return [
        entry
        for entry in entries(made)
        if entry.kind is Kind.INTENT and entry.data["run"] == run and way in {None, entry.data["way"]}
    ]


def effects(made: Stage, since: int = 0) -> Counter[tuple[str, str, str, str]]:
    return Counter((e.verb, e.resource, e.region, str(e.value)) for e in made.cloud.effects[since:])


@dataclass(frozen=True)
class Undisturbed:
    """How a move goes when nothing disturbs it."""

    snapshot: dict[str, Any]
    effects: Counter[tuple[str, str, str, str]]
    verbs: tuple[str, ...]
    steps: dict[str, set[str]]


def undisturbed(name: str) -> Undisturbed:
    made = stage()
    run = MOVES[name].open(made)
    since = len(made.cloud.effects)
    made.drive()
    assert made.run(run).phase is MOVES[name].ends, made.run(run).story
    own = made.cloud.effects[since:]
    steps: dict[str, set[str]] = {}
    for effect in own:
        steps.setdefault(effect.verb, set()).add(effect.step)
    return Undisturbed(made.cloud.snapshot(), effects(made, since), tuple(dict.fromkeys(e.verb for e in own)), steps)


BASE = {name: undisturbed(name) for name in MOVES}
EACH_VERB = [(name, verb) for name in MOVES for verb in BASE[name].verbs]
