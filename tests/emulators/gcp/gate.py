"""Google's IAM before the front: it refuses what the roles and bindings that are printed do not allow.

Who asks is told by the token, which the stand-in of the IAM Service Account Credentials API gives out; what a token may
be used for at all, by its scopes, which the discovery documents name for each method. Which permissions a method asks
for they do not: `NEEDS` says it, from Google's references. A method that is not in it fails the test: nothing passes by
because nobody thought of it.

A name in a condition is known only of the types that "Resource attributes for IAM Conditions" lists
(cloud.google.com/iam/docs/conditions-resource-attributes); of every other one `resource.name` is empty here too. Both
lists, that of the types and that of the needs, are written apart from those of the code that is tried.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.emulators.gcp import needs_of_traffic
from tests.emulators.gcp.discovery import Method
from tests.emulators.gcp.front import Asked, Refused
from tests.emulators.gcp.needs import Need, Needs, on, project, whole

Document = Mapping[str, Any]
"""What `cloudfail iam gcp` prints for one role."""

SCOPE = "https://www.googleapis.com/auth/"
NAMED = re.compile(
    r"projects/[^/]+/(?:"
    r"(?:global|regions/[^/]+)/(?:backendServices|forwardingRules)/[^/]+"
    r"|zones/[^/]+/instances/[^/]+"
    r"|instances/[^/]+(?:/databases/[^/]+)?"
    r"|databases/[^/]+"
    r")"
)
"""Of which IAM knows the name: Compute Engine's backend services, forwarding rules and instances, instances of Cloud
SQL, instances and databases of Spanner, databases of Firestore."""
OWN = re.compile(
    r"projects/[^/]+/(?:managedZones|subscriptions|topics|serviceAccounts|locations/[^/]+/(?:services|queues))/[^/]+"
)
"""What has an allow policy of its own that a role may be bound in."""


def token(account: str, scopes: list[str]) -> str:
    return f"{account}|{'|'.join(one.removeprefix(SCOPE) for one in scopes)}"


class Tokens:
    """The IAM Service Account Credentials API. `closed`: the accounts that nobody may take on. `given`: each that was
    given out, and its scopes."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.given: list[tuple[str, tuple[str, ...]]] = []

    def projects_service_accounts_generate_access_token(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        whose = list(labels.values())[-1]
        if whose in self.closed:
            said = f"Permission 'iam.serviceAccounts.getAccessToken' denied on resource {whose}"
            raise Refused(403, "forbidden", said, "PERMISSION_DENIED")
        self.given.append((whose, tuple(body["scope"])))
        return {"accessToken": token(whose, body["scope"]), "expireTime": "2099-01-01T00:00:00Z"}


def allows(document: Document, permission: str, resource: str) -> bool:
    """Whether a binding does. A condition of another sort than is printed passes nothing."""
    roles = {one["role"]: one["file"]["includedPermissions"] for one in document["roles"]}
    for binding in document["bindings"]:
        on = str(binding["on"])
        covers = resource == on or (on.count("/") == 1 and resource.startswith(f"{on}/"))
        assert on.count("/") == 1 or OWN.fullmatch(on), f"{on} has no policy of its own"
        if covers and permission in roles[binding["role"]] and _holds(binding.get("condition"), resource):
            return True
    return False


def _holds(condition: Mapping[str, str] | None, resource: str) -> bool:
    if condition is None:
        return True
    name = resource if NAMED.fullmatch(resource) else ""
    parts = [re.fullmatch(r'resource\.name == "([^"]+)"', one) for one in condition["expression"].split(" || ")]
    assert all(parts), condition["expression"]
    assert len(parts) <= 12, "IAM takes no more logical operators"
    return any(part is not None and part[1] == name for part in parts)


def without(document: Document) -> Iterator[tuple[str, Document]]:
    """The document less one permission of one role, for each of them."""
    for number, role in enumerate(document["roles"]):
        for permission in role["file"]["includedPermissions"]:
            less = copy.deepcopy(dict(document))
            less["roles"][number]["file"]["includedPermissions"].remove(permission)
            yield f"{role['role']} {permission}", less


def elsewhere(document: Document) -> Iterator[tuple[str, Document]]:
    """The document with one binding less, or with another name in one: each is there for something."""
    for number, binding in enumerate(document["bindings"]):
        less = copy.deepcopy(dict(document))
        del less["bindings"][number]
        yield f"{binding['role']} on {binding['on']}", less
        for name in re.findall(r'"([^"]+)"', (binding.get("condition") or {}).get("expression", "")):
            other = copy.deepcopy(dict(document))
            condition = other["bindings"][number]["condition"]
            condition["expression"] = condition["expression"].replace(f'"{name}"', f'"{name}-of-somebody-else"')
            yield f"{binding['role']} by {name}", other


@dataclass
class Gate:
    """documents: by service account. asked: (account, what was held against it, whether it passed), in order."""

    documents: Mapping[str, Document]
    asked: list[tuple[str, Need, bool]] = field(default_factory=list)

    def passes(self, asked: Asked, method: Method, path: str, body: Any) -> dict[str, Any] | None:
        """front.Gate."""
        if asked.service == "iamcredentials":
            return None  # it is asked by the process, which is somebody else
        account, *scopes = asked.by.split("|")
        if account not in self.documents:
            raise Refused(401, "authError", f"{account or 'nobody'} is nobody here.", "UNAUTHENTICATED")
        if not method.scopes & {SCOPE + one for one in scopes}:
            said = f"Request had insufficient authentication scopes for {method.id}."
            raise Refused(403, "insufficientPermissions", said, "PERMISSION_DENIED")
        where = unquote(path[path.index("/projects/") + 1 :])
        if method.name == "testIamPermissions":
            return self._tested(account, where, body)
        assert method.id in NEEDS, f"{method.id}: what IAM is asked of it is not known here"
        self._hold(account, NEEDS[method.id](where, body))
        return None

    def _hold(self, account: str, needs: list[Need]) -> None:
        for need in needs:
            passed = allows(self.documents[account], *need)
            self.asked.append((account, need, passed))
            if not passed:
                said = f"Required '{need[0]}' permission for '{need[1]}'"
                raise Refused(403, "forbidden", said, "PERMISSION_DENIED")

    def _tested(self, account: str, where: str, body: Any) -> dict[str, Any]:
        resource = re.sub(r"[/:]testIamPermissions$", "", where)
        if resource.count("/") > 1 and (lists := LISTS[_sort(resource)]):
            self._hold(account, [(lists, "/".join(resource.split("/")[:2]))])
        given = [one for one in body["permissions"] if allows(self.documents[account], one, resource)]
        return {"permissions": given} if given else {}

    def needed(self) -> set[tuple[str, str]]:
        """(account, permission) of all without which something that was asked would have been refused. Nothing was."""
        assert [one for one in self.asked if not one[2]] == []
        return {
            (account, what.rpartition(" ")[2])
            for account, document in self.documents.items()
            for what, less in without(document)
            if not all(allows(less, *one) for one in self._of(account))
        }

    def loose(self) -> list[str]:
        """The bindings, and the names in their conditions, that no request needed."""
        return [
            f"{account}: {what}"
            for account, document in self.documents.items()
            for what, less in elsewhere(document)
            if all(allows(less, *one) for one in self._of(account))
        ]

    def _of(self, account: str) -> list[Need]:
        return [need for by, need, _ in self.asked if by == account]


def _sort(resource: str) -> str:
    parts = resource.split("/")
    return f"{parts[2]}/{parts[-2]}" if parts[2] in ("global", "regions", "zones") else parts[-2]


LISTS: Mapping[str, str] = {
    "global/backendServices": "compute.backendServices.list",
    "regions/backendServices": "compute.regionBackendServices.list",
    "managedZones": "dns.managedZones.list",
    "services": "",
}
"""What testIamPermissions of a resource asks for; "" for nothing (Cloud Run v2's reference; Compute Engine v1, "IAM
Permissions" of that method; Cloud DNS, "Set and manage IAM policies on managed zones")."""


# ---- what Google asks of IAM


def _backends(permission: str) -> Needs:
    """A patch is held against each group that it writes (backendServices.patch, "IAM Permissions")."""

    def needs(path: str, body: Any) -> list[Need]:
        groups = [whole(one["group"]) for one in body.get("backends", ())]
        used = [(f"compute.{group.split('/')[-2]}.use", group) for group in groups]
        return [(permission, path), *used]

    return needs


def _autoscaler(path: str, body: Any) -> list[Need]:
    """A patch goes to the collection, and is held against the group that the autoscaler is on."""
    scope = path.removesuffix("/autoscalers")
    one = f"{scope}/autoscalers/any"
    return [("compute.autoscalers.update", one), ("compute.instanceGroupManagers.use", f"{scope}/x/any")]


def _change(path: str, body: Any) -> list[Need]:
    """dns.changes.create, and what its parts are (Cloud DNS, "Roles and permissions"); who writes a policy that follows
    a passthrough load balancer uses its network's health signals ("Configure DNS routing policies")."""
    zone = path.removesuffix("/changes")
    out, into = ([(one["name"], one["type"]) for one in body.get(key, ())] for key in ("deletions", "additions"))
    needs = [("dns.changes.create", zone)]
    needs += [("dns.resourceRecordSets.create", zone)] if into else []
    needs += [("dns.resourceRecordSets.delete", zone)] if out else []
    needs += [("dns.resourceRecordSets.update", zone)] if set(out) & set(into) else []
    networks = (
        re.findall(r"'networkUrl': '[^']*/(projects/[^/]+)/", repr(body)) if "regionalL4ilb" in repr(body) else []
    )
    return needs + [("dns.networks.useHealthSignals", name) for name in dict.fromkeys(networks)]


def _cluster(permission: str) -> Needs:
    """A node pool has no permissions of its own: they are its cluster's."""
    return lambda path, _body: [(permission, re.split(r"/nodePools|:", path)[0])]


def _service(path: str, body: Any) -> list[Need]:
    """Who changes a service acts as the account that it runs as (Cloud Run, "Required permissions")."""
    return [("run.services.update", path), ("iam.serviceAccounts.actAs", "/".join(path.split("/")[:2]))]


def _session(path: str, body: Any) -> list[Need]:
    """A session of Spanner has no permissions of its own: a read and a commit are held against its database (v1's
    reference, sessions.read, sessions.commit), and so is the transaction that they begin (TransactionOptions)."""
    database, _, verb = path.rpartition("/sessions/")
    needs = [("spanner.databases.read" if verb.endswith(":read") else "spanner.databases.write", database)]
    begun = body.get("singleUseTransaction") or body.get("transaction", {}).get("singleUse", {})
    if "readOnly" in begun:
        needs.append(("spanner.databases.beginReadOnlyTransaction", database))
    if "readWrite" in begun:
        needs.append(("spanner.databases.beginOrRollbackReadWriteTransaction", database))
    return needs


def _documents(path: str, body: Any) -> list[Need]:
    """What a commit needs follows from the precondition of each write (Firestore, "Security for server client
    libraries")."""
    database = path.partition("/documents")[0]
    verbs: set[str] = set()
    for write in body["writes"]:
        exists = write.get("currentDocument", {}).get("exists")
        verbs |= {"create", "update"} if exists is None else {"update" if exists else "create"}
    return [(f"datastore.entities.{verb}", database) for verb in sorted(verbs)]


NEEDS: dict[str, Needs] = {
    # Compute Engine v1's reference, "IAM Permissions" of each method.
    "compute.backendServices.get": on("compute.backendServices.get"),
    "compute.backendServices.getHealth": on("compute.backendServices.get", less="/getHealth"),
    "compute.backendServices.patch": _backends("compute.backendServices.update"),
    "compute.regionBackendServices.get": on("compute.regionBackendServices.get"),
    "compute.regionBackendServices.getHealth": on("compute.regionBackendServices.get", less="/getHealth"),
    "compute.regionBackendServices.patch": _backends("compute.regionBackendServices.update"),
    "compute.globalOperations.list": project("compute.globalOperations.list"),
    "compute.regionOperations.list": project("compute.regionOperations.list"),
    "compute.zoneOperations.list": project("compute.zoneOperations.list"),
    **{
        f"compute.{scope}.{method}": on(f"compute.instanceGroupManagers.{permission}", less=less)
        for scope in ("instanceGroupManagers", "regionInstanceGroupManagers")
        for method, permission, less in (
            ("get", "get", ""),
            ("listManagedInstances", "get", "/listManagedInstances"),
            ("resize", "update", "/resize"),
        )
    },
    **{f"compute.{scope}.get": on("compute.autoscalers.get") for scope in ("autoscalers", "regionAutoscalers")},
    **{f"compute.{scope}.patch": _autoscaler for scope in ("autoscalers", "regionAutoscalers")},
    # What a project may run.
    "compute.machineTypes.get": project("compute.machineTypes.get"),
    "compute.reservations.list": project("compute.reservations.list"),
    **{
        f"compute.{one}.get": project("compute.instanceTemplates.get")
        for one in ("instanceTemplates", "regionInstanceTemplates")
    },
    # GKE and Cloud Run, "IAM roles" of each; quotas: Service Usage, "Access control".
    "container.projects.locations.clusters.get": on("container.clusters.get"),
    "container.projects.locations.clusters.nodePools.get": _cluster("container.clusters.get"),
    "container.projects.locations.clusters.nodePools.setSize": _cluster("container.clusters.update"),
    "container.projects.locations.clusters.nodePools.setAutoscaling": _cluster("container.clusters.update"),
    "container.projects.locations.clusters.setResourceLabels": _cluster("container.clusters.update"),
    "container.projects.locations.operations.list": project("container.operations.list"),
    "run.projects.locations.services.get": on("run.services.get"),
    "run.projects.locations.services.revisions.get": on("run.revisions.get"),
    "run.projects.locations.services.patch": _service,
    "serviceusage.services.consumerQuotaMetrics.get": project("serviceusage.quotas.get"),
    # Cloud SQL, "Required permissions for common tasks" and "for gcloud sql commands", which do not name the same one
    # for a list of operations, and none for a switchover. An operation's name says nothing of its instance.
    "sql.instances.get": on("cloudsql.instances.get"),
    "sql.instances.patch": on("cloudsql.instances.update"),
    "sql.instances.promoteReplica": on("cloudsql.instances.promoteReplica", less="/promoteReplica"),
    "sql.instances.switchover": on(
        "cloudsql.instances.promoteReplica", "cloudsql.instances.update", less="/switchover"
    ),
    "sql.operations.get": project("cloudsql.instances.get"),
    "sql.operations.list": project("cloudsql.instances.list", "cloudsql.instances.get"),
    # AlloyDB v1's reference, of each method's `name` or `parent`.
    "alloydb.projects.locations.clusters.get": on("alloydb.clusters.get"),
    "alloydb.projects.locations.clusters.patch": on("alloydb.clusters.update"),
    "alloydb.projects.locations.clusters.promote": on("alloydb.clusters.promote", less=":promote"),
    "alloydb.projects.locations.clusters.switchover": on("alloydb.clusters.switchover", less=":switchover"),
    "alloydb.projects.locations.clusters.instances.list": on("alloydb.instances.list", less="/instances"),
    "alloydb.projects.locations.clusters.instances.get": on("alloydb.instances.get"),
    "alloydb.projects.locations.clusters.instances.patch": on("alloydb.instances.update"),
    "alloydb.projects.locations.operations.get": on("alloydb.operations.get"),
    # Spanner v1's reference, of each method; Firestore, "Security for server client libraries".
    "spanner.projects.instances.list": project("spanner.instances.list"),
    "spanner.projects.instances.databases.list": on("spanner.databases.list", less="/databases"),
    "firestore.projects.databases.list": project("datastore.databases.list"),
    "spanner.projects.instances.get": on("spanner.instances.get"),
    "spanner.projects.instanceConfigs.get": on("spanner.instanceConfigs.get"),
    "spanner.projects.instances.databases.sessions.create": on("spanner.sessions.create", less="/sessions"),
    "spanner.projects.instances.databases.sessions.read": _session,
    "spanner.projects.instances.databases.sessions.commit": _session,
    "firestore.projects.databases.get": on("datastore.databases.getMetadata"),
    "firestore.projects.databases.documents.get": lambda path, _body: [
        ("datastore.entities.get", path.partition("/documents/")[0])
    ],
    "firestore.projects.databases.documents.commit": _documents,
    # A list is asked for on the project.
    "compute.regions.get": project("compute.regions.get"),
    **{
        f"compute.{one}.list": project(f"compute.{one}.list")
        for one in ("addresses", "backendServices", "forwardingRules", "instanceGroupManagers", "regionBackendServices")
    },
    "compute.regionInstanceGroupManagers.list": project("compute.instanceGroupManagers.list"),
    "dns.managedZones.list": project("dns.managedZones.list"),
    "sql.instances.list": project("cloudsql.instances.list"),
    "alloydb.projects.locations.clusters.list": project("alloydb.clusters.list"),
    "run.projects.locations.services.list": project("run.services.list"),
    "container.projects.locations.clusters.list": project("container.clusters.list"),
    "cloudscheduler.projects.locations.jobs.list": project("cloudscheduler.jobs.list"),
    "cloudtasks.projects.locations.queues.list": project("cloudtasks.queues.list"),
    "pubsub.projects.subscriptions.list": project("pubsub.subscriptions.list"),
    # Cloud DNS, "Roles and permissions".
    "dns.managedZones.get": on("dns.managedZones.get"),
    "dns.resourceRecordSets.list": on("dns.resourceRecordSets.list", less="/rrsets"),
    "dns.changes.create": _change,
    **needs_of_traffic.NEEDS,
}
"""By the id of Google's method. A kind that calls another one gets a line here."""
