"""What a project may run in a region, of each kind of workers that Google bounds by quotas of Compute Engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import StepContext, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.room import Room
from cloudfail.ports import HasRoom
from cloudfail.testing.conformance import known
from cloudfail_gcp.compute.quotas import SERIES, metrics_of
from tests.emulators.gcp import test_cloud_run, test_instance_group, test_node_pool
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, call
from tests.emulators.gcp.discovery import api
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.cloud_run import CloudRun
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.standins.quotas import Quotas, ServiceUsage

pytestmark = pytest.mark.timeout(300)
TEMPLATE = f"projects/{PROJECT}/global/instanceTemplates/web"
ZONE = f"projects/{PROJECT}/zones/{WEST}-b"
FAR = f"projects/{PROJECT}/zones/{WEST}-d"
SORT = "n2-standard-4"


class Machine(Quotas, InstanceGroups):
    """Both of one project."""


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> Iterator[Machine]:
    with contextlib.closing(Machine()) as made:
        made.quotas |= {(WEST, "N2_CPUS"): (64.0, 40.0), (EAST, "N2_CPUS"): (500.0, 0.0)}
        yield serving("compute.v1", made)


@pytest.fixture
def site(google: Front, machine: Machine) -> test_instance_group.Site:
    """In the west, two of n2-standard-4 run."""
    found = test_instance_group.Site(google, machine)
    begins(machine, SORT)
    return found


def begins(machine: Machine, sort: str, **properties: Any) -> None:
    """What the west's group begins from now on."""
    machine.template(TEMPLATE, sort, **properties)
    machine.at(test_instance_group.WEST_GROUP).more["instanceTemplate"] = BASE + TEMPLATE


def room(port: Any, region: str = WEST) -> Room:
    assert isinstance(port, HasRoom)
    said: Room = known(port.room(region))
    return said


def why_not(port: Any) -> str:
    said = port.room(WEST)
    assert isinstance(said, Unknown), said
    return said.reason


@pytest.mark.parametrize(
    ("machine_type", "metric"),
    [
        ("e2-standard-2", "E2_CPUS"),
        ("n1-standard-1", "CPUS"),
        ("custom-4-8192", "CPUS"),
        ("n2-standard-4", "N2_CPUS"),
        ("n2-custom-4-8192", "N2_CPUS"),
        ("n2d-highmem-8", "N2D_CPUS"),
        ("c2-standard-4", "C2_CPUS"),
        ("c2d-standard-4", "C2D_CPUS"),
        ("c3-standard-4-lssd", "C3_CPUS"),
        ("t2d-standard-1", "T2D_CPUS"),
        ("t2a-standard-1", "T2A_CPUS"),
        ("a2-highgpu-1g", "A2_CPUS"),
        ("m1-ultramem-40", "M1_CPUS"),
        ("m2-ultramem-208", "M2_CPUS"),
        ("m3-megamem-64", "M3_CPUS"),
    ],
)
def test_a_machine_type_counts_against_the_quota_of_its_series(machine_type: str, metric: str) -> None:
    assert metrics_of(machine_type)[0] == metric


@pytest.mark.parametrize("machine_type", ["n4-standard-2", "c4-standard-2", "f1-micro", "g2-standard-4", "", "N2"])
def test_a_series_that_is_not_known_is_not_guessed(machine_type: str) -> None:
    with pytest.raises(Transient, match="is not known here"):
        metrics_of(machine_type)


def test_every_quota_is_one_that_google_s_description_names() -> None:
    named = api("compute.v1")._schemas["Quota"]["properties"]["metric"]["enum"]
    assert {metric for metrics in SERIES.values() for metric in metrics} <= set(named)


def test_a_group_may_have_what_its_quota_leaves_beside_others(machine: Machine, site: Any) -> None:
    machine.reserve(ZONE, SORT, 5, used=2)
    said = room(site.port())
    assert (said.limit, said.used, said.each, said.own, said.reserved) == (64.0, 40.0, 4.0, 2, 3)
    assert said.others == 20.0, "two that run and three that are reserved are its own"
    assert said.at_most == 11
    assert said.in_words().startswith(f"at most 11 (quota N2_CPUS of {PROJECT} in {WEST}: 64 vCPUs")


def test_a_regional_group_says_in_which_zones_it_is(machine: Machine, site: Any) -> None:
    machine.reserve(ZONE, SORT, 3)
    machine.reserve(FAR, SORT, 8)
    machine.zones = "bd"
    assert room(site.port()).reserved == 11
    policy = {"zones": [{"zone": BASE + ZONE}]}
    machine.at(test_instance_group.WEST_GROUP).more["distributionPolicy"] = policy
    assert room(site.port()).reserved == 3


def test_reservations_of_another_type_or_that_are_not_ready_hold_nothing(machine: Machine, site: Any) -> None:
    machine.reserve(ZONE, SORT, 1)
    machine.reserve(ZONE, "e2-standard-2", 8)
    machine.reserve(ZONE, SORT, 8, status="CREATING")
    machine.reserve(ZONE, SORT, 4, used=4)
    assert room(site.port()).reserved == 1


@pytest.mark.parametrize(
    ("affinity", "reserved"),
    [
        ({}, 1),
        ({"consumeReservationType": "ANY_RESERVATION"}, 1),
        ({"consumeReservationType": "NO_RESERVATION"}, 0),
        ({"consumeReservationType": "SPECIFIC_RESERVATION", "values": ["mine"]}, 2),
        ({"consumeReservationType": "SPECIFIC_RESERVATION", "values": ["projects/p/reservations/theirs"]}, 4),
    ],
)
def test_which_reservations_a_group_may_take_up_is_said_by_its_template(
    machine: Machine, site: Any, affinity: dict[str, Any], reserved: int
) -> None:
    machine.reserve(ZONE, SORT, 1, name="anyone-s")
    machine.reserve(ZONE, SORT, 2, name="mine", specificReservationRequired=True)
    machine.reserve(ZONE, SORT, 4, name="theirs", specificReservationRequired=True)
    begins(machine, SORT, reservationAffinity=affinity)
    assert room(site.port()).reserved == reserved


def test_all_pages_of_reservations_count(machine: Machine, site: Any) -> None:
    machine.page_of_reservations = 1
    for _ in range(3):
        machine.reserve(ZONE, SORT, 1)
    assert room(site.port()).reserved == 3


def test_where_reservations_cannot_be_listed_others_are_not_told(google: Front, machine: Machine, site: Any) -> None:
    google.outages.fail("forbidden", 403, operation="reservations.list")
    said = room(site.port())
    assert (said.reserved, said.used, said.at_most) == (None, None, 16)


def test_of_two_quotas_that_may_bind_e2_the_one_that_leaves_more_counts(machine: Machine, site: Any) -> None:
    """What is found too much must certainly be too much."""
    begins(machine, "e2-standard-2")
    machine.quotas[WEST, "E2_CPUS"] = (24.0, 20.0)
    assert room(site.port()).pool.startswith("quota E2_CPUS")
    machine.quotas[WEST, "CPUS"] = (200.0, 20.0)
    assert room(site.port()).pool.startswith("quota CPUS")


def test_both_regions_are_told_apart(machine: Machine, site: Any) -> None:
    machine.at(test_instance_group.EAST_GROUP).more["instanceTemplate"] = BASE + TEMPLATE
    assert (room(site.port(), EAST).limit, room(site.port(), WEST).limit) == (500.0, 64.0)


def test_a_regional_template_and_two_versions_of_one_type(machine: Machine, site: Any) -> None:
    regional = machine.template(f"projects/{PROJECT}/regions/{WEST}/instanceTemplates/next", SORT)
    versions = [
        {"instanceTemplate": BASE + TEMPLATE},
        {"instanceTemplate": BASE + regional, "targetSize": {"fixed": 1}},
    ]
    machine.at(test_instance_group.WEST_GROUP).more["versions"] = versions
    assert room(site.port()).each == 4.0
    machine.template(regional, "e2-standard-2")
    assert "several machine types" in why_not(site.port())


@pytest.mark.parametrize(
    "scheduling", [{"preemptible": True}, {"provisioningModel": "SPOT"}, {"provisioningModel": "FLEX_START"}]
)
def test_spot_instances_are_unknown(machine: Machine, site: Any, scheduling: dict[str, Any]) -> None:
    begins(machine, SORT, scheduling=scheduling)
    assert "quota is not compared" in why_not(site.port())


def test_what_says_nothing_of_vcpus_is_unknown(machine: Machine, site: Any) -> None:
    group = machine.at(test_instance_group.WEST_GROUP)
    begins(machine, "e2-micro")
    machine.quotas[WEST, "CPUS"] = (24.0, 0.0)
    assert "shares a core" in why_not(site.port())
    group.more["instanceFlexibilityPolicy"] = {"instanceSelections": {"a": {"machineTypes": [SORT]}}}
    assert "several machine types" in why_not(site.port())
    group.more.clear()
    assert "instance template" in why_not(site.port())


def test_a_region_that_does_not_tell_its_quotas_is_unknown(machine: Machine, site: Any) -> None:
    machine.mute = True
    assert "does not tell the quota N2_CPUS" in why_not(site.port())
    machine.mute = False
    machine.quotas.clear()
    assert "does not tell the quota N2_CPUS" in why_not(site.port())


@pytest.mark.parametrize("how", ["silence", "throttle", "cut", "refuse"])
def test_a_quota_that_cannot_be_read_is_unknown_and_stops_nobody(google: Front, site: Any, how: str) -> None:
    around: Any = test_instance_group.Around(site)
    step = _step(3)
    seen = Scale().observe(around, step)
    assert isinstance(seen, Todo)
    said: list[str] = []
    getattr(google.outages, how)(operation="regions.get")
    Scale().act(around, step, seen, call(log=said.append))
    assert any("is not known" in line for line in said)
    site.until(lambda: site.scaler()[0] == 3)


def test_a_step_that_the_quota_leaves_nothing_for_is_refused_before_it_is_ordered(machine: Machine, site: Any) -> None:
    machine.quotas[WEST, "N2_CPUS"] = (64.0, 64.0)
    around: Any = test_instance_group.Around(site)
    site.scaled(2)
    seen = Scale().observe(around, _step(6))
    assert isinstance(seen, Todo)
    orders = len(machine.orders)
    with pytest.raises(Permanent, match="may not run 6"):
        Scale().act(around, _step(6), seen, call())
    assert len(machine.orders) == orders


def test_a_node_pool_draws_on_the_same_quota(
    google: Front, machine: Machine, serving: Callable[[str, Any], Any]
) -> None:
    """Four nodes of n2-standard-4 run."""
    pools: NodePools = serving("container.v1", NodePools(machine))
    site = test_node_pool.Site(google, pools)
    machine.reserve(ZONE, SORT, 2)
    machine.reserve(FAR, SORT, 8)
    said = room(site.port())
    assert (said.pool, said.own, said.each, said.reserved) == (f"quota N2_CPUS of {PROJECT} in {WEST}", 4, 4.0, 2)
    assert said.at_most == 12, "of 64 vCPUs others use 16"
    pool = pools.at(test_node_pool.WEST_POOL)
    pool.config["reservationAffinity"] = {"consumeReservationType": "NO_RESERVATION"}
    assert room(site.port()).reserved == 0
    for spot in ("spot", "preemptible"):
        pool.config = {spot: True}
        assert "quota is not compared" in why_not(site.port())


@pytest.fixture
def run(google: Front, serving: Callable[[str, Any], Any]) -> Iterator[tuple[test_cloud_run.Site, ServiceUsage]]:
    """Two instances of two vCPUs run in the west."""
    usage: ServiceUsage = serving("serviceusage.v1beta1", ServiceUsage())
    with contextlib.closing(CloudRun()) as machine:
        serving("run.v2", machine)
        yield test_cloud_run.Site(google, machine), usage


def test_a_service_draws_on_the_vcpus_that_cloud_run_gives_the_project(
    run: tuple[test_cloud_run.Site, ServiceUsage],
) -> None:
    site, usage = run
    said = room(site.port())
    assert (said.limit, said.each, said.own, said.used, said.at_most) == (20.0, 2.0, 2, None, 10)
    usage.thousandths[WEST] = 56_000
    assert room(site.port()).at_most == 28
    assert room(site.port(), EAST).at_most == 10, "which has no limit of its own"


@pytest.mark.parametrize(
    ("cpus", "each"), [(["1"], 1.0), (["1000m"], 1.0), (["500m"], 0.5), ([".08"], 0.08), (["1", "250m"], 1.25)]
)
def test_the_vcpus_of_an_instance_are_those_of_its_containers(
    run: tuple[test_cloud_run.Site, ServiceUsage], cpus: list[str], each: float
) -> None:
    site, _ = run
    whole = site.machine.at(test_cloud_run.WEST_SERVICE).whole
    whole["template"]["containers"] = [{"resources": {"limits": {"cpu": cpu}}} for cpu in cpus]
    assert room(site.port()).each == pytest.approx(each)


@pytest.mark.parametrize("containers", [[], [{}], [{"resources": {"limits": {"cpu": "much"}}}], [{"resources": {}}]])
def test_a_service_that_does_not_tell_its_vcpus_is_unknown(
    run: tuple[test_cloud_run.Site, ServiceUsage], containers: list[Any]
) -> None:
    site, _ = run
    site.machine.at(test_cloud_run.WEST_SERVICE).whole["template"]["containers"] = containers
    assert "how many vCPUs" in why_not(site.port())


def test_a_limit_that_is_not_told_is_unknown(google: Front, run: tuple[test_cloud_run.Site, ServiceUsage]) -> None:
    site, usage = run
    usage.thousandths = {EAST: 20_000}
    assert "does not tell" in why_not(site.port())
    usage.thousandths = {"": -1}
    assert "does not tell" in why_not(site.port())
    google.outages.fail("accessNotConfigured", 403, service="serviceusage")
    assert "accessNotConfigured" in why_not(site.port())


def _step(count: int) -> StepContext:
    arguments = {"group": "web", "where": WEST, "count": count}
    return StepContext(PlannedStep("scale", "compute.scale", None, arguments, (), 300.0, 0.0, 0), "r1", EAST, WEST)
