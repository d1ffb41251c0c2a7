"""The protocols that providers and stores fulfil (design.md §5).

A port is one read and a few conditional verbs. Reads return `Known` or `Unknown` and never raise for a resource that
does not answer. Every verb

- takes `expect`, the state that was seen, and raises `Conflict` without an effect if the world is no longer so (where
  the backend has no condition, it reads again immediately before);
- is idempotent: called again with the world as it wanted, it changes nothing;
- performs ONE journaled effect, calls `call.check()` immediately before each request that changes something, and
  returns within `call.timeout_seconds`;
- raises only errors of cloudfail.errors (Transient, Permanent, Conflict, OutcomeUnknown, LeaseLost, Halted).

Returning normally means "the API said done", which completes nothing: the next read does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import (
    ChangeState,
    ComputeState,
    ConsumersState,
    DatabaseState,
    DnsState,
    FenceState,
    LoadBalancerState,
    LossBound,
    Progress,
    WriteProof,
)
from cloudfail.model.topology import PortName, Resource, Topology


@dataclass(frozen=True)
class Call:
    """What one mutating call may know of the run that makes it.

    epoch: of the lease that it is made under; written beside the value where the object can carry it. key: the same for
    every attempt of this effect (an idempotency token). timeout_seconds: the call must have returned by then, retries
    inside included. check(): raises LeaseLost or Halted; call it immediately before each request that changes
    something. log(): a line for the journal's result entry.
    """

    run: str
    step: str
    epoch: int
    key: str
    timeout_seconds: float
    check: Callable[[], None]
    log: Callable[[str], None] = lambda _line: None


class Dns(Protocol):
    """One name whose answers choose the region. Never leaves an answer set empty (invariant I5)."""

    def read(self) -> Known[DnsState] | Unknown:
        """What the authoritative server answers now."""

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        """What outside resolvers answer now: resolver -> answers. Data plane; every configured resolver must answer."""

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        """The literal answers that these weights (region -> weight) mean."""

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        """Make the name answer with these weights. Refuses (Permanent) a set in which every weight is zero."""


class LoadBalancer(Protocol):
    """One balancer that spreads requests over regions."""

    def read(self) -> Known[LoadBalancerState] | Unknown:
        """Weights, and healthy targets as the balancer counts them."""

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        """Set region -> weight. Refuses (Permanent) a set in which every weight is zero."""


class Database(Protocol):
    """One database with a member in each region, exactly one of which may take writes."""

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Role, writable, position, lag of the member in `region`, from the member itself."""

    def beat(self, region: str) -> Known[float] | Unknown:
        """Write a heartbeat row on the primary in `region`, with its durability settings beside it, as an outside
        observer would write. Known: it was acknowledged; the value is the row's time (this writer's wall seconds)."""

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """What promoting `target` now would lose of what `source` acknowledged. Unknown parts are None. `acknowledged`
        is the time of the newest heartbeat that its writer saw acknowledged."""

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        """What fence stands on `source`, proven by writes that were tried. Unknown where nothing can be said."""

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        """Apply the first of `expect.methods_left`."""

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        """Lift every fence that stands on `source`."""

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        """Promote `target`, whatever `source` still held. `expect` is the state of `target`."""

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        """How far a lossless move of the writer from `source` to `target` has come."""

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        """The next effect of that move. Never promotes `target` before it holds all that `source` acknowledged."""

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        """How far the member in `region` has come in becoming a replica of `upstream`."""

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        """The next effect of that. Copies and hashes what had diverged before anything is rewound."""

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        """The canary row of `token`, read through the data plane; None where it is not there."""

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        """Write that row, as an application would."""


class Compute(Protocol):
    """One group of workers with a member in each region."""

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        """Wanted, running and healthy, where healthy is what the load balancer counts."""

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        """Run `count` workers, raising ceilings as needed."""

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        """Suspend (or resume) scale-in."""


class Change(Protocol):
    """What changes a region besides us: deploys, schedulers, infrastructure tools."""

    def read(self, region: str) -> Known[ChangeState] | Unknown:
        """Whether changes are held."""

    def freeze(self, region: str, frozen: bool, *, expect: ChangeState, call: Call) -> None:
        """Hold them, or let them go."""


class Consumers(Protocol):
    """Queue and event consumers."""

    def read(self, region: str) -> Known[ConsumersState] | Unknown:
        """Whether they run."""

    def enable(self, region: str, enabled: bool, *, expect: ConsumersState, call: Call) -> None:
        """Start or stop them."""


@dataclass(frozen=True)
class StoredEntry:
    """One entry of a log as a store returns it. `at` is the store's own clock in wall seconds, 0.0 if it has none."""

    seq: int
    body: bytes
    at: float = 0.0


class Store(Protocol):
    """An append-only log per name, numbered 1, 2, 3 … with no gap. Two verbs that every serious backend has.

    Both raise StoreUnavailable when the backend does not answer. After that, or after any other doubt, an append may
    have landed: the caller reads back and compares (each body carries a nonce).
    """

    def read(self, log: str, after: int) -> list[StoredEntry]:
        """All entries with seq > after, in order. Never a prefix with a gap; never older than an acknowledged
        append."""

    def append(self, log: str, seq: int, body: bytes) -> bool:
        """Durably store `body` as entry `seq`: True if it was free and every smaller number is taken, else False."""


@dataclass(frozen=True)
class StorePlace:
    """Where a store lives. provider: whose regions these are ("" for a host of one's own). regions: those without any
    one of which it stops; () if it outlives each single region, None if its URL does not say."""

    provider: str
    regions: tuple[str, ...] | None


class StoreKind(Protocol):
    """One scheme of `state:` URLs: what an entry point of the group `cloudfail.stores` names."""

    def place(self, url: str) -> StorePlace:
        """What the URL says of where it lives; no call, and no vendor library. Raises Refused for a URL that it cannot
        read, with what to write instead."""

    def open(self, url: str) -> Store:
        """The store behind it. Raises Refused as `place` does, and for what cannot keep the promises of `Store` (an
        eventually consistent table, say); StoreUnavailable where it does not answer."""


@dataclass(frozen=True)
class VerbFacts:
    """What plan, lint, approval screen and report say about a verb (design.md §4 rule 8).

    plane: "data" or "control". home: the region whose control plane the call needs: a literal name, "member" (the
    region of the member it acts on), or None (needs no region that could be lost). loses_data: whether it can.
    reversible: whether it can be undone. fencing: "condition", "mark" or "watching" (rule 10). divides: what shares a
    `shift` can give: "percent" (any whole percent), "evenly" (all that serve alike, or as is written elsewhere), or
    "not" (one region at a time).
    """

    plane: str = "data"
    home: str | None = "member"
    loses_data: bool = False
    reversible: bool = True
    typical_seconds: float = 5.0
    longest_seconds: float = 60.0
    fencing: str = "watching"
    divides: str = "not"


@dataclass(frozen=True)
class Grant:
    """What a role may do, in the provider's own words: actions, and what they may be done on, by literal name.

    region: whose roles it is for (as `Topology.roles_of`). verbs: the port's verbs that need it; () for what every look
    needs. only_if: conditions as the provider words them. why: the reason, wherever `on` is wider than what
    cloudfail.yaml names (an action that can be given on nothing less, a part of a name that the cloud makes up).
    """

    region: str
    actions: tuple[str, ...]
    on: tuple[str, ...]
    verbs: tuple[str, ...] = ()
    only_if: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Permissions:
    """What one resource needs. watch: of the role that reads; execute: of the role that changes (`model.Roles`)."""

    watch: tuple[Grant, ...] = ()
    execute: tuple[Grant, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of resource that a provider serves, as it is written in cloudfail.yaml: `database: postgresql`.

    options / member: pydantic models (extra="forbid") for the resource's own keys and for each region's member; member
    None means that a member is a plain string. settle_seconds: how stale a read may be (rule 3). verbs: facts by port
    verb (fence, failover, switchover, follow, shift, scale, hold, freeze, enable, canary). verbs_of: the same for one
    resource, where its options decide (a name that a switch in the data plane moves, say, and not its zone).
    permissions: what a resource needs for its members in these regions; it asks no cloud, and raises Refused where
    cloudfail.yaml says too little.
    """

    port: PortName
    name: str
    build: Callable[[Resource, Topology], Any]
    options: type[Any] | None = None
    member: type[Any] | None = None
    settle_seconds: float = 0.0
    call_timeout_seconds: float = 10.0
    verbs: Mapping[str, VerbFacts] = field(default_factory=dict)
    verbs_of: Callable[[Resource], Mapping[str, VerbFacts]] | None = None
    permissions: Callable[[Resource, Topology, Sequence[str]], Permissions] | None = None

    def facts(self, verb: str, resource: Resource) -> VerbFacts:
        """What the provider says of `verb` on that resource; the cautious defaults where it says nothing."""
        said = self.verbs_of(resource) if self.verbs_of is not None else self.verbs
        return said.get(verb, VerbFacts())


class Provider(Protocol):
    """What an entry point of the group `cloudfail.providers` names."""

    name: str

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        """Every kind that it serves. Cheap: vendor libraries are imported by `Kind.build`, not here."""

    def identity(self) -> Known[str] | Unknown:
        """Who we are to this provider, for guards and the audit."""


@runtime_checkable
class TakesRoles(Protocol):
    """A provider that can be asked as somebody else than the process's own identity (`roles:` in cloudfail.yaml)."""

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        """What is wrong with this role as it is written, and what to write instead; None if nothing is. No call."""


@runtime_checkable
class WritesPolicies(Protocol):
    """A provider that can say what its roles must be allowed, as its cloud takes it (`Kind.permissions`)."""

    def policy(self, grants: Mapping[str, Sequence[Grant]]) -> Mapping[str, Any]:
        """One role's policy, ready for JSON. grants: by resource. Each statement says whose it is."""
