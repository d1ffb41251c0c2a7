"""Carry a run on in the foreground, one plain line for each thing that happens, until it ends or is left."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cloudfail.app import App, Notify
    from cloudfail.execution.state import LogState
    from cloudfail.model.journal import Entry

SEEN_SECONDS_MAX = 5.0


def printer(since: int) -> Notify:
    """Prints each journal entry behind number `since` once, as a line that reads the same in a terminal and in a log
    file. (Whoever begins to watch an application that has a past is not told it in the middle of an incident.)"""
    from cloudfail.report.run import told_once

    return told_once(lambda _entry, line: typer.echo(line), since)


def follow(app: App, target: str, begin: Callable[[], str]) -> int:
    """See `target` from every vantage first, so that no step of the run has to wait for eyes; then `begin` (which opens
    or resumes a run and returns its id), drive it and print its progress. Waits at gates for a command that somebody
    types elsewhere. Exit code: 0 done or undone, 3 degraded, 4 somebody else carries it on."""
    from cloudfail.errors import LeaseLost
    from cloudfail.execution.lifecycle import Phase
    from cloudfail.live import Live
    from cloudfail.report.audit import ending
    from cloudfail.report.run import as_text
    from cloudfail.watcher import seeing, wait_until_seen

    live = Live(app.topology, app.clock)
    with seeing(app, live):
        wait_until_seen(app, live, target, SEEN_SECONDS_MAX)
        with contextlib.ExitStack() as stack:
            app.notify = _teller(stack, app.log().seq)
            try:
                run = begin()
                app.drive(wait_for_people=True)
            except LeaseLost as error:
                typer.echo(str(error), err=True)
                return 4
            finally:
                app.notify = None
    state = app.run(run)
    typer.echo("")
    typer.echo(as_text(state))
    typer.echo(ending(app.head))
    return 3 if state.phase is Phase.DEGRADED else 0


def _teller(stack: contextlib.ExitStack, since: int) -> Notify:
    """A table that changes in place in a terminal, plain lines without one; what is older than `since` is not told."""
    if sys.stdout.isatty():
        from cloudfail.entrypoints.cli.screen import Screen

        screen = stack.enter_context(Screen())

        def draw(entry: Entry, state: LogState) -> None:
            run = state.run or state.runs.get(str(entry.data.get("run", "")))
            if entry.seq > since and run is not None:
                screen.show(run)

        return draw
    return printer(since)
