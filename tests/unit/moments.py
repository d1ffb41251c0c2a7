"""One moment of a run, as its log tells it, and what follows from it: for the tests of `next_commands`."""

from __future__ import annotations

from typing import Any

from cloudfail.actions import Look as Seen
from cloudfail.actions import Todo
from cloudfail.execution.commands import AppendEntry, Command, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.next import next_commands
from cloudfail.execution.state import RunState, Track
from tests.unit.logs import GATE_PASSED, seen

FREEZE, UNFREEZE = Track("freeze", "do"), Track("freeze", "undo")
FENCE, PROMOTE, SCALE = Track("fence", "do"), Track("promote", "do"), Track("scale", "do")
TODO = Todo("do it")
ALL_DONE = (*GATE_PASSED, seen("promote", t=5.0), seen("scale", t=6.0), seen("switch", t=7.0))


def at(
    t: float,
    looks: dict[Track, Seen] | None = None,
    *,
    quiet: float = 0.0,
    busy: tuple[Track, ...] = (),
    looked: float | None = None,
    count: int = 1,
) -> Now:
    """Second `t`, with these looks, asked at `looked` (now, if not said)."""
    when = t if looked is None else looked
    observed = {track: Observed(look, when, count) for track, look in (looks or {}).items()}
    return Now(t, quiet, frozenset(busy), observed)


def of(commands: tuple[Command, ...], track: Track) -> list[Command]:
    """The commands for one track."""
    return [command for command in commands if getattr(command, "track", None) == track]


def entry(commands: tuple[Command, ...]) -> AppendEntry:
    (command,) = commands
    assert isinstance(command, AppendEntry), command
    return command


def due(run: RunState, t: float, track: Track = FREEZE, **more: Any) -> float:
    """When a track that has not been looked at is to be looked at: `t` at once."""
    (command,) = of(next_commands(run, at(t, **more)), track)
    if isinstance(command, LookAt):
        return t
    assert isinstance(command, WaitUntil), command
    return command.t
