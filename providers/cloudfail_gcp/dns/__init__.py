"""The Dns port on Google Cloud. Importing this imports no vendor library: they come with `Kind.build`."""

from __future__ import annotations

from collections.abc import Mapping
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
_DIVIDES = {"wrr": "percent", "primary-backup": "percent", "simple": "evenly"}


def _verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    """Weights and a trickle are any share; a record set answers with both regions' values, or with one's (a CNAME has
    one value). Where users go by a geo policy is decided by where they are."""
    options = CloudDnsOptions.model_validate(dict(resource.options))
    alone = options.routing == "simple" and options.type == "CNAME"
    return {"shift": replace(_SHIFT, divides="not" if alone else _DIVIDES.get(options.routing, "not"))}


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
