"""The decider of one application, through a year: what it hears of its vantages, when it asks production's `decide`,
and what became of the application.

Each failover is held against the truth as it is decided; `truth.py` says when it is right.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cloudfail import decide as deciding
from cloudfail import detect
from cloudfail.decide import DecisionKind, History
from cloudfail.model.observation import Health, Observation, Verdict
from cloudfail.model.topology import Topology
from cloudfail.testing.simulation.weather.events import DAY, Effect, Event
from cloudfail.testing.simulation.weather.outcome import Act, Finding, Year
from cloudfail.testing.simulation.weather.series import (
    GOOD_TOOK_SECONDS,
    LOT_SHARE,
    LOTS,
    SOON,
    Answer,
    Series,
    runs_of,
)
from cloudfail.testing.simulation.weather.truth import LASTING_SECONDS, down_for_users

CARRY_GAP_SECONDS_MAX = 300.0
"""`watcher.Watcher`: a decider that restarts within it remembers how long its predecessor saw a region down."""

RUN_SECONDS = 300.0
FAILBACK_SECONDS = 2 * DAY
"""After a failover a person goes home two days later, at a calm moment."""

TICK_SECONDS = 60.0

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

    # ---- what was

    def primary_at(self, at: float) -> str:
        return [name for since, name in self.primaries if since <= at][-1]
