"""compute: container-app against a stand-in: its wire is what Microsoft's package says, replicas are real listeners."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.testing.conformance import Calls, ComputeSuite, Harness, eventually, known
from cloudfail_azure.compute import KINDS
from cloudfail_azure.compute.container_app import ContainerApps
from tests.emulators.azure.balancing import NORTH, WEST, call
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.sizes import Workers, answering
from tests.emulators.azure.standins import container_apps as standin

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "container-app")
PATCH = "container_apps.update"


class Site(Workers):
    """An app in each region, whose load wants two replicas in the north: at least one, at most five."""

    def __init__(self, azure: Front, serve: Callable[[str, Any], Any]) -> None:
        super().__init__(azure, KIND, ContainerApps)
        self.apps: standin.ContainerApps = serve("azure.mgmt.appcontainers", standin.ContainerApps())
        self.ids = {WEST: self.apps.app("web-w", WEST, 3, 5, 3), NORTH: self.apps.app("web-n", NORTH, 1, 5, 2)}

    def members(self) -> dict[str, Any]:
        return dict(self.ids)

    def body(self) -> dict[str, Any]:
        return self.apps.at(self.ids[NORTH])

    def came_up(self) -> None:
        """What was ordered has ended, and the revision that it made serves."""
        self.apps.end()
        self.until(lambda: bool(self.apps.serving(self.ids[NORTH])) and len(self.revisions()) == 1)

    def revisions(self) -> list[standin.Revision]:
        return self.apps.revisions[self.ids[NORTH].lower()]

    def scale(self) -> tuple[int, int]:
        return self.apps.serving(self.ids[NORTH]).bounds

    def replicas(self) -> int:
        return len(self.apps.serving(self.ids[NORTH]).fleet.each)


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving)
    with contextlib.closing(site.apps):
        yield site


class TestContainerApp(ComputeSuite):
    """The world is the module's."""

    def test_it_can_be_set_back(self, world: Harness) -> None:
        """As there, once the revision that it made has come up."""
        state, calls = known(self.read(world)), Calls()
        self.change(world, state.wanted + 2, state, calls.make())
        seen = eventually(
            world, lambda: self.read(world), lambda seen: seen.wanted == state.wanted + 2 and not seen.moving
        )
        self.change(world, state.wanted, seen, calls.make(11))
        eventually(world, lambda: self.read(world), lambda seen: seen.wanted == state.wanted and not seen.moving)

    def test_scale_in_is_held_and_let_go(self, world: Harness) -> None:
        """As there, once the revision that each of them makes has come up."""
        for held in (True, False):
            state = eventually(world, lambda: self.read(world), lambda seen: not seen.moving)
            world.port().hold(world.target, held, expect=state, call=Calls().make())
            eventually(world, lambda: self.read(world), lambda seen, held=held: seen.scale_in_held is held)  # type: ignore[misc]


def test_a_count_makes_a_revision_and_goes_back_by_its_own_run(world: Site) -> None:
    world.scaled(6)
    assert world.scale() == (6, 6)
    assert world.replicas() == 6
    assert world.body()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": "r1 1/5/1"}
    template = world.apps.serving(world.ids[NORTH]).template
    assert template["containers"] and template["scale"]["rules"] == [{"name": "http"}], "all else is as it was"
    assert "revisionSuffix" not in template, "which would be taken a second time"
    world.scaled(1)
    assert world.scale() == (1, 5)
    assert world.body()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": ""}
    world.scaled(2, dataclasses.replace(call(), run="r2"))
    assert world.body()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r2", "cloudfail-before": "r2 1/5/1"}


def test_the_old_revision_serves_until_the_new_one_is_ready_and_only_its_floor_is_counted(world: Site) -> None:
    world.apps.app_loads[world.ids[NORTH].lower()] = 4
    world.until(lambda: world.state().healthy == 4)
    world.apps.boots = False
    world.port().scale(NORTH, 3, expect=world.state(), call=call())
    world.apps.end()
    state = world.state()
    assert (state.wanted, state.running, state.healthy) == (3, 4, 1), "what its floor does not keep may be gone soon"
    assert "is being made (Provisioning)" in state.moving
    assert isinstance(world.step(3), Moving)
    with pytest.raises(Transient, match="is being made"):
        world.port().scale(NORTH, 5, expect=state, call=call())
    world.apps.boots = True
    world.until(lambda: isinstance(world.step(3), Done))
    assert world.state().healthy >= 3


def test_a_revision_that_fails_is_not_done_and_no_further_one_is_made(world: Site) -> None:
    world.apps.pulls = False
    world.port().scale(NORTH, 4, expect=world.state(), call=call())
    world.apps.end()
    state = world.state()
    assert (state.wanted, state.running, state.moving) == (1, 2, "")
    assert isinstance(world.step(4), Todo)
    with pytest.raises(Permanent, match=r"failed \(ImagePullFailure\)"):
        world.port().scale(NORTH, 4, expect=state, call=call())
    assert world.front.count(operation=PATCH) == 1
    assert world.replicas() == 2, "and the old one goes on"


def test_a_step_that_is_undone_waits_for_the_revision_that_it_began(world: Site) -> None:
    world.apps.boots = False
    world.port().scale(NORTH, 4, expect=world.state(), call=call())
    world.apps.end()

    class Here:
        def compute(self, name: str) -> Any:
            return world.port()

    here: Any = Here()
    context = StepContext(_planned(), "r1", WEST, NORTH, undoing=True, memory={"wanted": 1})
    assert isinstance(Scale().observe(here, context), Moving), "not done, though the old one serves with its floor"


def _planned() -> Any:
    arguments = {"group": "web", "count": 4, "where": NORTH}
    return PlannedStep("workers", "compute.scale", None, arguments, (), 300.0, 0.0, 0)


def test_a_hold_keeps_what_runs_and_is_taken_back(world: Site) -> None:
    world.held(True)
    assert world.scale() == (2, 5)
    world.apps.app_loads[world.ids[NORTH].lower()] = 0
    assert world.replicas() == 2
    world.held(False)
    assert world.scale() == (1, 5)
    assert world.body()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-held": ""}


def test_an_app_that_is_stopped_is_not_scaled_and_one_of_several_revisions_is_refused(world: Site) -> None:
    world.body()["properties"]["runningStatus"] = "Stopped"
    state = world.state()
    assert (state.wanted, state.running) == (0, 0)
    with pytest.raises(Permanent, match="is stopped") as raised:
        world.port().scale(NORTH, 2, expect=state, call=call())
    assert raised.value.to_do == f"Start it: az resource invoke-action --action start --ids {world.ids[NORTH]}"
    world.body()["properties"] |= {"runningStatus": "Running", "configuration": {"activeRevisionsMode": "Multiple"}}
    read = world.port().read(NORTH)
    assert isinstance(read, Unknown) and "revision mode Multiple" in read.reason
    assert world.front.count(mutating=True) == 0


def test_ready_replicas_are_healthy_while_the_url_answers(world: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    world.apps.serving(world.ids[NORTH]).fleet.each[-1].serves.close()
    assert (world.state().running, world.state().healthy) == (2, 1)
    with answering() as url:
        north = {"app": world.ids[NORTH], "url": url}
        assert known(world.made({NORTH: north}).read(NORTH)).healthy == 1
    assert known(world.made({NORTH: north}).read(NORTH)).healthy == 0


def test_the_room_is_what_the_environment_may_run(world: Site) -> None:
    room = world.port().room(NORTH)
    assert isinstance(room, Known)
    assert (room.value.at_most, room.value.each, room.value.own) == (14, 0.5, 2)
    world.body()["properties"]["workloadProfileName"] = "D4"
    assert isinstance(world.port().room(NORTH), Unknown)


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_badly_is_told_in_azures_words(world: Site, style: str, ending: str) -> None:
    world.apps.style, world.apps.ending, world.apps.code = style, ending, "ContainerAppSecretInvalid"
    with pytest.raises(OutcomeUnknown, match="ContainerAppSecretInvalid"):
        world.port().scale(NORTH, 5, expect=world.state(), call=call())
    assert world.state().wanted == 1


@pytest.mark.parametrize("style", ["status", "location"])
def test_success_that_nothing_follows_completes_nothing(world: Site, style: str) -> None:
    world.apps.style, world.apps.obeying = style, False
    world.port().scale(NORTH, 3, expect=world.state(), call=call())
    world.apps.end()
    assert isinstance(world.step(3), Todo)


def test_who_was_here_under_a_newer_lease_or_in_between_is_not_overwritten(world: Site) -> None:
    expect = world.state()
    # A deployment of somebody else's.
    world.body()["properties"]["template"]["containers"][0]["image"] = "shop/web:2"
    world.apps.revise(world.ids[NORTH], "v2")
    world.until(lambda: not world.state().moving)
    with pytest.raises(Conflict, match="as it was seen"):
        world.port().scale(NORTH, 3, expect=expect, call=call())
    world.scaled(3, call(12))
    assert world.apps.serving(world.ids[NORTH]).template["containers"][0]["image"] == "shop/web:2"
    with pytest.raises(Conflict, match="epoch 12, later"):
        world.port().scale(NORTH, 4, expect=world.state(), call=call(11))


def test_one_that_is_refused_while_an_operation_is_under_way_is_ordered_again(world: Site) -> None:
    expect = world.state()
    fault = world.front.outages.fail("ContainerAppOperationInProgress", 409, operation=PATCH, times=1)
    world.port().scale(NORTH, 3, expect=expect, call=call())
    assert fault.hits == 1
    world.until(lambda: world.scale() == (3, 5))


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=WEST)
    world.front.forget()
    world.scaled(3)
    assert world.front.count(region=WEST) == 0
    read = world.made({NORTH: world.ids[WEST]}).read(NORTH)
    assert isinstance(read, Unknown)


def test_microsofts_own_example_is_read_as_its_reference_has_it(world: Site) -> None:
    """Azure/azure-rest-api-specs, specification/app/resource-manager/Microsoft.App/ContainerApps/stable/2025-07-01/
    examples/ContainerApps_Patch.json: its 200, shortened by what is not read, and held against today's package."""
    example = {
        "location": "East US",
        "properties": {
            "provisioningState": "Succeeded",
            "runningStatus": "Running",
            "managedEnvironmentId": standin.ENVIRONMENT,
            "workloadProfileName": "My-GP-01",
            "latestReadyRevisionName": "testcontainerapp0-pjxhsye",
            "configuration": {"ingress": {"external": True, "targetPort": 3000}, "maxInactiveRevisions": 10},
            "template": {
                "containers": [{"image": "repo/testcontainerapp0:v4", "name": "testcontainerapp0"}],
                "scale": {
                    "minReplicas": 1,
                    "maxReplicas": 5,
                    "rules": [{"name": "httpscalingrule", "http": {"metadata": {"concurrentRequests": "50"}}}],
                },
            },
            "eventStreamEndpoint": "testEndpoint",
        },
    }
    assert contract("azure.mgmt.appcontainers").offences("ContainerApp", example, asked=False) == []
    body = world.body()
    first = world.apps.serving(world.ids[NORTH])
    first.name, first.template = "testcontainerapp0-pjxhsye", copy.deepcopy(example["properties"]["template"])  # type: ignore[index]
    body["properties"] = copy.deepcopy(example["properties"])
    state = world.state()
    assert (state.wanted, state.ceiling) == (1, 5), "without a revision mode it is Single"
    world.scaled(2)
    assert world.scale() == (2, 5)
