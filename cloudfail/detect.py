"""Observations → a Verdict per region. Pure: no clock, no random source, no I/O; `now` is an argument.

Two questions, kept apart so that either can be deepened alone:

1. What does ONE vantage say of one check of one region? `Count` folds its answers: `fall` bad ones in a row make it say
   down, `rise` good ones in a row healthy. It says nothing (unknown)
   - before it has seen enough,
   - as soon as it could not look (its own network, resolver or process is in trouble): that is evidence about the
     observer, so the answers on the other side of it are not added up with those on this side,
   - when its newest answer is older than the check's staleness bound, or of a time that has not come,
   - while it says down and its newest answer was good: it has not changed its mind, but it is no witness for the loss
     in that moment, so nobody acts in the seconds in which a region comes back. If the next is bad again, it says so
     since then: a loss that must last has no good answer in it; a region that serves every other request is not lost.
2. What do they say TOGETHER? `verdicts` counts voices. Down: for some check at least k of n vantages say down, one of
   them outside of the judged region. Who sees no other region healthy is not counted, and else only since it does: it
   has more likely lost its own network. Healthy: for every check at least k say healthy. Else unknown.

Why losing observers can never look like losing a region (invariant I6): a voice becomes down only through `fall`
answers that the target itself gave or failed to give. A lost observer gives none, its voice turns unknown, and unknown
is counted on neither side. So with k >= 2 one observer alone says nothing, whatever it sees.

What a provider says of a region by itself (a check of kind `signal`) is one voice more, and never more than one,
however many alarms fire. It is heard last:
- Healthy: every signal must say so too. One that is silent, stale or cannot be read leaves the region unknown.
- Down: for a check that too few vantages answer, it stands in for one of those that say nothing: beside at least one
  vantage outside of the region that says down, and never against one that says healthy. So it makes up for a lost
  observer, and no number of alarms loses a region that anybody sees serving, or that nobody sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudfail.model.observation import Health, Known, Observation, Unknown, Verdict
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import SIGNAL, Check, Topology, Vantage

HERE = Vantage("here")
"""The one vantage of an application that configures none: this machine, which stands in no region."""

PROVIDER = "(the provider)"
"""Whose voice a signal is. No vantage can have this name."""

STALENESS_GRACE_SECONDS = 2.0
LOOKS_BY_LOT = 0.2
"""Observers look up to this part of the interval early or late (probes/observer.py)."""


def vantages_of(topology: Topology) -> Mapping[str, Vantage]:
    """The vantages that look: those of the file, or `here`."""
    return topology.vantages or {HERE.name: HERE}


def needed(check: Check, topology: Topology) -> int:
    """How many vantages must agree: what the check says, else more than half of those that look."""
    return check.vantages_needed or len(vantages_of(topology)) // 2 + 1


def staleness_seconds(check: Check) -> float:
    """How old a vantage's newest answer may be. Three intervals, so one lost answer is not yet silence; and never less
    than a slow answer takes to arrive, where one look was early by lot and the next one late."""
    apart = check.every_seconds * (1 + 2 * LOOKS_BY_LOT)
    return max(3 * check.every_seconds, apart + check.timeout_seconds + STALENESS_GRACE_SECONDS)


@dataclass(frozen=True)
class Count:
    """What one vantage's answers to one check of one region add up to.

    `health` is its mind, which only `fall` bad or `rise` good answers in a row change, and `since` when it was made up.
    `run` answers in a row were `last`; the newest came at `at`.
    """

    health: Health
    since: float
    last: Health
    run: int
    at: float
    detail: str = ""

    def voice(self, check: Check, now: float) -> Health:
        """What it says now."""
        if not -STALENESS_GRACE_SECONDS <= now - self.at <= staleness_seconds(check):
            return Health.UNKNOWN
        if self.health is Health.DOWN and self.last is not Health.DOWN:
            return Health.UNKNOWN
        return self.health

    def voice_since(self, check: Check, now: float) -> float:
        """When it began to say so (for an unknown voice: when it fell silent)."""
        bound = staleness_seconds(check)
        if now - self.at > bound:
            return self.at + bound
        return self.at if self.health is Health.DOWN and self.last is not Health.DOWN else self.since


def said_by_the_provider(
    check: Check, region: str, read: Known[SignalState] | Unknown, at: float, took_seconds: float = 0.0
) -> Observation:
    """What a signal was read to say, as the provider's observation. at: boot seconds from before it was read."""
    judged = heard(read)
    if isinstance(judged, Unknown):
        return Observation(PROVIDER, region, check.name, Health.UNKNOWN, at, took_seconds, judged.reason)
    health = Health.DOWN if judged.value.firing else Health.HEALTHY
    return Observation(PROVIDER, region, check.name, health, at, took_seconds, judged.value.detail)


Key = tuple[str, str, str]
"""(region, check, vantage)"""


@dataclass(frozen=True)
class Detection:
    """All counts, and the checks by which they were counted. Start with `Detection(topology.checks)`."""

    checks: Mapping[str, Check]
    counts: Mapping[Key, Count] = field(default_factory=dict)


def observe(state: Detection, observation: Observation) -> Detection:
    """Fold one observation in. One of a check that is not configured changes nothing, nor does one that is older than
    what this vantage said already: a late answer, or one that is told again, is no further answer in a row."""
    check = state.checks.get(observation.check)
    if check is None:
        return state
    key = (observation.region, observation.check, observation.vantage)
    before = state.counts.get(key)
    if before is not None and observation.at < before.at:
        return state
    return Detection(state.checks, {**state.counts, key: _counted(before, observation, check)})


def _counted(before: Count | None, seen: Observation, check: Check) -> Count:
    if seen.health is Health.UNKNOWN:
        since = before.since if before is not None and before.health is Health.UNKNOWN else seen.at
        return Count(Health.UNKNOWN, since, Health.UNKNOWN, 0, seen.at, seen.detail)
    if before is None:
        before = Count(Health.UNKNOWN, seen.at, Health.UNKNOWN, 0, seen.at)
    elif seen.at - before.at > staleness_seconds(check):  # it was silent: what it said before is not added up with this
        silent_since = before.at + staleness_seconds(check)
        before = Count(Health.UNKNOWN, silent_since, Health.UNKNOWN, 0, seen.at)
    at = max(before.at, seen.at)
    run = before.run + 1 if seen.health is before.last else 1
    enough = run >= (check.fall if seen.health is Health.DOWN else check.rise)
    if enough and before.health is not seen.health:
        return Count(seen.health, at, seen.health, run, at, seen.detail)
    if before.health is Health.DOWN and before.last is Health.HEALTHY and seen.health is Health.DOWN:
        return Count(Health.DOWN, at, Health.DOWN, run, at, seen.detail)
    return Count(before.health, before.since, seen.health, run, at, seen.detail)


def verdicts(state: Detection, topology: Topology, now: float) -> Mapping[str, Verdict]:
    """The verdict on every region of the topology.

    `since` is when the k-th of the vantages that agree now came to agree: the same observers have said so, each without
    changing its mind, ever since. It is never earlier than the truth, so a hold-down counted from it is never short.
    `at` is the age of the evidence: by then k vantages had given a fresh answer (for unknown: `now`).
    """
    witnesses = _witnesses(state, topology, now)
    return {region: _verdict(state, topology, region, now, witnesses[region]) for region in topology.regions}


def _witnesses(state: Detection, topology: Topology, now: float) -> Mapping[str, Mapping[str, float]]:
    """Region -> vantage -> since when its word on that region's loss counts: since it sees another region healthy, for
    then it sees at all. What it said while it was blind does not count once it sees again. Who has said nothing of any
    other region yet counts from the beginning."""
    heard: dict[str, set[str]] = {}
    sees: dict[str, dict[str, float]] = {}
    for (region, check, vantage), count in state.counts.items():
        rules = state.checks.get(check)
        if rules is None or region not in topology.regions:
            continue
        heard.setdefault(vantage, set()).add(region)
        if count.voice(rules, now) is Health.HEALTHY:
            regions = sees.setdefault(vantage, {})
            since = count.voice_since(rules, now)
            regions[region] = min(since, regions.get(region, since))
    found: dict[str, dict[str, float]] = {region: {} for region in topology.regions}
    for region, counted in found.items():
        for vantage in vantages_of(topology):
            others = [since for other, since in sees.get(vantage, {}).items() if other != region]
            if others:
                counted[vantage] = min(others)
            elif not heard.get(vantage, set()) - {region}:
                counted[vantage] = -math.inf
    return found


@dataclass(frozen=True)
class _Voices:
    """What the vantages say of one check of one region."""

    check: Check
    needed: int
    by_vantage: Mapping[str, tuple[Health, float, Count | None]]
    serving: frozenset[str]
    """Who calls it healthy, or has just had a good answer."""

    def saying(self, health: Health) -> list[str]:
        return [name for name, (said, _, _) in self.by_vantage.items() if said is health]

    def agreed_since(self, names: list[str]) -> float:
        return sorted(self.by_vantage[name][1] for name in names)[self.needed - 1]

    def evidence_at(self, names: list[str]) -> float:
        return sorted(self.ages(names), reverse=True)[self.needed - 1]

    def ages(self, names: list[str]) -> list[float]:
        """When each of them answered last."""
        return [self._at(name) for name in names]

    def silent_since(self, speaking: list[str]) -> float:
        """Since when nobody else has a word in it. Who never answered was always silent; who has begun to count bad
        answers was not silent before the newest of them."""
        latest = -math.inf
        for name, (_, since, count) in self.by_vantage.items():
            if name not in speaking and count is not None:
                latest = max(latest, since, count.at if count.last is Health.DOWN else since)
        return latest

    def _at(self, name: str) -> float:
        count = self.by_vantage[name][2]
        assert count is not None
        return count.at

    def sentence(self, health: Health) -> str:
        names = self.saying(health)
        text = f"{self.check.name}: {len(names)} of {len(self.by_vantage)} vantages say {health}"
        if not names:
            return text
        count = self.by_vantage[names[0]][2]
        detail = f", {names[0]} saw: {count.detail}" if count is not None and count.detail else ""
        return f"{text} ({', '.join(names)}){detail}"


def _verdict(state: Detection, topology: Topology, region: str, now: float, witnesses: Mapping[str, float]) -> Verdict:
    vantages = vantages_of(topology)
    here = topology.checks_in(region).values()
    probed = [_voices(state, check, topology, region, now) for check in here if check.kind != SIGNAL]
    signals = [_signal(state, check, region, now) for check in here if check.kind == SIGNAL]
    if not probed:
        alone = "no vantage makes a check: what a provider says of itself is never enough"
        return Verdict(region, Health.UNKNOWN, now, now, (alone if signals else "no check is configured",))

    firing = [signal for signal in signals if signal.health is Health.DOWN]
    down: list[tuple[float, float, str]] = []
    for voices in probed:
        names = [name for name in voices.saying(Health.DOWN) if name in witnesses]
        outside = [name for name in names if vantages[name].region != region]
        if not outside:
            continue
        began = {name: max(voices.by_vantage[name][1], witnesses[name]) for name in names}
        first_outside = min(began[name] for name in outside)
        if len(names) >= voices.needed:
            since = max(sorted(began.values())[voices.needed - 1], first_outside)
            down.append((since, voices.evidence_at(names), voices.sentence(Health.DOWN)))
        elif firing and len(names) + 1 == voices.needed and not voices.serving:
            # All of them are needed, and that the others say nothing is too: it holds since the last of it came true.
            alarm = min(firing, key=lambda signal: signal.since)
            since = max(*began.values(), alarm.since, voices.silent_since(names))
            at = min(*voices.ages(names), alarm.at)
            down.append((since, at, f"{voices.sentence(Health.DOWN)}; the provider says so too"))
    if down:
        since, at, _ = min(down)
        reasons = (*(reason for _, _, reason in down), *(signal.sentence for signal in firing))
        return Verdict(region, Health.DOWN, since, at, reasons)

    healthy = [(voices, voices.saying(Health.HEALTHY)) for voices in probed]
    every_vantage = all(len(names) >= voices.needed for voices, names in healthy)
    if every_vantage and all(signal.health is Health.HEALTHY for signal in signals):
        return Verdict(
            region,
            Health.HEALTHY,
            max([*(voices.agreed_since(names) for voices, names in healthy), *(signal.since for signal in signals)]),
            min([*(voices.evidence_at(names) for voices, names in healthy), *(signal.at for signal in signals)]),
            (*(voices.sentence(Health.HEALTHY) for voices, _ in healthy), *(signal.sentence for signal in signals)),
        )

    changes = [since for voices in probed for _, since, count in voices.by_vantage.values() if count]
    last_change = max([*changes, *(signal.since for signal in signals)], default=now)
    doubts = [_doubt(voices) for voices in probed]
    lost = sorted({name for voices in probed for name in voices.saying(Health.DOWN)} - set(witnesses))
    if lost:
        doubts.append(f"{', '.join(lost)} see{'s' if len(lost) == 1 else ''} no other region healthy, and may be blind")
    doubts += [signal.sentence for signal in signals]
    return Verdict(region, Health.UNKNOWN, min(last_change, now), now, tuple(doubts))


@dataclass(frozen=True)
class _Signal:
    """What the provider says by one check of one region."""

    health: Health
    since: float
    at: float
    sentence: str


def _signal(state: Detection, check: Check, region: str, now: float) -> _Signal:
    count = state.counts.get((region, check.name, PROVIDER))
    if count is None:
        return _Signal(Health.UNKNOWN, now, now, f"{check.name}: nobody has read {check.target} yet")
    rules = state.checks.get(check.name, check)
    health, since = count.voice(rules, now), count.voice_since(rules, now)
    said = {Health.DOWN: "fires", Health.HEALTHY: "is quiet", Health.UNKNOWN: "is unknown"}[health]
    return _Signal(
        health, since, count.at, f"{check.name}: {check.target} {said} ({count.detail or 'no more is said'})"
    )


def _voices(state: Detection, check: Check, topology: Topology, region: str, now: float) -> _Voices:
    by_vantage: dict[str, tuple[Health, float, Count | None]] = {}
    serving: set[str] = set()
    rules = state.checks.get(check.name, check)
    for name in vantages_of(topology):
        count = state.counts.get((region, check.name, name))
        if count is None:
            by_vantage[name] = (Health.UNKNOWN, now, None)
        else:
            by_vantage[name] = (count.voice(rules, now), count.voice_since(rules, now), count)
            good = count.last is Health.HEALTHY and now - count.at <= staleness_seconds(rules)
            if good or by_vantage[name][0] is Health.HEALTHY:
                serving.add(name)
    return _Voices(check, needed(check, topology), by_vantage, frozenset(serving))


def _doubt(voices: _Voices) -> str:
    said = ", ".join(f"{len(voices.saying(health))} {health}" for health in Health)
    unknown = voices.saying(Health.UNKNOWN)
    details = [(name, voices.by_vantage[name][2]) for name in unknown]
    why = next((f"; {name}: {count.detail}" for name, count in details if count is not None and count.detail), "")
    return f"{voices.check.name}: {said} of {len(voices.by_vantage)} vantages, {voices.needed} must agree{why}"
