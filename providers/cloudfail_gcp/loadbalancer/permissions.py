"""What the kinds of this port call, as IAM names it. Source: Compute Engine v1's reference, "Required permissions" of
each method (cloud.google.com/compute/docs/reference/rest/v1/backendServices: get, patch, getHealth)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.grants import stated
from cloudfail_gcp.paths import region_of

SHIFT = ("shift",)


def backend_service(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """A patch that writes groups back uses each of them (backendServices.patch: compute.instanceGroups.use, or
    compute.networkEndpointGroups.use); `getHealth` needs compute.backendServices.get alone."""
    path = str(resource.options["service"])
    region = region_of(path)
    kind, operations = (
        ("compute.backendServices", "compute.globalOperations")
        if region == "global"
        else ("compute.regionBackendServices", "compute.regionOperations")
    )
    project = "/".join(path.split("/")[:2])
    groups = tuple(group for member in resource.members.values() for group in member["groups"])
    instances = tuple(group for group in groups if "/instanceGroups/" in group)
    endpoints = tuple(group for group in groups if "/networkEndpointGroups/" in group)
    why = "Operations are listed for a whole project."
    told = [
        (False, Grant(region, (f"{kind}.get",), (path,))),
        (False, Grant(region, (f"{operations}.list",), (project,), why=why)),
        (True, Grant(region, (f"{kind}.update",), (path,), SHIFT)),
    ]
    if instances:
        told.append((True, Grant(region, ("compute.instanceGroups.use",), instances, SHIFT)))
    if endpoints:
        told.append((True, Grant(region, ("compute.networkEndpointGroups.use",), endpoints, SHIFT)))
    return stated(told)
