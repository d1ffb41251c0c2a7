"""One history of the search: what happens next when nothing is disturbed, and what could happen instead.

`default()` is the undisturbed way, `others()` what may take its place; nothing is random, so that the same choices give
the same history. Time moves only when nobody can go on otherwise, and every wait ends on a multiple of GRID seconds (a
real machine may be late, so this must be survived).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import greenlet

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import Calls
from cloudfail.engine import Engine
from cloudfail.execution.lifecycle import Phase
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.fakeworld import FakeDatabase, FakeWorld
from cloudfail.testing.simulation.search_checks import Checks, Violation
from cloudfail.testing.simulation.search_worker import (
    GRID,
    LEASE_SECONDS,
    LONG_SECONDS,
    POLL_SECONDS,
    RUN,
    SHORT_SECONDS,
    WALL_AT_START,
    Request,
    SearchCloud,
    Setting,
    Task,
    Worker,
    loaded_for,
)

STEPS_MAX = 900
RESUMES_MAX = 2


@dataclass(frozen=True)
class Option:
    """One thing that may happen next. costs: "" for what costs nothing, else which bound it is counted under."""

    label: str
    costs: str
    do: Callable[[], None]


class Play:
    """One history. Fulfils `Clock` for the cloud and for people."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.now = 0.0
        self.steps = 0
        self.hub = greenlet.getcurrent()
        self.running: Task | None = None
        self.current: Task | None = None
        self.requests: list[Request] = []
        self.store = MemoryStore()
        topology, self.plan, document = loaded_for(setting.regions)
        self.topology = topology
        self.cloud = SearchCloud(self, topology, setting)
        self.checks = Checks(self.plan, self.cloud, lambda: self.now, LEASE_SECONDS)
        self.used: dict[str, int] = {}
        self.last_costs = ""
        self.resumes = 0
        self.asked_seq = 0
        FakeDatabase(self.cloud, "orders").beat("east")
        opened = {
            "run": RUN,
            "plan": document,
            "automation": "off",
            "reason": "east is lost",
            "preapproved": "alice",
        }
        self._person(Kind.OPENED, opened, "alice")
        self.workers = [Worker(self, f"w{number}") for number in range(1, setting.workers + 1)]

    # ---- what the parts ask

    def boot(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL_AT_START + self.now

    def sleep(self, seconds: float) -> None:
        raise AssertionError("people and the cloud do not wait")

    def on_grid(self, seconds: float) -> float:
        return math.ceil(round((self.now + seconds) / GRID, 6)) * GRID

    def engine(self, worker: Worker) -> Engine:
        calls: Calls = worker
        return Engine(
            store=worker,
            application=self.topology.application,
            world=FakeWorld(self.cloud),
            actions=ACTIONS,
            clock=worker,
            calls=calls,
            worker=worker.name,
            lease_seconds=LEASE_SECONDS,
            poll_seconds=POLL_SECONDS,
        )

    def landed_entry(self, worker: Worker | None, seq: int, body: bytes, sent_at: float) -> None:
        self.checks.appended(worker.name if worker else "", body, sent_at)
        if worker is None:
            self.asked_seq = seq

    def _person(self, kind: Kind, data: Mapping[str, Any], by: str) -> None:
        journal = Journal(self.store, self.topology.application, self, by)
        journal.refresh()
        entry = journal.append(kind, data)
        self.landed_entry(None, entry.seq, self.store.read(self.topology.application, entry.seq - 1)[0].body, self.now)

    @property
    def phase(self) -> Phase:
        return self.checks.run.phase

    # ---- what may happen next

    def take(self, option: Option) -> None:
        self.steps += 1
        self.used[option.costs] = self.used.get(option.costs, 0) + 1
        self.last_costs = option.costs
        option.do()
        self.checks.after_each_step(self.workers)
        if self.steps >= STEPS_MAX:
            self.checks.violate("L1", f"the run has not come to rest after {STEPS_MAX} steps")

    @property
    def violation(self) -> Violation | None:
        return self.checks.violation

    def default(self) -> Option | None:
        """What happens when nothing is disturbed: whoever ran goes on; requests land; then the others; then time
        passes; then who stood still wakes; then a person resumes. None: it is over."""
        current = self.current
        if current is not None and self._can_run(current):
            return self._run(current)
        for request in self.requests:
            if not request.landed and not request.adrift:
                return self._land(request)
        for task in self._runnable():
            return self._run(task)
        due = [task.deadline for worker in self.workers if worker.runs for task in worker.tasks if task.deadline]
        if due:
            return Option("time passes", "", partial(self._pass_to, min(due)))
        for worker in self.workers:
            if worker.alive and worker.stopped_at is not None:
                return self._wake(worker)
        if self.phase in {Phase.PAUSED, Phase.HALTED, Phase.PARKED} and self.resumes < RESUMES_MAX:
            self.checks.at_rest([worker for worker in self.workers if worker.alive])
            return Option("a person resumes", "", partial(self._command, "resume"))
        return None

    def others(self, default: Option) -> list[Option]:
        """What may happen instead, whatever it costs. Only where it could make a difference: a landing is seen by looks
        and other landings alone, a worker that wakes meets others' claims and calls, and one that polls for a lapse
        meets nobody before there is one."""
        task = self._of(default)
        point = "time" if task is None else "answered" if task.where[0] == "wire" else task.where[0]
        if task is None and default.label.endswith(" lands"):
            point = "wire"
        if point in {"start", "appended"} and self.checks.log.holder:
            return []
        options: list[Option] = []
        if task is not None and point == "look":
            options.append(Option(f"{task.worker.name}'s look is not answered", "cut", partial(self._mute, task)))
        elif task is not None and point != "answered" and not self.phase.final:
            options += self._instead_of(task)
        elif point == "wire":
            options += self._on_the_wire(next(r for r in self.requests if not r.landed and not r.adrift))
        if default.label == "a person resumes":
            options.append(Option("a person aborts", "abort", partial(self._command, "abort")))
        if point in {"append", "check", "wait", "wire", "sleep"}:
            switching = "preemption" if task is not None and task is self.current else ""
            options += [
                self._run(other, switching) for other in self._runnable() if other is not task and self._meets(other)
            ]
        if point in {"look", "wire", "time"}:
            options += self.at_the_end() if point != "time" or self._somebody_looks() else []
        claims = task is not None and point == "append" and json.loads(task.where[1])["kind"] == str(Kind.CLAIM)
        if claims or point in {"check", "wire", "time"}:
            options += [
                self._wake(worker)
                for worker in self.workers
                if worker.alive and worker.stopped_at is not None and self.now >= worker.stopped_at + LEASE_SECONDS
            ]
        return [option for option in options if option.label != default.label]

    def _meets(self, task: Task) -> bool:
        """Whether it matters when this task goes on: not for one that polls while another holds the lease."""
        if task.where[0] not in {"start", "sleep"} or not task.main:
            return True
        return not self.checks.log.holder or self.checks.lapsing

    def _somebody_looks(self) -> bool:
        holder = self.checks.log.holder
        return (
            self.phase.final
            or any(worker.runs and worker.name == holder for worker in self.workers)
            or any(self.now < request.deadline for request in self.requests if request.adrift and not request.landed)
        )

    def at_the_end(self) -> list[Option]:
        """When all is over, what is still on the wire may land."""
        return [self._land(adrift) for adrift in self.requests if adrift.adrift and not adrift.landed]

    def _of(self, option: Option) -> Task | None:
        own = option.do
        if isinstance(own, partial) and own.func == self._go:
            task: Task = own.args[0]
            return task
        return None

    def _can_run(self, task: Task) -> bool:
        worker = task.worker
        if not worker.runs or task not in worker.tasks:
            return False
        return task.ready or (task.deadline is not None and task.deadline <= self.now)

    def _runnable(self) -> list[Task]:
        tasks = [task for worker in self.workers for task in worker.tasks if self._can_run(task)]
        return sorted(tasks, key=lambda task: task.main)

    def _instead_of(self, task: Task) -> list[Option]:
        """What may befall a worker that stands before an append or a check, or that has waited."""
        worker, point = task.worker, task.where[0]
        engine, log = worker.engine, self.checks.log
        holds = engine is not None and bool(log.holder) and engine._epoch == log.epoch
        if not holds and point != "append":
            return []
        name, cut = worker.name, partial(self._cut, worker)
        options: list[Option] = []
        if self.phase in {Phase.RUNNING, Phase.GATED, Phase.UNDOING}:
            options.append(Option("a person pauses", "pause", partial(self._command, "pause")))
        if self.phase in {Phase.RUNNING, Phase.GATED, Phase.PAUSED}:
            options.append(Option("a person aborts", "abort", partial(self._command, "abort")))
        if self.phase is Phase.PAUSED and self.resumes < RESUMES_MAX:
            options.append(Option("a person resumes", "resume", partial(self._command, "resume")))
        options.append(Option(f"{name} stands still", "still", partial(self._still, worker)))
        if point == "wait":
            options.append(Option(f"{name} cannot reach the store for a moment", "cut", partial(cut, SHORT_SECONDS)))
            return options
        options.append(Option(f"{name} dies", "crash", partial(self._crash, worker)))
        options.append(Option(f"{name} cannot reach the store for long", "cut", partial(cut, LONG_SECONDS)))
        if point == "append":
            landed = partial(self._landed_then_cut, worker)
            options.append(Option(f"{name}'s entry lands and it cannot reach the store any more", "cut", landed))
            still = partial(self._landed_then_still, task)
            options.append(Option(f"{name}'s entry lands and {name} stands still before it hears so", "still", still))
        return options

    def _on_the_wire(self, request: Request) -> list[Option]:
        worker = request.task.worker
        what = f"{worker.name}'s {request.verb}"
        return [
            Option(
                f"{worker.name} dies while its {request.verb} is on the wire", "crash", partial(self._crash, worker)
            ),
            Option(
                f"{worker.name} stands still while its {request.verb} is on the wire",
                "still",
                partial(self._still, worker),
            ),
            Option(f"{what} is held up", "cut", partial(self._set_adrift, request)),
            Option(f"{what} lands and its reply is lost", "cut", partial(self._land_now, request, answered=False)),
        ]

    # ---- making it happen

    def _run(self, task: Task, costs: str = "") -> Option:
        what = task.where[0]
        if what == "append":
            what = f"appends {json.loads(task.where[1])['kind']}"
        elif what == "check":
            what = f"checks before its {task.where[1]}"
        return Option(f"{task.worker.name} goes on: {what}", costs, partial(self._go, task))

    def _go(self, task: Task) -> None:
        self.current = self.running = task
        task.ready, task.deadline = False, None
        self.hub = greenlet.getcurrent()
        task.g.parent = self.hub
        try:
            task.g.switch()
        except Exception as error:  # noqa: BLE001 - whatever the engine let through
            self.checks.violate("L1", f"{task.worker.name} fell over: {type(error).__name__}: {error}")
        finally:
            self.running = None
        if task.g.dead and task in task.worker.tasks:
            task.worker.tasks.remove(task)

    def _land(self, request: Request) -> Option:
        late = " at last" if request.adrift else ""
        label = f"{request.task.worker.name}'s {request.verb}{late} lands"
        return Option(label, "", partial(self._land_now, request))

    def _land_now(self, request: Request, *, answered: bool = True) -> None:
        request.landed = True
        count = len(self.cloud.effects)
        try:
            request.land()
        except Exception as error:  # noqa: BLE001 - it is the reply
            request.reply = error
        if len(self.cloud.effects) > count:
            self.checks.landed(self.cloud.effects[-1], request)
        if answered:
            request.replied = True
            request.task.ready = True
        else:
            request.task.deadline = request.deadline

    def _set_adrift(self, request: Request) -> None:
        request.adrift = True
        request.task.deadline = request.deadline

    def _pass_to(self, moment: float) -> None:
        self.now = max(self.now, moment)
        self.current = None
        self.cloud.settle_promotions()

    def _crash(self, worker: Worker) -> None:
        self._adrift(worker)
        worker.end()

    def _still(self, worker: Worker) -> None:
        self._adrift(worker)
        worker.stopped_at = self.now

    def _adrift(self, worker: Worker) -> None:
        for request in self.requests:
            if request.task.worker is worker and not request.landed and not request.adrift:
                self._set_adrift(request)

    def _wake(self, worker: Worker) -> Option:
        return Option(f"{worker.name} wakes", "", partial(self._wake_now, worker))

    def _wake_now(self, worker: Worker) -> None:
        assert worker.stopped_at is not None
        self._pass_to(worker.stopped_at + LEASE_SECONDS)
        worker.stopped_at = None

    def _cut(self, worker: Worker, seconds: float) -> None:
        worker.cut_until = self.now + seconds

    def _landed_then_cut(self, worker: Worker) -> None:
        worker.append_is = "landed, then cut"
        self._cut(worker, LONG_SECONDS)

    def _landed_then_still(self, task: Task) -> None:
        task.worker.append_is = "landed, then still"
        self._go(task)
        self._still(task.worker)

    def _mute(self, task: Task) -> None:
        self.cloud.mute = True
        self._go(task)

    def _command(self, command: str) -> None:
        self.resumes += command == "resume"
        self._person(Kind.COMMAND, {"run": RUN, "command": command, "reason": "search"}, "bob")
        for worker in self.workers:
            for task in worker.tasks:
                if task.where[0] == "idle":
                    task.ready = True

    def close(self) -> None:
        for worker in self.workers:
            worker.end()

    def watched_over(self) -> None:
        """What `watch_after` does once more: a worker of its own looks at what the ended run changed."""
        watcher = Worker(self, "w9")
        watcher.restart_as(watcher.watch_over)
        self.workers = [*self.workers, watcher]
        while watcher.tasks and self.violation is None:
            option = self.default()
            if option is None:
                return
            self.take(option)
