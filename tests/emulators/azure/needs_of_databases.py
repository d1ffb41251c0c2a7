"""What Azure RBAC asks for of databases: rows of needs.py. The page is "Azure permissions for Databases", unless it is
said otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulators.azure.rows import Row, instead, one

_SQL = "Microsoft.Sql"
_GROUPS, _INSTANCES = f"{_SQL}/servers/failoverGroups", f"{_SQL}/locations/instanceFailoverGroups"
_DATABASES = f"{_SQL}/servers/databases"
_MYSQL = "Microsoft.DBforMySQL"
_COSMOS = "Microsoft.DocumentDB"

ROWS: Mapping[str, Row] = {
    # Microsoft.Sql. Each shape has a place of its own for its operations.
    "sql failover_groups.get": one(f"{_GROUPS}/read"),
    "sql failover_groups.failover": one(f"{_GROUPS}/failover/action"),
    "sql failover_groups.try_planned_before_forced_failover": one(f"{_GROUPS}/tryPlannedBeforeForcedFailover/action"),
    "sql failover_groups.force_failover_allow_data_loss": one(f"{_GROUPS}/forceFailoverAllowDataLoss/action"),
    "sql operation of failoverGroup": instead(f"{_SQL}/locations/failoverGroupAzureAsyncOperation/read"),
    "sql instance_failover_groups.get": one(f"{_INSTANCES}/read"),
    "sql instance_failover_groups.failover": one(f"{_INSTANCES}/failover/action"),
    "sql instance_failover_groups.force_failover_allow_data_loss": one(
        f"{_INSTANCES}/forceFailoverAllowDataLoss/action"
    ),
    "sql operation of instanceFailoverGroup": instead(
        f"{_SQL}/locations/instanceFailoverGroupAzureAsyncOperation/read"
    ),
    "sql databases.get": one(f"{_DATABASES}/read"),
    "sql replication_links.list_by_database": one(f"{_DATABASES}/replicationLinks/read"),
    "sql replication_links.failover": one(f"{_DATABASES}/replicationLinks/failover/action"),
    "sql replication_links.failover_allow_data_loss": one(
        f"{_DATABASES}/replicationLinks/forceFailoverAllowDataLoss/action"
    ),
    "sql operation": instead(
        f"{_SQL}/locations/replicationLinksAzureAsyncOperation/read",
        f"{_SQL}/locations/replicationLinksOperationResults/read",
    ),
    # Microsoft.DocumentDB. What is asked of a region's own door is under the account's own roles.
    "cosmosdb database_accounts.get": one(f"{_COSMOS}/databaseAccounts/read"),
    "cosmosdb database_accounts.offline_region": one(f"{_COSMOS}/databaseAccounts/offlineRegion/action"),
    "cosmosdb database_accounts.failover_priority_change": one(
        f"{_COSMOS}/databaseAccounts/failoverPriorityChange/action"
    ),
    "cosmosdb operation": instead(f"{_COSMOS}/locations/operationsStatus/read"),
    # Microsoft.DBforMySQL: where an order's status stands, and where its answer.
    "mysqlflexibleservers servers.get": one(f"{_MYSQL}/flexibleServers/read"),
    "mysqlflexibleservers servers.update": one(f"{_MYSQL}/flexibleServers/write"),
    "mysqlflexibleservers replicas.list_by_server": one(f"{_MYSQL}/flexibleServers/replicas/read"),
    "mysqlflexibleservers firewall_rules.list_by_server": one(f"{_MYSQL}/flexibleServers/firewallRules/read"),
    "mysqlflexibleservers firewall_rules.create_or_update": one(f"{_MYSQL}/flexibleServers/firewallRules/write"),
    "mysqlflexibleservers firewall_rules.delete": one(f"{_MYSQL}/flexibleServers/firewallRules/delete"),
    "mysqlflexibleservers operation": instead(f"{_MYSQL}/locations/azureAsyncOperation/read"),
    "mysqlflexibleservers operation of answer": instead(f"{_MYSQL}/locations/operationResults/read"),
    # "Azure permissions for Networking", Microsoft.Network.
    "network network_security_groups.get": one("Microsoft.Network/networkSecurityGroups/read"),
    "network network_security_groups.update_tags": one("Microsoft.Network/networkSecurityGroups/write"),
    "network security_rules.create_or_update": one("Microsoft.Network/networkSecurityGroups/securityRules/write"),
    "network security_rules.delete": one("Microsoft.Network/networkSecurityGroups/securityRules/delete"),
}
