"""One year: the application that it befalls, and its events, from first to last, through the decider and the judge."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from cloudfail.model.policy import Automation, Policy
from cloudfail.model.topology import Check, Objectives, Region, Topology, Vantage
from cloudfail.testing.simulation.weather.climate import CLIMATE, Kind, Sky, forecast
from cloudfail.testing.simulation.weather.decider import Memory, Watch
from cloudfail.testing.simulation.weather.events import YEAR, Event
from cloudfail.testing.simulation.weather.judging import judge
from cloudfail.testing.simulation.weather.outcome import Year


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
            judge(watch, spell)
    else:
        for spell in spells:
            watch.add(spell)
            watch.through(spell, math.inf)
            judge(watch, spell)
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
