"""consumers: function-app against a stand-in whose functions really run for what is sent to them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.topology import PortName, Roles
from cloudfail.probes.reach import ALLOW_LOOPBACK
from cloudfail.testing.conformance import Calls, ConsumersSuite, Harness, known
from cloudfail_azure import provider
from cloudfail_azure.consumers.function_app import FunctionApp
from cloudfail_azure.consumers.options import FunctionMember
from tests.emulators.aws.members import OneResource, step
from tests.emulators.azure.balancing import NORTH, WEST, World, port_of, topology
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.function_apps import OWN_SETTINGS, FunctionApps

pytestmark = pytest.mark.timeout(300)
KIND = provider.kinds()[PortName.CONSUMERS, "function-app"]
LIST, PUT = "web_apps.list_application_settings", "web_apps.update_application_settings"
SWITCH, MARK = "AzureWebJobs.Close.Disabled", "CLOUDFAIL.Close"


class Site(World):
    """One function in each region."""

    def __init__(self, front: Front, machine: FunctionApps, *, disabled: bool = False) -> None:
        super().__init__(front, KIND, self.made)
        self.machine = machine
        self.functions = {
            region: machine.function(f"books-{region}", region, disabled=disabled) for region in (WEST, NORTH)
        }

    @property
    def app(self) -> str:
        return self.functions[NORTH].rpartition("/functions/")[0].lower()

    def topology(self, **member: Any) -> Any:
        return topology(KIND, {region: {"function": one, **member} for region, one in self.functions.items()})

    def made(self, **member: Any) -> FunctionApp:
        resource, whole = self.topology(**member)
        told = {region: FunctionMember.model_validate(one) for region, one in resource.members.items()}
        return port_of(lambda asking: FunctionApp(asking, told), resource, whole)

    def settings(self) -> dict[str, str]:
        return dict(self.machine.settings[self.app])

    def delivers(self, *, expected: bool) -> bool:
        return self.machine.delivers(self.functions[NORTH], expected=expected)

    def turn(self, enabled: bool, epoch: int = 10) -> None:
        port = self.port()
        port.enable(NORTH, enabled, expect=known(port.read(NORTH)), call=Calls().make(epoch))


@pytest.fixture
def machine(serving: Callable[[str, Any], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionApps]:
    monkeypatch.setenv(ALLOW_LOOPBACK, "1")
    made: FunctionApps = serving("azure.mgmt.web", FunctionApps())
    yield made
    made.close()


@pytest.fixture
def world(azure: Front, machine: FunctionApps) -> Site:
    return Site(azure, machine)


class TestFunctionApp(ConsumersSuite):
    @pytest.fixture
    def world(self, azure: Front, machine: FunctionApps) -> Harness:
        return Site(azure, machine)


def looks(port: Any, action: str, **arguments: Any) -> Any:
    said = step(action, consumers="orders", where=NORTH, **arguments)
    return ACTIONS[action].observe(OneResource(port), said)  # type: ignore[arg-type]


def test_what_is_turned_off_runs_for_nothing_and_for_what_waited_once_it_is_on(world: Site) -> None:
    assert world.delivers(expected=True)
    world.turn(False)
    assert not world.delivers(expected=False)
    kept = len(world.machine.receiver.got)
    world.turn(True, 11)
    assert world.delivers(expected=True)
    assert len(world.machine.receiver.got) >= kept + 2


def test_all_other_settings_go_back_as_they_were_in_the_same_request_as_the_mark(world: Site) -> None:
    world.turn(False)
    assert world.settings() == OWN_SETTINGS | {SWITCH: "true", MARK: "app=shop epoch=10 run=r1"}
    world.machine.settings[world.app] |= {SWITCH.lower(): world.machine.settings[world.app].pop(SWITCH), "NEW": "one"}
    world.turn(True, 11)
    whole = OWN_SETTINGS | {"NEW": "one", SWITCH: "false", MARK: "app=shop epoch=11 run=r1"}
    assert world.settings() == whole, "a setting is the same in any case"
    assert world.front.count(mutating=True) == 2
    assert world.machine.settings[world.app.replace(NORTH, WEST)] == OWN_SETTINGS


def test_the_settings_of_microsofts_own_example_are_kept(world: Site) -> None:
    """Azure/azure-rest-api-specs, specification/web/resource-manager/Microsoft.Web/AppService/stable/2025-05-01/
    examples/UpdateAppSettings.json."""
    example = {"Setting1": "Value1", "Setting2": "Value2"}
    world.machine.settings[world.app] = dict(example)
    world.turn(False)
    (asked,) = world.front.seen(operation=PUT)
    assert asked.body == {"properties": example | {SWITCH: "true", MARK: "app=shop epoch=10 run=r1"}}


def test_a_look_reads_no_secret_and_only_the_executing_role_does(world: Site) -> None:
    resource, whole = world.topology()
    roles = Roles(watch="11111111-0000-0000-0000-000000000001", execute="11111111-0000-0000-0000-000000000002")
    resource = dataclasses.replace(resource, roles=roles)
    whole = dataclasses.replace(whole, resources={resource.name: resource})
    told = {region: FunctionMember.model_validate(one) for region, one in resource.members.items()}
    port = port_of(lambda asking: FunctionApp(asking, told), resource, whole)
    port.enable(NORTH, False, expect=known(port.read(NORTH)), call=Calls().make())
    assert known(port.preflight()) == ()
    by = {one.operation: one.by for one in world.front.seen()}
    assert {by[LIST], by[PUT]} == {roles.execute}
    assert {who for operation, who in by.items() if operation not in (LIST, PUT)} == {roles.watch}


def test_no_secret_is_in_what_is_said_or_logged(world: Site) -> None:
    said: list[str] = []
    port = world.port()
    call = dataclasses.replace(Calls().make(), log=said.append)
    world.front.outages.fail("Conflict", 409, operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown) as raised:
        port.enable(NORTH, False, expect=known(port.read(NORTH)), call=call)
    port.enable(NORTH, False, expect=known(port.read(NORTH)), call=call)
    assert said
    assert "hunter2" not in f"{said} {raised.value}"


def test_an_answer_without_settings_is_never_written_back(world: Site) -> None:
    world.machine.settings[world.app] = {}
    with pytest.raises(Transient, match="tells no setting"):
        world.turn(False)
    assert world.front.count(operation=PUT) == 0


def test_settings_that_cannot_be_read_are_no_doubt_about_an_effect(world: Site) -> None:
    world.front.outages.fail("InternalServerError", 500, operation=LIST)
    with pytest.raises(Transient):
        world.turn(False)
    assert world.front.count(operation=PUT) == 0


def test_it_says_disabled_and_runs_on_so_the_step_is_never_done(world: Site) -> None:
    world.machine.obeying = False
    world.machine.receiver.quiet_seconds = 60.0
    port = world.made(quiet=world.machine.receiver.url)
    todo = looks(port, "consumers.disable")
    assert isinstance(todo, Todo)
    port.enable(NORTH, False, expect=todo.expect, call=Calls().make())
    assert world.delivers(expected=True)
    assert isinstance(looks(port, "consumers.disable"), NotKnown), "the API's word completed it"


def test_while_the_app_restarts_it_is_as_before_and_ordering_again_is_no_harm(world: Site) -> None:
    world.machine.restart_seconds = 0.5
    world.turn(False)
    world.turn(False)
    until = time.monotonic() + 30
    while not isinstance(looks(world.port(), "consumers.disable"), Done):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not world.delivers(expected=False)


def test_a_worker_of_an_older_epoch_and_another_application_are_refused(world: Site) -> None:
    world.turn(False, 20)
    with pytest.raises(Conflict, match="epoch 20"):
        world.turn(True, 19)
    world.machine.settings[world.app][MARK] = "app=other epoch=1 run=r9"
    with pytest.raises(Permanent, match="for the application other"):
        world.turn(True, 21)
    assert world.settings()[SWITCH] == "true"


def test_an_app_that_is_stopped_runs_nothing_and_is_not_started(world: Site) -> None:
    world.machine.at(world.app)["properties"]["state"] = "Stopped"
    assert known(world.port().read(NORTH)).enabled is False
    with pytest.raises(Permanent, match="stopped it"):
        world.turn(True)
    assert any("stopped it" in one for one in known(world.port().preflight()))
    assert world.front.count(mutating=True) == 0


def test_a_hyphen_on_linux_which_azure_cannot_disable_is_named_before_the_bad_day(world: Site) -> None:
    """Azure/Azure-Functions issue 1851."""
    world.functions[NORTH] = world.machine.function(f"books-{NORTH}", NORTH, name="close-books")
    assert known(world.port().preflight()) == ()
    world.machine.at(world.app)["kind"] = "functionapp,linux"
    (sentence,) = known(world.port().preflight())
    assert "can disable no such function" in sentence
    with pytest.raises(Permanent, match="hyphen"):
        world.turn(False)
    assert world.front.count(mutating=True) == 0


def test_a_switch_that_a_swap_of_slots_would_take_along_is_named(world: Site) -> None:
    slot = world.machine.function(f"books-{NORTH}/slots/staging", NORTH)
    (sentence,) = known(world.port().preflight())
    assert f"{SWITCH} is tied to no slot" in sentence
    world.machine.tied = [SWITCH.lower()]
    assert known(world.port().preflight()) == ()
    world.functions[NORTH] = slot
    world.turn(False)
    assert world.settings()[SWITCH] == "true"
    assert world.front.count(operation=f"{PUT}_slot") == 1


def test_an_app_that_stands_elsewhere_is_refused_by_name(world: Site) -> None:
    world.functions = {NORTH: world.functions[WEST], WEST: world.functions[NORTH]}
    read = world.port().read(NORTH)
    assert isinstance(read, Unknown)
    assert f"written for {NORTH}, stands in {WEST}" in read.reason


def test_one_worker_at_a_time_changes_an_app(world: Site) -> None:
    assert KIND.shared["enable"](*world.topology(), NORTH) == (f"azure/{world.app}",)
