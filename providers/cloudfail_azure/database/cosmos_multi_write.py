"""database: cosmos-db-multi-write. An account of Cosmos DB for NoSQL that takes writes in each of its regions.

So there is nothing to promote, and nothing to fence. A write is acknowledged by the region that took it, and brought to
the others afterwards; what had not arrived is not gone, but comes when that region is back, and conflicts are then
resolved as each container says (the later one stays, if nothing else was chosen). Each partition is replicated by
itself, so that a heartbeat that arrived is a sample, and no bound for others.

Source: "Multi-region writes in Azure Cosmos DB", "Conflict types and resolution policies".
"""

from __future__ import annotations

import time

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, LossBound, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.cosmos_accounts import Account, Accounts
from cloudfail_azure.database.cosmos_documents import Documents
from cloudfail_azure.database.cosmos_options import CosmosMember, CosmosOptions
from cloudfail_azure.database.cosmos_plane import CosmosPlane
from cloudfail_azure.database.cosmos_readiness import of_all
from cloudfail_databases.many_writers import ManyWriters


class CosmosMultiWrite(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`); ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        super().__init__(resource.name, "an account of Cosmos DB")
        options = CosmosOptions.model_validate(dict(resource.options))
        self._members = {region: CosmosMember.model_validate(one) for region, one in resource.members.items()}
        asked = asking if asking is not None else Asking.of(resource, topology)
        endpoints = {region: one.endpoint for region, one in self._members.items()}
        documents = Documents(asked, endpoints, options.documents, seconds=float(options.answer_within), many=True)
        self.plane = CosmosPlane(documents, stale_seconds=float(options.heartbeat_stale))
        self.accounts = Accounts(asked, options.account, seconds=float(options.api_within))

    def close(self) -> None:
        """End every connection."""
        self.plane.documents.close()

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Whether a write is let in there now."""
        at = time.time()
        if region not in self._members:
            return self._no_member(region)
        try:
            seen = self.plane.look(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        version = f"{region}/{'rw' if seen.takes_writes else 'refused'}"
        return Known(
            DatabaseState(
                Role.PRIMARY, seen.takes_writes, 0, lag_seconds=self._lag(region), moving=seen.refusal, version=version
            ),
            at,
        )

    def _lag(self, region: str) -> float | None:
        """What it lacks of the others' writes, by their heartbeats."""
        lags = [self.plane.lag(region, other) for other in self._members if other != region]
        known = [lag for lag in lags if lag is not None]
        return max(known) if known and len(known) == len(lags) else None

    def beat(self, region: str) -> Known[float] | Unknown:
        return self.plane.beat(region) if region in self._members else self._no_member(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """What `target` lacks of what was acknowledged in `source`, by the newest heartbeat that it holds."""
        if source not in self._members or target not in self._members:
            return LossBound(None, None, (f"this database has no member in {source} or {target}",))
        held = self.plane.held(target, source)
        if held is None:
            return LossBound(None, None, (f"{target} shows no heartbeat of {source}",))
        alive = max(0.0, time.time() - held)
        parts = [f"newest heartbeat replicated: {alive:.1f} s ago, of one partition: others may be further behind"]
        if isinstance(acknowledged, Unknown):
            parts.append(f"newest heartbeat acknowledged: unknown ({acknowledged.reason})")
            return LossBound(None, alive, tuple(parts))
        return LossBound(max(0.0, acknowledged.value - held), alive, tuple(parts))

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self.plane.read_canary(region, token) if region in self._members else self._no_member(region)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        if region not in self._members:
            raise Permanent(f"This database has no member in {region}.")
        self.plane.write_canary(region, token, call)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            account = self.accounts.describe(next(iter(self._members)))
            found = (*of_all(account, self._members), *_one_writer(account))
            for region in self._members if not found else ():
                self.plane.look(region)
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(found, at)

    @staticmethod
    def _no_member(region: str) -> Unknown:
        return Unknown(f"this database has no member in {region}", time.time())


def _one_writer(account: Account) -> tuple[str, ...]:
    if account.many:
        return ()
    writers = ", ".join(account.writes) or "no region"
    return (f"{account.name} takes writes in {writers} alone: write `database: cosmos-db`.",)


def build(resource: Resource, topology: Topology) -> CosmosMultiWrite:
    """Kind.build."""
    return CosmosMultiWrite(resource, topology)
