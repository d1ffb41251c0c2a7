"""Azure: what a run needs of it. Its store, and the ports behind which its resources stand.

One package per port; each says in its `KINDS` what it serves. Importing this package imports no vendor library:
azure-core and azure-identity come with `Kind.build`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudfail.model.discovered import Discovered, Wanted
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Identity, Kind
from cloudfail_azure.compute import KINDS as COMPUTE
from cloudfail_azure.consumers import KINDS as CONSUMERS
from cloudfail_azure.custom import KINDS as CUSTOM
from cloudfail_azure.database import KINDS as DATABASE
from cloudfail_azure.dns import KINDS as DNS
from cloudfail_azure.loadbalancer import KINDS as LOADBALANCER
from cloudfail_azure.network import KINDS as NETWORK
from cloudfail_azure.signals import KINDS as SIGNALS

_KINDS: tuple[Kind, ...] = (*DNS, *LOADBALANCER, *COMPUTE, *DATABASE, *NETWORK, *CONSUMERS, *SIGNALS, *CUSTOM)


def _that_asks(kind: Kind) -> Kind:
    """Each kind that says what it needs is asked about it before the night, in one way for all of them."""
    if (needs := kind.permissions) is None:
        return kind

    def allowed(resource: Resource, topology: Topology) -> Known[tuple[str, ...]] | Unknown:
        from cloudfail_azure.access.asked import allowed

        return allowed(needs, resource, topology)

    return replace(kind, allowed=allowed)


_SERVED: Mapping[tuple[PortName, str], Kind] = {(kind.port, kind.name): _that_asks(kind) for kind in _KINDS}


class AzureProvider:
    """What the entry point names."""

    name = "azure"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return _SERVED

    def identity(self) -> Known[str] | Unknown:
        """Whose credentials this process has by itself, before any role is taken on."""
        from cloudfail_azure.identity import whoami

        return whoami(time.time())

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        """ports.TakesRoles."""
        from cloudfail_azure.roles import role_mistake

        return role_mistake(role)

    def discover(self, wanted: Wanted) -> Discovered:
        """ports.Discovers."""
        from cloudfail_azure.discovering import discover

        return discover(wanted, self.kinds())

    def discovery(self) -> Sequence[Grant]:
        """ports.Discovers."""
        from cloudfail_azure.discovering.permissions import ACTIONS, ON, WHY

        return (Grant("global", ACTIONS, (ON,), why=WHY),)

    def account_of(self, role: str) -> str:
        """ports.KnowsAccounts: where an identity acts is not in its client id."""
        return ""

    def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
        """ports.KnowsAccounts."""
        from cloudfail_azure.identity import identity_in

        return identity_in(topology, region, role, time.time(), _SERVED)

    def policy(self, grants: Mapping[str, Sequence[Grant]], role: str = "", does: str = "") -> Mapping[str, Any]:
        """ports.WritesPolicies: custom roles, their assignments, and the commands that make them."""
        from cloudfail_azure.access.roles import document

        return document(grants, role, does)

    def log_policy(self, url: str) -> Mapping[str, Any]:
        """ports.WritesLogPolicies."""
        from cloudfail_azure.access.log import document

        return document(url)

    def role_files(self, policy: Mapping[str, Any]) -> Mapping[str, str]:
        """ports.WritesRoleFiles."""
        from cloudfail_azure.access.roles import files

        return files(policy)


provider = AzureProvider()
