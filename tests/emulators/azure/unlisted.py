"""Actions that Resource Manager makes of a path, and that Microsoft's page of the provider does not list.

Azure takes no custom role with one: "'Microsoft.Compute/hosts/delete' does not match any of the actions supported by
the providers" (400 InvalidActionOrNotAction; hashicorp/terraform-provider-azuread issue 152), and none of the role's
others is given then. So none may be printed, and whoever has what is printed is refused there: the gate does it, and
holds nobody to it, since a kind has to go on without.
"""

from __future__ import annotations

_SQL = "Microsoft.Sql/locations"
# "Azure permissions for Databases" of February 2026 lists both of replication links, and none of failover groups; they
# are types of the provider. A built-in role as SQL DB Contributor has them by `Microsoft.Sql/locations/*/read`.
UNLISTED = frozenset(
    {
        f"{_SQL}/failoverGroupAzureAsyncOperation/read",
        f"{_SQL}/failoverGroupOperationResults/read",
        f"{_SQL}/instanceFailoverGroupAzureAsyncOperation/read",
        f"{_SQL}/instanceFailoverGroupOperationResults/read",
    }
)
