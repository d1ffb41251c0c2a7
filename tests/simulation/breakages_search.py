"""Ways to break the run protocol, each a context manager: what the search must find by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import engine as engine_module
from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.actions.database import Failover
from cloudfail.engine import Engine, _Guard
from cloudfail.execution import next as next_module
from cloudfail.execution.commands import ActOn, Command, Now
from cloudfail.execution.state import RunState, Track
from cloudfail.journal import Journal
from cloudfail.lease import Lease, Mark
from cloudfail.model.journal import Kind


@contextmanager
def the_intent_is_appended_after_the_call_was_started() -> Iterator[None]:
    act = Engine._act

    def broken(self: Engine, run: RunState, track: Track, todo: Todo, attempt: int) -> bool:
        announced: list[Mapping[str, Any]] = []

        def later(_kind: Kind, data: Mapping[str, Any]) -> Mapping[str, Any]:
            announced.append(data)
            return data

        with patch.object(self, "_try_append", later):
            done = act(self, run, track, todo, attempt)
        self._try_append(Kind.INTENT, announced[0])
        return done

    with patch.object(Engine, "_act", broken):
        yield


@contextmanager
def a_replayed_intent_is_permission_to_act_again() -> Iterator[None]:
    decide = next_module.next_commands
    ordered: dict[Track, Todo] = {}

    def broken(run: RunState, now: Now) -> tuple[Command, ...]:
        for track, record in run.tracks.items():
            if record.intent is not None and track not in now.busy and run.phase.may_act and now.t >= now.quiet_until:
                return (ActOn(track, ordered[track], record.attempts + 1),)
        commands = decide(run, now)
        ordered.update({command.track: command.todo for command in commands if isinstance(command, ActOn)})
        return commands

    with patch.object(engine_module, "next_commands", broken):
        yield


@contextmanager
def neither_the_settle_time_nor_the_usual_time_is_waited_for() -> Iterator[None]:
    look_due = next_module._look_due

    def broken(run: RunState, step: Any, *rest: Any) -> float:
        return look_due(run, replace(step, facts=replace(step.facts, settle_seconds=0.0)), *rest)

    with patch.object(next_module, "_look_due", broken), patch.object(next_module, "_follows_by", lambda *_: 0.0):
        yield


@contextmanager
def there_is_no_quiet_time_after_a_take_over() -> Iterator[None]:
    append_claim = Engine._append_claim

    def broken(self: Engine, **how: Any) -> bool:
        done = append_claim(self, **how)
        self._quiet_until_t = 0.0
        return done

    with patch.object(Engine, "_append_claim", broken):
        yield


@contextmanager
def the_last_check_does_not_read_the_tail() -> Iterator[None]:
    def broken(self: _Guard) -> None:
        self.passed += 1

    with patch.object(_Guard, "check", broken):
        yield


@contextmanager
def the_lease_never_runs_out() -> Iterator[None]:
    with patch.object(Lease, "remaining", lambda self: self.seconds if self._mark is not None else 0.0):
        yield


@contextmanager
def the_lease_is_counted_from_after_the_append() -> Iterator[None]:
    renewed = Lease.renewed

    def broken(self: Lease, _mark: Mark) -> None:
        renewed(self, self.before_sending())

    with patch.object(Lease, "renewed", broken):
        yield


@contextmanager
def a_lapse_is_not_waited_for() -> Iterator[None]:
    with patch.object(engine_module, "MARGIN_SHARE", -1.0):
        yield


@contextmanager
def what_moves_is_ordered_again() -> Iterator[None]:
    observe = Failover.observe

    def broken(self: Failover, world: World, context: StepContext) -> Look:
        seen = observe(self, world, context)
        if not isinstance(seen, Moving):
            return seen
        state = world.database(context.step.arguments["database"]).read(context.target)
        return Todo("promote", expect=getattr(state, "value", None))

    with patch.object(Failover, "observe", broken):
        yield


@contextmanager
def what_is_unknown_is_taken_for_done() -> Iterator[None]:
    seen = Engine._seen

    def broken(self: Engine, *what: Any) -> Any:
        back = seen(self, *what)
        return replace(back, look=Done(back.look.reason)) if isinstance(back.look, NotKnown) else back

    with patch.object(Engine, "_seen", broken):
        yield


@contextmanager
def an_ordered_promotion_is_no_point_of_no_return() -> Iterator[None]:
    with patch.object(RunState, "promoted", property(lambda _run: False)):
        yield


@contextmanager
def a_refused_append_is_taken_for_ones_own() -> Iterator[None]:
    with patch.object(Journal, "_is_mine", lambda *_: True):
        yield


@contextmanager
def nothing_is_watched_after_the_end() -> Iterator[None]:
    with patch.object(next_module, "watched", lambda _run: []), patch.object(engine_module, "watched", lambda _run: []):
        yield


BREAKAGES: Mapping[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (
        the_intent_is_appended_after_the_call_was_started,
        a_replayed_intent_is_permission_to_act_again,
        neither_the_settle_time_nor_the_usual_time_is_waited_for,
        there_is_no_quiet_time_after_a_take_over,
        the_last_check_does_not_read_the_tail,
        the_lease_never_runs_out,
        the_lease_is_counted_from_after_the_append,
        a_lapse_is_not_waited_for,
        what_moves_is_ordered_again,
        what_is_unknown_is_taken_for_done,
        an_ordered_promotion_is_no_point_of_no_return,
        a_refused_append_is_taken_for_ones_own,
        nothing_is_watched_after_the_end,
    )
}
