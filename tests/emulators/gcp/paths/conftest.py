"""Paths on the front, with packets, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.emulators.gcp.balancing import EAST, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.paths.world import SITES, ZONE_B, ZONE_C, Making, Paths, Site
from tests.path_server import Greeter, greeting


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(EAST, WEST, ZONE_B, ZONE_C) as made:
        yield made


@pytest.fixture
def site(
    google: Front,
    serving: Callable[[str, Any], Any],
    greeters: dict[str, Greeter],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Making]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    made: list[Site] = []

    def make(kind: str) -> Site:
        made.append(SITES[kind](google, serving("compute.v1", Paths(seconds=0.1)), greeters))
        google.forget()
        return made[-1]

    yield make
    for one in made:
        one.close()
