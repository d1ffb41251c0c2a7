"""A user's own application and runbook, made ready for the simulator. No provider's `build` is called.

What a provider declares (usual and longest times, how stale its reads are) comes from its package where that is
installed, and is assumed otherwise; `Own.assumed` says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from cloudfail import config, registry
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import durations
from cloudfail.config.loaded import Loaded
from cloudfail.config.mistakes import listed, nearest
from cloudfail.decide import warm_up_seconds
from cloudfail.errors import Refused
from cloudfail.lint import lint, refuse_errors
from cloudfail.lint.rto import detection_seconds, estimate_of, ttl_seconds
from cloudfail.lint.view import View, traits_of
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import Plan, PlannedStep
from cloudfail.model.policy import Automation
from cloudfail.model.runbook import Mode
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, Provider, VerbFacts
from cloudfail.shipped import runbook_file
from cloudfail.testing.provider import FakeProvider
from cloudfail.testing.simulation.scenario import Happening, Scenario, Setup, Worker
from cloudfail.testing.simulation.setups import EXAMPLES, SETTLE_SECONDS, setup_of

INCIDENT_AT, WATCHED_INCIDENT_AT = 2.0, 12.0
"""When `draw` lets the region go: at once for a command, later where somebody must have watched before."""
WITHIN_DETECTION_SHARE = 0.25
USUAL_SHARE = 0.6
FAULTS_SPREAD_SECONDS = 30.0
UNEVENTFUL_SECONDS = 60.0
"""How long a watcher is watched that has nothing to act on."""
STRETCH_MAX = 10.0
ARMED = frozenset({"crash", "stop"})

# ---- providers that are not installed


class _Whatever(BaseModel):
    """The keys of a kind that nobody here knows: whatever was written."""

    model_config = ConfigDict(extra="forbid")
    written: Any = None

    @model_validator(mode="before")
    @classmethod
    def _take(cls, value: Any) -> Any:
        return {"written": value}

    def model_dump(self, *_args: Any, **_kwargs: Any) -> Any:
        return self.written


def _never(resource: Resource, _topology: Topology) -> Any:
    raise AssertionError(f"{resource.name} is simulated; nothing builds it")


class _AnyKind(Mapping[tuple[PortName, str], Kind]):
    """Every kind of every port, with the facts that FakeProvider has for its port."""

    def __init__(self, name: str) -> None:
        known = FakeProvider(name).kinds()
        self._verbs: dict[PortName, dict[str, VerbFacts]] = {}
        for (port, _), one in known.items():
            self._verbs.setdefault(port, {}).update(one.verbs)
        self.asked: dict[tuple[PortName, str], Kind] = {}

    def __getitem__(self, key: tuple[PortName, str]) -> Kind:
        port, name = key
        if key not in self.asked:
            self.asked[key] = Kind(
                port=port,
                name=name,
                build=_never,
                options=_Whatever,
                member=_Whatever,
                settle_seconds=SETTLE_SECONDS,
                verbs=self._verbs.get(port, {}),
            )
        return self.asked[key]

    def __iter__(self) -> Iterator[tuple[PortName, str]]:
        return iter(self.asked)

    def __len__(self) -> int:
        return len(self.asked)


class AssumedProvider:
    """Stands in for a provider whose package is not here."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.any = _AnyKind(name)

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return self.any

    def identity(self) -> Known[str] | Unknown:
        return Known(f"assumed:{self.name}", 0.0)


class Providers(Mapping[str, Provider]):
    """Each provider as installed, or assumed. A name that is near to one that is known is a slip of the pen, and
    missing here, so that the loader says where it stands."""

    def __init__(self) -> None:
        self._found: dict[str, Provider] = {}
        self.assumed: dict[str, AssumedProvider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._found:
            try:
                self._found[name] = registry.provider(name)
            except Refused:
                known = {*registry.known(), *registry.EXTRAS}
                if name not in known and nearest(name, known) is not None:
                    raise KeyError(name) from None
                self._found[name] = self.assumed[name] = AssumedProvider(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._found, *registry.known(), *registry.EXTRAS]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def told(self) -> tuple[str, ...]:
        """One sentence for each provider that is assumed."""
        said = []
        for name, one in self.assumed.items():
            kinds = listed(sorted({kind for _, kind in one.any.asked}))
            if not kinds:
                continue
            with_it = (
                f"pip install 'cloudfail[{name}]'" if name in registry.EXTRAS else "install the package that brings it"
            )
            said.append(
                f"The provider {name} is not installed: the times of {kinds} are assumed, and their keys were not "
                f"checked. To have its own: {with_it}"
            )
        return tuple(said)


# ---- the application


@dataclass(frozen=True)
class Own:
    """An application and the move that is tried, with the pace at which its clouds and people act."""

    setup: Setup
    pace: Pace
    shipped: bool
    assumed: tuple[str, ...]
    argv: tuple[str, ...] = ()

    @property
    def topology(self) -> Topology:
        return self.setup.loaded.topology

    @property
    def plan(self) -> Plan:
        return self.setup.plan


def own(
    config_file: Path | None,
    runbook_files: list[Path],
    *,
    runbook: str | None = None,
    source: str | None = None,
    target: str | None = None,
    answers_after_seconds: float | None = None,
    synchronous: bool | None = None,
) -> Own:
    """Load these files (None: the example that ships) and bind the move. Raises what loading and binding raise, and
    Refused where there is nothing to simulate."""
    if config_file is None:
        clouds = {name: FakeProvider(name, settle_seconds=SETTLE_SECONDS) for name in ("aws", "gcp", "azure")}
        loaded = config.load(EXAMPLES / "cloudfail.yaml", [*runbook_files, runbook_file("evacuate")], clouds)
        assumed: tuple[str, ...] = ("The example's clouds are simulated: how long they take is assumed.",)
    else:
        providers = Providers()
        loaded = config.load(config_file, runbook_files, providers)
        assumed = providers.told()
    loaded, name, source, target = _move(loaded, runbook, source, target)
    loaded, left_out = _without_many_writers(loaded, name)
    only = replace(loaded, runbooks={name: loaded.runbooks[name]}, runbook_files={name: loaded.runbook_files[name]})
    _can_be_simulated(only, name)
    refuse_errors(lint(only, ACTIONS, source, target))
    setup = setup_of(only, name, source, target)
    pace = pace_of(setup, answers_after_seconds, synchronous)
    return Own(setup, pace, config_file is None, (*assumed, *left_out, *pace.assumed))


def _move(loaded: Loaded, runbook: str | None, source: str | None, target: str | None) -> tuple[Loaded, str, str, str]:
    """The files with `source` as the primary, and what moves from where to where."""
    topology = loaded.topology
    source = source or topology.primary
    for region in (source, target):
        if region is not None and region not in topology.regions:
            near = nearest(region, topology.regions)
            raise Refused(
                f"There is no region {region!r} in {topology.application}.",
                "Nothing was played.",
                f"Did you mean {near}?" if near else f"Its regions are {', '.join(topology.regions)}.",
            )
    standbys = topology.standbys(source)
    if not standbys:
        raise Refused(
            f"{topology.application} has one region, {source}: there is nowhere to move to.",
            "Nothing was played.",
            "Add a second region, and its members, to cloudfail.yaml.",
        )
    target = target or standbys[0]
    if target == source:
        raise Refused(
            f"{source} cannot be evacuated to itself.", "Nothing was played.", "Name another region with --to."
        )
    name = runbook or topology.policy.runbook
    if name not in loaded.runbooks:
        near = nearest(name, loaded.runbooks)
        raise Refused(
            f"There is no runbook named {name!r}.",
            "Nothing was played.",
            f"Did you mean {near}?"
            if near
            else f"Loaded are: {', '.join(loaded.runbooks) or 'none'}. Name a file with --runbook-file.",
        )
    # What a cloud says of itself is not played: it is never a reason to act by itself, and the vantages are.
    played = replace(topology, primary=source, checks=topology.probed)
    return replace(loaded, topology=played), name, source, target


def _without_many_writers(loaded: Loaded, name: str) -> tuple[Loaded, tuple[str, ...]]:
    """The files less the databases that take writes everywhere, and less what proves that they do. The simulation
    follows one writer and what becomes of its writes: of these there is nothing that a move could break."""
    several = sorted(one for one, kind in loaded.kinds.items() if kind.many_writers)
    if not several:
        return loaded, ()
    runbook = loaded.runbooks[name]
    gone = {
        step.name: step.needs
        for step in runbook.steps.values()
        if step.action == "verify.write" and step.arguments["database"] in several
    }

    def needs(names: Iterable[str]) -> Iterator[str]:
        for one in names:
            yield from needs(gone[one]) if one in gone else (one,)

    steps = {
        step.name: replace(step, needs=tuple(dict.fromkeys(needs(step.needs))))
        for step in runbook.steps.values()
        if step.name not in gone
    }
    resources = {one: resource for one, resource in loaded.topology.resources.items() if one not in several}
    less = replace(
        loaded,
        topology=replace(loaded.topology, resources=resources),
        kinds={one: kind for one, kind in loaded.kinds.items() if one not in several},
        runbooks={**loaded.runbooks, name: replace(runbook, steps=steps)},
    )
    with_it = f", with {listed(gone)}" if gone else ""
    return less, tuple(f"{one} takes writes in every region by design: it is left out{with_it}." for one in several)


def _can_be_simulated(loaded: Loaded, name: str) -> None:
    topology, mode = loaded.topology, loaded.runbooks[name].mode
    if mode is Mode.RESTORE:
        raise Refused(
            f"{name} is a restore: it moves no traffic, so it has no recovery time.",
            "Nothing was played.",
            "Name a runbook of mode failover or switchover with --runbook.",
        )
    ports = {resource.port for resource in topology.resources.values()}
    if PortName.DATABASE not in ports:
        raise Refused(
            f"{topology.application} has no database whose writer moves: the simulation measures by its writes.",
            "Nothing was played.",
            "Add the database that it writes to, under resources.",
        )
    if not ports & {PortName.DNS, PortName.LOADBALANCER}:
        raise Refused(
            f"{topology.application} has neither a name nor a balancer: no client could follow it.",
            "Nothing was played.",
            "Add what its clients ask (dns or loadbalancer), under resources.",
        )
    if not topology.probed:
        raise Refused(
            f"{topology.application} has no check that a vantage makes: nobody would see a region fail.",
            "Nothing was played.",
            "Add one to cloudfail.yaml, under checks.",
        )


# ---- its pace


@dataclass(frozen=True)
class Pace:
    """What a seed's scenario is fitted to: the times that providers declare, the policy, and who answers when.

    promote, workers: usual and longest seconds. delay_seconds: how long after a loss automation acts. stretch: how
    much longer than the shortest of runs this one usually is, so that faults hit it from its beginning to its end.
    synchronous: how the database replicates; None: as drawn.
    """

    watching: bool
    automation: str
    promote: tuple[float, float]
    workers: tuple[float, float]
    ttl_seconds: float
    delay_seconds: float
    settled_after_seconds: float
    stretch: float
    answers_after_seconds: float | None = None
    synchronous: bool | None = None
    assumed: tuple[str, ...] = field(default=(), compare=False)

    def fitted(self, scenario: Scenario, faults: frozenset[str] | None = None) -> Scenario:
        """The same seed at this application's pace. What was drawn stays; only times and who starts it change."""
        random = Random(f"{scenario.seed}/pace")
        was = WATCHED_INCIDENT_AT if scenario.way == "watch" else INCIDENT_AT
        now = max(WATCHED_INCIDENT_AT, self.settled_after_seconds) if self.watching else INCIDENT_AT

        def moved(happening: Happening) -> Happening:
            if happening.kind in ARMED:
                return happening
            at = now + (happening.at - was)
            if happening.at > was:
                late = self.watching and random.random() >= WITHIN_DETECTION_SHARE
                at = now + self.delay_seconds * late + (happening.at - was) * self.stretch
            return replace(happening, at=round(max(0.0, at), 3))

        first, *others = scenario.workers
        first = (
            Worker(first.name, "resident", first.place, 0.0, first.drift)
            if self.watching
            else Worker(first.name, "command", first.place, INCIDENT_AT + 0.5, first.drift)
        )
        slow = faults is None or "slow promotion" in faults, faults is None or "capacity late" in faults
        person = scenario.person
        if self.answers_after_seconds is not None:
            person = replace(person, every_seconds=self.answers_after_seconds)
        happenings = sorted((moved(happening) for happening in scenario.happenings), key=lambda one: one.at)
        calm_at = now + (self.delay_seconds if self.watching else 0.0) + (scenario.calm_at - was) * self.stretch
        if self.watching and not any(happening.kind == "region lost" for happening in happenings):
            calm_at = now + UNEVENTFUL_SECONDS
        return replace(
            scenario,
            way="watch" if self.watching else "command",
            automation=self.automation if self.watching else "off",
            synchronous=scenario.synchronous if self.synchronous is None else self.synchronous,
            promote_seconds=_taken(random, self.promote, slow=slow[0]),
            workers_start_seconds=_taken(random, self.workers, slow=slow[1]),
            ttl_seconds=self.ttl_seconds or scenario.ttl_seconds,
            workers=(first, *others),
            person=person,
            happenings=tuple(happenings),
            calm_at=calm_at + 3 * (self.answers_after_seconds or 0.0),
        )


def _taken(random: Random, times: tuple[float, float], *, slow: bool) -> float:
    """The usual time, more or less; and in some seeds up to the longest that is declared."""
    usual, longest = times
    share, roll = random.random(), random.random()
    if share < USUAL_SHARE or not slow:
        return round(usual * (0.6 + 0.6 * roll), 2)
    return round(usual + max(0.0, longest - usual) * roll, 2)


def pace_of(setup: Setup, answers_after_seconds: float | None = None, synchronous: bool | None = None) -> Pace:
    topology, plan = setup.loaded.topology, setup.plan
    view = View(setup.loaded, setup.loaded.runbooks[plan.runbook], traits_of(ACTIONS), plan.source, plan.target)
    policy = topology.policy
    watching = plan.mode is Mode.FAILOVER and policy.automation is not Automation.OFF
    ttl = ttl_seconds(view)
    promote = _declared(step for step in plan.steps if step.point_of_no_return)
    workers = _declared(step for step in plan.steps if step.action == "compute.scale")
    checks = topology.checks.values()
    settled = warm_up_seconds(topology) + max(check.every_seconds * check.rise for check in checks) + 5.0
    assumed = []
    names = [resource.name for resource in topology.resources.values() if resource.port is PortName.DNS]
    if names and not ttl:
        assumed.append(f"{names[0]} states no ttl: resolvers are assumed to keep an answer for 1 s to 15 s.")
    return Pace(
        watching=watching,
        automation=str(policy.automation),
        promote=promote or (2.0, 40.0),
        workers=workers or (2.0, 45.0),
        ttl_seconds=ttl,
        delay_seconds=detection_seconds(topology) + policy.hold_down_seconds if watching else 0.0,
        settled_after_seconds=settled,
        stretch=min(STRETCH_MAX, max(1.0, estimate_of(view).path_expected / FAULTS_SPREAD_SECONDS)),
        answers_after_seconds=answers_after_seconds,
        synchronous=synchronous if plan.mode is Mode.FAILOVER else True,
        assumed=tuple(assumed),
    )


def _declared(steps: Iterator[PlannedStep]) -> tuple[float, float] | None:
    facts = [step.facts for step in steps]
    if not facts:
        return None
    usual = max(one.typical_seconds for one in facts)
    return usual, max(usual, *(one.longest_seconds for one in facts))


def conditions(one: Own) -> tuple[str, ...]:
    """What every seed has in common, in sentences."""
    say, pace, policy = durations.written, one.pace, one.topology.policy
    promote, workers = (f"{say(usual)} (at most {say(longest)})" for usual, longest in (pace.promote, pace.workers))
    said = [f"A promotion takes {promote}, workers {workers} to start, resolvers keep an answer for "]
    said[0] += f"{say(pace.ttl_seconds)}." if pace.ttl_seconds else "up to 15s."
    if pace.watching:
        said.append(
            f"`cloudfail watch` starts it (automation {policy.automation}): it has seen the loss after "
            f"{say(detection_seconds(one.topology))}, and holds down for {say(policy.hold_down_seconds)}."
        )
    elif one.plan.mode is Mode.FAILOVER:
        said.append(
            "A person starts it half a second after the loss (automation is off): the time in which somebody notices, "
            "reads the plan and types is not in the figures."
        )
    else:
        said.append("A person starts it, both regions being well.")
    replicated = {
        True: "is synchronous",
        False: "is asynchronous",
        None: "is synchronous in some seeds, and not in others",
    }
    said.append(f"Replication {replicated[pace.synchronous]}.")
    answers = say(pace.answers_after_seconds) if pace.answers_after_seconds is not None else "4s to 16s"
    said.append(f"The one on call looks every {answers}.")
    return tuple(said)
