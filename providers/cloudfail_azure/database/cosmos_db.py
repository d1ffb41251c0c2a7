"""database: cosmos-db. An account of Cosmos DB for NoSQL with one write region, and others that it may move to.

Azure says which region is to take writes; a region that let one in does. Resource Manager is asked for what only it
knows: which region comes next, whether something is under way, and whether an order was taken. Both planes are asked in
the region that is meant to take over, and neither waits for the one that is lost.

There is no fence. Azure itself keeps the writer single, and offers no lever that shuts one region:
`publicNetworkAccess`, `ipRules` and the keys are the whole account's, so that they would shut the new region too. What
is seen is said: a region that refused a write over both connections is proven to take none; any other is owed, unless
the account is strongly consistent between two regions, of which neither acknowledges without the other.

What a forced failover loses is bound by the account's consistency alone. Each partition is replicated by itself, so
that a heartbeat is a sample of one of them, and no bound.
"""

from __future__ import annotations

import contextlib
import time

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceOutcome, FenceState, LossBound, Progress, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.cosmos_accounts import BOUNDED, STRONG, SUCCEEDED, Account, Accounts
from cloudfail_azure.database.cosmos_documents import Documents
from cloudfail_azure.database.cosmos_moves import Moves, state_of
from cloudfail_azure.database.cosmos_options import CosmosMember, CosmosOptions
from cloudfail_azure.database.cosmos_plane import CosmosPlane, Sight
from cloudfail_azure.database.cosmos_readiness import many_writers, sentences
from cloudfail_azure.marks import refuse_older
from cloudfail_databases.data_plane import Tried

_SHARE = 3.0
"""What a control plane that says nothing may take of a look's time, as a divisor."""


class CosmosDb:
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        options = CosmosOptions.model_validate(dict(resource.options))
        self._members = {region: CosmosMember.model_validate(one) for region, one in resource.members.items()}
        asked = asking if asking is not None else Asking.of(resource, topology)
        endpoints = {region: one.endpoint for region, one in self._members.items()}
        documents = Documents(asked, endpoints, options.documents, seconds=float(options.answer_within))
        self.plane = CosmosPlane(documents, stale_seconds=float(options.heartbeat_stale))
        self.accounts = Accounts(asked, options.account, seconds=float(options.api_within))
        self._moves = Moves(self.accounts, self.plane)

    def close(self) -> None:
        """End every connection."""
        self.plane.documents.close()

    # ---- what is seen

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._members:
            return self._no_member(region)
        try:
            seen = self.plane.look(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        account: Account | None = None
        with contextlib.suppress(CloudfailError):
            account = self.accounts.describe(region)
        if account is not None and account.many:
            return Unknown(many_writers(account), at)
        return Known(self._state(region, seen, account), at)

    def _state(self, region: str, seen: Sight, account: Account | None) -> DatabaseState:
        writer = account.writes[0] if account is not None and account.writes else None
        upstream = writer if writer != region and writer in self._members and not seen.gone else None
        lag = None
        if not seen.takes_writes and upstream is not None:
            strong = account is not None and account.consistency == STRONG
            lag = 0.0 if strong else self.plane.lag(region, upstream)
        return DatabaseState(
            role=Role.PRIMARY if seen.takes_writes else Role.REPLICA,
            writable=seen.takes_writes,
            position=0,
            lag_seconds=lag,
            upstream=None if seen.takes_writes else upstream,
            moving=_moving(region, seen, account),
            version=_version(region, seen, account),
            epoch=seen.epoch,
        )

    def beat(self, region: str) -> Known[float] | Unknown:
        return self.plane.beat(region) if region in self._members else self._no_member(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """By the account's consistency ("Consistency levels", "Consistency levels and data durability")."""
        if source not in self._members or target not in self._members:
            return LossBound(None, None, (f"this database has no member in {source} or {target}",))
        try:
            account = self.accounts.describe(target)
        except CloudfailError as error:
            return LossBound(None, None, (f"the account's consistency cannot be read: {error}",))
        if account.many:
            return LossBound(None, None, (many_writers(account),))
        if account.consistency == STRONG:
            return LossBound(0.0, 0.0, ("it is strongly consistent: a write is acknowledged once regions hold it",))
        if account.consistency == BOUNDED and account.interval_seconds > 0:
            seconds = account.interval_seconds
            said = f"bounded staleness: writes wait where another region is {seconds:.0f} s behind"
            return LossBound(seconds, seconds, (said,))
        held = self.plane.held(target, source)
        age = "none" if held is None else f"{max(0.0, time.time() - held):.1f} s ago"
        parts = (
            f"consistency {account.consistency or 'unknown'} bounds no loss (Microsoft: less than 15 minutes)",
            f"newest heartbeat replicated: {age}; it is of one partition, and others may be further behind",
        )
        return LossBound(None, None, parts)

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        at = time.time()
        if source not in self._members:
            return self._no_member(source)
        # Both are tried, the kept one first: it is there since before.
        proofs = [self.plane.documents.tried(source, f"look#{source}", kept=kept) for kept in (True, False)]
        evidence = f"from here to {self.plane.documents.place(source)}: " + "; ".join(one.words for one in proofs)
        if all(one.tried is Tried.REFUSED for one in proofs):
            return Known(FenceState(FenceOutcome.PROVEN, evidence, "proven"), at)
        try:
            account = self.accounts.describe(target if target in self._members else source)
        except CloudfailError as error:
            account, evidence = None, f"{evidence}; nor does its control plane tell: {error}"
        if account is not None and account.consistency == STRONG and set(account.there) == {source, target}:
            words = f"{account.name} is strongly consistent between two regions: neither acknowledges without the other"
            return Known(FenceState(FenceOutcome.PREVENTED, f"{words}; {evidence}", "prevented"), at)
        words = "Azure keeps the writer single by itself, and has no fence for one region"
        return Known(FenceState(FenceOutcome.OWED, f"{words}; {evidence}", "owed"), at)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self.plane.read_canary(region, token) if region in self._members else self._no_member(region)

    # ---- verbs

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        self._member(region)
        self.plane.write_canary(region, token, call)

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        """Of an account whose writer is elsewhere nothing is left to do; of another nothing can be done."""
        seen = self.fence_state(source, target)
        if isinstance(seen, Known) and seen.value.outcome in (FenceOutcome.PROVEN, FenceOutcome.PREVENTED):
            return
        raise Permanent(
            f"Azure has no fence for one region of {self.accounts.name}: its rules and keys are those of all regions.",
            "Nothing was changed.",
            "Write `unreachable: owe` at the step, and accept the fence that is owed when it is asked for.",
        )

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        """There is none to lift."""

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        if source == target:
            raise Permanent(
                f"{source} cannot be failed over to itself.", "Nothing was changed.", "Name another region."
            )
        self._member(source)
        self._member(target)
        try:
            seen = self.plane.look(target)
        except OutcomeUnknown as error:
            raise Transient(f"{target} does not answer: {error}") from error
        if seen.takes_writes:
            return
        refuse_older(seen.epoch, call, f"The account, as {target} shows it,")
        try:
            account = self.accounts.describe(target, within=timed.seconds)
        except OutcomeUnknown as error:
            raise Transient(f"What {self.accounts.name} is cannot be read: {error}") from error
        if account.many:
            raise Permanent(many_writers(account), "Nothing was changed.")
        if account.state != SUCCEEDED:
            # One that was ordered before comes by itself, and is nothing to order again.
            raise Transient(f"Nothing can be ordered now: {state_of(account)}.")
        if account.writes == (target,):
            return
        if _version(target, seen, account) != expect.version:
            raise Conflict(f"{target} is {_version(target, seen, account)}, not {expect.version} as it was seen.")
        self._order(source, target, account, timed.rest())

    def _order(self, source: str, target: str, account: Account, call: Call) -> None:
        if account.writes != (source,):
            raise Permanent(
                f"Azure says that {', '.join(account.writes) or 'no region'} takes the writes of {account.name}, and "
                f"not {source}.",
                "Nothing was changed.",
                "Look at it: cloudfail status. Then leave the region that it is.",
            )
        follows = account.next_after(source)
        if follows != target:
            raise Permanent(
                f"Without {source} Azure lets {follows or 'no region'} take writes of {account.name}, not {target}.",
                "Nothing was changed.",
                f"Go there instead, or, once all regions are well, make {target} the next one: az cosmosdb "
                f"failover-priority-change --ids {account.id} --failover-policies {_policies(account, source, target)}",
            )
        self.accounts.take_offline(source, target, account, call)
        call.log(
            f"{account.named(source)} is taken out of {account.name}, and {account.named(target)} takes its writes; "
            f"what was not replicated is lost. Microsoft brings {source} back, as a region that reads, in three days "
            "or more"
        )

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._moves.switchover_state(source, target)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        self._moves.switchover(source, target, expect, call)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._moves.follow_state(region, upstream)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        self._moves.follow(region, upstream, expect, call)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            account = self.accounts.describe(next(iter(self._members)))
            if account.many:
                return Known((many_writers(account),), at)
            found = sentences(account, self._members)
            for region in self._members:
                self.plane.look(region)
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(found, at)

    def _member(self, region: str) -> None:
        if region not in self._members:
            raise Permanent(f"This database has no member in {region}.")

    @staticmethod
    def _no_member(region: str) -> Unknown:
        return Unknown(f"this database has no member in {region}", time.time())


def _moving(region: str, seen: Sight, account: Account | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or account is None:
        return ""
    if account.state != SUCCEEDED:
        return state_of(account)
    if account.writes == (region,):
        return f"Azure says that {region} takes the writes of {account.name}; it takes none yet"
    return ""


def _version(region: str, seen: Sight, account: Account | None) -> str:
    role = "primary" if seen.takes_writes else "gone" if seen.gone else "replica"
    return f"{region}/{role}/api={account.version if account is not None else '?'}"


def _policies(account: Account, source: str, target: str) -> str:
    rest = [one for one in account.priorities if one not in (source, target)]
    return " ".join(f"{region}={priority}" for priority, region in enumerate((source, target, *rest)))


def build(resource: Resource, topology: Topology) -> CosmosDb:
    """Kind.build."""
    return CosmosDb(resource, topology)
