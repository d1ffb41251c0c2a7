"""The limit of an undo counts from when it began, whatever is typed meanwhile."""

from __future__ import annotations

from cloudfail.actions import Moving
from cloudfail.execution.commands import AppendEntry
from cloudfail.execution.next import next_commands
from cloudfail.model.journal import Kind
from tests.unit.test_core_next import UNFREEZE, at
from tests.unit.test_core_state import intent, run_after, told


def test_a_word_that_means_nothing_does_not_begin_the_limit_of_an_undo_anew() -> None:
    begun = (intent("freeze", 1.0), told("abort"))
    for again in ("abort", "resume", "approve"):
        run = run_after(*begun, (Kind.RENEW, 50.0, {}), told(again))
        (command,) = next_commands(run, at(62.0, {UNFREEZE: Moving("")}))
        assert isinstance(command, AppendEntry), again  # its limit of 60 s is over
