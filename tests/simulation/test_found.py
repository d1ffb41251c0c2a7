"""What the simulator found in our own code, each with the history that showed it."""

from __future__ import annotations

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Kind
from cloudfail.testing.simulation.checkers import judge
from cloudfail.testing.simulation.play import History, play
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario, Setup, Worker
from cloudfail.testing.simulation.setups import shipped_setups

LOST = Happening("region lost", 12.0, {"region": "east", "how": "kill"})
CUT = Happening("region lost", 12.0, {"region": "east", "how": "cut"})
WATCHER = (Worker("w1", "resident"),)


@pytest.fixture(scope="module")
def local() -> Setup:
    return next(setup for setup in shipped_setups() if setup.name == "evacuate-local")


def played(setup: Setup, **scenario: object) -> History:
    history = play(Scenario(0, setup.name, **scenario), setup)  # type: ignore[arg-type]
    assert judge(history) == []
    return history


def opened(history: History) -> list[float]:
    return [at for at, entry in history.entries if entry.kind is Kind.OPENED]


def test_a_watcher_that_looks_in_turns_takes_over_a_run_that_waits_when_its_holder_died(local: Setup) -> None:
    """Its turns of 15 s were shorter than a lease of 30 s, and each began to count the silence anew: for ever."""
    history = played(
        local,
        synchronous=False,
        workers=(Worker("w1", "command", starts=13.0), Worker("w2", "resident")),
        person=Person(every_seconds=70.0),
        happenings=(CUT, Happening("crash", 0.0, {"worker": "w1", "boundary": 24})),
        calm_at=400.0,
    )
    claims = [(at, entry.by) for at, entry in history.entries if entry.kind is Kind.CLAIM and entry.data["took_over"]]
    assert claims and claims[0][1].startswith("w2") and claims[0][0] < 13.0 + 60.0
    assert history.runs()[0].phase in {Phase.DONE, Phase.DEGRADED}


def test_automation_does_not_begin_again_what_a_person_took_back(local: Setup) -> None:
    """After an abort the loss still stood, nothing had been promoted, and so no cool-down ran: the same evacuation was
    opened again within a second."""
    history = played(
        local,
        way="watch",
        automation="automatic",
        synchronous=False,
        workers=WATCHER,
        person=Person(answers="abort"),
        happenings=(CUT,),
        calm_at=200.0,
    )
    assert [run.phase for run in history.runs()] == [Phase.UNDONE]


def test_a_watcher_outlives_its_store(local: Setup) -> None:
    """It ended with StoreUnavailable, and what it had counted of the loss was counted anew by its successor."""
    history = played(
        local,
        way="watch",
        automation="automatic",
        workers=WATCHER,
        happenings=(LOST, Happening("store out", 13.0, {"seconds": 60.0})),
    )
    assert ("process ended", "StoreUnavailable") not in history.hits
    (at,) = opened(history)
    assert 73.0 <= at < 78.0, "the hold-down was over long before the store came back"
    assert history.runs()[0].phase in {Phase.DONE, Phase.DEGRADED}


def test_a_watcher_that_slept_between_its_decision_and_its_order_decides_again(local: Setup) -> None:
    """The other one had moved the application meanwhile; it woke after three minutes and opened the old plan."""
    history = played(
        local,
        way="watch",
        automation="automatic",
        workers=(Worker("w1", "resident"), Worker("w2", "resident")),
        happenings=(LOST, Happening("stop", 0.0, {"worker": "w2", "boundary": 1, "seconds": 192.5})),
    )
    assert history.fired.get("stop"), "it was not stopped between the two"
    assert len(opened(history)) == 1


def test_a_gate_expires_under_ticks_that_die_one_after_the_other(local: Setup) -> None:
    """Each take-over began its time anew, and what a dead tick had counted was forgotten, so it waited for ever."""
    history = played(
        local,
        synchronous=False,
        workers=(
            Worker("w1", "command", starts=13.0),
            Worker("w2", "tick", starts=5.0, limit_seconds=45.0),
            Worker("w3", "tick", starts=5.0, limit_seconds=45.0),
        ),
        person=Person(answers="silent"),
        happenings=(CUT, Happening("crash", 0.0, {"worker": "w1", "boundary": 24})),
        calm_at=1500.0,
    )
    assert history.runs()[0].phase is Phase.UNDONE
    gates = [(at, entry.data["event"]) for at, entry in history.entries if entry.kind is Kind.GATE]
    (expired,) = (at for at, event in gates if event == "gate expired")
    assert expired < 1200.0
