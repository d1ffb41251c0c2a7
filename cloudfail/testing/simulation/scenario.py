"""What happens in one seed, as a value: it can be read, kept in a file, cut down, and played again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from cloudfail.config.loaded import Loaded
from cloudfail.model.plan import Plan
from cloudfail.model.runbook import Mode
from cloudfail.testing.simulation.cloud import ERRORS
from cloudfail.testing.simulation.network import CONTROL, EDGE, OUTSIDE, STORE


@dataclass(frozen=True)
class Setup:
    """An application and the move that is tried with it. `recorded`: the workers that each group was seen to run."""

    name: str
    loaded: Loaded
    plan: Plan
    recorded: Mapping[str, Mapping[str, int]]

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(self.loaded.topology.regions)


@dataclass(frozen=True)
class Happening:
    """One thing that happens at `at` (true seconds from the beginning; where it is bound to a boundary, from then on it
    is armed). `args` by kind; see `HAPPENINGS`."""

    kind: str
    at: float
    args: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self.args.items())
        return f"+{self.at:.1f}s {self.kind}" + (f" ({said})" if said else "")


@dataclass(frozen=True)
class Worker:
    """One of our processes. kind: `resident` (cloudfail watch, restarted when it dies), `tick` (a scheduler starts one
    each minute and ends it after `limit_seconds`), or `command` (the terminal of whoever started the run)."""

    name: str
    kind: str
    place: str = OUTSIDE
    starts: float = 0.0
    drift: float = 0.0
    limit_seconds: float = 50.0


@dataclass(frozen=True)
class Person:
    """The one on call: looks every `every_seconds`, answers after that, and how."""

    every_seconds: float = 8.0
    answers: str = "approve"
    accepts_owed: bool = True
    accepts_loss_seconds: float = 600.0


@dataclass(frozen=True)
class Scenario:
    seed: int
    setup: str
    way: str = "command"
    automation: str = "off"
    synchronous: bool = True
    promote_seconds: float = 2.0
    workers_start_seconds: float = 2.0
    lag_seconds: float = 0.3
    ttl_seconds: float = 5.0
    poll_seconds: float = 1.0
    unconditional: bool = False
    control_plane: bool = False
    preapproved: bool = False
    workers: tuple[Worker, ...] = ()
    person: Person = field(default_factory=Person)
    happenings: tuple[Happening, ...] = ()
    calm_at: float = 150.0

    def without(self, number: int) -> Scenario:
        return replace(self, happenings=self.happenings[:number] + self.happenings[number + 1 :])

    def told(self) -> str:
        """The scenario in words, one line for each thing."""
        first = (
            f"seed {self.seed}: {self.setup}, started by {self.way}, automation {self.automation}, "
            f"{'synchronous' if self.synchronous else f'asynchronous (lag {self.lag_seconds:.1f} s)'} replication, "
            f"a promotion takes {self.promote_seconds:.0f} s"
        )
        second = "workers: " + ", ".join(f"{w.name} ({w.kind}, in {w.place})" for w in self.workers)
        return "\n".join([first, second, *(f"  {happening}" for happening in self.happenings)])


Draw = Callable[[Random, "Setting"], Happening]


@dataclass(frozen=True)
class Setting:
    """What a fault may be bound to."""

    setup: Setup
    workers: tuple[Worker, ...]
    incident_at: float
    calm_at: float

    def moment(self, random: Random) -> float:
        """Most faults come while the run goes on, which is soon after the incident."""
        return round(self.incident_at + random.expovariate(1 / 12.0) % (self.calm_at - self.incident_at), 3)

    def worker(self, random: Random) -> str:
        return random.choice(self.workers).name

    def place(self, random: Random) -> str:
        return random.choice([OUTSIDE, OUTSIDE, *self.setup.regions])


def _crash(random: Random, s: Setting) -> Happening:
    return Happening("crash", 0.0, {"worker": s.worker(random), "boundary": random.randint(1, 60)})


def _stop(random: Random, s: Setting) -> Happening:
    seconds = round(random.choice([20.0, 45.0, 60.0, 200.0]) * random.uniform(0.9, 1.1), 1)
    return Happening("stop", 0.0, {"worker": s.worker(random), "boundary": random.randint(1, 60), "seconds": seconds})


def _late(random: Random, s: Setting) -> Happening:
    return Happening("late effect", s.moment(random), {"seconds": round(random.uniform(15, 600), 1)})


def _partition(between: tuple[str, str]) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        a, b = (_node(end, random, s) for end in between)
        ways = random.choice(["both", "both", "there", "back"])
        seconds = round(random.choice([3.0, 20.0, 60.0, 120.0]) * random.uniform(0.5, 1.5), 1)
        return Happening(
            f"partition {between[0]}-{between[1]}",
            s.moment(random),
            {"between": [a, b], "ways": ways, "seconds": seconds},
        )

    return draw


def _node(end: str, random: Random, s: Setting) -> str:
    match end:
        case "worker":
            return OUTSIDE if random.random() < 0.8 else s.setup.plan.target
        case "region":
            return random.choice(s.setup.regions)
        case "target":
            return s.setup.plan.target
        case "source":
            return s.setup.plan.source
        case "control":
            return random.choice([CONTROL, EDGE])
        case "store":
            return STORE
        case _:
            return random.choice(["vantage 1", "vantage 2", "vantage 3"])


def _for_a_while(kind: str, low: float, high: float, **args: Any) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        return Happening(kind, s.moment(random), {"seconds": round(random.uniform(low, high), 1), **args})

    return draw


def _once(kind: str) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        return Happening(kind, s.moment(random))

    return draw


def _error(name: str) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        return Happening(f"error: {name}", s.moment(random), {"times": random.choice([1, 1, 2, 6])})

    return draw


def _clock(random: Random, s: Setting) -> Happening:
    seconds = random.choice([-600.0, 600.0, -5.0, 5.0, -1.5, 1.5])
    return Happening("clock jump", s.moment(random), {"worker": s.worker(random), "seconds": seconds})


def _person(command: str) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        return Happening(f"person: {command}", s.moment(random))

    return draw


def _returns(random: Random, s: Setting) -> Happening:
    return Happening("region returns", round(s.incident_at + random.uniform(1, 60), 3), {"region": s.setup.plan.source})


def _target(kind: str) -> Draw:
    def draw(random: Random, s: Setting) -> Happening:
        seconds = round(random.uniform(3, 60), 1)
        return Happening(kind, s.moment(random), {"region": s.setup.plan.target, "seconds": seconds})

    return draw


def _lag(random: Random, s: Setting) -> Happening:
    return Happening("lag", round(max(0.0, s.incident_at - 20), 3), {"seconds": round(random.uniform(5, 60), 1)})


HAPPENINGS: Mapping[str, tuple[float, Draw]] = {
    "crash": (0.18, _crash),
    "stop": (0.10, _stop),
    "late effect": (0.08, _late),
    "late append": (0.04, _for_a_while("late append", 3, 60)),
    "lost append reply": (0.05, _once("lost append reply")),
    "partition worker-source": (0.10, _partition(("worker", "source"))),
    "partition worker-target": (0.05, _partition(("worker", "target"))),
    "partition worker-control": (0.12, _partition(("worker", "control"))),
    "partition worker-store": (0.06, _partition(("worker", "store"))),
    "partition source-target": (0.12, _partition(("source", "target"))),
    "partition observer-region": (0.12, _partition(("observer", "region"))),
    "partition observer-worker": (0.14, _partition(("observer", "worker"))),
    "clock jump": (0.06, _clock),
    "expired credentials": (0.05, _for_a_while("expired credentials", 5, 90)),
    "region returns": (0.12, _returns),
    "store out": (0.04, _for_a_while("store out", 3, 90)),
    "store lost with the region": (0.03, _for_a_while("store lost with the region", 20, 100)),
    "throttling": (0.08, _for_a_while("throttling", 5, 40)),
    "slow calls": (0.05, _for_a_while("slow calls", 5, 60)),
    "stale reads": (0.5, _for_a_while("stale reads", 60, 200)),
    "partial pages": (0.2, _for_a_while("partial pages", 5, 60)),
    "failed reads": (0.05, _for_a_while("failed reads", 5, 60)),
    "capacity short": (0.05, _for_a_while("capacity short", 10, 90)),
    "lag": (0.05, _lag),
    "target lost": (0.04, _target("target lost")),
    "target unhealthy": (0.05, _target("target unhealthy")),
    **{f"error: {name}": (0.035, _error(name)) for name in ERRORS},
    **{
        f"person: {command}": (0.05, _person(command))
        for command in (
            "pause",
            "resume",
            "abort",
            "approve",
            "decline",
            "close",
            "pause automation",
            "abort and pause",
        )
    },
}
"""Every fault that may be drawn: how likely a seed has it, and how it is drawn."""

DRAWN_OTHERWISE = (
    "second worker",
    "third worker",
    "duplicate schedule",
    "time limit",
    "clock drift",
    "capacity late",
    "slow promotion",
    "region killed",
    "region cut off",
    "stuck resolver",
    "calls without condition",
)


def draw(seed: int, setups: Iterable[Setup], faults: frozenset[str] | None = None) -> Scenario:
    """The scenario of that seed. `faults` narrows what may be drawn (None: everything)."""
    random = Random(seed)
    choices = tuple(setups)
    setup = choices[random.randrange(len(choices))]

    def allowed(fault: str) -> bool:
        return faults is None or fault in faults

    failover = setup.plan.mode is Mode.FAILOVER
    restore = setup.plan.mode is Mode.RESTORE
    watching = failover and random.random() < 0.15
    automation = random.choice(["stage-1", "automatic", "automatic"]) if watching else "off"
    workers = _workers(random, watching=watching, target=setup.plan.target, allowed=allowed)
    incident_at = 12.0 if watching else 2.0
    calm_at = incident_at + 150.0
    setting = Setting(setup, workers, incident_at, calm_at)
    happenings = []
    roll = random.random()
    if failover and not (not watching and roll < 0.15):
        how = "kill" if roll < 0.75 else "cut"
        happenings.append(Happening("region lost", incident_at, {"region": setup.plan.source, "how": how}))
        if watching and roll > 0.9:
            happenings.append(
                Happening("region returns", incident_at + random.uniform(1, 43), {"region": setup.plan.source})
            )
    for name, (likely, drawn) in HAPPENINGS.items():
        for _ in range(2):
            if random.random() < likely * 0.6 and allowed(name):
                happenings.append(drawn(random, setting))
    synchronous = restore or not failover or random.random() < 0.6
    return Scenario(
        seed=seed,
        setup=setup.name,
        way="watch" if watching else "command",
        automation=automation,
        synchronous=synchronous,
        promote_seconds=random.choice([0.5, 2.0, 2.0, 5.0, 40.0]) if allowed("slow promotion") else 2.0,
        workers_start_seconds=random.choice([0.5, 2.0, 2.0, 8.0, 45.0]) if allowed("capacity late") else 2.0,
        ttl_seconds=random.choice([1.0, 5.0, 15.0]),
        poll_seconds=random.choice([1.0, 4.0, 8.0]),
        unconditional=random.random() < 0.3 and allowed("calls without condition"),
        preapproved=random.random() < 0.4,
        control_plane=random.random() < 0.5,
        workers=workers,
        person=Person(
            every_seconds=random.choice([4.0, 8.0, 16.0]),
            answers=random.choices(
                ["approve", "resume", "decline", "abort", "late decline", "late abort", "silent"],
                [0.52, 0.20, 0.05, 0.05, 0.06, 0.06, 0.06],
            )[0],
            accepts_owed=random.random() < 0.9,
            accepts_loss_seconds=random.choice([0.0, 0.0, 60.0, 600.0, 600.0]),
        ),
        happenings=tuple(sorted(happenings, key=lambda happening: happening.at)),
        calm_at=calm_at,
    )


def _workers(random: Random, *, watching: bool, target: str, allowed: Callable[[str], bool]) -> tuple[Worker, ...]:
    """One to three of our processes."""

    def drift() -> float:
        return random.choice([0.0, 0.0, 1e-4, -1e-4, 0.01, -0.01]) if allowed("clock drift") else 0.0

    first = Worker("w1", "resident" if watching else "command", OUTSIDE, 0.0 if watching else 2.5, drift())
    workers = [first]
    roll = random.random()
    if roll < 0.5 and allowed("second worker"):
        kind = "tick" if random.random() < 0.4 else "resident"
        place = OUTSIDE if random.random() < 0.7 else target
        workers.append(Worker("w2", kind, place, round(random.uniform(0, 30), 2), drift()))
    if roll < 0.2 and allowed("third worker"):
        limit = 50.0 if random.random() < 0.5 else random.uniform(3, 20)
        workers.append(Worker("w3", "tick", OUTSIDE, round(random.uniform(0, 30), 2), drift(), round(limit, 1)))
    return tuple(workers)
