"""Plays one scenario: our processes, the clouds, the clients, the one on call, and everything that goes wrong.

After `calm_at` all faults are over. Then whoever is on call carries every run to an end, the lost region comes back,
and what is owed is settled; what is left of the world is held against what it must be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cloudfail.detect import vantages_of
from cloudfail.errors import CloudfailError, LeaseLost
from cloudfail.execution.gates import still_missing
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.loss import loss_to_accept
from cloudfail.execution.state import LogState, RunState, fold
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import GENESIS, Entry, Kind, decode
from cloudfail.model.policy import Automation
from cloudfail.model.topology import PortName, Topology
from cloudfail.stores.memory import MemoryStore
from cloudfail.testing.simulation.cloud import SimCloud
from cloudfail.testing.simulation.hub import Gone, Hub
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import OUTSIDE, Network
from cloudfail.testing.simulation.ports import remember_before_changes
from cloudfail.testing.simulation.process import SimApp, watcher
from cloudfail.testing.simulation.scenario import Happening, Scenario, Setup, Worker
from cloudfail.testing.simulation.store import SimStore, StoreFaults
from cloudfail.watcher import Moment

RESTARTS_AFTER_SECONDS = 3.0
TICK_SECONDS = 60.0
ACTS_MAX = 30
AFTER_SECONDS = 12.0
OBLIGATIONS_SECONDS = 150.0
WAITING = frozenset({Phase.GATED, Phase.HALTED, Phase.PAUSED, Phase.PARKED})


@dataclass
class History:
    """Everything that a checker may want to know. Times are true seconds."""

    scenario: Scenario
    setup: Setup
    cloud: SimCloud
    entries: list[tuple[float, Entry]] = field(default_factory=list)
    log: LogState = field(default_factory=LogState)
    fired: dict[str, int] = field(default_factory=dict)
    hits: set[tuple[str, str]] = field(default_factory=set)
    phases: list[tuple[str, str, bool]] = field(default_factory=list)
    rows: set[tuple[str, str, str]] = field(default_factory=set)
    speechless: list[str] = field(default_factory=list)
    broke: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    person_acts: list[tuple[float, str]] = field(default_factory=list)
    moments: list[tuple[float, Moment]] = field(default_factory=list)
    lost_at: float | None = None
    back_at: dict[str, float] = field(default_factory=dict)
    ended_at: float = 0.0
    settled: bool = False
    events: int = 0

    def runs(self) -> list[RunState]:
        return list(self.log.runs.values())


class Play:
    """`cloud_of` and `network_of`: what the world is made of, for a play that needs more than the swarm draws."""

    cloud_of: type[SimCloud] = SimCloud
    network_of: type[Network] = Network

    def __init__(self, scenario: Scenario, setup: Setup) -> None:
        self.scenario = scenario
        self.setup = setup
        self.hub = Hub()
        self.network = self.network_of()
        self.truth = MemoryStore()
        self.application = setup.loaded.topology.application
        self.store_faults = StoreFaults(landed=self._landed, hit=self.fire)
        self._digest = GENESIS
        settings = scenario
        verbs = ("freeze", "unfreeze", "hold", "scale", "enable", "disable")
        self.cloud = self.cloud_of(
            setup.loaded.topology,
            self.hub,
            self.network,
            Random(f"{scenario.seed}/cloud"),
            synchronous=settings.synchronous,
            promote_seconds=settings.promote_seconds,
            lag_seconds=settings.lag_seconds,
            ttl_seconds=settings.ttl_seconds,
            unconditional=verbs if settings.unconditional else (),
            control=_changed_at_the_control_plane(setup.loaded.topology) if settings.control_plane else (),
        )
        self.cloud.settle_seconds = max(step.facts.settle_seconds for step in setup.plan.steps)
        self.cloud.workers_start_seconds = settings.workers_start_seconds
        self.cloud.fired = self.fire
        self.cloud.log_length = lambda: len(self.history.entries)
        remember_before_changes(self.cloud)
        self.history = History(scenario, setup, self.cloud)
        self.machines: dict[str, Machine] = {}
        self._all_machines: list[Machine] = []
        self._arms: dict[str, list[Happening]] = {}
        self._births: dict[str, int] = {}
        topology = setup.loaded.topology
        self.vantages = {
            f"vantage {number}": vantage.region or OUTSIDE
            for number, vantage in enumerate(vantages_of(topology).values(), 1)
        }
        self.calm = False
        self.over = False
        self._every = min((check.every_seconds for check in topology.checks.values()), default=2.0)

    # ---- what happened

    def fire(self, fault: str) -> None:
        history = self.history
        history.fired[fault] = history.fired.get(fault, 0) + 1
        history.hits.add((_state_of(history.log), fault))

    def _landed(self, seq: int, body: bytes) -> None:
        entry = decode(seq, body, self._digest)
        self._digest = entry.digest
        self._note_entry(entry)

    def _note_entry(self, entry: Entry) -> None:
        history = self.history
        before = history.log
        log = history.log = fold(before, [entry])
        history.entries.append((self.hub.now, entry))
        run = log.run
        history.phases.append((log.open_run, str(run.phase) if run else "", bool(log.automation_paused_by)))
        if run is not None and run.phase in WAITING and not (run.halted_because and run.to_do):
            history.speechless.append(f"entry {entry.seq}: {run.phase} without a reason or a way out")
        was = before.run
        if was is not None:
            now = log.runs[was.id]
            if now.phase is not was.phase or len(now.story) != len(was.story):
                history.rows.add((str(was.phase), str(now.phase), now.story[-1].text))

    @property
    def log(self) -> LogState:
        return self.history.log

    def _told(self, moment: Moment) -> None:
        self.history.moments.append((self.hub.now, moment))

    # ---- our processes

    def app(self, machine: Machine, by: str) -> SimApp:
        store = SimStore(machine, self.truth, self.network, self.store_faults)
        app = SimApp(
            self.setup,
            machine,
            store,
            self.cloud,
            self.vantages,
            by=by,
            poll_seconds=self.scenario.poll_seconds,
        )
        app.begin_at(self.log, self._digest)
        return app

    def machine(self, name: str, place: str, drift: float = 0.0) -> Machine:
        born = self._births[name] = self._births.get(name, 0) + 1
        machine = Machine(self.hub, name if born == 1 else f"{name}.{born}", place, drift=drift)
        self.machines[name] = machine
        self._all_machines.append(machine)
        if drift:
            self.fire("clock drift")
        for happening in self._arms.get(name, []):
            if born == 1:
                self._arm(machine, happening)
        return machine

    def start(self, worker: Worker) -> None:
        match worker.kind:
            case "resident":
                self._resident(worker)
            case "tick":
                self._scheduled(worker)
            case _:
                self._command(worker)

    def _guarded(self, machine: Machine, what: Callable[[], None], then: Callable[[], None] | None = None) -> None:
        """Run `what` as the machine's main task. An error that a process would die of is kept, and its supervisor
        starts it again."""

        def run() -> None:
            try:
                what()
            except CloudfailError as error:
                self.history.hits.add(("process ended", type(error).__name__))
            except Exception as error:  # noqa: BLE001 - whatever our own process dies of is a finding
                self.history.broke.append(f"{machine.name} died of {type(error).__name__}: {error}")
            if then is not None:
                then()

        machine.spawn(run)

    def _resident(self, worker: Worker) -> None:
        machine = self.machine(worker.name, worker.place, worker.drift)
        app = self.app(machine, worker.name)
        seer = watcher(app, observing=self.observing, pace_seconds=self.pace)
        seer.tell = self._told
        self._guarded(machine, lambda: seer.run(stop=lambda: self.over), machine.kill)
        self._supervise(worker, machine)

    def _supervise(self, worker: Worker, machine: Machine) -> None:
        """A process that is gone is started again, after a while."""

        def look() -> None:
            if self.over:
                return
            if machine.alive:
                self.hub.after(RESTARTS_AFTER_SECONDS, look)
            else:
                self._resident(worker)

        self.hub.after(RESTARTS_AFTER_SECONDS, look)

    def _scheduled(self, worker: Worker) -> None:
        if self.over:
            return
        machine = self.machine(worker.name, worker.place, worker.drift)
        app = self.app(machine, worker.name)
        seer = watcher(app, observing=self.observing, pace_seconds=self.pace)
        seer.tell = self._told
        ends = machine.boot() + 50.0
        self._guarded(machine, lambda: seer.run(until=ends, stop=lambda: self.over), machine.kill)
        if worker.limit_seconds < 50.0:

            def out_of_time() -> None:
                if machine.alive:
                    self.fire("time limit")
                    machine.alive = False

            self.hub.after(worker.limit_seconds, out_of_time)
        if self.machines.get("w2") is not None and worker.name == "w3":
            self.fire("duplicate schedule")
        self.hub.after(TICK_SECONDS, lambda: self._scheduled(worker))

    def _command(self, worker: Worker) -> None:
        """Somebody types `cloudfail evacuate … --plan SHA`; the terminal carries the run until it ends."""
        machine = self.machine(worker.name, worker.place, worker.drift)
        app = self.app(machine, "alice")
        plan = self.setup.plan

        def typed() -> None:
            app.keep_reviewed(plan)
            app.start(plan.checksum[:8], reason="it is lost", approve=self.scenario.preapproved)
            while not self.over and app.log().run is not None:
                try:
                    app.drive(wait_for_people=True)
                except LeaseLost:
                    machine.sleep(5.0)

        self._guarded(machine, typed)

    def observing(self) -> bool:
        return self.scenario.way == "watch" and (self.log.run is not None or not self.log.runs)

    def pace(self) -> float:
        """How long a watcher idles: short while anything can be decided, long when all that is left is to keep an eye
        on what was done."""
        if self.calm and self.log.run is None and not self.log.obligations:
            return 60.0
        if self.log.runs and self.log.run is None and not self.log.obligations:
            return 30.0
        return self._every if self.observing() else 5.0

    # ---- the one on call

    def _on_call(self) -> None:
        machine = self.machine("laptop", OUTSIDE)
        person = self.scenario.person
        app: SimApp | None = None
        tries: dict[str, int] = {}

        def work() -> None:
            nonlocal app
            while not self.over:
                machine.sleep(person.every_seconds if not self.calm else 3.0)
                run = self.log.run
                if run is None:
                    if self.calm and self.log.automation_paused_by:
                        app = app or self.app(machine, "carol")
                        _try(lambda app=app: app.pause_automation(False, "it is over"))  # type: ignore[misc]
                    continue
                said = self._answer(run, tries)
                if said is None:
                    continue
                app = app or self.app(machine, "carol")
                self.say(app, run, *said)

        self._guarded(machine, work)

    def say(self, app: SimApp, run: RunState, command: Event, data: dict[str, Any]) -> None:
        self.history.person_acts.append((self.hub.now, f"{command} {run.id}"))
        _try(lambda: app.command(run.id, command, "on call", **data))

    def _answer(self, run: RunState, tries: dict[str, int]) -> tuple[Event, dict[str, Any]] | None:
        person = self.scenario.person
        count = tries[run.phase] = tries.get(run.phase, 0) + 1
        match run.phase:
            case Phase.GATED:
                if person.answers == "silent" and not (self.calm and run.promoted):
                    return None
                late = person.answers.startswith("late ")
                answer = person.answers.removeprefix("late ")
                if answer in {"decline", "abort"} and late == run.promoted and count <= 3:
                    return (Event.DECLINE if answer == "decline" else Event.ABORT), {}
                if run.approvals and not still_missing(run):
                    return None  # said already; nobody carries the run just now
                said = {agreed.gate for agreed in run.approvals}
                if said and count % 3:
                    return None  # one gate at a time, and not in a hurry
                gate = next((step.name for step in run.open_gates if step.name not in said), "")
                return Event.APPROVE, {"gate": gate, **self._accepts(run)}
            case Phase.HALTED:
                if person.answers == "resume" and count <= 2:
                    return Event.RESUME, {}  # without reading what is asked
                if run.asks and count <= 4 and (person.accepts_owed or not run.asks.get("owed_fence") or self.calm):
                    return Event.APPROVE, self._accepts(run, as_suggested=count > 1)
                if count <= 6:
                    return Event.RESUME, {}
                return (Event.ABORT if count <= 7 else Event.CLOSE), {}
            case Phase.PAUSED:
                if count <= 1 and not self.calm:
                    return None
                unwilling = person.answers.endswith(("abort", "decline"))
                return (Event.ABORT if unwilling and count <= 3 else Event.RESUME), {}
            case Phase.PARKED:
                return (Event.RESUME if count <= 4 else Event.CLOSE), {}
        return None

    def _accepts(self, run: RunState, *, as_suggested: bool = False) -> dict[str, Any]:
        """What a person who reads the screen would type: a number of their own, or the one that the screen suggests."""
        person = self.scenario.person
        owed = any(step.facts.verb == "fence" for step in run.owed) or bool(run.asks.get("owed_fence"))
        if not owed and "loss_seconds" not in run.asks:
            return {}
        accepts = person.accepts_loss_seconds
        if self.calm or as_suggested:
            accepts = max(accepts, loss_to_accept(float(run.asks.get("loss_seconds", 0.0)), growing=True))
        data: dict[str, Any] = {"loss_seconds": accepts}
        if owed and (person.accepts_owed or self.calm):
            data["accept_owed_fence"] = True
        return data

    # ---- what goes wrong

    def _arm(self, machine: Machine, happening: Happening) -> None:
        def reached(_where: str) -> None:
            if self.calm:
                return
            self.fire(happening.kind)
            if happening.kind == "crash":
                machine.kill()
            else:
                machine.stop_for(float(happening.args["seconds"]))

        machine.at_boundary[int(happening.args["boundary"])] = reached

    def happen(self, happening: Happening) -> None:
        """Do it now. What lasts for a while is over after its seconds, or when all faults are."""
        kind, args, now = happening.kind, happening.args, self.hub.now
        cloud, faults = self.cloud, self.cloud.faults
        until = min(now + float(args.get("seconds", 0.0)), self.scenario.calm_at)
        if kind.startswith("error: "):
            faults.errors.extend([kind.removeprefix("error: ")] * int(args["times"]))
            return
        if kind.startswith("person: "):
            self._interfere(kind.removeprefix("person: "))
            return
        if kind.startswith("partition "):
            self._partition(happening, until)
            return
        match kind:
            case "region lost":
                self._lose(str(args["region"]), str(args["how"]))
            case "region returns":
                if str(args["region"]) in self.cloud.down | self.cloud.cut:
                    self.fire(kind)
                    self._give_back(str(args["region"]))
            case "target lost":
                self._lose(str(args["region"]), "kill")
                self.fire(kind)
                self.hub.at(until, lambda: self._give_back(str(args["region"])))
            case "target unhealthy":
                region = str(args["region"])
                cloud.unhealthy.add(region)
                cloud.sick_since.setdefault(region, now)
                self.fire(kind)
                self.hub.at(until, lambda: self._well(region))
            case "late effect":
                faults.late.append(float(args["seconds"]))
            case "late append":
                self.store_faults.land_late.append(float(args["seconds"]))
            case "lost append reply":
                self.store_faults.lose_reply += 1
            case "store out" | "store lost with the region":
                self.store_faults.out = True
                self.fire(kind)
                self.hub.at(until, self._store_back)
            case "clock jump":
                machine = self.machines.get(str(args["worker"]))
                if machine is not None:
                    machine.wall_jumped += float(args["seconds"])
                    self.fire(kind)
            case "lag":
                cloud.disturb(lambda: setattr(cloud, "lag_seconds", float(args["seconds"])))
                self.fire(kind)
            case "expired credentials":
                faults.expired_until = until
            case "throttling":
                faults.throttled_until = until
            case "slow calls":
                faults.slow_until, faults.slow_seconds = until, Random(self.scenario.seed).choice([0.5, 2.0, 30.0])
            case "stale reads":
                faults.stale_until = until
            case "partial pages":
                faults.partial_until = until
            case "failed reads":
                faults.read_errors_until = until
            case "capacity short":
                faults.capacity_short_until = until
            case _:
                raise AssertionError(kind)

    def _store_back(self) -> None:
        self.store_faults.out = False

    def _partition(self, happening: Happening, until: float) -> None:
        a, b = happening.args["between"]
        ways = happening.args["ways"]
        pairs = [pair for pair, way in (((a, b), "there"), ((b, a), "back")) if ways in {"both", way}]
        self.cloud.disturb(lambda: self.network.cut(pairs))
        before = self.network.lost

        def over() -> None:
            if self.network.lost > before:
                self.fire(happening.kind)
            self.cloud.disturb(lambda: self.network.mend(pairs))

        self.hub.at(until, over)

    def _lose(self, region: str, how: str) -> None:
        if region in self.cloud.down | self.cloud.cut:
            return
        self.cloud.sick_since.setdefault(region, self.hub.now)
        if self.history.lost_at is None and region == self.setup.plan.source:
            self.history.lost_at = self.hub.now
        self.fire("region killed" if how == "kill" else "region cut off")
        if how == "kill":
            self.cloud.disturb(lambda: self.cloud.kill(region))
            for machine in self._all_machines:
                if machine.place == region:
                    machine.alive = False
        else:
            self.cloud.disturb(lambda: self.cloud.cut_off(region))

    def _give_back(self, region: str) -> None:
        if region not in self.cloud.down | self.cloud.cut:
            return
        self.cloud.disturb(lambda: self.cloud.give_back(region))
        if region not in self.cloud.unhealthy:
            self.cloud.sick_since.pop(region, None)
        self.history.back_at[region] = self.hub.now

    def _well(self, region: str) -> None:
        self.cloud.unhealthy.discard(region)
        if region not in self.cloud.down | self.cloud.cut:
            self.cloud.sick_since.pop(region, None)

    def _interfere(self, command: str) -> None:
        """A second person types something, whatever the state of things."""
        if command == "abort and pause":
            self._interfere("abort")
            self.hub.after(0.1 + 0.4 * self.cloud.random.random(), lambda: self._interfere("pause"))
            self.fire(f"person: {command}")
            return
        machine = self.machine("phone", OUTSIDE)
        app = self.app(machine, "dave")

        def typed() -> None:
            run = self.log.run
            if command == "pause automation":
                self.fire(f"person: {command}")
                app.pause_automation(True, "not now")
            elif run is not None:
                self.fire(f"person: {command}")
                event = Event(command)
                data = self._accepts(run) if event is Event.APPROVE else {}
                self.history.person_acts.append((self.hub.now, f"{command} {run.id}"))
                # Straight into the log: a command that means nothing in this phase must be harmless too.
                journal = Journal(app.store, self.application, machine, "dave")
                journal.refresh()
                journal.append(Kind.COMMAND, {"run": run.id, "command": str(event), "reason": "dave", **data})

        def quietly() -> None:
            with contextlib.suppress(TailMoved):
                _try(typed)

        machine.spawn(quietly)

    # ---- from the beginning to the end

    def play(self) -> History:
        scenario, hub = self.scenario, self.hub
        self._begin()
        for happening in scenario.happenings:
            if happening.kind in {"crash", "stop"}:
                self._arms.setdefault(str(happening.args["worker"]), []).append(happening)
            else:
                hub.at(happening.at, lambda happening=happening: self.happen(happening))  # type: ignore[misc]
        for number, worker in enumerate(scenario.workers):
            if number:
                self.fire(("second worker", "third worker")[number - 1])
            hub.at(worker.starts, lambda worker=worker: self.start(worker))  # type: ignore[misc]
        hub.at(1.0, self._on_call)
        try:
            early = max((h.at for h in scenario.happenings), default=0.0)
            hub.run(scenario.calm_at, lambda: hub.now > early and self._quiet())
            self._calm_down()
            self._finish()
        finally:
            self._end()
        self.cloud.flush()
        self.history.events = hub.events
        return self.history

    def _begin(self) -> None:
        self.history.before = self.cloud.snapshot()
        machine = Machine(self.hub, "setup", OUTSIDE)
        journal = Journal(self.truth, self.application, machine, "watch")
        entry = journal.append(Kind.SAMPLE, {"workers": self.setup.recorded})
        self._note(entry)
        if self.scenario.automation == Automation.AUTOMATIC:
            self._note(
                journal.append(Kind.STANDING, {"checksum": self.setup.plan.checksum, "expires_seconds": 86400.0})
            )

    def _note(self, entry: Entry) -> None:
        self._digest = entry.digest
        self._note_entry(entry)

    def _quiet(self) -> bool:
        """Nothing that is still to come could change how this ends: the run is over, and no effect is on its way."""
        return bool(self.log.runs) and self.log.run is None and not self.cloud.faults.late

    def _calm_down(self) -> None:
        """All faults are over."""
        self.calm = True
        self.cloud.flush()
        self.network.mend_all()
        self.store_faults.out, self.store_faults.lose_reply = False, 0
        self.store_faults.land_late.clear()
        faults = self.cloud.faults
        faults.errors.clear()
        faults.late.clear()
        for name in vars(faults):
            if name.endswith("_until"):
                setattr(faults, name, -1.0)
        for region in list(self.cloud.unhealthy):
            self._well(region)
        self.cloud.disturb(lambda: setattr(self.cloud, "lag_seconds", self.scenario.lag_seconds))
        target = self.setup.plan.target
        if target in self.cloud.down | self.cloud.cut:
            self._give_back(target)
        self.start(Worker("w9", "resident"))

    def _finish(self) -> None:
        """L1: every run ends within the sum of its steps' limits, or waits for a person, who then knows what to do."""
        hub, plan = self.hub, self.setup.plan
        lease = self.setup.loaded.topology.policy.lease_seconds
        bound = sum(step.limit_seconds for step in plan.steps) + 4 * lease + 60.0
        self._carry_to_an_end(bound)
        self.history.ended_at = hub.now
        for region in sorted(self.cloud.down | self.cloud.cut):
            self._give_back(region)
        hub.run(hub.now + AFTER_SECONDS)
        # Whoever was stopped, and whatever was on its way, comes to it now.
        sleepers = max((machine.still_until for machine in self._all_machines), default=0.0)
        late = max(self.cloud.lands_until, sleepers)
        if late > hub.now:
            hub.run(late + 1.0)
            self._carry_to_an_end(bound)
        if late > self.history.ended_at or self.cloud.landed_late:
            hub.run(hub.now + 130.0)  # whoever keeps an eye on what was done comes by
        self._carry_to_an_end(bound)
        patience = hub.now + OBLIGATIONS_SECONDS
        while self.log.obligations and hub.now < patience:
            hub.run(hub.now + 10.0)
        self.history.settled = self.log.run is None

    def _carry_to_an_end(self, bound: float) -> None:
        hub = self.hub
        first = acts = len(self.history.person_acts)
        since = moving_since = hub.now
        while self.log.run is not None and not self.history.stuck:
            run = self.log.run
            if run.phase not in {Phase.RUNNING, Phase.UNDOING}:
                moving_since = hub.now  # a gate's time is its own
            hub.run(hub.now + 5.0, lambda: self.log.run is None)
            if len(self.history.person_acts) > acts:
                acts, since, moving_since = len(self.history.person_acts), hub.now, hub.now
            if self.log.run is None:
                break
            if acts - first > ACTS_MAX:
                self.history.stuck.append(
                    f"run {run.id} is {run.phase} after {acts - first} commands: {run.halted_because}"
                )
                break
            if hub.now - moving_since > bound:
                self.history.stuck.append(
                    f"run {run.id} is {run.phase} for {hub.now - moving_since:.0f} s, bound {bound:.0f} s"
                )
                break
            if hub.now - since > bound + 1300:
                self.history.stuck.append(f"run {run.id} is {run.phase}, and nobody can help it: {run.to_do}")
                break

    def _end(self) -> None:
        self.over = True
        for machine in self._all_machines:
            machine.alive = False
        self.hub.close()


def _changed_at_the_control_plane(topology: Topology) -> list[str]:
    """The names that are changed by the provider's API: all but those with a switch in the data plane."""
    resources = topology.resources.values()
    return [r.name for r in resources if r.port is PortName.DNS and not r.options.get("switch")]


def _state_of(log: LogState) -> str:
    run = log.run
    if run is None:
        return "before a run" if not log.runs else "after the run"
    moving = sorted({f"{track.way} {_how(record)}" for track, record in run.tracks.items() if not record.ended})
    return f"{run.phase}: {', '.join(moving)}" if moving else str(run.phase)


def _how(record: Any) -> str:
    if record.intent is not None:
        return "ordered"
    return f"after {record.result.outcome}" if record.result is not None else "waiting"


def _try(call: Callable[[], Any]) -> None:
    try:
        call()
    except CloudfailError:
        return
    except Gone:
        raise


def play(scenario: Scenario, setup: Setup) -> History:
    return Play(scenario, setup).play()
