"""What workers and consumers ask for (rows of needs.py): Microsoft.Compute, Microsoft.Web, Microsoft.App,
Microsoft.ContainerService, Microsoft.Insights, Microsoft.ServiceBus, Microsoft.EventGrid."""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulators.azure.rows import Row, instead, one

ROWS: Mapping[str, Row] = {
    # "Azure permissions for Compute": the instances are listed with their instance view.
    "compute virtual_machine_scale_sets.get": one("Microsoft.Compute/virtualMachineScaleSets/read"),
    "compute virtual_machine_scale_sets.update": one("Microsoft.Compute/virtualMachineScaleSets/write"),
    "compute virtual_machine_scale_set_v_ms.list": one(
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
    ),
    "compute resource_skus.list": one("Microsoft.Compute/skus/read"),
    "compute usage.list": one("Microsoft.Compute/locations/usages/read"),
    "compute capacity_reservations.list_by_capacity_reservation_group": one(
        "Microsoft.Compute/capacityReservationGroups/capacityReservations/read"
    ),
    "compute operation": instead("Microsoft.Compute/locations/operations/read"),
    # The same page, Microsoft.App: where an order is asked for by its status, and where by its answer.
    "appcontainers container_apps.get": one("Microsoft.App/containerApps/read"),
    "appcontainers container_apps.update": one("Microsoft.App/containerApps/write"),
    "appcontainers container_apps_revisions.get_revision": one("Microsoft.App/containerApps/revisions/read"),
    "appcontainers container_apps_revision_replicas.list_replicas": one(
        "Microsoft.App/containerApps/revisions/replicas/read"
    ),
    "appcontainers managed_environment_usages.list": one("Microsoft.App/managedEnvironments/usages/read"),
    "appcontainers operation": instead(
        "Microsoft.App/locations/containerappoperationstatuses/read",
        "Microsoft.App/locations/containerappoperationresults/read",
    ),
    # "Azure permissions for Containers", Microsoft.ContainerService. The page does not list machines: their action is
    # what Resource Manager makes of the path.
    "containerservice managed_clusters.get": one("Microsoft.ContainerService/managedClusters/read"),
    "containerservice agent_pools.get": one("Microsoft.ContainerService/managedClusters/agentPools/read"),
    "containerservice agent_pools.create_or_update": one("Microsoft.ContainerService/managedClusters/agentPools/write"),
    "containerservice machines.list": one("Microsoft.ContainerService/managedClusters/agentPools/machines/read"),
    "containerservice operation": instead(
        "Microsoft.ContainerService/locations/operations/read",
        "Microsoft.ContainerService/locations/operationresults/read",
    ),
    # "Azure permissions for Web and Mobile", Microsoft.Web. A plan's operation stands below the plan.
    "web app_service_plans.get": one("Microsoft.Web/serverfarms/read"),
    "web app_service_plans.create_or_update": one("Microsoft.Web/serverfarms/write"),
    "web operation": instead("Microsoft.Web/serverfarms/operationresults/read"),
    "web web_apps.get": one("Microsoft.Web/sites/read"),
    "web web_apps.list_instance_identifiers": one("Microsoft.Web/sites/instances/read"),
    "web web_apps.get_function": one("Microsoft.Web/sites/functions/read"),
    "web web_apps.list_slots": one("Microsoft.Web/sites/slots/read"),
    "web web_apps.list_slot_configuration_names": one("Microsoft.Web/sites/config/read"),
    "web web_apps.list_application_settings": one("Microsoft.Web/sites/config/list/action"),
    "web web_apps.update_application_settings": one("Microsoft.Web/sites/config/write"),
    # Of a slot.
    "web web_apps.get_slot": one("Microsoft.Web/sites/slots/read"),
    "web web_apps.get_instance_function_slot": one("Microsoft.Web/sites/slots/functions/read"),
    "web web_apps.list_application_settings_slot": one("Microsoft.Web/sites/slots/config/list/action"),
    "web web_apps.update_application_settings_slot": one("Microsoft.Web/sites/slots/config/write"),
    # "Azure permissions for Monitor", Microsoft.Insights.
    "monitor autoscale_settings.list_by_resource_group": one("Microsoft.Insights/autoscaleSettings/read"),
    "monitor autoscale_settings.update": one("Microsoft.Insights/autoscaleSettings/write"),
    # "Azure permissions for Integration", Microsoft.ServiceBus and Microsoft.EventGrid.
    "servicebus namespaces.get": one("Microsoft.ServiceBus/namespaces/read"),
    "servicebus queues.get": one("Microsoft.ServiceBus/namespaces/queues/read"),
    "servicebus queues.create_or_update": one("Microsoft.ServiceBus/namespaces/queues/write"),
    "servicebus subscriptions.get": one("Microsoft.ServiceBus/namespaces/topics/subscriptions/read"),
    "servicebus subscriptions.create_or_update": one("Microsoft.ServiceBus/namespaces/topics/subscriptions/write"),
    "eventgrid event_subscriptions.get": one("Microsoft.EventGrid/eventSubscriptions/read"),
    "eventgrid system_topic_event_subscriptions.get": one("Microsoft.EventGrid/systemTopics/eventSubscriptions/read"),
}
