"""What the kinds of this port call, as IAM names it. Source: Compute Engine v1's reference, "Required permissions" of
each method (cloud.google.com/compute/docs/reference/rest/v1/backendServices: get, patch, getHealth; urlMaps: get,
patch, validate; globalForwardingRules: get, setTarget, setLabels); Network Services v1's (serviceLbPolicies.get)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.grants import stated
from cloudfail_gcp.paths import region_of

SHIFT = ("shift",)
OPERATIONS = "Operations are listed for a whole project."
GROUPS = "All groups of the service are written back, and those of no region are not written in cloudfail.yaml."
POLICY = "Which policy the service has is not written in cloudfail.yaml."
OTHERS = (
    "The map's other matchers are written back with this route, and where they lead is not written in cloudfail.yaml."
)
_USES = {
    "targetHttpProxies": "compute.targetHttpProxies.use",
    "targetHttpsProxies": "compute.targetHttpsProxies.use",
    "targetTcpProxies": "compute.targetTcpProxies.use",
    "targetSslProxies": "compute.targetSslProxies.use",
}


def backend_service(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """A patch that writes groups back uses each of them, those of nobody's region as well (backendServices.patch:
    compute.instanceGroups.use, or compute.networkEndpointGroups.use); `getHealth` needs compute.backendServices.get
    alone."""
    path = str(resource.options["service"])
    region = region_of(path)
    kind, operations = (
        ("compute.backendServices", "compute.globalOperations")
        if region == "global"
        else ("compute.regionBackendServices", "compute.regionOperations")
    )
    project = _project(path)
    groups = (group for member in resource.members.values() for group in member["groups"])
    projects = tuple(dict.fromkeys((project, *map(_project, groups))))
    uses = ("compute.instanceGroups.use", "compute.networkEndpointGroups.use")
    return stated(
        [
            (False, Grant(region, (f"{kind}.get",), (path,))),
            (False, Grant(region, (f"{operations}.list",), (project,), why=OPERATIONS)),
            (False, Grant(region, ("networkservices.serviceLbPolicies.get",), (project,), why=POLICY)),
            (True, Grant(region, (f"{kind}.update",), (path,), SHIFT)),
            (True, Grant(region, uses, projects, SHIFT, why=GROUPS)),
        ]
    )


def url_map(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """Whoever writes a matcher uses what it leads to (`PathMatcher.defaultService`: compute.backendServices.use, or
    compute.backendBuckets.use). A route in a matcher is written back with all matchers, other people's as well, so that
    it is needed of all that the map leads to. `validate`, which preflight asks, changes nothing, and names no more
    than itself."""
    path = str(resource.options["url_map"])
    services = tuple(str(member["service"]) for member in resource.members.values())
    told = [
        (False, Grant("global", ("compute.urlMaps.get", "compute.urlMaps.validate"), (path,))),
        (False, Grant("global", ("compute.globalOperations.list",), (_project(path),), why=OPERATIONS)),
        (False, Grant("global", ("compute.backendServices.get",), services)),
        (True, Grant("global", ("compute.urlMaps.get", "compute.urlMaps.update"), (path,), SHIFT)),
    ]
    if resource.options["matcher"]:
        uses = ("compute.backendBuckets.use", "compute.backendServices.use")
        told.append((True, Grant("global", uses, (_project(path),), SHIFT, why=OTHERS)))
    told.append((True, Grant("global", ("compute.backendServices.use",), services, SHIFT)))
    return stated(told)


def forwarding_rule(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    path = str(resource.options["forwarding_rule"])
    targets = tuple(str(member["target"]) for member in resource.members.values())
    services = tuple(str(one) for member in resource.members.values() for one in member["backend_services"])
    does = tuple(f"compute.globalForwardingRules.{verb}" for verb in ("setTarget", "setLabels"))
    told = [
        (False, Grant("global", ("compute.globalForwardingRules.get",), (path,))),
        (False, Grant("global", ("compute.globalOperations.list",), (_project(path),), why=OPERATIONS)),
        (True, Grant("global", does, (path,), SHIFT)),
        (True, Grant("global", (_USES[targets[0].split("/")[-2]],), targets, SHIFT)),
    ]
    if services:
        told.append((False, Grant("global", ("compute.backendServices.get",), services)))
    return stated(told)


def _project(path: str) -> str:
    return "/".join(path.split("/")[:2])
