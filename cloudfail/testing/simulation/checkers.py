"""The invariants of design.md §7 over one history. Each checker says what is wrong, in words; nothing is wrong: ().

They judge by the truth that only a simulation has: every request that left a machine with the log as it stood in that
moment, every change that landed, every write that a client was told is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cloudfail.actions import Done, StepContext
from cloudfail.actions.catalog import ACTIONS
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import RunState
from cloudfail.model.codec import checksum_of, plan_from_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.runbook import Mode
from cloudfail.testing.simulation.cloud import BEAT_SECONDS, Sent
from cloudfail.testing.simulation.play import History
from cloudfail.testing.simulation.ports import SimWorld

DRIFT = 0.025
"""Two clocks of the simulation differ by at most this much of a time."""
CALL_SECONDS_MAX = 15.0
PROMOTE_VERBS = frozenset({"failover", "switchover"})


@dataclass(frozen=True)
class Violation:
    """invariant: I1 to I10, L1, or R with the number of a rule of design.md §4."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


Checker = Callable[[History], Iterator[Violation]]


def judge(history: History) -> list[Violation]:
    """Everything that is wrong with that history."""
    return [violation for checker in CHECKERS for violation in checker(history)]


def one_writer(history: History) -> Iterator[Violation]:
    """I1."""
    accepted = min(
        (at for at, entry in history.entries if _command(entry) == "approve" and entry.data.get("accept_owed_fence")),
        default=float("inf"),
    )
    for at, database, regions in history.cloud.writers:
        if len(regions) > 1 and at < accepted:
            yield Violation("I1", f"{database} took writes in {', '.join(sorted(regions))} at +{at:.2f}s")
            return
        if len(regions) > 1 and not any(
            record.ended == "owed"
            for run in history.runs()
            for track, record in run.tracks.items()
            if track.way == "do"
        ):
            yield Violation(
                "I1", f"{database} took writes twice at +{at:.2f}s, and no obligation stands in the journal"
            )
            return


def nothing_under_a_lost_lease(history: History) -> Iterator[Violation]:
    """I2: no request leaves under an epoch that is not the newest; a claim waits for the lease before it to lapse;
    after a take-over nothing leaves before the quiet time; one run is open."""
    claims = [(at, entry) for at, entry in history.entries if entry.kind is Kind.CLAIM]
    last_epoch: dict[int, int] = {}
    epoch = 0
    for _, entry in history.entries:
        if entry.kind is Kind.CLAIM:
            epoch = entry.seq
        last_epoch[entry.seq] = epoch
    for sent in history.cloud.sent:
        if sent.epoch != last_epoch.get(sent.seq, 0):
            yield Violation("I2", f"{_said(sent)} left under epoch {sent.epoch}, the newest was {last_epoch[sent.seq]}")
            return
    for at, claim in claims:
        if claim.data["took_over"]:
            yield from _waited(history, at, claim)
    opened: set[str] = set()
    for at, entry in history.entries:
        if entry.kind is Kind.OPENED:
            before = history.phases[entry.seq - 2][0] if entry.seq > 1 else ""
            if before and history.phases[entry.seq - 1][0] != before:
                yield Violation("I2", f"run {entry.data['run']} was opened at +{at:.2f}s while {before} was open")
            if entry.data["run"] in opened:
                yield Violation("I2", f"run {entry.data['run']} was opened twice")
            opened.add(entry.data["run"])


def _waited(history: History, at: float, claim: Entry) -> Iterator[Violation]:
    before = [(t, entry) for t, entry in history.entries if entry.seq < claim.seq and entry.by_holder]
    last_at, _ = before[-1]
    lease = next(entry.data["lease_seconds"] for _, entry in reversed(before) if entry.kind is Kind.CLAIM)
    if at - last_at < lease * (1 - DRIFT):
        yield Violation(
            "I2", f"{claim.by} took over {at - last_at:.1f} s after the last entry, the lease is {lease:g} s"
        )
    run = history.phases[claim.seq - 1][0]
    if not run:
        return
    plan = history.log.runs[run].plan
    share = max(lease, claim.data["lease_seconds"]) * 0.45
    quiet = max(min(step.facts.call_timeout_seconds, share) for step in plan.steps) + max(
        step.facts.settle_seconds for step in plan.steps
    )
    first = next((sent for sent in history.cloud.sent if sent.epoch == claim.seq), None)
    if first is not None and first.at - at < quiet * (1 - DRIFT) - 0.05:
        yield Violation(
            "R10", f"{_said(first)} left {first.at - at:.1f} s after the take-over, quiet time {quiet:.1f} s"
        )


def loss_is_within_bounds(history: History) -> Iterator[Violation]:
    """I3: what the promotion really lost, and what had been accepted or is within the RPO."""
    for run in history.runs():
        if run.plan.mode is not Mode.FAILOVER:
            continue
        for step in run.plan.steps:
            if step.facts.verb != "failover" or not run.did(step.name).ordered:
                continue
            yield from _lost_more_than_said(history, run, str(step.arguments["database"]))


def _lost_more_than_said(history: History, run: RunState, database: str) -> Iterator[Violation]:
    cloud = history.cloud
    moment = next(((at, to) for at, name, region, to in cloud.promotions if name == database), None)
    if moment is None:
        return
    ordered = [
        (at, entry)
        for at, entry in history.entries
        if entry.kind is Kind.INTENT
        and entry.data["run"] == run.id
        and run.plan.step(entry.data["step"]).facts.verb == "failover"
    ]
    at, entry = ordered[-1]
    accepted_owed, accepted_loss = False, None
    for before, command in history.entries:
        if before > at or _command(command) != "approve" or command.data["run"] != run.id:
            continue
        accepted_owed = accepted_owed or bool(command.data.get("accept_owed_fence"))
        if command.data.get("loss_seconds") is not None:
            accepted_loss = float(command.data["loss_seconds"])
    settled = any(
        before <= at
        and seen.kind is Kind.SEEN
        and seen.data["run"] == run.id
        and seen.data["way"] == "owed"
        and seen.data["outcome"] in {"proven", "prevented"}
        for before, seen in history.entries
    )
    accepted_owed = accepted_owed and not settled and not _fenced_all_along(history, run, database, at)
    dead, alive, _ = entry.data["loss"]
    bound = max(run.plan.bounds.loss_seconds_max, accepted_loss or 0.0)
    said = alive if accepted_owed else dead
    if said is None and accepted_loss is None:
        yield Violation("I3", "a promotion with an unknown loss, and nobody accepted any")
    elif said is not None and said > bound + 1e-6:
        yield Violation("I3", f"a promotion that would lose {said:.1f} s, of {bound:.1f} s that were in order")
    _, complete_to = moment
    # Seconds of writes, not from when to when: a source that comes back for a blink adds a blink.
    gone: dict[str, float] = {}
    for since, until, region, group in cloud.acked_at[database]:
        if region == run.plan.source:
            gone[group] = gone.get(group, 0.0) + max(0.0, min(until, at) - max(since, complete_to))
    really = max(gone.values(), default=0.0)
    if not accepted_owed and really > bound + BEAT_SECONDS + 0.3:
        yield Violation("I3", f"the promotion lost {really:.1f} s of acknowledged writes, of {bound:.1f} s in order")


def _fenced_all_along(history: History, run: RunState, database: str, at: float) -> bool:
    """Whether the source's fence was proven before `at`, and it acknowledged nothing since. The worker may have lost
    sight of it, so that a person accepted the fence as owed; seen again, it counts as what it is (ADR 0009)."""
    proven = [
        before
        for before, seen in history.entries
        if before <= at
        and seen.kind is Kind.SEEN
        and seen.data["run"] == run.id
        and seen.data["way"] == "do"
        and seen.data["outcome"] in {"proven", "prevented"}
        and run.plan.step(seen.data["step"]).facts.verb == "fence"
    ]
    return bool(proven) and not any(
        region == run.plan.source and until > max(proven) and since < at
        for since, until, region, _ in history.cloud.acked_at[database]
    )


def what_was_acknowledged_is_there(history: History) -> Iterator[Violation]:
    """I4: the clients' sets. Nothing that a client was told is safe is gone, nothing is there that nobody wrote; but
    for the loss that was within bounds, and a fence that a person took upon himself."""
    cloud = history.cloud
    for database, members in cloud.databases.items():
        writers = cloud.writable_regions(database)
        for region in members:
            odd = cloud.unexpected(database, region)
            if odd:
                yield Violation("I4", f"{odd} writes in {database} in {region} that no client tried")
        if len(writers) != 1:
            continue
        (writer,) = writers
        lost = cloud.lost(database, writer)
        accepted = any(
            _command(entry) == "approve" and entry.data.get("accept_owed_fence") for _, entry in history.entries
        )
        lossless = cloud.synchronous or all(run.plan.mode is not Mode.FAILOVER for run in history.runs())
        if lost and lossless and not accepted:
            yield Violation("I4", f"{lost} acknowledged writes are not in {database} in {writer}")


def every_change_happens_once(history: History) -> Iterator[Violation]:
    """I4: no conditional change landed twice, unless something else changed the same thing between. A group's own
    condition is a read right before the call (ports.py), which may be as stale as any other: the same count, set again
    within that time, changes nothing."""
    last: dict[tuple[str, str, str], tuple[str, str]] = {}
    landed: dict[tuple[str, str, str], float] = {}
    for effect in history.cloud.effects:
        if effect.verb in history.cloud.unconditional or effect.verb == "canary":
            continue
        what = (effect.verb if effect.verb in {"failover", "switchover"} else "", effect.resource, effect.region)
        same = (f"{effect.verb} {effect.step}", str(effect.value))
        again = effect.verb in {"scale", "hold"} and "stale reads" in history.fired
        if last.get(what) == same and not (again and effect.at - landed[what] < history.cloud.settle_seconds):
            yield Violation(
                "I4", f"{effect.verb} {effect.resource} {effect.region} {effect.value} landed twice for {effect.step}"
            )
            return
        last[what], landed[what] = same, effect.at


def traffic_goes_where_it_may(history: History) -> Iterator[Violation]:
    """I5."""
    for at, name, weights in history.cloud.weights_seen:
        if not any(weights.values()):
            yield Violation("I5", f"{name} answered nobody at +{at:.2f}s")
    for at, name, region, sick, writable in history.cloud.moves:
        if sick > 60.0 + CALL_SECONDS_MAX:
            yield Violation("I5", f"{name} was pointed to {region} at +{at:.2f}s, not healthy for {sick:.0f} s")
        if not writable and region == history.setup.plan.target and not history.cloud.landed_late and sick == 0.0:
            if any(t < at for t, *_ in history.cloud.promotions):
                continue
            yield Violation("I5", f"{name} was pointed to {region} at +{at:.2f}s, which was not promoted")


def _ordered(history: History, run: str) -> bool:
    """Whether that run changed anything. What was decided before its process stood still may be written after; it must
    not be begun."""
    return any(entry.kind is Kind.INTENT and entry.data["run"] == run for _, entry in history.entries)


def blind_observers_do_nothing(history: History) -> Iterator[Violation]:
    """I6."""
    scenario = history.scenario
    blinded = sum(
        happening.kind == "partition observer-region" and history.setup.plan.source in happening.args["between"]
        for happening in scenario.happenings
    )
    for at, entry in history.entries:
        if entry.kind is not Kind.OPENED or scenario.way != "watch" or blinded > 1:
            continue
        source = history.setup.plan.source
        lost = history.lost_at
        back = history.back_at.get(source, float("inf"))
        if (lost is None or at < lost or at > back + 20.0) and _ordered(history, entry.data["run"]):
            yield Violation("I6", f"a run was opened at +{at:.2f}s although {source} served")


def paused_means_paused(history: History) -> Iterator[Violation]:
    """I7 and rule 9: what may leave in which phase, by the log as it stood in that very moment; rule 11: no fence is
    lifted by an undo once a promotion was ordered. A halt is no person's word: what another branch had announced before
    it is under way."""
    promoted_at: dict[str, int] = {}
    for _, entry in history.entries:
        if entry.kind is Kind.INTENT and entry.data["way"] == "do":
            run = history.log.runs[entry.data["run"]]
            if run.plan.step(entry.data["step"]).facts.verb in PROMOTE_VERBS:
                promoted_at.setdefault(run.id, entry.seq)
    for sent in history.cloud.sent:
        open_run, phase, _ = history.phases[sent.seq - 1]
        way = sent.step.split(" ")[0] if " " in sent.step else "do"
        if sent.run == open_run:
            allowed = {
                Phase.RUNNING: {"do", "owed", "watch"},
                Phase.GATED: {"do", "owed"},
                Phase.UNDOING: {"undo", "watch"},
                Phase.HALTED: {"owed"},
            }.get(Phase(phase), set())
        else:
            allowed = {"owed", "watch"}
        if way not in allowed and not (phase == Phase.HALTED and _announced_before_the_halt(history, sent)):
            yield Violation("I7", f"{_said(sent)} left while its run was {phase or 'over'}")
            return
        if way == "undo" and sent.verb == "unfence" and promoted_at.get(sent.run, sent.seq + 1) <= sent.seq:
            yield Violation("R11", f"{_said(sent)} lifted the fence after a promotion was ordered")
    for at, entry in history.entries:
        if entry.kind is Kind.OPENED and entry.data["automation"] != "off" and history.phases[entry.seq - 2][2]:
            yield Violation("I7", f"automation opened a run at +{at:.2f}s although it was paused")


def _announced_before_the_halt(history: History, sent: Sent) -> bool:
    """Whether the last word of its run before `sent` is a halt, and its intent the one right before that."""
    before = [entry for _, entry in history.entries if entry.seq <= sent.seq and entry.data.get("run") == sent.run]
    announced = before[-2:-1] if before and before[-1].kind is Kind.HALT else []
    return any(entry.kind is Kind.INTENT and entry.data["step"] == sent.step for entry in announced)


def nobody_fails_back(history: History) -> Iterator[Violation]:
    """I8."""
    moved = False
    for at, entry in history.entries:
        if entry.kind is Kind.OPENED and moved and entry.data["automation"] != "off":
            yield Violation("I8", f"automation opened another run at +{at:.2f}s after the move")
        if entry.kind is Kind.SEEN and entry.data["ended"] == "done" and entry.data["way"] == "do":
            step = history.log.runs[entry.data["run"]].plan.step(entry.data["step"])
            moved = moved or step.facts.verb in PROMOTE_VERBS


def intents_stand_first(history: History) -> Iterator[Violation]:
    """I9: each request has an intent of its own, of the same run, step and epoch, which stood in the log by then."""
    used: set[int] = set()
    intents: dict[tuple[str, str], list[Entry]] = {}
    for _, entry in history.entries:
        if entry.kind is Kind.INTENT:
            way = entry.data["way"]
            track = entry.data["step"] if way == "do" else f"{way} {entry.data['step']}"
            intents.setdefault((entry.data["run"], track), []).append(entry)
    for sent in history.cloud.sent:
        found = [e for e in intents.get((sent.run, sent.step), []) if e.seq <= sent.seq]
        if not found or found[-1].epoch != sent.epoch or found[-1].seq in used:
            yield Violation("I9", f"{_said(sent)} left without an intent of its own")
            return
        used.add(found[-1].seq)
    after: dict[tuple[str, str, str], int] = {}
    last_claim = 0
    for _, entry in history.entries:
        if entry.kind is Kind.CLAIM:
            last_claim = entry.seq
        elif entry.kind in {Kind.RESULT, Kind.SEEN, Kind.INTENT}:
            after[entry.data["run"], entry.data["step"], entry.data["way"]] = entry.seq
    for _, entry in history.entries:
        if entry.kind is not Kind.INTENT:
            continue
        answered = after[entry.data["run"], entry.data["step"], entry.data["way"]] > entry.seq
        if not answered and last_claim < entry.seq and history.log.runs[entry.data["run"]].phase.final:
            yield Violation("I9", f"intent {entry.seq} ({entry.data['effect']}) has nothing behind it")


def plans_are_what_was_agreed(history: History) -> Iterator[Violation]:
    """I10."""
    agreed: set[str] = set()
    for _, entry in history.entries:
        if entry.kind in {Kind.REVIEWED, Kind.STANDING}:
            agreed.add(entry.data["checksum"])
        if entry.kind is Kind.OPENED:
            plan = plan_from_document(entry.data["plan"])
            if checksum_of(plan) != plan.checksum:
                yield Violation(
                    "I10", f"run {entry.data['run']} was opened with a plan that is not what its checksum says"
                )
            if entry.data["automation"] != "stage-1" and plan.checksum not in agreed:
                yield Violation("I10", f"run {entry.data['run']} was opened with a plan that nobody agreed to")


def every_run_ends(history: History) -> Iterator[Violation]:
    """L1: every run ended, or waits with a reason and the commands that help; what is owed is settled once it can be;
    and the world is as the run says it left it."""
    for said in (*history.stuck, *history.speechless, *history.broke):
        yield Violation("L1", said)
    if history.stuck:
        return
    runs = history.runs()
    if not runs or not runs[-1].phase.final or not history.settled:
        return
    run = runs[-1]
    if run.owed and not history.log.automation_paused_by and not _closed(history, run):
        yield Violation("L1", f"{', '.join(step.name for step in run.owed)} is still owed although all regions answer")
    if _closed(history, run):
        return
    if run.phase is Phase.UNDONE:
        yield from _as_before(history)
    else:
        yield from _as_wanted(history, run)


def _closed(history: History, run: RunState) -> bool:
    return any(
        _command(entry) == Event.CLOSE and entry.data["run"] == run.id and history.phases[entry.seq - 1][0] != run.id
        for _, entry in history.entries
    )


def _as_before(history: History) -> Iterator[Violation]:
    """Everything was put back as it was."""
    now = history.cloud.snapshot()
    for what, before in history.before.items():
        if now[what] != before:
            yield Violation("R11", f"after the undo {what} is {_difference(before, now[what])}")


def _difference(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    return "; ".join(
        f"{key}: {before.get(key)} before, {after.get(key)} after"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def _as_wanted(history: History, run: RunState) -> Iterator[Violation]:
    """Every step that ended done is still seen so, unless a later step set the same thing anew."""

    def healthy(_check: str, _region: str) -> Known[bool] | Unknown:
        return Known(True, 0.0)

    def acknowledged(_database: str, _region: str) -> Known[float] | Unknown:
        return Unknown("")

    world = SimWorld(history.cloud, healthy, acknowledged)
    last = {
        (step.facts.verb, str(step.arguments.get("where", "")), tuple(step.identifiers)): step
        for step in run.plan.steps
    }
    for step in last.values():
        if not step.action or run.did(step.name).ended not in {"done", "owed"} or step.facts.verb in {"fence"}:
            continue
        if run.did(step.name).ended == "owed" and step in run.owed:
            continue
        context = StepContext(step, run.id, run.plan.source, run.plan.target, run.did(step.name).memory)
        seen = ACTIONS[step.action].observe(world, context)
        if not isinstance(seen, Done):
            yield Violation("I2", f"{step.name} ended {run.did(step.name).ended}, and at the end it is seen as {seen}")


STORE_TROUBLE = frozenset(
    {
        "stop",
        "store out",
        "store lost with the region",
        "partition worker-store",
        "late append",
        "lost append reply",
    }
)
"""What may come between a look and the request that follows from it."""


def nothing_is_ordered_that_stands(history: History) -> Iterator[Violation]:
    """R2 and R4: a request follows from a look, and a look says done or moving of what this same step has changed and
    nobody has changed since; so a request that leaves later than a look may be old was made without one. (A switchover
    has several effects under one verb.)"""
    cloud = history.cloud
    lease = history.setup.loaded.topology.policy.lease_seconds
    patience = cloud.settle_seconds + (lease if STORE_TROUBLE & history.fired.keys() else 0.5)
    opened = {entry.data["run"]: at for at, entry in history.entries if entry.kind is Kind.OPENED}
    for sent in cloud.sent:
        if sent.verb == "switchover":
            continue
        own = [
            effect
            for effect in cloud.effects
            if (effect.step, effect.verb, effect.resource) == (sent.step, sent.verb, sent.resource)
            and opened.get(sent.run, 0.0) <= effect.at <= sent.at - patience
        ]
        if own and not any(
            effect.resource == sent.resource
            and (effect.step, effect.verb) != (sent.step, sent.verb)
            and own[-1].at < effect.at <= sent.at
            for effect in cloud.effects
        ):
            yield Violation("R2", f"{_said(sent)} left although the same had stood since +{own[-1].at:.2f}s")
            return


def looks_wait_until_it_settled(history: History) -> Iterator[Violation]:
    """R3: after a call that may have changed something, and after an intent whose call nobody heard of again, nothing
    is concluded and nothing is ordered before the settle time that the plan says; also right after a resume."""
    last: dict[tuple[str, str, str], Entry] = {}
    ordered: dict[tuple[str, str], Entry] = {}
    for _, entry in history.entries:
        if entry.kind not in {Kind.INTENT, Kind.RESULT, Kind.SEEN}:
            continue
        run, step, way = entry.data["run"], entry.data["step"], entry.data["way"]
        before = last.get((run, step, way))
        if before is None and way == "undo":
            before = ordered.get((run, step))
        concludes = entry.kind is Kind.INTENT or (entry.kind is Kind.SEEN and entry.data["ended"] == "done")
        if before is not None and concludes and _may_have_changed(before):
            settle = history.log.runs[run].plan.step(step).facts.settle_seconds
            waited = (entry.t or 0.0) - (before.t or 0.0)
            if waited < settle - 0.001:
                yield Violation(
                    "R3", f"entry {entry.seq} ({way} {step}) concludes {waited:.2f} s after entry {before.seq}"
                )
                return
        last[run, step, way] = entry
        if way in {"do", "owed"} and entry.kind is not Kind.SEEN:
            ordered[run, step] = entry


def _may_have_changed(entry: Entry) -> bool:
    return entry.kind is Kind.INTENT or (entry.kind is Kind.RESULT and entry.data["outcome"] in {"ok", "unknown"})


def calls_fit_into_the_lease(history: History) -> Iterator[Violation]:
    """R6: by the time that a call must be back, the lease that it was made under has not run out. A machine that was
    stopped on the way to its request has used up some of the call's time; so then the request counts."""
    entries = [(at, entry) for at, entry in history.entries if entry.by_holder]
    number, leases = 0, {e.seq: float(e.data["lease_seconds"]) for _, e in entries if e.kind is Kind.CLAIM}
    last: dict[int, float] = {}
    for sent in history.cloud.sent:
        while number < len(entries) and entries[number][1].seq <= sent.seq:
            last[entries[number][1].epoch] = entries[number][0]
            number += 1
        if sent.epoch not in last:
            continue  # I2
        lease = leases[sent.epoch]
        step = history.log.runs[sent.run].plan.step(sent.step.split(" ")[-1])
        takes = 0.0 if "stop" in history.fired else min(step.facts.call_timeout_seconds, lease * 0.45)
        left = last[sent.epoch] + lease * (1 + DRIFT) - sent.at
        if takes > left + 0.1:
            yield Violation("R6", f"{_said(sent)} left with {left:.1f} s of the lease, and may take {takes:.1f} s")
            return


def retries_are_bounded(history: History) -> Iterator[Violation]:
    """R7: attempts are counted in the journal and end; what a server asked for before the next one is given to it."""
    asked: dict[tuple[str, str, str], tuple[float, float]] = {}
    for _, entry in history.entries:
        if entry.kind is Kind.COMMAND:
            asked.clear()
        if entry.kind not in {Kind.INTENT, Kind.RESULT}:
            continue
        what = (entry.data["run"], entry.data["step"], entry.data["way"])
        if entry.kind is Kind.RESULT:
            asked[what] = (entry.t or 0.0, float(entry.data["retry_after_seconds"]))
            continue
        attempts = history.log.runs[what[0]].plan.step(what[1]).retries + 1
        if entry.data["attempt"] > attempts and what[2] != "owed":
            yield Violation("R7", f"intent {entry.seq} is attempt {entry.data['attempt']} of {what[1]}, of {attempts}")
            return
        since, seconds = asked.get(what, (0.0, 0.0))
        if (entry.t or 0.0) < since + seconds - 0.001:
            yield Violation("R7", f"intent {entry.seq} came sooner than the {seconds:.1f} s that the server asked for")
            return


def commands_win(history: History) -> Iterator[Violation]:
    """R9: after a person said abort or decline, nothing more is done forwards (unless somebody resumes where a
    promotion was ordered); after pause nothing at all, until resume or abort. Judged by the entries alone."""
    promoted: set[str] = set()
    said: dict[str, tuple[int, Event]] = {}
    sent = iter(history.cloud.sent)
    request = next(sent, None)
    for number, (_, entry) in enumerate(history.entries):
        if entry.kind is Kind.INTENT and entry.data["way"] == "do":
            step = history.log.runs[entry.data["run"]].plan.step(entry.data["step"])
            promoted |= {entry.data["run"]} if step.facts.verb in PROMOTE_VERBS else set()
        command = _command(entry)
        open_run, phase, _ = history.phases[number - 1] if number else ("", "", False)
        if command and open_run == entry.data["run"]:
            _heard(said, entry, Phase(phase), promoted)
        while request is not None and request.seq <= entry.seq:
            seq, wish = said.get(request.run, (0, None))
            way = request.step.split(" ")[0] if " " in request.step else "do"
            if wish is not None and request.seq >= seq and (way == "do" or wish is Event.PAUSE):
                yield Violation("R9", f"{_said(request)} left after entry {seq} had said {wish}")
                return
            request = next(sent, None)


STOPPABLE = {
    Event.ABORT: {Phase.RUNNING, Phase.GATED, Phase.PAUSED, Phase.HALTED},
    Event.DECLINE: {Phase.GATED},
    Event.PAUSE: {Phase.RUNNING, Phase.GATED, Phase.UNDOING},
}


def _heard(said: dict[str, tuple[int, Event]], entry: Entry, phase: Phase, promoted: set[str]) -> None:
    """What a person wants of that run from this entry on."""
    run, event = entry.data["run"], Event(entry.data["command"])
    _, wish = said.get(run, (0, None))
    if phase in STOPPABLE.get(event, ()):
        if not (event is Event.PAUSE and wish in {Event.ABORT, Event.DECLINE}):
            said[run] = (entry.seq, event)
    elif event is Event.RESUME and (wish is Event.PAUSE or run in promoted):
        said.pop(run, None)


def results_stand_behind(history: History) -> Iterator[Violation]:
    """I9: while one worker goes on, what a call came back with stands in the log before anything is concluded from a
    look, or ordered anew. (A call that never came back has no result; its step may end by its limit.)"""
    pending: dict[tuple[str, str, str], Entry] = {}
    for _, entry in history.entries:
        if entry.kind is Kind.CLAIM:
            pending.clear()
        if entry.kind not in {Kind.INTENT, Kind.RESULT, Kind.SEEN}:
            continue
        what = (entry.data["run"], entry.data["step"], entry.data["way"])
        before = pending.pop(what, None)
        if before is not None and entry.kind is not Kind.RESULT and entry.data.get("ended") != "failed":
            yield Violation("I9", f"intent {before.seq} ({before.data['effect']}) has no result before {entry.seq}")
            return
        if entry.kind is Kind.INTENT:
            pending[what] = entry


def traffic_goes_to_the_healthy(history: History) -> Iterator[Violation]:
    """I5, closer: without a watcher's memory of the last minute each look at a region is fresh, so traffic never goes
    to one that has been sick for longer than a look and a call take."""
    if history.scenario.way == "watch" or (STORE_TROUBLE | {"late effect", "slow calls"}) & history.fired.keys():
        return
    for at, name, region, sick, _ in history.cloud.moves:
        if region == history.setup.plan.target and sick > CALL_SECONDS_MAX:
            yield Violation("I5", f"{name} was pointed to {region} at +{at:.2f}s, not healthy for {sick:.1f} s")


def what_is_said_to_help_helps(history: History) -> Iterator[Violation]:
    """L1: a resume of a halted run is not answered by the same halt before anything was tried (but for a halt that asks
    a person to accept something: a look is enough for that)."""
    halted: dict[str, str] = {}
    resumed: dict[str, int] = {}
    for _, entry in history.entries:
        run = str(entry.data.get("run", ""))
        if entry.kind in {Kind.INTENT, Kind.RESULT, Kind.SEEN, Kind.GATE} or _command(entry):
            resumed.pop(run, None)
        if _command(entry) == Event.RESUME and run in halted and history.phases[entry.seq - 2][1] == Phase.HALTED:
            resumed[run] = entry.seq
        if entry.kind is Kind.HALT:
            same = halted.get(run) == entry.data["reason"] and not entry.data.get("asks")
            if run in resumed and same:
                yield Violation("L1", f"after entry {resumed[run]} run {run} halted again before anything was tried")
                return
            halted[run] = entry.data["reason"]


def _command(entry: Entry) -> str:
    return str(entry.data["command"]) if entry.kind is Kind.COMMAND and entry.data.get("run") else ""


def _said(sent: Sent) -> str:
    return f"{sent.verb} of {sent.resource} for {sent.step} by {sent.machine} at +{sent.at:.2f}s"


CHECKERS: tuple[Checker, ...] = (
    one_writer,
    nothing_under_a_lost_lease,
    loss_is_within_bounds,
    what_was_acknowledged_is_there,
    every_change_happens_once,
    traffic_goes_where_it_may,
    blind_observers_do_nothing,
    paused_means_paused,
    nobody_fails_back,
    intents_stand_first,
    plans_are_what_was_agreed,
    every_run_ends,
    nothing_is_ordered_that_stands,
    looks_wait_until_it_settled,
    calls_fit_into_the_lease,
    retries_are_bounded,
    commands_win,
    results_stand_behind,
    traffic_goes_to_the_healthy,
    what_is_said_to_help_helps,
)
