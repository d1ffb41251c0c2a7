"""Custom actions in Azure: a network that is shut off for a drill, and taken back.

What it does is known here, so that the file need not say it: rules of a group, by the control plane of its region; no
data is lost by them. Importing this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.config.custom import facts
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.custom import permissions
from cloudfail_azure.custom.options import IsolatedMember, IsolatedOptions


def _isolated_network(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.custom import isolated_network

    return isolated_network.build(resource, topology)


def _verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    return {"run": facts(resource.options, fencing="mark")}


def _group(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
    """The tags of a group are replaced as a whole, and it takes one operation at a time."""
    return (f"azure/{str(resource.members[region]['group']).lower()}",)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CUSTOM,
        name="isolated-network",
        build=_isolated_network,
        permissions=permissions.isolated_network,
        options=IsolatedOptions,
        member=IsolatedMember,
        settle_seconds=5.0,
        # Four rules, one after the other, each an operation of seconds.
        call_timeout_seconds=60.0,
        verbs={"run": facts({"loses_data": False}, fencing="mark")},
        verbs_of=_verbs,
        shared={"run": _group},
    ),
)
