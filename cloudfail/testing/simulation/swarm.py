"""Many seeds, on one core or several, and what they hit; a seed that shows a violation is cut down to its causes."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cloudfail.execution.lifecycle import TABLE
from cloudfail.testing.simulation.checkers import Violation, judge
from cloudfail.testing.simulation.play import History, play
from cloudfail.testing.simulation.scenario import DRAWN_OTHERWISE, HAPPENINGS, Scenario, Setup, draw

CHUNK_SEEDS = 100
FIRED_SHARE_MIN = 0.01


@dataclass(frozen=True)
class Outcome:
    """How one seed went. end: the last run's phase. asked: whether a person had to act beyond the gate."""

    seed: int
    setup: str
    end: str
    asked: bool
    happenings: int


@dataclass
class Swarm:
    """What many seeds showed. fired: fault -> in how many seeds it took effect. rows: rows of the state table that were
    taken. hits: (state of the run, fault) pairs -> seeds."""

    seeds: int = 0
    violations: list[tuple[int, str, Violation]] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, other: Swarm) -> None:
        self.seeds += other.seeds
        self.violations += other.violations
        self.ends.update(other.ends)
        self.fired.update(other.fired)
        self.rows.update(other.rows)
        self.hits.update(other.hits)
        self.outcomes += other.outcomes

    def count(self, history: History, violations: Iterable[Violation]) -> Outcome:
        """One seed more, as it was played and judged."""
        seed, setup = history.scenario.seed, history.scenario.setup
        outcome = outcome_of(history)
        self.seeds += 1
        self.outcomes.append(outcome)
        self.ends[outcome.end] += 1
        self.fired.update(dict.fromkeys(history.fired, 1))
        self.rows.update(dict.fromkeys(history.rows, 1))
        self.hits.update(dict.fromkeys(history.hits, 1))
        self.violations += [(seed, setup, violation) for violation in violations]
        return outcome

    def rare_faults(self) -> list[tuple[str, float]]:
        """Faults that took effect in less than one seed of a hundred, with their share."""
        names = [*HAPPENINGS, *DRAWN_OTHERWISE]
        shares = ((name, self.fired[name] / max(1, self.seeds)) for name in names)
        return [(name, share) for name, share in shares if share < FIRED_SHARE_MIN]

    def rows_never_taken(self) -> list[str]:
        """Rows of the state table that no seed took."""
        return [
            f"{row.phase} + {row.event}" + (f" ({row.when})" if row.when else "") + f" -> {row.next}"
            for row in TABLE
            if not any(
                phase == row.phase and to == row.next and text.startswith(row.sentence) for phase, to, text in self.rows
            )
        ]


def outcome_of(history: History) -> Outcome:
    scenario, runs = history.scenario, history.runs()
    end = str(runs[-1].phase) if runs else "no run"
    return Outcome(
        seed=scenario.seed,
        setup=scenario.setup,
        end=end,
        asked=any(not act.startswith("approve") for _, act in history.person_acts),
        happenings=len(scenario.happenings),
    )


def outage_span(history: History) -> tuple[float, float] | None:
    """From the loss (or the start of the move) to the moment since which clients outside have been writing to the
    target: the longest gap between two acknowledged writes of the worst group that looks the name up, or asks the
    balancer."""
    cloud = history.cloud
    began, ended = 0.0, 0.0
    for group in cloud.groups:
        if group.kind not in {"name", "balancer"}:
            continue
        for spans in cloud.acked_at.values():
            own = sorted((since, until) for since, until, _, name in spans if name == group.name)
            if not own:
                continue
            reached = own[0][1]
            for since, until in own[1:]:
                if since - reached > ended - began:
                    began, ended = reached, since
                reached = max(reached, until)
            if history.ended_at - reached > 1.0 + ended - began and history.ended_at > reached:
                return None
    return began, ended


def judged(scenario: Scenario, setup: Setup) -> tuple[History, list[Violation]]:
    """Play and judge one scenario. What breaks the simulation itself is a finding too."""
    history = play(scenario, setup)
    return history, judge(history)


def run_seeds(seeds: Iterable[int], setups: Sequence[Setup], faults: frozenset[str] | None = None) -> Swarm:
    """Play and judge these seeds, here."""
    by_name = {setup.name: setup for setup in setups}
    swarm = Swarm()
    for seed in seeds:
        scenario = draw(seed, setups, faults)
        swarm.count(*judged(scenario, by_name[scenario.setup]))
    return swarm


def run_swarm(
    first: int,
    count: int,
    make_setups: Callable[[], Sequence[Setup]],
    *,
    faults: frozenset[str] | None = None,
    processes: int = 1,
    progress: Callable[[Swarm], None] = lambda _so_far: None,
) -> Swarm:
    """Seeds `first` to `first + count - 1`. With several processes each makes its own setups; the result is one."""
    total = Swarm()
    for part in _parts(first, count, make_setups, faults, processes):
        total.add(part)
        progress(total)
    total.outcomes.sort(key=lambda outcome: outcome.seed)
    total.violations.sort(key=lambda found: found[0])
    return total


_made: dict[str, Sequence[Setup]] = {}


def _chunk(work: tuple[int, int, Callable[[], Sequence[Setup]], frozenset[str] | None]) -> Swarm:
    first, count, make_setups, faults = work
    if "setups" not in _made:
        _made["setups"] = make_setups()
    return run_seeds(range(first, first + count), _made["setups"], faults)


def _parts(
    first: int,
    count: int,
    make_setups: Callable[[], Sequence[Setup]],
    faults: frozenset[str] | None,
    processes: int,
) -> Iterator[Swarm]:
    end = first + count
    work = [(start, min(CHUNK_SEEDS, end - start), make_setups, faults) for start in range(first, end, CHUNK_SEEDS)]
    if processes <= 1:
        setups = make_setups()
        for start, size, _, wanted in work:
            yield run_seeds(range(start, start + size), setups, wanted)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_chunk, work)


def shrink(scenario: Scenario, setup: Setup, invariant: str, tries_max: int = 200) -> Scenario:
    """The same seed with as few happenings as still show a violation of that invariant."""
    tries = 0
    number = len(scenario.happenings) - 1
    while number >= 0 and tries < tries_max:
        tries += 1
        smaller = scenario.without(number)
        if any(violation.invariant == invariant for violation in judged(smaller, setup)[1]):
            scenario = smaller
            number = min(number, len(scenario.happenings))
        number -= 1
    return scenario


def kept(full: Scenario, smaller: Scenario) -> tuple[int, ...]:
    """The numbers of the happenings that were kept: what replays a scenario that was cut down."""
    left = list(smaller.happenings)
    numbers = []
    for number, happening in enumerate(full.happenings):
        if left and happening == left[0]:
            numbers.append(number)
            left.pop(0)
    return tuple(numbers)


def replayed(seed: int, setups: Sequence[Setup], keep: Sequence[int] | None = None) -> Scenario:
    """The scenario of that seed, with only the happenings of these numbers (None: all)."""
    scenario = draw(seed, setups)
    if keep is None:
        return scenario
    for number in reversed(range(len(scenario.happenings))):
        if number not in keep:
            scenario = scenario.without(number)
    return scenario
