"""The Dns port on Azure. Importing this imports no vendor library: they come with `Kind.build`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.dns import permissions
from cloudfail_azure.dns.options import AzureDnsMember, AzureDnsOptions


def _azure_dns(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.dns import azure_dns

    return azure_dns.build(resource, topology)


# A zone is a global resource. "Typically 60 seconds" until all name servers have a change (Azure DNS FAQ); the name's
# TTL is beside that.
_SHIFT = VerbFacts("control", None, False, True, 60.0, 120.0, "condition")


def _verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    """A record set answers with both regions' values, or with one's; a CNAME has one value."""
    options = AzureDnsOptions.model_validate(dict(resource.options))
    return {"shift": replace(_SHIFT, divides="not" if options.type == "CNAME" else "evenly")}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DNS,
        name="azure-dns",
        build=_azure_dns,
        permissions=permissions.azure_dns,
        options=AzureDnsOptions,
        member=AzureDnsMember,
        settle_seconds=5.0,
        call_timeout_seconds=15.0,
        verbs={"shift": _SHIFT},
        verbs_of=_verbs,
    ),
)
