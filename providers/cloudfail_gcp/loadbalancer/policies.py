"""What a service load balancing policy does to the capacity of the same groups by itself.

A policy is another owner of the lever that loadbalancer: backend-service pulls. It is only read: draining by health is
a standing setting, and a run that wrote it would leave the service otherwise than its owner set it up. What an
operator needs is to know of it before the bad day. Source: Network Services v1, `ServiceLbPolicy`.

- `autoCapacityDrain`: groups of which less than a quarter is healthy get nothing, never more than half of all groups,
  and the scalers do not show it: what serves may be less than the weights say.
- `isolationConfig` STRICT by region: "traffic will fail if no serving backends are available in the same region as the
  load balancer". Draining a region's groups then moves none of those users; it only stops serving them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail_gcp.asking import Asking
from cloudfail_gcp.paths import path_of


def found(asking: Asking, region: str, service: Mapping[str, Any], path: str, *, within: float) -> list[str]:
    """One sentence for each of these; none is good. Raises as `Asking.read`."""
    policy = path_of(str(service.get("serviceLbPolicy", "")))
    if not policy:
        return []
    told = asking.read("networkservices", region, f"v1/{policy}", within=within)
    sentences = []
    if (told.get("autoCapacityDrain") or {}).get("enable"):
        sentences.append(
            f"{policy} drains the groups of {path} by itself (autoCapacityDrain), another owner of the same lever: a "
            f"group of which less than a quarter is healthy gets nothing, whatever its weight says"
        )
    if (told.get("isolationConfig") or {}).get("isolationMode") == "STRICT":
        sentences.append(
            f"{policy} keeps the users of {path} in their region (isolationMode STRICT): whose region is drained "
            f"fails, and is not moved to another"
        )
    return sentences
