"""compute: cloud-run against a stand-in: its wire is Google's own description, its instances are real listeners, and
its address answers by HTTP while one of them listens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.ports import Kind
from cloudfail.testing.conformance import Calls, ComputeSuite, Harness, known, refused
from cloudfail_gcp.compute import KINDS
from cloudfail_gcp.compute.cloud_run import CloudRun
from cloudfail_gcp.compute.options import CloudRunMember
from cloudfail_gcp.compute.services import MARKS
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, World, call, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import cloud_run

pytestmark = pytest.mark.timeout(300)
KIND: Kind = next(kind for kind in KINDS if kind.name == "cloud-run")
EAST_SERVICE = f"projects/{PROJECT}/locations/{EAST}/services/web"
WEST_SERVICE = f"projects/{PROJECT}/locations/{WEST}/services/web"
PATCH = "projects.locations.services.patch"


class Site(World):
    """A service in each region; the west's has a minimum of two, and a maximum of its own of four."""

    def __init__(self, google: Front, machine: cloud_run.CloudRun, scaling: dict[str, Any] | None = None) -> None:
        super().__init__(google, KIND, self.made)
        self.machine = machine
        machine.service(EAST_SERVICE, {"minInstanceCount": 3})
        self.given = {"minInstanceCount": 2, "maxInstanceCount": 4} if scaling is None else scaling
        machine.service(WEST_SERVICE, dict(self.given))

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(**({"region": region} if region else {"service": "run"}))

    def made(self, **member: Any) -> CloudRun:
        """member: what the file says of the west's beside its path."""
        members = {EAST: EAST_SERVICE, WEST: {"service": WEST_SERVICE, **member}}
        resource, whole = topology(KIND, members)
        told = {region: CloudRunMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: CloudRun(asking, told), resource, whole)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.machine.at(WEST_SERVICE).door}/"

    def scaling(self) -> dict[str, Any]:
        told: dict[str, Any] = self.machine.at(WEST_SERVICE).whole["scaling"]
        return told

    def note(self) -> str:
        return str(self.machine.at(WEST_SERVICE).whole["annotations"].get(MARKS, ""))

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(400):
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came to that: {self.scaling()}, {self.machine.running(WEST_SERVICE)}")

    def scaled(self, count: int, run_call: Any = None) -> None:
        port = self.port()
        port.scale(WEST, count, expect=known(port.read(WEST)), call=run_call or call())
        self.until(lambda: known(self.port().read(WEST)).wanted == count)


@pytest.fixture
def machine(serving: Callable[[str, Any], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[cloud_run.CloudRun]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with contextlib.closing(cloud_run.CloudRun()) as made:
        yield serving("run.v2", made)


@pytest.fixture
def world(google: Front, machine: cloud_run.CloudRun) -> Site:
    return Site(google, machine)


class Scaled(ComputeSuite):
    """Of the two verbs, the one that Cloud Run has. The other is refused, and changes nothing."""

    def test_scale_in_is_held_and_let_go(self, world: Harness) -> None:
        state = known(self.read(world))
        refused(lambda: world.port().hold(world.target, True, expect=state, call=Calls().make()), Permanent)
        world.port().hold(world.target, False, expect=state, call=Calls().make())
        assert known(self.read(world)) == state

    def test_a_hold_that_may_not_be_made_has_no_effect(self, world: Harness) -> None:
        self.test_scale_in_is_held_and_let_go(world)


class TestCloudRun(Scaled):
    """The world is the module's."""


class TestAServiceWhoseAddressIsAsked(Scaled):
    """The same, and what is healthy is what answers."""

    @pytest.fixture
    def world(self, google: Front, machine: cloud_run.CloudRun) -> Site:  # type: ignore[override]  (one that it narrows)
        site = Site(google, machine)
        site._port = lambda: site.made(url=site.url())
        return site


class TestByHand:
    """In manual mode the number itself is ordered, and nothing is scaled in."""

    @pytest.fixture
    def site(self, google: Front, machine: cloud_run.CloudRun) -> Site:
        return Site(google, machine, {"scalingMode": "MANUAL", "manualInstanceCount": 2, "maxInstanceCount": 4})

    def test_the_number_is_what_is_ordered_and_there_is_no_ceiling(self, site: Site) -> None:
        state = known(site.port().read(WEST))
        assert (state.wanted, state.running, state.ceiling, state.scale_in_held) == (2, 2, None, True)
        site.scaled(6)
        assert site.scaling() == {"scalingMode": "MANUAL", "manualInstanceCount": 6, "maxInstanceCount": 4}
        site.until(lambda: known(site.port().read(WEST)).healthy == 6)
        site.scaled(2)
        assert site.scaling() == {"scalingMode": "MANUAL", "manualInstanceCount": 2, "maxInstanceCount": 4}

    def test_it_counts_as_held_and_is_not_let_go(self, site: Site) -> None:
        port = site.port()
        state = known(port.read(WEST))
        port.hold(WEST, True, expect=state, call=call())
        with pytest.raises(Permanent, match="scaled by hand") as raised:
            port.hold(WEST, False, expect=state, call=call())
        assert "--scaling=auto" in str(raised.value)
        assert site.machine.orders == []


def test_one_patch_names_what_it_changes_and_the_etag_that_was_seen(world: Site) -> None:
    port = world.port()
    state = known(port.read(WEST))
    port.scale(WEST, 3, expect=state, call=call())
    (sent,) = world.front.seen(mutating=True)
    assert sent.query["updateMask"] == "scaling.minInstanceCount,annotations"
    assert sent.body == {
        "etag": state.version,
        "scaling": {"minInstanceCount": 3},
        "annotations": {"team": "shop", MARKS: "[cloudfail epoch=10 run=r1 floor=2 ceiling=4]"},
    }
    assert world.scaling() == {"minInstanceCount": 3, "maxInstanceCount": 4}


def test_the_maximum_goes_up_as_far_as_needed_and_back_with_the_minimum(world: Site) -> None:
    world.scaled(6)
    assert world.scaling() == {"minInstanceCount": 6, "maxInstanceCount": 6}
    assert known(world.port().read(WEST)).ceiling == 6
    world.scaled(7)
    world.scaled(2)
    assert world.scaling() == world.given
    assert world.note() == "[cloudfail epoch=10]"


def test_a_service_without_a_maximum_of_its_own_gets_none(google: Front, machine: cloud_run.CloudRun) -> None:
    site = Site(google, machine, {"minInstanceCount": 1})
    assert known(site.port().read(WEST)).ceiling == 100, "its revisions' own"
    site.scaled(6)
    assert site.scaling() == {"minInstanceCount": 6}


def test_a_revision_s_own_maximum_is_not_raised_by_a_failover(world: Site) -> None:
    world.machine.at(WEST_SERVICE).whole["template"]["scaling"]["maxInstanceCount"] = 5
    port = world.port()
    state = known(port.read(WEST))
    port.scale(WEST, 5, expect=state, call=call())
    with pytest.raises(Permanent, match="maximum of 5") as raised:
        world.port().scale(WEST, 6, expect=known(world.port().read(WEST)), call=call())
    assert "--max-instances 6" in str(raised.value)
    assert len(world.machine.orders) == 1


def test_a_template_that_names_its_revision_is_said_so(world: Site) -> None:
    world.machine.at(WEST_SERVICE).whole["template"]["revision"] = "web-fixed"
    port = world.port()
    with pytest.raises(Permanent, match="without a name for its revision"):
        port.scale(WEST, 5, expect=known(port.read(WEST)), call=call())


def test_told_is_not_provisioned_and_provisioned_is_not_serving(world: Site) -> None:
    """The service shows the minimum at once. Then its instances run, and nothing answers at its address."""
    world._port = lambda: world.made(url=world.url())
    world.machine.boots = False
    world.scaled(3)
    assert isinstance(step(world, 3), Moving)
    world.machine.boots = True
    world.until(lambda: known(world.port().read(WEST)).running == 3)
    assert isinstance(step(world, 3), Done)
    world.machine.sicken(WEST_SERVICE)
    state = known(world.port().read(WEST))
    assert (state.running, state.healthy) == (3, 0)
    assert isinstance(step(world, 3), Moving)
    assert known(world.made().read(WEST)).healthy == 3, "without a URL it is Google's word"


def test_a_number_that_is_told_while_instances_warm_up_is_not_healthy_yet(world: Site) -> None:
    world.machine.boots, world.machine.eager = False, True
    world.scaled(3)
    world.until(lambda: known(world.port().read(WEST)).running == 3)
    assert known(world.port().read(WEST)).healthy == 0
    assert isinstance(step(world, 3), Moving)
    world.machine.boots = True
    world.until(lambda: isinstance(step(world, 3), Done))


def test_an_address_that_cannot_be_asked_from_here_is_unknown(world: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFAIL_ALLOW_LOOPBACK")
    read = world.made(url=world.url()).read(WEST)
    assert isinstance(read, Unknown)
    assert "this machine itself" in read.reason


def test_nothing_is_asked_of_an_address_behind_which_nothing_is_to_run(
    google: Front, machine: cloud_run.CloudRun
) -> None:
    site = Site(google, machine, {})
    state = known(site.made(url="http://192.0.2.1/").read(WEST))
    assert (state.wanted, state.running, state.healthy) == (0, 0, 0)


def test_a_revision_that_is_not_ready_counts_for_nothing(world: Site) -> None:
    world.machine.at(WEST_SERVICE).revisions[0].ready = "CONDITION_FAILED"
    state = known(world.port().read(WEST))
    assert (state.running, state.healthy) == (2, 0)


def test_of_several_revisions_those_count_that_get_requests(google: Front, machine: cloud_run.CloudRun) -> None:
    site = Site(google, machine)
    machine.service(WEST_SERVICE, {"minInstanceCount": 4}, percents=(75, 25, 0))
    state = known(site.port().read(WEST))
    assert (state.running, state.healthy) == (4, 4)
    machine.at(WEST_SERVICE).revisions[1].ready = "CONDITION_RECONCILING"
    assert known(site.port().read(WEST)).healthy == 3
    asked = {one.operation for one in google.seen()}
    assert "projects.locations.services.revisions.list" not in asked


def test_where_no_revision_tells_a_number_the_service_must_have_settled(world: Site) -> None:
    revision = world.machine.at(WEST_SERVICE).revisions[0]
    revision.tells = False
    assert known(world.port().read(WEST)).healthy == 2
    world.machine.seconds = 3600.0
    world.scaled(5)
    assert isinstance(step(world, 5), Moving)
    world.machine.end()
    assert known(world.port().read(WEST)).healthy == 5


def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(world: Site) -> None:
    world.machine.obeying = False
    port = world.port()
    port.scale(WEST, 3, expect=known(port.read(WEST)), call=call())
    assert isinstance(step(world, 3), Todo)
    world.machine.obeying = True
    world.scaled(3)
    world.until(lambda: isinstance(step(world, 3), Done))


@pytest.mark.parametrize(
    ("code", "error"), [(3, Permanent), (9, OutcomeUnknown), (10, OutcomeUnknown), (13, OutcomeUnknown)]
)
def test_an_operation_that_failed_at_once_is_told(world: Site, code: int, error: type[Exception]) -> None:
    world.machine.failing = code
    port = world.port()
    with pytest.raises(error, match="It failed"):
        port.scale(WEST, 3, expect=known(port.read(WEST)), call=call())


def test_a_call_of_an_older_lease_that_lands_late_has_no_effect(world: Site) -> None:
    port = world.port()
    late = world.front.outages.hold(times=1, operation=PATCH)
    with pytest.raises(OutcomeUnknown):
        port.scale(WEST, 4, expect=known(port.read(WEST)), call=call(10, seconds=12.0))
    world.scaled(5, call(11))
    world.scaled(2, call(11))
    late.land()
    assert world.scaling()["minInstanceCount"] == 2, "though the service is as that call had seen it"
    assert KIND.verbs["scale"].fencing == "condition"


def test_a_newer_epoch_stops_an_older_worker_that_looks(world: Site) -> None:
    world.scaled(3, call(11))
    port = world.port()
    with pytest.raises(Conflict, match="epoch 11"):
        port.scale(WEST, 2, expect=known(port.read(WEST)), call=call(10))


def test_a_deploy_between_look_and_order_is_a_conflict(world: Site) -> None:
    port = world.port()
    state = known(port.read(WEST))
    world.machine.edit(WEST_SERVICE, description="deployed")
    with pytest.raises(Conflict, match="not as it was seen"):
        port.scale(WEST, 3, expect=state, call=call())
    stale = world.front.outages.stale(3600, operation="projects.locations.services.get")
    state = known(port.read(WEST))
    world.machine.edit(WEST_SERVICE, description="once more")
    with pytest.raises(Conflict, match="the etag is"):
        port.scale(WEST, 3, expect=state, call=call())
    stale.lift()
    assert world.machine.orders == []


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=EAST)
    world.front.forget()
    world.scaled(3)
    assert world.front.count(region=EAST) == 0


def test_a_service_of_another_region_is_refused_when_it_is_built() -> None:
    resource, whole = topology(KIND, {EAST: WEST_SERVICE})
    told = {EAST: CloudRunMember(service=WEST_SERVICE)}
    with pytest.raises(Permanent, match="stands in europe-west1"):
        port_of(lambda asking: CloudRun(asking, told), resource, whole)


def test_a_region_without_a_member_is_unknown_and_takes_no_order(world: Site) -> None:
    port = world.port()
    assert isinstance(port.read("us-east4"), Unknown)
    with pytest.raises(Transient):
        port.scale("us-east4", 3, expect=known(port.read(WEST)), call=call())


def test_the_permissions_are_of_what_is_asked_and_no_more(world: Site) -> None:
    resource, whole = topology(KIND, {EAST: EAST_SERVICE, WEST: WEST_SERVICE})
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [WEST])
    assert {(action, one.on) for one in said.watch for action in one.actions} == {
        ("run.services.get", (WEST_SERVICE,)),
        ("run.revisions.get", (f"{WEST_SERVICE}/revisions/*",)),
        ("serviceusage.quotas.get", (f"projects/{PROJECT}",)),
    }
    assert {(action, one.verbs) for one in said.execute for action in one.actions} == {
        ("run.services.update", ("scale",)),
        ("iam.serviceAccounts.actAs", ("scale",)),
    }
    world.scaled(3)
    assert {one.operation for one in world.front.seen()} == {
        "projects.locations.services.get",
        "projects.locations.services.revisions.get",
        PATCH,
    }


class Around:
    """The world as `compute.scale` looks at it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def compute(self, _name: str) -> CloudRun:
        made: CloudRun = self.site.port()
        return made


def step(site: Site, count: int) -> Any:
    """What the step that scales the west sees now."""
    arguments = {"group": "web", "where": WEST, "count": count}
    planned = PlannedStep("scale", "compute.scale", None, arguments, (), 300.0, 0.0, 0)
    around: Any = Around(site)
    return Scale().observe(around, StepContext(planned, "r1", EAST, WEST))
