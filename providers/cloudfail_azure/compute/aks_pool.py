"""compute: aks-pool. A node pool of Azure Kubernetes Service: its count, and the bounds of the cluster autoscaler.

With the autoscaler a count does not last, and a raised minimum is not always made at once: Microsoft's page says that
the autoscaler enforces it, and no longer that it does so after a change ("Use the cluster autoscaler in AKS"). So both
are ordered in one request: the bounds, and a count that is no less than the new minimum; `wanted` is what has both.
What is ordered less leaves the nodes to the autoscaler. Without it the count is ordered.

A pool is replaced as a whole (Agent Pools - Create Or Update) under the ETag that was seen: so what was sent late, or
beside somebody else, is refused, and both verbs are fenced by condition. AKS carries out one operation at a time on a
pool or its cluster, and refuses another one (409 OperationNotAllowed, "in progress"): that is looked at again. The
cluster's scale set is never written: AKS owns it, and puts back what others change.

`running` counts the nodes whose machines run, by the scale set on which they stand (Machines - List). Resource Manager
knows no more of them: a node that runs is not one whose kubelet is ready, nor a pod. So write the `url` of what runs
there, which must answer for them to count as healthy, or let `verify.users` stand behind the step.

A pool or cluster that is stopped runs nothing, wants nothing, and is not started by a count: the error says how. An
operation that failed is not taken for done, and is given again. Pools of single machines (`VirtualMachines`) and of
availability sets have no such count, and are refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.arm_errors import Answered
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute.groups import READ_SECONDS, UNCHANGED, Groups, Whole
from cloudfail_azure.compute.marks import Bounds
from cloudfail_azure.compute.options import AgentPoolMember
from cloudfail_azure.compute.quotas import ROOM_SECONDS, Machine, room_of
from cloudfail_azure.compute.sets import running
from cloudfail_azure.paths import group_of, name_of, parent_of

AKS = "2026-08-01"
"""API version of Microsoft.ContainerService."""
# Read-only, or of pools that are refused; nodeImageVersion was read-only until lately, and stays if it is left out.
_BY_AZURE = frozenset(
    {
        "eTag",
        "currentOrchestratorVersion",
        "provisioningState",
        "nodeImageVersion",
        "status",
        "virtualMachinesProfile",
        "virtualMachineNodesStatus",
    }
)
_ENDED = frozenset({"Succeeded", "Failed", "Canceled"})
_REFUSED_WHILE = "OperationNotAllowed"


@dataclass(frozen=True, kw_only=True)
class Pool(Whole):
    """properties: as they were read."""

    properties: Mapping[str, Any]


class AgentPools(Groups[AgentPoolMember, Pool]):
    """One pool in each region."""

    word = "node pool"
    unscaled = (
        "has no cluster autoscaler, so nothing scales it in.",
        "Take the step out of the runbook, or give the pool the autoscaler.",
    )

    def described(self, region: str, member: AgentPoolMember, *, within: float) -> Pool:
        until = self._asking.deadline(within)
        id_, cluster_id = member.pool, parent_of(member.pool)
        cluster = self._asking.read(region, cluster_id, AKS, within=within)
        if "location" not in cluster:
            raise Transient(f"Azure answers, and does not tell where {cluster_id} stands.")
        self.must_stand(region, id_, cluster["location"])
        read = self._asking.read(region, id_, AKS, within=self._asking.left_until(until))
        told = read.get("properties") or {}
        if "count" not in told:
            raise Transient(f"Azure answers, and does not tell the count of {id_}.")
        if told.get("type", "VirtualMachineScaleSets") != "VirtualMachineScaleSets":
            raise Permanent(f"{id_} is a pool of the type {told['type']}, which is not served.", UNCHANGED)
        count, state = int(told["count"]), str(told.get("provisioningState") or "Succeeded")
        scaled = bool(told.get("enableAutoScaling"))
        least, most = int(told.get("minCount") or 0), int(told.get("maxCount") or 0)
        stopped = _stopped(cluster_id, cluster.get("properties") or {}, id_, told)
        return Pool(
            id=id_,
            capacity=count,
            bounds=(Bounds(least, most, least),) if scaled else None,
            tags=told.get("tags") or {},
            kept=0 if stopped is not None else min(least, count) if scaled else None,
            moving=_moving(id_, state) or _moving(cluster_id, _state(cluster)),
            failed=state in ("Failed", "Canceled"),
            barred=stopped,
            properties=told,
        )

    def counted(self, region: str, member: AgentPoolMember, whole: Pool, *, within: float) -> tuple[int, int]:
        if whole.barred is not None:
            return 0, 0
        until = self._asking.deadline(within)
        listed = self._asking.pages(region, f"{whole.id}/machines", AKS, within=within)
        if not listed and whole.capacity and not whole.moving:
            raise Transient(f"{whole.id} is to have {whole.capacity} nodes, and none is listed.")
        machines = [str((one.get("properties") or {}).get("resourceId", "")) for one in listed]
        if not all("/virtualMachines/" in one for one in machines):
            raise Transient(f"AKS does not tell on which scale set the nodes of {whole.id} stand.")
        here = 0
        for set_ in dict.fromkeys(one.partition("/virtualMachines/")[0] for one in machines):
            here += len(running(self._asking, region, set_, within=self._asking.left_until(until))[1])
        return here, here if here and self.answers(region, member.url) else 0

    def order(
        self, region: str, whole: Pool, bounds: Sequence[Bounds], tags: Mapping[str, str], call: Call, until: float
    ) -> None:
        body = {"properties": written_back(whole.properties, bounds[0], tags)}
        etag = str(whole.properties.get("eTag") or "")
        if not etag:
            raise Transient(f"AKS does not tell the ETag of {whole.id}, and nothing is ordered without it.")
        try:
            self.send(region, "PUT", whole.id, AKS, body, call, until, if_match=etag)
        except Permanent as error:
            said = error.__cause__.said if isinstance(error.__cause__, Answered) else None
            if said is not None and said.code == _REFUSED_WHILE and "in progress" in said.message.lower():
                raise Transient(f"{whole.id}: {error}") from error
            raise

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom. A pool begins machines of one size."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            pool = self.described(region, self.member(region), within=READ_SECONDS)
            if pool.properties.get("scaleSetPriority", "Regular") != "Regular":
                raise Transient(f"{pool.id} runs Spot instances, whose quota is not compared.")
            size, held = pool.properties.get("vmSize"), pool.properties.get("capacityReservationGroupID")
            machine = Machine(str(size), str(held or ""))
            own = 0 if pool.barred is not None else pool.capacity
            left = self._asking.left_until(until)
            return Known(room_of(self._asking, region, pool.id, machine, own, within=left), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)


def _state(cluster: Mapping[str, Any]) -> str:
    return str((cluster.get("properties") or {}).get("provisioningState") or "Succeeded")


def _moving(id_: str, state: str) -> str:
    return "" if state in _ENDED else f"AKS says of {name_of(id_)} that it is {state}"


def _stopped(cluster_id: str, cluster: Mapping[str, Any], id_: str, pool: Mapping[str, Any]) -> tuple[str, str] | None:
    group = group_of(cluster_id)
    if (cluster.get("powerState") or {}).get("code") == "Stopped":
        to_do = f"Start it: az aks start --resource-group {group} --name {name_of(cluster_id)}"
        return f"The cluster {cluster_id} is stopped.", to_do
    if (pool.get("powerState") or {}).get("code") == "Stopped":
        to_do = (
            f"Start it: az aks nodepool start --resource-group {group} --cluster-name {name_of(cluster_id)} "
            f"--nodepool-name {name_of(id_)}"
        )
        return f"The node pool {id_} is stopped.", to_do
    return None


def written_back(told: Mapping[str, Any], bound: Bounds, tags: Mapping[str, str]) -> dict[str, Any]:
    """All that a pool's properties said, with that bound and those tags. A count left out would be 1, and one that is
    not within the bounds may be refused: so a maximum goes back no further than to the nodes that there are."""
    kept = {key: value for key, value in told.items() if key not in _BY_AZURE and value is not None}
    if "localDNSProfile" in kept:
        kept["localDNSProfile"] = {key: value for key, value in kept["localDNSProfile"].items() if key != "state"}
    if not told.get("enableAutoScaling"):
        return kept | {"count": bound.least, "tags": tags}
    count = max(int(told["count"]), bound.least)
    return kept | {"count": count, "minCount": bound.least, "maxCount": max(bound.most, count), "tags": tags}


def build(resource: Resource, topology: Topology) -> AgentPools:
    """Kind.build."""
    members = {region: AgentPoolMember.model_validate(member) for region, member in resource.members.items()}
    return AgentPools(Asking.of(resource, topology), members)
