"""Real outages as scenario files: what happened, played with the production watcher, engine and core, and its end.

    ending = play_incident(load_incident(Path("tests/scenarios/github-2018-10-21.yaml")))

`ends` says what must be true when the file's time is over. Then all faults stop, the one on call carries on what is
open, and `afterwards` says what must be true at last. Whatever the file says, all invariants are judged too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from cloudfail.decide import DecisionKind
from cloudfail.errors import Transient
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import RunState
from cloudfail.model.journal import Entry, Kind
from cloudfail.testing.fakecloud import Order
from cloudfail.testing.simulation.checkers import judge
from cloudfail.testing.simulation.cloud import SimCloud
from cloudfail.testing.simulation.incident_file import EndsShape, Incident, load_incident
from cloudfail.testing.simulation.machine import Machine
from cloudfail.testing.simulation.network import CONTROL, OUTSIDE, Network
from cloudfail.testing.simulation.play import WAITING, History, Play
from cloudfail.testing.simulation.scenario import Happening
from cloudfail.watcher import Moment


@dataclass(frozen=True)
class Ending:
    """How an incident ended. findings: what is not as it must be, a sentence each."""

    title: str
    story: tuple[str, ...]
    findings: tuple[str, ...]
    history: History

    @property
    def passed(self) -> bool:
        return not self.findings


class _Network(Network):
    """gray: pairs of which a share of what is sent gets lost."""

    def __init__(self) -> None:
        super().__init__()
        self.gray: dict[tuple[str, str], float] = {}
        self.now: Callable[[], float] = lambda: 0.0
        self.seed = 0

    def passes(self, a: str, b: str) -> bool:
        share = self.gray.get((a, b), 0.0) if self.gray else 0.0
        if share and Random(f"{self.seed}/{a}/{b}/{self.now()}").random() < share:
            self.lost += 1
            return False
        return super().passes(a, b)

    def mend_all(self) -> None:
        super().mend_all()
        self.gray.clear()


class _Cloud(SimCloud):
    """unread, refused: the APIs answer no look, or no change. silent: replicas report no heartbeat. requests: how many
    looks and changes reached the clouds in each second. delays: the next call of a verb lands so much later; late: what
    became of those."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.unread = self.refused = self.silent = False
        self.requests: Counter[int] = Counter()
        self.delays: dict[str, float] = {}
        self.late: list[tuple[str, str]] = []
        self.say: Callable[[str], None] = lambda _text: None
        super().__init__(*args, **named)

    def reachable(self, region: str) -> bool:
        if not self.landing and self.hub.current is not None:
            self.requests[int(self.hub.now)] += 1
            if self.unread:
                return False
        return super().reachable(region)

    def replayed_beat(self, name: str, region: str, source: str) -> float | None:
        return None if self.silent else super().replayed_beat(name, region, source)

    def effect(self, order: Order) -> None:
        verb, resource = order.verb, order.resource
        self.requests[int(self.hub.now)] += 1
        task = self.hub.current
        machine = task.owner if task is not None else None
        if verb in self.delays and isinstance(machine, Machine):
            seconds = self.delays.pop(verb)
            self.faults.late.append(seconds)
            self.say(f"{machine.name} stands still in its {verb} of {resource}, for {_span(seconds)}")
            self.hub.after(0.001, lambda: machine.stop_for(seconds))
        super().effect(order)

    def _changed(self, order: Order) -> None:
        became = "refused"
        try:
            super()._changed(order)
            became = "landed"
        finally:
            if self.hub.current is None:  # nobody waits for it any more
                self.late.append((order.verb, became))
                self.say(f"The delayed {order.verb} of {order.resource} arrives: {became}")

    def _meets(self, verb: str) -> str:
        return "refused" if self.refused else super()._meets(verb)

    def _refuse(self, fault: str) -> None:
        if fault == "refused":
            raise Transient("503: the API does not serve now.")
        super()._refuse(fault)


class IncidentPlay(Play):
    """Plays a file for its whole length, watched to the end; holds `ends` against the world before the faults stop."""

    cloud_of = _Cloud
    network_of = _Network

    def __init__(self, incident: Incident) -> None:
        self.incident = incident
        self.story: list[str] = []
        self.findings: list[str] = []
        self._typed: Mapping[str, Any] = {}
        super().__init__(incident.scenario, incident.setup)
        self.cloud_of_it.say = self._say
        self.network_of_it.now = lambda: self.hub.now
        self.network_of_it.seed = incident.scenario.seed
        names = incident.setup.loaded.topology.vantages
        self.node_of = dict(zip(names, self.vantages, strict=False))

    @property
    def cloud_of_it(self) -> _Cloud:
        assert isinstance(self.cloud, _Cloud)
        return self.cloud

    @property
    def network_of_it(self) -> _Network:
        assert isinstance(self.network, _Network)
        return self.network

    # ---- what is told

    def _say(self, text: str) -> None:
        self.story.append(f"+{_span(self.hub.now)}  {text}")

    def _told(self, moment: Moment) -> None:
        super()._told(moment)
        decision = moment.decision
        self._say(f"{decision.kind}: {decision.reasons[-1] if decision.reasons else ''}")

    def _note_entry(self, entry: Entry) -> None:
        before = {name: len(run.story) for name, run in self.log.runs.items()}
        super()._note_entry(entry)
        for name, run in self.log.runs.items():
            for sentence in run.story[before.get(name, 0) :]:
                self._say(f"{name} is {sentence.phase}: {sentence.text}")

    # ---- how an incident differs from a seed

    def observing(self) -> bool:
        return self.scenario.way == "watch"

    def _quiet(self) -> bool:
        return False

    def _answer(self, run: RunState, tries: dict[str, int]) -> tuple[Event, dict[str, Any]] | None:
        answers = self.scenario.person.answers
        if answers == "silent" and not self.calm:
            return None
        aborts = self.incident.aborts_afterwards if self.calm else answers == "abort"
        if aborts and run.phase in {Phase.GATED, Phase.HALTED, Phase.PAUSED} and not run.promoted:
            tries["abort"] = tries.get("abort", 0) + 1
            if tries["abort"] <= 3:
                return Event.ABORT, {}
        return super()._answer(run, tries)

    def _accepts(self, run: RunState, *, as_suggested: bool = False) -> dict[str, Any]:
        task = self.hub.current
        if task is None or task.owner is not self.machines.get("phone"):
            return super()._accepts(run, as_suggested=as_suggested)
        typed = {"loss_seconds": self._typed["accepts_loss"], "accept_owed_fence": self._typed["accepts_owed_fence"]}
        return {name: value for name, value in typed.items() if value is not None and value is not False}

    def _calm_down(self) -> None:
        for what in unmet(self.incident.ends, self):
            self.findings.append(f"ends.{what}")
        self._say("All faults are over.")
        cloud = self.cloud_of_it
        cloud.unread = cloud.refused = cloud.silent = False
        cloud.delays.clear()
        super()._calm_down()

    # ---- what goes wrong

    def happen(self, happening: Happening) -> None:
        self._say(f"It happens: {happening.kind}" + _said(happening.args))
        args, hub = happening.args, self.hub
        until = min(hub.now + float(args.get("seconds", 0.0)), self.scenario.calm_at)
        cloud = self.cloud_of_it
        match happening.kind:
            case "site cut off":
                self._cut_off(str(args["region"]), until)
            case "region unwell":
                self._unwell(str(args["region"]), until)
            case "gray zone":
                self._gray(args, until)
            case "cut":
                a, b = (self.node_of.get(end, end) for end in args["between"])
                self._partition(Happening(f"partition {a}-{b}", hub.now, {**args, "between": [a, b]}), until)
            case "control plane out":
                for place in (OUTSIDE, *self.setup.regions):
                    self._partition(
                        Happening("partition", hub.now, {"between": [place, CONTROL], "ways": "both"}), until
                    )
            case "apis refuse":
                cloud.refused, cloud.unread = True, args["reads"] == "refused"
                self._over(until, happening, lambda: vars(cloud).update(refused=False, unread=False))
            case "heartbeats silent":
                cloud.silent = True
                self._over(until, happening, lambda: vars(cloud).update(silent=False))
            case "request delayed":
                cloud.delays[str(args["verb"])] = float(args["seconds"])
            case "worker killed":
                machine = self.machines.get(str(args["worker"]))
                if machine is not None:
                    machine.kill()
            case _:
                self._typed = args
                super().happen(happening)

    def _over(self, until: float, happening: Happening, then: Callable[[], None]) -> None:
        def over() -> None:
            if not self.calm:
                then()
                self._say(f"It is over: {happening.kind}")

        self.hub.at(until, over)

    def _cut_off(self, region: str, until: float) -> None:
        inside = [node for node, place in self.vantages.items() if place == region]
        others = [OUTSIDE, *(other for other in self.setup.regions if other != region)]
        others += [node for node in self.vantages if node not in inside]
        pairs = [pair for other in others for pair in ((region, other), (other, region))]
        pairs += [pair for node in inside for other in others for pair in ((node, other), (other, node))]
        self._lose(region, "cut")
        self.cloud.disturb(lambda: self.network.cut(pairs))

        def over() -> None:
            self.cloud.disturb(lambda: self.network.mend(pairs))
            self._give_back(region)

        self._over(until, Happening("site cut off", 0.0), over)

    def _unwell(self, region: str, until: float) -> None:
        """It does not serve, as far as anybody can see."""
        self.cloud.unhealthy.add(region)
        self.cloud.sick_since.setdefault(region, self.hub.now)
        self._suffers(region)

        def over() -> None:
            self._well(region)
            self.history.back_at[region] = self.hub.now

        self._over(until, Happening("region unwell", 0.0), over)

    def _gray(self, args: Mapping[str, Any], until: float) -> None:
        region = str(args["region"])
        nodes = [self.node_of[name] for name in args["vantages"]] or list(self.vantages)
        for node in nodes:
            self.network_of_it.gray[node, region] = float(args["share"])
        self._suffers(region)

        def over() -> None:
            for node in nodes:
                self.network_of_it.gray.pop((node, region), None)
            self.history.back_at[region] = self.hub.now

        self._over(until, Happening("gray zone", 0.0), over)

    def _suffers(self, region: str) -> None:
        """From now on whoever acts on its loss does so with a reason."""
        if region != self.setup.plan.source:
            return
        self.history.back_at.pop(region, None)
        if self.history.lost_at is None:
            self.history.lost_at = self.hub.now


def play_incident(incident: Incident) -> Ending:
    """Play it, and judge it: by its own words, and by every invariant."""
    play = IncidentPlay(incident)
    history = play.play()
    findings = list(play.findings)
    if incident.afterwards is not None:
        findings += [f"afterwards.{what}" for what in unmet(incident.afterwards, play)]
    findings += [str(violation) for violation in judge(history)]
    return Ending(incident.title, tuple(play.story), tuple(findings), history)


# ---- how it must end


def unmet(ends: EndsShape, play: IncidentPlay) -> Iterator[str]:
    """What is not as the file says, a sentence each that begins with its key."""
    history, cloud = play.history, play.cloud_of_it
    cloud.flush()
    runs = history.runs()
    last = runs[-1] if runs else None
    landed = Counter(effect.verb for effect in cloud.effects)
    counted = {
        "runs": (ends.runs, len(runs)),
        "promotions": (ends.promotions, len(cloud.promotions)),
        "fences": (ends.fences, landed["fence"]),
        "lost": (ends.lost, _lost(play)),
        **{f"changes.{verb}": (wanted, landed[verb]) for verb, wanted in ends.changes.items()},
    }
    for key, (wanted, seen) in counted.items():
        if wanted is not None and wanted != seen:
            yield f"{key}: {wanted} expected, there were {seen}"
    primary = play.log.primary or play.setup.loaded.topology.primary
    said = {
        "phase": (ends.phase, str(last.phase) if last else "no run"),
        "primary": (ends.primary, primary),
        **{
            f"traffic.{name}": (region, ", ".join(where for where, weight in cloud.weights[name].items() if weight))
            for name, region in ends.traffic.items()
        },
    }
    if ends.frozen is not None:
        frozen = sorted({region for (_, region), held in cloud.frozen.items() if held})
        said["frozen"] = (", ".join(sorted(ends.frozen)), ", ".join(frozen))
    for became, verbs in (("landed", ends.late_landed), ("refused", ends.late_refused)):
        if verbs is not None:
            late = sorted(verb for verb, what in cloud.late if what == became)
            said[f"late_{became}"] = (", ".join(sorted(verbs)), ", ".join(late))
    for key, (expected, found) in said.items():
        if expected is not None and expected != found:
            yield f"{key}: {expected} expected, it is {found}"
    yield from _beyond(ends, play, last)
    yield from _unsaid(ends, play, last)


def _beyond(ends: EndsShape, play: IncidentPlay, last: RunState | None) -> Iterator[str]:
    history, cloud = play.history, play.cloud_of_it
    if ends.within is not None:
        took = _took(history, last)
        if took is None or took > ends.within:
            how = "has not ended" if took is None else f"took {_span(took)}"
            yield f"within: {_span(ends.within)} allowed, the last run {how}"
    moves = Counter(name for _, name, _ in cloud.weights_seen)
    most = max((count - 1 for count in moves.values()), default=0)
    if ends.moves_at_most is not None and most > ends.moves_at_most:
        yield f"moves_at_most: {ends.moves_at_most} allowed, there were {most}"
    empty = [at for at, _, weights in cloud.weights_seen if not any(weights.values())]
    if ends.never_empty and empty:
        yield f"never_empty: a set of answers was empty at +{_span(empty[0])}"
    if ends.nothing_changes is not None:
        span = ends.nothing_changes
        for effect in cloud.effects:
            if span.since <= effect.at < span.until:
                yield f"nothing_changes: {effect.verb} of {effect.resource} landed at +{_span(effect.at)}"
                break
    busiest = max(cloud.requests.values(), default=0)
    if ends.requests_in_a_second_at_most is not None and busiest > ends.requests_in_a_second_at_most:
        yield f"requests_in_a_second_at_most: {ends.requests_in_a_second_at_most} allowed, there were {busiest}"
    total = sum(cloud.requests.values())
    if ends.requests_at_most is not None and total > ends.requests_at_most:
        yield f"requests_at_most: {ends.requests_at_most} allowed, there were {total}"


def _unsaid(ends: EndsShape, play: IncidentPlay, last: RunState | None) -> Iterator[str]:
    waits = last is not None and last.phase in WAITING and bool(last.halted_because and last.to_do)
    if ends.waits_for_person is not None and ends.waits_for_person != waits:
        yield f"waits_for_person: {ends.waits_for_person} expected, {'it waits' if waits else 'it does not'}"
    moments = [moment.decision for _, moment in play.history.moments]
    texts = {
        "halted_because": (ends.halted_because, [last.halted_because] if last else []),
        "to_do": (ends.to_do, [last.to_do] if last else []),
        "decided": (ends.decided, [" ".join(one.reasons) for one in moments]),
        "warned": (ends.warned, [" ".join(one.reasons) for one in moments if one.kind is DecisionKind.WARN]),
        "refused": (ends.refused, [" ".join(one.reasons) for one in moments if one.kind is DecisionKind.REFUSE]),
    }
    for key, (wanted, found) in texts.items():
        for words in wanted:
            if not any(words in text for text in found):
                yield f'{key}: nothing said "{words}"; the last word was "{found[-1] if found else ""}"'
    if ends.decisions_only:
        others = sorted({str(one.kind) for one in moments} - set(ends.decisions_only))
        if others:
            yield f"decisions_only: {', '.join(ends.decisions_only)} expected, there was also {', '.join(others)}"


def _took(history: History, last: RunState | None) -> float | None:
    """From the loss to the end of the last run, in true seconds."""
    if last is None or not last.phase.final:
        return None
    closed = next(at for at, entry in history.entries if entry.kind is Kind.CLOSED and entry.data["run"] == last.id)
    return closed - (history.lost_at or 0.0)


def _lost(play: IncidentPlay) -> int:
    """Acknowledged writes that are not where the primary is."""
    primary = play.log.primary or play.setup.loaded.topology.primary
    return sum(play.cloud.lost(name, primary) for name in play.cloud.databases)


def _said(args: Mapping[str, Any]) -> str:
    said = [f"for {_span(value)}" if name == "seconds" else f"{name} {value}" for name, value in args.items() if value]
    return f" ({', '.join(said)})" if said else ""


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n)


__all__ = ["Ending", "Incident", "IncidentPlay", "load_incident", "play_incident"]
