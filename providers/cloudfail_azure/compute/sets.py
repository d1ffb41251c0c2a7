"""A scale set as Azure tells it: its capacity and its instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Transient
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute.groups import Whole
from cloudfail_azure.compute.settings import Setting

SETS = "2026-04-01"
"""API version of Microsoft.Compute."""
_RUNNING, _HEALTHY = "PowerState/running", "HealthState/healthy"


@dataclass(frozen=True, kw_only=True)
class ScaleSet(Whole):
    """changing: that Azure makes or changes it; more may be ordered on top of that."""

    sku: Mapping[str, Any]
    etag: str
    setting: Setting | None
    changing: bool


def running(asking: Asking, region: str, id_: str, *, within: float) -> tuple[int, list[Mapping[str, Any]]]:
    """How many instances are listed of that set, and the views of those whose power state is running."""
    query = {"$expand": "instanceView"}
    listed = asking.pages(region, f"{id_}/virtualMachines", SETS, within=within, query=query)
    views = [((one.get("properties") or {}).get("instanceView") or {}) for one in listed]
    found = [view for view in views if _RUNNING in {str(one.get("code")) for one in view.get("statuses") or ()}]
    return len(listed), found


def counted(asking: Asking, region: str, whole: ScaleSet, *, within: float) -> tuple[int, int]:
    """How many instances run, and how many of them are healthy by the set's own health: that of its load balancer's
    probe or of the Application Health extension ("Using Application Health extension with Virtual Machine Scale
    Sets"). Raises Transient where nothing counts them, or none is listed of those that should be there."""
    listed, run = running(asking, region, whole.id, within=within)
    if not listed and whole.capacity and not whole.changing:
        raise Transient(f"{whole.id} is to have {whole.capacity} instances, and none is listed.")
    health = [str(((view.get("vmHealth") or {}).get("status") or {}).get("code", "")) for view in run]
    if run and not any(health):
        raise Transient(
            f"Nothing tells the health of the {len(run)} instances of {whole.id}: it has neither a load balancer's "
            "probe nor the Application Health extension."
        )
    return len(run), sum(one.lower() == _HEALTHY.lower() for one in health)
