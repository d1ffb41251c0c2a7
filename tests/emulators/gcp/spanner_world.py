"""A Spanner database with read-write regions in us-central1 and us-east4, and a witness between them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_gcp import provider
from cloudfail_gcp.database.spanner import Spanner
from cloudfail_gcp.sessions import Sessions
from tests.emulators.gcp.standins import spanner as standin

CENTRAL, EAST, BETWEEN = "us-central1", "us-east4", "us-east1"
PATH = "projects/shop-prod/instances/shop/databases/sessions"
MEMBERS = {CENTRAL: "read-write", EAST: "read-write"}
KIND = provider.kinds()[PortName.DATABASE, "spanner"]


def machine(**more: Any) -> standin.Spanner:
    return standin.Spanner(PATH, {CENTRAL: "READ_WRITE", EAST: "READ_WRITE", BETWEEN: "WITNESS"}, **more)


def loaded(
    members: Mapping[str, Any] | None = None, *, path: str | None = PATH, **options: Any
) -> tuple[Resource, Topology]:
    """As the loader makes it: what was written goes through the kind's own models."""
    assert KIND.member is not None
    assert KIND.options is not None
    told = MEMBERS if members is None else members
    checked = {region: KIND.member.model_validate(one).model_dump() for region, one in told.items()}
    written = KIND.options.model_validate({"answer_within": "4s", "api_within": "4s", **options}).model_dump()
    one = Resource("sessions", PortName.DATABASE, "spanner", "gcp", path, checked, written)
    regions = {name: Region(name, "gcp", "shop-prod") for name in (CENTRAL, EAST)}
    return one, Topology("shop", Objectives(900.0, 30.0), regions, CENTRAL, "memory:", {"sessions": one})


def port(members: Mapping[str, Any] | None = None, *, path: str | None = PATH, **options: Any) -> Spanner:
    """A new one, with sessions of its own."""
    return Spanner(*loaded(members, path=path, **options), Sessions())


class World:
    """conformance.Harness."""

    source, target = CENTRAL, EAST

    def __init__(self, machine: standin.Spanner) -> None:
        self.machine = machine
        self._port = port(answer_within="1s")

    def port(self) -> Spanner:
        return self._port

    def make_unreachable(self, region: str) -> None:
        self.machine.gone.add(region)

    def restore(self, region: str) -> None:
        self.machine.gone.discard(region)

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))

    def fencing(self, verb: str) -> str:
        return KIND.verbs[verb].fencing
