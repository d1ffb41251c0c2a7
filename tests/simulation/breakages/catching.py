"""What the simulator says of a breakage: it goes through seeds until one catches it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloudfail.testing.simulation.checkers import Violation, judge
from cloudfail.testing.simulation.scenario import Scenario, Setup
from tests.simulation.breakages.breakage import Breakage


@dataclass(frozen=True)
class Caught:
    """number: the seed (or the number of the scenario made by hand). tried: how many numbers were gone through until
    then; played: how many of them could matter and were played. by: the invariants and rules that were violated."""

    breakage: Breakage
    number: int
    tried: int
    played: int
    violations: tuple[Violation, ...]

    @property
    def by(self) -> str:
        return " ".join(dict.fromkeys(violation.invariant for violation in self.violations))

    def row(self) -> str:
        breakage = self.breakage
        seed = f"{self.number}{' by hand' if breakage.by_hand else ''}"
        return (
            f"{breakage.breaks:4} {breakage.name:50} {self.by:16} {seed:>10} {self.tried:>6} {self.played:>6} "
            f"{breakage.could_act:>9}"
        )


HEADER = f"{'':4} {'breakage':50} {'caught by':16} {'seed':>10} {'tried':>6} {'played':>6} {'could act':>9}"


@functools.cache
def setups_of(make: Callable[[], Sequence[Setup]]) -> Mapping[str, Setup]:
    return {setup.name: setup for setup in make()}


def violations_with(breakage: Breakage, scenario: Scenario) -> list[Violation]:
    """Play it broken. The judges are whole: they look on after the switch is off again."""
    with breakage.on():
        setups = setups_of(breakage.setups)
        if breakage.binds:
            setups = {setup.name: setup for setup in breakage.setups()}
        history = breakage.playing(scenario, setups[scenario.setup]).play()
    return judge(history)


def violations_without(breakage: Breakage, scenario: Scenario) -> list[Violation]:
    return judge(breakage.playing(scenario, setups_of(breakage.setups)[scenario.setup]).play())


def search(breakage: Breakage, numbers: Iterable[int]) -> Caught | None:
    """Go through these numbers until one catches the breakage."""
    breakage.could_act = 0
    tried = played = 0
    for number in numbers:
        tried += 1
        scenario = breakage.scenario(number, setups_of(breakage.setups))
        if scenario is None:
            continue
        played += 1
        found = violations_with(breakage, scenario)
        if any(breakage.shows in {"", violation.invariant} for violation in found):
            return Caught(breakage, number, tried, played, tuple(found))
    return None
