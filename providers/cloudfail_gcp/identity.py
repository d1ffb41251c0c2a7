"""Who this process, or a role, is to Google, and in which project it would act.

What acts on Google Cloud acts where a path says: the project stands in each request, and is not the one that an account
belongs to. A service account of one project is commonly given rights in another. So neither its own project nor that of
the credentials says where it acts; the paths in cloudfail.yaml do, and they are held against `account:` of their
region.
Whether the account may do anything there is preflight's to ask (access/asked.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Identity, Kind, Permissions
from cloudfail.retry import within
from cloudfail_gcp.access.asked import cannot_be
from cloudfail_gcp.access.places import project_of
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.clients import failures
from cloudfail_gcp.roles import project_of_role
from cloudfail_gcp.sessions import SCOPE

ASK_SECONDS = 5.0
ANY = ("resourcemanager.projects.get",)
"""Something to ask for: that Google answers is what counts. Asking needs no permission (Resource Manager v1)."""

Kinds = Mapping[tuple[PortName, str], Kind]


def whoami(now: float) -> Known[str] | Unknown:
    """The address of the service account whose credentials this process has. A person's own credentials name nobody
    (google-auth keeps no address with them), and are unknown."""
    import google.auth

    raised: tuple[type[Exception], ...] = (TimeoutError, *failures())

    def asked() -> str:
        credentials: Any
        credentials, _ = google.auth.default(scopes=(SCOPE,))
        return str(getattr(credentials, "service_account_email", "") or "")

    try:
        address = within(ASK_SECONDS, asked)
    except raised as error:
        return Unknown(f"Google: {' '.join(str(error).split())}", now)
    if "@" not in address:
        return Unknown("Google: these credentials are of no service account, and say not whose they are", now)
    return Known(address, now)


def own_project() -> str:
    """The project that this process's credentials name, as Google's own tools find it; "" where they name none, or none
    are there."""
    import google.auth

    raised: tuple[type[Exception], ...] = (TimeoutError, *failures())
    try:
        _, project = within(ASK_SECONDS, lambda: google.auth.default(scopes=(SCOPE,)))
    except raised:
        return ""
    return str(project or "")


def identity_in(
    topology: Topology,
    region: str,
    role: str,
    now: float,
    kinds: Kinds,
    own: Callable[[float], Known[str] | Unknown] = whoami,
) -> Known[Identity] | Unknown:
    """Who asks as that role, and in which project what cloudfail.yaml names in that region stands: `account:` where one
    of the paths is in it, or nothing names a path there; else the project that they name. Unknown where Google takes no
    credentials. now: wall seconds; own: tells the process's own address."""
    written = topology.regions[region].account or ""
    known = Known(role, now) if role else own(now)
    address = known.value if isinstance(known, Known) else ""
    home = project_of_role(address)
    acting = _acting(topology, region, role, kinds)
    project = written if written in acting or not acting else acting[0]
    project = project or home
    if not project:
        return known if isinstance(known, Unknown) else Unknown(f"{address} says not of which project it is", now)
    nothing = Resource("identity", PortName.CHANGE, "identity", "gcp", None, {})
    try:
        path = f"v1/projects/{project}:testIamPermissions"
        Asking.of(nothing, topology).may("cloudresourcemanager", region, path, ANY, role=role, within=ASK_SECONDS)
    except CloudfailError as error:
        refused = cannot_be(role, error)
        return Unknown(f"{role} cannot be taken on: {refused}" if refused else f"Google: {error}", now)
    name = address or "whom these credentials do not name"
    return Known(Identity(project, name if home in ("", project) else f"{name} (a service account of {home})"), now)


def _acting(topology: Topology, region: str, role: str, kinds: Kinds) -> list[str]:
    """The projects of what is named in that region and asked as that role, in order; what cannot be told is left
    out."""
    found: dict[str, None] = {}
    for resource in topology.resources.values():
        kind = kinds.get((resource.port, resource.kind))
        roles = topology.roles_of(resource, region)
        if kind is None or kind.permissions is None or region not in resource.members:
            continue
        if resource.provider != topology.regions[region].provider or role not in (roles.watch, roles.execute):
            continue
        try:
            found |= dict.fromkeys(_projects(kind.permissions, resource, topology, region))
        except CloudfailError:
            continue
    return sorted(found)


def _projects(
    permissions: Callable[[Resource, Topology, Sequence[str]], Permissions],
    resource: Resource,
    topology: Topology,
    region: str,
) -> list[str]:
    said = permissions(resource, topology, [region])
    grants = [one for one in (*said.watch, *said.execute) if one.region == region]
    return [project_of(path) for one in grants for path in one.on]
