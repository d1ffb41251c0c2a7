"""A path or an address leads to a region that serves, is proven by what answers through it, and is taken back whole."""

from __future__ import annotations

from typing import Any

import pytest

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo
from cloudfail.actions.network import Lead
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import NetworkState, Reached
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeNetwork, FakeWorld
from tests.crash.moves import LOADED
from tests.kit import Stage


def rerouted(prepare: Any = lambda _stage: None) -> tuple[Stage, str]:
    stage = Stage(LOADED)
    prepare(stage)
    run = stage.open("reroute", "east", "west")
    stage.drive()
    return stage, run


def ended(stage: Stage, run: str, step: str) -> tuple[str, str]:
    did = stage.run(run).did(step)
    return did.ended or "", did.detail


def test_a_path_of_two_parts_is_led_part_by_part_and_the_result_says_what_answered() -> None:
    stage, run = rerouted()
    assert stage.cloud.networks["backbone"] == {"backbone/a": ("west",), "backbone/b": ("west",)}
    assert ended(stage, run, "path") == ("done", "backbone leads to west: west answers")
    own = [effect.value for effect in stage.cloud.effects if effect.step == "path"]
    assert own == ["backbone/a west", "backbone/b west"]


def test_an_address_is_let_go_and_then_given_each_announced_by_itself() -> None:
    stage, _run = rerouted()
    assert [e.value for e in stage.cloud.effects if e.step == "address"] == ["vip nowhere", "vip west"]


def test_no_path_leads_to_a_region_that_does_not_serve() -> None:
    stage, run = rerouted(lambda stage: stage.cloud.unhealthy.add("west"))
    assert stage.cloud.networks["vip"] == {"vip": ("east",)}
    assert stage.run(run).phase is Phase.HALTED
    assert "while shop does not pass there" in stage.run(run).halted_because


def test_a_path_that_is_set_and_carries_nothing_halts_the_run() -> None:
    stage, run = rerouted(lambda stage: stage.cloud.dark.add("backbone"))
    assert stage.cloud.networks["backbone"]["backbone/a"] == ("west",)
    assert stage.run(run).phase is Phase.HALTED
    assert "does not lead there: nobody answers" in stage.run(run).halted_because


class Network(FakeNetwork):
    """One whose words a test gives."""

    said: NetworkState
    reached: Known[Reached] | Unknown

    def read(self) -> Known[NetworkState] | Unknown:
        return Known(self.said, 0.0)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        return self.reached


def look(said: NetworkState, reached: Known[Reached] | Unknown, memory: dict[str, Any] | None = None) -> Look:
    world = FakeWorld(FakeCloud(LOADED.topology, VirtualClock()))
    network = Network(world.cloud, LOADED.topology.resources["backbone"])
    network.said, network.reached = said, reached
    world.network = lambda _name: network  # type: ignore[method-assign]  # this one alone is asked for
    step = PlannedStep("path", "network.route", None, {"network": "backbone", "to": "west"}, (), 60.0, 0.0, 3)
    context = StepContext(step, "r1", "east", "west", memory or {}, memory is not None)
    return Lead("network.route", "route").observe(world, context)


ANSWERS = Known(Reached(True, "10.0.0.1:22 answers"), 0.0)
WEST = {"a": ("west",)}


@pytest.mark.parametrize(
    ("said", "reached", "kind", "words"),
    [
        (NetworkState(WEST), ANSWERS, Done, "leads to west: 10.0.0.1:22 answers"),
        (NetworkState(WEST), Known(Reached(None, ""), 0.0), Done, "only what is set was read"),
        (NetworkState(WEST), Known(Reached(False, "no answer"), 0.0), Moving, "does not lead there: no answer"),
        (NetworkState(WEST), Unknown("no route from here"), NotKnown, "whether anything answers through it"),
        (NetworkState(WEST, moving="modify-in-progress"), ANSWERS, Moving, "modify-in-progress"),
        (NetworkState({"a": ("east",)}, moving="busy"), ANSWERS, Moving, "busy"),
        (NetworkState(WEST, obstacle="a black hole"), ANSWERS, Moving, "carries nothing: a black hole"),
        (NetworkState({}), ANSWERS, NotKnown, "says of no part where it leads"),
        (NetworkState({"a": ("east",)}), ANSWERS, Todo, "lead backbone to west (now east)"),
        (NetworkState({"a": ()}), ANSWERS, Todo, "lead backbone to west (now nowhere)"),
        (NetworkState({"a": ("east", "west")}), ANSWERS, Todo, "(now east and west)"),
        (NetworkState({"a": ("east",), "b": ("west",)}), ANSWERS, Todo, "(now east 1 of 2, west 1 of 2)"),
    ],
)
def test_a_look(said: NetworkState, reached: Known[Reached] | Unknown, kind: type[Look], words: str) -> None:
    seen = look(said, reached)
    assert type(seen) is kind
    assert words in str(seen)


def test_what_led_nowhere_is_taken_back_to_nowhere_whatever_answers() -> None:
    memory = {"points": {"a": []}}
    assert isinstance(look(NetworkState(WEST), ANSWERS, memory), Todo)
    assert isinstance(look(NetworkState({"a": ()}), Known(Reached(False, ""), 0.0), memory), Done)
