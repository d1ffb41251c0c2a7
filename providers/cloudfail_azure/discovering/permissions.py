"""What a role must be allowed to look for what stands there, as Azure RBAC names it: on a subscription, which alone
holds lists. Sources: as the kinds' own permissions have them."""

from __future__ import annotations

from cloudfail_azure.access.scopes import ANY

ACTIONS = (
    "Microsoft.Cdn/profiles/origingroups/origins/read",
    "Microsoft.Cdn/profiles/origingroups/read",
    "Microsoft.ContainerService/managedClusters/agentPools/read",
    "Microsoft.DBforMySQL/flexibleServers/read",
    "Microsoft.DBforPostgreSQL/flexibleServers/read",
    "Microsoft.DocumentDB/databaseAccounts/read",
    "Microsoft.EventGrid/locations/eventSubscriptions/read",
    "Microsoft.Insights/autoscaleSettings/read",
    "Microsoft.Insights/metricAlerts/read",
    "Microsoft.Network/dnsZones/recordsets/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/privateDnsZones/ALL/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/trafficManagerProfiles/read",
    "Microsoft.Resources/subscriptions/resources/read",
    "Microsoft.ServiceBus/namespaces/queues/read",
    "Microsoft.ServiceBus/namespaces/topics/read",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/read",
    "Microsoft.Sql/servers/failoverGroups/read",
    "Microsoft.Web/sites/functions/read",
    "Microsoft.Web/sites/read",
)
"""Each is a read."""

WHY = (
    "What is there is looked for, so that it cannot be named before. Write the subscription in the place of "
    "SUBSCRIPTION."
)
ON = ANY
