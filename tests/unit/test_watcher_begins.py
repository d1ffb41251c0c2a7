"""A run that another worker opened, seen by a watcher whose own observers may be a check behind: it is neither begun
without a loss in sight nor taken back before they had their time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import pytest

from cloudfail.app import App
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.live import Live
from cloudfail.model.observation import Health, Known, Unknown, Verdict
from cloudfail.readiness import Readiness
from cloudfail.testing.clock import VirtualClock
from cloudfail.watcher import Watcher
from tests.crash.moves import LOADED
from tests.kit import Stage
from tests.unit.test_preflight import World

SECONDS_MAX = 60.0


class Sight(Live):
    """What this watcher's observers say of the source, by seconds from now on; the rest is healthy."""

    def __init__(self, stage: Stage, says: Callable[[float], Health]) -> None:
        super().__init__(stage.loaded.topology, stage.clock)
        self._virtual: VirtualClock = stage.clock
        self._says, self._began = says, stage.clock.boot()

    def wait(self, seconds: float) -> None:
        self._virtual.sleep(seconds)

    def verdicts(self) -> Mapping[str, Verdict]:
        now = self._virtual.boot()
        said = self._says(now - self._began)
        return {
            region: Verdict(region, said if region == "east" else Health.HEALTHY, self._began, now)
            for region in self.topology.regions
        }


class Beats:
    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        return Unknown("nobody writes here")

    def believe(self, primary: str) -> None: ...


class Ready(Readiness):
    """With calls that are made in line, as virtual time needs them."""

    def __init__(self, app: App, stage: Stage) -> None:
        super().__init__(app)
        self._stage = stage

    def engine(self) -> Engine:
        return self._stage.engine("south")


@contextlib.contextmanager
def eyes(app: App, live: Live) -> Iterator[Beats]:
    yield Beats()


@pytest.fixture
def stage() -> Stage:
    return Stage(LOADED)


def watched(stage: Stage, run: str, says: Callable[[float], Health], seconds: float) -> None:
    app = App(stage.loaded, stage.store, "south", stage.clock)
    app.world = World(stage.cloud)
    stop = lambda: stage.run(run).phase.final or bool(_ordered(stage, run))  # noqa: E731
    Watcher(app, live=Sight(stage, says), eyes=eyes, ready=Ready(app, stage)).run(
        until=stage.clock.boot() + seconds, stop=stop
    )


def _ordered(stage: Stage, run: str) -> list[str]:
    return [step for step, track in stage.run(run).tracks.items() if track.ordered]


def opened(stage: Stage) -> str:
    return stage.open("evacuate-all", "east", "west", automation="automatic", preapproved="")


def test_one_that_still_sees_the_source_well_does_not_take_back_what_another_has_begun(stage: Stage) -> None:
    run = opened(stage)
    watched(stage, run, lambda seconds: Health.HEALTHY if seconds < 2.0 else Health.DOWN, 600.0)
    assert stage.run(run).phase is not Phase.UNDONE
    assert _ordered(stage, run), "seen down in time, it is begun"


@pytest.mark.parametrize("health", [Health.HEALTHY, Health.UNKNOWN])
def test_without_a_loss_in_sight_it_is_taken_back_once_the_observers_had_their_time(
    stage: Stage, health: Health
) -> None:
    run, began = opened(stage), stage.clock.boot()
    watched(stage, run, lambda _seconds: health, 600.0)
    ended = stage.run(run)
    assert ended.phase is Phase.UNDONE
    assert not _ordered(stage, run)
    assert 1.0 < stage.clock.boot() - began < SECONDS_MAX
