"""AWS: what a run needs of Amazon Web Services. Its stores, and the ports behind which its resources stand.

One package per port; each says in its `KINDS` what it serves. Importing this package imports no vendor library: boto3
comes with `Kind.build`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.model.discovered import Discovered, Wanted
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Topology
from cloudfail.ports import Grant, Identity, Kind
from cloudfail_aws.compute import KINDS as COMPUTE
from cloudfail_aws.consumers import KINDS as CONSUMERS
from cloudfail_aws.custom import KINDS as CUSTOM
from cloudfail_aws.database import KINDS as DATABASE
from cloudfail_aws.dns import KINDS as DNS
from cloudfail_aws.loadbalancer import KINDS as LOADBALANCER
from cloudfail_aws.network import KINDS as NETWORK
from cloudfail_aws.signals import KINDS as SIGNALS

_KINDS: tuple[Kind, ...] = (*DATABASE, *DNS, *LOADBALANCER, *COMPUTE, *NETWORK, *CONSUMERS, *CUSTOM, *SIGNALS)


class AwsProvider:
    """What the entry point names."""

    name = "aws"

    def kinds(self) -> Mapping[tuple[PortName, str], Kind]:
        return {(kind.port, kind.name): kind for kind in _KINDS}

    def identity(self) -> Known[str] | Unknown:
        """The ARN that this process has by itself, before any role is taken on."""
        from cloudfail_aws.identity import whoami

        return whoami(time.time())

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        """ports.TakesRoles."""
        from cloudfail_aws.roles import role_mistake

        return role_mistake(role)

    def account_of(self, role: str) -> str:
        """ports.KnowsAccounts: it stands in the role's ARN."""
        return role.split(":")[4]

    def identity_in(self, topology: Topology, region: str, role: str) -> Known[Identity] | Unknown:
        """ports.KnowsAccounts: what STS says, of that region or, where it does not answer, of another one."""
        from cloudfail_aws.identity import identity_in

        return identity_in(topology, region, role, time.time())

    def policy(self, grants: Mapping[str, Sequence[Grant]], role: str = "", does: str = "") -> Mapping[str, Any]:
        """ports.WritesPolicies: an IAM policy document, which names nobody."""
        from cloudfail_aws.iam import document

        return document(grants)

    def discover(self, wanted: Wanted) -> Discovered:
        """ports.Discovers."""
        from cloudfail_aws.discovering import discover

        return discover(wanted)

    def discovery(self) -> Sequence[Grant]:
        """ports.Discovers."""
        from cloudfail_aws.discovering.permissions import ACTIONS, WHY
        from cloudfail_aws.iam import ANYTHING

        return (Grant("", ACTIONS, ANYTHING, why=WHY),)


provider = AwsProvider()
