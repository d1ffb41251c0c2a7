"""What `cloudfail iam gcp` prints: enough for all that each kind asks, each permission needed, and named by preflight
where it is missing. Roles are taken on over the wire; a gate on the front holds each request to what is printed."""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.app import App
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Permanent, Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Roles, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail.stores.memory import MemoryStore
from cloudfail_gcp import provider
from cloudfail_gcp.access.asked import allowed
from cloudfail_gcp.access.places import SORTS, may_be_narrower, page_of, sort_of
from cloudfail_gcp.sessions import LOOKING
from tests.emulators.gcp import allowed as worlds
from tests.emulators.gcp import allowed_traffic, dns_world
from tests.emulators.gcp.allowed import EAST, ROLES, WEST, Key, Make, Serve, Used, tokens
from tests.emulators.gcp.discovery import DOCUMENTS, api
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.gate import NAMED, OWN, Document, Gate, Tokens, without
from tests.emulators.gcp.standins.backend_services import BackendServices
from tests.emulators.gcp.standins.project import Zones

USED = frozenset(
    f"{one}.v1" for one in "compute dns cloudresourcemanager sqladmin alloydb spanner container pubsub iam".split()
) | {"run.v2", "monitoring.v3", "cloudscheduler.v1"}
pytestmark = pytest.mark.timeout(600)
KINDS: Mapping[Key, Make] = {**worlds.KINDS, **allowed_traffic.KINDS}
ALL = sorted({(port, kind) for port, kind, _ in KINDS}, key=str)


def words(key: Any) -> str:
    return ", ".join(map(str, key))


def printed(used: Used, whole: Topology, roles: Roles = ROLES) -> dict[str, Document]:
    """By service account, as the command prints it of the resource."""
    needs = provider.kinds()[used.resource.port, used.resource.kind].permissions
    assert needs is not None
    said = needs(used.resource, whole, list(whole.regions))
    told = ((roles.watch, "watch", said.watch), (roles.execute, "execute", said.execute))
    return {role: provider.policy({used.resource.name: grants}, role, does) for role, does, grants in told}


def gated(front: Front, used: Used) -> tuple[Gate, Topology]:
    whole = used.with_roles()
    front.gate = gate = Gate(printed(used, whole))
    return gate, whole


def built(used: Used, whole: Topology) -> Any:
    return provider.kinds()[used.resource.port, used.resource.kind].build(used.resource, whole)


def asked(used: Used, whole: Topology) -> Known[tuple[str, ...]] | Unknown:
    """Kind.allowed."""
    told = provider.kinds()[used.resource.port, used.resource.kind].allowed
    assert told is not None
    return told(used.resource, whole)


def unaskable(gate: Gate) -> set[str]:
    """The permissions that are needed somewhere where nobody can be asked about them (places.py)."""
    return {permission for permission, path in _needed_on(gate) if not _askable(permission, path)}


def silent(gate: Gate) -> set[str]:
    """Those of which nobody can be asked anywhere that they are needed."""
    return unaskable(gate) - {permission for permission, path in _needed_on(gate) if _askable(permission, path)}


def _needed_on(gate: Gate) -> list[tuple[str, str]]:
    return [
        (row["permission"], one.partition(": ")[2])
        for document in gate.documents.values()
        for row in document["permissions"]
        for one in row["for"]
    ]


def _askable(permission: str, path: str) -> bool:
    sort = sort_of(permission, path)
    if sort.narrower or may_be_narrower(permission, path):
        return False
    return sort.way == "project" or sort.asked is not None


def nothing_is_missing(gate: Gate, used: Used, whole: Topology) -> bool:
    """Nothing is said to be missing, and nothing is unknown but of what nobody can be asked about."""
    found = asked(used, whole)
    if isinstance(found, Known):
        return found.value == ()
    return all(any(one in said for one in unaskable(gate)) for said in found.reason.split("; "))


def test_every_kind_has_its_row() -> None:
    """A kind that changes or reads anything of Google's is tried under what is printed for it (allowed.py)."""
    assert {(port, kind) for port, kind, _ in KINDS} == set(provider.kinds())
    assert all(kind.permissions is not None for kind in provider.kinds().values())


@pytest.mark.parametrize("kind", ALL, ids=words)
def test_what_is_printed_is_enough_for_all_of_it_and_each_permission_is_needed(
    kind: tuple[PortName, str], google: Front, serving: Serve
) -> None:
    said: set[tuple[str, str]] = set()
    needed: set[tuple[str, str]] = set()
    for (port, name, shape), make in KINDS.items():
        if (port, name) != kind:
            continue
        tokens(serving)
        used = make(google, serving)
        gate, whole = gated(google, used)
        used.uses(built(used, whole))
        assert nothing_is_missing(gate, used, whole), asked(used, whole)
        listed = {
            (account, one["permission"]) for account, told in gate.documents.items() for one in told["permissions"]
        }
        given = gate.needed()
        said |= listed
        needed |= given
        idle = {permission for _, permission in listed - given}
        assert [one for one in gate.loose() if not _all_idle(one, gate, idle)] == [], shape
    assert needed == said


def _all_idle(loose: str, gate: Gate, idle: set[str]) -> bool:
    """Whether it is a binding of a role none of whose permissions this shape needs."""
    roles = {one["role"]: one["file"] for document in gate.documents.values() for one in document["roles"]}
    return set(roles[loose.split()[1]]["includedPermissions"]) <= idle


@pytest.mark.parametrize("key", KINDS, ids=words)
def test_preflight_names_each_permission_that_is_missing_its_role_and_project(
    key: Key, google: Front, serving: Serve
) -> None:
    tokens(serving)
    used = KINDS[key](google, serving)
    gate, whole = gated(google, used)
    assert nothing_is_missing(gate, used, whole)
    full, unknown = dict(gate.documents), silent(gate)
    for account, document in full.items():
        for what, less in without(document):
            permission = what.rpartition(" ")[2]
            gate.documents = {**full, account: less}
            found = asked(used, whole)
            if permission in unknown:
                assert isinstance(found, Unknown), found
                assert permission in found.reason
                continue
            assert isinstance(found, Known), found
            mine = [one for one in found.value if f"may not {permission} on " in one]
            assert mine, f"{what}: {found}"
            for one in mine:
                assert one.startswith(account)
                assert ", of the project shop-" in one
            assert found.value == tuple(mine), "and nothing else is said to be missing"
    assert google.count(mutating=True, service="compute") + google.count(mutating=True, service="dns") == 0


@pytest.mark.parametrize("key", KINDS, ids=words)
def test_who_executes_is_asked_about_with_a_token_that_can_only_read(key: Key, google: Front, serving: Serve) -> None:
    given = tokens(serving)
    used = KINDS[key](google, serving)
    gate, whole = gated(google, used)
    assert nothing_is_missing(gate, used, whole)
    assert {whose for whose, _ in given.given} == {
        account for account, document in gate.documents.items() if document["permissions"]
    }
    assert {scopes for _, scopes in given.given} == {LOOKING}


BACKENDS: Key = (PortName.LOADBALANCER, "backend-service", "global")
GROUPS: Key = (PortName.COMPUTE, "instance-group", "autoscaled")
ZONE: Key = (PortName.DNS, "cloud-dns", "simple")


def ready(key: Key, google: Front, serving: Serve) -> tuple[Tokens, Used, Gate, Topology]:
    given = tokens(serving)
    used = KINDS[key](google, serving)
    return given, used, *gated(google, used)


def test_a_role_that_nobody_may_take_on_is_named(google: Front, serving: Serve) -> None:
    given, used, _, whole = ready(BACKENDS, google, serving)
    given.closed.add(ROLES.execute)
    found = asked(used, whole)
    assert isinstance(found, Known)
    assert [one for one in found.value if ROLES.execute in one and "iam.serviceAccounts.getAccessToken" in one]
    assert len(found.value) == 1


@pytest.mark.parametrize("key", [BACKENDS, ZONE], ids=words)
def test_what_may_be_given_on_the_resource_and_cannot_be_asked_there_refuses_nothing(
    key: Key, google: Front, serving: Serve
) -> None:
    """Who may not list them may not ask of one: what the project does not give is then unknown, and not missing."""
    _, used, gate, whole = ready(key, google, serving)

    def unlisted(document: Document) -> Document:
        less = copy.deepcopy(dict(document))
        for role in less["roles"]:
            role["file"]["includedPermissions"] = [
                one
                for one in role["file"]["includedPermissions"]
                if one not in ("compute.backendServices.list", "dns.managedZones.list")
            ]
        return less

    gate.documents = {account: unlisted(one) for account, one in gate.documents.items()}
    found = asked(used, whole)
    assert isinstance(found, Known)
    assert all(".list on " in one for one in found.value), "only what asks is missing for certain"


@pytest.mark.parametrize(
    ("permission", "path"),
    [
        ("iam.serviceAccounts.actAs", "projects/shop-prod"),
        ("pubsub.subscriptions.update", "projects/shop-prod/subscriptions/eventarc-*"),
        ("cloudsql.instances.update", "projects/shop-prod/instances/orders"),
        ("container.clusters.update", f"projects/shop-prod/locations/{EAST}/clusters/main"),
        ("cloudtasks.queues.pause", f"projects/shop-prod/locations/{EAST}/queues/mails"),
        ("eventarc.triggers.get", f"projects/shop-prod/locations/{EAST}/triggers/orders"),
    ],
)
def test_what_may_have_been_given_on_less_than_the_file_can_name_refuses_nothing(
    google: Front, serving: Serve, permission: str, path: str
) -> None:
    """A false alarm would keep somebody from leaving a region."""
    _, used, gate, whole = ready(GROUPS, google, serving)

    def needs(_resource: Any, _topology: Any, _regions: Any) -> Permissions:
        return Permissions((), (Grant(EAST, (permission,), (path,)),))

    found = allowed(needs, used.resource, whole)
    assert isinstance(found, Unknown)
    assert permission in found.reason
    gate.documents = {**gate.documents, ROLES.execute: provider.policy({"one": needs(0, 0, 0).execute}, ROLES.execute)}
    on_project = sort_of(permission, path).way == "project"
    assert isinstance(allowed(needs, used.resource, whole), Known) is on_project, "what the project gives is known"


@pytest.mark.parametrize("fault", ["refuse", "throttle", "cut"])
def test_where_nobody_answers_nothing_is_known_and_nothing_refused(google: Front, serving: Serve, fault: str) -> None:
    _, used, _, whole = ready(GROUPS, google, serving)
    getattr(google.outages, fault)(service="cloudresourcemanager")
    found = asked(used, whole)
    assert isinstance(found, Unknown), found
    assert "shop-prod" in found.reason


def test_a_silent_api_takes_no_longer_than_its_bound(google: Front, serving: Serve) -> None:
    _, used, _, whole = ready(GROUPS, google, serving)
    google.outages.silence(service="cloudresourcemanager")
    began = time.monotonic()
    assert isinstance(asked(used, whole), Unknown)
    assert time.monotonic() - began < 20.0


def test_a_change_is_refused_where_the_role_lacks_its_permission(google: Front, serving: Serve) -> None:
    """The gate itself: a 403 in Google's words, of which the port makes an error that says what to give."""
    _, used, gate, whole = ready(BACKENDS, google, serving)
    documents = dict(gate.documents)
    (lacking,) = [
        less for what, less in without(documents[ROLES.execute]) if what.endswith(" compute.backendServices.update")
    ]
    gate.documents = {**documents, ROLES.execute: lacking}
    with pytest.raises(Permanent, match=r"compute\.backendServices\.update"):
        used.uses(built(used, whole))
    assert google.count(operation="backendServices.patch") == 1


READING = re.compile(r"get|list|search|test|wait|tail|preview|query")
"""How methods that are asked by POST, and change nothing, begin."""


def test_no_method_that_changes_anything_takes_such_a_token() -> None:
    """By what Google's descriptions say of each method: it is refused whatever the role may do."""
    taken = set()
    for path in DOCUMENTS.glob("*.json"):
        if path.stem in USED:
            others = [one for one in api(path.stem).methods if one.http != "GET" and not READING.match(one.name)]
            assert len(others) > 5, path.stem
            taken |= {one.id for one in others if set(LOOKING) & one.scopes}
    assert taken == {"cloudresourcemanager.liens.create", "cloudresourcemanager.liens.delete"}
    asked = {
        one.id for document in ("compute.v1", "dns.v1") for one in api(document).methods if set(LOOKING) & one.scopes
    }
    assert {"compute.backendServices.testIamPermissions", "dns.managedZones.testIamPermissions"} <= asked


# ---- what is printed


def test_a_condition_names_only_what_iam_knows_the_name_of(google: Front, serving: Serve) -> None:
    for key in (BACKENDS, GROUPS, ZONE):
        used = KINDS[key](google, serving)
        for document in printed(used, used.with_roles()).values():
            for binding in document["bindings"]:
                if condition := binding.get("condition"):
                    names = [one.split('"')[1] for one in condition["expression"].split(" || ")]
                    assert all(NAMED.fullmatch(name) for name in names)
                elif binding["on"].count("/") > 1:
                    assert OWN.fullmatch(binding["on"])


def test_every_permission_has_its_page_and_every_wide_one_its_reason(google: Front, serving: Serve) -> None:
    for make in KINDS.values():
        used = make(google, serving)
        for document in printed(used, used.with_roles()).values():
            assert all(one["page"].startswith("https://cloud.google.com/") for one in document["permissions"])
            included = {one for role in document["roles"] for one in role["file"]["includedPermissions"]}
            assert included == {one["permission"] for one in document["permissions"]}
            wide = {one["permission"] for one in document["on_the_whole_project"]}
            bound = {
                one["role"] for one in document["bindings"] if one["on"].count("/") == 1 and "condition" not in one
            }
            on_project = {
                one
                for role in document["roles"]
                if role["role"] in bound
                for one in role["file"]["includedPermissions"]
            }
            assert wide == on_project
            assert all(one["why"] for one in document["on_the_whole_project"])


def test_a_part_of_a_name_that_google_makes_up_is_no_name() -> None:
    assert sort_of("compute.backendServices.get", "projects/p/global/backendServices/*").way == "project"
    assert sort_of("compute.backendServices.get", "projects/p/global/backendServices/web").way == "name"
    assert sort_of("cloudsql.instances.get", "projects/p/instances/orders").way == "name"
    assert sort_of("alloydb.clusters.get", "projects/p/locations/r/clusters/orders").way == "project"
    assert page_of("compute.instanceGroupManagers.get").endswith("/rest/v1/instanceGroupManagers")
    assert all(one.way != "project" or one.narrower for one in SORTS.values())


@pytest.mark.parametrize("path", ["projects/-/instances/orders", "projects//managedZones/shop", "projects/*", "orders"])
def test_a_path_that_names_no_project_is_refused_with_what_to_write(path: str) -> None:
    with pytest.raises(Refused, match=r"account: shop-prod"):
        provider.policy({"one": (Grant(EAST, ("cloudsql.instances.get",), (path,)),)}, ROLES.watch, "watch")


FILE = f"""\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  {EAST}: {{provider: gcp, account: shop-prod@ROLES}}
  {WEST}: {{provider: gcp, account: shop-prod@ROLES}}
primary: {EAST}
state: "memory:"
resources:
  www: {{dns: cloud-dns, zone: shop-example, name: www.shop.example, members: {{{EAST}: 192.0.2.1, {WEST}: 192.0.2.2}}}}
  edge:
    loadbalancer: backend-service
    service: projects/shop-prod/global/backendServices/web
    members:
      {EAST}: projects/shop-prod/regions/{EAST}/instanceGroups/web
      {WEST}: projects/shop-prod/regions/{WEST}/instanceGroups/web
  far:
    dns: cloud-dns
    project: shop-net
    zone: net
    name: a.net.example
    members: {{{EAST}: 192.0.2.1, {WEST}: 192.0.2.2}}
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


def command(folder: Path, *options: str, roles: str = "") -> Any:
    (folder / "cloudfail.yaml").write_text(FILE.replace("@ROLES", roles), encoding="utf-8")
    (folder / "move.yaml").write_text(RUNBOOK, encoding="utf-8")
    asked = ["iam", "gcp", "-c", str(folder / "cloudfail.yaml"), "--runbook-file", str(folder / "move.yaml"), *options]
    shown = CliRunner().invoke(app, asked)
    if shown.exception is not None:
        raise shown.exception
    return json.loads(shown.stdout)


def permissions(policy: Mapping[str, Any]) -> set[str]:
    return {one for role in policy["roles"] for one in role["file"]["includedPermissions"]}


def test_a_role_belongs_to_the_project_of_what_it_is_for(tmp_path: Path) -> None:
    shown = command(tmp_path, "--only", "execute")
    projects = {one["role"].split("/")[1] for one in shown["roles"]}
    assert projects == {"shop-prod", "shop-net"}
    for binding in shown["bindings"]:
        assert binding["role"].split("/")[1] == binding["on"].split("/")[1]
        assert binding["member"] == "MEMBER"
    assert "MEMBER" in shown["member"]


def test_a_runbook_narrows_it_to_what_its_steps_do(tmp_path: Path) -> None:
    everything, narrowed = (
        command(tmp_path, "--only", "execute"),
        command(tmp_path, "--only", "execute", "--runbook", "move"),
    )
    assert any(one.startswith("dns.") for one in permissions(everything))
    assert permissions(narrowed) == {
        "compute.backendServices.update",
        "compute.backendServices.list",
        "compute.instanceGroups.use",
        "compute.networkEndpointGroups.use",
    }


def test_the_account_is_the_member_and_the_files_are_those_that_the_commands_name(tmp_path: Path) -> None:
    roles = f", roles: {{watch: {ROLES.watch}, execute: {ROLES.execute}}}"
    shown = command(tmp_path, "--files", str(tmp_path / "roles"), roles=roles)
    there = {path.name: json.loads(path.read_text()) for path in (tmp_path / "roles").iterdir()}
    commands = [line for one in shown["policies"] for line in one["policy"]["commands"]]
    named = {line.rpartition("--file=")[2] for line in commands if "roles create" in line}
    assert set(there) == named
    for one in shown["policies"]:
        assert {binding["member"] for binding in one["policy"]["bindings"]} == {f"serviceAccount:{one['role']}"}
        for role in one["policy"]["roles"]:
            assert role["file"] in there.values()
    conditioned = [line for line in commands if "resource.name ==" in line]
    assert len(conditioned) == 2, "of who watches and who executes"
    zones = [line for one in shown["policies"] for line in one["policy"]["by_hand"]]
    assert all("dns managed-zones set-iam-policy" in line for line in zones)
    assert len(zones) == 4


def test_a_plan_is_refused_for_what_is_missing_and_check_says_it_while_nothing_burns(
    google: Front, serving: Serve, tmp_path: Path
) -> None:
    """The whole way: what the command prints is what Google holds the roles to; one permission is taken away."""
    tokens(serving)
    machine: BackendServices = serving("compute.v1", BackendServices())
    groups = {region: f"projects/shop-prod/regions/{region}/instanceGroups/web" for region in (EAST, WEST)}
    machine.service(
        "projects/shop-prod/global/backendServices/web", dict(zip(groups.values(), (1.0, 0.0), strict=True))
    )
    zones: Zones = serving("dns.v1", Zones())
    for zone, name in (("shop-example", "www.shop.example."), ("net", "a.net.example.")):
        zones.zone(zone, dns_world.simple("192.0.2.1", name=name), dnsName=name.partition(".")[2])
    roles = f", roles: {{watch: {ROLES.watch}, execute: {ROLES.execute}}}"
    shown = command(tmp_path, roles=roles)
    full = {one["role"]: one["policy"] for one in shown["policies"]}
    google.gate = gate = Gate(full)
    loaded = config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})

    def refusals() -> list[str]:
        return [
            one for one in App(loaded, MemoryStore(), "alice").review(EAST, WEST, "move").refusals if "may not" in one
        ]

    assert refusals() == []
    (lacking,) = [
        less for what, less in without(full[ROLES.execute]) if what.endswith(" compute.backendServices.update")
    ]
    gate.documents = {**full, ROLES.execute: lacking}
    (said,) = refusals()
    assert said.startswith(
        f"edge: {ROLES.execute} (execute) may not compute.backendServices.update on projects/shop-prod/"
    )
    told = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "cloudfail.yaml")])
    assert told.exit_code == 0, told.output
    assert f"would be refused: {said}" in told.output
    assert f"{EAST}: changes as {ROLES.execute} of account shop-prod" in told.output
    assert google.seen(mutating=True, service="compute") == []
