"""The policies that are printed for paths and addresses: enough for what the ports ask, and nothing beyond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from cloudfail.actions import Done, Todo
from cloudfail_aws.clients import Clients
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.gate import Gate, policies_of, with_roles
from tests.emulators.aws.network_world import DESTINATION, EAST, SITES, WEST, ZONE_A, ZONE_B, Routes, Site
from tests.path_server import Greeter, greeting


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(EAST, WEST, ZONE_A, ZONE_B) as made:
        yield made


@pytest.mark.parametrize("kind", list(SITES))
def test_a_path_is_led_there_and_back_under_what_is_printed_and_under_no_less(
    cloud: Front,
    moto_process: Emulator,
    greeters: dict[str, Greeter],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    site: Site = SITES[kind](cloud, moto_process.url, greeters)
    if isinstance(site, Routes):
        site.ec2.delete_route(RouteTableId=site.tables[0], DestinationCidrBlock=DESTINATION)
    roles = with_roles(site.topology)
    gate = Gate(policies_of(site.served, site.resource, roles, (site.source, site.target)))
    port = site.port(cast(Clients, gate), roles)
    site.port = lambda *_more: port  # type: ignore[method-assign]  # one port, and all that it asks is judged
    first = site.look()
    assert isinstance(first, Todo)
    assert isinstance(site.drive(), Done)
    assert isinstance(site.drive(first.memory), Done)
    site.close()
    gate.judge()
