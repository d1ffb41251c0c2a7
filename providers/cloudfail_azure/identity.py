"""Who this process, or a role, is to Azure, and in which subscription it would act.

What acts on Azure acts where an id says: the subscription stands in each request. An identity belongs to a tenant, and
may have been assigned roles in many subscriptions. So where it acts is said by the ids in cloudfail.yaml, and they are
held against `account:` of their region; whether Azure takes the credentials there is asked by the list of the
subscriptions that they see, which names those that they have any role in ("Subscriptions - List", learn.microsoft.com/
rest/api/resources/subscriptions/list). Whether they may do anything is preflight's to ask (access/asked.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Identity, Kind
from cloudfail.retry import within
from cloudfail_azure.access.asked import cannot_be
from cloudfail_azure.access.scopes import subscription_of
from cloudfail_azure.asking import Asking
from cloudfail_azure.clients import failures

ASK_SECONDS = 5.0
VERSION = "2022-12-01"
Kinds = Mapping[tuple[PortName, str], Kind]
# Of a token, the first that is there: a person's name, or an application's.
_NAMES = ("upn", "unique_name", "preferred_username", "app_displayname", "appid", "azp", "oid")


def whoami(now: float) -> Known[str] | Unknown:
    """Whose credentials this process has, by the token's own words. They are read, not verified: it is Azure that
    verifies them, and a wrong name here opens nothing."""
    from cloudfail_azure.sessions import Session, scope

    raised: tuple[type[Exception], ...] = (TimeoutError, ValueError, *failures())

    def asked() -> str:
        return str(Session("").credential.get_token(scope()).token)

    try:
        said = claims(within(ASK_SECONDS, asked))
    except raised as error:
        return Unknown(f"Azure: {' '.join(str(error).partition(chr(10))[0].split())}", now)
    name = next((str(said[key]) for key in _NAMES if said.get(key)), "")
    if not name:
        return Unknown("Azure: the token of these credentials names nobody", now)
    return Known(name, now)


def claims(token: str) -> dict[str, Any]:
    """What stands in a JSON Web Token; nothing where it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        told = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def identity_in(
    topology: Topology,
    region: str,
    role: str,
    now: float,
    kinds: Kinds,
    own: Callable[[float], Known[str] | Unknown] = whoami,
) -> Known[Identity] | Unknown:
    """Who asks as that role, and in which subscription what cloudfail.yaml names in that region stands: `account:`
    where one of the ids is in it, or nothing names one there; else the subscription that they name. Unknown where Azure
    takes no credentials, or they see nothing of that subscription. now: wall seconds; own: tells the process's name."""
    written = topology.regions[region].account or ""
    known = Known(role, now) if role else own(now)
    if isinstance(known, Unknown):
        return known
    acting = _acting(topology, region, role, kinds)
    if written and (not acting or written.lower() in acting):
        acting = [written]
    nothing = Resource("identity", PortName.CHANGE, "identity", "azure", None, {})
    try:
        asking = Asking.of(nothing, topology)
        listed = asking.pages(region, "/subscriptions", VERSION, within=ASK_SECONDS, role=role)
    except CloudfailError as error:
        refused = cannot_be(role, error)
        return Unknown(f"{role} cannot be taken on: {refused}" if refused else f"Azure: {error}", now)
    seen = {str(one.get("subscriptionId", "")).lower() for one in listed}
    if not acting and len(seen) == 1:
        acting = sorted(seen)
    if not acting:
        return Unknown(f"{known.value} sees {len(seen)} subscriptions, and nothing says which of them is meant", now)
    if acting[0].lower() not in seen:
        return Unknown(f"{known.value} has no role in the subscription {acting[0]} that Azure would show it", now)
    return Known(Identity(acting[0], known.value), now)


def _acting(topology: Topology, region: str, role: str, kinds: Kinds) -> list[str]:
    """The subscriptions of what is named in that region and asked as that role, in order and lower case; what cannot be
    told is left out."""
    found: set[str] = set()
    for resource in topology.resources.values():
        kind = kinds.get((resource.port, resource.kind))
        roles = topology.roles_of(resource, region)
        if kind is None or kind.permissions is None or region not in resource.members:
            continue
        if resource.provider != topology.regions[region].provider or role not in (roles.watch, roles.execute):
            continue
        try:
            found |= set(_subscriptions(kind, resource, topology, region))
        except CloudfailError:
            continue
    return sorted(found)


def _subscriptions(kind: Kind, resource: Resource, topology: Topology, region: str) -> Iterator[str]:
    assert kind.permissions is not None
    said = kind.permissions(resource, topology, [region])
    for grant in (*said.watch, *said.execute):
        if grant.region == region:
            yield from (subscription_of(scope).rpartition("/")[2].lower() for scope in grant.on)
