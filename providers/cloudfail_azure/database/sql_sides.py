"""Failover groups and replication links as Resource Manager has them: what it says, and the orders that move them.

Whatever the shape, each side has an object of its own, which says its own role, and every failover is ordered on the
*secondary*: "failover" waits until it holds everything, "forceFailoverAllowDataLoss" does not, and of groups of servers
"tryPlannedBeforeForcedFailover" is the first, and then the second if that fails. What they are on has no tags that the
secondary may write ("Modifications to the failover group are not allowed on a secondary server"), and no ETag: the mark
of the epoch is a row in the databases themselves.

That an order is under way, nothing says that can be read: a second one is refused meanwhile (FailoverGroupBusy).

Sources: API 2025-01-01 of Microsoft.Sql, its errors; "Failover groups overview & best practices" of Azure SQL Database
and of Azure SQL Managed Instance; "Active geo-replication".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import group_of, must_stand, name_of, parent_of, plain_region, same
from cloudfail_azure.under_way import followed

API = "2025-01-01"
PRIMARY, SECONDARY = "Primary", "Secondary"
PLANNED, PLANNED_FIRST, FORCED = "failover", "tryPlannedBeforeForcedFailover", "forceFailoverAllowDataLoss"
BEHIND = ("PENDING", "SEEDING", "SUSPENDED")
"""States of the replication in which the secondary does not follow."""
FOLLOW_SECONDS = 3.0
"""For so long an order that was taken is looked at, so that one which fails at once is told in Azure's words."""


@dataclass(frozen=True)
class Side:
    """What one member says of itself. path: what an order is sent below of. partners: who is on the other side, as
    this shape names them. policy, grace_minutes: of Azure's own failover, "" where there is none. databases: their
    names, as far as it tells them."""

    name: str
    path: str
    role: str
    state: str
    partners: tuple[str, ...]
    policy: str = ""
    grace_minutes: int | None = None
    databases: tuple[str, ...] = ()

    @property
    def secondary(self) -> bool:
        return self.role == SECONDARY

    @property
    def version(self) -> str:
        return f"{self.role}/{self.state or '-'}"


class Sides(ABC):
    """The members of one resource: region -> id."""

    first = PLANNED
    """What a failover begins with that is to be tried without loss."""

    def __init__(self, asking: Asking, ids: Mapping[str, str], *, seconds: float) -> None:
        self.asking = asking
        self._ids = ids
        self.seconds = seconds

    @abstractmethod
    def side(self, region: str, *, within: float | None = None) -> Side:
        """Raises Transient, Permanent, OutcomeUnknown."""

    @abstractmethod
    def called(self, region: str) -> str:
        """How the other side names this member among its partners."""

    @abstractmethod
    def by_hand(self, region: str, order: str) -> str:
        """The command of an order."""

    @abstractmethod
    def manual(self, region: str) -> str:
        """The command that takes the failover out of Azure's own hands; "" where it is never in them."""

    def amiss(self, region: str) -> tuple[str, ...]:
        """Sentences of what is wrong with a member, beyond what `side` says of it."""
        return ()

    def id(self, region: str) -> str:
        if region not in self._ids:
            raise Permanent(f"This database has no member in {region}.")
        return self._ids[region]

    def upstream(self, side: Side) -> str | None:
        """In which region our member stands that this one replicates; None for nobody of ours."""
        if not side.secondary:
            return None
        return next((one for one in self._ids if any(same(self.called(one), other) for other in side.partners)), None)

    def order(self, region: str, side: Side, what: str, call: Call) -> None:
        """The order, on that side. With FORCED, and where PLANNED_FIRST comes to it, what was not replicated is
        lost."""
        timed = TimeLeft(call)
        reply = self.asking.change(region, "POST", f"{side.path}/{what}", API, call=timed.rest())
        within = min(FOLLOW_SECONDS, timed.seconds)
        followed(self.asking, region, reply, f"{what} of {side.name}", within=within)

    def _read(self, region: str, path: str, within: float | None) -> dict[str, Any]:
        return self.asking.read(region, path, API, within=self.seconds if within is None else within)

    def _told(self, region: str, within: float | None) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Of a group: the answer, and its properties, in which a role is told."""
        id_ = self.id(region)
        told = self._read(region, id_, within)
        properties = told.get("properties") or {}
        if properties.get("replicationRole") not in (PRIMARY, SECONDARY):
            raise Transient(f"Azure answers, and does not tell what {name_of(id_)} is in {region}.")
        return told, properties


def _endpoint(properties: Mapping[str, Any]) -> tuple[str, int | None]:
    told = properties.get("readWriteEndpoint") or {}
    minutes = told.get("failoverWithDataLossGracePeriodMinutes")
    return str(told.get("failoverPolicy") or ""), int(minutes) if minutes is not None else None


class ServerGroups(Sides):
    """failoverGroups of logical servers. A partner is the id of the other server."""

    first = PLANNED_FIRST

    def side(self, region: str, *, within: float | None = None) -> Side:
        told, properties = self._told(region, within)
        id_ = self.id(region)
        if location := str(told.get("location") or ""):
            must_stand(f"The server {name_of(parent_of(id_))}", region, location, self.asking.resource.name)
        policy, minutes = _endpoint(properties)
        return Side(
            f"{name_of(id_)} on {name_of(parent_of(id_))}",
            id_,
            str(properties["replicationRole"]),
            str(properties.get("replicationState") or ""),
            tuple(str(one.get("id") or "") for one in properties.get("partnerServers") or ()),
            policy,
            minutes,
            tuple(name_of(str(one)) for one in properties.get("databases") or ()),
        )

    def called(self, region: str) -> str:
        return parent_of(self.id(region))

    def by_hand(self, region: str, order: str) -> str:
        more = {FORCED: " --allow-data-loss", PLANNED_FIRST: " --try-planned-before-forced-failover"}
        return f"az sql failover-group set-primary {self._where(region)}{more.get(order, '')}"

    def manual(self, region: str) -> str:
        return f"az sql failover-group update {self._where(region)} --failover-policy Manual"

    def _where(self, region: str) -> str:
        id_ = self.id(region)
        return f"--name {name_of(id_)} --server {name_of(parent_of(id_))} --resource-group {group_of(id_)}"


class InstanceGroups(Sides):
    """instanceFailoverGroups of a region. A partner is a region."""

    def side(self, region: str, *, within: float | None = None) -> Side:
        id_ = self.id(region)
        location = name_of(parent_of(id_))
        must_stand(f"The failover group {name_of(id_)}", region, location, self.asking.resource.name)
        _, properties = self._told(region, within)
        policy, minutes = _endpoint(properties)
        return Side(
            f"{name_of(id_)} in {region}",
            id_,
            str(properties["replicationRole"]),
            str(properties.get("replicationState") or ""),
            tuple(plain_region(str(one.get("location") or "")) for one in properties.get("partnerRegions") or ()),
            policy,
            minutes,
        )

    def called(self, region: str) -> str:
        return region

    def by_hand(self, region: str, order: str) -> str:
        return (
            f"az sql instance-failover-group set-primary {self._where(region)}"
            f"{' --allow-data-loss' if order == FORCED else ''}"
        )

    def manual(self, region: str) -> str:
        return f"az sql instance-failover-group update {self._where(region)} --failover-policy Manual"

    def _where(self, region: str) -> str:
        id_ = self.id(region)
        return f"--name {name_of(id_)} --location {region} --resource-group {group_of(id_)}"


class Links(Sides):
    """replicationLinks of databases by themselves. A partner is "server/database"."""

    def side(self, region: str, *, within: float | None = None) -> Side:
        id_ = self.id(region)
        path = f"{id_}/replicationLinks"
        listed = self.asking.pages(region, path, API, within=self.seconds if within is None else within)
        others = [self.called(one) for one in self._ids if one != region]
        for link in listed:
            told = link.get("properties") or {}
            partner = f"{told.get('partnerServer')}/{told.get('partnerDatabase')}"
            if not any(same(partner, one) for one in others):
                continue
            role = str(told.get("role") or "")
            if role not in (PRIMARY, SECONDARY) or not link.get("name"):
                raise Transient(f"Azure answers, and does not tell the role of {name_of(id_)} in {region}.")
            state = str(told.get("replicationState") or "")
            return Side(self._name(region), f"{path}/{link['name']}", role, state, (partner,))
        raise Permanent(
            f"{self._name(region)} has no replication link to another member of this database.",
            "Nothing was changed.",
            f"Make one: az sql db replica create --name {name_of(id_)} --server {name_of(parent_of(id_))} "
            f"--resource-group {group_of(id_)} --partner-server OTHER",
        )

    def called(self, region: str) -> str:
        id_ = self.id(region)
        return f"{name_of(parent_of(id_))}/{name_of(id_)}"

    def amiss(self, region: str) -> tuple[str, ...]:
        told = self._read(region, self.id(region), None)
        found = plain_region(str(told.get("location") or ""))
        group = str((told.get("properties") or {}).get("failoverGroupId") or "")
        said = []
        if found and found != region:
            said.append(f"The database {self._name(region)} that is written for {region} stands in {found}.")
        if group:
            said.append(
                f"{self._name(region)} is in the failover group {name_of(group)}, which moves it with all others: "
                "write `database: sql-failover-group`."
            )
        return tuple(said)

    def by_hand(self, region: str, order: str) -> str:
        id_ = self.id(region)
        return (
            f"az sql db replica set-primary --name {name_of(id_)} --server {name_of(parent_of(id_))} "
            f"--resource-group {group_of(id_)}{' --allow-data-loss' if order == FORCED else ''}"
        )

    def manual(self, region: str) -> str:
        return ""

    def _name(self, region: str) -> str:
        id_ = self.id(region)
        return f"{name_of(id_)} on {name_of(parent_of(id_))}"
