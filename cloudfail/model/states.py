"""What a provider's read says of one resource in one region. Each carries `version`, which a conditional verb takes
back as `expect`, and `epoch`, the mark that an earlier run left beside the value (None where the object carries none).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    PRIMARY = "primary"
    REPLICA = "replica"


class FenceOutcome(StrEnum):
    """design.md §5. Automation passes PROVEN and PREVENTED only.

    NONE: no fence stands. PROVEN: a write over a connection opened before and one over a new connection were both
    refused, from a place that reaches the old side. PREVENTED: the engine cannot acknowledge without the new side.
    OWED: unreachable, not proven. FAILED: reachable, and it still takes writes although the fence was applied, or
    the fence stands in part.
    """

    NONE = "none"
    PROVEN = "proven"
    PREVENTED = "prevented"
    OWED = "owed"
    FAILED = "failed"


@dataclass(frozen=True)
class DatabaseState:
    """One member of a database. `position` grows with each write (bytes of WAL, for PostgreSQL); `timeline` with each
    promotion. lag_seconds is None where unknown; of one of many writers it is what it lacks of the others. `upstream`
    names the region that a replica streams from, None if it streams from nobody. `in_sync`: this is a primary, it waits
    for a replica before it acknowledges, and that replica has caught up. `moving`: what is under way by itself (a
    promotion that was ordered), "" if nothing is. `next`: what an order to promote it would do now, in words, where
    that is not the promotion itself but what comes after it (to let clients in); else ""."""

    role: Role
    writable: bool
    position: int
    timeline: int = 0
    lag_seconds: float | None = None
    upstream: str | None = None
    in_sync: bool = False
    moving: str = ""
    version: str = ""
    epoch: int | None = None
    next: str = ""


@dataclass(frozen=True)
class FenceState:
    """What stands between the clients and the old primary. `evidence` says which writes were refused, from where."""

    outcome: FenceOutcome
    evidence: str = ""
    version: str = ""
    epoch: int | None = None
    methods_left: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossBound:
    """Seconds of acknowledged writes that a promotion now would lose; None is unknown, not zero (design.md §5, Loss).

    if_dead: last write that an outside observer saw acknowledged, less the newest heartbeat replayed on the survivor.
    if_alive: now, less that; it grows. parts: how the figures came about, for people.
    """

    if_dead_seconds: float | None
    if_alive_seconds: float | None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DnsState:
    """A name's answers: region -> weight (0 is not answered). `answers` are the literal values in the zone now;
    one_at_a_time: a resolver is given one region's answers at a time (by weight, nearness or health), so that it cannot
    be heard to give them all. detail: how far a move of several effects has come, in words; "" where it is but one."""

    weights: Mapping[str, int]
    answers: tuple[str, ...]
    ttl_seconds: float
    version: str = ""
    epoch: int | None = None
    one_at_a_time: bool = False
    detail: str = ""


@dataclass(frozen=True)
class LoadBalancerState:
    """weights: region -> share of new requests (0 is drained). healthy: region -> healthy targets, as the load balancer
    itself counts them; a region that is missing is unknown. `moving`: what is under way by itself (weights that were
    accepted and have not reached every edge), "" if nothing is. lingering_seconds: how long a client may be kept with
    its region after that lost its weight (stickiness), 0 if none is kept, None where the balancer does not say."""

    weights: Mapping[str, int]
    healthy: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    epoch: int | None = None
    moving: str = ""
    lingering_seconds: float | None = None


@dataclass(frozen=True)
class ComputeState:
    """wanted: what the scaler was told; where it sets the size itself, the least that it may. running: what exists.
    healthy: what the load balancer counts as healthy. ceiling: the most that the scaler may run, None if unbounded.
    scale_in_held: whether scale-in is suspended. moving: what is under way on it, on top of which nothing can be
    ordered, "" if nothing is."""

    wanted: int
    running: int
    healthy: int
    ceiling: int | None = None
    scale_in_held: bool = False
    version: str = ""
    epoch: int | None = None
    moving: str = ""


@dataclass(frozen=True)
class ChangeState:
    """Whether deploys, schedulers and infrastructure tools are held in one region, and by which run."""

    frozen: bool
    by: str = ""
    version: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class ConsumersState:
    """Whether queue and event consumers run in one region. still: that it is ordered off, and that something is
    delivered all the same, or cannot be told: it can be turned on, and is not off."""

    enabled: bool
    version: str = ""
    epoch: int | None = None
    still: str = ""


class CustomWord(StrEnum):
    """What the site's own `observe` says of a custom action, in its first word. UNSEEN: the site has no `observe`, so
    that only a check can tell."""

    TODO = "todo"
    MOVING = "moving"
    DONE = "done"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class CustomState:
    """A custom action in one region. under_way: what the backend itself lists as begun and not ended, whoever ordered
    it, "" if nothing is (or it keeps no list). ended: what its list says came of what this run ordered: True it ended
    well, False it did not, None nothing is listed."""

    word: CustomWord
    detail: str = ""
    under_way: str = ""
    ended: bool | None = None
    version: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class NetworkState:
    """Where a path or an address leads. points: each of its parts (a route of one table, an address) -> the regions to
    which it leads now, sorted; () for none. What leads to no member of the resource is no state: it is unknown.
    `moving`: what is under way by itself, "" if nothing is. `obstacle`: why what is set carries nothing (a next hop
    that is gone), "" where nothing is known against it; that is the control plane's word, and proves nothing."""

    points: Mapping[str, tuple[str, ...]]
    moving: str = ""
    obstacle: str = ""
    version: str = ""
    epoch: int | None = None


@dataclass(frozen=True)
class Reached:
    """What was met through a path, by whoever used it. answers: None where nothing is named that could be asked."""

    answers: bool | None
    what: str


@dataclass(frozen=True)
class WriteProof:
    """A write that succeeded over the data plane: the token that was written and then read back."""

    token: str
    region: str


@dataclass(frozen=True)
class Progress:
    """How far a verb of several effects (switchover, follow) has come, read from the world alone.

    next: the one effect that comes next, in words that an operator reads; None when there is nothing to order (`done`,
    or the world is `moving` by itself). before/after: what that effect changes. version: taken back as `expect`.
    """

    next: str | None
    done: bool = False
    detail: str = ""
    before: str = ""
    after: str = ""
    version: str = ""
