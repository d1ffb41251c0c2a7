"""Flexible servers as Resource Manager has them: what it says, and the requests that change them.

Nothing here says whether a server takes writes: `state` "doesn't mean that the server is fully operational at the data
plane level" (azure-mgmt-postgresqlflexibleservers, ServerState). One operation at a time is under way on a server, and
it is no longer Ready until then, which is all that an order whose answer was lost is found by: there is no list of
operations, and what a promotion was ordered with is written and never read back.

There are two promotions, and a server gets the one that fits what exists. "Switchover" exchanges the roles, for which
a pair of virtual endpoints must lead to both, the reader to the replica; what the old primary alone holds is gone, and
Azure makes it a replica once it is there again. "Standalone" ends the replication for good. "Planned" waits for the
replica to have everything; "Forced" does not.

A server has no ETag. The mark is a tag, written by itself before the order, and read back.

Sources: API 2026-10-01 of Microsoft.DBforPostgreSQL; "Promote read replicas", "Virtual endpoints for read replicas" and
"Read replicas in Azure Database for PostgreSQL" (learn.microsoft.com/azure/postgresql/read-replica/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.marks import epoch_in, mark, refuse_older
from cloudfail_azure.paths import must_stand, name_of, same
from cloudfail_azure.under_way import followed

API = "2026-10-01"
READY, BROKEN = "Ready", "Broken"
SWITCHOVER, STANDALONE = "Switchover", "Standalone"
PLANNED, FORCED = "Planned", "Forced"
_REPLICAS = ("AsyncReplica", "GeoAsyncReplica", "Replica")  # the last is MySQL's word
FOLLOW_SECONDS = 3.0
"""For so long an order that was taken is looked at, so that one which fails at once is told in Azure's words."""


@dataclass(frozen=True)
class Server:
    """One answer of servers.get. role: `replicationRole`; source: the id of the server that it replicates, "" for
    none; replication: `replicationState`, of a replica alone. properties, sku: as they were told."""

    id: str
    state: str
    role: str
    source: str
    replication: str
    tags: Mapping[str, str]
    sku: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def name(self) -> str:
        return name_of(self.id)

    @property
    def replica(self) -> bool:
        return self.role in _REPLICAS

    @property
    def epoch(self) -> int | None:
        return epoch_in(self.tags)

    @property
    def public(self) -> bool:
        return str((self.properties.get("network") or {}).get("publicNetworkAccess", "")) == "Enabled"

    @property
    def subnet(self) -> str:
        """The subnet that is delegated to it; "" where it stands in none."""
        return str((self.properties.get("network") or {}).get("delegatedSubnetResourceId") or "")

    @property
    def version(self) -> str:
        return f"{self.role}/{self.state}/{name_of(self.source) or '-'}"


@dataclass(frozen=True)
class Pair:
    """A pair of virtual endpoints. members: the names of the servers that they lead to; names: their own, in DNS."""

    name: str
    members: tuple[str, ...]
    names: tuple[str, ...]

    def leads_to(self, server: str) -> bool:
        return any(same(one, server) for one in self.members)


class Servers:
    """The servers of one resource: region -> id. api: the version of their provider's API."""

    api: ClassVar[str] = API

    def __init__(self, asking: Asking, ids: Mapping[str, str], *, seconds: float) -> None:
        self.asking = asking
        self._ids = ids
        self.seconds = seconds

    def id(self, region: str) -> str:
        if region not in self._ids:
            raise Permanent(f"This database has no member in {region}.")
        return self._ids[region]

    def name(self, region: str) -> str:
        return name_of(self.id(region))

    def region_of(self, id_: str) -> str | None:
        """Where our member with that id stands; None for nobody of ours."""
        return next((region for region, own in self._ids.items() if id_ and same(own, id_)), None)

    def describe(self, region: str) -> Server:
        """Raises Transient, Permanent, OutcomeUnknown."""
        id_ = self.id(region)
        told = self.asking.read(region, id_, self.api, within=self.seconds)
        properties = told.get("properties") or {}
        if not same(str(told.get("id", "")), id_) or not properties.get("state") or "location" not in told:
            raise Transient(f"Azure answers, and does not tell what {name_of(id_)} is.")
        # A replica in the region that is lost is no way out of it, and zones are Azure's own.
        must_stand(
            f"The server {name_of(id_)}",
            region,
            str(told["location"]),
            self.asking.resource.name,
            hint="Between the zones of one region Azure fails over by itself, where high availability is on.",
        )
        replica = properties.get("replica") or {}
        role = str(properties.get("replicationRole") or replica.get("role") or "None")
        return Server(
            id_,
            str(properties["state"]),
            role,
            str(properties.get("sourceServerResourceId") or "") if role in _REPLICAS else "",
            str(replica.get("replicationState") or "") if role in _REPLICAS else "",
            {str(key): str(value) for key, value in (told.get("tags") or {}).items()},
            told.get("sku") or {},
            properties,
        )

    def pairs(self, region: str, *, within: float | None = None) -> tuple[Pair, ...]:
        """As the member there tells them. Raises as `describe`."""
        path = f"{self.id(region)}/virtualendpoints"
        listed = self.asking.pages(region, path, self.api, within=self.seconds if within is None else within)
        return tuple(map(_pair, listed))

    def pair(self, source: str, target: str, *, within: float | None = None) -> Pair | None:
        """The one by which the target may be switched over to; None where Azure says that there is none. They belong to
        the primary, which may be lost: so the target is asked first, though it need not tell. Raises as `describe`
        where nobody tells of one, and the source does not answer."""
        for region in (target, source):
            try:
                found = self.pairs(region, within=within)
            except CloudfailError:
                if region == source:
                    raise
                continue
            for one in found:
                if one.leads_to(self.name(target)):
                    return one
        return None

    def replicas(self, region: str) -> tuple[str, ...]:
        """The ids of what replicates the member there."""
        listed = self.asking.pages(region, f"{self.id(region)}/replicas", self.api, within=self.seconds)
        return tuple(str(one.get("id", "")) for one in listed)

    def mark(self, region: str, server: Server, command: str, call: Call) -> None:
        """Before what it stands for. command: what does that by hand."""
        if server.epoch == call.epoch:
            return
        try:
            self.tag(region, server, {}, call)
        except Permanent as error:
            raise Permanent(
                f"Azure does not take the epoch's mark on {server.name}: {error.happened}",
                "Nothing was moved.",
                f"If that cannot be mended, see that nobody else moves it, and: {command}",
            ) from error

    def promote(self, region: str, server: Server, mode: str, option: str, call: Call) -> None:
        """The order, under the mark. With "Forced", what was not replicated is lost."""
        timed = TimeLeft(call)
        body = {"properties": {"replica": {"promoteMode": mode, "promoteOption": option}}}
        reply = self.asking.change(region, "PATCH", server.id, self.api, call=timed.rest(), body=body)
        within = min(FOLLOW_SECONDS, timed.seconds)
        followed(self.asking, region, reply, f"{mode} ({option}) of {server.name}", within=within)

    def tag(self, region: str, server: Server, noted: Mapping[str, str], call: Call) -> None:
        """Write tags, the mark with them, and read them back. The whole map is sent, in which what is done with is
        empty: it is the same whether Azure replaces the map or merges it. Raises OutcomeUnknown where the end is not
        seen in the call's time, Conflict where a newer run's mark is found."""
        timed = TimeLeft(call)
        refuse_older(server.epoch, call, f"{server.name} in {region}")
        tags = {**server.tags, **mark(call), **noted}
        reply = self.asking.change(region, "PATCH", server.id, self.api, call=timed.rest(), body={"tags": tags})
        try:
            ended = followed(self.asking, region, reply, f"tags of {server.name}", within=timed.seconds)
            now = self.describe(region)
        except (Transient, Permanent) as error:
            # It was sent: that it cannot be looked at says nothing of what became of it.
            raise OutcomeUnknown(f"The tags of {server.name} are being changed; {error}") from error
        refuse_older(now.epoch, call, f"{server.name} in {region}")
        if not ended or now.state != READY:
            raise OutcomeUnknown(f"The tags of {server.name} are being changed; Azure says that it is {now.state}.")
        if any(now.tags.get(key, "") != value for key, value in {**mark(call), **noted}.items()):
            raise OutcomeUnknown(f"The tags of {server.name} were changed, and are not what this run wrote.")


def by_hand(id_: str, mode: str, option: str) -> str:
    """The command of a promotion."""
    return (
        f"az postgres flexible-server replica promote --ids {id_} --promote-mode {mode.lower()} "
        f"--promote-option {option.lower()}"
    )


def _pair(told: Mapping[str, Any]) -> Pair:
    properties = told.get("properties")
    if not isinstance(properties, Mapping):
        raise Transient("Azure answers, and does not tell where the virtual endpoints lead to.")
    members = tuple(str(one) for one in properties.get("members") or ())
    return Pair(str(told.get("name", "")), members, tuple(str(one) for one in properties.get("virtualEndpoints") or ()))
