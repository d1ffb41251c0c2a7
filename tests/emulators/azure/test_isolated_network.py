"""custom: isolated-network, by the control plane, and by sockets whose connections the group's rules let through or do
not."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.errors import ConfigError, Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.execution.lifecycle import Phase
from cloudfail.lint import lint
from cloudfail.lint.finding import Severity
from cloudfail.model.observation import Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.model.topology import PortName
from cloudfail.plan import bind
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.custom_suite import CustomHarness, CustomSuite
from cloudfail.testing.provider import FakeProvider
from cloudfail_azure import provider
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.isolated_world import (
    COPY,
    DELETE,
    DENY_IN,
    DENY_OUT,
    KEEP_IN,
    KEEP_OUT,
    KIND,
    NAMES,
    OPERATOR,
    PORT,
    PRODUCTION,
    PUT,
    SUBNET,
    TAGS,
    Serve,
    Site,
)  # fmt: skip
from tests.emulators.azure.test_flexible_security_group import Held, heard
from tests.emulators.leaping import leaping
from tests.kit import Stage

pytestmark = pytest.mark.timeout(300)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "azure.md"
GUARDED = "networkSecurityGroup"


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nobody waits between two looks at an operation."""
    with leaping():
        yield


class TestIsolated(CustomSuite):
    @pytest.fixture
    def world(self, azure: Front, serving: Serve) -> CustomHarness:
        return Site(azure, serving)


class TestTakenBack(CustomSuite):
    @pytest.fixture
    def world(self, azure: Front, serving: Serve) -> CustomHarness:
        return Site(azure, serving, isolated=False)


@pytest.fixture
def site(azure: Front, serving: Serve) -> Site:
    return Site(azure, serving)


@contextlib.contextmanager
def connected(held: Held) -> Iterator[socket.socket]:
    with socket.create_connection(held.address, timeout=10) as made:
        yield made


def told(seen: Any) -> str:
    """Of a step that waits, or is unknown: why."""
    return str(getattr(seen, "reason", "") or getattr(seen, "what", "") or seen)


# ---- the data plane


def test_nothing_new_comes_in_or_goes_out_and_what_is_open_goes_on_so_the_check_is_what_proves_it(site: Site) -> None:
    """A copy behind the rules, production before them, and an operator who is kept."""
    ways: dict[str, Callable[[], bool]] = {
        "in": lambda: site.groups.lets_in(site.id, PRODUCTION, PORT),
        "out": lambda: site.groups.lets_out(site.id, PRODUCTION, PORT),
        "operator in": lambda: site.groups.lets_in(site.id, OPERATOR, PORT),
        "operator out": lambda: site.groups.lets_out(site.id, OPERATOR, PORT),
        "copy to copy": lambda: site.groups.lets_out(site.id, COPY, PORT) and site.groups.lets_in(site.id, COPY, PORT),
    }
    with contextlib.ExitStack() as stack:
        held = {name: Held(lets) for name, lets in ways.items()}
        for one in held.values():
            stack.callback(one.close)

        def anew(name: str) -> bool:
            with connected(held[name]) as made:
                return heard(made)

        free = {name: name != "operator in" for name in ways}
        assert {name: anew(name) for name in ways} == free
        older = {name: stack.enter_context(connected(held[name])) for name in ("in", "out")}
        assert all(heard(one) for one in older.values())
        site.passes = lambda: not (anew("in") or anew("out") or any(heard(one) for one in older.values()))
        site.run()
        assert {name: anew(name) for name in ways} == {
            "in": False, "out": False, "operator in": True, "operator out": True, "copy to copy": True,
        }  # fmt: skip
        assert all(heard(one) for one in older.values()), "a rule ends no connection that was made before"
        seen = site.look()
        assert isinstance(seen, Done)
        assert "connections made before go on" in str(seen)
        assert isinstance(site.look(check="shut-off"), Moving), "the check sees what the rules do not end"
        for one in older.values():
            one.close()
        older.clear()
        assert isinstance(site.look(check="shut-off"), Done)
        site.run("rejoin", epoch=11)
        assert {name: anew(name) for name in ways} == free


@pytest.mark.parametrize("style", ["status", "location"])
def test_who_is_kept_is_let_through_at_every_moment_and_all_is_as_before_afterwards(
    azure: Front, serving: Serve, style: str
) -> None:
    site, moments = Site(azure, serving, style=style, seconds=0.02), []
    site.groups.set_rule(site.id, "ops", 300, "Allow", f"{OPERATOR}/32", "*")
    site.before = site.groups.rules(site.id)
    really = site.groups._hold

    def hold(group: str) -> None:
        really(group)
        moments.append(site.lets(OPERATOR))

    site.groups._hold = hold  # type: ignore[method-assign]
    azure.forget()
    assert isinstance(site.run(), Done)
    assert site.shut_off
    assert site.lets(PRODUCTION, 22) == (False, False), "every port"
    rules = site.groups.rules(site.id)
    assert {name: (rules[name]["priority"], rules[name]["protocol"], rules[name]["direction"]) for name in NAMES} == {
        KEEP_IN: (100, "*", "Inbound"), KEEP_OUT: (100, "*", "Outbound"),
        DENY_IN: (101, "*", "Inbound"), DENY_OUT: (101, "*", "Outbound"),
    }  # fmt: skip
    assert {name: rules[name] for name in site.before} == site.before
    assert isinstance(site.look("rejoin"), Todo)
    assert isinstance(site.run("rejoin", epoch=11), Done)
    assert isinstance(site.look(), Todo)
    assert moments == [(True, True)] * 8
    assert site.groups.rules(site.id) == site.before
    assert site.groups.tags(site.id) == {"team": "shop", "cloudfail-shop-epoch": "11"}
    sent = [(one.operation, one.path.rpartition("/")[2]) for one in azure.seen(mutating=True) if one.status < 300]
    assert [name for operation, name in sent if operation == PUT] == NAMES
    assert [name for operation, name in sent if operation == DELETE] == NAMES[::-1]
    assert [operation for operation, _ in sent].count(TAGS) == 2


# ---- what is not so


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
@pytest.mark.parametrize("style", ["status", "location"])
def test_an_operation_that_ends_otherwise_than_well_isolates_nothing(
    azure: Front, serving: Serve, style: str, ending: str
) -> None:
    site = Site(azure, serving, style=style)
    site.groups.ending = ending
    with contextlib.suppress(OutcomeUnknown, Permanent):
        site.order(site.look(), seconds=20.0)
    site.groups.end()
    seen = site.look()
    assert isinstance(seen, Todo)
    assert site.lets(PRODUCTION) == (True, True)
    state = known(site.port().read(NORTH, "r1"))
    assert f"{KEEP_IN} is Failed" in state.detail
    site.groups.ending = ""
    site.run(epoch=11)
    assert site.shut_off


def test_what_is_told_as_done_and_is_not_there_is_not_done(site: Site) -> None:
    site.groups.obeying = False
    site.order(site.look())
    assert isinstance(site.look(), Todo)
    site.groups.obeying = True
    site.shut_off_by_hand()
    site.groups.obeying = False
    site.order(site.look("rejoin"), "rejoin")
    assert isinstance(site.look("rejoin"), Todo)


def test_a_rule_that_is_being_written_is_waited_for_and_not_written_again(azure: Front, serving: Serve) -> None:
    site = Site(azure, serving, seconds=3600.0)
    todo = site.look()
    with pytest.raises(OutcomeUnknown):
        site.order(todo, seconds=30.0)
    for name in ("isolate", "rejoin"):
        seen = site.look(name)
        assert isinstance(seen, Moving), seen
        assert f"{KEEP_IN} of copies is Updating" in told(seen)
    before = azure.count(mutating=True)
    site.custom("isolate").invoke(NORTH, expect=todo.expect, call=Calls().make())  # type: ignore[union-attr]
    assert azure.count(mutating=True) == before
    site.groups.seconds = 0.0
    for one in site.groups._operations.values():
        one.due = 0.0
    site.run()
    assert site.shut_off


def test_a_group_that_is_not_well_itself_is_not_taken_for_one_that_holds(site: Site) -> None:
    for name in ("isolate", "rejoin"):
        site.run(name)
        group = site.groups.at(site.id)["properties"]
        group["provisioningState"] = "Updating"
        assert "the group copies is Updating" in told(site.look(name))
        assert isinstance(site.look(name), Moving)
        group["provisioningState"] = "Failed"
        assert "the group itself is Failed" in told(site.look(name))
        assert isinstance(site.look(name), NotKnown)
        group["provisioningState"] = "Succeeded"


@pytest.mark.parametrize("after", range(4))
def test_what_was_broken_off_is_gone_on_with_and_denies_nobody_who_is_kept(
    azure: Front, serving: Serve, after: int
) -> None:
    """A lost answer to each of the four, once on the way there and once on the way back."""
    site = Site(azure, serving)
    for name, operation, epoch in (("isolate", PUT, 11), ("rejoin", DELETE, 12)):
        fault = azure.outages.lose("closed", operation=operation, after=after, times=1)
        with pytest.raises(OutcomeUnknown):
            site.order(site.look(name), name, epoch=epoch - 1)
        assert fault.hits == 1
        assert site.lets(COPY) == (True, True)
        fault.lift()
        assert isinstance(site.run(name, epoch=epoch), Done)
        assert azure.count(operation=operation) == 4, "what was written is not written again"
        azure.forget()
    assert site.groups.rules(site.id) == site.before


def test_while_something_else_is_done_to_the_group_it_waits(site: Site, azure: Front) -> None:
    azure.outages.fail("RetryableError", 429, operation=PUT, times=2)
    site.run()
    assert site.shut_off


def test_a_newer_epochs_rules_are_neither_taken_away_nor_written_by_an_older_run(site: Site) -> None:
    site.run(epoch=20)
    state = known(site.custom("rejoin").read(NORTH, "r1"))
    assert state.epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        site.custom("rejoin").invoke(NORTH, expect=state, call=Calls().make(19))
    assert site.shut_off
    site.run("rejoin", epoch=20)
    state = known(site.port().read(NORTH, "r1"))
    with pytest.raises(Conflict, match="epoch 20"):
        site.port().invoke(NORTH, expect=state, call=Calls().make(19))
    assert site.groups.rules(site.id) == site.before


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_that_was_changed_by_hand_is_written_again(site: Site, name: str) -> None:
    site.run()
    near = "destinationAddressPrefix" if name.endswith("-in") else "sourceAddressPrefix"
    site.groups.rules(site.id)[name][near] = "10.60.0.4"
    seen = site.look()
    assert isinstance(seen, Todo)
    assert f"{name} is not as it is written" in str(seen)
    site.run()
    assert site.groups.rules(site.id)[name][near] == "*"


# ---- somebody else's


@pytest.mark.parametrize("direction", ["Inbound", "Outbound"])
@pytest.mark.parametrize(
    ("priority", "access", "said"),
    [
        (110, "Allow", "the rule ops of copies lets {} before it, at priority 110"),
        (120, "Deny", "the rule ops of copies has the priority 120 already, {}"),
        (121, "Deny", "the rule ops of copies has the priority 121 already, {}"),
    ],
)
def test_somebody_elses_rule_in_its_way_is_named_before_the_day_and_nothing_is_written(
    azure: Front, serving: Serve, direction: str, priority: int, access: str, said: str
) -> None:
    """Of another protocol, for one address: it lets through all the same."""
    site, said = Site(azure, serving, priority=120), said.format("in" if direction == "Inbound" else "out")
    more = {"direction": direction, "protocol": "Udp", "destinationAddressPrefix": "10.60.0.4"}
    site.groups.set_rule(site.id, "ops", priority, access, "*", "53", **more)
    assert [one for one in known(site.port().preflight()) if said in one]
    assert known(site.custom("rejoin").preflight()) == ()
    seen = site.look()
    assert said in str(seen)
    with pytest.raises(Permanent, match=f"T{said[1:]}") as raised:
        site.order(seen)
    assert "No rule was written" in str(raised.value)
    assert azure.count(mutating=True) == 0


def test_one_that_lets_through_since_is_seen_once_all_rules_stand(site: Site) -> None:
    site.run()
    site.groups.rules(site.id)[KEEP_IN]["priority"] = 101
    site.groups.rules(site.id)[DENY_IN]["priority"] = 102
    site.groups.set_rule(site.id, "ops", 100, "Allow", PRODUCTION, "*")
    assert site.lets(PRODUCTION) == (True, False)
    assert "the rule ops of copies lets in before it" in known(site.port().read(NORTH, "r1")).detail
    assert isinstance(site.look(), Todo)


def other_group(site: Site) -> None:
    site.groups.at(SUBNET)["properties"][GUARDED] = {"id": f"{site.id}-2"}


def no_group(site: Site) -> None:
    del site.groups.at(SUBNET)["properties"][GUARDED]


def production_too(site: Site) -> None:
    site.groups.at(site.id)["properties"]["subnets"].append({"id": SUBNET.replace("copies", "production")})


def an_interface(site: Site) -> None:
    site.groups.at(site.id)["properties"]["networkInterfaces"] = [{"id": f"{SUBNET.partition('/virtual')[0]}/x/nic-1"}]


def an_endpoint(site: Site) -> None:
    more = {"privateEndpoints": [{"id": f"{SUBNET.partition('/virtual')[0]}/privateEndpoints/db"}]}
    site.groups.at(SUBNET)["properties"] |= {**more, "privateEndpointNetworkPolicies": "Disabled"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_group, "the subnet copies is guarded by copies-2, and not by copies"),
        (no_group, "the subnet copies is guarded by no network security group, and not by copies"),
        (production_too, "subnets/production as well, which would be shut off"),
        (an_interface, "nic-1 as well, which would be shut off"),
        (an_endpoint, "the private endpoint db in copies is not guarded by any group"),
    ],
)
def test_what_is_not_the_drills_subnet_alone_is_unknown_named_and_never_shut_off(
    site: Site, azure: Front, change: Callable[[Site], None], said: str
) -> None:
    assert known(site.port().preflight()) == ()
    seen = known(site.port().read(NORTH, "r1"))
    change(site)
    assert any(said in one for one in known(site.port().preflight()))
    unknown = site.look()
    assert isinstance(unknown, NotKnown)
    assert said in told(unknown)
    now = CustomState(CustomWord.TODO, version=site.port()._look(NORTH, 8.0).state.version)
    with pytest.raises(Permanent, match="No rule was written") as raised:
        site.port().invoke(NORTH, expect=now, call=Calls().make())
    assert said[1:] in str(raised.value)
    assert seen.word is CustomWord.TODO
    assert azure.count(mutating=True) == 0


@pytest.mark.parametrize("change", [other_group, production_too, an_endpoint])
def test_what_was_shut_off_is_taken_back_whatever_the_group_guards_by_then(
    site: Site, change: Callable[[Site], None]
) -> None:
    site.run()
    change(site)
    assert isinstance(site.look(), NotKnown), "it is not claimed to be isolated any more"
    seen = site.run("rejoin", epoch=11)
    assert site.groups.rules(site.id) == site.before
    assert isinstance(seen, NotKnown if change is other_group else Done)


def test_private_endpoints_that_the_group_guards_are_no_hindrance(site: Site) -> None:
    an_endpoint(site)
    site.groups.at(SUBNET)["properties"]["privateEndpointNetworkPolicies"] = "NetworkSecurityGroupEnabled"
    assert isinstance(site.run(), Done)


def test_a_group_of_another_region_is_refused_by_name(site: Site) -> None:
    site.groups.at(site.id)["location"] = WEST
    (sentence,) = known(site.port().preflight())
    assert f"written for {NORTH}, stands in {WEST}" in sentence
    assert isinstance(site.look(), NotKnown)


@pytest.mark.parametrize("operation", ["network_security_groups.get", "subnets.get"])
def test_what_cannot_be_read_is_unknown_and_orders_nothing(site: Site, azure: Front, operation: str) -> None:
    seen = site.look()
    azure.outages.fail("ServiceUnavailable", 503, operation=operation)
    assert isinstance(site.look(), NotKnown)
    assert isinstance(site.port().preflight(), Unknown)
    with pytest.raises(Transient, match="cannot be read"):
        site.order(seen)
    assert azure.count(mutating=True) == 0


# ---- what is written in cloudfail.yaml


def blocks() -> list[str]:
    section = PAGE.read_text().partition("### An isolated test network")[2].partition("\n## ")[0]
    return re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)


def load(tmp_path: Path, topology: str = "", *, served: Any = provider) -> config.Loaded:
    text, runbook = blocks()
    (tmp_path / "cloudfail.yaml").write_text(topology or text)
    (tmp_path / "game-day.yaml").write_text(runbook)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "game-day.yaml"], {"azure": served})


def test_the_example_lints(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    found = [one for one in lint(loaded, ACTIONS, source=WEST, target=NORTH) if "azblob" not in one.message]
    assert [str(one) for one in found if one.severity is Severity.ERROR] == []
    assert not {one.rule for one in found} & {
        "custom-unstated",
        "custom-unseen",
        "custom-twice",
        "approval-before-custom",
    }
    for name in ("isolate", "rejoin"):
        of = loaded.topology.resources[name]
        facts = KIND.facts("run", of)
        assert (facts.plane, facts.home, facts.loses_data, facts.reversible) == ("control", "member", False, True)
        assert KIND.shared_names(of, loaded.topology) == (f"azure/{of.members[NORTH]['group'].lower()}",)
        KIND.build(of, loaded.topology)


def test_the_examples_steps_isolate_first_and_take_it_back_at_the_end(tmp_path: Path, site: Site) -> None:
    """As the plan has them, on the stand-in: each step in its turn."""
    loaded = load(tmp_path)
    plan = bind(loaded, loaded.runbooks["game-day"], WEST, NORTH, {"web": {WEST: 4, NORTH: 4}}, ACTIONS)
    steps = [step for step in plan.steps if step.action == "custom.run"]
    assert [(one.name, one.arguments["name"]) for one in steps] == [("isolate", "isolate"), ("rejoin", "rejoin")]
    assert plan.steps[0].name == "isolate"
    assert plan.steps[-1].name == "rejoin"
    assert steps[0].undo is not None
    assert steps[0].undo[1]["name"] == "rejoin"
    for step, shut_off in zip(steps, (True, False), strict=True):
        assert isinstance(site.run(step.arguments["name"]), Done)
        assert site.shut_off is shut_off
    assert site.groups.rules(site.id) == site.before


def shut_off(stage: Stage) -> bool:
    """Whether the one of the pair that is ordered last isolates, on the FakeCloud."""
    return bool(stage.cloud.snapshot()["custom"][f"isolate/{NORTH}"])


@pytest.mark.parametrize("aborted", [False, True])
def test_the_example_runs_and_an_abort_takes_it_back(tmp_path: Path, aborted: bool) -> None:
    stage = Stage(load(tmp_path, served=FakeProvider("azure", like=provider)))
    run = stage.open("game-day", WEST, NORTH, preapproved="")
    stage.drive()
    assert stage.run(run).phase is Phase.GATED, stage.run(run).story
    assert shut_off(stage)
    stage.command(run, "abort" if aborted else "approve", step="played")
    stage.drive()
    assert stage.run(run).phase is (Phase.UNDONE if aborted else Phase.DONE), stage.run(run).story
    assert not shut_off(stage)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("isolated: true", "isolated: maybe", "isolated"),
        ("    keeps: [10.60.0.0/24, 168.63.129.16/32, 203.0.113.7/32]\n", "", "nothing would be kept"),
        ("203.0.113.7/32", '"2001:db8::7/128"', "IPv4 or of IPv6"),
        ("203.0.113.7/32", "0.0.0.0/0", "isolates nothing"),
        ("203.0.113.7/32", "203.0.113.7/24", "not written plainly"),
        ("    undo: rejoin", "    undo: rejoin\n    priority: 4096", "priority"),
        ("    undo: rejoin", "    undo: rejoin\n    plane: data", "leave plane and home out"),
        ("    undo: rejoin", "    undo: rejoin\n    home: none", "leave plane and home out"),
        ("networkSecurityGroups/copies", "routeTables/copies", "no id of a network security group"),
        ("virtualNetworks/drill/subnets/copies", "virtualNetworks/drill", "no id of a subnet"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = blocks()[0]
    assert old in text
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text.replace(old, new, 1))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("isolated: false", "isolated: true\n    keeps: [10.60.0.0/24]", "both are isolated: true"),
        ("networkSecurityGroups/copies", "networkSecurityGroups/others", "has another group in northeurope"),
    ],
)
def test_an_undo_that_would_not_take_it_back_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    head, mark, tail = blocks()[0].partition("  rejoin:\n")
    topology = load(tmp_path, head + mark + tail.replace(old, new, 1)).topology
    for name in ("isolate", "rejoin"):
        with pytest.raises(Refused, match=said):
            KIND.build(topology.resources[name], topology)


def test_a_late_call_is_met_by_the_mark() -> None:
    assert {verb: facts.fencing for verb, facts in KIND.verbs.items()} == {"run": "mark"}
    assert (KIND.port, KIND.name) == (PortName.CUSTOM, "isolated-network")


def test_microsofts_own_example_of_a_rule_is_read(site: Site) -> None:
    """Azure/azure-rest-api-specs, specification/network/resource-manager/Microsoft.Network/stable/2024-05-01/examples/
    NetworkSecurityGroupRuleCreate.json: it denies, so that it hinders nothing at another priority."""
    example = {
        "protocol": "*", "sourceAddressPrefix": "10.0.0.0/8", "destinationAddressPrefix": "11.0.0.0/8",
        "access": "Deny", "destinationPortRange": "8080", "sourcePortRange": "*", "priority": 100,
        "direction": "Outbound", "provisioningState": "Succeeded",
    }  # fmt: skip
    site.options = {"priority": 110}
    site.groups.at(site.id)["properties"]["securityRules"].append({"name": "rule1", "properties": example})
    assert isinstance(site.run(), Done)
    assert site.groups.rules(site.id)["rule1"] == example
