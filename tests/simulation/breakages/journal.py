"""The journal: what is written before and after a call, what a replayed intent allows, and the chain (R1, R2, I9)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from cloudfail import engine as engine_module
from cloudfail import journal as journal_module
from cloudfail.actions import Todo
from cloudfail.engine import Engine, _ActBack
from cloudfail.execution import next as next_module
from cloudfail.execution.commands import ActOn
from cloudfail.execution.state import RunState
from cloudfail.journal import Journal
from cloudfail.model.journal import GENESIS, Kind
from tests.simulation.breakages.breakage import Acted, both, breaks, having, workers
from tests.simulation.breakages.made_by_hand import ChainRead

# ---- R1


@breaks("R1")
def intent_after_the_effect(acted: Acted) -> Iterator[None]:
    """The intent is appended when its call has come back."""
    with _unsaid_intents(acted, said_later=True):
        yield


@breaks("R1")
def intent_never(acted: Acted) -> Iterator[None]:
    """No intent is appended at all; results are."""
    with _unsaid_intents(acted, said_later=False):
        yield


@breaks("R1", only=workers(2))
def a_refused_append_is_taken_for_ones_own(acted: Acted) -> Iterator[None]:
    """Whoever finds its number taken believes that what stands there is its own entry."""
    is_mine = Journal._is_mine

    def broken(self: Journal, seq: int, body: bytes) -> bool:
        if not is_mine(self, seq, body):
            acted()
        return True

    with patch.object(Journal, "_is_mine", broken):
        yield


@contextmanager
def _unsaid_intents(acted: Acted, *, said_later: bool) -> Iterator[None]:
    act, take = Engine._act, Engine._take
    unsaid: dict[tuple[str, Any], Any] = {}

    def broken_act(self: Engine, run: RunState, track: Any, todo: Todo, attempt: int) -> bool:
        def keep(_kind: Kind, data: Any) -> Any:
            acted()
            unsaid[self.worker, track] = data
            return data

        with patch.object(self, "_try_append", keep):
            return act(self, run, track, todo, attempt)

    def broken_take(self: Engine, back: Any) -> None:
        if isinstance(back, _ActBack) and (self.worker, back.track) in unsaid:
            data = unsaid.pop((self.worker, back.track))
            if said_later:
                self._append(Kind.INTENT, data)
        take(self, back)

    with patch.object(Engine, "_act", broken_act), patch.object(Engine, "_take", broken_take):
        yield


# ---- R2


@breaks("R2", only=both(having("crash"), workers(2)))
def replayed_intent_is_permission(acted: Acted) -> Iterator[None]:
    """Whoever finds an intent without a result orders the same again, without a fresh look."""
    decide = engine_module.next_commands
    ordered: dict[Any, Todo] = {}

    def broken(run: RunState, now: Any) -> Any:
        for track, _ in next_module._tracks(run):
            intent = run.track(track).intent
            if intent is not None and track not in now.busy and now.t >= now.quiet_until and track in ordered:
                acted()
                return (ActOn(track, ordered[track], intent.attempt + 1),)
        commands = decide(run, now)
        ordered.update({command.track: command.todo for command in commands if isinstance(command, ActOn)})
        return commands

    with patch.object(engine_module, "next_commands", broken):
        yield


# ---- I9


@breaks("I9")
def results_are_not_journaled(acted: Acted) -> Iterator[None]:
    """What a call came back with is kept in memory only."""
    take = Engine._take

    def broken(self: Engine, back: Any) -> None:
        if not isinstance(back, _ActBack):
            take(self, back)
            return
        acted()
        with patch.object(self, "_append", lambda *_: None):
            take(self, back)

    with patch.object(Engine, "_take", broken):
        yield


@breaks("I9", shows="L1", playing=ChainRead, why="the chain is verified while the log grows")
def entries_are_not_chained(acted: Acted) -> Iterator[None]:
    """No entry carries the hash of the one before, and no reader misses it."""
    encode, decode = journal_module.encode, journal_module.decode

    def broken_encode(**of: Any) -> bytes:
        acted()
        return encode(**{**of, "previous": GENESIS})

    def broken_decode(seq: int, body: bytes, _previous: str) -> Any:
        return decode(seq, body, json.loads(body)["previous"])

    with (
        patch.object(journal_module, "encode", broken_encode),
        patch.object(journal_module, "decode", broken_decode),
    ):
        yield
