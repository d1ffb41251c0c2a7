"""What the weather is: its kinds, how often each comes (and whose figure that is), and a forecast drawn from them.

Whatever is drawn comes from the `Sky`'s random source alone, in one order: the same seed gives the same year.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudfail import detect
from cloudfail.model.topology import Topology
from cloudfail.testing.simulation.weather.events import EVERYWHERE, HOUR, MINUTE, PLACES, YEAR, Effect, Event

SILENCE_SECONDS = 15.0
"""`watch.Observers`: so long beyond staleness a vantage may be silent before its process is ended and started again."""


@dataclass(frozen=True)
class Kind:
    """A kind of weather: how often a year, for each of what, and how one is drawn."""

    name: str
    per_year: float
    of: str
    draw: Callable[[Sky, float, str], Iterable[Event]]


@dataclass(frozen=True)
class Sky:
    """Where events are drawn from."""

    random: random.Random
    topology: Topology

    @cached_property
    def vantages(self) -> tuple[str, ...]:
        return tuple(detect.vantages_of(self.topology))

    @cached_property
    def regions(self) -> tuple[str, ...]:
        return tuple(self.topology.regions)

    @cached_property
    def checks(self) -> tuple[str, ...]:
        return tuple(self.topology.checks)

    @cached_property
    def timeout(self) -> float:
        return min(check.timeout_seconds for check in self.topology.checks.values())

    def one(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return (self.random.choice(names),)

    def lasting(self, median: float, sigma: float, least: float, most: float) -> float:
        """Outages of every sort have a long tail: log-normal, cut at both ends."""
        return min(most, max(least, median * math.exp(self.random.gauss(0.0, sigma))))

    def between(self, low: float, high: float) -> float:
        """Uniform in the logarithm."""
        return low * math.exp(self.random.random() * math.log(high / low))

    def took(self) -> float:
        """A bad answer is refused at once, or nothing comes until the timeout."""
        return 0.05 if self.random.random() < 0.5 else self.timeout

    def trouble(self, kind: str, at: float, seconds: float, region: str, **more: Any) -> Event:
        """All of a region's users and observers fail, if `more` says nothing else."""
        what: dict[str, Any] = {
            "vantages": self.vantages, "checks": self.checks, "fails": 1.0, "places": EVERYWHERE, "took": self.took(),
            **more,
        }  # fmt: skip
        return Event(kind, at, at + seconds, Effect.FAILS, regions=(region,), **what)

    def of_vantage(self, kind: str, at: float, seconds: float, vantage: str, effect: Effect, **more: Any) -> Event:
        return Event(kind, at, at + seconds, effect, (vantage,), self.regions, self.checks, **more)

    def inside(self, region: str) -> tuple[str, ...]:
        return tuple(name for name, at in detect.vantages_of(self.topology).items() if at.region == region)


def lost_probe(sky: Sky, at: float, region: str) -> Iterator[Event]:
    check = sky.one(sky.checks)
    every = sky.topology.checks[check[0]].every_seconds
    yield sky.trouble(
        "lost probe", at, every, region, vantages=sky.one(sky.vantages), checks=check, places=frozenset[int]()
    )


def blip(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # Routes that converge, a switch that restarts, a cable that is replugged. One in ten is GitHub's of October 2018:
    # 43 s, which automation answered, and which took 24 h 11 min to put right.
    seconds = 43.0 if sky.random.random() < 0.1 else sky.lasting(10.0, 1.0, 1.0, 120.0)
    yield sky.trouble("blip", at, seconds, region)


def failover_inside(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # "Failover times are typically 60-120 seconds": Amazon RDS User Guide, Multi-AZ. The region heals itself.
    yield sky.trouble("failover inside", at, sky.random.uniform(60.0, 120.0), region, checks=sky.checks[-1:])


def short_outage(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # A bad deploy that is rolled back, a load balancer that is replaced: around the hold-down on both sides.
    yield sky.trouble("short outage", at, sky.between(1 * MINUTE, 10 * MINUTE), region)


def deploy(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # One of n instances after the other restarts, and the balancer notices late: up to a third of three.
    seconds = sky.random.uniform(2 * MINUTE, 10 * MINUTE)
    yield sky.trouble("deploy", at, seconds, region, fails=sky.between(0.02, 0.33))


def gray_hour(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # "Elevated error rates" of status pages: a share of requests, often of one service, often in the eyes of some only
    # (Huang et al., Gray Failure, HotOS 2017: differential observability). Always less than half: else it is a loss.
    some = sky.random.random() < 0.5
    vantages = tuple(v for v in sky.vantages if not some or sky.random.random() < 0.5)
    places = frozenset(p for p in EVERYWHERE if not some or sky.random.random() < 0.5)
    checks = sky.checks if sky.random.random() < 0.5 else sky.one(sky.checks)
    seconds = sky.lasting(40 * MINUTE, 0.7, 5 * MINUTE, 6 * HOUR)
    share = sky.between(0.02, 0.49)
    yield sky.trouble("gray hour", at, seconds, region, fails=share, vantages=vantages, places=places, checks=checks)


def flapping(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # A process that crashes at start, a health check that takes itself out. Timers are round numbers, so every third
    # beats in a round period, in step with those who look.
    round_one = sky.random.random() < 0.33
    period = sky.random.choice((5.0, 10.0, 15.0, 20.0, 30.0, 60.0)) if round_one else sky.between(4.0, 10 * MINUTE)
    seconds = sky.between(3 * MINUTE, 30 * MINUTE)
    yield sky.trouble("flapping", at, seconds, region, period=period, share=sky.random.uniform(0.1, 0.9))


def loss(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # Two to fifteen hours in the summaries that providers publish; many shorter ones are not published. Every other one
    # begins gray. What stands in the region goes with it, vantages included.
    seconds = sky.lasting(2 * HOUR, 1.0, 20 * MINUTE, 24 * HOUR)
    if sky.random.random() < 0.5:
        before = sky.between(1 * MINUTE, 15 * MINUTE)
        yield sky.trouble("the hour before a loss", at - before, before, region, fails=sky.random.uniform(0.05, 0.95))
    yield sky.trouble("loss", at, seconds, region)
    for vantage in sky.inside(region):
        more = sky.lasting(2 * MINUTE, 1.0, 5.0, HOUR)
        yield sky.of_vantage("vantage lost with its region", at, seconds + more, vantage, Effect.SILENT)


def partial_loss(sky: Sky, at: float, region: str) -> Iterator[Event]:
    # One service of the region: DynamoDB in us-east-1, October 2025, nearly three hours.
    seconds = sky.lasting(1 * HOUR, 1.0, 20 * MINUTE, 12 * HOUR)
    yield sky.trouble("partial loss", at, seconds, region, checks=sky.one(sky.checks))


def path_lost(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # One place loses its way to one region. Of the outages seen from EC2, nine in ten ended within ten minutes and the
    # others were most of the time that was lost (Katz-Bassett et al., LIFEGUARD, SIGCOMM 2012).
    region = sky.random.choice(sky.regions)
    place = frozenset({sky.random.randrange(PLACES)})
    seconds = sky.lasting(3 * MINUTE, 1.0, 5.0, 6 * HOUR)
    yield sky.trouble("path lost", at, seconds, region, vantages=(vantage,), places=place, took=5.0)


def own_network(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # The vantage's own line. It says so itself if the trouble is near (no route), else sees everything down.
    seconds = sky.lasting(5 * MINUTE, 1.2, 10.0, 6 * HOUR)
    if sky.random.random() < 0.5:
        yield sky.of_vantage("own network, unknown", at, seconds, vantage, Effect.UNKNOWN)
    else:
        share = 1.0 if sky.random.random() < 0.7 else sky.random.uniform(0.2, 1.0)
        yield sky.of_vantage("own network, all down", at, seconds, vantage, Effect.FAILS, fails=share, took=5.0)


def own_resolver(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # A name that does not resolve is the observer's own trouble (probes/look.py).
    yield sky.of_vantage("own resolver", at, sky.lasting(3 * MINUTE, 1.0, 5.0, 3 * HOUR), vantage, Effect.UNKNOWN)


def observer_ends(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # Killed for memory, or its machine restarts (monthly patches): from the least pause to a boot.
    seconds = 0.2 if sky.random.random() < 0.3 else sky.lasting(60.0, 0.8, 1.0, 30 * MINUTE)
    yield sky.of_vantage("observer ends", at, seconds, vantage, Effect.SILENT, died=True)


def observer_stops(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # A virtual machine that is moved, a disk that hangs, memory that swaps.
    patience = SILENCE_SECONDS + max(detect.staleness_seconds(check) for check in sky.topology.checks.values())
    seconds = sky.lasting(20.0, 1.3, 1.0, 30 * MINUTE)
    yield sky.of_vantage("observer stops", at, min(seconds, patience), vantage, Effect.SILENT)
    if seconds > patience:
        yield sky.of_vantage(
            "observer ended for silence", at + patience, seconds - patience, vantage, Effect.SILENT, died=True
        )


def line_stalls(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    # Answers are held up on the way and arrive all at once; how old they are shows (watch.Arrivals).
    patience = SILENCE_SECONDS + max(detect.staleness_seconds(check) for check in sky.topology.checks.values())
    yield sky.of_vantage("line stalls", at, sky.lasting(15.0, 0.8, 2.0, patience), vantage, Effect.LATE)


def observer_floods(sky: Sky, at: float, vantage: str) -> Iterator[Event]:
    yield sky.of_vantage("observer floods", at, sky.between(10.0, 5 * MINUTE), vantage, Effect.FLOODS)


def all_blind(sky: Sky, at: float, _: str) -> Iterator[Event]:
    # The vantages' common part fails: the decider's own line, an expired key, one bad release for all of them.
    effect = sky.random.choice((Effect.UNKNOWN, Effect.SILENT, Effect.FAILS))
    seconds = sky.lasting(10 * MINUTE, 1.0, 10.0, 6 * HOUR)
    for vantage in sky.vantages:
        late = sky.random.uniform(0.0, 5.0)
        yield sky.of_vantage(
            "all observers blind", at + late, seconds, vantage, effect, fails=float(effect is Effect.FAILS), took=5.0
        )


def decider_restarts(sky: Sky, at: float, _: str) -> Iterator[Event]:
    # A new version every other month. The observers are its children and start anew with it. One in five is a crash,
    # which hands nothing on.
    seconds = sky.lasting(10.0, 1.0, 1.0, 20 * MINUTE)
    crash = sky.random.random() < 0.2
    yield Event(
        "decider restarts", at, at + seconds, Effect.RESTARTS, sky.vantages, sky.regions, sky.checks, died=crash
    )


def decider_freezes(sky: Sky, at: float, _: str) -> Iterator[Event]:
    # Its machine is moved or swaps. Answers wait in the pipe. Silent observers are then ended, and start anew.
    seconds = sky.lasting(20.0, 1.3, 1.0, 30 * MINUTE)
    yield Event("decider freezes", at, at + seconds, Effect.FREEZES, sky.vantages, sky.regions, sky.checks)
    if seconds > SILENCE_SECONDS + max(detect.staleness_seconds(check) for check in sky.topology.checks.values()):
        for vantage in sky.vantages:
            yield sky.of_vantage("observer ended after a freeze", at + seconds, 0.2, vantage, Effect.SILENT, died=True)


CLIMATE: tuple[Kind, ...] = (
    # One look in a million: a connect survives one lost packet and a second (it is sent again after 1 s and 3 s).
    Kind("lost probe", 20, "region", lost_probe),
    Kind("blip", 12, "region", blip),  # one a month
    Kind("failover inside", 2, "region", failover_inside),  # two patch days a year
    Kind("short outage", 2, "region", short_outage),
    Kind("deploy", 26, "region", deploy),  # DORA 2024: the middle third, weekly to monthly
    Kind("gray hour", 2, "region", gray_hour),  # what a status page has of one service in one region
    Kind("flapping", 0.25, "region", flapping),
    Kind("loss", 0.3, "region", loss),  # us-east-1, the one with most: some eight in 2011 to 2025; doubled for all else
    Kind("partial loss", 0.3, "region", partial_loss),
    Kind("path lost", 2, "vantage", path_lost),
    Kind("own network", 4, "vantage", own_network),  # a consumer's line or a small provider, not a cloud's
    Kind("own resolver", 2, "vantage", own_resolver),
    Kind("observer ends", 6, "vantage", observer_ends),
    Kind("observer stops", 2, "vantage", observer_stops),
    Kind("line stalls", 2, "vantage", line_stalls),
    Kind("observer floods", 0.1, "vantage", observer_floods),
    Kind("all observers blind", 0.5, "decider", all_blind),
    Kind("decider restarts", 6, "decider", decider_restarts),
    Kind("decider freezes", 3, "decider", decider_freezes),
)


def forecast(sky: Sky, seconds: float, climate: Sequence[Kind], times: float = 1.0) -> list[Event]:
    """All events of one year, `times` as many as usual, in the order of their starts."""
    subjects = {"region": sky.regions, "vantage": sky.vantages, "decider": ("",)}
    events: list[Event] = []
    for kind in climate:
        for subject in subjects[kind.of]:
            at = HOUR + sky.random.expovariate(kind.per_year * times / YEAR)
            while at < seconds:
                events.extend(kind.draw(sky, at, subject))
                at += sky.random.expovariate(kind.per_year * times / YEAR)
    return sorted(events, key=lambda event: event.start)
