"""Ordinary weather: years of blips, deploys, gray hours and troubled observers, probe by probe, and now and then a real
loss. Production `detect` and `decide`, unchanged, see what the vantages see; each decision is held against the truth.

**The truth.** Users live in `PLACES` places. In a place and moment a region is *down* if at least half of what users
ask there fails, of whichever check fails most. A failover at t is *right* if the region's loss had lasted: within the
three minutes before t (the default hold-down), in most places, at least half of all requests failed, and there was no
pause in which users were served for longer than `rise` good answers take (a shorter one no observer can call a
recovery). "Before t" may end up to one long interval and one timeout earlier: so old is the newest evidence. A
failover is *early* if this was not so yet, and the same loss then lasted three minutes more. Every other one is
*false*.

A loss *must be acted on* if all requests fail in all places, for a stretch of detection (`fall` intervals and a
timeout) + three minutes + tolerance in which nothing else stands in the way: the decider runs, a standby has no trouble
of its own, enough vantages (one outside) have none, no run is open, no cool-down lasts. It is *missed* if no failover
has begun by the end of the first such stretch. One check that fails everywhere is such a loss: each check says of
itself that users need it. What lies between (half of all requests fail, say) may be acted on and need not be.

**What is skipped, and why nothing is lost by it.** In a year nearly every answer is the one before, again. Such an
answer changes no vantage's mind, only how fresh it is: `Count.at` (and `run`, which is compared with `fall` and `rise`
only while the mind is not made up). So as soon as production's own count says that a series of answers has *settled*
(its mind is what it sees), the answers up to the next change are not folded one by one: `at` is set to what it would
be. For the same reason fewer than `fall` bad answers in the midst of good ones are left out. `decide` is asked when
a voice changes, at the end of the hold-down, of the warm-up, of the cool-down and of a run, when an answer grows stale,
and every minute while the primary is down; in between nothing that it looks at changes. A situation in which the
primary is not down and the same vantages say the same is not asked twice. `every_answer=True` leaves out none of this,
and a test compares. Production's watcher polls twice a second; here the end of a hold-down is met exactly, so a
failover comes up to half a second earlier than it would, never later.

Not here: what no observer can see (users fail and no check does), and common causes for several vantages' paths.
A year is drawn from its seed alone, which is written on every finding: `year(seed)` plays it again.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

from cloudfail import decide as deciding
from cloudfail import detect
from cloudfail.decide import DecisionKind, History
from cloudfail.model.observation import Health, Observation, Verdict
from cloudfail.model.policy import Automation, Policy
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365.25 * DAY

PLACES = 5
"""Where users are: so many places, each with as many users."""

EVERYWHERE = frozenset(range(PLACES))
DOWN_SHARE = 0.5
LASTING_SECONDS = 180.0
"""So long must a loss last before it is worth a failover: the default hold-down. The truth does not ask the policy."""

TOLERANCE_SECONDS = 1.0
"""For the way of an answer and the watcher's poll of half a second."""

LOT_SHARE = 0.2
_lot = random.Random(0)
LOTS = tuple(_lot.uniform(-LOT_SHARE, LOT_SHARE) for _ in range(4099))
"""`probes/observer.py`: each look is up to a fifth of its interval early or late, by lot. Each series has its own place
in this list."""

GOOD_TOOK_SECONDS = 0.1
SILENCE_SECONDS = 15.0
"""`watch.Observers`: so long beyond staleness a vantage may be silent before its process is ended and started again."""

CARRY_GAP_SECONDS_MAX = 300.0
"""`watcher.Watcher`: a decider that restarts within it remembers how long its predecessor saw a region down."""

RUN_SECONDS = 300.0
FAILBACK_SECONDS = 2 * DAY
"""After a failover a person goes home two days later, at a calm moment."""

FLOOD_COPIES = 5
SOON = 0.001
TICK_SECONDS = 60.0
LOOKS_MAX = 1000


class Effect(Enum):
    """What an event does to an answer: the target fails it; the vantage could not look; it gives none; all arrive at
    the end; each comes many times. The last two befall the decider: it starts anew, it stands still."""

    FAILS = "fails"
    UNKNOWN = "unknown"
    SILENT = "silent"
    LATE = "late"
    FLOODS = "floods"
    RESTARTS = "restarts"
    FREEZES = "freezes"


@dataclass(frozen=True)
class Event:
    """One piece of weather, from `start` to `end` (seconds into the year).

    It is felt by `vantages`, looking at `regions` and `checks`, and by the users in `places`: of what they ask, the
    share `fails` fails, each answer after `took` seconds. With a `period` it comes and goes: it fails for the first
    `share` of each. `died`: whether the vantage's process ended (its answers are unknown at once), or only stopped.
    """

    kind: str
    start: float
    end: float
    effect: Effect
    vantages: tuple[str, ...]
    regions: tuple[str, ...]
    checks: tuple[str, ...]
    fails: float = 0.0
    places: frozenset[int] = frozenset()
    took: float = 0.05
    period: float = 0.0
    share: float = 1.0
    died: bool = False

    def failing(self, at: float) -> float:
        if self.period and (at - self.start) % self.period >= self.share * self.period:
            return 0.0
        return self.fails

    def __str__(self) -> str:
        parts = [f"{self.kind} {clock(self.start)} for {self.end - self.start:.1f} s", self.effect.value]
        if self.effect is Effect.FAILS:
            parts.append(f"{self.fails:.0%} of {'+'.join(self.checks)} in {'+'.join(self.regions)}")
            parts.append(f"{len(self.places)} of {PLACES} places")
        if self.period:
            parts.append(f"{self.share:.0%} of each {self.period:.1f} s")
        return ", ".join(parts) + f", seen by {'+'.join(self.vantages) or 'no vantage'}"


def clock(seconds: float) -> str:
    days, rest = divmod(seconds, DAY)
    return f"day {days:.0f} {rest // HOUR:02.0f}:{rest % HOUR // MINUTE:02.0f}:{rest % MINUTE:04.1f}"


def ordinary(**policy: Any) -> Topology:
    """Two regions; three vantages, one inside of each and a witness; two checks, by the defaults of cloudfail.yaml."""
    checks = {"web": Check("web", "http", "https://${region}.shop.example/"), "orders": Check("orders", "sql", "-")}
    vantages = {"east": Vantage("east", region="east"), "west": Vantage("west", region="west")}
    rules = Policy(automation=Automation.STAGE_1)
    return Topology(
        "shop",
        Objectives(900, 30),
        {name: Region(name, "any") for name in ("east", "west")},
        "east",
        "",
        {},
        checks,
        {**vantages, "witness": Vantage("witness")},
        replace(rules, **policy),
    )


# ---- what the weather is


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


# ---- what one vantage sees


class Run(NamedTuple):
    """Looks number `first` to `last` of one series, which all give `health` (None: no answer) after `took` seconds.

    Answers arrive at `until`, if that is later; each comes `copies` times. Where a process ended (`died` at that time)
    the receiver hears unknown; where one begins (`again`), it looks at once, and sees `then`.
    """

    first: int
    last: int
    health: Health | None
    took: float = GOOD_TOOK_SECONDS
    until: float = 0.0
    copies: int = 1
    died: float = 0.0
    again: float = 0.0
    then: Health = Health.HEALTHY


Answer = tuple[float, float, Health | None]
"""When it arrives, when it was given, and what it says. None: nothing arrives, and what was said last is now stale."""


class Series:
    """One vantage's answers to one check of one region: what is due, and what production's count of them says.

    While `hold` is (n, took), the looks up to number n give what `count` already says, each after `took` seconds.
    """

    __slots__ = (
        "count",
        "every",
        "hold",
        "key",
        "late",
        "lot",
        "mute",
        "phase",
        "rules",
        "runs",
        "since",
        "skip",
        "stale",
    )

    def __init__(self, key: detect.Key, rules: Check, phase: float, lot: int, skip: bool) -> None:
        self.key = key
        self.rules = rules
        self.every = rules.every_seconds
        self.phase = phase
        self.skip = skip
        self.stale = detect.staleness_seconds(rules)
        self.late = (1 + 2 * LOT_SHARE) * rules.every_seconds + rules.timeout_seconds
        self.lot = lot
        self.runs: list[Run] = []
        self.count: detect.Count | None = None
        self.hold: tuple[int, float] | None = None
        self.since = 0.0
        self.mute = False

    def look(self, number: int) -> float:
        return self.phase + (number + LOTS[(number + self.lot) % len(LOTS)]) * self.every

    def number(self, at: float) -> int:
        """The first look at or after `at`."""
        number = math.ceil((at - self.phase) / self.every - LOT_SHARE)
        return number if self.look(number) >= at else number + 1

    def settled(self, health: Health) -> bool:
        count = self.count
        return self.skip and count is not None and count.health is health and count.last is health

    def fresh(self, now: float) -> detect.Count | None:
        """Its count as it is now, with the answers that were not folded one by one (or as it was one answer ago)."""
        count = self.count
        if count is not None and self.hold is not None and now - count.at > self.late:
            last, took = self.hold
            at = max(count.at, self.look(min(last, self.number(now - took) - 1)) + took)
            self.count = count = detect.Count(count.health, count.since, count.last, count.run, at, count.detail)
        return count

    def end_hold(self) -> None:
        """Up to the last answer that is held; what follows is folded."""
        assert self.hold is not None
        last, took = self.hold
        self.fresh(self.look(last) + took + self.late + SOON)
        self.hold = None

    def answers(self, number: int, until: float) -> Iterator[Answer]:
        """What arrives, from look `number` on, in order; to the last run and until its good end has settled."""
        good, trivial = Health.HEALTHY, self.rules.fall - 1
        for run, after in zip_longest(self.runs, self.runs[1:]):
            while number < run.first:
                if self.settled(good):
                    self.hold = (run.first - 1, GOOD_TOOK_SECONDS)
                    number = run.first
                    break
                at = self.look(number) + GOOD_TOOK_SECONDS
                yield at, at, good
                number += 1
            if run.health is None:
                yield from self._silence(run)
                number = max(number, run.last + 1)
                if run.again:
                    number = max(number, self.number(run.again + self.every / 2))
                continue
            number = max(number, run.first)
            if run.until:
                yield from self._fading(run.until)
            single = run.until == 0.0 and run.copies == 1
            few = run.health is Health.DOWN and run.last - run.first < trivial
            if few and single and (after is None or after.first > run.last + 1) and self.settled(good):
                self.hold = (run.last, GOOD_TOOK_SECONDS)
                number = run.last + 1
            while number <= run.last:
                if single and self.settled(run.health):
                    self.hold = (run.last, run.took)
                    number = run.last + 1
                    break
                at = self.look(number) + run.took
                for copy in range(run.copies):
                    yield max(run.until, at + copy * SOON), at + copy * SOON, run.health
                number += 1
        for _ in range(LOOKS_MAX if until == math.inf else 2**40):
            at = self.look(number) + GOOD_TOOK_SECONDS
            if self.settled(good) or at > until:
                self.hold = (2**61, GOOD_TOOK_SECONDS)
                return
            yield at, at, good
            number += 1
        raise AssertionError(f"{LOOKS_MAX} good answers in a row, and {self.key} is not healthy: {self.count}")

    def _fading(self, until: float) -> Iterator[Answer]:
        """If no answer arrives until then: when what was said last grows stale."""
        if self.count is not None:
            at = (self.count.at if self.hold is None else self.look(self.hold[0]) + self.hold[1]) + self.stale + SOON
            if at < until:
                yield at, at, None

    def _silence(self, run: Run) -> Iterator[Answer]:
        if run.died:
            yield run.died, run.died, Health.UNKNOWN
        else:
            yield from self._fading(self.look(run.last + 1))
        if run.again:
            at = run.again + GOOD_TOOK_SECONDS
            yield at, at, run.then


def runs_of(series: Series, felt: Sequence[Event], draw: random.Random) -> list[Run]:
    """What this series sees of the events that it feels, as runs; where nothing is wrong there is none."""
    if len(felt) == 1 and (only := felt[0]).effect is Effect.FAILS:
        first, last = series.number(only.start), series.number(only.end) - 1
        found = _joined(_between(series, felt, first, last, draw, 0.0, 1))
        return list(_that_matter(found, series.rules) if series.skip else found)
    edges = sorted({event.start for event in felt} | {event.end for event in felt})
    runs: list[Run] = []
    for start, end in pairwise(edges):
        active = [event for event in felt if event.start <= start < event.end]
        if not active:
            continue
        first, last = series.number(start), series.number(end) - 1
        if _mute(active):
            died = any(event.died and event.start == start and event.effect is Effect.SILENT for event in active)
            after = [event for event in felt if event.start <= end < event.end]
            again = end if not _mute(after) else 0.0
            then = _seen(after, end, draw)[0] if again else Health.UNKNOWN
            runs.append(Run(first, last, None, died=start if died else 0.0, again=again, then=then))
            continue
        late = max((e.end for e in active if e.effect in (Effect.LATE, Effect.FREEZES)), default=0.0)
        copies = FLOOD_COPIES if any(event.effect is Effect.FLOODS for event in active) else 1
        runs.extend(_between(series, active, first, last, draw, late, copies))
    return list(_joined(runs))


def _that_matter(runs: Iterable[Run], rules: Check) -> Iterator[Run]:
    """All but those too short to change a mind that is made up (`answers` would leave them out too, but later)."""
    settled = -math.inf
    for run in runs:
        if run.last - run.first + 1 >= rules.fall or run.first <= settled or run.health is not Health.DOWN:
            settled = run.last + rules.rise + 2
            yield run


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs that say the same, one right after the other, are one."""
    before: Run | None = None
    for run in runs:
        if before is None:
            before = run
        elif run.first == before.last + 1 and run[2:] == before[2:] and run.health is not None and not run.until:
            before = before._replace(last=run.last)
        else:
            yield before
            before = run
    if before is not None:
        yield before


def _mute(active: Sequence[Event]) -> bool:
    return any(event.effect in (Effect.SILENT, Effect.RESTARTS) for event in active)


def _seen(active: Sequence[Event], at: float, draw: random.Random) -> tuple[Health, float]:
    """What one look at `at` gives, and how long it takes."""
    if any(event.effect is Effect.UNKNOWN for event in active):
        return Health.UNKNOWN, GOOD_TOOK_SECONDS
    for event in active:
        share = event.failing(at)
        if share >= 1.0 or (share > 0.0 and draw.random() < share):
            return Health.DOWN, event.took
    return Health.HEALTHY, GOOD_TOOK_SECONDS


def _between(
    series: Series, active: Sequence[Event], first: int, last: int, draw: random.Random, late: float, copies: int
) -> Iterator[Run]:
    if first > last:
        return
    steady = [event for event in active if event.period == 0.0]
    special = late > 0.0 or copies > 1
    if not special and any(event.effect is Effect.UNKNOWN for event in active):
        yield Run(first, last, Health.UNKNOWN)
    elif not special and any(event.fails >= 1.0 for event in steady):
        yield Run(first, last, Health.DOWN, max(event.took for event in steady if event.fails >= 1.0))
    elif not special and len(steady) == len(active):
        passes = math.prod(1.0 - event.fails for event in active)
        if passes < 1.0:
            yield from _scattered(first, last, passes, max(event.took for event in active), draw)
    else:
        for number in range(first, last + 1):
            health, took = _seen(active, series.look(number), draw)
            if special or health is not Health.HEALTHY:
                yield Run(number, number, health, took, late, copies)


def _scattered(first: int, last: int, passes: float, took: float, draw: random.Random) -> Iterator[Run]:
    """Bad answers among good ones, each with the same chance: drawn by the gaps between them."""
    scale = 1.0 / math.log(passes)
    number = first + int(math.log(1.0 - draw.random()) * scale)
    while number <= last:
        begin = number
        while (gap := int(math.log(1.0 - draw.random()) * scale)) == 0 and number < last:
            number += 1
        yield Run(begin, number, Health.DOWN, took)
        number += 1 + gap


# ---- the truth


def down_for_users(events: Sequence[Event], region: str, start: float, end: float, pause_seconds: float) -> bool:
    """Whether, in most places, half of all requests failed from `start` to `end`, without a pause of good service."""
    bad = [e for e in events if e.places and region in e.regions and e.start < end and e.end > start]
    edges = {start, end}
    for event in bad:
        edges |= {event.start, event.end}
        if event.period:
            for beat in range(
                max(0, int((start - event.start) / event.period)), int((end - event.start) / event.period) + 1
            ):
                began = event.start + beat * event.period
                edges |= {began, began + event.share * event.period}
    moments = sorted(edge for edge in edges if start <= edge <= end)
    checks = {check for event in bad for check in event.checks}
    down = 0
    for place in range(PLACES):
        here = [event for event in bad if place in event.places]
        failed = pause = longest = 0.0
        for begin, finish in pairwise(moments):
            middle = (begin + finish) / 2
            share = max((_failing(here, check, middle) for check in checks), default=0.0)
            failed += share * (finish - begin)
            pause = pause + finish - begin if share < DOWN_SHARE else 0.0
            longest = max(longest, pause)
        down += failed >= DOWN_SHARE * (end - start) and longest <= pause_seconds
    return down > PLACES / 2


def _failing(events: Sequence[Event], check: str, at: float) -> float:
    return 1.0 - math.prod(1.0 - e.failing(at) for e in events if check in e.checks and e.start <= at < e.end)


# ---- one year


@dataclass(frozen=True)
class Act:
    """A failover that was decided: whether it was right, by the truth."""

    at: float
    source: str
    right: bool


@dataclass(frozen=True)
class Finding:
    """What must not be: the year's seed plays it again."""

    seed: str
    at: float
    story: str

    def __str__(self) -> str:
        return f"year {self.seed}, {clock(self.at)}: {self.story}"


@dataclass(frozen=True)
class Loss:
    """A total loss of the primary: when it began, by when it had to be acted on (None: something was always in the
    way), and when it was."""

    kind: str
    began: float
    due: float | None
    clear: bool
    acted: float | None


@dataclass
class Year:
    """What one year gave."""

    seed: str
    years: float
    events: list[Event] = field(default_factory=list)
    overlaps: int = 0
    said: list[tuple[float, DecisionKind]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    false: list[Finding] = field(default_factory=list)
    early: list[Finding] = field(default_factory=list)
    missed: list[Finding] = field(default_factory=list)
    asked: int = 0
    folded: int = 0


def year(
    seed: str,
    topology: Topology | None = None,
    *,
    years: float = 1.0,
    times: float = 1.0,
    climate: Sequence[Kind] = CLIMATE,
    every_answer: bool = False,
    memory: Memory | None = None,
) -> Year:
    """Play one year (or a part of one), with `times` the usual weather. `every_answer` skips nothing. Years of the same
    topology may share a `memory`, which makes them no different, only quicker."""
    topology = topology or ordinary()
    draw = random.Random(seed)
    events = forecast(Sky(draw, topology), years * YEAR, climate, times)
    return play(events, topology, draw, seed=seed, years=years, every_answer=every_answer, memory=memory)


def play(
    events: Sequence[Event],
    topology: Topology,
    draw: random.Random,
    *,
    seed: str = "",
    years: float = 1.0,
    every_answer: bool = False,
    memory: Memory | None = None,
) -> Year:
    """Play these events, which are in the order of their starts: a drawn year, or a case made by hand."""
    into = Year(seed, years, list(events))
    watch = Watch(topology, into, draw, {} if memory is None else memory, every_answer)
    spells = list(_spells(events, watch.calm_seconds))
    if every_answer:
        for spell in spells:
            watch.add(spell)
        watch.through(events, max(into.years * YEAR, max(event.end for event in events) + watch.calm_seconds))
        for spell in spells:
            watch.judge(spell)
    else:
        for spell in spells:
            watch.add(spell)
            watch.through(spell, math.inf)
            watch.judge(spell)
    into.overlaps = sum(
        later.start < earlier.end and later.kind != earlier.kind
        for spell in spells
        for earlier, later in pairwise(spell)
    )
    return into


def _spells(events: Sequence[Event], calm_seconds: float) -> Iterator[list[Event]]:
    """Groups of events with enough calm between one and the next that all is settled."""
    spell: list[Event] = []
    end = -math.inf
    for event in events:
        if spell and event.start > end + calm_seconds:
            yield spell
            spell = []
        spell.append(event)
        end = max(end, event.end)
    if spell:
        yield spell


WAKE, STOP, START, FREEZE, THAW = -1, -2, -3, -4, -5
Memory = dict[tuple[object, ...], DecisionKind]
"""What decide says while the primary is not down, by all that it then depends on."""

Due = tuple[float, int, float, Health | None]


class Watch:
    """The decider: what `watcher.Watcher` does with what it hears, and what became of the application."""

    def __init__(self, topology: Topology, into: Year, draw: random.Random, memory: Memory, every_answer: bool) -> None:
        self.topology, self.into, self.draw, self.every_answer = topology, into, draw, every_answer
        checks, policy = topology.checks, topology.policy
        self.hold_down, self.cool_down = policy.hold_down_seconds, policy.cool_down_seconds
        self.stale = max(detect.staleness_seconds(check) for check in checks.values())
        self.interval = max(check.every_seconds for check in checks.values())
        self.timeout = max(check.timeout_seconds for check in checks.values())
        self.warm_up = deciding.warm_up_seconds(topology)
        self.recovery = max(check.rise * check.every_seconds for check in checks.values())
        self.calm_seconds = 2 * self.stale + self.recovery + 2 * self.interval + self.timeout
        # Each vantage looks at fixed times of its own clock, and no two clocks know of each other.
        phases = {name: draw.random() for name in detect.vantages_of(topology)}
        self.series = [
            Series(
                (region, name, vantage),
                rules,
                phases[vantage] * rules.every_seconds,
                draw.randrange(len(LOTS)),
                not every_answer,
            )
            for region in topology.regions
            for name, rules in checks.items()
            for vantage in phases
        ]
        self.touched: list[int] = []
        self.feeling: dict[tuple[tuple[str, ...], ...], list[int]] = {}
        self.voices = [Health.UNKNOWN] * len(self.series)
        self.state = detect.Detection(checks)
        self.due: list[Due] = []
        self.memory = memory
        self.primary = topology.primary
        self.target = ""
        self.run_ends: float | None = None
        self.ended: float | None = None
        self.home_at = math.inf
        self.calm_since = 0.0
        self.since = 0.0
        self.carried: dict[str, float] = {}
        self.kept: tuple[float, dict[str, float]] = (0.0, {})
        self.frozen_until = 0.0
        self.waking = 0.0
        self.running = True
        self.kind = DecisionKind.STAY
        self.down = False
        self.crashed = False
        self.primaries: list[tuple[float, str]] = [(0.0, self.primary)]
        if not every_answer:
            for series in self.series:
                series.count = detect.Count(Health.HEALTHY, 0.0, Health.HEALTHY, series.rules.rise, 0.0)
                series.hold = (2**61, GOOD_TOOK_SECONDS)
            self.voices = [Health.HEALTHY] * len(self.series)

    # ---- hearing

    def add(self, spell: Sequence[Event]) -> None:
        """What each series sees of a spell. Drawn in this order, whether or not anything is skipped."""
        felt: dict[int, list[Event]] = {}
        for event in spell:
            for index in self._who_feels(event):
                felt.setdefault(index, []).append(event)
        if not self.every_answer:
            for index in self.touched:
                self.series[index].runs = []
        self.touched = sorted(felt)
        for index in self.touched:
            self.series[index].runs += runs_of(self.series[index], felt[index], self.draw)

    def _who_feels(self, event: Event) -> list[int]:
        key = (event.vantages, event.regions, event.checks)
        if key not in self.feeling:
            self.feeling[key] = [
                index
                for index, (region, check, vantage) in enumerate(series.key for series in self.series)
                if vantage in event.vantages and region in event.regions and check in event.checks
            ]
        return self.feeling[key]

    def through(self, events: Sequence[Event], until: float) -> None:
        """Hear everything that comes of these events."""
        if self.home_at < events[0].start if events else False:
            self._go_home(max(self.home_at, self.calm_since))
        sources: dict[int, Iterator[Answer]] = {}
        for index in range(len(self.series)) if self.every_answer else self.touched:
            series = self.series[index]
            if series.runs or self.every_answer:
                sources[index] = series.answers(series.runs[0].first - 1 if series.skip else 0, until)
                self._next(index, sources[index])
        for event in events:
            if event.effect is Effect.RESTARTS:
                heapq.heappush(self.due, (event.start, STOP, float(event.died), None))
                heapq.heappush(self.due, (event.end, START, 0.0, None))
            elif event.effect is Effect.FREEZES:
                heapq.heappush(self.due, (event.start, FREEZE, event.end, None))
        while self.due:
            now, index, at, health = heapq.heappop(self.due)
            if now < self.frozen_until:
                heapq.heappush(self.due, (self.frozen_until, index, at, health))
            elif index >= 0:
                self._hear(index, now, at, health)
                self._next(index, sources[index])
            elif index == WAKE:
                self._consider(now)
            elif index == STOP:
                self._stop(now, crash=at > 0.0)
            elif index == START:
                self._start(now)
            elif index == FREEZE:
                self.frozen_until = at
                heapq.heappush(self.due, (at, THAW, 0.0, None))
            else:  # awake again, and nothing of what waits in the pipe is read yet
                for number in range(len(self.series)):
                    self._speak(number, now)
                self._consider(now)
            self.calm_since = max(self.calm_since, now)

    def _next(self, index: int, source: Iterator[Answer]) -> None:
        for arrives, at, health in source:
            heapq.heappush(self.due, (arrives, index, at, health))
            return

    def _hear(self, index: int, now: float, at: float, health: Health | None) -> None:
        series = self.series[index]
        if health is not None:
            before, key = series.count, series.key
            if series.hold is not None:
                series.end_hold()
                before = series.count
            observation = Observation(key[2], key[0], key[1], health, at)
            self.into.folded += 1
            if self.every_answer:
                self.state = detect.observe(self.state, observation)
                series.count = after = self.state.counts[key]
            else:  # a count depends on its own series only, so it may be folded alone
                alone = detect.Detection(self.topology.checks, {} if before is None else {key: before})
                series.count = after = detect.observe(alone, observation).counts[key]
                if (
                    before is not None
                    and after.last is before.last
                    and after.health is before.health
                    and after.since == before.since
                    and not series.mute
                    and now - at < series.stale
                ):
                    return
        if self.running and self._speak(index, now):
            self._consider(now)

    def _speak(self, index: int, now: float) -> bool:
        """Whether this series says anything new."""
        series = self.series[index]
        count = series.fresh(now)
        if count is None:
            return False
        voice = count.voice(series.rules, now)
        series.mute = now - count.at > series.stale
        if voice is self.voices[index] and count.since == series.since and not self.every_answer:
            return False
        self.voices[index], series.since = voice, count.since
        return True

    def _wake(self, at: float) -> None:
        heapq.heappush(self.due, (at + SOON, WAKE, 0.0, None))

    def _wake_while_down(self, now: float, ends: float) -> None:
        """At the end of the hold-down, and each minute until then."""
        at = min(ends, now + TICK_SECONDS)
        if not now < self.waking <= at:
            self.waking = at
            self._wake(at)

    # ---- the decider's own life

    def _stop(self, now: float, crash: bool) -> None:
        """As `Watcher._carry_down`: what was seen down, and for how long. A crash writes nothing."""
        verdicts = self._verdicts(now)
        down = {name: now - verdict.since for name, verdict in verdicts.items() if verdict.health is Health.DOWN}
        self.kept = (now, {} if crash else down)
        self.running = False

    def _start(self, now: float) -> None:
        at, down = self.kept
        self.carried = dict(down) if now - at <= CARRY_GAP_SECONDS_MAX else {}
        self.since, self.running, self.state = now, True, detect.Detection(self.topology.checks)
        for series in self.series:
            series.count, series.hold, series.since = None, None, now
        self.voices = [Health.UNKNOWN] * len(self.series)
        self._wake(now + self.warm_up - max(self.carried.values(), default=0.0))
        self._consider(now)

    def _go_home(self, now: float) -> None:
        self._promoted(now)
        self.primary, self.ended, self.home_at = self.topology.primary, now, math.inf
        self.primaries.append((now, self.primary))

    def _promoted(self, now: float) -> None:
        if self.run_ends is not None and now >= self.run_ends:
            self.primary, self.ended = self.target, self.run_ends
            self.primaries.append((self.run_ends, self.primary))
            self.run_ends = None

    # ---- deciding

    def _verdicts(self, now: float) -> dict[str, Verdict]:
        """As `Watcher._verdicts`: a loss that an earlier decider saw counts for as long as it saw it."""
        counts = {series.key: count for series in self.series if (count := series.fresh(now)) is not None}
        verdicts = detect.verdicts(detect.Detection(self.topology.checks, counts), self.topology, now)
        return {
            name: replace(verdict, since=verdict.since - self.carried.get(name, 0.0))
            if self.carried and verdict.health is Health.DOWN
            else verdict
            for name, verdict in verdicts.items()
        }

    def _consider(self, now: float) -> None:
        if not self.running:
            return
        self._promoted(now)
        warm = now - self.since >= self.warm_up
        situation = (self.primary, self.run_ends is None, warm, *self.voices)
        if not self.every_answer and not self.carried and (kind := self.memory.get(situation)) is not None:
            self.down = False
            self._say(now, kind)
            return
        self.into.asked += 1
        verdicts = self._verdicts(now)
        for name, verdict in verdicts.items():
            if verdict.health is Health.HEALTHY:
                self.carried.pop(name, None)
        history = History(
            primary=self.primary,
            observer_since=self.since - max(self.carried.values(), default=0.0),
            open_run=None if self.run_ends is None else "r1",
            last_run_ended_seconds_ago=None if self.ended is None else now - self.ended,
        )
        decision = deciding.decide(self.topology, verdicts, history, now)
        self._say(now, decision.kind)
        if decision.kind is DecisionKind.ACT:
            assert decision.source is not None
            assert decision.target is not None
            self._act(now, decision.source, decision.target)
            self._consider(now)
            return
        verdict = verdicts[self.primary]
        was_down, self.down = self.down, verdict.health is Health.DOWN
        if self.down:
            ends = verdict.since + self.hold_down
            if not was_down and self.ended is not None:
                self._wake(self.ended + self.cool_down) if self.ended + self.cool_down > now else None
            if now < ends:
                self._wake_while_down(now, ends)
        elif not self.carried:
            self.memory[situation] = decision.kind

    def _say(self, now: float, kind: DecisionKind) -> None:
        if kind is not self.kind:
            self.kind = kind
            self.into.said.append((now, kind))

    def _act(self, now: float, source: str, target: str) -> None:
        lag = (1 + 2 * LOT_SHARE) * self.interval + self.timeout
        right = any(
            down_for_users(self.into.events, source, end - LASTING_SECONDS, end, self.recovery)
            for end in (now, now - lag)
        )
        early = not right and down_for_users(self.into.events, source, now, now + LASTING_SECONDS, self.recovery)
        self.into.acts.append(Act(now, source, right))
        if not right:
            near = [e for e in self.into.events if e.start < now and e.end > now - LASTING_SECONDS - 2 * self.stale]
            why = "before its loss had lasted" if early else "and it was not lost"
            story = f"moved from {source} to {target}, {why}: " + "; ".join(map(str, near))
            (self.into.early if early else self.into.false).append(Finding(self.into.seed, now, story))
        self.target, self.run_ends, self.home_at = target, now + RUN_SECONDS, now + FAILBACK_SECONDS
        self._wake(self.run_ends)

    # ---- judging what had to be acted on

    def judge(self, spell: Sequence[Event]) -> None:
        """Hold every total loss of this spell against what was done."""
        for event in spell:
            if event.fails < 1.0 or event.period or event.places != EVERYWHERE:
                continue
            if not set(self.vantages) <= set(event.vantages):
                continue
            region = event.regions[0]
            if self._primary_at(event.start) == region:
                self._judge(event, spell)

    @property
    def vantages(self) -> Mapping[str, Vantage]:
        return detect.vantages_of(self.topology)

    def _primary_at(self, at: float) -> str:
        return [name for since, name in self.primaries if since <= at][-1]

    def _judge(self, event: Event, spell: Sequence[Event]) -> None:
        region = event.regions[0]
        checks = self.topology.checks.values()
        detection = max((c.fall + 2 * LOT_SHARE) * c.every_seconds + c.timeout_seconds for c in checks)
        needed = detection + LASTING_SECONDS + TOLERANCE_SECONDS
        edges = {event.start, event.end}
        others = [e for e in spell if e is not event and e.kind != "lost probe" and e.start < event.end]
        settle = self.recovery + 2 * self.interval + self.timeout
        for other in others:
            edges |= {other.start, other.end + settle}
        acts = [act for act in self.into.acts if act.at < event.end and act.at > event.start - DAY]
        busy = [(act.at, act.at + RUN_SECONDS + self.cool_down) for act in acts if act.at < event.start]
        if self.ended is not None:
            busy += [(since, since + self.cool_down) for since, _ in self.primaries[1:] if since < event.end]
        for start, end in busy:
            edges |= {start, end}
        moments = sorted(edge for edge in edges if event.start <= edge <= event.end)
        clear_since: float | None = None
        due: float | None = None
        for begin, finish in pairwise(moments):
            active = [other for other in others if other.start <= begin < other.end + settle]
            if any(start <= begin < end for start, end in busy) or self._in_the_way(region, active):
                clear_since = None
                continue
            clear_since = begin if clear_since is None else clear_since
            if finish - clear_since >= needed:
                due = clear_since + needed
                break
        if any(act.source == region and event.start - RUN_SECONDS <= act.at < event.start for act in acts):
            return  # what came before it was acted on, and the move is under way
        acted = next((act.at for act in acts if act.source == region and act.at >= event.start), None)
        if due is None and event.end - event.start < needed:
            return  # too short to have to
        self.into.losses.append(Loss(event.kind, event.start, due, due == event.start + needed, acted))
        if due is not None and (acted is None or acted > due):
            when = "never" if acted is None else f"only after {acted - event.start:.1f} s"
            near = "; ".join(str(e) for e in spell if e.start < due and e.end > event.start - self.calm_seconds)
            story = f"{region} was lost, and acted on {when}, due after {due - event.start:.1f} s: {near}"
            self.into.missed.append(Finding(self.into.seed, event.start, story))

    def _in_the_way(self, region: str, active: Sequence[Event]) -> bool:
        """Whether this other trouble may keep anyone from seeing the loss, or from having somewhere to go."""
        troubled: set[str] = set()
        for event in active:
            if event.effect in (Effect.RESTARTS, Effect.FREEZES):
                return True
            whole = set(self.vantages) <= set(event.vantages)
            if whole and region in event.regions and len(event.regions) == 1:
                continue  # more trouble of the same region
            if (
                event.effect is Effect.FAILS
                and event.places
                and region not in event.regions
                and len(event.vantages) > 1
            ):
                return True  # the standby's own
            troubled |= set(event.vantages)
        seeing = [name for name in self.vantages if name not in troubled]
        k = max(detect.needed(check, self.topology) for check in self.topology.checks.values())
        return len(seeing) < k or all(self.vantages[name].region == region for name in seeing)


# ---- many years


@dataclass(frozen=True)
class Weather:
    """What many years gave. Delays are seconds from the start of a loss to the decision, where nothing was in the way.

    `losses` had to be acted on, and `acted` of them were, in time; `hindered` ones never had a clear stretch.
    """

    region_years: float
    events: Mapping[str, int]
    overlaps: int
    decisions: Mapping[str, int]
    failovers: int
    false: tuple[Finding, ...]
    early: tuple[Finding, ...]
    losses: int
    acted: int
    hindered: int
    hindered_acted: int
    missed: tuple[Finding, ...]
    delays: tuple[float, ...]
    asked: int
    folded: int

    def delay(self, percent: float) -> float:
        """Seconds; percent of the losses were acted on within it."""
        if not self.delays:
            return math.nan
        return self.delays[min(len(self.delays) - 1, math.ceil(percent / 100 * len(self.delays)) - 1)]


def weather(
    years: float,
    seed: int,
    topology: Topology | None = None,
    *,
    climate: Sequence[Kind] = CLIMATE,
    tell: Callable[[Year], None] = lambda _year: None,
) -> Weather:
    """So many years of one application. They are counted as years of its primary: the standbys have weather too."""
    topology = topology or ordinary()
    events, decisions = Counter[str](), Counter[str]()
    memory: Memory = {}
    false: list[Finding] = []
    early: list[Finding] = []
    missed: list[Finding] = []
    delays: list[float] = []
    overlaps = failovers = losses = acted = hindered = hindered_acted = asked = folded = 0
    for index in range(math.ceil(years)):
        one = year(f"{seed}.{index}", topology, years=min(1.0, years - index), climate=climate, memory=memory)
        events.update(event.kind for event in one.events)
        decisions.update(kind.value for _, kind in one.said)
        overlaps += one.overlaps
        failovers += len(one.acts)
        false += one.false
        early += one.early
        missed += one.missed
        asked, folded = asked + one.asked, folded + one.folded
        for loss_ in one.losses:
            if loss_.due is None:
                hindered += 1
                hindered_acted += loss_.acted is not None
                continue
            losses += 1
            acted += loss_.acted is not None and loss_.acted <= loss_.due
            if loss_.clear and loss_.acted is not None:
                delays.append(loss_.acted - loss_.began)
        tell(one)
    return Weather(
        years,
        dict(sorted(events.items())),
        overlaps,
        dict(sorted(decisions.items())),
        failovers,
        tuple(false),
        tuple(early),
        losses,
        acted,
        hindered,
        hindered_acted,
        tuple(missed),
        tuple(sorted(delays)),
        asked,
        folded,
    )
