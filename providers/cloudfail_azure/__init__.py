"""Azure: what a run needs of it. Its store, and the ports behind which its resources stand.

One package per port; each says in its `KINDS` what it serves. Importing this package imports no vendor library:
azure-core and azure-identity come with `Kind.build`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from cloudfail.model.discovered import Discovered, Wanted
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName
from cloudfail.ports import Grant, Kind
from cloudfail_azure.compute import KINDS as COMPUTE
from cloudfail_azure.consumers import KINDS as CONSUMERS
from cloudfail_azure.database import KINDS as DATABASE
from cloudfail_azure.dns import KINDS as DNS
from cloudfail_azure.loadbalancer import KINDS as LOADBALANCER
from cloudfail_azure.network import KINDS as NETWORK
from cloudfail_azure.signals import KINDS as SIGNALS

_KINDS: tuple[Kind, ...] = (*DNS, *LOADBALANCER, *COMPUTE, *DATABASE, *NETWORK, *CONSUMERS, *SIGNALS)


class AzureProvider:
    """What the entry point names."""

    name = "azure"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {(kind.port, kind.name): kind for kind in _KINDS}

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


provider = AzureProvider()
