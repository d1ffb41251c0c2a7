"""What must hold at every step of a searched history, judged from the log, the cloud and the wire alone.

Nothing here asks an engine what it believes, but for one thing: whether it counts itself the holder of a lease that
another has taken (I2). Times are kept in a ledger of their own, so that a broken lease cannot vouch for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState, StepRecord, Track, fold
from cloudfail.model.journal import GENESIS, Entry, Kind, decode
from cloudfail.model.plan import Plan
from cloudfail.model.states import Role
from cloudfail.testing.fakecloud import Effect, FakeCloud

if TYPE_CHECKING:
    from cloudfail.testing.simulation.search_worker import Request, Worker

DATABASE, BALANCER = "orders", "edge"
OLD_SECONDS = 100.0


def age(now: float, then: float | None) -> float | None:
    """How long ago; what is older than anything that the protocol counts is simply old."""
    return None if then is None else round(min(now - then, OLD_SECONDS), 3)


@dataclass(frozen=True)
class Violation:
    """Which invariant (design.md §7, or a rule of §4) does not hold, and how."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Checks:
    """Told of each entry, request and landing. `violation` is the first thing that did not hold."""

    def __init__(self, plan: Plan, cloud: FakeCloud, now: Callable[[], float], lease_seconds: float) -> None:
        self.plan = plan
        self.cloud = cloud
        self.now = now
        self.lease_seconds = lease_seconds
        self.log = LogState()
        self.violation: Violation | None = None
        self.late_landings = 0
        self._digest = GENESIS
        self._renewed: tuple[float, float] = (0.0, 0.0)
        self._released: set[str] = set()
        self._quiet_until = 0.0
        self._ordered_at = 0.0
        self._writers_at = (-1, 0.0)
        self._sent: list[Request] = []
        self._landed: dict[tuple[str, str, str], int] = {}
        self._longest = max(step.facts.call_timeout_seconds for step in plan.steps)
        self._settle = max(step.facts.settle_seconds for step in plan.steps)

    def violate(self, invariant: str, text: str) -> None:
        if self.violation is None:
            self.violation = Violation(invariant, text)

    @property
    def run(self) -> RunState:
        return next(iter(self.log.runs.values()))

    @property
    def lapsing(self) -> bool:
        """Whether the holder has been silent for a lease."""
        return self.now() >= self._renewed[1] + self.lease_seconds

    # ---- the log

    def appended(self, worker: str, body: bytes, sent_at: float) -> None:
        before, now = self.log, self.now()
        entry = decode(before.seq + 1, body, self._digest)
        self._digest = entry.digest
        self.log = fold(before, [entry])
        if self.log.refused:
            self.violate("I2", self.log.refused)
        if entry.by_holder:
            if entry.kind is Kind.CLAIM:
                self._claimed(before, entry, now)
            self._renewed = (sent_at, now)
            if entry.kind is Kind.RELEASE:
                self._released.add(worker)
            else:
                self._released.discard(worker)
        match entry.kind:
            case Kind.OPENED if before.run is not None:
                self.violate("I2", f"a second run was opened while {before.open_run} is open")
            case Kind.INTENT:
                self._announced(before, entry)
            case Kind.RESULT if self._record(before, entry).intent is None:
                self.violate("I9", f"a result of {self._track(entry)} stands in the log without its intent")
            case Kind.SEEN if entry.data["ended"] == "done" and entry.data["way"] == "do":
                self._called_done(entry.data["step"])

    def _claimed(self, before: LogState, entry: Entry, now: float) -> None:
        if not before.holder:
            self._quiet_until = 0.0
            return
        _, landed_at = self._renewed
        lapses = landed_at + self.lease_seconds
        if now < lapses:
            self.violate(
                "I2", f"{entry.by} took over from {before.holder}, whose lease may run {lapses - now:g} s longer"
            )
        self._quiet_until = self._renewed[0] + self.lease_seconds + self._longest + self._settle

    def _announced(self, before: LogState, entry: Entry) -> None:
        run, way = before.runs[entry.data["run"]], entry.data["way"]
        if not self._may_send(run.phase, way):
            self.violate("I7", f"{self._track(entry)} is ordered while the run is {run.phase}")

    def _called_done(self, step: str) -> None:
        """A step is done when its post-condition can be seen (rule 5)."""
        source, target = self.plan.source, self.plan.target
        wrong = {
            "freeze": not any(self.cloud.frozen.get((name, target)) for name, _ in self.cloud.frozen),
            "fence": source in self.cloud.writable_regions(DATABASE),
            "promote": target not in self.cloud.writable_regions(DATABASE),
            "traffic": not self.cloud.weights[BALANCER][target],
        }
        if wrong.get(step):
            self.violate("rule 5", f"{step} is called done, and the world is not so")

    @staticmethod
    def _track(entry: Entry) -> Track:
        return Track(entry.data["step"], entry.data["way"])

    def _record(self, log: LogState, entry: Entry) -> StepRecord:
        return log.runs[entry.data["run"]].track(self._track(entry))

    @staticmethod
    def _may_send(phase: Phase, way: str) -> bool:
        if phase in {Phase.PAUSED, Phase.PARKED}:
            return False
        if phase is Phase.HALTED:
            return way == "owed"
        return phase is not Phase.UNDOING or way in {"undo", "watch"}

    # ---- the wire

    def sent(self, request: Request, value: Any) -> None:
        """A request has just passed its last check."""
        call, run, now = request.call, self.run, self.now()
        way, _, step = call.step.rpartition(" ")
        track = Track(step, way or "do")
        what = f"{request.task.worker.name}'s {request.verb} (epoch {call.epoch})"
        if call.epoch != self.log.epoch:
            self.violate("I2", f"{what} is sent under an old epoch; the newest is {self.log.epoch}")
        if request.deadline > self._renewed[0] + self.lease_seconds:
            self.violate("I2", f"{what} may take longer than what is left of its lease")
        if now < self._quiet_until:
            left = self._quiet_until - now
            self.violate("I2", f"{what} is sent {left:g} s before the quiet time after the take-over is over")
        for older in self._sent:
            if older.call.epoch < call.epoch and not older.landed and now < older.deadline:
                self.violate("I2", f"{what} is sent while {older.verb} of epoch {older.call.epoch} may still land")
        if not self._may_send(run.phase, track.way) and not run.phase.final:
            self.violate("I7", f"{what} is sent while the run is {run.phase}")
        intent = run.track(track).intent
        if intent is None or intent.epoch != call.epoch:
            self.violate("I9", f"{what} is sent, and no intent of {track} under its epoch stands in the log")
        if request.verb == "unfence" and run.promoted:
            self.violate("rule 11", f"{what} is sent, and a promotion was ordered")
        member = self.cloud.databases[DATABASE][self.plan.target]
        if request.verb == "failover" and (
            member.role is Role.PRIMARY
            or (member.promoting_until is not None and now - self._ordered_at >= self._settle)
        ):
            self.violate("rule 4", f"{what} is sent while the promotion is under way, and can be seen to be")
        if request.verb == "shift":
            self._traffic(value, what)
        self._sent.append(request)

    def landed(self, effect: Effect, request: Request) -> None:
        """A request had its effect."""
        now = self.now()
        if effect.verb == "failover":
            self._ordered_at = now
        in_time = now <= request.deadline
        self.late_landings += not in_time
        if in_time and not effect.step.startswith("watch "):
            key = (effect.verb, effect.region, effect.step)
            self._landed[key] = self._landed.get(key, 0) + 1
            if self._landed[key] > 1:
                self.violate("I4", f"{effect.verb} in {effect.region} for {effect.step} had its effect twice")
        if effect.verb == "shift":
            self._traffic(effect.value, f"the {effect.verb} of epoch {effect.epoch}")

    def _traffic(self, weights: Mapping[str, int], what: str) -> None:
        gets = [region for region, weight in weights.items() if weight]
        if not gets:
            self.violate("I5", f"{what} leaves the answer set empty")
        for region in gets:
            member = self.cloud.databases[DATABASE][region]
            if member.role is not Role.PRIMARY or member.fenced:
                self.violate("I5", f"{what} moves traffic to {region}, which is fenced or not promoted")

    # ---- each step, and the end

    def after_each_step(self, workers: Iterable[Worker]) -> None:
        state = (len(self.cloud.effects), self.now())
        if state != self._writers_at:
            self._writers_at = state
            writable = self.cloud.writable_regions(DATABASE)
            if len(writable) > 1:
                self.violate("I1", f"{' and '.join(sorted(writable))} both take writes")
        for worker in workers:
            engine = worker.engine
            if engine is None or not worker.alive or not engine._epoch or engine._epoch == self.log.epoch:
                continue
            believes = engine.lease.remaining() > 0 and worker.name not in self._released
            if believes and self._superseded(worker.name):
                self.violate("I2", f"{worker.name} still counts itself the holder; {self.log.holder} took over")

    def _superseded(self, name: str) -> bool:
        return bool(self.log.holder) and self.log.holder != name

    def at_rest(self, alive: list[Worker]) -> None:
        """Nothing can move without a person (L1): it says why, and which commands help."""
        if not alive:
            return
        run = self.run
        if run.phase.final:
            return
        if run.phase not in {Phase.GATED, Phase.PAUSED, Phase.HALTED, Phase.PARKED}:
            self.violate("L1", f"the run stands still, {run.phase}, and waits for nobody")
        elif not run.to_do or not run.halted_because:
            self.violate("L1", f"the run waits for a person, {run.phase}, and says not why, or not what to do")

    def at_the_end(self) -> None:
        """What an ended run left behind is what its end promises."""
        phase, promises = self.run.phase, self._end()
        wrong = promises.get(phase, "")
        if wrong:
            self.violate("I2", f"the run is {phase}, and {wrong}")

    def _end(self) -> dict[Phase, str]:
        source, target = self.plan.source, self.plan.target
        writable = self.cloud.writable_regions(DATABASE)
        gets = {region for region, weight in self.cloud.weights[BALANCER].items() if weight}
        frozen = any(self.cloud.frozen.values())
        return {
            Phase.DONE: ""
            if writable == {target} and gets == {target} and frozen
            else f"{sorted(writable)} take writes and {sorted(gets)} get traffic; held: {frozen}",
            Phase.UNDONE: ""
            if writable == {source} and gets == {source} and not frozen
            else f"{sorted(writable)} take writes and {sorted(gets)} get traffic; held: {frozen}",
        }

    # ---- the state, for pruning

    def canonical(self, rank: Mapping[int, int]) -> tuple[Any, ...]:
        log, run, now = self.log, self.run, self.now()
        t = run.t
        # What has ended counts no more time of its own; limits are far longer than any history.
        tracks = tuple(
            (
                track,
                record.attempts,
                record.intent and (age(t, record.intent.t), rank.get(record.intent.epoch, -1), record.intent.effect),
                record.ordered,
                record.result and (record.result.outcome, None if record.ended else age(t, record.result.t)),
                record.ended,
                record.gate_opened_t is not None,
                bool(record.memory),
            )
            for track, record in sorted(run.tracks.items())
        )
        ended_t = max((record.ended_t for record in run.tracks.values()), default=0.0)
        return (
            run.phase,
            run.undo_begun,
            bool(run.to_do),
            tracks,
            age(t, ended_t),
            rank[log.epoch],
            log.holder,
            age(now, self._renewed[0]),
            age(now, self._renewed[1]),
            max(0.0, self._quiet_until - now),
            tuple(sorted(self._released)),
            tuple(sorted(self._landed.items())),
            self.late_landings > 0,
        )
