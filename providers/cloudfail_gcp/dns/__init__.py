"""The Dns port on Google Cloud. Importing this imports no vendor library: they come with `Kind.build`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.dns import permissions
from cloudfail_gcp.dns.options import CloudDnsMember, CloudDnsOptions


def _cloud_dns(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.dns import cloud_dns

    return cloud_dns.build(resource, topology)


# A control plane of no region. Google says nothing of how long its servers take; the name's TTL is beside that.
_SHIFT = VerbFacts("control", None, False, True, 60.0, 120.0, "condition")
# Where answers are given by weight: of items, or of a backup beside its primary (the trickle). Values in one plain
# record are answered all at once, and by place each user gets the nearest: nobody knows how many that are.
_BY_WEIGHT = frozenset({"wrr", "primary-backup"})


def _verbs(resource: Resource) -> dict[str, VerbFacts]:
    routing = resource.options.get("routing")
    return {"shift": replace(_SHIFT, divides="percent" if routing in _BY_WEIGHT else "not")}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DNS,
        name="cloud-dns",
        build=_cloud_dns,
        permissions=permissions.cloud_dns,
        options=CloudDnsOptions,
        member=CloudDnsMember,
        settle_seconds=5.0,
        call_timeout_seconds=15.0,
        verbs={"shift": _SHIFT},
        verbs_of=_verbs,
    ),
)
