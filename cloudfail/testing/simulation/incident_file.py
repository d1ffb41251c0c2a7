"""The form of an incident file, and the way from the file to a scenario.

A file holds what really happened in a few sentences, the application it is tried on (a topology and a runbook, as
anybody would write them), what goes wrong and when, and how it must end. Mistakes come all at once, each with its line.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config.checking import validated
from cloudfail.config.document import Document
from cloudfail.config.fields import Duration, Name, PositiveDuration, Shape
from cloudfail.config.mistakes import Mistakes, did_you_mean
from cloudfail.config.reading import read
from cloudfail.errors import ConfigError
from cloudfail.lint import lint, refuse_errors
from cloudfail.shipped import runbook_file
from cloudfail.testing.provider import FakeProvider
from cloudfail.testing.simulation.network import CONTROL, EDGE, OUTSIDE, STORE
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario, Setup, Worker
from cloudfail.testing.simulation.setups import SETTLE_SECONDS, setup_of

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class WorldShape(Shape):
    """What the simulated clouds are like. control_plane: names are changed by an API that may be cut off, unless the
    topology gives them a switch in the data plane. unconditional: freezes and scaling have no condition.
    commands_seen_every: how often our workers look for people's commands."""

    replication: Literal["synchronous", "asynchronous"] = "synchronous"
    lag: Duration = 0.3
    promotion_takes: Duration = 20.0
    workers_start_after: Duration = 20.0
    ttl: Duration = 60.0
    control_plane: bool = False
    unconditional: bool = False
    commands_seen_every: PositiveDuration = 1.0


class WorkerShape(Shape):
    """One of our processes; see `scenario.Worker`."""

    kind: Literal["resident", "tick", "command"] = "resident"
    place: Name = OUTSIDE
    starts: Duration = 0.0


class PersonShape(Shape):
    """The one on call. silent: says nothing before everything is well again, and then carries on what is open. abort:
    takes back whatever waits, as soon as it waits."""

    looks_every: PositiveDuration = 60.0
    answers: Literal["silent", "approve", "decline", "abort"] = "silent"
    accepts_owed_fence: bool = False
    accepts_loss: Duration = 0.0
    afterwards: Literal["carries on", "aborts"] = "carries on"


class SpanShape(Shape):
    since: Duration = Field(alias="from")
    until: Duration = Field(alias="to")


class EndsShape(Shape):
    """What must be true. Only what is written is asked.

    changes: verb -> how often it landed. moves_at_most: how often one name or balancer was pointed elsewhere. within:
    from the loss to the end of the last run. frozen: the regions in which changes are held. lost: acknowledged writes
    that the primary lacks. late_landed, late_refused: the verbs of delayed requests, by what became of them. decided:
    words of the watcher's decisions; `warned` and `refused`: of those alone. nothing_changes: no request of ours landed
    between. requests: looks and changes together, as the clouds count them."""

    runs: Count | None = None
    phase: Text | None = None
    promotions: Count | None = None
    fences: Count | None = None
    changes: dict[Name, Count] = Field(default={})
    moves_at_most: Count | None = None
    within: PositiveDuration | None = None
    primary: Name | None = None
    traffic: dict[Name, Name] = Field(default={})
    frozen: list[Name] | None = None
    late_landed: list[Name] | None = None
    late_refused: list[Name] | None = None
    lost: Count | None = None
    never_empty: bool | None = None
    waits_for_person: bool | None = None
    halted_because: list[Text] = Field(default=[])
    to_do: list[Text] = Field(default=[])
    decided: list[Text] = Field(default=[])
    warned: list[Text] = Field(default=[])
    refused: list[Text] = Field(default=[])
    decisions_only: list[Literal["stay", "warn", "act", "refuse"]] = Field(default=[])
    nothing_changes: SpanShape | None = None
    requests_in_a_second_at_most: Count | None = None
    requests_at_most: Count | None = None


class IncidentShape(Shape):
    title: Text
    date: Text
    source: Text
    happened: Text
    topology: dict[str, Any]
    runbook: dict[str, Any] | Text
    seed: int = 1
    way: Literal["watch", "command"] = "watch"
    lasts: PositiveDuration
    world: WorldShape = WorldShape()
    workers: dict[Name, WorkerShape] = Field(default={"w1": WorkerShape()})
    person: PersonShape = PersonShape()
    happenings: list[dict[str, Any]] = Field(default=[])
    ends: EndsShape
    afterwards: EndsShape | None = None


class _At(Shape):
    at: Duration
    what: str


class _RegionLost(_At):
    """kill: it neither serves nor answers. cut: nobody outside reaches it, and it serves whoever is inside."""

    region: Name
    how: Literal["kill", "cut"] = "kill"


class _RegionReturns(_At):
    region: Name


class _SiteCutOff(_At):
    """Nothing passes between the region and everything else, replication and the vantages in it included."""

    region: Name
    seconds: PositiveDuration = Field(alias="for")


class _RegionUnwell(_At):
    """Its checks fail; its database and its APIs are as before."""

    region: Name
    seconds: PositiveDuration = Field(alias="for")


class _Cut(_At):
    between: Annotated[list[Name], Field(min_length=2, max_length=2)]
    ways: Literal["both", "there", "back"] = "both"
    seconds: PositiveDuration = Field(alias="for")


class _GrayZone(_At):
    """That share of the probes of these vantages (all of them, if none is named) fails."""

    region: Name
    share: Share
    vantages: list[Name] = Field(default=[])
    seconds: PositiveDuration = Field(alias="for")


class _ForAWhile(_At):
    seconds: PositiveDuration = Field(alias="for")


class _ApisRefuse(_At):
    """Every change that we ask a provider for is refused; and every look, unless `reads` says otherwise."""

    reads: Literal["refused", "answered"] = "refused"
    seconds: PositiveDuration = Field(alias="for")


class _RequestDelayed(_At):
    """The next worker that asks for `verb` stands still in that call, and its request lands so much later."""

    verb: Name
    seconds: PositiveDuration = Field(alias="for")


class _WorkerKilled(_At):
    worker: Name


class _PersonSays(_At):
    """Somebody else than the one on call types a command, whatever the state of things."""

    says: Literal["pause", "resume", "abort", "approve", "decline", "close", "pause automation"]
    accepts_loss: Duration | None = None
    accepts_owed_fence: bool = False


KINDS: Mapping[str, type[_At]] = {
    "region lost": _RegionLost,
    "region returns": _RegionReturns,
    "site cut off": _SiteCutOff,
    "region unwell": _RegionUnwell,
    "cut": _Cut,
    "gray zone": _GrayZone,
    "control plane out": _ForAWhile,
    "apis refuse": _ApisRefuse,
    "heartbeats silent": _ForAWhile,
    "request delayed": _RequestDelayed,
    "worker killed": _WorkerKilled,
    "person": _PersonSays,
}
"""What may happen in an incident, and what is to be said of it."""


@dataclass(frozen=True)
class Incident:
    """One file, read. `happened` is what really happened, in a few sentences."""

    title: str
    date: str
    source: str
    happened: str
    scenario: Scenario
    setup: Setup
    aborts_afterwards: bool
    ends: EndsShape
    afterwards: EndsShape | None


def load_incident(path: Path) -> Incident:
    """Read one file. Raises ConfigError with every mistake, each with its line; also those of its topology and its
    runbook, and what lint refuses."""
    mistakes = Mistakes()
    document = read(path, mistakes)
    shape = validated(IncidentShape, document, (), mistakes) if document is not None else None
    happenings: tuple[Happening, ...] = ()
    if shape is not None and document is not None:
        happenings = _happenings(shape, document, mistakes)
    if shape is None or document is None or mistakes.found:
        raise ConfigError(mistakes.in_order([str(path)]))
    setup = _setup(shape, path)
    _check_names(shape, setup, document, mistakes)
    if mistakes.found:
        raise ConfigError(mistakes.in_order([str(path)]))
    world, person = shape.world, shape.person
    scenario = Scenario(
        seed=shape.seed,
        setup=setup.name,
        way=shape.way,
        automation=str(setup.loaded.topology.policy.automation),
        synchronous=world.replication == "synchronous",
        promote_seconds=world.promotion_takes,
        workers_start_seconds=world.workers_start_after,
        lag_seconds=world.lag,
        ttl_seconds=world.ttl,
        poll_seconds=world.commands_seen_every,
        unconditional=world.unconditional,
        control_plane=world.control_plane,
        workers=tuple(Worker(name, worker.kind, worker.place, worker.starts) for name, worker in shape.workers.items()),
        person=Person(person.looks_every, person.answers, person.accepts_owed_fence, person.accepts_loss),
        happenings=happenings,
        calm_at=shape.lasts,
    )
    return Incident(
        title=shape.title,
        date=shape.date,
        source=shape.source,
        happened=" ".join(shape.happened.split()),
        scenario=scenario,
        setup=setup,
        aborts_afterwards=person.afterwards == "aborts",
        ends=shape.ends,
        afterwards=shape.afterwards,
    )


def _happenings(shape: IncidentShape, document: Document, mistakes: Mistakes) -> tuple[Happening, ...]:
    found = []
    for number, written in enumerate(shape.happenings):
        path = ("happenings", number)
        what = str(written.get("what", ""))
        if what not in KINDS:
            place = document.place(*path, "what")
            problem = f'nothing is known that is called "{what}"'
            mistakes.add(place.file, place.line, place.column, place.text, problem, did_you_mean(what, KINDS))
            continue
        one = validated(KINDS[what], document, path, mistakes)
        if one is None:
            continue
        args = one.model_dump(exclude={"at", "what"})
        kind = f"person: {args.pop('says')}" if what == "person" else what
        found.append(Happening(kind, one.at, args))
    return tuple(sorted(found, key=lambda happening: happening.at))


def _check_names(shape: IncidentShape, setup: Setup, document: Document, mistakes: Mistakes) -> None:
    """Regions, vantages, workers and resources that the file speaks of are there."""
    topology = setup.loaded.topology
    nodes = [*topology.regions, *topology.vantages, OUTSIDE, CONTROL, STORE, EDGE]

    def check(known: Any, name: str, *path: str | int) -> None:
        if name not in known:
            place = document.place(*path)
            problem = f'there is no "{name}"'
            mistakes.add(place.file, place.line, place.column, place.text, problem, did_you_mean(name, list(known)))

    for number, written in enumerate(shape.happenings):
        if "region" in written:
            check(topology.regions, written["region"], "happenings", number, "region")
        if "worker" in written:
            check(shape.workers, written["worker"], "happenings", number, "worker")
        for at, name in enumerate(written.get("between", ())):
            check(nodes, name, "happenings", number, "between", at)
        for at, name in enumerate(written.get("vantages", ())):
            check(topology.vantages, name, "happenings", number, "vantages", at)
    for name, worker in shape.workers.items():
        check([*topology.regions, OUTSIDE], worker.place, "workers", name, "place")
    for section, ends in (("ends", shape.ends), ("afterwards", shape.afterwards)):
        if ends is None:
            continue
        if ends.primary is not None:
            check(topology.regions, ends.primary, section, "primary")
        for name, region in ends.traffic.items():
            check(topology.resources, name, section, "traffic", name)
            check(topology.regions, region, section, "traffic", name)


def _setup(shape: IncidentShape, path: Path) -> Setup:
    """The topology and the runbook, through the same door as anybody's files, lint included."""
    providers = {str(region.get("provider", "")) for region in shape.topology.get("regions", {}).values()}
    providers |= {str(one["provider"]) for one in shape.topology.get("resources", {}).values() if "provider" in one}
    clouds = {name: FakeProvider(name, settle_seconds=SETTLE_SECONDS) for name in providers}
    with tempfile.TemporaryDirectory() as folder:
        topology = Path(folder) / "topology"
        topology.write_text(json.dumps(shape.topology, indent=1))
        if isinstance(shape.runbook, str):
            runbook = runbook_file(shape.runbook)
        else:
            runbook = Path(folder) / "runbook"
            runbook.write_text(json.dumps(shape.runbook, indent=1))
        try:
            loaded = config.load(topology, [runbook], clouds)
            (name,) = loaded.runbooks
            source = loaded.topology.primary
            target = next(iter(loaded.topology.standbys(source)), source)
            refuse_errors(lint(loaded, ACTIONS, source, target))
            return setup_of(loaded, name, source, target, path.stem)
        except ConfigError as error:
            said = [str(mistake).replace(f"{folder}/", f"{path}, ") for mistake in error.mistakes]
            raise ConfigError(tuple(said)) from None
