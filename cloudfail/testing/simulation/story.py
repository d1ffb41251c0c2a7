"""One history told in an operator's words: what went wrong, what the run did, what clients felt, with times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudfail.config import durations
from cloudfail.execution.state import LogState, fold
from cloudfail.model.journal import Entry, Kind
from cloudfail.testing.simulation.network import CONTROL, EDGE, OUTSIDE, STORE
from cloudfail.testing.simulation.play import History
from cloudfail.testing.simulation.results import Felt, Line, Story
from cloudfail.testing.simulation.scenario import Happening
from cloudfail.testing.simulation.swarm import outage_span

PLACES = {
    OUTSIDE: "our workers",
    CONTROL: "the providers' control planes",
    EDGE: "the edge (names and balancers)",
    STORE: "the store",
}
PEOPLE = {"carol": "the one on call", "dave": "a second person", "alice": "whoever started it"}
LAST_WORKER = "w9"


def told(happening: Happening) -> str:
    """A happening as a sentence."""
    kind, args = happening.kind, happening.args
    lasts = f" for {durations.written(float(args['seconds']))}" if "seconds" in args else ""
    if kind.startswith("partition "):
        a, b = (PLACES.get(node, node) for node in args["between"])
        ways = {"there": f"nothing passes from {a} to {b}", "back": f"nothing passes from {b} to {a}"}
        return f"{ways.get(args['ways'], f'{a} and {b} do not reach each other')}{lasts}"
    if kind.startswith("error: "):
        times = int(args["times"])
        return f"the next {'call meets' if times == 1 else f'{times} calls meet'} an error: {kind[7:]}"
    if kind.startswith("person: "):
        return f"a second person types: {kind[8:]}"
    return _plainly(kind, args, lasts)


def _plainly(kind: str, args: Mapping[str, Any], lasts: str) -> str:
    region, worker = args.get("region", ""), args.get("worker", "")
    match kind:
        case "region lost":
            return (
                f"{region} is lost: everything in it dies"
                if args["how"] == "kill"
                else f"{region} is cut off: nothing of ours reaches it, and its clients still write there"
            )
        case "region returns":
            return f"{region} comes back"
        case "target lost":
            return f"{region}, which takes over, is lost too{lasts}"
        case "target unhealthy":
            return f"{region}, which takes over, fails its checks{lasts}"
        case "crash":
            return f"worker {worker} dies at its boundary {args['boundary']}"
        case "stop":
            return f"worker {worker} stands still{lasts} at its boundary {args['boundary']}"
        case "clock jump":
            return f"the wall clock of worker {worker} jumps by {args['seconds']:+g} s"
        case "late effect":
            return f"the next call is given up, and takes effect {durations.written(float(args['seconds']))} later"
        case "late append":
            return f"the next append lands {durations.written(float(args['seconds']))} late"
        case "lost append reply":
            return "the next append lands, and its answer is lost"
        case "lag":
            return f"replication falls behind by {durations.written(float(args['seconds']))}"
        case "store out" | "store lost with the region":
            return f"the store answers nobody{lasts}"
        case _:
            return f"{kind}{lasts}"


def story_of(
    history: History,
    felt: Felt,
    replay: str,
    struck: Iterable[Line] = (),
    numbers: tuple[int, ...] | None = None,
) -> Story:
    """`struck`: what waited for a boundary, when that was reached. `numbers`: what each happening of the scenario is
    called, where some were left out."""
    scenario, plan = history.scenario, history.setup.plan
    zero, named = _zero(history)
    lines = [*_faults(history), *struck, *_clients(history, felt), *_people(history), *_run(history)]
    # What happens at the same moment is told in this order: the fault, what clients felt, people, the run.
    lines = sorted((Line(round(line.at - zero, 3), line.text, line.kind) for line in lines), key=lambda line: line.at)
    workers = ", ".join(f"{one.name} ({one.kind}, {_place(one.place)})" for one in scenario.workers)
    say, person = durations.written, scenario.person
    started = "cloudfail watch" if scenario.way == "watch" else "a person"
    replication = "synchronous" if scenario.synchronous else f"asynchronous (lag {scenario.lag_seconds:g} s)"
    paces = f"a promotion takes {say(scenario.promote_seconds)}, workers {say(scenario.workers_start_seconds)} to start"
    answers = "" if person.answers == "approve" else f", and what it says at a gate is: {person.answers}"
    setting = (
        f"{plan.runbook}, {plan.source} → {plan.target}, started by {started}; {replication} replication; {paces}",
        f"processes: {workers}; the one on call looks every {say(person.every_seconds)}{answers}",
    )
    named_happenings = zip(
        numbers or range(len(scenario.happenings)), (told(one) for one in scenario.happenings), strict=True
    )
    return Story(scenario.seed, named, setting, tuple(named_happenings), tuple(lines), felt, replay)


def _place(place: str) -> str:
    return "outside of all regions" if place == OUTSIDE else f"in {place}"


def _zero(history: History) -> tuple[float, str]:
    if history.lost_at is not None:
        return history.lost_at, f"the loss of {history.setup.plan.source}"
    for at, entry in history.entries:
        if entry.kind is Kind.OPENED:
            return at, "the opening of the run"
    return 0.0, "the beginning"


def _faults(history: History) -> Iterator[Line]:
    armed = {"crash", "stop"}
    for happening in history.scenario.happenings:
        if happening.kind not in armed and happening.at <= history.ended_at + 1.0:
            yield Line(happening.at, told(happening), "fault")


def _clients(history: History, felt: Felt) -> Iterator[Line]:
    outage = outage_span(history)
    if outage is not None and outage[1] - outage[0] >= 0.5:
        yield Line(outage[0], "clients outside can no longer write", "clients")
        seconds = durations.written(outage[1] - outage[0])
        yield Line(outage[1], f"all clients that honour the TTL write again: {seconds} without", "clients")
    elif outage is None:
        yield Line(history.ended_at, "some clients outside still cannot write", "clients")
    for at, database, region, _ in history.cloud.promotions:
        yield Line(at, f"{database} in {region} becomes the writer", "clients")
    if felt.lost:
        lost = f"{felt.lost:,} acknowledged writes are not in the surviving database"
        yield Line(history.ended_at, f"{lost}: {felt.lost_seconds:.1f} s of writing", "clients")


def _people(history: History) -> Iterator[Line]:
    for at, entry in history.entries:
        if entry.kind is not Kind.COMMAND:
            continue
        data = entry.data
        more = ", accepting the owed fence" if data.get("accept_owed_fence") else ""
        if data.get("loss_seconds"):
            more += f", accepting {float(data['loss_seconds']):.0f} s of loss"
        yield Line(at, f"{_who(entry.by)}: {data['command']}{more}", "person")


def _who(by: str) -> str:
    """People by what they are, workers by their names: `w1/2` is the second engine of w1."""
    name = by.split("/", 1)[0].split(".", 1)[0]
    if name == LAST_WORKER:
        return f"{name}, started when all faults were over,"
    return PEOPLE.get(name, name)


def _plain_names(text: str) -> str:
    return re.sub(r"\b(" + "|".join(PEOPLE) + r")\b", lambda found: PEOPLE[found[1]], text)


def _run(history: History) -> Iterator[Line]:
    """The run's own story, with the steps that ended and what went wrong in between."""
    log = LogState()
    owner = ""
    for at, entry in history.entries:
        before = log
        log = fold(log, [entry])
        if entry.kind is Kind.CLAIM:
            if entry.data.get("took_over") and before.run is not None:
                yield Line(at, f"{_who(entry.by)} takes the run over from {_who(owner)}")
            owner = entry.by
        yield from (Line(at, text) for text in _said(entry))
        if entry.kind is Kind.COMMAND:
            continue
        for name, run in log.runs.items():
            known = before.runs.get(name)
            for sentence in run.story[len(known.story) if known is not None else 0 :]:
                opened = sentence.text.startswith("Opened:")
                yield Line(at, f"{_who(entry.by)} opens run {name}" if opened else _plain_names(sentence.text))


def _said(entry: Entry) -> Iterator[str]:
    data = entry.data
    if entry.kind is Kind.RESULT and data["outcome"] not in {"ok", "stopped", "held"}:
        yield f"{_track(data)}: the call came back {data['outcome']}" + (
            f": {data['message']}" if data["message"] else ""
        )
    elif entry.kind is Kind.INTENT and data["attempt"] == 1:
        yield f"{_track(data)}: {data['effect']}"
    elif entry.kind is Kind.SEEN and data["ended"] not in {"", "skipped"}:
        yield f"{_track(data)} {data['ended']}" + (f": {data['detail']}" if data["detail"] else "")


def _track(data: Mapping[str, Any]) -> str:
    return str(data["step"]) if data["way"] == "do" else f"{data['way']} {data['step']}"
