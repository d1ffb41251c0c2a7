"""dns: cloud-dns, moved by percent: each step is a share that the zone holds, as a real name server answers from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, StepContext, Todo
from cloudfail.actions.ramp import Ramp
from cloudfail.model.plan import PlannedStep
from cloudfail_gcp.dns import KINDS
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.gcp.dns_world import (
    ADDRESS,
    CENTRAL,
    CHECKED,
    NAME,
    WEST,
    OneName,
    Port,
    call,
    heard,
    primary_backup,
    resource,
    simple,
    weighted,
)
from tests.emulators.gcp.standins import dns as standin

STEPS = [1, 10, 50, 100]
LOOKS_MAX = 200
STEP = PlannedStep(
    "traffic", "traffic.ramp", None, {"name": "www", "to": "", "steps": STEPS, "hold": 0.0}, (), 300.0, 0.0, 0
)


def ramped(
    port: Any, names: ZoneServer, to: str, epoch: int = 10, steps: Sequence[int] = STEPS
) -> list[Mapping[str, int]]:
    """The weights that the steps give, in turn. Their holds are the core's, and take no time here."""
    world: Any = OneName(port)
    step = replace(STEP, arguments={**STEP.arguments, "to": to, "steps": list(steps)})
    given: list[Mapping[str, int]] = []
    memory: dict[str, Mapping[str, Any]] = {}
    for _ in range(LOOKS_MAX):
        context = StepContext(step, "r1", CENTRAL, WEST, memory.get("first", {}), latest=memory.get("latest", {}))
        saw = Ramp().observe(world, context)
        if isinstance(saw, Done):
            return given
        if isinstance(saw, Todo):
            memory = {"first": memory.get("first") or saw.memory, "latest": saw.memory}
            given.append(saw.memory["wanted"])
            Ramp().act(world, context, saw, call(epoch))
        names.follow()
    raise AssertionError(f"{saw} after {given}")


def shares(zone: standin.CloudDns) -> dict[str, float]:
    """What the zone itself says: address -> weight."""
    told = zone.sets[f"{NAME}.", "A"]["routingPolicy"]
    if "wrr" in told:
        return {
            address: float(one["weight"])
            for one in told["wrr"]["items"]
            for address in one.get("rrdatas") or one["healthCheckedTargets"]["externalEndpoints"]
        }
    both = told["primaryBackup"]
    (primary,) = both["primaryTargets"]["externalEndpoints"]
    (backup,) = both["backupGeoTargets"]["items"][0]["healthCheckedTargets"]["externalEndpoints"]
    share = round(100 * both.get("trickleTraffic", 0.0), 4)
    return {primary: 100.0} if primary == backup else {primary: 100 - share, backup: share}


RAMPS = {
    "wrr": (weighted({CENTRAL: 100, WEST: 0}), ADDRESS),
    "wrr, checked": (weighted({CENTRAL: 100}, checked=True), CHECKED),
    "primary-backup": (primary_backup(), CHECKED),
}


@pytest.mark.parametrize("which", list(RAMPS))
def test_a_ramp_gives_each_share_and_ends_with_all_of_it_in_one_region(
    zone: standin.CloudDns, port: Port, names: ZoneServer, which: str
) -> None:
    there, members = RAMPS[which]
    zone.put(there)
    held: list[dict[str, float]] = []
    www = port(members, routing=which.partition(",")[0])

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(www, name)

        def shift(self, *words: Any, **more: Any) -> None:
            www.shift(*words, **more)
            held.append({address: share for address, share in shares(zone).items() if share})

    given = ramped(Noting(), names, WEST)
    assert given == [{CENTRAL: 100 - step, WEST: step} for step in STEPS]
    meant = [{ADDRESS[region]: float(share) for region, share in one.items() if share} for one in given]
    assert held == meant
    heard(www, names, WEST)
    home = ramped(Noting(), names, CENTRAL, 11)
    assert home == [{CENTRAL: step, WEST: 100 - step} for step in STEPS]
    assert held[4:] == [{ADDRESS[region]: float(share) for region, share in one.items() if share} for one in home]
    heard(www, names, CENTRAL)


def test_plain_values_are_answered_alike_in_between(zone: standin.CloudDns, port: Port, names: ZoneServer) -> None:
    zone.put(simple(ADDRESS[CENTRAL]))
    www = port()
    held: list[list[str]] = []

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(www, name)

        def shift(self, *words: Any, **more: Any) -> None:
            www.shift(*words, **more)
            held.append(zone.sets[f"{NAME}.", "A"]["rrdatas"])

    assert ramped(Noting(), names, WEST, steps=[50, 100]) == [{CENTRAL: 50, WEST: 50}, {CENTRAL: 0, WEST: 100}]
    assert held == [sorted(ADDRESS.values()), [ADDRESS[WEST]]]
    heard(www, names, WEST)


@pytest.mark.parametrize(
    ("routing", "kind_of", "divides"),
    [
        ("wrr", "A", "percent"),
        ("primary-backup", "A", "percent"),
        ("geo", "A", "not"),
        ("simple", "A", "evenly"),
        ("simple", "CNAME", "not"),
    ],
)
def test_what_shares_it_gives_is_said_by_its_routing(routing: str, kind_of: str, divides: str) -> None:
    (kind,) = KINDS
    one = resource({"routing": routing, "type": kind_of}, ADDRESS)
    assert kind.facts("shift", one).divides == divides
