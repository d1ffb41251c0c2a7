"""Many years of one application, and what they gave altogether."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloudfail.model.topology import Topology
from cloudfail.testing.simulation.weather.climate import CLIMATE, Kind
from cloudfail.testing.simulation.weather.decider import Memory
from cloudfail.testing.simulation.weather.outcome import Finding, Year
from cloudfail.testing.simulation.weather.playing import ordinary, year


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
