"""What Azure RBAC asks for, by operation: a row for each, some in files that are merged here (needs_of_*.py). A new
kind adds a row for each operation that it calls, and its world to allowed.py; a request of an operation without a row
fails its test.

A row's name is `<service> <operation>`: the first name behind `azure.mgmt.` of the package, and the operation as the
stand-in's method is named, with a dot between group and method: `azure.mgmt.servicebus`, `queues_create_or_update` is
"servicebus queues.create_or_update". The service's `operation` is the place where a long-running operation is asked for
(`Azure-AsyncOperation`, `Location`), which stands in a subscription, or below the resource itself (standins/arm.py).

Its value is the action as Microsoft's page of the provider lists it (learn.microsoft.com/azure/
role-based-access-control/permissions/, a page for each of networking, compute, databases, ...), with a label of the
path in braces where the type is one of several: `{recordType}`. The scope is not written: it is the resource that the
path names; of a list and of a verb behind a resource, what is above. The action must be what Resource Manager makes of
method and path (read, write, delete or action of that type), as the gate checks. What is asked for besides stands
behind it; what does not follow from the path at all is `instead`, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulators.azure.needs_of_databases import ROWS as DATABASES
from tests.emulators.azure.needs_of_traffic import ROWS as TRAFFIC
from tests.emulators.azure.needs_of_workers import ROWS as WORKERS
from tests.emulators.azure.rows import Row, instead, one

NEEDS: Mapping[str, Row] = {
    **DATABASES,
    **TRAFFIC,
    **WORKERS,
    # "Azure permissions for Management and governance", Microsoft.Authorization.
    "authorization permissions.list_for_resource": one("Microsoft.Authorization/permissions/read"),
    "authorization permissions.list_for_resource_group": one("Microsoft.Authorization/permissions/read"),
    # It shows what whoever asks has a role in ("Subscriptions - List"), and needs none for that.
    "resource subscriptions.list": instead(),
    # "Azure permissions for Networking", Microsoft.Network: a record set of one type is a type of resource.
    "dns zones.get": one("Microsoft.Network/dnsZones/read"),
    "dns record_sets.get": one("Microsoft.Network/dnsZones/{recordType}/read"),
    "dns record_sets.create_or_update": one("Microsoft.Network/dnsZones/{recordType}/write"),
    "privatedns private_zones.get": one("Microsoft.Network/privateDnsZones/read"),
    "privatedns record_sets.get": one("Microsoft.Network/privateDnsZones/{recordType}/read"),
    "privatedns record_sets.create_or_update": one("Microsoft.Network/privateDnsZones/{recordType}/write"),
    "trafficmanager profiles.get": one("Microsoft.Network/trafficManagerProfiles/read"),
    "trafficmanager endpoints.update": one("Microsoft.Network/trafficManagerProfiles/{endpointType}/write"),
    "network route_tables.get": one("Microsoft.Network/routeTables/read"),
    "network route_tables.update_tags": one("Microsoft.Network/routeTables/write"),
    "network routes.create_or_update": one("Microsoft.Network/routeTables/routes/write"),
    "network routes.delete": one("Microsoft.Network/routeTables/routes/delete"),
    "network operation": instead("Microsoft.Network/locations/operations/read"),
    # The same page, Microsoft.Cdn: where an order is asked for, and what it answers.
    "cdn afd_origin_groups.get": one("Microsoft.Cdn/profiles/origingroups/read"),
    "cdn afd_origins.list_by_origin_group": one("Microsoft.Cdn/profiles/origingroups/origins/read"),
    "cdn afd_origins.update": one("Microsoft.Cdn/profiles/origingroups/origins/write"),
    "cdn operation": instead(
        "Microsoft.Cdn/operationresults/read",
        "Microsoft.Cdn/operationresults/profileresults/origingroupresults/originresults/read",
    ),
    # "Azure permissions for Databases", Microsoft.DBforPostgreSQL.
    "postgresqlflexibleservers servers.get": one("Microsoft.DBforPostgreSQL/flexibleServers/read"),
    "postgresqlflexibleservers servers.update": one("Microsoft.DBforPostgreSQL/flexibleServers/write"),
    "postgresqlflexibleservers replicas.list_by_server": one("Microsoft.DBforPostgreSQL/flexibleServers/replicas/read"),
    "postgresqlflexibleservers virtual_endpoints.list_by_server": one(
        "Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints/read"
    ),
    "postgresqlflexibleservers firewall_rules.list_by_server": one(
        "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/read"
    ),
    "postgresqlflexibleservers firewall_rules.create_or_update": one(
        "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/write"
    ),
    "postgresqlflexibleservers firewall_rules.delete": one(
        "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/delete"
    ),
    "postgresqlflexibleservers operation": instead("Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read"),
}
