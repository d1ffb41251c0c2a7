"""Google Cloud: what a run needs of it. Its store, and the ports behind which its resources stand.

One package per port; each says in its `KINDS` what it serves. Importing this package imports no vendor library:
requests and google-auth come with `Kind.build`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind
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


class GoogleProvider:
    """What the entry point names."""

    name = "gcp"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {(kind.port, kind.name): kind for kind in _KINDS}

    def identity(self) -> Known[str] | Unknown:
        """The address of the account that this process has by itself, before any role is taken on."""
        from cloudfail_gcp.identity import whoami

        return whoami(time.time())

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        """ports.TakesRoles."""
        from cloudfail_gcp.roles import role_mistake

        return role_mistake(role)


provider = GoogleProvider()
