"""What a role must be allowed to look for what stands there, as IAM words it: on a project, which alone holds lists."""

from __future__ import annotations

ACTIONS = (
    "alloydb.clusters.list",
    "cloudscheduler.jobs.list",
    "cloudsql.instances.list",
    "cloudtasks.queues.list",
    "compute.addresses.list",
    "compute.backendServices.list",
    "compute.forwardingRules.list",
    "compute.instanceGroupManagers.list",
    "compute.regionBackendServices.list",
    "compute.regions.get",
    "compute.urlMaps.list",
    "container.clusters.list",
    "datastore.databases.list",
    "dns.managedZones.list",
    "dns.resourceRecordSets.list",
    "eventarc.triggers.list",
    "monitoring.alertPolicies.list",
    "pubsub.subscriptions.list",
    "run.services.list",
    "spanner.databases.list",
    "spanner.instanceConfigs.get",
    "spanner.instances.list",
)
"""Each is a read."""

WHY = "What is there is looked for, so that it cannot be named before. Write the project in the place of PROJECT."
ON = "projects/PROJECT"
