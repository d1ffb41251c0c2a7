"""Who serves, as the load balancer counts it: `getHealth` of a backend service, one group at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail_gcp.asking import Asking
from cloudfail_gcp.paths import path_of


def serving(asking: Asking, region: str, service: str, group: str, *, within: float) -> frozenset[str] | None:
    """The healthy ones of a group (its URL, as the service names it): an instance's path, or an address and port where
    there is no instance. One that is listed for several ports or rules is healthy if it is in all of them. None where
    none is listed: an empty list says nothing. Raises as `Asking.read`."""
    reply = asking.read("compute", region, f"{service}/getHealth", within=within, method="POST", body={"group": group})
    listed = reply.get("healthStatus") or []
    if not listed:
        return None
    sick = {_who(one) for one in listed if not _is_healthy(one)}
    return frozenset(_who(one) for one in listed) - sick


def _who(one: Mapping[str, Any]) -> str:
    if one.get("instance"):
        return path_of(str(one["instance"]))
    return f"{one.get('ipAddress') or one.get('ipv6Address', '')}:{one.get('port', '')}"


def _is_healthy(one: Mapping[str, Any]) -> bool:
    """In each of the families that it is checked in."""
    said = [one[key] for key in ("healthState", "ipv6HealthState") if key in one]
    return bool(said) and all(state == "HEALTHY" for state in said)
