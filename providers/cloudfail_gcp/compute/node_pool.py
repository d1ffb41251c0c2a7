"""compute: gke-node-pool. A node pool of GKE: its size, its autoscaler's bounds, and the instance groups it stands on.

A floor alone makes no node. The autoscaler acts when a pod has no room, and does not enforce its bounds (Kubernetes
autoscaler, issue 2288; a later option to do so is off by default). A size alone does not last: it takes idle nodes
away again. So both are ordered: the bounds first (`setAutoscaling`), then the size (`setSize`), and `wanted` counts
what has both. One that is left half done is found so, and ordered again.

`setSize` is for each zone: a count is rounded up to a multiple of the zones, and no zone is made smaller than the
largest already is. Going back to a smaller count takes back the floor, and leaves it to the autoscaler to empty nodes;
without an autoscaler the size goes back. A ceiling that was raised stays.

GKE carries out one operation at a time on a pool or its cluster, and refuses another (FAILED_PRECONDITION, with no
effect): that is looked at again. An operation that is DONE completes nothing; instances are counted through the pool's
groups, as `instance-group` counts them. A node that runs is not one whose kubelet is ready, nor a pod: name the backend
services whose backends are the groups, or let `verify.users` stand behind it.

Scale-in is held by a floor that is no lower than the size, and above the one of other days. Nothing in a pool can carry
a note without a further operation on it, so what that is stands in cloudfail.yaml, and letting go puts it back. No
request has a condition, and no epoch is carried: both verbs are repaired by watching.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.compute.groups import healthy, running
from cloudfail_gcp.compute.options import NodePoolMember, region_at
from cloudfail_gcp.compute.pools import Pool, pool_at, under_way
from cloudfail_gcp.compute.quotas import Machine, room_of
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.long_running import taken

READ_SECONDS = 9.0
ROOM_SECONDS = 13.0
SLICE_SECONDS = 0.5
"""Between two looks at an operation that is waited for."""


class NodePool:
    """One pool in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, NodePoolMember]) -> None:
        self._asking = asking
        self._members = members
        for region, member in members.items():
            if region_at(member.pool) != region:
                # The one slip that would scale the region that is lost.
                raise Permanent(
                    f"The node pool {member.pool} that is written for {region} stands in {region_at(member.pool)}.",
                    "Nothing was changed.",
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            member = self._member(region)
            pool = pool_at(self._asking, member.pool, within=READ_SECONDS)
            here, well = 0, 0
            for group in pool.groups:
                found = running(self._asking, group, within=self._asking.left_until(until))
                here += len(found)
                if found and member.backend_services:
                    left = self._asking.left_until(until)
                    well += healthy(self._asking, group, found, member.backend_services, within=left)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        state = ComputeState(
            wanted=pool.wanted,
            running=here,
            healthy=well if member.backend_services else here,
            ceiling=pool.ceiling,
            scale_in_held=pool.held(member.floor),
            version=pool.version,
            moving=pool.moving,
        )
        return Known(state, at)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom. A pool begins instances of one machine type."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            pool = pool_at(self._asking, self._member(region).pool, within=READ_SECONDS)
            if pool.config.get("spot") or pool.config.get("preemptible"):
                raise Transient(f"{pool.path} runs Spot instances, whose quota is not compared.")
            machine = Machine(
                pool.config.get("machineType") or "e2-medium", pool.config.get("reservationAffinity") or {}
            )
            own = sum(len(running(self._asking, group, within=self._asking.left_until(until))) for group in pool.groups)
            project = pool.path.split("/")[1]
            zones = tuple(f"projects/{project}/zones/{zone}" for zone in pool.sizes)
            left = self._asking.left_until(until)
            return Known(room_of(self._asking, project, region, zones, machine, own, within=left), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.", "Nothing was changed.")
        time_left = TimeLeft(call)
        pool = self._look(region, time_left)
        each = math.ceil(count / pool.zones)
        rounded = count if pool.in_all else each * pool.zones
        if pool.wanted == rounded:
            return
        _may(pool, expect)
        if rounded > pool.wanted:
            self._up(pool, rounded, each, time_left, call)
        elif pool.scaled:
            self._bound(pool, rounded if pool.in_all else each, pool.most, time_left)
        else:
            self._order(pool, "setSize", {"nodeCount": each}, time_left)

    def _up(self, pool: Pool, count: int, each: int, time_left: TimeLeft, call: Call) -> None:
        if pool.scaled:
            floor = max(pool.floor, count if pool.in_all else each)
            most = max(pool.most, floor)
            if (floor, most) != (pool.floor, pool.most):
                self._bound(pool, floor, most, time_left)
                call.log(
                    f"{pool.path}: at least {floor} and at most {most} {'in all' if pool.in_all else 'in each zone'}"
                )
                self._wait(pool, time_left)
        if pool.size < count if pool.in_all else min(pool.sizes.values()) < each:
            nodes = max(each, pool.largest)
            self._order(pool, "setSize", {"nodeCount": nodes}, time_left)
            call.log(f"{pool.path}: {nodes} nodes in each of {pool.zones} zones")

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        time_left = TimeLeft(call)
        pool, floor = self._look(region, time_left), self._member(region).floor
        if pool.held(floor) == held:
            return
        _may(pool, expect)
        if not pool.scaled:
            raise Permanent(
                f"{pool.path} has no autoscaler, so nothing scales it in.",
                "It was not changed.",
                "Take the step out of the runbook, or give the pool an autoscaler.",
            )
        if floor is None:
            raise Permanent(
                f"What the floor of {pool.path} is on other days is not written, and letting go must put it back.",
                f"It stays {pool.floor}.",
                f"Write it: {region}: {{pool: {pool.path}, floor: {pool.floor}}}.",
            )
        bound = max(pool.held_at, floor + 1) if held else floor
        self._bound(pool, bound, max(pool.most, bound), time_left)

    def _bound(self, pool: Pool, floor: int, most: int, time_left: TimeLeft) -> None:
        self._order(pool, "setAutoscaling", {"autoscaling": pool.bounded(floor, most)}, time_left)

    def _order(self, pool: Pool, verb: str, body: Mapping[str, Any], time_left: TimeLeft) -> None:
        what = f"{verb} of {pool.path}"
        region = region_at(pool.path)
        try:
            path = f"v1/{pool.path}:{verb}"
            taken(self._asking.change("container", region, "POST", path, call=time_left.rest(), body=body), what)
        except Conflict as error:
            if isinstance(error.__cause__, Answered) and error.__cause__.said.code == "FAILED_PRECONDITION":
                raise Transient(f"{what}: {error}") from error
            raise

    def _wait(self, pool: Pool, time_left: TimeLeft) -> None:
        """Until nothing is under way on the pool: what follows is refused while the first is. Raises Transient where
        that takes longer than the call: the next look finds what is left to do."""
        while time_left.seconds > 0:
            try:
                if not under_way(self._asking, pool.path, within=time_left.seconds):
                    return
            except CloudfailError as error:
                raise Transient(f"The bounds of {pool.path} are ordered, its size is not: {error}") from error
            time.sleep(min(SLICE_SECONDS, time_left.seconds))
        raise Transient(f"The bounds of {pool.path} are ordered and under way; its size is not ordered yet.")

    def _member(self, region: str) -> NodePoolMember:
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        return self._members[region]

    def _look(self, region: str, time_left: TimeLeft) -> Pool:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            pool = pool_at(self._asking, self._member(region).pool, within=min(READ_SECONDS, time_left.seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"The node pool in {region} cannot be read: {error}") from error
        return pool


def _may(pool: Pool, expect: ComputeState) -> None:
    """Raise Conflict where the world is not as it was seen, and Transient while something is under way on it."""
    if pool.version != expect.version:
        raise Conflict(f"{pool.path} is {pool.version}, not {expect.version} as it was seen.")
    if pool.moving:
        raise Transient(f"{pool.path}: {pool.moving}, and nothing is ordered on top of it.")


def build(resource: Resource, topology: Topology) -> NodePool:
    """Kind.build."""
    members = {region: NodePoolMember.model_validate(member) for region, member in resource.members.items()}
    return NodePool(Asking.of(resource, topology), members)
