"""Workers: virtual machine scale sets, and the autoscale settings that size them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloudfail.discovering.pairing import Thing
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, paired

SETTINGS_API = "2022-10-01"
SCALE_SETS = Sort(PortName.COMPUTE, "scale-set", "scale sets")
CONTAINER_APPS = Sort(PortName.COMPUTE, "container-app", "container apps")
DRAFTS = ((SCALE_SETS.port, SCALE_SETS.kind), (CONTAINER_APPS.port, CONTAINER_APPS.kind))


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    settings = _settings(look)
    sets = [one for one in look.of_type("Microsoft.Compute/virtualMachineScaleSets") if not _is_of_aks(one)]
    yield from paired(look, SCALE_SETS, [_set(one, settings) for one in sets])
    yield from paired(look, CONTAINER_APPS, [thing(one) for one in look.of_type("Microsoft.App/containerApps")])


def thing(one: Stood) -> Thing:
    """One whose member is its id."""
    return Thing(one.region, one.name, one.id, one.tags)


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
