"""What is asked of a person before a promotion, and what needs nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Todo
from cloudfail.execution.commands import ActOn, AppendEntry, Command
from cloudfail.execution.fences import fence_outcome
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.loss import loss_to_accept
from cloudfail.execution.next import next_commands
from cloudfail.model.journal import Kind
from tests.unit.logs import (
    GATE_PASSED,
    PLAN,
    Said,
    run_after,
    seen,
    told,
)
from tests.unit.moments import PROMOTE, at, entry


def promotion(*said: Said, **todo: Any) -> tuple[Command, ...]:
    """What is decided on the look at a promotion that would lose data."""
    look = Todo("promote", loses_data=True, **todo)
    done = seen("scale", t=4.0)
    return next_commands(run_after(*said, done), at(5.0, {PROMOTE: look}))


# The fence was seen to stand at 2.0, and the promotion is looked at at 5.0: three seconds in which nothing was written.
FENCED = {"fence": "proven", "loss_if_dead_seconds": 1.0, "loss_if_alive_seconds": 4.0}


def asks(commands: tuple[Command, ...]) -> Any:
    command = entry(commands)
    assert (command.kind, command.data["event"]) == (Kind.HALT, str(Event.HALT))
    return command.data["asks"]


@pytest.mark.parametrize(("fence", "alive"), [("proven", 4.0), ("prevented", 99.0)])
def test_a_promotion_behind_a_fence_and_within_the_bound_needs_nobody(fence: str, alive: float) -> None:
    until = (seen("freeze"), seen("fence", t=2.0, outcome=fence), *GATE_PASSED[2:])
    (command,) = promotion(*until, **{**FENCED, "fence": fence, "loss_if_alive_seconds": alive})
    assert isinstance(command, ActOn)
    assert command.track == PROMOTE


def test_what_loses_no_data_asks_nothing() -> None:
    run = run_after(*GATE_PASSED, seen("scale"))
    assert isinstance(next_commands(run, at(5.0, {PROMOTE: Todo("promote")}))[0], ActOn)


@pytest.mark.parametrize(
    ("loss", "asked"), [(30.0, None), (30.5, {"loss_seconds": 30.5}), (None, {"loss_seconds": 0.0})]
)
def test_a_loss_beyond_the_bound_or_unknown_is_asked_for(loss: float | None, asked: dict[str, Any] | None) -> None:
    prevented = (seen("freeze"), seen("fence", t=2.0, outcome="prevented"), *GATE_PASSED[2:])
    for until, figures in (
        (prevented, {"fence": "prevented", "loss_if_dead_seconds": loss}),
        (GATE_PASSED, {"loss_if_alive_seconds": None if loss is None else loss + 3.0}),
    ):
        commands = promotion(*until, **{**FENCED, **figures})
        if asked is None:
            assert isinstance(commands[0], ActOn)
        else:
            assert asks(commands) == asked


def test_a_source_that_could_be_fenced_was_alive_and_may_have_taken_writes_until_then() -> None:
    """It came back after 35 seconds out of sight, in which clients next to it wrote on; then it was fenced. What the
    last write seen from outside says of the loss is true of a dead source only."""
    assert asks(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": 38.0})) == {"loss_seconds": 35.0}
    owed = (seen("freeze"), seen("fence", "owed"), *GATE_PASSED[2:])
    settled = seen("fence", way="owed", t=4.5, outcome="proven")
    assert asks(promotion(*owed, settled, **{**FENCED, "loss_if_alive_seconds": 38.0})) == {"loss_seconds": 37.5}
    more = {"loss_if_dead_seconds": 31.0, "loss_if_alive_seconds": 32.0}
    assert asks(promotion(*GATE_PASSED, **{**FENCED, **more})) == {"loss_seconds": 31.0}, "the greater one counts"
    no_word = {"loss_if_dead_seconds": None, "loss_if_alive_seconds": 32.0}
    assert isinstance(promotion(*GATE_PASSED, **{**FENCED, **no_word})[0], ActOn), "nobody need have seen the last one"


@pytest.mark.parametrize("now", ["", "none", "owed"])
def test_a_fence_that_does_not_stand_at_this_look_is_asked_for_with_the_greater_loss(now: str) -> None:
    long = {**FENCED, "fence": now, "loss_if_alive_seconds": 99.0}
    assert asks(promotion(*GATE_PASSED, **long)) == {"owed_fence": True, "loss_seconds": 99.0}
    quiet = {**FENCED, "fence": now, "loss_if_alive_seconds": 2.0}
    assert asks(promotion(*GATE_PASSED, **quiet)) == {"owed_fence": True}


def test_a_fence_that_was_owed_is_asked_for_until_it_is_settled() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), *GATE_PASSED[2:])
    assert "owed_fence" in asks(promotion(*owed, **FENCED))
    settled = seen("fence", way="owed", outcome="proven")
    assert isinstance(promotion(*owed, settled, **FENCED)[0], ActOn)
    assert "owed_fence" in asks(promotion(*owed, seen("fence", "failed", way="owed", outcome="proven"), **FENCED))


def test_without_any_fence_before_it_a_promotion_asks_for_one() -> None:
    steps = tuple(replace(one, needs=("freeze",)) if one.name == "promote" else one for one in PLAN.steps)
    run = run_after(seen("freeze"), seen("scale"), plan=replace(PLAN, steps=steps))
    look = Todo("promote", loses_data=True, **FENCED)
    (command,) = next_commands(run, at(5.0, {PROMOTE: look}))
    assert isinstance(command, AppendEntry)
    assert "owed_fence" in command.data["asks"]


def test_what_a_person_accepted_lets_it_be_ordered() -> None:
    beyond = {**FENCED, "loss_if_alive_seconds": 43.0}
    assert isinstance(promotion(*GATE_PASSED, told("approve", loss_seconds=40.0), **beyond)[0], ActOn)
    assert asks(promotion(*GATE_PASSED, told("approve", loss_seconds=39.0), **beyond)) == {"loss_seconds": 40.0}


@pytest.mark.parametrize(
    "todo",
    [
        {**FENCED, "loss_if_alive_seconds": 43.0},
        {**FENCED, "fence": "owed", "loss_if_alive_seconds": 99.0},
        {**FENCED, "fence": "owed", "loss_if_alive_seconds": 3.0},
    ],
)
def test_the_command_that_a_halt_suggests_is_enough(todo: dict[str, Any]) -> None:
    """Typed as it stands, it lets the promotion be ordered: also half a minute later, where the loss grows."""
    data = entry(promotion(*GATE_PASSED, **todo)).data
    typed = data["to_do"].split(": ", 1)[1].split("; ")[0]
    assert typed.startswith("cloudfail approve r1 ")
    assert "cloudfail abort r1" in data["to_do"]
    number = re.search(r"--loss-seconds (\d+)", typed)
    approval: dict[str, Any] = {"accept_owed_fence": "--accept-owed-fence" in typed}
    assert bool(number) is ("loss_seconds" in data["asks"]), "a number is asked for only where one is missing"
    if number:
        approval["loss_seconds"] = float(number[1])
    grows = "owed_fence" in data["asks"] and "loss_seconds" in data["asks"]
    later = {**todo, "loss_if_alive_seconds": todo["loss_if_alive_seconds"] + (30.0 if grows else 0.0)}
    assert isinstance(promotion(*GATE_PASSED, told("approve", **approval), **later)[0], ActOn)


def test_an_unknown_loss_is_asked_for_as_a_number_that_the_person_must_state() -> None:
    data = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": None})).data
    assert "--loss-seconds SECONDS" in data["to_do"]
    assert "--accept-owed-fence" not in data["to_do"]
    alive = {**FENCED, "fence": "owed", "loss_if_alive_seconds": None}
    assert "--accept-owed-fence --loss-seconds SECONDS" in entry(promotion(*GATE_PASSED, **alive)).data["to_do"]


def test_a_halt_before_a_promotion_names_the_step_and_what_would_be_lost() -> None:
    data = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": 43.0})).data
    assert "promote" in data["reason"] and "40.0 s" in data["reason"]
    alive = entry(promotion(*GATE_PASSED, **{**FENCED, "fence": "owed", "loss_if_alive_seconds": 99.0})).data
    assert "99.0 s" in alive["reason"] and "owed" in alive["reason"]
    unknown = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": None})).data
    assert "unknown" in unknown["reason"]


def test_a_loss_that_grows_is_suggested_with_time_to_think() -> None:
    assert loss_to_accept(40.0, growing=False) == 41.0
    assert loss_to_accept(40.0, growing=True) == 340.0


def test_a_fence_counts_as_what_it_was_proven_with_or_settled_to() -> None:
    assert fence_outcome(run_after(seen("fence", outcome="prevented")), "fence") == "prevented"
    assert fence_outcome(run_after(seen("fence", "owed")), "fence") == "owed"
    assert fence_outcome(run_after(seen("fence", "owed"), seen("fence", way="owed", outcome="proven")), "fence") == (
        "proven"
    )
