"""When a gate opens, for whom it passes, and when it expires."""

from __future__ import annotations

from typing import Any

from cloudfail.execution.commands import AppendEntry, Command, WaitUntil
from cloudfail.execution.gates import still_missing
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.next import next_commands
from cloudfail.execution.state import Track
from cloudfail.model.journal import Kind
from cloudfail.model.plan import Plan
from tests.unit.logs import (
    DONE_TO_THE_GATE,
    PLAN,
    Said,
    gate,
    run_after,
    seen,
    told,
)
from tests.unit.moments import at, entry


def test_a_gate_opens_when_what_it_needs_has_ended() -> None:
    command = entry(next_commands(run_after(*DONE_TO_THE_GATE[:2], seen("scale")), at(3.0)))
    assert command.kind is Kind.GATE
    assert {name: command.data[name] for name in ("run", "step", "event")} == {
        "run": "r1", "step": "approve", "event": str(Event.GATE_OPENED),
    }  # fmt: skip
    assert "approve" in command.data["detail"] and "600 s" in command.data["detail"]


def at_the_gate(*said: Said, t: float = 10.0, plan: Plan = PLAN, **opening: Any) -> tuple[Command, ...]:
    return next_commands(run_after(*DONE_TO_THE_GATE, seen("scale"), *said, plan=plan, **opening), at(t))


def passes(commands: tuple[Command, ...]) -> str:
    """By whom the gate was let pass; "" if it waits."""
    (command,) = commands
    if isinstance(command, WaitUntil):
        return ""
    assert isinstance(command, AppendEntry)
    assert command.data["event"] == str(Event.GATE_PASSED), command
    return str(command.data["detail"])


def test_a_gate_waits_for_a_person_and_keeps_no_worker() -> None:
    (wait,) = at_the_gate()
    assert isinstance(wait, WaitUntil)
    assert (wait.t, wait.stay, wait.track) == (603.0, False, None)
    assert "approve" in wait.why


def test_a_gate_passes_for_an_approval_of_it_or_of_any() -> None:
    assert "bob" in passes(at_the_gate(told("approve")))
    assert "bob" in passes(at_the_gate(told("approve", gate="approve")))
    assert not passes(at_the_gate(told("approve", gate="another")))
    assert "bob" in passes(at_the_gate(told("approve", gate="another"), told("approve", gate="approve")))


def test_a_gate_passes_for_an_approval_that_was_given_with_the_start() -> None:
    assert "alice" in passes(at_the_gate(preapproved="alice"))


def test_a_gate_passes_by_itself_only_for_a_plan_that_a_person_signed() -> None:
    assert "carol" in passes(at_the_gate(automation="automatic", standing=True, signed_by="carol"))
    assert "alice" in passes(at_the_gate(automation="automatic", standing=True)), "who opened it, where nobody is named"
    assert not passes(at_the_gate(automation="automatic", signed_by="carol"))
    assert not passes(at_the_gate(automation="stage-1", standing=True, signed_by="carol"))


def test_behind_an_owed_fence_a_gate_passes_only_for_a_named_person_who_says_so() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED, 3.0), seen("scale"))
    kwargs: dict[str, Any] = {"automation": "automatic", "standing": True, "preapproved": "alice"}

    def decided(*said: Said) -> str:
        commands = next_commands(run_after(*owed, *said, **kwargs), at(10.0, busy=(Track("fence", "owed"),)))
        return passes(commands)

    assert not decided()
    assert not decided(told("approve"))
    assert "bob" in decided(told("approve", accept_owed_fence=True))
    assert "bob" in decided(seen("fence", way="owed", outcome="proven"), told("approve"))


def test_another_step_that_is_owed_keeps_no_gate() -> None:
    owed = (seen("freeze", "owed"), seen("fence", outcome="proven"), gate(Event.GATE_OPENED, 3.0), seen("scale"))
    commands = next_commands(run_after(*owed, preapproved="alice"), at(10.0, busy=(Track("freeze", "owed"),)))
    assert "alice" in passes(commands)


def test_a_gate_expires_and_its_clock_stands_still_while_it_is_paused() -> None:
    assert isinstance(at_the_gate(t=602.9)[0], WaitUntil)
    command = entry(at_the_gate(t=603.0))
    assert command.data["event"] == str(Event.GATE_EXPIRED)
    assert "600 s" in command.data["detail"]
    paused = (told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    (wait,) = at_the_gate(*paused, t=700.0)
    assert isinstance(wait, WaitUntil)
    assert wait.t == 1100.0


def test_an_approval_that_is_not_enough_says_what_is_missing() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED, 3.0))
    assert not still_missing(run_after(*owed))
    missing = still_missing(run_after(*owed, told("approve")))
    assert "cloudfail approve r1 --accept-owed-fence" in missing
    assert not still_missing(run_after(*owed, told("approve", accept_owed_fence=True)))
    assert not still_missing(run_after(*DONE_TO_THE_GATE, told("approve")))
