"""The faults of a seed by name, in groups, with a sentence each: what a person may choose, and what documents say."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.config.mistakes import nearest
from cloudfail.errors import Refused
from cloudfail.testing.simulation.scenario import DRAWN_OTHERWISE, HAPPENINGS

DRAWS = 2
DRAWN_SHARE = 0.6
"""`draw` rolls twice for each happening, with this share of its likelihood."""

ALWAYS = frozenset({"region killed", "region cut off", "stuck resolver"})
"""Part of every scenario that they fit: they cannot be chosen."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "crashes": ("crash", "stop", "second worker", "third worker", "duplicate schedule", "time limit"),
    "partitions": tuple(name for name in HAPPENINGS if name.startswith("partition ")),
    "regions": (
        "region returns",
        "target lost",
        "target unhealthy",
        "capacity short",
        "capacity late",
        "slow promotion",
        "lag",
    ),
    "store": ("store out", "store lost with the region", "late append", "lost append reply"),
    "errors": (
        *(name for name in HAPPENINGS if name.startswith("error: ")),
        "throttling",
        "slow calls",
        "expired credentials",
        "late effect",
        "calls without condition",
    ),
    "reads": ("stale reads", "partial pages", "failed reads"),
    "clocks": ("clock jump", "clock drift"),
    "people": tuple(name for name in HAPPENINGS if name.startswith("person: ")),
}

SENTENCES: Mapping[str, str] = {
    "crash": "A worker dies at any boundary: before or after an append, a call, or a look.",
    "stop": "A worker stands still for seconds to minutes, and then goes on as if nothing had happened.",
    "second worker": "A second process of ours watches or ticks beside the first.",
    "third worker": "A third one is started by a scheduler.",
    "duplicate schedule": "Two schedulers start a tick at the same time.",
    "time limit": "A scheduled tick is killed by its time limit.",
    "partition worker-source": "The worker and the lost region do not reach each other, in one direction or both.",
    "partition worker-target": "The worker and the region that takes over do not reach each other.",
    "partition worker-control": "The worker does not reach the providers' control planes, or the edge.",
    "partition worker-store": "The worker does not reach the store.",
    "partition source-target": "The two regions do not reach each other; replication stands still.",
    "partition observer-region": "One vantage does not see a region.",
    "partition observer-worker": "One vantage cannot tell the worker what it sees.",
    "region returns": "The lost region comes back while it is being evacuated.",
    "target lost": "The region that takes over is lost too, for a while.",
    "target unhealthy": "The region that takes over fails its checks, for a while.",
    "capacity short": "Fewer workers start than were asked for, for a while.",
    "capacity late": "Workers take up to the longest time that is declared for them.",
    "slow promotion": "A promotion takes up to the longest time that is declared for it.",
    "lag": "The replica falls behind by 5 s to a minute, before the loss.",
    "store out": "The store answers nobody, for a while.",
    "store lost with the region": "The store is away from the same moment on, for longer.",
    "late append": "An append lands after its writer gave it up.",
    "lost append reply": "An append lands and its answer is lost.",
    "error: transient": "A call is refused, and may be tried again.",
    "error: throttled": "A call is refused for there are too many.",
    "error: permanent": "A call is refused for good.",
    "error: conflict": "A call finds the world changed.",
    "error: unknown": "The connection breaks before the answer; nothing was done.",
    "error: lost reply": "The call takes effect and its answer is lost.",
    "error: lie": "The provider says done and does nothing.",
    "error: exception before": "The client library breaks before the call is sent.",
    "error: exception after": "The client library breaks on the answer.",
    "throttling": "Half of all calls are refused, for a while.",
    "slow calls": "Every call takes half a second, two, or longer than its time-out, for a while.",
    "expired credentials": "No call is accepted, for a while.",
    "late effect": "A call that was given up takes effect up to ten minutes later.",
    "calls without condition": "The provider has no condition for freezes, scaling and consumers: it takes every call.",
    "stale reads": "Reads say what was so before the last change, for less than the declared settle time.",
    "partial pages": "The balancer's list of healthy targets comes back empty.",
    "failed reads": "Three of ten reads are refused or cannot be parsed.",
    "clock jump": "A worker's wall clock jumps, by up to ten minutes either way.",
    "clock drift": "A worker's clock runs up to one in a hundred fast or slow.",
    "person: pause": "A second person pauses the run, whatever its state.",
    "person: resume": "A second person resumes it.",
    "person: abort": "A second person aborts it.",
    "person: approve": "A second person approves.",
    "person: decline": "A second person declines.",
    "person: close": "A second person closes it.",
    "person: pause automation": "A second person stops automation.",
    "person: abort and pause": "A second person aborts, and pauses within half a second.",
    "region killed": "The region dies with all that runs in it.",
    "region cut off": "Nothing of ours reaches the region; its clients still do.",
    "stuck resolver": "Some clients keep an old DNS answer for two minutes, whatever its TTL.",
}


def every() -> tuple[str, ...]:
    """Every fault that a person may choose."""
    return tuple(name for name in (*HAPPENINGS, *DRAWN_OTHERWISE) if name not in ALWAYS)


def group_of(fault: str) -> str:
    return next((group for group, names in GROUPS.items() if fault in names), "always" if fault in ALWAYS else "")


def share_of_seeds(fault: str) -> float | None:
    """How many of all seeds have it in their scenario; None for what is not drawn by a likelihood of its own."""
    if fault not in HAPPENINGS:
        return None
    return 1 - (1 - HAPPENINGS[fault][0] * DRAWN_SHARE) ** DRAWS


def rows() -> list[tuple[str, str, str, str]]:
    """Group, fault, share of the seeds that have it, sentence: for the list, and for the document."""
    found = []
    names = [*(name for group in GROUPS.values() for name in group), *every(), *sorted(ALWAYS)]
    for name in dict.fromkeys(names):
        if name not in HAPPENINGS and name not in DRAWN_OTHERWISE:
            continue
        share = share_of_seeds(name)
        found.append(
            (group_of(name) or "others", name, "" if share is None else f"{share:.0%}", SENTENCES.get(name, ""))
        )
    return found


def chosen(text: str | None) -> frozenset[str] | None:
    """`crashes, partition worker-store` → the faults; None (all that may be drawn) for nothing. `none`: the loss of the
    region alone. Raises Refused for a name that nobody knows."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return frozenset()
    found: set[str] = set()
    known = every()
    for word in words:
        if word in GROUPS:
            found |= {name for name in GROUPS[word] if name in known}
        elif word in known:
            found.add(word)
        else:
            near = nearest(word, [*GROUPS, *known])
            advice = f"Did you mean {near}? " if near else ""
            raise Refused(
                f'There is no fault "{word}".',
                "Nothing was played.",
                f"{advice}See them: cloudfail simulate --faults list",
            )
    if not found:
        raise Refused("--faults names no fault.", "Nothing was played.", "See them: cloudfail simulate --faults list")
    return frozenset(found)
