"""What Google asks of IAM for balancers, paths of a network, what consumes, and what watches.

Sources: Compute Engine v1's reference, "IAM Permissions" of each method, and what its description says of a field
(`PathMatcher.defaultService`); Network Services v1's; "Roles and permissions" of Pub/Sub, Cloud Scheduler, Cloud Tasks,
Eventarc and Cloud Monitoring; Pub/Sub, "Create push subscriptions" (who sets an account must be allowed to act as it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.emulators.gcp.needs import Need, Needs, on, project, project_of, whole

_LEADS = ("defaultService", "service", "backendService")
_USED = {
    "nextHopInstance": "compute.instances.use",
    "nextHopIlb": "compute.forwardingRules.use",
    "nextHopVpnTunnel": "compute.vpnTunnels.use",
}


def _url_map(path: str, body: Any) -> list[Need]:
    """Each service and each bucket that is written is used, whoever's route it stands in."""
    used = [(f"compute.{one.split('/')[-2]}.use", one) for one in map(whole, _led_to(body))]
    return [("compute.urlMaps.get", path), ("compute.urlMaps.update", path), *used]


def _led_to(held: Any) -> Iterator[str]:
    if isinstance(held, list):
        for one in held:
            yield from _led_to(one)
    elif isinstance(held, dict):
        for key, value in held.items():
            if key in _LEADS and isinstance(value, str):
                yield value
            else:
                yield from _led_to(value)


def _target(path: str, body: Any) -> list[Need]:
    target = whole(body["target"])
    rule = path.removesuffix("/setTarget")
    return [("compute.globalForwardingRules.setTarget", rule), (f"compute.{target.split('/')[-2]}.use", target)]


def _route(path: str, body: Any) -> list[Need]:
    used = [(permission, whole(body[key])) for key, permission in _USED.items() if key in body]
    return [("compute.routes.create", path), ("compute.networks.updatePolicy", whole(body["network"])), *used]


def _no_route(path: str, body: Any) -> list[Need]:
    """It is its network's policy that changes; the request does not say which network's."""
    return [
        ("compute.routes.delete", path),
        ("compute.networks.updatePolicy", f"{project_of(path)}/global/networks/any"),
    ]


def _given(path: str, body: Any) -> list[Need]:
    """The request names neither the address nor the subnetwork, but by what they are."""
    region = f"{project_of(path)}/regions/{path.split('/')[3].rpartition('-')[0]}"
    return [
        ("compute.instances.addAccessConfig", path.removesuffix("/addAccessConfig")),
        ("compute.addresses.use", f"{region}/addresses/any"),
        ("compute.subnetworks.useExternalIp", f"{region}/subnetworks/any"),
    ]


def _subscription(path: str, body: Any) -> list[Need]:
    token = (body["subscription"].get("pushConfig") or {}).get("oidcToken") or {}
    signs = token.get("serviceAccountEmail")
    acts = [("iam.serviceAccounts.actAs", f"{project_of(path)}/serviceAccounts/{signs}")] if signs else []
    return [("pubsub.subscriptions.update", path), *acts]


NEEDS: dict[str, Needs] = {
    "networkservices.projects.locations.serviceLbPolicies.get": on("networkservices.serviceLbPolicies.get"),
    "compute.urlMaps.list": project("compute.urlMaps.list"),
    "compute.urlMaps.get": on("compute.urlMaps.get"),
    "compute.urlMaps.validate": on("compute.urlMaps.validate", less="/validate"),
    "compute.urlMaps.patch": _url_map,
    "compute.globalForwardingRules.get": on("compute.globalForwardingRules.get"),
    "compute.globalForwardingRules.setLabels": on("compute.globalForwardingRules.setLabels", less="/setLabels"),
    "compute.globalForwardingRules.setTarget": _target,
    "compute.routes.list": project("compute.routes.list"),
    "compute.routes.insert": _route,
    "compute.routes.delete": _no_route,
    "compute.routers.get": on("compute.routers.get"),
    "compute.routers.getRouterStatus": on("compute.routers.get", less="/getRouterStatus"),
    "compute.routers.patch": on("compute.routers.update"),
    "compute.addresses.get": on("compute.addresses.get"),
    "compute.addresses.setLabels": on("compute.addresses.setLabels", less="/setLabels"),
    "compute.instances.get": on("compute.instances.get"),
    "compute.instances.addAccessConfig": _given,
    "compute.instances.deleteAccessConfig": on("compute.instances.deleteAccessConfig", less="/deleteAccessConfig"),
    "pubsub.projects.subscriptions.get": on("pubsub.subscriptions.get"),
    "pubsub.projects.subscriptions.patch": _subscription,
    "eventarc.projects.locations.triggers.list": project("eventarc.triggers.list"),
    "eventarc.projects.locations.triggers.get": on("eventarc.triggers.get"),
    "cloudscheduler.projects.locations.jobs.get": on("cloudscheduler.jobs.get"),
    "cloudscheduler.projects.locations.jobs.pause": on("cloudscheduler.jobs.pause", less=":pause"),
    "cloudscheduler.projects.locations.jobs.resume": on("cloudscheduler.jobs.enable", less=":resume"),
    "cloudtasks.projects.locations.queues.get": on("cloudtasks.queues.get"),
    "cloudtasks.projects.locations.queues.pause": on("cloudtasks.queues.pause", less=":pause"),
    "cloudtasks.projects.locations.queues.resume": on("cloudtasks.queues.resume", less=":resume"),
    "monitoring.projects.alertPolicies.list": project("monitoring.alertPolicies.list"),
    "monitoring.projects.alertPolicies.get": project("monitoring.alertPolicies.get"),
    **{
        f"monitoring.projects.{one}.list": project(f"monitoring.{one}.list")
        for one in ("alerts", "snoozes", "timeSeries")
    },
}
"""As gate.py's."""
