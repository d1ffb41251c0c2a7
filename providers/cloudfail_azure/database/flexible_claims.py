"""Of flexible servers, PostgreSQL's and MySQL's alike: what is Azure's word alone, and what it must say before a
replica is promoted."""

from __future__ import annotations

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.states import DatabaseState, Role
from cloudfail.ports import Call
from cloudfail_azure.database.flexible_servers import READY, Server, Servers
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.paths import name_of, same
from cloudfail_databases.two_planes import version_of


def state_of(server: Server) -> str:
    return f"Azure says that {server.name} is {server.state}"


def unseen(
    region: str, server: Server, servers: Servers, silence: str, *, shut: bool, lag_seconds: float | None = None
) -> DatabaseState:
    """What is left where the server says nothing: Azure's word for the role, and no word on writes. shut: our own fence
    is why."""
    moving = "" if server.state == READY else state_of(server)
    if not moving and not shut and not server.replica:
        moving = f"Azure calls {server.name} a primary; {silence}"
    return DatabaseState(
        Role.REPLICA if server.replica else Role.PRIMARY,
        False,
        0,
        lag_seconds=lag_seconds,
        upstream=servers.region_of(server.source),
        moving=moving,
        version=version_of(region, None, server.version),
    )


def promotable(
    servers: Servers, source: str, target: str, server: Server, now: str, expect: DatabaseState, call: Call
) -> None:
    """Raises what stands against an order to promote that replica. now: its version, as it is seen."""
    if server.state != READY:
        # One that was ordered before comes by itself, and is nothing to order again.
        raise Transient(f"{server.name} cannot be promoted now: {state_of(server)}.")
    if now != expect.version:
        raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
    if not same(server.source, servers.id(source)):
        raise Permanent(
            f"{server.name} in {target} replicates {name_of(server.source)}, which is not the member in {source}.",
            "It was not promoted.",
            "See which server has the newest data, and make the replica follow it, or correct cloudfail.yaml.",
        )
    refuse_older(server.epoch, call, f"{server.name} in {target}")
