"""What a lab is made of: the sizes a person chooses, and the addresses and ports that follow from them.

Values only; nothing here touches the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

REGIONS = ("east", "west")
NODES = ("east", "west", "dns", "edge", "clients", "control", "witness")
"""Every network namespace that hangs on the core router, which is a namespace of its own called `core`."""

SLOTS = 4
"""Worker slots that each region's HAProxy declares beforehand; a slot without a worker is DOWN by its health check."""

Mode = Literal["auto", "netns", "loopback"]
Synchronous = Literal["off", "on", "remote_apply"]


def other_region(region: str) -> str:
    """The region that is not `region`."""
    return "west" if region == "east" else "east"


@dataclass(frozen=True)
class LabSpec:
    """The lab that is wanted. Without a `directory` a temporary one is made, and removed when the lab ends."""

    directory: Path | None = None
    mode: Mode = "auto"
    synchronous: Synchronous = "remote_apply"
    ttl_seconds: int = 1
    workers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"east": 2, "west": 1}))
    check_interval_seconds: float = 0.5
    check_fall: int = 3


@dataclass(frozen=True)
class Layout:
    """Where everything listens. In netns mode ports are the usual ones; in loopback mode they are high and free."""

    mode: Literal["netns", "loopback"]
    addresses: Mapping[str, str]
    http_port: int
    database_port: int
    worker_ports: tuple[int, ...]
    edge_port: int
    dns_port: int
    resolver_address: str
    resolver_port: int

    def http(self, region: str) -> str:
        """host[:port] of the region's HAProxy, as it stands in a URL."""
        address = self.addresses[region]
        return address if self.http_port == 80 else f"{address}:{self.http_port}"

    def dsn(self, region: str, user: str, database: str = "shop") -> str:
        """A libpq connection string for the region's PostgreSQL over TCP."""
        return f"host={self.addresses[region]} port={self.database_port} dbname={database} user={user}"


NETNS_ADDRESSES = MappingProxyType(
    {
        "east": "198.18.10.1",
        "west": "198.18.20.1",
        "dns": "198.18.53.1",
        "edge": "198.18.80.1",
        "clients": "198.18.99.1",
        "control": "198.18.60.1",
        "witness": "198.18.70.1",
    }
)


def netns_layout() -> Layout:
    """The layout inside of the wrapper: the same for every lab, since each has a network of its own."""
    return Layout(
        mode="netns",
        addresses=NETNS_ADDRESSES,
        http_port=80,
        database_port=5432,
        worker_ports=tuple(8001 + slot for slot in range(SLOTS)),
        edge_port=80,
        dns_port=53,
        resolver_address="198.18.53.2",
        resolver_port=53,
    )


LOOPBACK_PORTS = 16
"""Consecutive ports that a loopback lab takes."""


def loopback_layout(base: int) -> Layout:
    """The layout on loopback addresses, ports from `base` upwards. `named` answers on configured addresses only."""
    addresses = dict.fromkeys(NODES, "127.0.0.1") | {"east": "127.10.0.1", "west": "127.20.0.1"}
    return Layout(
        mode="loopback",
        addresses=MappingProxyType(addresses),
        http_port=base,
        database_port=base + 1,
        worker_ports=tuple(base + 2 + slot for slot in range(SLOTS)),
        edge_port=base + 8,
        dns_port=base + 9,
        resolver_address="127.0.0.1",
        resolver_port=base + 10,
    )
