"""Detection and automation: what counts as a loss, and what is done of itself afterwards (I6, I8)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import decide as decide_module
from cloudfail import detect as detect_module
from cloudfail import watcher as watcher_module
from cloudfail.decide import Decision, DecisionKind
from cloudfail.execution.state import RunState
from cloudfail.model.observation import Health
from cloudfail.testing.simulation.scenario import Happening, Scenario, Setup, Worker
from cloudfail.watcher import Watcher
from tests.simulation.breakages.breakage import Acted, HandMade, breaks
from tests.simulation.breakages.made_by_hand import StillWatching, blind_watchers, evacuation

# ---- I6


@breaks(
    "I6",
    by_hand=blind_watchers(("vantage 1", "worker"), ("vantage 2", "source")),
    why="one observer is lost and another one loses its way, while nothing else is lost",
)
def unknown_counts_as_down(acted: Acted) -> Iterator[None]:
    """A vantage that says nothing is taken for one that says down (and is a witness although it calls all down)."""
    voice = detect_module.Count.voice

    def broken(self: Any, check: Any, now: float) -> Health:
        said = voice(self, check, now)
        if said is not Health.UNKNOWN:
            return said
        acted()
        return Health.DOWN

    with patch.object(detect_module.Count, "voice", broken), patch.object(detect_module, "_witnesses", _everyone):
        yield


def _everyone(_state: Any, topology: Any, _now: float) -> dict[str, dict[str, float]]:
    return {region: dict.fromkeys(detect_module.vantages_of(topology), -math.inf) for region in topology.regions}


def _written_late(setups: Mapping[str, Setup]) -> list[Scenario]:
    """The only watcher stands still while it writes the run that it decided on, and the region is back meanwhile."""
    setup = setups["evacuate-local"]
    return [
        Scenario(
            seed=0,
            setup=setup.name,
            way="watch",
            automation="automatic",
            workers=(Worker("w1", "resident"),),
            happenings=(
                Happening("region lost", 12.0, {"region": setup.plan.source, "how": "kill"}),
                Happening("stop", 0.0, {"worker": "w1", "boundary": 3, "seconds": 200.0}),
                Happening("region returns", 60.0, {"region": setup.plan.source}),
            ),
            calm_at=400.0,
        )
    ]


@breaks("I6", by_hand=_written_late, why="a stop at that one boundary, with nobody else awake, is drawn once in many")
def a_run_is_begun_whatever_is_seen(acted: Acted) -> Iterator[None]:
    """What was decided is carried out however long ago that was."""

    def broken(self: Any, run: RunState) -> bool:
        if not any(record.ordered for record in run.tracks.values()):
            acted()
        return True

    with patch.object(Watcher, "_may_begin", broken):
        yield


@breaks("I6", by_hand=blind_watchers(("vantage 1", "source")), why="an observer loses its way while nothing is lost")
def one_vantage_is_enough(acted: Acted) -> Iterator[None]:
    """A single vantage decides."""

    def broken(_check: Any, _topology: Any) -> int:
        acted()
        return 1

    with patch.object(detect_module, "needed", broken):
        yield


# ---- I8


def _lost_and_back(*later: Happening) -> HandMade:
    """The source is lost, and back soon, so that what was owed is settled; then perhaps the new primary is lost. What
    happens last changes nothing: the play goes on until then."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        setup = setups["evacuate"]
        events = [
            Happening("region lost", 12.0, {"region": setup.plan.source, "how": "kill"}),
            Happening("region returns", 80.0, {"region": setup.plan.source}),
            *(replace(event, args={**event.args, "region": setup.plan.target}) for event in later),
            Happening("clock jump", 280.0, {"worker": "w1", "seconds": 0.0}),
        ]
        watching = {"way": "watch", "automation": "stage-1", "workers": (Worker("w1", "resident"),), "calm_at": 300.0}
        return [evacuation(setup, **{**watching, "happenings": tuple(events)})]

    return made


@breaks("I8", by_hand=_lost_and_back(), playing=StillWatching, why="nobody watches after a move in the swarm")
def going_home_is_automatic(acted: Acted) -> Iterator[None]:
    """As soon as the region that the file calls primary is healthy again, everything is moved back; and a run is begun
    without its loss in sight."""
    decide = watcher_module.decide

    def broken(topology: Any, verdicts: Any, history: Any, now: float) -> Decision:
        real = decide(topology, verdicts, history, now)
        home = topology.primary
        calm = not (history.open_run or history.paused or history.obligations)
        if calm and history.primary != home and verdicts[home].health is Health.HEALTHY:
            acted()
            return Decision(DecisionKind.ACT, history.primary, home, ("Home is healthy.",))
        return real

    begins = patch.object(Watcher, "_may_begin", lambda _self, _run: True)
    with patch.object(watcher_module, "decide", broken), begins:
        yield


@breaks(
    "I8",
    by_hand=_lost_and_back(Happening("target lost", 160.0, {"seconds": 100.0})),
    playing=StillWatching,
    why="nobody watches after a move in the swarm",
)
def the_cool_down_is_ignored(acted: Acted) -> Iterator[None]:
    """Automation moves again right after a move."""

    def broken(_situation: Any) -> str:
        acted()
        return "No run is recent."

    rules = tuple(broken if rule is decide_module.the_cool_down_is_over else rule for rule in decide_module.RULES)
    with patch.object(decide_module, "RULES", rules):
        yield
