"""compute: scale-set against stand-ins: their wire is what Microsoft's packages say, instances are real listeners."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import ComputeSuite, known
from cloudfail_azure.compute import KINDS
from cloudfail_azure.compute.scale_set import ScaleSets
from tests.emulators.azure.balancing import NORTH, WEST, call
from tests.emulators.azure.front import Front
from tests.emulators.azure.sizes import BOUNDS, Workers
from tests.emulators.azure.standins import scale_sets as standin

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "scale-set")
PATCH = "autoscale_settings.update"
UPDATE = "virtual_machine_scale_sets.update"


class Site(Workers):
    """A set in each region, of which the north's is sized by a setting: its load wants two."""

    def __init__(self, azure: Front, serve: Callable[[str, Any], Any], *, sized: bool = True) -> None:
        super().__init__(azure, KIND, ScaleSets)
        self.sets = serve("azure.mgmt.compute", standin.ScaleSets())
        self.settings = serve("azure.mgmt.monitor", standin.AutoscaleSettings(self.sets))
        self.ids = {WEST: self.sets.scale_set("web-w", WEST, 3), NORTH: self.sets.scale_set("web-n", NORTH, 2)}
        self.setting = self.settings.setting("web-n", self.ids[NORTH], 2, *BOUNDS) if sized else None

    def members(self) -> dict[str, Any]:
        north = {"scale_set": self.ids[NORTH], **({"autoscale": self.setting} if self.setting else {})}
        return {WEST: self.ids[WEST], NORTH: north}

    def bounds(self) -> list[tuple[int, int, int]]:
        assert self.setting is not None
        profiles = self.sets.settings[self.setting.lower()]["properties"]["profiles"]
        return [tuple(int(one["capacity"][key]) for key in ("minimum", "maximum", "default")) for one in profiles]

    def tags(self) -> dict[str, str]:
        assert self.setting is not None
        found: dict[str, str] = self.sets.settings[self.setting.lower()]["tags"]
        return found

    def capacity(self, region: str = NORTH) -> int:
        return len(self.sets.instances(self.ids[region]))


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving)
    with contextlib.closing(site.sets):
        yield site


@pytest.fixture
def by_hand(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving, sized=False)
    with contextlib.closing(site.sets):
        yield site


class TestScaleSet(ComputeSuite):
    """The world is the module's."""


def test_the_floor_of_every_profile_is_what_is_ordered_and_goes_back_by_its_own_run(world: Site) -> None:
    world.scaled(6)
    assert world.bounds() == [(6, 6, 6), (6, 8, 6)], "whichever is in force tonight"
    assert world.capacity() == 6
    assert world.tags() == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": "r1 1/4/2;1/8/1"}
    assert world.front.count(operation=UPDATE) == 0
    world.scaled(1)
    assert world.bounds() == list(BOUNDS)
    assert world.tags() == {"team": "shop", "cloudfail-epoch": "10 r1"}


def test_a_set_that_its_load_has_grown_runs_more_than_is_wanted(world: Site) -> None:
    assert world.setting is not None
    world.sets.loads[world.setting.lower()] = 4
    world.until(lambda: known(world.port().read(NORTH)).running == 4)
    state = known(world.port().read(NORTH))
    assert (state.wanted, state.running, state.ceiling) == (1, 4, 4)


def test_a_set_that_nobody_sizes_is_given_its_capacity_under_its_etag(by_hand: Site) -> None:
    port = by_hand.port()
    expect = known(port.read(NORTH))
    assert (expect.wanted, expect.ceiling, expect.epoch) == (2, None, None)
    by_hand.scaled(5)
    by_hand.until(lambda: by_hand.capacity() == 5)
    told = by_hand.sets.at(by_hand.ids[NORTH])
    assert told["sku"] == {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 5}
    assert told["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": "r1 2/2/2"}
    with pytest.raises(Conflict):
        port.scale(NORTH, 4, expect=expect, call=call())
    with pytest.raises(Permanent, match="no autoscale setting"):
        port.hold(NORTH, True, expect=known(port.read(NORTH)), call=call())


def test_who_changed_the_set_between_the_look_and_the_request_is_not_overwritten(by_hand: Site) -> None:
    port = by_hand.port()
    expect = known(port.read(NORTH))
    by_hand.front.outages.stale(3600, operation="virtual_machine_scale_sets.get")
    known(port.read(NORTH))
    by_hand.sets.touch(by_hand.ids[NORTH])
    with pytest.raises(Conflict, match="PreconditionFailed"):
        port.scale(NORTH, 5, expect=expect, call=call())
    assert by_hand.capacity() == 2


def test_a_setting_that_nobody_named_is_named_and_refused(world: Site) -> None:
    unnamed = world.made({WEST: world.ids[WEST], NORTH: world.ids[NORTH]})
    read = unnamed.read(NORTH)
    assert isinstance(read, Unknown) and "would undo" in read.reason
    state = known(world.port().read(NORTH))
    with pytest.raises(Permanent) as raised:
        unnamed.scale(NORTH, 5, expect=state, call=call())
    assert raised.value.to_do == f"Name it in cloudfail.yaml: autoscale: {world.setting}"
    assert world.front.count(mutating=True) == 0


def test_one_that_is_disabled_sizes_nobody(azure: Front, serving: Callable[[str, Any], Any]) -> None:
    site = Site(azure, serving, sized=False)
    with contextlib.closing(site.sets):
        site.settings.setting("off", site.ids[NORTH], 9, *BOUNDS, enabled=False)
        assert known(site.port().read(NORTH)).wanted == 2
        site.scaled(5)
        assert site.capacity() == 5


def test_a_hold_keeps_what_runs_and_lets_more_be_added(world: Site) -> None:
    world.held(True)
    assert world.bounds() == [(2, 4, 2), (2, 8, 2)]
    assert known(world.port().read(NORTH)).scale_in_held
    assert world.setting is not None
    world.sets.loads[world.setting.lower()] = 0
    assert world.capacity() == 2, "nothing is taken away"
    world.held(False)
    assert world.bounds() == list(BOUNDS)
    assert world.capacity() == 1
    assert world.tags() == {"team": "shop", "cloudfail-epoch": "10 r1"}


@pytest.mark.parametrize("first", ["the scale", "the hold"])
def test_a_hold_and_a_scale_of_one_run_are_taken_back_in_either_order(world: Site, first: str) -> None:
    world.held(True)
    world.scaled(6)
    if first == "the scale":
        world.scaled(2)
        world.held(False)
    else:
        world.held(False)
        assert world.bounds() == [(6, 6, 6), (6, 8, 6)]
        world.scaled(1)
    assert world.bounds() == list(BOUNDS)


def test_marks_are_found_in_whatever_case_azure_gives_their_names_back(world: Site) -> None:
    world.scaled(6)
    assert world.setting is not None
    setting = world.sets.settings[world.setting.lower()]
    setting["tags"] = {name.title(): value for name, value in setting["tags"].items()}
    assert known(world.port().read(NORTH)).epoch == 10
    world.scaled(1)
    assert world.bounds() == list(BOUNDS)
    assert world.tags() == {"Team": "shop", "cloudfail-epoch": "10 r1"}, "and none is there twice"


def test_an_older_lease_changes_nothing(world: Site) -> None:
    world.scaled(6, call(12))
    port = world.port()
    with pytest.raises(Conflict, match="epoch 12, later"):
        port.scale(NORTH, 3, expect=known(port.read(NORTH)), call=call(11))
    assert world.capacity() == 6


def test_a_lost_answer_is_found_out_by_looking(world: Site) -> None:
    port = world.port()
    state = known(port.read(NORTH))
    world.front.outages.lose(operation=PATCH, times=1)
    with pytest.raises(OutcomeUnknown):
        port.scale(NORTH, 5, expect=state, call=call())
    assert known(port.read(NORTH)).wanted == 5


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=WEST)
    world.front.forget()
    world.scaled(3)
    world.held(True)
    assert world.front.count(region=WEST) == 0
    assert isinstance(world.port().read(WEST), Unknown)


def test_succeeded_is_not_running_and_running_is_not_healthy(world: Site) -> None:
    world.sets.boots = False
    world.scaled(3)
    state = known(world.port().read(NORTH))
    assert (state.wanted, state.running, state.healthy) == (3, 2, 2)
    assert isinstance(world.step(3), Moving)
    world.sets.boots = True
    world.until(lambda: known(world.port().read(NORTH)).running == 3)
    world.sets.sicken(world.ids[NORTH])
    assert known(world.port().read(NORTH)).healthy == 2
    assert isinstance(world.step(3), Moving)


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.settings.obeying = False
    port = world.port()
    port.scale(NORTH, 3, expect=known(port.read(NORTH)), call=call())
    assert isinstance(world.step(3), Todo)
    world.settings.obeying = True
    world.scaled(3)
    world.until(lambda: isinstance(world.step(3), Done))


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_badly_is_told_in_azures_words(by_hand: Site, style: str, ending: str) -> None:
    by_hand.sets.style, by_hand.sets.ending, by_hand.sets.code = style, ending, "InternalExecutionError"
    port = by_hand.port()
    expect = known(port.read(NORTH))
    if style == "location":
        # An update answers 200, where `Location` is not asked for: what is read afterwards tells.
        port.scale(NORTH, 5, expect=expect, call=call())
    else:
        with pytest.raises(OutcomeUnknown, match="InternalExecutionError"):
            port.scale(NORTH, 5, expect=expect, call=call())
    assert known(port.read(NORTH)).wanted == 2


def test_the_room_is_what_the_family_of_its_size_may_run(world: Site) -> None:
    room = world.port().room(NORTH)
    assert isinstance(room, Known)
    assert room.value.pool.startswith("quota standardDSv5Family of ")
    assert (room.value.each, room.value.own, room.value.at_most) == (2.0, 2, 7)
    group = f"{standin.PROVIDERS}/Microsoft.Compute/capacityReservationGroups/web"
    profile = {"capacityReservation": {"capacityReservationGroup": {"id": group}}, "priority": "Regular"}
    world.sets.at(world.ids[NORTH])["properties"]["virtualMachineProfile"] = profile
    world.sets.reserved["Standard_D2s_v5"] = (4, 1)
    assert known(world.port().room(NORTH)).reserved == 3
    profile["priority"] = "Spot"
    read = world.port().room(NORTH)
    assert isinstance(read, Unknown) and "Spot" in read.reason


def test_without_a_probe_nothing_is_known_and_the_reason_says_so(world: Site) -> None:
    world.sets.checked = False
    read = world.port().read(NORTH)
    assert isinstance(read, Unknown) and "Application Health" in read.reason


def test_a_set_that_stands_in_another_region_than_is_written_is_refused(world: Site) -> None:
    swapped = world.made({WEST: world.ids[NORTH], NORTH: world.ids[WEST]})
    read = swapped.read(NORTH)
    assert isinstance(read, Unknown) and "stands in westeurope" in read.reason
