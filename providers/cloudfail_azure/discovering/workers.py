"""Workers: virtual machine scale sets, plans of App Service with their apps, and the autoscale settings that size both;
container apps; node pools of AKS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail.discovering.pairing import Thing
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, paired
from cloudfail_azure.paths import name_of, parent_of

SETTINGS_API = "2022-10-01"
SCALE_SETS = Sort(PortName.COMPUTE, "scale-set", "scale sets")
CONTAINER_APPS = Sort(PortName.COMPUTE, "container-app", "container apps")
APPS = Sort(PortName.COMPUTE, "app-service", "apps of App Service")
POOLS = Sort(PortName.COMPUTE, "aks-pool", "node pools of AKS")
DRAFTS = tuple((sort.port, sort.kind) for sort in (SCALE_SETS, CONTAINER_APPS, APPS, POOLS))
WEB_API, AKS_API = "2025-05-01", "2026-08-01"


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    settings = _settings(look)
    sets = [one for one in look.of_type("Microsoft.Compute/virtualMachineScaleSets") if not _is_of_aks(one)]
    yield from paired(look, SCALE_SETS, [_set(one, settings) for one in sets])
    apps = look.of_type("Microsoft.App/containerApps")
    yield from paired(look, CONTAINER_APPS, [Thing(one.region, one.name, one.id, one.tags) for one in apps])
    yield from paired(look, APPS, [_app(one, settings) for one in sites(look) if not is_of_functions(one)])
    yield from paired(look, POOLS, _pools(look))


def sites(look: Look) -> list[Stood]:
    """All that App Service runs: what people call apps, and what runs functions."""
    told = look.listed("apps of App Service", "/providers/Microsoft.Web/sites", WEB_API)
    return [one for one in told if one.region in look.wanted.regions and look.is_meant(one)]


def is_of_functions(one: Stood) -> bool:
    """A site's kind is "app,linux", "functionapp,linux"."""
    return "functionapp" in str(one.told.get("kind") or "").split(",")


def _app(one: Stood, settings: Mapping[str, str]) -> Thing:
    plan = str(one.properties.get("serverFarmId") or "")
    setting = settings.get(plan.lower())
    member = {"plan": plan, "site": one.id} | ({"autoscale": setting} if setting else {})
    return Thing(one.region, one.name, member, one.tags)


def _pools(look: Look) -> list[Thing]:
    """A pool stands where its cluster does, and has that one's tags."""
    clusters = look.of_type("Microsoft.ContainerService/managedClusters")
    clusters = [one for one in clusters if one.region in look.wanted.regions]
    by_id = {one.id.lower(): one for one in clusters}
    pools = look.each(POOLS.what, [f"{one.id}/agentPools" for one in clusters], AKS_API)
    return [
        Thing(cluster.region, f"{cluster.name}/{name_of(one.id)}", one.id, cluster.tags)
        for one in pools
        if (cluster := by_id.get(parent_of(one.id).lower())) is not None
    ]


def _set(one: Stood, settings: Mapping[str, str]) -> Thing:
    setting = settings.get(one.id.lower())
    member: object = {"scale_set": one.id, "autoscale": setting} if setting else one.id
    return Thing(one.region, one.name, member, one.tags)


def _settings(look: Look) -> dict[str, str]:
    """What is sized, by its id in lower case -> the setting that does. One that is switched off sizes nothing."""
    below = "/providers/Microsoft.Insights/autoscaleSettings"
    return {
        str(one.properties.get("targetResourceUri") or "").lower(): one.id
        for one in look.listed("autoscale settings", below, SETTINGS_API)
        if one.properties.get("enabled") is not False
    }


def _is_of_aks(one: Stood) -> bool:
    """AKS scales the sets of its pools by itself, and marks them so."""
    return any(key.startswith("aks-managed-") for key in one.tags)
