"""A subscription with one of everything, in two regions, as its APIs list it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Ask
from tests.emulators.azure.standins.monitoring import SINGLE
from tests.emulators.azure.standins.subscription import Everything, Listing, resource

WHOLE = f"/subscriptions/{SUBSCRIPTION}"
P = f"{WHOLE}/resourceGroups/shop/providers"
GROUP = {WEST: f"{WHOLE}/resourceGroups/shop-weu/providers", NORTH: f"{WHOLE}/resourceGroups/shop-neu/providers"}
ADDRESS = {WEST: "192.0.2.10", NORTH: "192.0.2.20"}
INSIDE = {WEST: "10.1.0.4", NORTH: "10.2.0.4"}
SHORT = {WEST: "weu", NORTH: "neu"}
REGIONS = (WEST, NORTH)
SHOP = {"application": "shop"}
SETS = {region: f"{P}/Microsoft.Compute/virtualMachineScaleSets/web-{SHORT[region]}" for region in REGIONS}
BATCH = {region: f"{GROUP[region]}/Microsoft.Compute/virtualMachineScaleSets/batch" for region in REGIONS}
SETTING = f"{P}/Microsoft.Insights/autoscaleSettings/web-neu"
SERVERS = {region: f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/orders-{region[0]}" for region in REGIONS}
PUBLIC = {region: f"{P}/Microsoft.Network/publicIPAddresses/www-{SHORT[region]}" for region in REGIONS}
ZONE = f"{P}/Microsoft.Network/dnsZones/shop.example"
PRIVATE_ZONE = f"{P}/Microsoft.Network/privateDnsZones/inside.example"
PROFILE = f"{P}/Microsoft.Network/trafficManagerProfiles"
DOOR = f"{P}/Microsoft.Cdn/profiles/edge"
SPACE = {region: f"{P}/Microsoft.ServiceBus/namespaces/shop-{region[0]}" for region in REGIONS}
RULES = {region: f"{P}/Microsoft.Insights/metricAlerts/errors-{region[0]}" for region in REGIONS}
MYSQL = {region: f"{P}/Microsoft.DBforMySQL/flexibleServers/carts-{region[0]}" for region in REGIONS}
SQL = {region: f"{P}/Microsoft.Sql/servers/ledger-{region[0]}" for region in REGIONS}
COSMOS = f"{P}/Microsoft.DocumentDB/databaseAccounts/sessions"
APPS = {region: f"{P}/Microsoft.Web/sites/shop-{region[0]}" for region in REGIONS}
PLANS = {region: f"{P}/Microsoft.Web/serverfarms/plan-{region[0]}" for region in REGIONS}
JOBS = {region: f"{P}/Microsoft.Web/sites/jobs-{region[0]}" for region in REGIONS}
CLUSTERS = {region: f"{P}/Microsoft.ContainerService/managedClusters/core-{region[0]}" for region in REGIONS}
CONTAINERS = {region: f"{GROUP[region]}/Microsoft.App/containerApps/api" for region in REGIONS}
EVENTS = {
    region: f"{P}/Microsoft.EventGrid/systemTopics/files-{region[0]}/eventSubscriptions/paid-{region[0]}"
    for region in REGIONS
}
TABLE = f"{P}/Microsoft.Network/routeTables/hub"


def sets() -> list[dict[str, Any]]:
    kind = f"{P}/Microsoft.Compute/virtualMachineScaleSets"
    return [
        *(resource(id_, region) for region, id_ in SETS.items()),
        *(resource(id_, region) for region, id_ in BATCH.items()),
        *(resource(f"{kind}/aks-main-{at}-vmss", at, tags={"aks-managed-poolName": "main"}) for at in REGIONS),
        resource(f"{kind}/lonely", NORTH),
    ]


def settings() -> list[dict[str, Any]]:
    def setting(id_: str, target: str, enabled: bool) -> dict[str, Any]:
        told = {"targetResourceUri": target, "enabled": enabled, "profiles": []}
        return resource(id_, NORTH, properties=told)

    # Azure tells what is sized in a case of its own.
    return [setting(SETTING, SETS[NORTH].upper(), True), setting(f"{SETTING}-off", SETS[WEST], False)]


def addresses() -> list[dict[str, Any]]:
    made = []
    for region, id_ in PUBLIC.items():
        fqdn = f"www-{SHORT[region]}.{region}.cloudapp.azure.com"
        told = {"ipAddress": ADDRESS[region], "dnsSettings": {"domainNameLabel": "www", "fqdn": fqdn}}
        made.append(resource(id_, region.title(), properties=told))
    return made


def balancers() -> list[dict[str, Any]]:
    """Each with an address of its own, and with one that both regions' networks have."""
    made = []
    for region in REGIONS:
        frontends = [{"name": at, "properties": {"privateIPAddress": at}} for at in (INSIDE[region], "10.9.0.4")]
        id_ = f"{P}/Microsoft.Network/loadBalancers/api-{SHORT[region]}"
        made.append(resource(id_, region, properties={"frontendIPConfigurations": frontends}))
    return made


def tables() -> list[dict[str, Any]]:
    told = [
        ("backbone", {"addressPrefix": "10.20.0.0/16", "nextHopType": "VirtualAppliance",
                      "nextHopIpAddress": "10.1.0.4"}),
        ("out", {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}),
    ]  # fmt: skip
    routes = [{"id": f"{TABLE}/routes/{name}", "name": name, "properties": one} for name, one in told]
    plain = f"{TABLE}-plain"
    return [resource(TABLE, WEST, properties={"routes": routes}),
            resource(plain, WEST, properties={"routes": routes[1:]})]  # fmt: skip


def record(name: str, *values: str, ttl: int = 60, zone: str = ZONE, **more: Any) -> dict[str, Any]:
    """Of addresses, or of one host."""
    public = "/dnsZones/" in zone
    a, alias, seconds = ("ARecords", "CNAMERecord", "TTL") if public else ("aRecords", "cnameRecord", "ttl")
    told: dict[str, Any] = {a: [{"ipv4Address": value} for value in values]} if values else {}
    sort = "A"
    if values and not values[0][0].isdigit():
        sort, told = "CNAME", {alias: {"cname": values[0]}}
    kind = "Microsoft.Network/dnszones" if public else "Microsoft.Network/privateDnsZones"
    return {"id": f"{zone}/{sort}/{name}", "name": name, "type": f"{kind}/{sort}",
            "properties": {seconds: ttl, **told, **more}}  # fmt: skip


def names() -> list[dict[str, Any]]:
    return [
        record("www", *ADDRESS.values()),
        record("one", ADDRESS[WEST]),
        record("half", ADDRESS[WEST], "198.51.100.7"),
        record("elsewhere", "198.51.100.1"),
        record("host", f"www-weu.{WEST}.cloudapp.azure.com"),
        record("alias", targetResource={"id": PUBLIC[NORTH]}),
        record("front", targetResource={"id": DOOR}),
    ]


def inner_names() -> list[dict[str, Any]]:
    return [record("api", *INSIDE.values(), zone=PRIVATE_ZONE), record("both", "10.9.0.4", zone=PRIVATE_ZONE)]


def profile(name: str, method: str, *endpoints: Mapping[str, Any]) -> dict[str, Any]:
    id_ = f"{PROFILE}/{name}"
    made = []
    for number, told in enumerate(endpoints, 1):
        sort = "azureEndpoints" if "targetResourceId" in told else "externalEndpoints"
        more = {"endpointStatus": "Enabled", "priority": number, "weight": 1, **told}
        made.append({"id": f"{id_}/{sort}/e{number}", "name": f"e{number}", "properties": more})
    return resource(id_, properties={"trafficRoutingMethod": method, "endpoints": made})


def profiles() -> list[dict[str, Any]]:
    placed = [{"target": f"{region}.shop.example", "endpointLocation": f"{region[:-6]} Europe".title()}
              for region in REGIONS]  # fmt: skip
    addressed = [{"targetResourceId": PUBLIC[NORTH], "endpointStatus": "Disabled"}, {"target": ADDRESS[WEST]}]
    return [
        profile("shop", "Priority", *addressed),
        profile("near", "Performance", *placed),
        profile("by-place", "Geographic", *placed),
        profile("unsaid", "Weighted", {"targetResourceId": PUBLIC[WEST]}, {"target": "somewhere.example"}),
        profile("crowded", "Weighted", *placed, placed[0]),
        profile("one", "Weighted", placed[0]),
    ]


def groups() -> list[dict[str, Any]]:
    return [{"id": f"{DOOR}/originGroups/{name}", "name": name} for name in ("web", "api", "alone")]


def origins() -> list[dict[str, Any]]:
    def origin(group: str, name: str, host: str, priority: int = 1, **more: Any) -> dict[str, Any]:
        told = {"hostName": host, "enabledState": "Enabled", "priority": priority, "weight": 500, **more}
        return {"id": f"{DOOR}/originGroups/{group}/origins/{name}", "name": name, "properties": told}

    return [
        origin("web", "a", f"shop-1f2e.{WEST}-01.azurewebsites.net"),
        origin("web", "b", "shop-n.azurewebsites.net", 2),
        origin("api", "a", "api.shop.example", azureOrigin={"id": APPS[WEST]}),
        origin("api", "b", "api.shop.example",
               sharedPrivateLinkResource={"privateLink": {"id": APPS[NORTH]}, "privateLinkLocation": NORTH}),
        origin("alone", "a", "shop-w.azurewebsites.net"),
    ]  # fmt: skip


def servers() -> list[dict[str, Any]]:
    made = []
    for region, id_ in SERVERS.items():
        told: dict[str, Any] = {
            "fullyQualifiedDomainName": f"orders-{region[0]}.postgres.database.azure.com",
            "replicationRole": "Primary" if region == WEST else "AsyncReplica",
        }
        if region == NORTH:
            told["sourceServerResourceId"] = SERVERS[WEST].replace("resourceGroups", "resourcegroups")
        made.append(resource(id_, region.title(), properties=told))
    return [*made, resource(f"{SERVERS[WEST]}-alone", "West Europe", properties={"replicationRole": "None"})]


def mysql() -> list[dict[str, Any]]:
    source = {"replicationRole": "Source"}
    replica = {"replicationRole": "Replica", "sourceServerResourceId": MYSQL[WEST]}
    return [resource(MYSQL[WEST], WEST, properties=source), resource(MYSQL[NORTH], NORTH, properties=replica)]


def failover_groups() -> list[dict[str, Any]]:
    """As each of its two servers has it."""
    made = []
    for here, there in ((WEST, NORTH), (NORTH, WEST)):
        partner = {"id": SQL[there], "location": there.title(), "replicationRole": "Secondary"}
        told = {"replicationRole": "Primary" if here == WEST else "Secondary", "databases": [],
                "readWriteEndpoint": {"failoverPolicy": "Manual"}, "partnerServers": [partner]}  # fmt: skip
        made.append({"id": f"{SQL[here]}/failoverGroups/ledger", "name": "ledger", "properties": told})
    return made


def accounts() -> list[dict[str, Any]]:
    places = [
        {"id": f"sessions-{region}", "locationName": f"{region[:-6]} Europe".title(), "failoverPriority": at,
         "documentEndpoint": f"https://sessions-{region}.documents.azure.com:443/"}
        for at, region in enumerate(REGIONS)
    ]  # fmt: skip
    near = f"{COSMOS}-near"
    return [resource(COSMOS, "West Europe", properties={"locations": places}),
            resource(near, "West Europe", properties={"locations": places[:1]})]  # fmt: skip


def sites() -> list[dict[str, Any]]:
    return [
        resource(id_, region.title(), kind=kind, properties={"serverFarmId": PLANS[region]})
        for some, kind in ((APPS, "app,linux"), (JOBS, "functionapp,linux"))
        for region, id_ in some.items()
    ]


def below(ids: Mapping[str, str], *names: str) -> list[dict[str, Any]]:
    return [{"id": f"{id_}/{'/'.join(names)}", "name": names[-1]} for id_ in ids.values()]


def subscriptions() -> list[dict[str, Any]]:
    topic = ("topics", "paid")
    return [*below(SPACE, *topic), *below(SPACE, *topic, "subscriptions", "mail")]


class Events:
    """Event Grid: by the place of what sends them."""

    def event_subscriptions_list_regional_by_subscription(self, ask: Ask) -> dict[str, Any]:
        id_ = EVENTS[ask.labels["location"]]
        return {
            "value": [{"id": id_, "name": id_.rpartition("/")[2], "type": "Microsoft.EventGrid/eventSubscriptions"}]
        }


def spaces() -> list[dict[str, Any]]:
    return [resource(id_, region, tags=SHOP) for region, id_ in SPACE.items()]


def queues() -> list[dict[str, Any]]:
    return [resource(f"{id_}/queues/orders") for id_ in SPACE.values()] + [resource(f"{SPACE[WEST]}/queues/mails")]


def rules() -> list[dict[str, Any]]:
    def rule(id_: str, *scopes: str, **more: Any) -> dict[str, Any]:
        one = {"name": "errors", "criterionType": "StaticThresholdCriterion", "metricName": "Http5xx",
               "operator": "GreaterThan", "threshold": 10.0, "timeAggregation": "Total"}  # fmt: skip
        told = {"enabled": True, "autoMitigate": True, "severity": 1, "scopes": list(scopes),
                "evaluationFrequency": "PT1M", "windowSize": "PT5M",
                "criteria": {"odata.type": SINGLE, "allOf": [one]}}  # fmt: skip
        return resource(id_, properties={**told, **more})

    watched = APPS
    other = f"{P}/Microsoft.Insights/metricAlerts"
    return [
        *(rule(RULES[region], watched[region]) for region in REGIONS),
        rule(f"{other}/off-{WEST}", watched[WEST], enabled=False),
        rule(f"{other}/stateless-{WEST}", watched[WEST], autoMitigate=False),
        rule(f"{other}/wide-{WEST}", WHOLE),
        rule(f"{other}/both", *watched.values()),
    ]


def listed() -> list[dict[str, Any]]:
    """What stands below nothing else."""
    door = resource(DOOR, sku={"name": "Premium_AzureFrontDoor"})
    classic = resource(f"{DOOR}-classic", sku={"name": "Standard_Microsoft"})
    zones = [resource(ZONE, tags=SHOP), resource(PRIVATE_ZONE)]
    apps = [resource(id_, region) for region, id_ in CONTAINERS.items()]
    more = [resource(id_, region) for some in (SQL, CLUSTERS, PLANS) for region, id_ in some.items()]
    everything = (sets(), settings(), addresses(), balancers(), tables(), zones, profiles(), [door, classic], servers())
    others = (spaces(), rules(), sites(), apps, more, mysql(), accounts())
    return [
        {key: value for key, value in one.items() if key != "properties"}
        for some in (*everything, *others)
        for one in some
    ]


def mount(serving: Callable[[str, Any], Any]) -> None:
    """All of it."""
    serving("azure.mgmt.resource.resources", Everything(listed()))
    network = ("public_ip_addresses_list_all", "load_balancers_list_all", "route_tables_list_all")
    serving("azure.mgmt.network", Listing([*addresses(), *balancers(), *tables()], *network))
    serving("azure.mgmt.dns", Listing(names(), "record_sets_list_by_dns_zone"))
    serving("azure.mgmt.privatedns", Listing(inner_names(), "record_sets_list"))
    serving("azure.mgmt.trafficmanager", Listing(profiles(), "profiles_list_by_subscription"))
    edges = ("afd_origin_groups_list_by_profile", "afd_origins_list_by_origin_group")
    serving("azure.mgmt.cdn", Listing([*groups(), *origins()], *edges))
    watched = ("autoscale_settings_list_by_subscription", "metric_alerts_list_by_subscription")
    serving("azure.mgmt.monitor", Listing([*settings(), *rules()], *watched))
    serving("azure.mgmt.postgresqlflexibleservers", Listing(servers(), "servers_list_by_subscription"))
    spaced = ("queues_list_by_namespace", "topics_list_by_namespace", "subscriptions_list_by_topic")
    serving("azure.mgmt.servicebus", Listing([*queues(), *subscriptions()], *spaced))
    serving("azure.mgmt.mysqlflexibleservers", Listing(mysql(), "servers_list"))
    serving("azure.mgmt.sql", Listing(failover_groups(), "failover_groups_list_by_server"))
    serving("azure.mgmt.cosmosdb", Listing(accounts(), "database_accounts_list"))
    functions = below(JOBS, "functions", "nightly")
    serving("azure.mgmt.web", Listing([*sites(), *functions], "web_apps_list", "web_apps_list_functions"))
    serving("azure.mgmt.containerservice", Listing(below(CLUSTERS, "agentPools", "workers"), "agent_pools_list"))
    serving("azure.mgmt.eventgrid", Events())
