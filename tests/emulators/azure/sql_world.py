"""A database of Azure SQL: Resource Manager behind the front, and two servers that are asked over TDS.

What an operation does to the databases is done here, late, or not at all, while Azure goes on saying what it says.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail.clock import Clock, SystemClock
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.database.sql_failover import SqlFailover
from cloudfail_azure.database.tsql_session import Session
from cloudfail_azure.sessions import Sessions
from tests.emulators.aws.outages import Fault
from tests.emulators.azure import authority
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins import tsql
from tests.emulators.azure.standins.sql import Sql

PACKAGE = "azure.mgmt.sql"
KIND = "sql-failover-group"
GROUP = "failover_groups"
LOGINS = {"cloudfail": "of-ours", "shop": "of-theirs", "reports": "another"}
LATE_SECONDS = 0.1
SECRETS = {"password": "env:SQL_OURS", "writer_password": "env:SQL_SHOP"}


def machine(kind: str = KIND, *, style: str = "status", **more: Any) -> tuple[Sql, dict[str, str]]:
    """It, and region -> the member's id."""
    made = Sql(style=style, seconds=0.1)
    if kind == "sql-failover-group":
        ids = made.groups(WEST, NORTH, more.pop("databases", ("shop",)), **more)
    elif kind == "sql-instance-group":
        ids = made.instance_groups(WEST, NORTH, **more)
    else:
        ids = made.links(WEST, NORTH)
    return made, dict(zip((WEST, NORTH), ids, strict=True))


def resource(kind: str, members: Mapping[str, Any], **options: Any) -> Resource:
    """As the loader makes it: what was written goes through the kind's own models."""
    found = provider.kinds()[PortName.DATABASE, kind]
    assert found.member is not None
    assert found.options is not None
    checked = {region: found.member.model_validate(member).model_dump() for region, member in members.items()}
    return Resource(
        "orders", PortName.DATABASE, kind, "azure", None, checked, found.options.model_validate(options).model_dump()
    )


def topology(one: Resource) -> Topology:
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in (WEST, NORTH)}
    return Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {one.name: one})


class Ahead(SystemClock):
    """The machine's clock, and `seconds` more."""

    seconds = 0.0

    def boot(self) -> float:
        return super().boot() + self.seconds


def port(kind: str, members: Mapping[str, Any], *, clock: Clock | None = None, **options: Any) -> SqlFailover:
    """A new one, with sessions and a budget of its own."""
    one = resource(kind, members, **options)
    whole, clock = topology(one), clock or SystemClock()
    return SqlFailover(one, whole, Asking(one, whole, Sessions(), Budget(clock), clock))


class World:
    """conformance.Harness, and the hand that moves the databases."""

    source, target = WEST, NORTH

    def __init__(
        self,
        azure: Front,
        sql: Sql,
        ids: Mapping[str, str],
        servers: tsql.Pair,
        *,
        kind: str = KIND,
        writer: str = "shop",
        **options: Any,
    ) -> None:
        self.front, self.machine, self.ids, self.pair, self.kind = azure, sql, ids, servers, kind
        self.servers = {WEST: servers.west, NORTH: servers.north}
        named = "database" if kind == "sql-database" else "group"
        self.members = {
            region: {
                named: ids[region],
                "url": f"mssql://cloudfail@127.0.0.1:{server.port}",
                "writer": f"mssql://{writer}@127.0.0.1:{server.port}",
                **SECRETS,
            }
            for region, server in self.servers.items()
        }
        more = {} if kind == "sql-database" else {"databases": servers.names}
        self.options: dict[str, Any] = {"api_within": "3s", "answer_within": "2s", **more, **options}
        self._port = self.another()
        self._faults: dict[str, Fault] = {}
        sql.then = {"planned": self.switch, "forced": self.promote, "rejoin": self.rejoin}

    def port(self) -> SqlFailover:
        return self._port

    def another(self) -> SqlFailover:
        """As another process has it."""
        return port(self.kind, self.members, **self.options)

    def client(self, region: str, user: str, database: str) -> Session:
        """An application's connection."""
        at = ("127.0.0.1", self.servers[region].port, database)
        return Session(*at, (user, LOGINS[user]), name="an application", seconds=4.0)

    def make_unreachable(self, region: str) -> None:
        self.machine.lost.add(region)
        self._faults[region] = self.front.outages.refuse(region=region)
        self.pair.linked = False
        self.servers[region].freeze()

    def restore(self, region: str) -> None:
        self.servers[region].thaw()
        if fault := self._faults.pop(region, None):
            fault.lift()
        self.machine.lost.discard(region)
        self.machine.settle()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.15))

    def fencing(self, verb: str) -> str:
        return provider.kinds()[PortName.DATABASE, self.kind].verbs[verb].fencing

    def close(self) -> None:
        self._port.close()
        self.pair.close()
        self.machine.close()

    # What operations lead to.

    def switch(self) -> None:
        time.sleep(LATE_SECONDS)
        self.pair.turn(self.pair.north, self.pair.west)

    def promote(self) -> None:
        """Out of a lost region it reaches the new side alone."""
        time.sleep(LATE_SECONDS)
        lost = WEST in self.machine.lost
        self.pair.turn(self.pair.north, self.pair.west, loses=lost)

    def rejoin(self) -> None:
        self.pair.take_back(self.pair.west, self.pair.north)
        self.pair.linked = True


def pair(place: Path, azure: Front, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...] = ("shop",)) -> tsql.Pair:
    """Two servers whose certificates are trusted by the way that requests to Azure are."""
    trusted, context = authority.made(place)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    both = place / "both.pem"
    both.write_bytes(azure.authority.read_bytes() + trusted.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(both))
    monkeypatch.setenv("SQL_OURS", LOGINS["cloudfail"])
    monkeypatch.setenv("SQL_SHOP", LOGINS["shop"])
    os.environ.pop("FREETDSCONF", None)
    return tsql.Pair(tsql.Server(context, LOGINS), tsql.Server(context, LOGINS), names)
