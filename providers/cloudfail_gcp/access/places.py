"""How narrowly a permission can be given, by what it is given on, and how it can be asked for there.

Three ways, from narrow to wide:

- by an allow policy of the resource's own ("Configure IAM policies on a managed zone", and each service's page);
- by a condition on the resource's name in the project's policy. IAM knows a name only of the types that "Resource
  attributes for IAM Conditions" lists (cloud.google.com/iam/docs/conditions-resource-attributes); of every other type
  `resource.name` is empty, and a condition on it gives nothing;
- on the whole project.

Who asks by `testIamPermissions` of a resource must be allowed to list such resources (Compute Engine v1's reference,
"IAM Permissions" of backendServices.testIamPermissions; Cloud DNS, the page above); of a project (Resource Manager v1's
reference) and of a service of Cloud Run (its v2's) nothing is needed. The same method of Pub/Sub, Cloud Tasks, Spanner
and of service accounts takes no token that only reads, so that who executes cannot be asked about there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cloudfail.errors import Refused

Way = Literal["own", "name", "project"]
CONDITIONS = "https://cloud.google.com/iam/docs/conditions-resource-attributes"


@dataclass(frozen=True)
class Sort:
    """One type of resource. way: how narrowly a permission on it can be given. asked: (API, what goes before and behind
    its path, the permission that asking needs if it needs any), where it can be asked for on the resource itself.
    narrower: whether somebody may have given it more narrowly than it is printed."""

    way: Way
    asked: tuple[str, str, str, str] | None = None
    narrower: bool = False


PROJECT = Sort("project")


def _compute(permission: str) -> Sort:
    return Sort("name", ("compute", "", "/testIamPermissions", permission))


SORTS: Mapping[tuple[str, str], Sort] = {
    ("dns", "managedZones"): Sort("own", ("dns", "dns/v1/", ":testIamPermissions", "dns.managedZones.list")),
    ("compute", "global/backendServices"): _compute("compute.backendServices.list"),
    ("compute", "regions/backendServices"): _compute("compute.regionBackendServices.list"),
    ("compute", "global/forwardingRules"): Sort("name"),
    ("compute", "regions/forwardingRules"): Sort("name"),
    ("compute", "zones/instances"): Sort("name"),
    ("cloudsql", "instances"): Sort("name"),
    # Its names are listed, and how they read in a condition was not to be found out.
    ("container", "clusters"): Sort("project", narrower=True),
    # Each has an allow policy of its own, and gcloud no command that binds a role in it.
    ("eventarc", "triggers"): Sort("project", narrower=True),
    ("datastore", "databases"): Sort("name"),
    ("spanner", "instances"): Sort("name"),
    ("spanner", "databases"): Sort("name"),
    ("secretmanager", "secrets"): Sort("own"),
    ("pubsub", "subscriptions"): Sort("own"),
    ("pubsub", "topics"): Sort("own"),
    ("run", "services"): Sort("own", ("run", "v2/", ":testIamPermissions", "")),
    ("cloudtasks", "queues"): Sort("own"),
    ("iam", "serviceAccounts"): Sort("own"),
}
"""By a permission's service, and the collection that its resource stands in. What is not in it is given on the project:
as is so of Compute Engine's instance groups, their managers, autoscalers, endpoint groups and URL maps, of AlloyDB and
of Cloud Scheduler, which the list of names does not hold."""

_GCLOUD: Mapping[str, str] = {
    "queues": "tasks queues",
    "secrets": "secrets",
    "serviceAccounts": "iam service-accounts",
    "services": "run services",
    "subscriptions": "pubsub subscriptions",
    "topics": "pubsub topics",
}
"""gcloud's words for what has a policy of its own. `gcloud dns managed-zones` has no command that adds one binding."""

_PATH = re.compile(r"projects/(?P<project>[^/*-][^/*]*)(?:/.+)?")


def project_of(path: str) -> str:
    """Raises Refused for a path that names no project."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise Refused(
            f"{path} names no project, and a role of Google's belongs to one.",
            "Nothing was printed.",
            "Write the project of each region: regions: {us-central1: {provider: gcp, account: shop-prod}}",
        )
    return found["project"]


def sort_of(permission: str, path: str) -> Sort:
    """Of the resource at that path, for that permission. A part of a name ("*") that Google makes up is no name."""
    parts = path.split("/")
    if len(parts) < 4 or "*" in path:
        return PROJECT
    service, scoped = permission.partition(".")[0], f"{parts[2]}/{parts[-2]}"
    return SORTS.get((service, scoped)) or SORTS.get((service, parts[-2])) or PROJECT


def may_be_narrower(permission: str, path: str) -> bool:
    """Whether somebody may have given it on less than that path, which names no one resource of its type: the account
    that a service runs as, say, where the file does not name it. A list is asked of the whole."""
    service, collection, verb = permission.split(".", 2)
    known = any(one == service and sort.rpartition("/")[2] == collection for one, sort in SORTS)
    return known and verb != "list" and (collection_of(path) == "project" or "*" in path)


def collection_of(path: str) -> str:
    """What a type of resource is called in a path; "project" for a project."""
    parts = path.split("/")
    return parts[-2] if len(parts) > 3 else "project"


def gcloud_of(path: str) -> str:
    """The group of gcloud's commands whose `add-iam-policy-binding` binds a role to that resource; "" for none."""
    return _GCLOUD.get(collection_of(path), "")


_PAGES: Mapping[str, str] = {
    "compute": "https://cloud.google.com/compute/docs/reference/rest/v1/{collection}",
    "dns": "https://cloud.google.com/dns/docs/access-control",
    "cloudsql": "https://cloud.google.com/sql/docs/postgres/iam-permissions",
    "container": "https://cloud.google.com/kubernetes-engine/docs/reference/api-permissions",
    "pubsub": "https://cloud.google.com/pubsub/docs/access-control",
    "run": "https://cloud.google.com/run/docs/reference/iam/permissions",
    "spanner": "https://cloud.google.com/spanner/docs/iam",
}


def page_of(permission: str) -> str:
    """The vendor's page that says which methods ask for it."""
    service, collection = permission.split(".")[:2]
    return _PAGES.get(service, "https://cloud.google.com/iam/docs/roles-permissions/{service}").format(
        service=service, collection=collection
    )
