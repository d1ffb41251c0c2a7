"""What `cloudfail iam azure` prints: enough for all that each kind asks, each action needed, and named by preflight
where it is missing. Roles are taken on over the wire; a gate on the front holds each request to what is printed."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.app import App
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Permanent, Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource, Roles, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail.stores.memory import MemoryStore
from cloudfail_azure import provider
from cloudfail_azure.access.asked import allowed, holds
from cloudfail_azure.access.asking_grants import ACTION
from cloudfail_azure.access.scopes import covers, is_data, page_of
from cloudfail_azure.sessions import Session
from tests.emulators.azure.allowed import KINDS
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import OWN, SUBSCRIPTION, Front
from tests.emulators.azure.gate import Document, Gate, needed_for, without
from tests.emulators.azure.needs import NEEDS
from tests.emulators.azure.standins import traffic_manager
from tests.emulators.azure.standins.names import Zones
from tests.emulators.azure.unlisted import UNLISTED
from tests.emulators.azure.used import Key, Serve, Used

pytestmark = pytest.mark.timeout(300)
ALL = sorted({(port, kind) for port, kind, _ in KINDS}, key=str)
WRITING = [kind for kind in ALL if any(verb.plane == "control" for verb in provider.kinds()[kind].verbs.values())]
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
PROFILE: Key = (PortName.LOADBALANCER, "traffic-manager", "weighted")
ORIGINS: Key = (PortName.LOADBALANCER, "front-door", "weighted")


ROLES = Roles("aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002")


def words(key: Any) -> str:
    return ", ".join(map(str, key))


def printed(used: Used, whole: Topology) -> dict[str, Document]:
    """By client id, as the command prints it of the resource."""
    needs = provider.kinds()[used.resource.port, used.resource.kind].permissions
    assert needs is not None
    said = needs(used.resource, whole, list(whole.regions))
    roles = whole.regions[WEST].roles
    told = ((roles.watch, "watch", said.watch), (roles.execute, "execute", said.execute))
    return {role: provider.policy({used.resource.name: grants}, role, does) for role, does, grants in told}


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def ready(key: Key, azure: Front, serving: Serve, stack: contextlib.ExitStack) -> tuple[Used, Gate, Topology]:
    used = KINDS[key](azure, serving, stack)
    whole = used.with_roles()
    azure.gate = gate = Gate(printed(used, whole))
    return used, gate, whole


def built(used: Used, whole: Topology) -> Any:
    return provider.kinds()[used.resource.port, used.resource.kind].build(used.resource, whole)


def asked(used: Used, whole: Topology) -> Known[tuple[str, ...]] | Unknown:
    """Kind.allowed."""
    told = provider.kinds()[used.resource.port, used.resource.kind].allowed
    assert told is not None
    return told(used.resource, whole)


def test_every_kind_has_its_row() -> None:
    """A kind that changes or reads anything of Azure's is tried under what is printed for it (allowed.py, needs.py)."""
    assert {(port, kind) for port, kind, _ in KINDS} == set(provider.kinds())
    assert all(kind.permissions is not None for kind in provider.kinds().values())


@pytest.mark.parametrize("kind", ALL, ids=words)
def test_what_is_printed_is_enough_for_all_of_it_and_each_action_is_needed(
    kind: tuple[PortName, str], azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    said: set[tuple[str, str]] = set()
    needed: set[tuple[str, str]] = set()
    for key in (one for one in KINDS if one[:2] == kind):
        used, gate, whole = ready(key, azure, serving, stack)
        used.uses(built(used, whole))
        found = asked(used, whole)
        assert isinstance(found, Known), found
        assert found.value == ()
        roles = whole.regions[WEST].roles
        does = {roles.watch: "watch", roles.execute: "execute"}
        listed = {(does[who], one["action"]) for who, told in gate.documents.items() for one in told["actions"]}
        given = {(does[who], action) for who, action in gate.needed()}
        said |= listed
        needed |= given
        assert [one for one in gate.loose() if not _all_idle(one, gate, {what for _, what in listed - given})] == []
    assert needed == said


def _all_idle(loose: str, gate: Gate, idle: set[str]) -> bool:
    """Whether it is an assignment of a role none of whose actions this shape needs."""
    roles = {one["Name"]: one for document in gate.documents.values() for one in document["roles"]}
    name = loose.partition(": ")[2].partition(" on /")[0]
    return {*roles[name]["Actions"], *roles[name]["DataActions"]} <= idle


@pytest.mark.parametrize("kind", WRITING, ids=words)
def test_what_is_left_out_is_refused_in_azures_words(
    kind: tuple[PortName, str], azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    """The gate itself, for what each kind writes: a 403, of which the port makes an error that says what to give."""
    key = next(one for one in KINDS if one[:2] == kind)
    used, gate, whole = ready(key, azure, serving, stack)
    executes = whole.regions[WEST].roles.execute
    action, less = next(
        (what, less) for what, less in without(gate.documents[executes]) if re.search("/(write|action)$", what)
    )
    gate.documents = {**gate.documents, executes: less}
    with pytest.raises(Permanent, match=rf"{re.escape(action)}.*AuthorizationFailed"):
        used.uses(built(used, whole))
    assert [one[1][0] for one in gate.asked if not one[2]][:1] == [action]
    assert {one.status for one in azure.seen() if one.by == executes} >= {403}


@pytest.mark.parametrize("key", KINDS, ids=words)
def test_preflight_names_each_action_that_is_missing_its_role_and_scope(
    key: Key, azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    used, gate, whole = ready(key, azure, serving, stack)
    full = dict(gate.documents)
    for who, document in full.items():
        for action, less in without(document):
            gate.documents = {**full, who: less}
            found = asked(used, whole)
            if action == ACTION:
                assert isinstance(found, Unknown), "who may not ask may have all the rest"
                assert f"it may not ask ({ACTION})" in found.reason
                assert who in found.reason
                continue
            assert isinstance(found, Known), found
            assert found.value, action
            for one in found.value:
                assert one.startswith(f"{who} (")
                assert f"may not {action} on /subscriptions/" in one
    assert azure.count(mutating=True) == 0
    given = {who for who, told in full.items() if told["roles"]}
    assert {one.by for one in azure.seen(service="authorization")} == given


def test_a_role_that_has_nothing_at_all_is_not_known_of_and_not_refused(
    azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    used, gate, whole = ready(PROFILE, azure, serving, stack)
    executes = whole.regions[WEST].roles.execute
    gate.documents = {**gate.documents, executes: {"roles": [], "assignments": []}}
    found = asked(used, whole)
    assert isinstance(found, Unknown)
    assert executes in found.reason


def test_an_identity_that_is_not_the_machines_is_named(
    azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    used, _, whole = ready(PROFILE, azure, serving, stack)
    executes = whole.regions[WEST].roles.execute
    azure.nobody.add(executes)
    found = asked(used, whole)
    assert isinstance(found, Known)
    (said,) = found.value
    assert said.startswith(f"{executes} (execute) cannot be taken on: it is not assigned to what runs this")


@pytest.mark.parametrize("fault", ["refuse", "throttle", "cut"])
def test_where_nobody_answers_nothing_is_known_and_nothing_refused(
    azure: Front, serving: Serve, stack: contextlib.ExitStack, fault: str
) -> None:
    used, _, whole = ready(PROFILE, azure, serving, stack)
    getattr(azure.outages, fault)(service="authorization")
    found = asked(used, whole)
    assert isinstance(found, Unknown), found
    assert "trafficManagerProfiles/shop" in found.reason


def test_a_silent_api_takes_no_longer_than_its_bound(azure: Front, serving: Serve, stack: contextlib.ExitStack) -> None:
    used, _, whole = ready(PROFILE, azure, serving, stack)
    azure.outages.silence(service="authorization")
    began = time.monotonic()
    assert isinstance(asked(used, whole), Unknown)
    assert time.monotonic() - began < 20.0


def test_what_is_assigned_on_a_subscription_shows_on_what_stands_below(
    azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    """And what is needed there alone cannot be asked, and refuses nothing."""
    used, gate, whole = ready(ORIGINS, azure, serving, stack)
    wide = f"/subscriptions/{SUBSCRIPTION}"
    gate.documents = {who: _all_on(wide, one) for who, one in gate.documents.items()}
    found = asked(used, whole)
    assert isinstance(found, Known)
    assert found.value == ()

    def alone(_resource: Resource, _topology: Topology, _regions: Any) -> Permissions:
        return Permissions((Grant(NORTH, ("Microsoft.Cdn/operationresults/read",), (wide,)),), ())

    unasked = allowed(alone, used.resource, replace(whole, resources={}))
    assert isinstance(unasked, Unknown)
    assert "cannot be asked" in unasked.reason


def _all_on(scope: str, document: Document) -> Document:
    wide = copy.deepcopy(dict(document))
    for role in wide["roles"]:
        role["AssignableScopes"] = [scope]
    wide["assignments"] = [{**one, "scope": scope} for one in wide["assignments"]]
    return wide


@pytest.mark.parametrize(
    ("permission", "held"),
    [
        ({"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}, True),
        ({"actions": ["*/read"]}, False),
        ({"actions": ["microsoft.network/*"]}, True),
        ({"actions": ["Microsoft.Network/*/write"], "notActions": ["Microsoft.Network/routeTables/*"]}, False),
        ({"actions": ["Microsoft.Network/route?ables/routes/write"]}, False),
        ({"actions": [], "dataActions": ["*"]}, False),
        ({"actions": None, "notActions": None}, False),
    ],
)
def test_wildcards_and_what_they_leave_out(permission: Mapping[str, Any], held: bool) -> None:
    assert holds([permission], "Microsoft.Network/routeTables/routes/write") is held
    reader = {"actions": ["*/read"], "notActions": []}
    assert holds([permission, reader], "Microsoft.Network/routeTables/read"), "a role takes nothing from another"


def test_who_executes_is_asked_about_by_a_session_that_sends_nothing_but_get(azure: Front) -> None:
    session = Session(ROLES.execute, looking=True)
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        with pytest.raises(RuntimeError, match="only looks"):
            session.ask(method, f"{azure.url}{GROUP}", query={}, body=None, headers={}, seconds=1.0)
    assert azure.seen() == []


def test_a_row_that_is_no_word_of_the_method_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.emulators.azure.front import Ask

    path = f"{GROUP}/providers/Microsoft.Network/routeTables/hub/routes/near"
    ask = Ask({}, path, {}, {}, None)
    told = needed_for("network", "routes.create_or_update", "PUT", ask)
    assert told == [("Microsoft.Network/routeTables/routes/write", path)]
    with pytest.raises(AssertionError, match="is not delete of"):
        needed_for("network", "routes.create_or_update", "DELETE", ask)
    with pytest.raises(AssertionError, match=r'no row .* "network routes.get": one\("Microsoft.Network/route'):
        needed_for("network", "routes.get", "GET", ask)
    assert all(" " in name for name in NEEDS)


# ---- what is printed


@pytest.mark.parametrize("key", KINDS, ids=words)
def test_roles_are_such_as_azure_takes_and_nothing_is_given_twice(
    key: Key, azure: Front, serving: Serve, stack: contextlib.ExitStack
) -> None:
    used = KINDS[key](azure, serving, stack)
    for who, document in printed(used, used.with_roles()).items():
        roles = {one["Name"]: one for one in document["roles"]}
        assert len(roles) == len(document["roles"])
        for role in roles.values():
            assert list(role) == [
                "Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions", "NotDataActions",
                "AssignableScopes",
            ]  # fmt: skip
            assert all(one.count("/") in (2, 4) for one in role["AssignableScopes"]), "groups and subscriptions alone"
            assert not any("*" in one for one in role["Actions"])
            assert not UNLISTED & {*role["Actions"]}, "Azure would take nothing of that role"
        given = [(one["scope"], what) for one in document["assignments"] for what in roles[one["role"]]["Actions"]]
        for scope, what in given:
            above = [one for one, other in given if other == what and one != scope and covers(one, scope)]
            assert above == [], "it is given above already"
        assert all(one["principal"] == who for one in document["assignments"])
        assert {what for _, what in given} == {one["action"] for one in document["actions"]}
        assert all(one["page"].startswith("https://learn.microsoft.com/azure/") for one in document["actions"])
        assert all(one["page"].count("#") == 1 for one in document["actions"]), "of each provider the page is known"
        wide = {(one["on"].lower(), one["action"]) for one in document["on_more_than_a_resource"]}
        assert wide == {(scope.lower(), what) for scope, what in given if "/providers/" not in scope}
        assert all(one["why"] for one in document["on_more_than_a_resource"])


def test_what_reads_data_stands_among_the_data_actions() -> None:
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
    container = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c"
    document = provider.policy({"log": (Grant(WEST, (blobs,), (container,)),)}, ROLES.watch, "watch")
    (role,) = document["roles"]
    assert (role["Actions"], role["DataActions"]) == ([ACTION], [blobs])
    assert is_data(blobs)
    assert not is_data("Microsoft.Storage/storageAccounts/blobServices/containers/read")
    assert holds([{"dataActions": ["Microsoft.Storage/*"]}], blobs)
    assert not holds([{"actions": ["*"]}], blobs)
    assert page_of("Contoso.Shop/things/read").endswith("/resource-provider-operations")


@pytest.mark.parametrize("scope", ["/subscriptions/shop", "/providers/Microsoft.Network/x/y", "orders"])
def test_what_is_in_no_subscription_is_refused_with_what_to_write(scope: str) -> None:
    with pytest.raises(Refused, match="whole id"):
        provider.policy({"one": (Grant(WEST, ("Microsoft.Network/x/read",), (scope,)),)}, ROLES.watch, "watch")


EDGE = f"{GROUP}/providers/Microsoft.Network/trafficManagerProfiles/shop"
OTHER = "22222222-2222-3333-4444-555555555555"
FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {WEST}: {{provider: azure, account: {SUBSCRIPTION}@ROLES}}
  {NORTH}: {{provider: azure, account: {SUBSCRIPTION}@ROLES}}
primary: {WEST}
state: "memory:"
resources:
  edge:
    loadbalancer: traffic-manager
    profile: {EDGE}
    routing: weighted
    members: {{{WEST}: {EDGE}/externalEndpoints/{WEST}, {NORTH}: {EDGE}/externalEndpoints/{NORTH}}}
  far:
    dns: azure-dns
    zone: {GROUP.replace(SUBSCRIPTION, OTHER)}/providers/Microsoft.Network/dnsZones/net.example
    name: a.net.example
    resolvers: [192.0.2.53]
    members: {{{WEST}: 192.0.2.1, {NORTH}: 192.0.2.2}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  traffic:
    action: traffic.switch
    with: {name: edge, to: "${to}"}
    limit: 5m
    override: {freeze-first: nobody deploys here, users-after-traffic: nobody is there}
"""
AS = f", roles: {{watch: {ROLES.watch}, execute: {ROLES.execute}}}"


def command(folder: Path, *options: str, roles: str = "", state: str = "memory:") -> Any:
    text = FILE.replace("@ROLES", roles).replace("memory:", state)
    (folder / "cloudfail.yaml").write_text(text, encoding="utf-8")
    (folder / "move.yaml").write_text(RUNBOOK, encoding="utf-8")
    at = ["-c", str(folder / "cloudfail.yaml"), "--runbook-file", str(folder / "move.yaml")]
    shown = CliRunner().invoke(app, ["iam", "azure", *at, *options])
    if shown.exception is not None:
        raise shown.exception
    return json.loads(shown.stdout)


def actions(policy: Mapping[str, Any]) -> set[str]:
    return {one for role in policy["roles"] for one in role["Actions"]}


def test_a_role_belongs_to_the_subscription_of_what_it_is_for(tmp_path: Path) -> None:
    shown = command(tmp_path, "--only", "execute")
    assert {one["AssignableScopes"][0].split("/")[2] for one in shown["roles"]} == {SUBSCRIPTION, OTHER}
    assert all(len(one["AssignableScopes"]) == 1 for one in shown["roles"])
    assert {one["principal"] for one in shown["assignments"]} == {"CLIENT_ID"}
    assert "CLIENT_ID" in shown["principal"]


def test_a_runbook_narrows_it_to_what_its_steps_do(tmp_path: Path) -> None:
    everything, narrowed = (
        command(tmp_path, "--only", "execute"),
        command(tmp_path, "--only", "execute", "--runbook", "move"),
    )
    assert any("/dnsZones/" in one for one in actions(everything))
    assert actions(narrowed) == {"Microsoft.Network/trafficManagerProfiles/externalEndpoints/write", ACTION}


def test_the_files_are_those_that_the_commands_name_and_a_role_is_named_by_what_it_is(tmp_path: Path) -> None:
    shown = command(tmp_path, "--files", str(tmp_path / "roles"), roles=AS)
    there = {path.name: json.loads(path.read_text()) for path in (tmp_path / "roles").iterdir()}
    commands = [line for one in shown["policies"] for line in one["policy"]["commands"]]
    assert set(there) == {line.rpartition(" ")[2] for line in commands if "definition create" in line}
    for one in shown["policies"]:
        assert {binding["principal"] for binding in one["policy"]["assignments"]} == {one["role"]}
        assert all(role in there.values() for role in one["policy"]["roles"])
    (edge,) = [line for line in commands if "assignment create" in line and line.endswith(f"--scope {EDGE}")]
    assert f"az ad sp show --id {ROLES.watch}" in edge
    again = command(tmp_path, roles=AS)
    assert again == shown, "the same file gives the same roles"


def test_what_keeping_the_log_takes_is_printed_where_it_lives_with_azure(tmp_path: Path) -> None:
    """And less than Storage Blob Data Contributor: what is written is never deleted."""
    assert "log" not in command(tmp_path)
    shown = command(tmp_path, "--files", str(tmp_path / "r"), state="azblob://acme/cloudfail/shop?region=uksouth")
    (log,) = shown["log"]
    (role,) = log["policy"]["roles"]
    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers"
    assert role["Actions"] == [f"{blobs}/read"]
    assert role["DataActions"] == [f"{blobs}/blobs/read", f"{blobs}/blobs/write"]
    (assignment,) = log["policy"]["assignments"]
    assert assignment["scope"].endswith("/storageAccounts/acme/blobServices/default/containers/cloudfail")
    assert covers(role["AssignableScopes"][0], assignment["scope"])
    made, assigned = log["policy"]["commands"]
    assert json.loads((tmp_path / "r" / made.rpartition(" ")[2]).read_text()) == role
    assert assignment["scope"] in assigned
    assert all(one["page"].endswith("/permissions/storage#microsoftstorage") for one in log["policy"]["actions"])


def test_a_plan_is_refused_for_what_is_missing_and_check_says_it_while_nothing_burns(
    azure: Front, serving: Serve, tmp_path: Path
) -> None:
    """The whole way: what the command prints is what Azure holds the roles to; one action is taken away."""
    serving("azure.mgmt.dns", Zones())
    machine: traffic_manager.TrafficManager = serving("azure.mgmt.trafficmanager", traffic_manager.TrafficManager())
    machine.profile("shop", "Weighted")
    for region, status in ((WEST, "Enabled"), (NORTH, "Disabled")):
        machine.endpoint(EDGE, region, 9, region, endpointStatus=status, weight=1000, priority=1)
    shown = command(tmp_path, roles=AS)
    full = {one["role"]: one["policy"] for one in shown["policies"]}
    azure.gate = gate = Gate({**full, OWN: {"roles": [], "assignments": []}})
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"azure": provider})

    def refusals() -> list[str]:
        found = App(loaded, MemoryStore(), "alice").review(WEST, NORTH, "move").refusals
        return [one for one in found if "may not" in one]

    assert refusals() == []
    (lacking,) = [less for what, less in without(full[ROLES.execute]) if what.endswith("externalEndpoints/write")]
    gate.documents = {**full, ROLES.execute: lacking}
    said = refusals()
    assert len(said) == 2, "of each endpoint"
    assert said[0].startswith(
        f"edge: {ROLES.execute} (execute) may not Microsoft.Network/trafficManagerProfiles/externalEndpoints/write on "
        f"{EDGE}/externalEndpoints/"
    )
    told = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "cloudfail.yaml")])
    assert f"would be refused: {said[0]}" in told.output
    assert f"{WEST}: changes as {ROLES.execute} of account {SUBSCRIPTION}" in told.output
    assert azure.seen(mutating=True) == []
