"""loadbalancer: backend-service. The capacity scalers of a global or regional backend service's backends.

`backendServices.patch` merges objects and replaces arrays (JSON merge patch), so the whole array of backends is written
back as it was read, with nothing changed but the scalers of the members' groups: other groups, balancing modes and
limits stay. It carries the fingerprint that was read, without which Google refuses it, and with an old one too (412
conditionNotMet): a request that lands late has no effect (fenced by condition). The fingerprint is a hash of what
stands there: where a newer lease put back exactly what was there before, an older request fits again; watching puts
that right. A requestId keeps a request that was sent twice from being carried out twice.

A scaler is no share. It scales the capacity that a group offers; requests go to the nearest group that has capacity
left (Cloud Load Balancing, "Backend services overview"). 0 drains: no new requests. Google refuses 0 for the only
backend of a service. It cannot come to that here: every member is a backend, and one of them has a weight.

The answer to a patch is an operation. While one is under way the weights are `moving`; DONE completes nothing, the
array that is read afterwards does. Google does not tell when each of its proxies has it.

What happens to clients. Requests that are under way, and connections, end where they are; `connectionDraining` is about
instances that are taken out of a group, which a scaler does not do. Where the service keeps clients with their backend
(`sessionAffinity`), how long a drained group keeps them is a cookie's time, where it has one, and else not said.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.loadbalancer import policies
from cloudfail_gcp.loadbalancer.services import healthy as counted
from cloudfail_gcp.loadbalancer.weights import UNCHANGED, WHOLE, together, wanted, weight_of
from cloudfail_gcp.paths import path_of, region_of
from cloudfail_gcp.under_way import anew, taken, under_way

READ_SECONDS = 8.0


@dataclass(frozen=True)
class _Seen:
    """The service as it was read; group -> its backend in it; what is under way on it."""

    service: dict[str, Any]
    backends: Mapping[str, dict[str, Any]]
    moving: str

    @property
    def fingerprint(self) -> str:
        return str(self.service["fingerprint"])

    def weights(self, members: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
        return {
            region: together(weight_of(self.backends[group]) for group in groups) for region, groups in members.items()
        }

    @property
    def lingering_seconds(self) -> float | None:
        """How long a client may be kept with its backend; None where nothing says it."""
        affinity = self.service.get("sessionAffinity", "NONE")
        if affinity == "NONE":
            return 0.0
        ttl: Any = None
        if affinity in ("GENERATED_COOKIE", "HTTP_COOKIE"):
            ttl = self.service.get("affinityCookieTtlSec") or _cookie(self.service.get("consistentHash"))
        elif affinity == "STRONG_COOKIE_AFFINITY":
            ttl = (self.service.get("strongSessionAffinityCookie") or {}).get("ttl", {}).get("seconds")
        # A cookie of no time lasts until the browser is closed.
        return float(ttl) if ttl and float(ttl) > 0 else None


class BackendService:
    """One backend service; a member is the groups that stand for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._path = str(asking.resource.options["service"])
        self._region = region_of(self._path)
        self._members: dict[str, tuple[str, ...]] = {
            region: tuple(member["groups"]) for region, member in asking.resource.members.items()
        }
        for region, groups in self._members.items():
            for group in groups:
                if region_of(group) != region:
                    # The one slip that would send users to the region that is lost.
                    raise Permanent(
                        f"The group {group} that is written for {region} stands in {region_of(group)}.",
                        UNCHANGED,
                        f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                    )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
        except CloudfailError as error:
            return Unknown(str(error), at)
        healthy = {}
        for region, groups in self._members.items():
            urls = (str(seen.backends[group]["group"]) for group in groups)
            count = counted(self._asking, self._region, self._path, urls, until)
            if count is not None:
                healthy[region] = count
        state = LoadBalancerState(
            seen.weights(self._members),
            healthy,
            seen.fingerprint,
            moving=seen.moving,
            lingering_seconds=seen.lingering_seconds,
        )
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, self._asking.resource.name)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._before(until)
        due = {group: asked[region] for region, groups in self._members.items() for group in groups}
        if all(weight_of(seen.backends[group]) == weight for group, weight in due.items()):
            return
        if seen.fingerprint != expect.version:
            raise Conflict(f"{self._path} is {seen.fingerprint}, not {expect.version} as it was seen.", UNCHANGED)
        if seen.moving:
            raise Transient(f"{self._path}: {seen.moving}, and nothing is ordered on top of it.")
        backends = copy.deepcopy(seen.service["backends"])
        for backend in backends:
            if (group := path_of(str(backend["group"]))) in due:
                backend["capacityScaler"] = due[group] / WHOLE
        reply = self._asking.change(
            "compute",
            self._region,
            "PATCH",
            self._path,
            call=replace(anew(call), timeout_seconds=self._asking.left_until(until)),
            body={"fingerprint": expect.version, "backends": backends},
            request_id="requestId",
        )
        taken(reply, f"PATCH {self._path}")
        if draining := (seen.service.get("connectionDraining") or {}).get("drainingTimeoutSec"):
            call.log(f"{self._path}: requests under way end where they are; taking instances out waits {draining} s")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift, and who else moves the same capacity."""
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
            told = policies.found(
                self._asking, self._region, seen.service, self._path, within=self._asking.left_until(until)
            )
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(tuple(told), at)

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._path} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        """What is under way is asked first: what ends between the two is then seen in the service."""
        moving = under_way(self._asking, self._region, self._path, within=self._asking.left_until(until))
        service = self._asking.read("compute", self._region, self._path, within=self._asking.left_until(until))
        if not service.get("fingerprint") or not service.get("backends"):
            raise Transient(f"Compute Engine answers, and does not tell the backends of {self._path}.")
        _refuse_passthrough(service, self._path)
        backends = {path_of(str(one.get("group", ""))): one for one in service["backends"]}
        for region, groups in self._members.items():
            for group in groups:
                if group not in backends:
                    raise Permanent(
                        f"{self._path} has no backend {group}, which is to stand for {region}.",
                        UNCHANGED,
                        f"It has: {', '.join(sorted(backends))}.",
                    )
        return _Seen(service, backends, moving)


def _refuse_passthrough(service: Mapping[str, Any], path: str) -> None:
    """Passthrough Network Load Balancers choose by hash, and take no capacity scaler."""
    scheme = service.get("loadBalancingScheme")
    if scheme in ("INTERNAL", "EXTERNAL_PASSTHROUGH") or (scheme == "EXTERNAL" and region_of(path) != "global"):
        raise Permanent(
            f"{path} is of a passthrough Network Load Balancer ({scheme}), which scales no backend's capacity.",
            UNCHANGED,
            "Move its users by a name (dns), or put the groups behind a proxy or Application Load Balancer.",
        )


def _cookie(hashed: Any) -> Any:
    """Of consistent hashing by a cookie: its time in seconds."""
    return ((hashed or {}).get("httpCookie") or {}).get("ttl", {}).get("seconds")


def build(resource: Resource, topology: Topology) -> BackendService:
    """Kind.build."""
    return BackendService(Asking.of(resource, topology))
