"""Many seeds of one application, played, judged and held against its objectives; the worst is told."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from cloudfail.errors import Refused
from cloudfail.testing.simulation.advice import advice_on
from cloudfail.testing.simulation.checkers import Violation, judge
from cloudfail.testing.simulation.felt import felt_of
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.own import Own, conditions
from cloudfail.testing.simulation.play import History, Play
from cloudfail.testing.simulation.results import Felt, Found, Line, Story, Trial
from cloudfail.testing.simulation.scenario import Happening, Scenario, Setup, draw
from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.testing.simulation.story import story_of
from cloudfail.testing.simulation.story import told as told_of
from cloudfail.testing.simulation.swarm import Swarm, judged, kept, shrink

CHUNK_SEEDS = 2
SEEDS_MAX = 1_000_000
SHRUNK_MAX = 3
SHRINK_TRIES_MAX = 60


@dataclass(frozen=True)
class Asked:
    """Which seeds. seeds None: as many as fit into `budget_seconds`. faults None: all that may be drawn."""

    first: int = 0
    seeds: int | None = None
    budget_seconds: float = 6.0
    faults: frozenset[str] | None = None
    processes: int = 1
    missed_share_max: float = 0.05
    command: Callable[[int, Sequence[int] | None], str] = lambda seed, _keep: f"cloudfail simulate --seed {seed}"


def scenario_of(seed: int, one: Own, faults: frozenset[str] | None = None) -> Scenario:
    return one.pace.fitted(draw(seed, [one.setup], faults), faults)


def trial(one: Own, asked: Asked, progress: Callable[[int], None] = lambda _seeds: None) -> Trial:
    began = time.monotonic()
    swarm, felts = Swarm(), list[Felt]()
    with contextlib.closing(_parts(one, asked, began)) as parts:
        for part, more in parts:
            swarm.add(part)
            felts += more
            progress(swarm.seeds)
    seconds = time.monotonic() - began
    found = Trial(
        application=one.topology.application,
        runbook=one.plan.runbook,
        mode=str(one.plan.mode),
        source=one.plan.source,
        target=one.plan.target,
        objectives=one.topology.objectives,
        first=asked.first,
        felts=tuple(felts),
        ends=dict(swarm.ends.most_common()),
        fired=dict(sorted(swarm.fired.items(), key=lambda item: (-item[1], item[0]))),
        rows_never_taken=tuple(swarm.rows_never_taken()),
        rare_faults=tuple(swarm.rare_faults()),
        conditions=conditions(one),
        assumed=one.assumed,
        missed_share_max=asked.missed_share_max,
        seconds=seconds,
        replay=asked.command(asked.first, None),
    )
    worst = worst_of(found)
    return replace(
        found,
        violations=tuple(_found(one, asked, swarm.violations)),
        advice=advice_on(found, one),
        worst=None if worst is None else tell(worst.seed, one, asked),
    )


def worst_of(found: Trial) -> Felt | None:
    """The seed that is told: of those that missed most objectives, the longest outage, then the greatest loss; of
    those that met them, the longest outage."""

    def badness(felt: Felt) -> tuple[int, float, float, int]:
        outage = float("inf") if felt.outage_seconds is None else felt.outage_seconds
        return len(felt.misses(found.objectives)), outage, felt.lost_seconds, -felt.seed

    return max(found.judged, key=badness, default=None)


# ---- playing


def _parts(one: Own, asked: Asked, began: float) -> Generator[tuple[Swarm, list[Felt]], None, None]:
    """The seeds in order, a few at a time. Without a number of seeds it ends with the first part after the budget."""
    total = SEEDS_MAX if asked.seeds is None else asked.seeds
    starts = range(asked.first, asked.first + total, CHUNK_SEEDS)
    work = ((start, min(CHUNK_SEEDS, asked.first + total - start)) for start in starts)

    def enough() -> bool:
        return asked.seeds is None and time.monotonic() - began >= asked.budget_seconds

    global _now
    _now = (one, asked)
    if asked.processes <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        for part in work:
            yield _chunk(part)
            if enough():
                return
        return
    # Forked, so that what was loaded is there and only numbers are sent. Parts come in order.
    with multiprocessing.get_context("fork").Pool(min(asked.processes, -(-total // CHUNK_SEEDS))) as pool:
        waiting = []
        for part in work:
            waiting.append(pool.apply_async(_chunk, (part,)))
            if len(waiting) <= asked.processes:
                continue
            yield waiting.pop(0).get()
            if enough():
                return
        for last in waiting:
            yield last.get()


_now: tuple[Own, Asked] | None = None


def _chunk(work: tuple[int, int]) -> tuple[Swarm, list[Felt]]:
    assert _now is not None
    one, asked = _now
    first, count = work
    swarm, felts = Swarm(), []
    for seed in range(first, first + count):
        history, violations = judged(scenario_of(seed, one, asked.faults), one.setup)
        felts.append(felt_of(history, swarm.count(history, violations)))
    return swarm, felts


# ---- telling one seed


def cut_down(scenario: Scenario, keep: Sequence[int] | None) -> Scenario:
    """Only the happenings of these numbers (None: all). Raises Refused for a number that there is not."""
    if keep is None:
        return scenario
    wrong = [number for number in keep if not 0 <= number < len(scenario.happenings)]
    if wrong:
        last = len(scenario.happenings) - 1
        raise Refused(
            f"Seed {scenario.seed} has no happening {wrong[0]}.",
            "Nothing was played.",
            f"Its happenings are 0 to {last}; see them: cloudfail simulate --seed {scenario.seed}",
        )
    return replace(
        scenario, happenings=tuple(one for number, one in enumerate(scenario.happenings) if number in set(keep))
    )


@dataclass(frozen=True)
class Played:
    """One seed that was played to be told. struck: when a worker died or stood still, and which."""

    history: History
    violations: tuple[Violation, ...]
    struck: tuple[Line, ...]


class _Watched(Play):
    """Plays as ever, and notes when what waits for a boundary strikes: a scenario does not say when that is."""

    def __init__(self, scenario: Scenario, setup: Setup) -> None:
        self.struck: list[Line] = []
        super().__init__(scenario, setup)

    def _arm(self, machine: Machine, happening: Happening) -> None:
        super()._arm(machine, happening)
        boundary = int(happening.args["boundary"])
        strikes = machine.at_boundary[boundary]

        def reached(where: str) -> None:
            if not self.calm:
                self.struck.append(Line(self.hub.now, f"{told_of(happening)}: {where}", "fault"))
            strikes(where)

        machine.at_boundary[boundary] = reached


def played(seed: int, one: Own, asked: Asked, keep: Sequence[int] | None = None) -> Played:
    return _played(cut_down(scenario_of(seed, one, asked.faults), keep), one.setup)


def swept(seed: int, keep: Sequence[int] | None = None) -> Played:
    """That seed as `python -m cloudfail.testing.simulation` plays it: over all runbooks that ship, at no one's pace."""
    setups = shipped_setups()
    scenario = cut_down(draw(seed, setups), keep)
    return _played(scenario, next(setup for setup in setups if setup.name == scenario.setup))


def _played(scenario: Scenario, setup: Setup) -> Played:
    play = _Watched(scenario, setup)
    history = play.play()
    return Played(history, tuple(judge(history)), tuple(play.struck))


def tell(seed: int, one: Own, asked: Asked, keep: Sequence[int] | None = None) -> Story:
    return told(played(seed, one, asked, keep), asked, keep)


def told(one: Played, asked: Asked, keep: Sequence[int] | None) -> Story:
    history = one.history
    felt = felt_of(history, Swarm().count(history, one.violations))
    numbers = None if keep is None else tuple(sorted(set(keep)))
    return story_of(history, felt, asked.command(history.scenario.seed, numbers), one.struck, numbers)


def found_in(asked: Asked, one: Played, keep: Sequence[int] | None) -> tuple[Found, ...]:
    """What is wrong with one seed that was replayed; nothing is cut down."""
    seed = one.history.scenario.seed
    return tuple(Found(seed, found.invariant, found.what, asked.command(seed, keep)) for found in one.violations)


def _found(one: Own, asked: Asked, violations: Sequence[tuple[int, str, Violation]]) -> Iterator[Found]:
    """Every violation with the command that replays it; the first of each invariant, up to a few, cut down."""
    shrunk: set[str] = set()
    for seed, _, violation in sorted(violations, key=lambda found: (found[0], found[2].invariant, found[2].what)):
        smallest, keep = None, None
        if violation.invariant not in shrunk and len(shrunk) < SHRUNK_MAX:
            shrunk.add(violation.invariant)
            full = scenario_of(seed, one, asked.faults)
            keep = kept(full, shrink(full, one.setup, violation.invariant, SHRINK_TRIES_MAX))
            smallest = tell(seed, one, asked, keep)
        yield Found(seed, violation.invariant, violation.what, asked.command(seed, keep), smallest)
