"""Balancers: backend services whose groups stand in several of the regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.loadbalancer.options import GROUP
from cloudfail_gcp.paths import name_of, path_of, region_of


def services(look: Look) -> list[dict[str, Any]]:
    """All backend services, of no region and of these."""
    project = f"projects/{look.project}"

    def ask(region: str) -> list[dict[str, Any]]:
        scope = "global" if region == "global" else f"regions/{region}"
        return look.pages("compute", region, f"{project}/{scope}/backendServices", "items")

    listed = look.each("backend services", ask, ("global", *look.wanted.regions))
    return [one for region in sorted(listed) for one in sorted(listed[region], key=lambda one: str(one["name"]))]


def found(look: Look) -> Iterator[Found | str]:
    """Service by service. They have no labels: all of them are shown."""
    for service in services(look):
        path = path_of(str(service["selfLink"]))
        groups: dict[str, list[str]] = defaultdict(list)
        for backend in service.get("backends") or ():
            group = path_of(str(backend.get("group", "")))
            groups[region_of(group)].append(group)
        here = [region for region in look.wanted.regions if groups.get(region)]
        if len(here) < 2:
            continue
        unfit = sorted(group for region in here for group in groups[region] if not GROUP.fullmatch(group))
        if unfit:
            yield f"{path}: capacity of {', '.join(unfit)} cannot be scaled; move its users by a name or a URL map."
            continue
        members = {region: sorted(groups[region]) for region in here}
        written = {region: one[0] if len(one) == 1 else one for region, one in members.items()}
        why = f"the backend service {name_of(path)} has groups in {' and '.join(here)}"
        scheme = str(service.get("loadBalancingScheme", ""))
        if scheme in ("INTERNAL", "EXTERNAL_PASSTHROUGH"):
            yield f"{path} is of a passthrough load balancer, which scales nobody's capacity; move its users by a name."
        elif look.takes(PortName.LOADBALANCER, "backend-service", written, {"service": path}):
            yield Found(
                PortName.LOADBALANCER, "backend-service", f"{name_of(path)}-traffic", written, why,
                options={"service": path},
            )  # fmt: skip
        else:
            yield f"{path}: {why}, and nothing here drafts loadbalancer: backend-service of them."
