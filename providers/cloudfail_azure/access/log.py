"""What whoever keeps the log in Blob Storage must be allowed there: a role less than Storage Blob Data Contributor,
which may also delete. It is the process itself that keeps it, whatever roles the resources have.

Of each request that store.py makes, the action is the one that "Permissions for calling data operations"
(learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory) asks for: Get Container Properties;
List Blobs, Get Blob and Get Blob Properties; Put Blob. What a URL says is an account's name, and not where it stands.
"""

from __future__ import annotations

from typing import Any

from cloudfail_azure.access.roles import ME, PRINCIPAL, assign, create
from cloudfail_azure.access.scopes import is_data, page_of
from cloudfail_azure.store import parse

_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
ACTIONS = (f"{_CONTAINERS}/read", f"{_CONTAINERS}/blobs/read", f"{_CONTAINERS}/blobs/write")
_GROUP = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"


def document(url: str) -> dict[str, Any]:
    """In the form of roles.document. Raises Refused for a URL that is none."""
    where = parse(url)
    account = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{where.account}"
    scope = f"{account}/blobServices/default/containers/{where.container}"
    role = {
        "Name": f"cloudfail log {where.account} {where.container}",
        "IsCustom": True,
        "Description": f"What cloudfail needs to keep its log in the container {where.container} of {where.account}.",
        "Actions": [one for one in ACTIONS if not is_data(one)],
        "NotActions": [],
        "DataActions": [one for one in ACTIONS if is_data(one)],
        "NotDataActions": [],
        "AssignableScopes": [_GROUP],
    }
    assignment = {"role": str(role["Name"]), "scope": scope, "principal": PRINCIPAL}
    return {
        "roles": [role],
        "assignments": [assignment],
        "commands": [create(role), assign(assignment)],
        "actions": [{"action": one, "for": [f"log: {where}"], "page": page_of(one)} for one in ACTIONS],
        "on_more_than_a_resource": [],
        "principal": f"Write the client id of {ME} in the place of {PRINCIPAL}",
        "place": "Write the account's own in the place of SUBSCRIPTION and GROUP, in the file too: "
        f"az storage account show --name {where.account} --query id",
    }
