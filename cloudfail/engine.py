"""The one loop: read the journal, ask the pure core, look, act, append, wait. One thread decides and writes.

The promises that are kept here, and where:

- an intent stands before its effect (rule 1): `_act` submits the call only after `journal.append` returned;
- commands of people win (rule 9): the tail is read after every wait and by `_Guard.check` before each request;
- no call outlives the lease (rule 6): `_Guard.check` compares the call's own deadline with what is left;
- after a take-over nothing is changed before old lease end + longest call + settle (rule 10): `_claim` sets the quiet
  time from the longest call of the plan, and the core waits for it;
- a resource that other applications write too is held for the one call that writes it (cloudfail/resource_log.py);
- whoever takes over looks first (rule 2): what was seen lives in memory only, so a new engine has seen nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.actions import Action, Done, Look, NotKnown, StepContext, Todo, World
from cloudfail.actions.conditions import unmet
from cloudfail.calls import Calls
from cloudfail.clock import Clock
from cloudfail.errors import Conflict, Halted, LeaseLost, Permanent, StoreUnavailable, Transient
from cloudfail.execution.commands import ActOn, AppendEntry, Command, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.next import next_commands, obligation_commands, watch_commands, watched
from cloudfail.execution.state import LogState, RunState, Track, fold
from cloudfail.journal import Journal, TailMoved
from cloudfail.lease import MARGIN_SHARE, Lease, Silence
from cloudfail.model.journal import HOLDER_KINDS, Entry, Kind
from cloudfail.ports import Call, Store
from cloudfail.resource_log import Held, ResourceLogs, Writer

# A call may use this share of the lease: what is left covers the renewal before it and the clocks' tolerance.
CALL_SHARE = 0.45
POLL_SECONDS = 0.25
# With less time than this, no call is begun.
CALL_SECONDS_MIN = 0.5
# Never shorter, so that a rounded due time cannot make the loop spin.
WAIT_SECONDS_MIN = 0.001
SETTLE_SECONDS_MAX = 60.0
SETTLE_ACTS_MAX = 3
LOOK_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class _LookBack:
    run: str
    track: Track
    look: Look
    asked_t: float


@dataclass(frozen=True)
class _ActBack:
    run: str
    track: Track
    outcome: str
    message: str
    retry_after_seconds: float
    lines: tuple[str, ...]
    looking: bool


class Engine:
    """One worker's engine for one application. Not shared between threads; it may be thrown away at any moment.

    lease_seconds: how long others wait after this worker fell silent. notify: called with each entry that this worker
    reads or writes, for progress on a screen. poll_seconds: how often it looks for people's commands while it waits.
    over_by: when this process may be ended from outside (boot seconds): every call is over by then. silence: what this
    process knows of the holder's silence, where it has had other engines before; resources: the same of the logs of
    resources that several applications write. known: how far this process has read the log already (what a log says is
    the same for everybody; what was seen of the world is never handed on).
    """

    def __init__(
        self,
        *,
        store: Store,
        application: str,
        world: World,
        actions: Mapping[str, Action],
        clock: Clock,
        calls: Calls,
        worker: str,
        lease_seconds: float,
        notify: Callable[[Entry, LogState], None] | None = None,
        poll_seconds: float = POLL_SECONDS,
        over_by: float = float("inf"),
        silence: Silence | None = None,
        resources: ResourceLogs | None = None,
        known: tuple[Journal, LogState] | None = None,
    ) -> None:
        self.store = store
        self.application = application
        self.world = world
        self.actions = actions
        self.clock = clock
        self.calls = calls
        self.worker = worker
        self.lease_seconds = lease_seconds
        self.journal = Journal(store, application, clock, worker)
        self.state = LogState()
        if known is not None:
            self.journal.begin_at(known[0])
            self.state = known[1]
        self.lease = Lease(clock, lease_seconds)
        self._notify = notify or (lambda _entry, _state: None)
        self._poll_seconds = poll_seconds
        self._over_by = over_by
        self._silence = silence or Silence()
        self._resources = resources or ResourceLogs(store, clock)
        self._epoch = 0
        self._t_at_boot = (0.0, 0.0)
        self._quiet_until_t = 0.0
        self._busy: set[Track] = set()
        self._acting: set[Track] = set()
        self._looks: dict[Track, Observed] = {}
        self._counts: dict[Track, int] = {}
        self._phase: Phase | None = None

    # ---- what the log says

    def read(self) -> LogState:
        """The application as its log tells it now. Needs no lease and changes nothing."""
        entries = self.journal.refresh()
        for entry in entries:
            self.state = fold(self.state, [entry])
            self._notify(entry, self.state)
        return self.state

    def t(self) -> float:
        """Run seconds now: the last holder's count, carried on by this worker's own clock; in whole microseconds, as
        the journal keeps them, so that what was read back compares equal."""
        t, boot = self._t_at_boot
        return round(t + (self.clock.boot() - boot), 6)

    def _carry_on_from(self, t: float) -> None:
        """Count on from `t` where that is later: run seconds never go back within a run, also after its end."""
        ahead = t - self.t()
        if ahead > 0:
            self._t_at_boot = (self._t_at_boot[0] + ahead, self._t_at_boot[1])
            self._quiet_until_t += ahead

    # ---- driving

    def drive(self, *, until: float | None = None, wait_for_people: bool = False) -> LogState:
        """Carry the open run on until it ends, needs a person (unless `wait_for_people`), or `until` (boot seconds)
        comes. Returns what the log says then; every call that could still change something has come back by then.
        Raises LeaseLost if another worker took over."""
        deadline = float("inf") if until is None else until
        self.read()
        if self.state.run is None and not any(
            self._worth_a_claim(run, [Track(step.name, "owed")]) for run, step in self.state.obligations
        ):
            return self.state
        if not self._claim(deadline):
            return self.state
        try:
            self._loop(deadline, wait_for_people)
        except LeaseLost:
            self.lease.lost()
            raise
        finally:
            # On LeaseLost and on every other error too: return only when nothing of ours can change the world.
            self._drain()
        self._release()
        return self.state

    def _loop(self, deadline: float, wait_for_people: bool) -> None:
        appended = False
        # What is owed has a bound of its own: a look that took all the time is not claimed for in vain, for ever.
        while self.state.run is None or self.clock.boot() < deadline:
            self._collect()
            if not appended:  # an entry of ours that landed stands right behind what was read
                self.read()
            self._check_holder()
            run = self.state.run
            if run is not None and run.phase is not self._phase:
                self._phase = run.phase
                self._looks.clear()
            if run is None:
                for owing in {run.id: run for run, _step in self.state.obligations}:
                    self._settle(owing, obligation_commands)
                return
            commands = next_commands(run, self._now())
            seq = self.journal.seq
            if self._execute(run, commands):
                appended = self.journal.seq == seq + 1
                continue
            appended = False
            if run.phase in {Phase.PAUSED, Phase.HALTED, Phase.PARKED} and not wait_for_people and not self._busy:
                return
            if run.phase is Phase.GATED and not wait_for_people and not self._busy and self._only_gates(commands):
                return
            self._wait(commands, deadline)

    def _only_gates(self, commands: tuple[Command, ...]) -> bool:
        return all(isinstance(command, WaitUntil) and not command.stay for command in commands)

    def watch_over(self, run_id: str) -> None:
        """Look once at what an ended run changed, and put back what an older epoch changed since (rule 10)."""
        self.read()
        run = self.state.runs[run_id]
        if self.state.run is not None or run_id != list(self.state.runs)[-1]:
            # What a newer run wants stands above what this one left.
            return
        tracks = [Track(step.name, "watch") for step in watched(run)]
        if not self._worth_a_claim(run, tracks) or not self._claim(self.clock.boot() + self.state.lease_seconds * 2):
            return
        try:
            self._settle(run_id, watch_commands)
        finally:
            self._drain()
        self._release()

    def _worth_a_claim(self, run: RunState, tracks: list[Track]) -> bool:
        """Look without the lease, which looking does not need: whether anything is to be done, or an obligation to be
        ended. So an ended run is kept an eye on without a word in the journal."""
        for track in tracks:
            self._look(run, track)
        end = self.clock.boot() + LOOK_SECONDS_MAX
        while self._busy and self.clock.boot() < end:
            self._collect()
            if self._busy:
                self.calls.wait(self._poll_seconds)
        return any(
            isinstance(observed.seen, Todo) or (isinstance(observed.seen, Done) and track.way == "owed")
            for track, observed in self._looks.items()
        )

    def _settle(self, run_id: str, commands_of: Callable[[RunState, Now], tuple[Command, ...]]) -> None:
        """One look, and what follows from it, at everything that an ended run still has to have an eye on. It stays
        for what it ordered itself; what is moving or does not answer is left to the next time."""
        self._looks.clear()
        self._counts.clear()
        self._carry_on_from(self.state.runs[run_id].t)
        end = min(self.clock.boot() + SETTLE_SECONDS_MAX, self._over_by)
        acted: dict[Track, int] = {}
        while self.clock.boot() < end:
            self._collect()
            self.read()
            self._check_holder()
            run = self.state.runs[run_id]
            commands = tuple(c for c in commands_of(run, self._now()) if not self._left_to_the_next_time(c))
            for track in (c.track for c in commands if isinstance(c, ActOn)):
                acted[track] = acted.get(track, 0) + 1
            if max(acted.values(), default=0) > SETTLE_ACTS_MAX:
                return
            if self._execute(run, commands):
                continue
            if not self._busy and not commands:
                return
            self._wait(commands, end)

    def _left_to_the_next_time(self, command: Command) -> bool:
        if not isinstance(command, LookAt | WaitUntil) or command.track is None:
            return False
        observed = self._looks.get(command.track)
        return observed is not None and not isinstance(observed.seen, Todo)

    # ---- the lease

    def _claim(self, deadline: float) -> bool:
        """Become the holder, or False at `deadline`. Never compares wall clocks (rule 6)."""
        while True:
            free = not self.state.holder
            waited = self._silence.lasted(self.state.holder_seq, self.clock.boot())
            lapse = self.state.lease_seconds * (1 + MARGIN_SHARE)
            if free or waited >= lapse:
                if self._append_claim(took_over=not free, waited=waited):
                    return True
            elif self.clock.boot() >= deadline:
                return False
            else:
                # What is missing may be less than the clock can tell: a sleep that short would never end.
                left = min(self._poll_seconds, lapse - waited, max(0.0, deadline - self.clock.boot()))
                self.clock.sleep(max(WAIT_SECONDS_MIN, left))
            self.read()

    def _append_claim(self, *, took_over: bool, waited: float) -> bool:
        run = self.state.run
        steps = run.plan.steps if run is not None else tuple(step for _, step in self.state.obligations)
        # The silent holder's calls were as long as its own lease let them be, whatever ours is.
        share = max(self.lease_seconds, self.state.lease_seconds) * CALL_SHARE
        longest = max((min(step.facts.call_timeout_seconds, share) for step in steps), default=0.0)
        settle = max((step.facts.settle_seconds for step in steps), default=0.0)
        quiet = longest + settle if took_over else 0.0
        t = (run.t if run is not None else 0.0) + (waited if took_over else 0.0)
        mark = self.lease.before_sending()
        data = {
            "lease_seconds": self.lease_seconds,
            "quiet_seconds": quiet,
            "took_over": self.state.epoch if took_over else 0,
        }
        # The epoch of a claim is its own sequence number (design.md §5), above where the log began: it only grows.
        epoch = self.state.epoch_base + self.journal.seq + 1
        try:
            entry = self.journal.append(Kind.CLAIM, data, epoch=epoch, t=t)
        except TailMoved:
            return False
        self.lease.renewed(mark)
        self._epoch = entry.epoch
        self._t_at_boot = (t, mark.boot)
        self._quiet_until_t = self.t() + quiet
        self._looks.clear()
        self._counts.clear()
        self._folded(entry)
        return True

    def _check_holder(self) -> None:
        if self.state.epoch != self._epoch:
            raise LeaseLost(
                f"{self.state.holder or 'Another worker'} took over this application.",
                "This worker makes no further call; the run goes on there.",
                "See it: cloudfail status",
            )
        if self.lease.remaining() <= 0:
            raise LeaseLost(
                "This worker could not renew its lease in time.",
                "It makes no further call; the run stands where the journal says.",
                "Carry it on from anywhere: cloudfail resume",
            )

    def _release(self) -> None:
        if self._acting:
            # A call that never came back may still land: whoever is next waits as after a worker that fell silent.
            self.lease.lost()
            return
        try:
            self._append(Kind.RELEASE, {})
        except (LeaseLost, StoreUnavailable):
            return
        self.lease.lost()

    # ---- appending, as the holder

    def _append(self, kind: Kind, data: Mapping[str, Any]) -> Entry:
        """Append as the holder. People's entries that came first are read and folded, then it is tried again."""
        while True:
            entry = self._try_append(kind, data)
            if entry is not None:
                return entry

    def _try_append(self, kind: Kind, data: Mapping[str, Any]) -> Entry | None:
        """One attempt; None if the tail moved, so that the caller thinks again. Raises LeaseLost."""
        if kind in HOLDER_KINDS and self.lease.remaining() <= 0:
            with contextlib.suppress(StoreUnavailable):  # a worker that slept says who went on meanwhile
                self.read()
            self._check_holder()
        mark = self.lease.before_sending()
        try:
            entry = self.journal.append(kind, data, epoch=self._epoch, t=self.t())
        except TailMoved:
            self.read()
            self._check_holder()
            return None
        self.lease.renewed(mark)
        self._folded(entry)
        return entry

    def _folded(self, entry: Entry) -> None:
        self.state = fold(self.state, [entry])
        self._notify(entry, self.state)

    # ---- carrying out what the core says

    def _now(self) -> Now:
        return Now(t=self.t(), quiet_until=self._quiet_until_t, busy=frozenset(self._busy), looks=self._looks)

    def _execute(self, run: RunState, commands: tuple[Command, ...]) -> bool:
        """Carry out all that needs no waiting. True if the log changed what is decided next, so that the core must be
        asked again at once; after a look or a call went out there is nothing to decide before something comes back."""
        for command in commands:
            match command:
                case AppendEntry(kind=kind, data=data):
                    self._try_append(kind, data)
                    return True
                case LookAt(track=track):
                    self._look(run, track)
                case ActOn(track=track, todo=todo, attempt=attempt):
                    if self._over_by - self.clock.boot() < CALL_SECONDS_MIN:
                        continue  # the next process makes it, with time to see what comes of it
                    if not self._act(run, track, todo, attempt):
                        return True
                case WaitUntil():
                    pass
        return False

    def _wait(self, commands: tuple[Command, ...], deadline: float) -> None:
        now_t = self.t()
        due = [command.t - now_t for command in commands if isinstance(command, WaitUntil)]
        renew = self.lease.remaining() - self.lease.seconds / 2
        if renew <= 0:
            self._try_append(Kind.RENEW, {})
            renew = self.lease.seconds / 2
        self.calls.wait(max(WAIT_SECONDS_MIN, min([self._poll_seconds, renew, deadline - self.clock.boot(), *due])))

    def _context(self, run: RunState, track: Track) -> tuple[Action, StepContext]:
        step = run.plan.step(track.step)
        undoing = track.way == "undo" or (track.way == "watch" and run.undo_begun)
        if undoing and step.undo is not None:
            step = replace(step, action=step.undo[0], arguments=step.undo[1])
        action = self.actions[step.action or ""]
        done, owed = run.did(track.step), run.track(Track(track.step, "owed"))
        return action, StepContext(
            step,
            run.id,
            run.plan.source,
            run.plan.target,
            memory=done.memory or owed.memory,
            undoing=undoing,
            latest=done.latest or owed.latest,
            watching=track.way == "watch",
        )

    def _look(self, run: RunState, track: Track) -> None:
        action, context = self._context(run, track)
        asked = self.t()
        self._busy.add(track)
        self.calls.submit(lambda: self._seen(action, context, track, asked))

    def _seen(self, action: Action, context: StepContext, track: Track, asked: float) -> _LookBack:
        """One look, made in a thread of `calls`."""
        try:
            seen = action.observe(self.world, context)
            if track.way == "do":
                seen = unmet(self.world, context, seen)
        except Exception as error:  # noqa: BLE001 - an unexpected error is unknown, never "gone" (I6)
            seen = NotKnown(f"{type(error).__name__}: {error}")
        return _LookBack(context.run, track, seen, asked)

    def _act(self, run: RunState, track: Track, todo: Todo, attempt: int) -> bool:
        """Append the intent, then make the call. False if the tail moved: nothing was announced or made.

        A verb that needs no time to settle is looked at right after the call came back, while its result is journaled.
        """
        action, context = self._context(run, track)
        intent = {
            "run": run.id,
            "step": track.step,
            "way": track.way,
            "attempt": attempt,
            "effect": todo.effect,
            "before": todo.before,
            "after": todo.after,
            "memory": dict(todo.memory),
            "loss": [todo.loss_if_dead_seconds, todo.loss_if_alive_seconds, list(todo.loss_parts)],
        }
        if self._try_append(Kind.INTENT, intent) is None:
            return False
        self._looks.pop(track, None)
        self._counts.pop(track, None)
        self._busy.add(track)
        self._acting.add(track)
        timeout = self._call_timeout(context.step.facts.call_timeout_seconds)
        settled_at_once = context.step.facts.settle_seconds == 0
        _, context_after = self._context(self.state.runs[run.id], track)
        lines: list[str] = []
        guard = _Guard(self, run.id, timeout, undoing=context.undoing)
        call = Call(
            run=run.id,
            step=str(track),
            epoch=self._epoch,
            key=f"{run.id}/{track}",
            timeout_seconds=timeout,
            check=guard.check,
            log=lines.append,
        )

        writer = Writer(self.application, run.id, call.step, call.epoch, self.worker)
        leading_since = self._t_at_boot[1]

        def still() -> None:
            guard.look()
            if self.state.runs[run.id].track(track).ended:
                raise Halted("Its step has ended while it waited for its turn.")

        def act() -> _ActBack:
            outcome, message, retry_after = "ok", "", 0.0
            try:
                with self._resources.claimed(
                    context.step.facts.shared,
                    writer,
                    call=call,
                    ends=guard._ends,
                    leading_since=leading_since,
                    settle_seconds=context.step.facts.settle_seconds,
                    still=still,
                ) as own:
                    action.act(self.world, context, todo, own)
            except Held as error:
                outcome, message = "held", str(error)
            except Transient as error:
                outcome, message, retry_after = "transient", str(error), error.retry_after_seconds or 0.0
            except (Permanent, Conflict) as error:
                outcome, message = ("permanent" if isinstance(error, Permanent) else "conflict"), str(error)
            except (LeaseLost, Halted, StoreUnavailable) as error:
                outcome, message = ("unknown" if guard.passed else "stopped"), str(error)
            except Exception as error:  # noqa: BLE001 - whatever it was, the effect may have landed: look
                outcome, message = "unknown", f"{type(error).__name__}: {error}"
            looking = outcome == "ok" and settled_at_once
            return _ActBack(run.id, track, outcome, message, retry_after, tuple(lines), looking)

        def then(back: _ActBack) -> _LookBack | None:
            return self._seen(action, context_after, track, self.t()) if back.looking else None

        self.calls.submit(act, then)
        return True

    def _call_timeout(self, wanted: float) -> float:
        return min(wanted, self.lease_seconds * CALL_SHARE, max(0.0, self._over_by - self.clock.boot()))

    @property
    def calls_out(self) -> int:
        """How many calls that change something have not come back, after `drive` has waited for them as long as a call
        may take. While there are any, this process must not be kept for later: thawed, they would go on."""
        return len(self._acting)

    def _collect(self) -> None:
        for back in self.calls.finished():
            self._take(back)

    def _take(self, back: _LookBack | _ActBack) -> None:
        """What came back: a look goes into memory, a result into the journal."""
        if isinstance(back, _LookBack) or not back.looking:
            self._busy.discard(back.track)
        if isinstance(back, _LookBack):
            count = self._counts[back.track] = self._counts.get(back.track, 0) + 1
            self._looks[back.track] = Observed(back.look, back.asked_t, count)
            return
        self._looks.pop(back.track, None)
        data = {
            "run": back.run,
            "step": back.track.step,
            "way": back.track.way,
            "outcome": back.outcome,
            "message": back.message,
            "retry_after_seconds": back.retry_after_seconds,
            "lines": list(back.lines),
        }
        self._append(Kind.RESULT, data)
        self._acting.discard(back.track)

    def _drain(self) -> None:
        """Wait for every call that could still change something: at most as long as a call may take. What it came back
        with is journaled if the lease is still ours; else whoever takes over finds the intent, and looks."""
        end = self.clock.boot() + self._call_timeout(float("inf"))
        while self._acting:
            for back in self.calls.finished():
                try:
                    self._take(back)
                except (LeaseLost, StoreUnavailable):
                    self._acting.discard(back.track)
            if not self._acting or self.clock.boot() >= end:
                return
            self.calls.wait(min(self._poll_seconds, end - self.clock.boot()))


class _Guard:
    """`Call.check`: asked immediately before each request that changes something, from whatever thread makes it."""

    def __init__(self, engine: Engine, run: str, timeout_seconds: float, *, undoing: bool) -> None:
        self._engine = engine
        self._run = run
        self._undoing = undoing
        self._after = engine.journal.seq
        self._seconds = timeout_seconds
        self._ends = engine.clock.boot() + timeout_seconds
        self.passed = 0

    def check(self) -> None:
        self.look()
        self.passed += 1

    def look(self) -> None:
        """The same, before nothing was let through yet."""
        engine = self._engine
        left = self._ends - engine.clock.boot()
        if left <= 0:
            raise Halted(
                f"It took longer than the {self._seconds:.1f} s that a call has under a lease of "
                f"{engine.lease_seconds:g} s (policy.lease); what it had begun is looked at."
            )
        if engine.lease.remaining() < left:
            raise LeaseLost("The lease would end before this request must have.")
        for stored in engine.store.read(engine.application, self._after):
            entry = json.loads(stored.body)
            self._after = stored.seq
            if entry["kind"] == Kind.CLAIM:
                raise LeaseLost("Another worker took over.")
            if entry["kind"] == Kind.SEALED:
                raise LeaseLost(f"{entry['by']} moved the log to another store.")
            if entry["kind"] == Kind.COMMAND and entry["data"].get("run") == self._run:
                command = entry["data"]["command"]
                if command == "pause" or (command in {"abort", "decline"} and not self._undoing):
                    raise Halted(f"{entry['by']} asked to {command}.")
