"""Google Cloud: what a run needs of it. Its store, and the ports behind which its resources stand.

One package per port; each says in its `KINDS` what it serves. Importing this package imports no vendor library:
requests and google-auth come with `Kind.build`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudfail.model.discovered import Discovered, Wanted
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Identity, Kind, Permissions
from cloudfail_gcp.compute import KINDS as COMPUTE
from cloudfail_gcp.consumers import KINDS as CONSUMERS
from cloudfail_gcp.database import KINDS as DATABASE
from cloudfail_gcp.dns import KINDS as DNS
from cloudfail_gcp.loadbalancer import KINDS as LOADBALANCER
from cloudfail_gcp.network import KINDS as NETWORK
from cloudfail_gcp.signals import KINDS as SIGNALS

_KINDS: tuple[Kind, ...] = (
    *DNS,
    *LOADBALANCER,
    *COMPUTE,
    *DATABASE,
    *CONSUMERS,
    *SIGNALS,
    *NETWORK,
)


def _that_asks(kind: Kind) -> Kind:
    """Each kind that says what it needs is asked about it before the night, in one way for all of them."""
    if (needs := kind.permissions) is None:
        return kind

    def permissions(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
        from cloudfail_gcp.access.asking_grants import with_asking

        return with_asking(needs(resource, topology, regions))

    def allowed(resource: Resource, topology: Topology) -> Known[tuple[str, ...]] | Unknown:
        from cloudfail_gcp.access.asked import allowed

        return allowed(permissions, resource, topology)

    return replace(kind, permissions=permissions, allowed=allowed)


_SERVED: Mapping[tuple[PortName, str], Kind] = {(kind.port, kind.name): _that_asks(kind) for kind in _KINDS}


class GoogleProvider:
    """What the entry point names."""

    name = "gcp"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return _SERVED

    def identity(self) -> Known[str] | Unknown:
        """The address of the account that this process has by itself, before any role is taken on."""
        from cloudfail_gcp.identity import whoami

        return whoami(time.time())

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        """ports.TakesRoles."""
        from cloudfail_gcp.roles import role_mistake

        return role_mistake(role)

    def account_of(self, role: str) -> str:
        """ports.KnowsAccounts: where a service account acts is not in its address."""
        return ""

    def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
        """ports.KnowsAccounts."""
        from cloudfail_gcp.identity import identity_in

        return identity_in(topology, region, role, time.time(), _SERVED)

    def policy(self, grants: Mapping[str, Sequence[Grant]], role: str = "", does: str = "") -> Mapping[str, Any]:
        """ports.WritesPolicies: custom roles, their bindings, and the commands that make them."""
        from cloudfail_gcp.access.roles import document

        return document(grants, role, does)

    def role_files(self, policy: Mapping[str, Any]) -> Mapping[str, str]:
        """ports.WritesRoleFiles."""
        from cloudfail_gcp.access.roles import files

        return files(policy)

    def discover(self, wanted: Wanted) -> Discovered:
        """ports.Discovers."""
        from cloudfail_gcp.discovering import discover

        return discover(wanted, _SERVED)

    def discovery(self) -> Sequence[Grant]:
        """ports.Discovers."""
        from cloudfail_gcp.discovering.permissions import ACTIONS, ON, WHY

        return (Grant("global", ACTIONS, (ON,), why=WHY),)


provider = GoogleProvider()
