"""Whether every loss was acted on that had to be.

A loss *must be acted on* if all requests fail in all places, for a stretch of detection (`fall` intervals and a
timeout) + three minutes + tolerance in which nothing else stands in the way: the decider runs, a standby has no trouble
of its own, enough vantages (one outside) have none, no run is open, no cool-down lasts. It is *missed* if no failover
has begun by the end of the first such stretch. One check that fails everywhere is such a loss: each check says of
itself that users need it. What lies between (half of all requests fail, say) may be acted on and need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cloudfail import detect
from cloudfail.testing.simulation.weather.decider import RUN_SECONDS, Watch
from cloudfail.testing.simulation.weather.events import DAY, EVERYWHERE, Effect, Event
from cloudfail.testing.simulation.weather.outcome import Finding, Loss
from cloudfail.testing.simulation.weather.series import LOT_SHARE
from cloudfail.testing.simulation.weather.truth import LASTING_SECONDS

TOLERANCE_SECONDS = 1.0
"""For the way of an answer and the watcher's poll of half a second."""


def judge(watch: Watch, spell: Sequence[Event]) -> None:
    """Hold every total loss of this spell against what was done."""
    for event in spell:
        if event.fails < 1.0 or event.period or event.places != EVERYWHERE:
            continue
        if not set(detect.vantages_of(watch.topology)) <= set(event.vantages):
            continue
        region = event.regions[0]
        if watch.primary_at(event.start) == region:
            _judge_loss(watch, event, spell)


def _judge_loss(watch: Watch, event: Event, spell: Sequence[Event]) -> None:
    region = event.regions[0]
    checks = watch.topology.checks.values()
    detection = max((c.fall + 2 * LOT_SHARE) * c.every_seconds + c.timeout_seconds for c in checks)
    needed = detection + LASTING_SECONDS + TOLERANCE_SECONDS
    edges = {event.start, event.end}
    others = [e for e in spell if e is not event and e.kind != "lost probe" and e.start < event.end]
    settle = watch.recovery + 2 * watch.interval + watch.timeout
    for other in others:
        edges |= {other.start, other.end + settle}
    acts = [act for act in watch.into.acts if act.at < event.end and act.at > event.start - DAY]
    busy = [(act.at, act.at + RUN_SECONDS + watch.cool_down) for act in acts if act.at < event.start]
    if watch.ended is not None:
        busy += [(since, since + watch.cool_down) for since, _ in watch.primaries[1:] if since < event.end]
    for start, end in busy:
        edges |= {start, end}
    moments = sorted(edge for edge in edges if event.start <= edge <= event.end)
    clear_since: float | None = None
    due: float | None = None
    for begin, finish in pairwise(moments):
        active = [other for other in others if other.start <= begin < other.end + settle]
        if any(start <= begin < end for start, end in busy) or _in_the_way(watch, region, active):
            clear_since = None
            continue
        clear_since = begin if clear_since is None else clear_since
        if finish - clear_since >= needed:
            due = clear_since + needed
            break
    if any(act.source == region and event.start - RUN_SECONDS <= act.at < event.start for act in acts):
        return  # what came before it was acted on, and the move is under way
    acted = next((act.at for act in acts if act.source == region and act.at >= event.start), None)
    if due is None and event.end - event.start < needed:
        return  # too short to have to
    watch.into.losses.append(Loss(event.kind, event.start, due, due == event.start + needed, acted))
    if due is not None and (acted is None or acted > due):
        when = "never" if acted is None else f"only after {acted - event.start:.1f} s"
        near = "; ".join(str(e) for e in spell if e.start < due and e.end > event.start - watch.calm_seconds)
        story = f"{region} was lost, and acted on {when}, due after {due - event.start:.1f} s: {near}"
        watch.into.missed.append(Finding(watch.into.seed, event.start, story))


def _in_the_way(watch: Watch, region: str, active: Sequence[Event]) -> bool:
    """Whether this other trouble may keep anyone from seeing the loss, or from having somewhere to go."""
    vantages = detect.vantages_of(watch.topology)
    troubled: set[str] = set()
    for event in active:
        if event.effect in (Effect.RESTARTS, Effect.FREEZES):
            return True
        whole = set(vantages) <= set(event.vantages)
        if whole and region in event.regions and len(event.regions) == 1:
            continue  # more trouble of the same region
        if event.effect is Effect.FAILS and event.places and region not in event.regions and len(event.vantages) > 1:
            return True  # the standby's own
        troubled |= set(event.vantages)
    seeing = [name for name in vantages if name not in troubled]
    k = max(detect.needed(check, watch.topology) for check in watch.topology.checks.values())
    return len(seeing) < k or all(vantages[name].region == region for name in seeing)
