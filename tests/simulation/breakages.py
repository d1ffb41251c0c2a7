"""Ways to break cloudfail, at least one for each rule of design.md §4 and each invariant of §7: what the simulator must
catch. Each is a switch that exists only here, while its `on()` lasts: production code knows nothing of it.

A breakage that a second safety net makes harmless (the tail is read before each request, and the append fails if it
moved) takes both nets away, and its sentence says so.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from cloudfail import app as app_module
from cloudfail import decide as decide_module
from cloudfail import detect as detect_module
from cloudfail import engine as engine_module
from cloudfail import journal as journal_module
from cloudfail import plan as plan_module
from cloudfail import watcher as watcher_module
from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.actions import traffic as traffic_module
from cloudfail.actions.compute import Scale
from cloudfail.actions.database import Failover, Fence
from cloudfail.actions.verify import Write
from cloudfail.decide import Decision, DecisionKind
from cloudfail.engine import Engine, _ActBack, _Guard
from cloudfail.errors import Transient
from cloudfail.execution import next as next_module
from cloudfail.execution import state as state_module
from cloudfail.execution.lifecycle import Event, Phase, When
from cloudfail.execution.next import ActOn
from cloudfail.execution.state import RunState
from cloudfail.journal import Journal
from cloudfail.lease import Lease, Silence
from cloudfail.model.codec import checksum_of
from cloudfail.model.journal import GENESIS, BrokenChain, Kind
from cloudfail.model.observation import Health, Known
from cloudfail.model.runbook import Mode
from cloudfail.model.states import FenceOutcome
from cloudfail.testing.fakecloud import FakeCloud, Order
from cloudfail.testing.fakeworld import FakeDatabase, _FakeTraffic
from cloudfail.testing.simulation.checkers import Violation, judge
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import OUTSIDE
from cloudfail.testing.simulation.play import Play
from cloudfail.testing.simulation.ports import SimDatabase
from cloudfail.testing.simulation.process import SimApp
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario, Setup, Worker, draw
from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.watcher import Watcher

Acted = Callable[[], None]
Only = Callable[[Scenario], bool]
HandMade = Callable[[Mapping[str, Setup]], Sequence[Scenario]]


@dataclass
class Breakage:
    """breaks: the rule or the invariant. shows: the invariant that must be among those that are seen violated ("": any
    will do; a broken rule may show in several ways). could_act: how often the changed code chose otherwise than the
    real code would have (or, where that cannot be told, was reached). only: the drawn scenarios in which it could
    matter; the others are counted, and not played. by_hand: scenarios made for it, in place of drawn ones. playing and
    setups: the world that it needs, where the drawn one does not do. why: what the drawn one lacks. binds: it changes
    how plans are bound, so that the setups are made under it."""

    name: str
    breaks: str
    sentence: str
    breaking: Callable[[Acted], AbstractContextManager[None]]
    only: Only | None = None
    by_hand: HandMade | None = None
    why: str = ""
    playing: type[Play] = Play
    setups: Callable[[], Sequence[Setup]] = shipped_setups
    binds: bool = False
    shows: str = ""
    could_act: int = field(default=0, compare=False)

    @contextmanager
    def on(self) -> Iterator[None]:
        def acted() -> None:
            self.could_act += 1

        with self.breaking(acted):
            yield

    def scenario(self, number: int, setups: Mapping[str, Setup]) -> Scenario | None:
        """The scenario of that number: drawn from it as the seed, or made by hand. None: it cannot matter, or there is
        no such number."""
        if self.by_hand is not None:
            made = self.by_hand(setups)
            return made[number] if number < len(made) else None
        scenario = draw(number, tuple(setups.values()))
        return scenario if self.only is None or self.only(scenario) else None


BREAKAGES: list[Breakage] = []


def breaks(rule: str, **how: Any) -> Callable[[Callable[[Acted], Iterator[None]]], None]:
    """Register the decorated context manager; its docstring is the sentence."""

    def register(broken: Callable[[Acted], Iterator[None]]) -> None:
        name = broken.__name__.replace("_", " ")
        sentence = " ".join((broken.__doc__ or "").split())
        how.setdefault("shows", rule if rule.startswith("I") else "")
        BREAKAGES.append(Breakage(name, rule, sentence, contextmanager(broken), **how))

    return register


def having(*kinds: str, way: str = "") -> Only:
    """Drawn scenarios with all of these happenings, started that way."""

    def only(scenario: Scenario) -> bool:
        drawn = {happening.kind for happening in scenario.happenings}
        return drawn.issuperset(kinds) and way in {"", scenario.way}

    return only


def workers(least: int) -> Only:
    return lambda scenario: len(scenario.workers) >= least


def both(*wanted: Only) -> Only:
    return lambda scenario: all(only(scenario) for only in wanted)


# ---- scenarios and worlds that the swarm does not draw


def evacuation(setup: Setup, *more: Happening, **changes: Any) -> Scenario:
    """One terminal evacuates a region that is dead; nothing else goes wrong but `more`."""
    lost = Happening("region lost", 2.0, {"region": setup.plan.source, "how": "kill"})
    return replace(
        Scenario(
            seed=0,
            setup=setup.name,
            preapproved=True,
            workers=(Worker("w1", "command", OUTSIDE, 2.5),),
            happenings=tuple(sorted((lost, *more), key=lambda happening: happening.at)),
        ),
        **changes,
    )


def _back_from_out_of_sight(setups: Mapping[str, Setup]) -> list[Scenario]:
    """The source is cut off, from the target too, and its own clients write on; it is back before anything was
    promoted, and is fenced before anybody outside has seen a write of it. When that is falls between two looks."""
    setup = setups["evacuate-local"]
    source, target = setup.plan.source, setup.plan.target
    return [
        Scenario(
            seed=0,
            setup=setup.name,
            way="watch",
            automation="automatic",
            synchronous=False,
            workers=(Worker("w1", "resident", starts=0.5),),
            person=Person(every_seconds=70.0, accepts_owed=False, accepts_loss_seconds=0.0),
            happenings=(
                Happening("region lost", 12.0, {"region": source, "how": "cut"}),
                Happening(
                    "partition source-target", 14.0, {"between": (source, target), "ways": "both", "seconds": 300.0}
                ),
                Happening("region returns", 60.0 + 0.25 * number, {"region": source}),
            ),
            calm_at=400.0,
        )
        for number in range(20)
    ]


def stopped_before_each_boundary(*meanwhile: Happening, seconds: float) -> HandMade:
    """The only worker stands still for a while at its n-th boundary, for each n, while something is said."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        return [
            evacuation(
                setups["evacuate-local"],
                Happening("stop", 0.0, {"worker": "w1", "boundary": number + 1, "seconds": seconds}),
                *meanwhile,
            )
            for number in range(60)
        ]

    return made


def short_lease() -> Sequence[Setup]:
    """A lease that is not much longer than the store's timeout, so that the time of an append counts."""
    local = next(setup for setup in shipped_setups() if setup.name == "evacuate-local")
    topology = local.loaded.topology
    policy = replace(topology.policy, lease_seconds=3.0)
    loaded = replace(local.loaded, topology=replace(topology, policy=policy))
    return (replace(local, loaded=loaded),)


def blind_watchers(*cuts: tuple[str, str]) -> HandMade:
    """Nothing is lost; for a while these ways are cut: a vantage's to the source, or to the worker."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        found = []
        for number, name in enumerate(("evacuate-local", "evacuate")):
            setup = setups[name]
            events = [
                Happening(
                    f"partition observer-{'region' if to == 'source' else to}",
                    20.0,
                    {
                        "between": [vantage, setup.plan.source if to == "source" else OUTSIDE],
                        "ways": "both",
                        "seconds": 100.0,
                    },
                )
                for vantage, to in cuts
            ]
            watching = {"way": "watch", "automation": "automatic", "workers": (Worker("w1", "resident"),)}
            found.append(evacuation(setup, seed=number, **{**watching, "happenings": tuple(events)}))
        return found

    return made


class StillWatching(Play):
    """The observers go on after the move, as those of `cloudfail watch` do."""

    def observing(self) -> bool:
        return self.scenario.way == "watch"


class FilesChanged(Play):
    """Between the review (or the signature) and the start somebody changed the runbook's limits."""

    def app(self, machine: Machine, by: str) -> SimApp:
        app = super().app(machine, by)
        steps = tuple(replace(step, limit_seconds=step.limit_seconds * 2) for step in self.setup.plan.steps)
        changed = replace(self.setup.plan, steps=steps)
        changed = replace(changed, checksum=checksum_of(changed))
        app.bind = lambda *_of, **_how: changed  # type: ignore[method-assign]
        return app


class ChainRead(Play):
    """Somebody verifies the chain of the log as it grows, and goes on."""

    def _landed(self, seq: int, body: bytes) -> None:
        try:
            super()._landed(seq, body)
        except BrokenChain as error:
            self.history.broke.append(f"the chain of the log is broken (I9): {error}")
            self._digest = json.loads(body)["previous"]
            super()._landed(seq, body)


# ---- rule 1


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


# ---- rule 2


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


# ---- rule 3


@breaks("R3")
def no_settling_after_acting(acted: Acted) -> Iterator[None]:
    """After a call came back, the world is looked at at once."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and step.facts.settle_seconds:
            acted()
            step = replace(step, facts=replace(step.facts, settle_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


@breaks("R3")
def no_settling_after_an_unknown_outcome(acted: Acted) -> Iterator[None]:
    """A call whose answer was lost is looked at after the usual pause between two attempts."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and record.result.outcome == "unknown" and step.facts.settle_seconds:
            acted()
            step = replace(step, facts=replace(step.facts, settle_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


# ---- rule 4


@breaks("R4")
def moving_is_todo(acted: Acted) -> Iterator[None]:
    """What is on its way is ordered again (and is not given its usual time to follow)."""
    promote, scale = Failover.observe, Scale.observe

    def broken_promote(self: Failover, world: Any, context: Any) -> Any:
        seen = promote(self, world, context)
        read = world.database(context.step.arguments["database"]).read(context.target)
        if not isinstance(seen, Moving) or not isinstance(read, Known):
            return seen
        acted()
        return Todo("promote it", expect=read.value, loses_data=True, fence="proven", loss_if_dead_seconds=0.0)

    def broken_scale(self: Scale, world: Any, context: Any) -> Any:
        seen = scale(self, world, context)
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        read = world.compute(group).read(region)
        if not isinstance(seen, Moving) or not isinstance(read, Known):
            return seen
        acted()
        return Todo(f"scale {group} in {region}", expect=read.value, memory={"wanted": read.value.wanted})

    with (
        patch.object(Failover, "observe", broken_promote),
        patch.object(Scale, "observe", broken_scale),
        patch.object(next_module, "_follows_by", lambda *_: 0.0),
    ):
        yield


@breaks("R4")
def unknown_is_done(acted: Acted) -> Iterator[None]:
    """A read that failed is taken for the end of the step."""
    with _looks_changed(lambda seen: Done(seen.reason) if isinstance(seen, NotKnown) else seen, acted):
        yield


@contextmanager
def _looks_changed(changed: Callable[[Any], Any], acted: Acted) -> Iterator[None]:
    seen = Engine._seen

    def broken(self: Engine, *what: Any) -> Any:
        back = seen(self, *what)
        look = changed(back.look)
        if look is not back.look:
            acted()
        return replace(back, look=look)

    with patch.object(Engine, "_seen", broken):
        yield


# ---- rule 5


@breaks("R5", only=having("error: lie"), shows="I2")
def the_api_said_ok(acted: Acted) -> Iterator[None]:
    """A call that came back without an error ends its step."""
    take = Engine._take

    def broken(self: Engine, back: Any) -> None:
        take(self, back)
        if isinstance(back, _ActBack) and back.outcome == "ok":
            acted()
            run = self.state.runs[back.run]
            said = next_module._ended(run, back.track, "done", "the API said so", outcome="proven")
            self._append(said.kind, said.data)

    with patch.object(Engine, "_take", broken):
        yield


@breaks("R5")
def the_write_is_not_tried(acted: Acted) -> Iterator[None]:
    """verify.write is done without a write."""

    def broken(_self: Write, _world: Any, _context: Any) -> Done:
        acted()
        return Done("surely")

    with patch.object(Write, "observe", broken):
        yield


# ---- rule 6


@breaks("R6", only=having("stop"))
def no_call_looks_at_the_clock(acted: Acted) -> Iterator[None]:
    """A call starts however late it is: neither its own deadline nor the lease stops it (the tail is still read)."""
    check = _Guard.check

    def broken(self: _Guard) -> None:
        now = self._engine.clock.boot()
        if self._ends < now or self._engine.lease.remaining() < self._ends - now:
            acted()
        self._ends = now + self._seconds
        with patch.object(self._engine.lease, "remaining", lambda: float("inf")):
            check(self)

    with patch.object(_Guard, "check", broken):
        yield


@breaks("R6", only=having("stop"))
def the_lease_never_runs_out(acted: Acted) -> Iterator[None]:
    """Once it is held, a lease is held until somebody else is seen to have claimed it."""
    remaining = Lease.remaining

    def broken(self: Lease) -> float:
        if self._mark is None:
            return 0.0
        if remaining(self) <= 0:
            acted()
        return self.seconds

    with patch.object(Lease, "remaining", broken):
        yield


@breaks("R6", only=having("lost append reply"), setups=short_lease, why="a lease so short that an append's time counts")
def the_lease_counts_from_after_the_append(acted: Acted) -> Iterator[None]:
    """The holder counts its lease from the store's answer, not from before it asked."""
    renewed = Lease.renewed

    def broken(self: Lease, mark: Any) -> None:
        now = self.before_sending()
        if now.boot > mark.boot:
            acted()
        renewed(self, now)

    with patch.object(Lease, "renewed", broken):
        yield


@breaks("R6", only=workers(2))
def the_lapse_is_not_waited_for(acted: Acted) -> Iterator[None]:
    """A claimant does not wait until the holder's lease must have lapsed."""
    lasted = Silence.lasted

    def broken(self: Silence, holder_seq: int, boot: float) -> float:
        acted()
        return lasted(self, holder_seq, boot)

    with patch.object(engine_module, "MARGIN_SHARE", -0.9), patch.object(Silence, "lasted", broken):
        yield


@breaks("R6", only=both(having("clock jump"), workers(2)))
def time_is_read_from_the_wall_clock(acted: Acted) -> Iterator[None]:
    """Leases, limits and silences are counted on the wall clock, which may jump."""

    def broken(self: Machine) -> float:
        if self.wall_jumped:
            acted()
        return self.wall()

    with patch.object(Machine, "boot", broken):
        yield


@breaks("R6")
def calls_carry_no_epoch(acted: Acted) -> Iterator[None]:
    """A mutating call does not say under which epoch it is made, so that no object can carry it."""
    call = engine_module.Call

    def broken(**of: Any) -> Any:
        acted()
        return call(**{**of, "epoch": 0})

    with patch.object(engine_module, "Call", broken):
        yield


@breaks("R6", only=both(having("stop"), workers(2)))
def no_last_check_at_all(acted: Acted) -> Iterator[None]:
    """Nothing is checked immediately before a request: neither the clock nor the log."""

    def broken(self: _Guard) -> None:
        left = self._ends - self._engine.clock.boot()
        if left <= 0 or self._engine.lease.remaining() < left:
            acted()
        self.passed += 1

    with patch.object(_Guard, "check", broken):
        yield


# ---- rule 7


@breaks("R7")
def retries_without_bound(acted: Acted) -> Iterator[None]:
    """A step is tried again as long as its limit allows, whatever its retries say."""
    todo = next_module._todo

    def broken(run: Any, step: Any, track: Any, *rest: Any) -> Any:
        if run.track(track).attempts > step.retries:
            acted()
        return todo(run, replace(step, retries=10**6), track, *rest)

    with patch.object(next_module, "_todo", broken):
        yield


@breaks("R7")
def retries_are_not_journaled(acted: Acted) -> Iterator[None]:
    """A call that failed for a moment is sent again under the same intent."""
    act = Engine._act

    def broken(self: Engine, run: RunState, track: Any, todo: Todo, attempt: int) -> bool:
        real = self.actions[self._context(run, track)[0].name]

        class Again:
            name, port, verb, undo = real.name, real.port, real.verb, real.undo
            waits_for_source = real.waits_for_source
            observe = staticmethod(real.observe)

            @staticmethod
            def act(world: Any, context: Any, seen: Todo, call: Any) -> None:
                for _ in range(3):
                    try:
                        return real.act(world, context, seen, call)
                    except Transient:
                        acted()
                return real.act(world, context, seen, call)

        with patch.object(self, "actions", {**self.actions, real.name: Again()}):
            return act(self, run, track, todo, attempt)

    with patch.object(Engine, "_act", broken):
        yield


@breaks("R7", only=having("throttling"))
def a_servers_wish_to_wait_is_ignored(acted: Acted) -> Iterator[None]:
    """`retry after` is not waited for."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and record.result.retry_after_seconds:
            acted()
            record = replace(record, result=replace(record.result, retry_after_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


# ---- rule 8


@breaks("R8", binds=True)
def the_plan_says_no_undo(acted: Acted) -> Iterator[None]:
    """No step says what takes it back."""
    step = plan_module._step

    def broken(*of: Any) -> Any:
        planned = step(*of)
        if planned.undo is not None:
            acted()
        return replace(planned, undo=None)

    with patch.object(plan_module, "_step", broken):
        yield


@breaks("R8", binds=True)
def the_plan_says_no_point_of_no_return(acted: Acted) -> Iterator[None]:
    """No step says that it cannot be taken back."""
    acted()
    with patch.object(plan_module, "PROMOTES", frozenset()):
        yield


@breaks("R8")
def a_promotion_says_that_it_loses_nothing(acted: Acted) -> Iterator[None]:
    """The promotion does not say that it may lose data, so nobody asks how much."""
    observe = Failover.observe

    def broken(self: Failover, world: Any, context: Any) -> Any:
        seen = observe(self, world, context)
        if not isinstance(seen, Todo):
            return seen
        acted()
        return replace(seen, loses_data=False)

    with patch.object(Failover, "observe", broken):
        yield


# ---- rule 9


@breaks(
    "R9",
    by_hand=stopped_before_each_boundary(Happening("person: pause", 7.0), seconds=7.0),
    why="the few milliseconds between an intent and its request are made as long as a call may take",
)
def the_tail_is_not_read_before_a_request(acted: Acted) -> Iterator[None]:
    """What a person said since the intent is not seen by the last check (the clock still is)."""
    check = _Guard.check

    def broken(self: _Guard) -> None:
        acted()
        with patch.object(self._engine.store, "read", lambda *_: []):
            check(self)

    with patch.object(_Guard, "check", broken):
        yield


@breaks("R9")
def decline_is_ignored(acted: Acted) -> Iterator[None]:
    """A person's decline is an entry that changes nothing."""
    with _unheard(Event.DECLINE, acted):
        yield


@breaks("R9")
def abort_is_ignored(acted: Acted) -> Iterator[None]:
    """A person's abort is an entry that changes nothing."""
    with _unheard(Event.ABORT, acted):
        yield


@contextmanager
def _unheard(event: Event, acted: Acted) -> Iterator[None]:
    command = state_module._command

    def broken(run: Any, entry: Any) -> Any:
        if entry.data["command"] != event:
            return command(run, entry)
        acted()
        return run

    with patch.object(state_module, "_command", broken):
        yield


# ---- rule 10


@breaks("R10", only=workers(2))
def no_quiet_time_after_a_take_over(acted: Acted) -> Iterator[None]:
    """Whoever takes over acts at once, while calls of the silent holder may still land."""
    with _quiet_time(lambda _real: 0.0, acted):
        yield


@breaks("R10", only=workers(2))
def the_quiet_time_forgets_the_longest_call(acted: Acted) -> Iterator[None]:
    """Whoever takes over waits for the settle time alone."""
    with _quiet_time(lambda real: max(0.0, real - 10.0), acted):
        yield


@contextmanager
def _quiet_time(shorter: Callable[[float], float], acted: Acted) -> Iterator[None]:
    claim = Engine._append_claim

    def broken(self: Engine, *, took_over: bool, waited: float) -> bool:
        done = claim(self, took_over=took_over, waited=waited)
        left = self._quiet_until_t - self.t()
        if done and took_over and left > 0:
            acted()
            self._quiet_until_t = self.t() + shorter(left)
        return done

    with patch.object(Engine, "_append_claim", broken):
        yield


@breaks("R10", only=having("late effect"))
def nothing_is_watched_after_it_was_done(acted: Acted) -> Iterator[None]:
    """What a late call of an older epoch changes stays changed."""
    watched = next_module.watched

    def broken(run: RunState) -> list[Any]:
        if watched(run):
            acted()
        return []

    with patch.object(next_module, "watched", broken), patch.object(engine_module, "watched", broken):
        yield


# ---- rule 11


@breaks("R11")
def a_fence_is_lifted_after_a_promotion_was_ordered(acted: Acted) -> Iterator[None]:
    """An abort after the promote intent undoes what can be undone, the fence included."""
    holds = state_module._holds

    def broken(run: RunState) -> frozenset[When]:
        if run.promoted:
            acted()
        return holds(run) - {When.PROMOTED}

    with patch.object(state_module, "_holds", broken):
        yield


@breaks("R11")
def the_undo_skips_the_fence(acted: Acted) -> Iterator[None]:
    """An undo leaves the fence where it is."""
    advance = next_module._advance

    def broken(run: Any, step: Any, track: Any, now: Any) -> Any:
        if track.way == "undo" and step.facts.verb == "fence" and run.ordered(step.name):
            acted()
            return [next_module._ended(run, track, "skipped", "It can stay.")]
        return advance(run, step, track, now)

    with patch.object(next_module, "_advance", broken):
        yield


def _back_before_a_decline(setups: Mapping[str, Setup]) -> list[Scenario]:
    return [
        evacuation(
            setup,
            Happening("region returns", 6.0, {"region": setup.plan.source}),
            synchronous=False,
            preapproved=False,
            person=Person(16.0, "decline"),
        )
        for setup in setups.values()
        if setup.plan.mode is Mode.FAILOVER
    ]


@breaks(
    "R11",
    by_hand=_back_before_a_decline,
    why="a region that answers again at the gate, and a person who then declines, are seldom drawn together",
)
def the_undo_forgets_what_was_owed(acted: Acted) -> Iterator[None]:
    """What was ordered as an obligation, after its turn, is not put back."""

    def broken(self: RunState, step: str) -> bool:
        owed = self.track(state_module.Track(step, "owed")).ordered
        if owed and not self.did(step).ordered:
            acted()
        return self.did(step).ordered

    with patch.object(RunState, "ordered", broken):
        yield


# ---- I1 to I5


@breaks("I1", only=lambda s: not s.synchronous)
def an_owed_fence_passes_the_gate(acted: Acted) -> Iterator[None]:
    """A fence that is only owed is as good as a proven one: at the gate, and at the promotion."""
    outcome = next_module.fence_outcome
    todo = next_module._todo

    def broken(run: RunState, step: str) -> str:
        real = outcome(run, step)
        if real not in {"proven", "prevented"}:
            acted()
        return "proven"

    def broken_todo(run: Any, step: Any, track: Any, seen: Todo, now: Any) -> Any:
        return todo(run, step, track, replace(seen, fence="proven") if seen.loses_data else seen, now)

    with patch.object(next_module, "fence_outcome", broken), patch.object(next_module, "_todo", broken_todo):
        yield


def _two_terminals(setups: Mapping[str, Setup]) -> list[Scenario]:
    terminals = [Worker("w1", "command", OUTSIDE, 2.5), Worker("w2", "command", OUTSIDE, 3.5)]
    return [evacuation(setup, workers=tuple(terminals)) for setup in setups.values()]


@breaks("I2", by_hand=_two_terminals, why="two people type the same command within a second")
def two_runs_are_open_at_once(acted: Acted) -> Iterator[None]:
    """A run is opened although another one is open."""
    append, apply, refusals = app_module.App._append, state_module._apply, app_module.refusals

    def broken_append(self: Any, kind: Kind, data: Any, check: Any = None) -> None:
        if kind is Kind.OPENED:
            if self.log().run is not None:
                acted()
            append(self, kind, data)
        else:
            append(self, kind, data, *([check] if check else []))

    def broken_apply(state: Any, entry: Any) -> Any:
        return apply(replace(state, open_run="") if entry.kind is Kind.OPENED else state, entry)

    with (
        patch.object(app_module.App, "_append", broken_append),
        patch.object(state_module, "_apply", broken_apply),
        patch.object(
            app_module,
            "refusals",
            lambda plan, topology, log, seen: refusals(plan, topology, replace(log, open_run=""), seen),
        ),
    ):
        yield


@breaks("I3", only=lambda s: not s.synchronous)
def the_loss_bound_is_ignored(acted: Acted) -> Iterator[None]:
    """A promotion is ordered whatever it would lose."""
    asks = next_module._asks

    def broken(run: Any, step: Any, todo: Any, loss: Any) -> dict[str, Any]:
        asked = asks(run, step, todo, loss)
        if "loss_seconds" in asked:
            acted()
        return {name: value for name, value in asked.items() if name != "loss_seconds"}

    with patch.object(next_module, "_asks", broken):
        yield


@breaks("I3", only=lambda s: not s.synchronous)
def the_loss_is_counted_as_if_fenced(acted: Acted) -> Iterator[None]:
    """`loss_if_dead` is held against the bound although the fence is only owed, and the old side goes on."""
    bound = next_module._loss_seconds

    def broken(run: Any, step: Any, todo: Any, seen_t: float) -> Any:
        if bound(run, step, todo, seen_t) == todo.loss_if_alive_seconds:
            acted()
            return todo.loss_if_dead_seconds
        return bound(run, step, todo, seen_t)

    with patch.object(next_module, "_loss_seconds", broken):
        yield


@breaks("I3", by_hand=_back_from_out_of_sight, why="a region that comes back after its lag is drawn once in many")
def a_fenced_source_counts_as_dead_all_along(acted: Acted) -> Iterator[None]:
    """`loss_if_dead` is held against the bound although the source could be fenced: so it was alive, and clients next
    to it wrote to it, seen by nobody outside."""
    bound = next_module._loss_seconds

    def broken(run: Any, step: Any, todo: Any, seen_t: float) -> Any:
        real = bound(run, step, todo, seen_t)
        if todo.fence != "proven" or real == todo.loss_if_dead_seconds:
            return real
        acted()
        return todo.loss_if_dead_seconds

    with patch.object(next_module, "_loss_seconds", broken):
        yield


@breaks("I4", only=having("late effect"))
def what_was_expected_is_not_checked(acted: Acted) -> Iterator[None]:
    """A port changes the world whether or not it is as it was seen (its contract says that it must not)."""
    land = FakeCloud._land

    def broken(self: FakeCloud, order: Order) -> None:
        def unchecked() -> None:
            try:
                order.condition()
            except Exception:
                acted()

        self._marks.pop(order.resource, None)
        land(self, replace(order, condition=unchecked))

    with patch.object(FakeCloud, "_land", broken):
        yield


def _failback_with_a_lag(setups: Mapping[str, Setup]) -> list[Scenario]:
    setup = setups["failback-local"]
    return [
        evacuation(setup, happenings=(), synchronous=False, preapproved=False, lag_seconds=lag, person=Person(every))
        for lag in (0.3, 2.0)
        for every in (4.0, 8.0)
    ]


@breaks("I4", by_hand=_failback_with_a_lag, why="a switchover under asynchronous replication is not drawn")
def a_switchover_neither_fences_nor_waits(acted: Acted) -> Iterator[None]:
    """The target is promoted before it holds all that was acknowledged, and before the source is fenced."""

    def fenced(_self: Fence, _world: Any, _context: Any) -> Done:
        acted()
        return Done("surely", outcome=str(FenceOutcome.PROVEN))

    with (
        patch.object(Fence, "observe", fenced),
        patch.object(SimDatabase, "switchover_state", FakeDatabase.switchover_state),
    ):
        yield


@breaks("I5", only=having("target unhealthy"))
def traffic_goes_to_a_sick_region(acted: Acted) -> Iterator[None]:
    """Nobody asks whether the target is healthy before traffic is sent there."""
    unhealthy = traffic_module._unhealthy

    def broken(world: Any, context: Any) -> None:
        if unhealthy(world, context) is not None:
            acted()

    with patch.object(traffic_module, "_unhealthy", broken):
        yield


@breaks("I5")
def an_answer_set_is_emptied_first(acted: Acted) -> Iterator[None]:
    """The old region is taken out before the new one is put in, and no port refuses to answer nobody."""
    act = traffic_module.Switch.act
    shift = _FakeTraffic._shift

    def broken_act(self: Any, world: Any, context: Any, seen: Todo, call: Any) -> None:
        acted()
        traffic_module._shift(world, context, dict.fromkeys(seen.expect.weights, 0), seen, call)
        act(self, world, context, seen, call)

    def broken_shift(self: Any, weights: Any, version: str, call: Any) -> None:
        class Full(dict[str, int]):
            def values(self) -> Any:
                return [*super().values(), 1]

        shift(self, Full(weights), version, call)

    with (
        patch.object(traffic_module.Switch, "act", broken_act),
        patch.object(_FakeTraffic, "_shift", broken_shift),
    ):
        yield


@breaks("I5")
def traffic_does_not_wait_for_the_promotion(acted: Acted) -> Iterator[None]:
    """What a traffic step needs is ignored."""

    def ready(run: RunState) -> tuple[Any, ...]:
        real = [step for step in run.plan.steps if step.name not in run.ended and run.passed.issuperset(step.needs)]
        early = [step for step in run.plan.steps if step.facts.verb == "shift" and step.name not in run.ended]
        if any(step not in real for step in early):
            acted()
        return tuple(step for step in run.plan.steps if step in real or step in early)

    with (
        patch.object(RunState, "ready", property(ready)),
        patch.object(state_module, "_one_more_done", lambda *_: {}),
    ):
        yield


# ---- I6 to I10


@breaks(
    "I6",
    by_hand=blind_watchers(("vantage 1", "worker"), ("vantage 2", "source")),
    why="one observer is lost and another one loses its way, while nothing else is lost",
)
def unknown_counts_as_down(acted: Acted) -> Iterator[None]:
    """A vantage that says nothing is taken for one that says down (and is a witness although it calls all down)."""
    voice = detect_module.Count.voice

    def broken(self: Any, check: Any, now: float) -> Health:
        said = voice(self, check, now)
        if said is not Health.UNKNOWN:
            return said
        acted()
        return Health.DOWN

    with patch.object(detect_module.Count, "voice", broken), patch.object(detect_module, "_witnesses", _everyone):
        yield


def _everyone(_state: Any, topology: Any, _now: float) -> dict[str, dict[str, float]]:
    return {region: dict.fromkeys(detect_module.vantages_of(topology), -math.inf) for region in topology.regions}


def _written_late(setups: Mapping[str, Setup]) -> list[Scenario]:
    """The only watcher stands still while it writes the run that it decided on, and the region is back meanwhile."""
    setup = setups["evacuate-local"]
    return [
        Scenario(
            seed=0,
            setup=setup.name,
            way="watch",
            automation="automatic",
            workers=(Worker("w1", "resident"),),
            happenings=(
                Happening("region lost", 12.0, {"region": setup.plan.source, "how": "kill"}),
                Happening("stop", 0.0, {"worker": "w1", "boundary": 3, "seconds": 200.0}),
                Happening("region returns", 60.0, {"region": setup.plan.source}),
            ),
            calm_at=400.0,
        )
    ]


@breaks("I6", by_hand=_written_late, why="a stop at that one boundary, with nobody else awake, is drawn once in many")
def a_run_is_begun_whatever_is_seen(acted: Acted) -> Iterator[None]:
    """What was decided is carried out however long ago that was."""

    def broken(self: Any, run: RunState) -> bool:
        if not any(record.ordered for record in run.tracks.values()):
            acted()
        return True

    with patch.object(Watcher, "_may_begin", broken):
        yield


@breaks("I6", by_hand=blind_watchers(("vantage 1", "source")), why="an observer loses its way while nothing is lost")
def one_vantage_is_enough(acted: Acted) -> Iterator[None]:
    """A single vantage decides."""

    def broken(_check: Any, _topology: Any) -> int:
        acted()
        return 1

    with patch.object(detect_module, "needed", broken):
        yield


@breaks("I7", only=having("person: pause automation", way="watch"))
def a_paused_automation_acts(acted: Acted) -> Iterator[None]:
    """`pause --automation` is not asked for before a run is opened."""

    def broken(situation: Any) -> str:
        if situation.history.paused:
            acted()
        return "Automation is not paused."

    rules = tuple(broken if rule is decide_module.automation_is_not_paused else rule for rule in decide_module.RULES)
    with patch.object(decide_module, "RULES", rules):
        yield


@breaks("I7", only=having("person: pause"))
def a_paused_run_acts(acted: Acted) -> Iterator[None]:
    """A paused run goes on with what it has begun."""
    tracks = next_module._tracks

    def broken(run: RunState) -> Any:
        if run.phase is not Phase.PAUSED:
            return tracks(run)
        acted()
        return tracks(replace(run, phase=Phase.RUNNING))

    with patch.object(next_module, "_tracks", broken):
        yield


def _lost_and_back(*later: Happening) -> HandMade:
    """The source is lost, and back soon, so that what was owed is settled; then perhaps the new primary is lost. What
    happens last changes nothing: the play goes on until then."""

    def made(setups: Mapping[str, Setup]) -> list[Scenario]:
        setup = setups["evacuate"]
        events = [
            Happening("region lost", 12.0, {"region": setup.plan.source, "how": "kill"}),
            Happening("region returns", 80.0, {"region": setup.plan.source}),
            *(replace(event, args={**event.args, "region": setup.plan.target}) for event in later),
            Happening("clock jump", 280.0, {"worker": "w1", "seconds": 0.0}),
        ]
        watching = {"way": "watch", "automation": "stage-1", "workers": (Worker("w1", "resident"),), "calm_at": 300.0}
        return [evacuation(setup, **{**watching, "happenings": tuple(events)})]

    return made


@breaks("I8", by_hand=_lost_and_back(), playing=StillWatching, why="nobody watches after a move in the swarm")
def going_home_is_automatic(acted: Acted) -> Iterator[None]:
    """As soon as the region that the file calls primary is healthy again, everything is moved back; and a run is begun
    without its loss in sight."""
    decide = watcher_module.decide

    def broken(topology: Any, verdicts: Any, history: Any, now: float) -> Decision:
        real = decide(topology, verdicts, history, now)
        home = topology.primary
        calm = not (history.open_run or history.paused or history.obligations)
        if calm and history.primary != home and verdicts[home].health is Health.HEALTHY:
            acted()
            return Decision(DecisionKind.ACT, history.primary, home, ("Home is healthy.",))
        return real

    begins = patch.object(Watcher, "_may_begin", lambda _self, _run: True)
    with patch.object(watcher_module, "decide", broken), begins:
        yield


@breaks(
    "I8",
    by_hand=_lost_and_back(Happening("target lost", 160.0, {"seconds": 100.0})),
    playing=StillWatching,
    why="nobody watches after a move in the swarm",
)
def the_cool_down_is_ignored(acted: Acted) -> Iterator[None]:
    """Automation moves again right after a move."""

    def broken(_situation: Any) -> str:
        acted()
        return "No run is recent."

    rules = tuple(broken if rule is decide_module.the_cool_down_is_over else rule for rule in decide_module.RULES)
    with patch.object(decide_module, "RULES", rules):
        yield


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


@breaks("I10", binds=True)
def the_checksum_does_not_cover_the_bounds(acted: Acted) -> Iterator[None]:
    """Two plans that differ only in how much may be lost have one checksum."""

    def broken(plan: Any) -> str:
        acted()
        return checksum_of(replace(plan, bounds=replace(plan.bounds, loss_seconds_max=0.0, records_max=0)))

    with patch.object(plan_module, "checksum_of", broken):
        yield


@breaks("I10", playing=FilesChanged, why="the files change between the review and the start")
def what_was_reviewed_is_not_compared(acted: Acted) -> Iterator[None]:
    """The plan that the files give now is started, whatever was reviewed."""

    def broken(self: Any, checksum: str) -> Any:
        acted()
        document = next(kept[0] for sha, kept in self.log().reviewed.items() if sha.startswith(checksum))
        return self.bind(document["source"], document["target"], document["runbook"])

    with patch.object(app_module.App, "reviewed", broken):
        yield


@breaks(
    "I10",
    only=lambda s: s.automation == "automatic" and s.setup == "evacuate-local",
    playing=FilesChanged,
    why="the files change between the signature and the loss",
)
def what_was_signed_is_not_compared(acted: Acted) -> Iterator[None]:
    """Automation starts the plan that the files give now, whatever a person signed."""

    class AnyChecksum(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            acted()
            return True

        def __ne__(self, other: object) -> bool:
            acted()
            return False

        __hash__ = str.__hash__

    fold = app_module.fold

    def broken(state: Any, entries: Any) -> Any:
        after = fold(state, entries)
        standing = after.standing
        if standing is None or isinstance(standing[0], AnyChecksum):
            return after
        return replace(after, standing=(AnyChecksum(standing[0]), *standing[1:]))

    with patch.object(app_module, "fold", broken):
        yield


# ---- L1


@breaks("L1")
def what_is_owed_is_never_retried(acted: Acted) -> Iterator[None]:
    """An obligation is written down, and that is all."""

    def nothing(run: RunState, *_now: Any) -> Any:
        if run.owed:
            acted()
        return ()

    with (
        patch.object(next_module, "_owed", lambda run: list(nothing(run))),
        patch.object(engine_module, "obligation_commands", nothing),
    ):
        yield


@breaks("L1")
def a_halt_names_no_command(acted: Acted) -> Iterator[None]:
    """A run that cannot go on says why, and not what helps."""
    halt, event = next_module._halt, next_module._halt_event

    def broken_halt(run: Any, reason: str, _to_do: str, asks: Any) -> Any:
        acted()
        return halt(run, reason, "", asks)

    def broken_event(run: Any, what: Any, reason: str, _to_do: str) -> Any:
        acted()
        return event(run, what, reason, "")

    with patch.object(next_module, "_halt", broken_halt), patch.object(next_module, "_halt_event", broken_event):
        yield


@breaks("L1", only=both(having("crash"), workers(2)))
def each_turn_counts_the_silence_anew(acted: Acted) -> Iterator[None]:
    """A holder's silence is forgotten with each engine, so that short turns never see enough of it."""
    make = Engine.__init__

    def broken(self: Engine, **of: Any) -> None:
        if of.get("silence") is not None:
            acted()
        make(self, **{**of, "silence": None})

    with patch.object(Engine, "__init__", broken):
        yield


@breaks("L1")
def resume_does_not_try_again(acted: Acted) -> Iterator[None]:
    """What failed stays failed, whatever a person commands."""

    def broken(run: RunState) -> RunState:
        acted()
        return run

    with patch.object(state_module, "_try_again", broken):
        yield


# ---- what the simulator says of them


@dataclass(frozen=True)
class Caught:
    """number: the seed (or the number of the scenario made by hand). tried: how many numbers were gone through until
    then; played: how many of them could matter and were played. by: the invariants and rules that were violated."""

    breakage: Breakage
    number: int
    tried: int
    played: int
    violations: tuple[Violation, ...]

    @property
    def by(self) -> str:
        return " ".join(dict.fromkeys(violation.invariant for violation in self.violations))

    def row(self) -> str:
        breakage = self.breakage
        seed = f"{self.number}{' by hand' if breakage.by_hand else ''}"
        return (
            f"{breakage.breaks:4} {breakage.name:50} {self.by:16} {seed:>10} {self.tried:>6} {self.played:>6} "
            f"{breakage.could_act:>9}"
        )


HEADER = f"{'':4} {'breakage':50} {'caught by':16} {'seed':>10} {'tried':>6} {'played':>6} {'could act':>9}"


@functools.cache
def setups_of(make: Callable[[], Sequence[Setup]]) -> Mapping[str, Setup]:
    return {setup.name: setup for setup in make()}


def violations_with(breakage: Breakage, scenario: Scenario) -> list[Violation]:
    """Play it broken. The judges are whole: they look on after the switch is off again."""
    with breakage.on():
        setups = setups_of(breakage.setups)
        if breakage.binds:
            setups = {setup.name: setup for setup in breakage.setups()}
        history = breakage.playing(scenario, setups[scenario.setup]).play()
    return judge(history)


def violations_without(breakage: Breakage, scenario: Scenario) -> list[Violation]:
    return judge(breakage.playing(scenario, setups_of(breakage.setups)[scenario.setup]).play())


def search(breakage: Breakage, numbers: Iterable[int]) -> Caught | None:
    """Go through these numbers until one catches the breakage."""
    breakage.could_act = 0
    tried = played = 0
    for number in numbers:
        tried += 1
        scenario = breakage.scenario(number, setups_of(breakage.setups))
        if scenario is None:
            continue
        played += 1
        found = violations_with(breakage, scenario)
        if any(breakage.shows in {"", violation.invariant} for violation in found):
            return Caught(breakage, number, tried, played, tuple(found))
    return None
