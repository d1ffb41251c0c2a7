"""What plan, lint and approval screen know of database: spanner, and what it calls, as IAM names it. Imports no vendor
library. Source of the permissions: Spanner v1's reference, "Authorization requires the following IAM permission" of
each method, and `TransactionOptions`; rows are got with the read API, which is `read`, and no `select`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Kind, Permissions, VerbFacts
from cloudfail_gcp.database.spanner_options import ReplicaMember, SpannerOptions
from cloudfail_gcp.grants import stated

_ROWS = ("spanner.sessions.create", "spanner.databases.read")
_WRITES = ("spanner.databases.write", "spanner.databases.beginOrRollbackReadWriteTransaction")
CANARY = ("canary",)


def _build(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.database import spanner as built

    return built.build(resource, topology)


def _permissions(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A heartbeat is a write of who watches, as an application would make it."""
    path = resource.id or "projects/*/instances/*/databases/*"
    instance = path.partition("/databases/")[0]
    why = "The instance names its configuration."

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            yield False, Grant(region, (*_ROWS, *_WRITES, "spanner.databases.beginReadOnlyTransaction"), (path,))
            yield False, Grant(region, ("spanner.instances.get",), (instance,))
            configs = (f"{instance.partition('/instances/')[0]}/instanceConfigs/*",)
            yield False, Grant(region, ("spanner.instanceConfigs.get",), configs, why=why)
            yield True, Grant(region, ("spanner.sessions.create", *_WRITES), (path,), CANARY)

    return stated(told())


SPANNER = Kind(
    port=PortName.DATABASE,
    name="spanner",
    build=_build,
    permissions=_permissions,
    options=SpannerOptions,
    member=ReplicaMember,
    settle_seconds=1.0,
    call_timeout_seconds=15.0,
    # A commit goes to the leader, wherever that stands: no region that is lost takes it along.
    verbs={"canary": VerbFacts("data", None, False, True, 0.2, 10.0, "watching")},
    many_writers=True,
)
