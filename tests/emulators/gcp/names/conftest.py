"""A managed zone on the front, a real name server over it, and listeners that say whether an address is well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cloudfail_gcp.dns.cloud_dns import CloudDns
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.gcp.dns_world import (
    ADDRESS,
    DOMAIN,
    Port,
    port_of,
    serving_names,
    topology,
)
from tests.emulators.gcp.standins import dns as standin
from tests.emulators.listening import listening


@pytest.fixture
def zone(serving: Callable[[str, Any], Any]) -> standin.CloudDns:
    made: standin.CloudDns = serving("dns.v1", standin.CloudDns())
    made.zone(DOMAIN)
    return made


@pytest.fixture
def listeners() -> Iterator[dict[str, contextlib.ExitStack]]:
    """A real listener for each region's address; closing one makes the address unhealthy."""
    made = {}
    for address in ADDRESS.values():
        made[address] = contextlib.ExitStack()
        made[address].port = made[address].enter_context(listening())  # type: ignore[attr-defined]
    yield made
    for one in made.values():
        one.close()


@pytest.fixture
def names(zone: standin.CloudDns, listeners: Mapping[str, Any]) -> Iterator[ZoneServer]:
    with serving_names(zone, {address: one.port for address, one in listeners.items()}) as one:
        yield one


@pytest.fixture
def port(zone: standin.CloudDns, names: ZoneServer) -> Port:
    def make(members: Mapping[str, Any] = ADDRESS, *, application: str = "shop", **options: Any) -> CloudDns:
        told = {"resolvers": [names.address], "answer_within": "10s", **options}
        return port_of(told, members, topology(application))

    return make
