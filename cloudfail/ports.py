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

from cloudfail.model.discovered import Discovered, Wanted
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.signal import SignalState
from cloudfail.model.states import (
    ChangeState,
    ComputeState,
    ConsumersState,
    CustomState,
    DatabaseState,
    DnsState,
    FenceState,
    LoadBalancerState,
    LossBound,
    NetworkState,
    Progress,
    Reached,
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
    """One database with a member in each region, exactly one of which may take writes.

    One with many writers by design (`Kind.many_writers`) takes writes in each, has no role to move and nothing to
    fence: of it only `read`, `beat`, `loss` and the canary say something. The other reads are Unknown, with the reason;
    the other verbs raise Permanent, with what to write into the runbook instead.
    """

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


@runtime_checkable
class HasRoom(Protocol):
    """A Compute whose cloud bounds what an account may run, beside what the group itself does."""

    def room(self, region: str) -> Known[Room] | Unknown:
        """Quota, use and reservations there, as far as they concern this group. Reads only."""


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


@runtime_checkable
class Preflight(Protocol):
    """A port, of whichever kind, that can say before the bad day what would refuse its verbs on it."""

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """One sentence for each thing that would refuse a change, or make it do nothing; none is good. Unknown where it
        cannot be asked; never a sentence for that. It only reads, and may take as long as a read."""


class Network(Protocol):
    """One path, or one set of addresses, that leads to a region. A kind serves one of the two verbs, and refuses the
    other (Permanent). Each call makes one effect towards `points` (part -> regions, as `NetworkState.points`): several
    parts, or a part that takes two effects, are several calls. A part that `points` leaves out stays. What gains
    traffic is set before what loses it, wherever the backend allows it."""

    def read(self) -> Known[NetworkState] | Unknown:
        """Where each part leads now, as its own description says."""

    def reach(self, region: str) -> Known[Reached] | Unknown:
        """Data plane: what answers through it, as the member in `region` says that it must. Asked from here."""

    def route(self, points: Mapping[str, tuple[str, ...]], *, expect: NetworkState, call: Call) -> None:
        """The next effect of leading these parts there. A part that led nowhere before may be led nowhere again."""

    def move_address(self, points: Mapping[str, tuple[str, ...]], *, expect: NetworkState, call: Call) -> None:
        """The next effect of giving these addresses there. Never takes one from a holder that is no member."""


class Custom(Protocol):
    """An action of the site's own: a command, a document, a function, with a member in each region. What it invokes is
    never believed: `read` asks the site's own `observe`, or says that there is none."""

    def read(self, region: str, run: str) -> Known[CustomState] | Unknown:
        """What `observe` says, and what is listed of earlier orders (`run`: whose order `ended` is about)."""

    def invoke(self, region: str, *, expect: CustomState, call: Call) -> None:
        """Begin it, once. Does nothing where it is done or under way; Conflict where it is not as it was seen."""


class Signals(Protocol):
    """One signal that a provider gives of each region: an alarm, a metric, its health events. It has no verb."""

    def read(self, region: str) -> Known[SignalState] | Unknown:
        """What it says of `region`, with the time at which that was measured. Unknown where the provider itself does
        not know (too little data), where it does not answer, and where it cannot be said how old the data is. Returns
        within seconds, whatever is lost."""


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
    reversible: whether it can be undone. fencing: "condition", "mark" or "watching" (rule 10). observed: whether a read
    can tell that it was done; if not, the runbook names a check that does. divides: what shares a `shift` can give:
    "percent" (any whole percent), "evenly" (all that serve alike, or as is written elsewhere), or "not" (one region at
    a time).
    """

    plane: str = "data"
    home: str | None = "member"
    loses_data: bool = False
    reversible: bool = True
    typical_seconds: float = 5.0
    longest_seconds: float = 60.0
    fencing: str = "watching"
    observed: bool = True
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
    verb (fence, failover, switchover, follow, shift, scale, hold, freeze, enable, canary, route,
    move_address, run).
    verbs_of: the same for one resource, where its options decide (a name that a switch in the data plane moves, say,
    and not its zone).
    shared: by port verb, for one that replaces a whole without a condition: what it replaces, by literal names that are
    the same in whichever cloudfail.yaml (`aws/elasticloadbalancing/<the listener's ARN>`), for one resource and the
    region that the step acts in ("" where it acts on all). It asks no cloud. One worker at a time, of all applications
    in the same store, makes a call on each; such a verb reads what it replaces within its call, and holds only its own
    part against `expect`.
    permissions: what a resource needs for its members in these regions; it asks no cloud, and raises Refused where
    cloudfail.yaml says too little. many_writers: a database whose every member takes writes by design. Nothing of it is
    fenced or promoted, lint refuses a runbook that wants to, and it is exempt from invariant I1.
    allowed: asks the provider whether the roles have what `permissions` says, of all members: as `Preflight.preflight`,
    and beside it.
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
    shared: Mapping[str, Callable[[Resource, Topology, str], tuple[str, ...]]] = field(default_factory=dict)
    permissions: Callable[[Resource, Topology, Sequence[str]], Permissions] | None = None
    many_writers: bool = False
    allowed: Callable[[Resource, Topology], Known[tuple[str, ...]] | Unknown] | None = None

    def facts(self, verb: str, resource: Resource) -> VerbFacts:
        """What the provider says of `verb` on that resource; the cautious defaults where it says nothing."""
        said = self.verbs_of(resource) if self.verbs_of is not None else self.verbs
        return said.get(verb, VerbFacts())

    def shared_names(self, resource: Resource, topology: Topology) -> tuple[str, ...]:
        """All that some verb of this kind replaces as a whole, in whichever region."""
        named = [
            name for of in self.shared.values() for region in resource.members or ("",)
            for name in of(resource, topology, region)
        ]  # fmt: skip
        return tuple(dict.fromkeys(named))


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


@dataclass(frozen=True)
class Identity:
    """Who somebody is to a provider. account: as cloudfail.yaml writes it for a region; name: the provider's words."""

    account: str
    name: str


@runtime_checkable
class KnowsAccounts(Protocol):
    """A provider whose regions belong to accounts, and that can say in which one somebody acts."""

    def account_of(self, role: str) -> str:
        """In whose account a role acts, by its own name; "" where its name does not say that, and the role itself is to
        be asked. No call."""

    def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
        """Who is asking, as that role ("" is the process itself), in that region. Returns within seconds, whatever is
        lost, and changes nothing. The role that changes things is asked only where `account_of` does not say it, and
        with credentials that can only read, or by a session that sends nothing else."""


@runtime_checkable
class WritesPolicies(Protocol):
    """A provider that can say what its roles must be allowed, as its cloud takes it (`Kind.permissions`)."""

    def policy(self, grants: Mapping[str, Sequence[Grant]], role: str = "", does: str = "") -> Mapping[str, Any]:
        """One role's policy, ready for JSON. grants: by resource. Each statement says whose it is. role, does: whose it
        is, as `permissions.Needed` has it, for a cloud whose policies name it."""


@runtime_checkable
class WritesLogPolicies(Protocol):
    """A provider in whose stores a log may live, and that can say what whoever keeps it there must be allowed."""

    def log_policy(self, url: str) -> Mapping[str, Any]:
        """As `WritesPolicies.policy`, of the process itself. url: what `state:` says."""


@runtime_checkable
class WritesRoleFiles(Protocol):
    """A provider whose policies name files."""

    def role_files(self, policy: Mapping[str, Any]) -> Mapping[str, str]:
        """Name -> text of each file that the commands of that policy name."""


@runtime_checkable
class Discovers(Protocol):
    """A provider that can say what stands in its regions, from which a person makes a topology."""

    def discover(self, wanted: Wanted) -> Discovered:
        """What is there. It only reads, as that role; what does not answer is named in `unread`, and the rest is found
        all the same. The same world gives the same value. Raises Refused where a region or role is no such thing."""

    def discovery(self) -> Sequence[Grant]:
        """What a role must be allowed for it, in any region. No call."""
