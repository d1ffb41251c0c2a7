"""The lease: who may act, until when, and how soon after another one; one open run at a time (R6, R10, I2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import app as app_module
from cloudfail import engine as engine_module
from cloudfail.engine import Engine, _Guard
from cloudfail.execution import next as next_module
from cloudfail.execution import state as state_module
from cloudfail.execution.state import RunState
from cloudfail.lease import Lease, Silence
from cloudfail.model.journal import Kind
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import OUTSIDE
from cloudfail.testing.simulation.scenario import Scenario, Setup, Worker
from tests.simulation.breakages.breakage import Acted, both, breaks, having, workers
from tests.simulation.breakages.made_by_hand import evacuation, short_lease

# ---- R6


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


# ---- R10


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


# ---- I2


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
            lambda plan, topology, log, *seen: refusals(plan, topology, replace(log, open_run=""), *seen),
        ),
    ):
        yield
