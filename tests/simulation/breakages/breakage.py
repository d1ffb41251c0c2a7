"""What a breakage is: a switch, what it breaks, and the scenarios in which it could matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from cloudfail.testing.simulation.play import Play
from cloudfail.testing.simulation.scenario import Scenario, Setup, draw
from cloudfail.testing.simulation.setups import shipped_setups

Acted = Callable[[], None]
Only = Callable[[Scenario], bool]
HandMade = Callable[[Mapping[str, Setup]], Sequence[Scenario]]


@dataclass
class Breakage:
    """breaks: the rule or the invariant. shows: the invariant that must be among those that are seen violated ("": any
    will do; a broken rule may show in several ways). could_act: how often the changed code chose otherwise than the
    real code would have (or, where that cannot be told, was reached). only: the drawn scenarios in which it could
    matter; the others are counted, and not played. by_hand: scenarios made for it, in place of drawn ones. playing and
    setups: the world that it needs, where the drawn one does not do. why: what the drawn one lacks. binds: it changes
    how plans are bound, so that the setups are made under it."""

    name: str
    breaks: str
    sentence: str
    breaking: Callable[[Acted], AbstractContextManager[None]]
    only: Only | None = None
    by_hand: HandMade | None = None
    why: str = ""
    playing: type[Play] = Play
    setups: Callable[[], Sequence[Setup]] = shipped_setups
    binds: bool = False
    shows: str = ""
    could_act: int = field(default=0, compare=False)

    @contextmanager
    def on(self) -> Iterator[None]:
        def acted() -> None:
            self.could_act += 1

        with self.breaking(acted):
            yield

    def scenario(self, number: int, setups: Mapping[str, Setup]) -> Scenario | None:
        """The scenario of that number: drawn from it as the seed, or made by hand. None: it cannot matter, or there is
        no such number."""
        if self.by_hand is not None:
            made = self.by_hand(setups)
            return made[number] if number < len(made) else None
        scenario = draw(number, tuple(setups.values()))
        return scenario if self.only is None or self.only(scenario) else None


def breaks(rule: str, **how: Any) -> Callable[[Callable[[Acted], Iterator[None]]], Breakage]:
    """Make a breakage of the decorated context manager; its docstring is the sentence."""

    def made(broken: Callable[[Acted], Iterator[None]]) -> Breakage:
        name = broken.__name__.replace("_", " ")
        sentence = " ".join((broken.__doc__ or "").split())
        how.setdefault("shows", rule if rule.startswith("I") else "")
        return Breakage(name, rule, sentence, contextmanager(broken), **how)

    return made


def having(*kinds: str, way: str = "") -> Only:
    """Drawn scenarios with all of these happenings, started that way."""

    def only(scenario: Scenario) -> bool:
        drawn = {happening.kind for happening in scenario.happenings}
        return drawn.issuperset(kinds) and way in {"", scenario.way}

    return only


def workers(least: int) -> Only:
    return lambda scenario: len(scenario.workers) >= least


def both(*wanted: Only) -> Only:
    return lambda scenario: all(only(scenario) for only in wanted)
