"""loadbalancer: cloudfront. Which origin, or origin group, the behaviours of a distribution target.

Those behaviours are switched that target the origin of a member now; one that targets anything else (a bucket with
static files, say) is left alone. `update_distribution` replaces the whole configuration under the condition that its
ETag is the one that was read: a request that lands late is refused (fenced by condition). The control plane stands in
us-east-1, so lint refuses it in a failover out of us-east-1: there, prepare an origin group, or switch the origin's
name in a zone.

A distribution targets one origin at a time; there are no shares. It counts no healthy targets, and says so: unknown. A
request that is under way ends where it is; cached answers are served as before.
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
from cloudfail_aws.asking import Asking
from cloudfail_names.weights import UNCHANGED, wanted

HOME = "us-east-1"
WHOLE = 100
READ_SECONDS = 8.0


@dataclass(frozen=True)
class _Seen:
    """The configuration under its ETag, and whether every edge has it."""

    config: dict[str, Any]
    etag: str
    deployed: bool


class CloudFront:
    """One distribution; a member is the id of the origin (group) that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._id = str(asking.resource.options["distribution"])
        self._members = {region: str(origin) for region, origin in asking.resource.members.items()}

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._asking.deadline(READ_SECONDS))
            weights = self._weights(seen)
        except CloudfailError as error:
            return Unknown(str(error), at)
        moving = "" if seen.deployed else "CloudFront has not deployed it to every edge yet"
        return Known(LoadBalancerState(weights, {}, seen.etag, moving=moving), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=WHOLE, what=self._asking.resource.name)
        gaining = [region for region, weight in asked.items() if weight]
        if len(gaining) != 1:
            raise Permanent(
                f"A distribution targets one origin at a time, and {' and '.join(gaining)} were asked for.", UNCHANGED
            )
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._look(until)
        before = self._weights(seen)
        if [region for region, weight in before.items() if weight] == gaining:
            return
        if seen.etag != expect.version:
            raise Conflict(f"Distribution {self._id} is {seen.etag}, not {expect.version} as it was seen.", UNCHANGED)
        config = copy.deepcopy(seen.config)
        for behaviour in self._behaviours(config):
            behaviour["TargetOriginId"] = self._members[gaining[0]]
        self._asking.change(
            "cloudfront",
            HOME,
            "update_distribution",
            call=replace(call, timeout_seconds=self._asking.left_until(until)),
            Id=self._id,
            IfMatch=expect.version,
            DistributionConfig=config,
        )

    def _look(self, until: float) -> _Seen:
        left = self._asking.left_until(until)
        reply = self._asking.read("cloudfront", HOME, "get_distribution", within=left, Id=self._id)
        told = reply.get("Distribution") or {}
        if "ETag" not in reply or "DistributionConfig" not in told:
            raise Transient(f"CloudFront answers, and does not tell the configuration of {self._id}.")
        config: dict[str, Any] = told["DistributionConfig"]
        if not config.get("Enabled", False):
            raise Permanent(f"Distribution {self._id} is disabled: it serves nobody.", UNCHANGED)
        there = {one["Id"] for what in ("Origins", "OriginGroups") for one in config.get(what, {}).get("Items") or []}
        for region, origin in self._members.items():
            if origin not in there:
                raise Permanent(
                    f"Distribution {self._id} has no origin (group) {origin}, which is to stand for {region}.",
                    UNCHANGED,
                    f"It has: {', '.join(sorted(there))}.",
                )
        return _Seen(config, str(reply["ETag"]), told.get("Status") == "Deployed")

    def _behaviours(self, config: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Those that target a member's origin: the default one, and those for a path."""
        every = [config["DefaultCacheBehavior"], *(config.get("CacheBehaviors", {}).get("Items") or [])]
        ours = set(self._members.values())
        found = [behaviour for behaviour in every if behaviour["TargetOriginId"] in ours]
        if not found:
            raise Permanent(
                f"No behaviour of distribution {self._id} targets {' or '.join(sorted(ours))}.",
                UNCHANGED,
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml, or the distribution.",
            )
        return found

    def _weights(self, seen: _Seen) -> dict[str, int]:
        targets = {behaviour["TargetOriginId"] for behaviour in self._behaviours(seen.config)}
        return {region: WHOLE if origin in targets else 0 for region, origin in self._members.items()}


def build(resource: Resource, topology: Topology) -> CloudFront:
    """Kind.build."""
    return CloudFront(Asking.of(resource, topology))
