"""The local provider's ports on real servers, held against the suite that says what "supported" means."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import ChangeSuite, DatabaseSuite, DnsSuite, Harness, LoadBalancerSuite
from cloudfail_local import provider
from tests.local import servers, test_change, test_dns, test_haproxy

pytestmark = pytest.mark.lab
zone, name, edge = test_dns.zone, test_dns.name, test_haproxy.edge


class LocalHarness:
    """One port of one resource; what makes a region unreachable is given by the fixture."""

    source, target = "east", "west"

    def __init__(
        self,
        kind: tuple[PortName, str],
        port: Callable[[], Any],
        cut: Callable[[str], None],
        heal: Callable[[str], None],
    ) -> None:
        self.kind = provider.kinds()[kind]
        self.port, self.make_unreachable, self.restore = port, cut, heal

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.2))

    def fencing(self, verb: str) -> str:
        return self.kind.verbs[verb].fencing


class TestPostgres(DatabaseSuite):
    @pytest.fixture
    def world(self, pair: Callable[..., servers.Pair]) -> Iterator[Harness]:
        one = pair()
        database = one.database(fences=["logins"])
        database.warm()
        members = {"east": one.east, "west": one.west}
        yield LocalHarness(
            (PortName.DATABASE, "postgresql"),
            lambda: database,
            lambda region: members[region].freeze(),
            lambda region: members[region].thaw(),
        )
        for server in members.values():
            server.thaw()


class TestFlag(ChangeSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Harness:
        place, gone = tmp_path / "flags", tmp_path / "gone"
        place.mkdir()
        return LocalHarness(
            (PortName.CHANGE, "flag"),
            lambda: test_change.flags(place),
            lambda _region: place.rename(gone) and None,
            lambda _region: gone.rename(place) and None,
        )


class TestRfc2136(DnsSuite):
    @pytest.fixture
    def world(self, name: Callable[..., Any]) -> Harness:
        dead = {"server": f"127.0.0.1:{servers.free_port()}"}
        changes: dict[str, str] = {}
        return LocalHarness(
            (PortName.DNS, "rfc2136"),
            lambda: name(**changes),
            lambda _region: changes.update(dead),
            lambda _region: changes.clear(),
        )


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="no HAProxy here")
class TestHaproxy(LoadBalancerSuite):
    @pytest.fixture
    def world(self, edge: Any) -> Harness:
        changes: dict[str, str] = {}
        return LocalHarness(
            (PortName.LOADBALANCER, "haproxy"),
            lambda: edge.balancer(**changes),
            lambda _region: changes.update(socket=f"unix:{edge.root}/nobody"),
            lambda _region: changes.clear(),
        )
