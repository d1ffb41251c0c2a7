"""Scenarios and worlds that the swarm does not draw, for breakages that need them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudfail.model.codec import checksum_of
from cloudfail.model.journal import BrokenChain
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import OUTSIDE
from cloudfail.testing.simulation.play import Play
from cloudfail.testing.simulation.process import SimApp
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario, Setup, Worker
from cloudfail.testing.simulation.setups import shipped_setups
from tests.simulation.breakages.breakage import HandMade


def evacuation(setup: Setup, *more: Happening, **changes: Any) -> Scenario:
    """One terminal evacuates a region that is dead; nothing else goes wrong but `more`."""
    lost = Happening("region lost", 2.0, {"region": setup.plan.source, "how": "kill"})
    return replace(
        Scenario(
            seed=0,
            setup=setup.name,
            preapproved=True,
            workers=(Worker("w1", "command", OUTSIDE, 2.5),),
            happenings=tuple(sorted((lost, *more), key=lambda happening: happening.at)),
        ),
        **changes,
    )


def back_from_out_of_sight(setups: Mapping[str, Setup]) -> list[Scenario]:
    """The source is cut off, from the target too, and its own clients write on; it is back before anything was
    promoted, and is fenced before anybody outside has seen a write of it. When that is falls between two looks."""
    setup = setups["evacuate-local"]
    source, target = setup.plan.source, setup.plan.target
    return [
        Scenario(
            seed=0,
            setup=setup.name,
            way="watch",
            automation="automatic",
            synchronous=False,
            workers=(Worker("w1", "resident", starts=0.5),),
            person=Person(every_seconds=70.0, accepts_owed=False, accepts_loss_seconds=0.0),
            happenings=(
                Happening("region lost", 12.0, {"region": source, "how": "cut"}),
                Happening(
                    "partition source-target", 14.0, {"between": (source, target), "ways": "both", "seconds": 300.0}
                ),
                Happening("region returns", 60.0 + 0.25 * number, {"region": source}),
            ),
            calm_at=400.0,
        )
        for number in range(20)
    ]


def stopped_before_each_boundary(*meanwhile: Happening, seconds: float) -> HandMade:
    """The only worker stands still for a while at its n-th boundary, for each n, while something is said."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        return [
            evacuation(
                setups["evacuate-local"],
                Happening("stop", 0.0, {"worker": "w1", "boundary": number + 1, "seconds": seconds}),
                *meanwhile,
            )
            for number in range(60)
        ]

    return made


def short_lease() -> Sequence[Setup]:
    """A lease that is not much longer than the store's timeout, so that the time of an append counts."""
    local = next(setup for setup in shipped_setups() if setup.name == "evacuate-local")
    topology = local.loaded.topology
    policy = replace(topology.policy, lease_seconds=3.0)
    loaded = replace(local.loaded, topology=replace(topology, policy=policy))
    return (replace(local, loaded=loaded),)


def blind_watchers(*cuts: tuple[str, str]) -> HandMade:
    """Nothing is lost; for a while these ways are cut: a vantage's to the source, or to the worker."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        found = []
        for number, name in enumerate(("evacuate-local", "evacuate")):
            setup = setups[name]
            events = [
                Happening(
                    f"partition observer-{'region' if to == 'source' else to}",
                    20.0,
                    {
                        "between": [vantage, setup.plan.source if to == "source" else OUTSIDE],
                        "ways": "both",
                        "seconds": 100.0,
                    },
                )
                for vantage, to in cuts
            ]
            watching = {"way": "watch", "automation": "automatic", "workers": (Worker("w1", "resident"),)}
            found.append(evacuation(setup, seed=number, **{**watching, "happenings": tuple(events)}))
        return found

    return made


class StillWatching(Play):
    """The observers go on after the move, as those of `cloudfail watch` do."""

    def observing(self) -> bool:
        return self.scenario.way == "watch"


class FilesChanged(Play):
    """Between the review (or the signature) and the start somebody changed the runbook's limits."""

    def app(self, machine: Machine, by: str) -> SimApp:
        app = super().app(machine, by)
        steps = tuple(replace(step, limit_seconds=step.limit_seconds * 2) for step in self.setup.plan.steps)
        changed = replace(self.setup.plan, steps=steps)
        changed = replace(changed, checksum=checksum_of(changed))
        app.bind = lambda *_of, **_how: changed  # type: ignore[method-assign]
        return app


class ChainRead(Play):
    """Somebody verifies the chain of the log as it grows, and goes on."""

    def _landed(self, seq: int, body: bytes) -> None:
        try:
            super()._landed(seq, body)
        except BrokenChain as error:
            self.history.broke.append(f"the chain of the log is broken (I9): {error}")
            self._digest = json.loads(body)["previous"]
            super()._landed(seq, body)
