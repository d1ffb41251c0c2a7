"""A fence by stopping the instance: `activationPolicy: NEVER`, which the old region's control plane carries out.

For the old primary that cannot be asked over SQL from here, while its region's API answers. A stopped instance takes no
connections, says the documentation; nobody here sees that, so it is evidence and proves nothing by itself. It ends
connections too, and takes minutes; read pools have to be stopped before. Only a primary can be stopped.

The other ways to a server are no fence. Authorized external networks hold for the public address alone, and not for who
comes through the Auth Proxy or a language connector; private addresses have no list at all.

The mark is a label of the instance, in the same request, under the etag that was read. Sources: AlloyDB, "Start, stop,
or restart instances" and "Connect using public IP"; AlloyDB v1's reference, `Instance`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.alloydb_clusters import API, Clusters
from cloudfail_gcp.database.alloydb_options import AlloyDbMember
from cloudfail_gcp.database.marks import epoch_in, mark, refuse_older
from cloudfail_gcp.long_running import still, taken
from cloudfail_gcp.under_way import anew

NAME = "stop"
STOPPED, READY = "STOPPED", "READY"
NEVER, ALWAYS = "NEVER", "ALWAYS"


@dataclass(frozen=True)
class _Instance:
    name: str
    path: str
    state: str
    never: bool
    etag: str
    labels: Mapping[str, str]

    @property
    def stopped(self) -> bool:
        return self.state == STOPPED and self.never


class InstanceStop:
    """fence.Network, of one database."""

    name = NAME
    cuts = True

    def __init__(
        self, asking: Asking, clusters: Clusters, members: Mapping[str, AlloyDbMember], *, seconds: float
    ) -> None:
        self._asking = asking
        self._clusters = clusters
        self._members = members
        self._seconds = seconds

    def has(self, region: str) -> bool:
        """Whether it is said which instance takes the writes."""
        return region in self._members and self._members[region].instance is not None

    def prevents(self, region: str) -> bool:
        """Never: what the API says of an instance nobody here has seen."""
        return False

    def standing(self, region: str) -> Known[bool] | Unknown:
        """Whether the instance is stopped. Unknown while it is on its way there or back."""
        try:
            one = self._read(region, str(self._members[region].instance))
        except CloudfailError as error:
            return Unknown(f"{NAME} in {region}: {error}", time.time())
        if one.stopped or (one.state == READY and not one.never):
            return Known(one.stopped, time.time())
        return Unknown(f"{NAME} in {region}: Google says that {one.name} is {one.state}", time.time())

    def apply(self, region: str, call: Call) -> None:
        """Stop the next that is not stopped: read pools before the instance. One effect."""
        member, timed = self._members[region], TimeLeft(call)
        for name in (*member.read_pools, str(member.instance)):
            one = self._read(region, name)
            if one.stopped:
                continue
            if one.state != READY:
                raise still(f"{one.name} in {region} is {one.state}, which")
            self._set(region, one, NEVER, timed.rest())
            return

    def lift(self, region: str, call: Call) -> None:
        """Start what our fence stopped, and nothing that somebody else did: the instance before its read pools."""
        member, timed = self._members[region], TimeLeft(call)
        for name in (str(member.instance), *member.read_pools):
            one = self._read(region, name)
            if epoch_in(one.labels) is None or (one.state == READY and not one.never):
                continue
            if one.state != STOPPED:
                raise still(f"{one.name} in {region} is {one.state}, which")
            self._set(region, one, ALWAYS, timed.rest())
            return

    def _set(self, region: str, one: _Instance, policy: str, call: Call) -> None:
        refuse_older(epoch_in(one.labels), call, f"{one.name} in {region}")
        reply = self._asking.change(
            API,
            region,
            "PATCH",
            f"v1/{one.path}",
            call=anew(call),
            query={"updateMask": "activationPolicy,labels"},
            body={"activationPolicy": policy, "labels": {**one.labels, **mark(call)}, "etag": one.etag},
            request_id="requestId",
        )
        taken(reply, f"activationPolicy {policy} of {one.name}")
        call.log(f"{region}: {one.name} is to be {'stopped' if policy == NEVER else 'started'}")

    def _read(self, region: str, name: str) -> _Instance:
        path = f"{self._clusters.path(region)}/instances/{name}"
        told: Mapping[str, Any] = self._asking.read(API, region, f"v1/{path}", within=self._seconds)
        if not told.get("state") or not told.get("instanceType"):
            raise Transient(f"AlloyDB in {region} answers, and does not tell how {name} is.")
        labels = {str(key): str(value) for key, value in (told.get("labels") or {}).items()}
        never = told.get("activationPolicy") == NEVER
        return _Instance(name, path, str(told["state"]), never, str(told.get("etag") or ""), labels)
