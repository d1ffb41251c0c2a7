"""What Azure RBAC asks for of what balances, of networks, of signals, and of whoever looks for what stands there: rows
of needs.py. Each page named is one of learn.microsoft.com/azure/role-based-access-control/permissions/."""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulators.azure.rows import Row, instead, one

ROWS: Mapping[str, Row] = {
    # "Azure permissions for Networking", Microsoft.Network. What a probe sees is asked by POST: an action, though it
    # changes nothing.
    "network load_balancers.get": one("Microsoft.Network/loadBalancers/read"),
    "network load_balancer_backend_address_pools.create_or_update": one(
        "Microsoft.Network/loadBalancers/backendAddressPools/write"
    ),
    "network load_balancer_load_balancing_rules.health": one(
        "Microsoft.Network/loadBalancers/loadBalancingRules/health/action"
    ),
    "network load_balancers.swap_public_ip_addresses": one(
        "Microsoft.Network/locations/setLoadBalancerFrontendPublicIpAddresses/action"
    ),
    "network application_gateways.get": one("Microsoft.Network/applicationGateways/read"),
    "network application_gateways.create_or_update": one("Microsoft.Network/applicationGateways/write"),
    "network application_gateways.backend_health": one("Microsoft.Network/applicationGateways/backendhealth/action"),
    "network application_gateways.backend_health_on_demand": one(
        "Microsoft.Network/applicationGateways/getBackendHealthOnDemand/action"
    ),
    "network subnets.get": one("Microsoft.Network/virtualNetworks/subnets/read"),
    "network public_ip_addresses.get": one("Microsoft.Network/publicIPAddresses/read"),
    "network public_ip_addresses.update_tags": one("Microsoft.Network/publicIPAddresses/write"),
    "network network_interfaces.get": one("Microsoft.Network/networkInterfaces/read"),
    "network network_interfaces.create_or_update": one("Microsoft.Network/networkInterfaces/write"),
    # The same page: "operation result of an async POST or DELETE operation", which stands where `Location` leads.
    "network operation of answer": instead("Microsoft.Network/locations/operationResults/read"),
    # "Azure permissions for Monitor", Microsoft.Insights and Microsoft.AlertsManagement.
    "monitor metric_alerts.get": one("Microsoft.Insights/metricAlerts/read"),
    "monitor metrics.list": one("Microsoft.Insights/metrics/read"),
    "alertsmanagement alerts.get_all": one("Microsoft.AlertsManagement/alerts/read"),
    # "Azure permissions for General", Microsoft.ResourceHealth.
    "resourcehealth events.list_by_subscription_id": one("Microsoft.ResourceHealth/events/read"),
    # What is looked for, in lists of a subscription. Its path names no provider: "Management and governance" has it
    # under Microsoft.Resources.
    "resource resources.list": instead("Microsoft.Resources/subscriptions/resources/read"),
    "network public_ip_addresses.list_all": one("Microsoft.Network/publicIPAddresses/read"),
    "network load_balancers.list_all": one("Microsoft.Network/loadBalancers/read"),
    "network route_tables.list_all": one("Microsoft.Network/routeTables/read"),
    "dns record_sets.list_by_dns_zone": one("Microsoft.Network/dnsZones/recordsets/read"),
    "privatedns record_sets.list": one("Microsoft.Network/privateDnsZones/ALL/read"),
    "trafficmanager profiles.list_by_subscription": one("Microsoft.Network/trafficManagerProfiles/read"),
    "cdn afd_origin_groups.list_by_profile": one("Microsoft.Cdn/profiles/origingroups/read"),
    "monitor autoscale_settings.list_by_subscription": one("Microsoft.Insights/autoscaleSettings/read"),
    "monitor metric_alerts.list_by_subscription": one("Microsoft.Insights/metricAlerts/read"),
    # "Databases": Microsoft.DBforPostgreSQL, Microsoft.DBforMySQL, Microsoft.Sql and Microsoft.DocumentDB.
    "postgresqlflexibleservers servers.list_by_subscription": one("Microsoft.DBforPostgreSQL/flexibleServers/read"),
    "mysqlflexibleservers servers.list": one("Microsoft.DBforMySQL/flexibleServers/read"),
    "sql failover_groups.list_by_server": one("Microsoft.Sql/servers/failoverGroups/read"),
    "cosmosdb database_accounts.list": one("Microsoft.DocumentDB/databaseAccounts/read"),
    # "Integration": Microsoft.ServiceBus and Microsoft.EventGrid.
    "servicebus queues.list_by_namespace": one("Microsoft.ServiceBus/namespaces/queues/read"),
    "servicebus topics.list_by_namespace": one("Microsoft.ServiceBus/namespaces/topics/read"),
    "servicebus subscriptions.list_by_topic": one("Microsoft.ServiceBus/namespaces/topics/subscriptions/read"),
    "eventgrid event_subscriptions.list_regional_by_subscription": one(
        "Microsoft.EventGrid/locations/eventSubscriptions/read"
    ),
    # "Web and Mobile", Microsoft.Web; "Containers", Microsoft.ContainerService.
    "web web_apps.list": one("Microsoft.Web/sites/read"),
    "web web_apps.list_functions": one("Microsoft.Web/sites/functions/read"),
    "containerservice agent_pools.list": one("Microsoft.ContainerService/managedClusters/agentPools/read"),
}
