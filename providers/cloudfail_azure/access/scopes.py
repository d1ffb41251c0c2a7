"""Where an action is allowed: a scope, which is a subscription, a resource group, or a resource, by its id.

What is assigned on a scope holds for all below it ("Understand scope for Azure RBAC", learn.microsoft.com/azure/
role-based-access-control/scope-overview). A custom role says on which scopes it may be assigned: subscriptions and
resource groups, since one that names single resources is a role more of a tenant's 5000 for each of them ("Azure custom
roles", .../role-based-access-control/custom-roles).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudfail.errors import Refused

_SUBSCRIPTION = re.compile(r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP = re.compile(_SUBSCRIPTION.pattern + r"/resourceGroups/[^/]+", re.IGNORECASE)
ANY = "/subscriptions/SUBSCRIPTION"
"""What is looked for stands in whichever one is meant: whoever reads what is printed writes it there."""
_REFERENCE = "https://learn.microsoft.com/azure/role-based-access-control/"

# Of data, and of no resource: they stand in a role's DataActions ("Understand Azure role definitions", .../
# role-definitions; each provider's page marks them). Cosmos DB's are of roles of its own, and of none of Azure's.
_DATA = re.compile(
    r"microsoft\.storage/storageaccounts/(?:blobservices/containers/blobs|queueservices/queues/messages"
    r"|tableservices/tables/entities)/.+"
    r"|microsoft\.(?:servicebus|eventhub)/namespaces/messages/.+"
    r"|microsoft\.eventgrid/events/send/action"
    r"|microsoft\.keyvault/vaults/(?:secrets|keys|certificates)/.+/action"
)
_PAGES: Mapping[str, str] = {
    "app": "compute",
    "authorization": "management-and-governance",
    "cache": "databases",
    "cdn": "networking",
    "compute": "compute",
    "containerservice": "containers",
    "dbformysql": "databases",
    "dbforpostgresql": "databases",
    "documentdb": "databases",
    "eventgrid": "integration",
    "eventhub": "integration",
    "insights": "monitor",
    "alertsmanagement": "monitor",
    "keyvault": "security",
    "managedidentity": "identity",
    "network": "networking",
    "resourcehealth": "general",
    "resources": "management-and-governance",
    "servicebus": "integration",
    "sql": "databases",
    "storage": "storage",
    "web": "web-and-mobile",
}
"""Of each provider ("Microsoft.Network"), the page that lists what it can be asked for."""


def subscription_of(scope: str) -> str:
    """`/subscriptions/S`. Raises Refused for what is in none."""
    found = _SUBSCRIPTION.match(scope)
    if scope == ANY:
        return ANY
    if found is None or not covers(found[0], scope):
        raise Refused(
            f"{scope} is in no subscription, and a role of Azure's is assigned in one.",
            "Nothing was printed.",
            "Write the whole id of each resource: az resource show --ids ... --query id",
        )
    return found[0]


def group_of(scope: str) -> str:
    """The resource group that it is, or stands in; "" for a subscription's own."""
    found = _GROUP.match(scope)
    return found[0] if found and covers(found[0], scope) else ""


def covers(above: str, below: str) -> bool:
    """Whether what is assigned on the one holds for the other. Ids are the same in any case."""
    one, other = above.lower(), below.lower()
    return other == one or other.startswith(f"{one}/")


def is_data(action: str) -> bool:
    """Whether it is one of a role's DataActions."""
    return _DATA.fullmatch(action.lower()) is not None


def page_of(action: str) -> str:
    """The vendor's page that lists it."""
    provider = action.partition("/")[0].lower().removeprefix("microsoft.")
    page = _PAGES.get(provider)
    return (
        f"{_REFERENCE}permissions/{page}#microsoft{provider}" if page else f"{_REFERENCE}resource-provider-operations"
    )
