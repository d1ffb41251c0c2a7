"""`cloudfail discover gcp` over a project with one of everything: what it finds, asks, and does not touch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import config
from cloudfail.app import App
from cloudfail.discovering.pairing import named_region, stem
from cloudfail.discovering.writing import draft
from cloudfail.entrypoints.cli import app
from cloudfail.errors import Refused
from cloudfail.lint import lint
from cloudfail.lint.finding import Severity
from cloudfail.model.discovered import Discovered, Found, Wanted
from cloudfail.model.topology import PortName
from cloudfail.ports import Discovers, Kind
from cloudfail.stores.memory import MemoryStore
from cloudfail_gcp import provider
from cloudfail_gcp.discovering import discover
from cloudfail_gcp.discovering.permissions import ACTIONS
from cloudfail_gcp.discovering.regions import is_region, words_of
from cloudfail_local import provider as local
from tests.emulators.gcp import dns_world, everywhere
from tests.emulators.gcp.allowed import tokens
from tests.emulators.gcp.dns_world import ADDRESS
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.gate import Gate
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.standins.project import PROJECT, Compute, Listed, Zones
from tests.emulators.listening import listening

pytestmark = pytest.mark.timeout(300)
EAST, WEST = "us-central1", "europe-west1"
REGIONS = (EAST, WEST)
ALL = Wanted(REGIONS, account=PROJECT)
P = f"projects/{PROJECT}"
SERVICE = f"{P}/global/backendServices/web"
GROUPS = {
    EAST: f"{P}/regions/{EAST}/instanceGroupManagers/web-usc1",
    WEST: f"{P}/zones/{WEST}-b/instanceGroupManagers/web-euw1",
}
BATCH = {region: f"{P}/regions/{region}/instanceGroupManagers/batch" for region in REGIONS}
LOOKER = "looker@shop-ops.iam.gserviceaccount.com"
Serve = Callable[[str, Any], Any]


@dataclass
class Project:
    """One of everything, in two regions."""

    compute: Compute
    zones: Zones


def _at(labels: Mapping[str, str]) -> str:
    return next(one for key, one in labels.items() if key.startswith("locations"))


def _named(sort: str, *names: str, **more: Any) -> Callable[[Mapping[str, str]], list[dict[str, Any]]]:
    return lambda labels: [{"name": f"{P}/locations/{_at(labels)}/{sort}/{name}", **more} for name in names]


def _clusters_of_alloydb(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    name = f"{P}/locations/{_at(labels)}/clusters/ledger"
    if _at(labels) == WEST:
        return [{"name": name, "clusterType": "PRIMARY"}]
    # Google words a project by its number too.
    of = {"primaryClusterName": f"projects/4711/locations/{WEST}/clusters/ledger"}
    return [{"name": name, "clusterType": "SECONDARY", "secondaryConfig": of}]


SQL = [
    {"name": "orders-c", "region": EAST, "instanceType": "CLOUD_SQL_INSTANCE",
     "ipAddresses": [{"type": "PRIMARY", "ipAddress": "203.0.113.7"}, {"type": "PRIVATE", "ipAddress": "10.0.0.7"}]},
    {"name": "orders-w", "region": WEST, "instanceType": "READ_REPLICA_INSTANCE",
     "masterInstanceName": f"{PROJECT}:orders-c"},
    {"name": "alone", "region": EAST, "instanceType": "CLOUD_SQL_INSTANCE"},
]  # fmt: skip


PUSH = "https://orders.shop.example/push"
SIGNED = {"serviceAccountEmail": f"pusher@{PROJECT}.iam.gserviceaccount.com", "audience": "orders"}
SUBSCRIPTIONS = [
    {"name": f"{P}/subscriptions/orders-usc1"},
    {"name": f"{P}/subscriptions/orders-euw1"},
    {"name": f"{P}/subscriptions/all"},
    *(
        {"name": f"{P}/subscriptions/{name}", "pushConfig": {"pushEndpoint": PUSH, **more}}
        for name, more in (
            ("mail-usc1", {"oidcToken": SIGNED, "attributes": {"x-goog-version": "v1"}}),
            ("mail-euw1", {}),
            ("odd-usc1", {"attributes": {"x-goog-version": "v1", "mine": "1"}}),
            ("odd-euw1", {}),
            (f"eventarc-{EAST}-paid-1", {"noWrapper": {"writeMetadata": True}}),
            (f"eventarc-{WEST}-paid-1", {}),
        )
    ),
]
SPLIT = {region: f"{P}/global/backendServices/api-{region}" for region in REGIONS}


def _split(*services: str) -> dict[str, Any]:
    return {"weightedBackendServices": [{"backendService": BASE + one, "weight": 50} for one in services]}


MAPS: Mapping[str, dict[str, Any]] = {
    "edge": {
        "defaultService": BASE + SERVICE,
        "pathMatchers": [
            {"name": "shop", "defaultRouteAction": _split(*SPLIT.values()),
             "pathRules": [{"paths": ["/v2/*"], "routeAction": _split(*SPLIT.values())}],
             "routeRules": [{"priority": 7, "routeAction": _split(SPLIT[EAST], SERVICE)}]},
        ],
    },
    "plain": {"defaultService": BASE + SPLIT[EAST]},
}  # fmt: skip


def _triggers(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    at = _at(labels)
    transport = {"pubsub": {"subscription": f"{P}/subscriptions/eventarc-{at}-paid-1"}}
    return [{"name": f"{P}/locations/{at}/triggers/paid", "transport": transport}]


def _policy(number: int, name: str, **more: Any) -> dict[str, Any]:
    condition = {"displayName": "errors", "conditionThreshold": {"filter": 'metric.type = "x"'}}
    # Google words a project by its number too.
    told = {"name": f"projects/4711/alertPolicies/{number}", "displayName": name, "enabled": True}
    return {**told, "conditions": [condition], **more}


POLICIES = [
    _policy(1, f"Checkout errors {EAST}"),
    _policy(2, f"Checkout errors {WEST}"),
    _policy(3, f"Off {EAST}", enabled=False),
    _policy(4, f"Logs {WEST}", conditions=[{"displayName": "log", "conditionMatchedLog": {"filter": "x"}}]),
    _policy(5, "Everywhere"),
]


@pytest.fixture
def project(google: Front, serving: Serve) -> Iterator[Project]:
    with contextlib.closing(Compute()) as compute:
        compute.checked = False
        policy = {"minNumReplicas": 1, "maxNumReplicas": 4, "mode": "ON"}
        for path in (*GROUPS.values(), *BATCH.values()):
            compute.group(path, 1, policy=policy)
        compute.group(f"{P}/zones/{EAST}-a/instanceGroupManagers/gke-main-workers-0f1e-grp", 1)
        compute.group(f"{P}/regions/{WEST}/instanceGroupManagers/lonely", 1)
        compute.healed = {BATCH[EAST]}
        compute.service(SERVICE, dict(zip(map(compute.instance_group, GROUPS.values()), (1.0, 0.0), strict=True)))
        serverless = {f"{P}/regions/{region}/networkEndpointGroups/run": 1.0 for region in REGIONS}
        compute.service(f"{P}/global/backendServices/run", dict(serverless))
        for region, path in SPLIT.items():
            compute.service(path, {f"{P}/regions/{region}/networkEndpointGroups/api": 1.0})
        compute.addresses, compute.rules = {EAST: [ADDRESS[EAST]]}, {WEST: [ADDRESS[WEST]]}
        zones = Zones()
        zones.zone(
            "shop-example",
            dns_world.weighted({EAST: 100, WEST: 0}, checked=True),
            {**dns_world.primary_backup(), "name": "pay.shop.example."},
            {**dns_world.near(EAST, WEST), "name": "near.shop.example."},
            dns_world.simple(ADDRESS[EAST], name="one.shop.example."),
            dns_world.simple(*ADDRESS.values(), name="both.shop.example."),
            dns_world.simple("198.51.100.1", name="elsewhere.example."),
            labels={"application": "shop"},
        )
        serving("compute.v1", compute)
        serving("dns.v1", zones)
        serving("sqladmin.v1", Listed("items", lambda _labels: list(SQL)))
        serving("alloydb.v1", Listed("clusters", _clusters_of_alloydb))
        serving("spanner.v1", everywhere.spanner())
        serving("firestore.v1", everywhere.firestore())
        serving("run.v2", Listed("services", _named("services", "api")))
        serving("container.v1", Gke({"main": EAST, "main-w": f"{WEST}-b"}))
        serving("cloudscheduler.v1", Listed("jobs", _named("jobs", "nightly")))
        serving("cloudtasks.v2", Listed("queues", _named("queues", "mails")))
        compute.maps = {f"{P}/global/urlMaps/{name}": told for name, told in MAPS.items()}
        serving("pubsub.v1", Listed("subscriptions", lambda _labels: list(SUBSCRIPTIONS)))
        serving("eventarc.v1", Listed("triggers", _triggers))
        serving("monitoring.v3", Listed("alertPolicies", lambda _labels: list(POLICIES)))
        yield Project(compute, zones)


class Gke:
    """Clusters, by where they stand, each with one pool: this API has no pages."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def projects_locations_clusters_list(self, labels: Any, query: Any, body: Any) -> dict[str, Any]:
        told = [
            {"name": name, "location": place, "nodePools": [{"name": "workers"}]}
            for name, place in self._places.items()
        ]
        return {"clusters": told} if told else {}


def found(wanted: Wanted = ALL) -> Discovered:
    assert isinstance(provider, Discovers)
    return provider.discover(wanted)


def by_name(discovered: Discovered) -> dict[str, Found]:
    return {f"{one.kind} {one.name}": one for one in discovered.found}


def test_workers_are_paired_by_what_they_serve_then_by_their_names(project: Project) -> None:
    there = by_name(found())
    web = there["instance-group web"]
    assert web.members == {region: {"group": path, "backend_services": [SERVICE]} for region, path in GROUPS.items()}
    assert "each serves" in web.why
    batch = there["instance-group batch"]
    assert batch.members == BATCH
    assert BATCH[WEST] in batch.remarks[0]
    assert BATCH[EAST] not in batch.remarks[0], "it has a health check of its own"
    said = found()
    assert any("lonely" in one and WEST in one for one in said.asks)
    assert not any("gke-" in str(one.members) for one in said.found), "GKE scales its groups itself"
    edge = there["backend-service web-traffic"]
    assert edge.options == {"service": SERVICE}
    assert edge.members == {region: project.compute.instance_group(path) for region, path in GROUPS.items()}
    assert any("capacity of" in one and "networkEndpointGroups/run" in one for one in said.asks)


def test_names_are_found_as_their_policies_have_them(project: Project) -> None:
    said = found()
    there = by_name(said)
    www = there["cloud-dns www"]
    assert www.options == {"zone": "shop-example", "name": "www.shop.example", "ttl": "60s", "routing": "wrr"}
    assert www.members == {region: {"answers": [ADDRESS[region]], "health_checked": True} for region in REGIONS}
    assert there["cloud-dns pay"].options["routing"] == "primary-backup"
    assert there["cloud-dns near"].members == {region: {"answers": [ADDRESS[region]]} for region in REGIONS}
    assert "routing" not in there["cloud-dns both"].options
    assert any("one.shop.example A answers with us-central1 alone" in one for one in said.asks)
    assert not any("elsewhere" in one for one in (*there, *said.asks))


def test_what_pushes_is_found_with_where_it_pushes_and_else_asked_about(project: Project) -> None:
    said = found()
    there = by_name(said)
    signed = {"endpoint": PUSH, "service_account": SIGNED["serviceAccountEmail"], "audience": "orders"}
    assert there["pubsub-subscription mail"].members == {
        EAST: {"subscription": f"{P}/subscriptions/mail-usc1", "push": signed},
        WEST: {"subscription": f"{P}/subscriptions/mail-euw1", "push": PUSH},
    }
    assert there["eventarc-trigger paid"].members == {
        EAST: {
            "trigger": f"{P}/locations/{EAST}/triggers/paid",
            "push": {"endpoint": PUSH, "unwrapped": True, "metadata": True},
        },
        WEST: {"trigger": f"{P}/locations/{WEST}/triggers/paid", "push": PUSH},
    }
    assert not any("eventarc-" in str(one.members) for one in said.found if one.kind == "pubsub-subscription")
    for name in ("orders", "odd"):
        assert f"pubsub-subscription {name}" not in there
        assert [one for one in said.asks if f"{P}/subscriptions/{name}-usc1" in one]


def test_routes_that_split_between_regions_are_found_each_by_itself(project: Project) -> None:
    there = {name: one for name, one in by_name(found()).items() if one.kind == "url-map"}
    edge = {"url_map": f"{P}/global/urlMaps/edge", "matcher": "shop", "routing": "weighted"}
    assert {name: one.options for name, one in there.items()} == {
        "url-map edge/shop-traffic": edge,
        "url-map edge/shop//v2/*-traffic": {**edge, "path": "/v2/*"},
    }
    assert all(one.members == SPLIT for one in there.values())


def test_alerting_policies_are_found_where_they_can_be_a_signal(project: Project) -> None:
    said = found()
    (alert,) = (one for one in said.found if one.port is PortName.SIGNALS)
    assert alert.members == {EAST: f"{P}/alertPolicies/1", WEST: f"{P}/alertPolicies/2"}
    assert not any(word in one for one in said.asks for word in ("alertPolicies", "Off", "Logs", "Everywhere"))


def test_what_says_two_regions_are_home_says_none(project: Project) -> None:
    """Cloud SQL writes in the one, AlloyDB in the other."""
    said = found()
    assert said.primary == ""
    assert EAST in said.primary_why
    assert WEST in said.primary_why


def test_what_no_kind_here_moves_is_asked_about_and_not_drafted(project: Project) -> None:
    """Whichever kinds there are: each of these is a resource where its kind reads it, and else a question."""
    said = found()
    sorts = {
        (PortName.DATABASE, "cloud-sql"): ("orders-c", "orders-w"),
        (PortName.DATABASE, "alloydb"): ("ledger",),
        (PortName.COMPUTE, "cloud-run"): (f"{P}/locations/{EAST}/services/api", f"{P}/locations/{WEST}/services/api"),
        (PortName.COMPUTE, "gke-node-pool"): (
            f"{P}/locations/{EAST}/clusters/main/nodePools/workers",
            f"{P}/locations/{WEST}-b/clusters/main-w/nodePools/workers",
        ),
        (PortName.CONSUMERS, "scheduler-job"): (f"{P}/locations/{EAST}/jobs/nightly",),
        (PortName.CONSUMERS, "tasks-queue"): (f"{P}/locations/{WEST}/queues/mails",),
        (PortName.CONSUMERS, "pubsub-subscription"): (
            f"{P}/subscriptions/orders-usc1",
            f"{P}/subscriptions/orders-euw1",
        ),
    }
    for (port, kind), members in sorts.items():
        drafted = [one for one in said.found if (one.port, one.kind) == (port, kind) and members[0] in str(one.members)]
        questions = [one for one in said.asks if f"{port}: {kind} of" in one and members[0] in one]
        assert len(drafted) + len(questions) == 1, (port, kind, drafted, questions)
        assert all(member in f"{[one.members for one in drafted]}{questions}" for member in members), (kind, said.asks)
        assert (port, kind) in provider.kinds() or not drafted


def test_databases_with_one_writer_are_drafted_with_their_replicas(project: Project) -> None:
    there = by_name(found())
    orders, ledger = there["cloud-sql orders-c"], there["alloydb ledger"]
    assert orders.members == {EAST: {"instance": "orders-c"}, WEST: {"instance": "orders-w"}}
    assert 'dsn: "host=10.0.0.7 port=5432' in orders.blanks[EAST][0], "a private address before a public one"
    assert ledger.members == {region: {"cluster": "ledger"} for region in REGIONS}
    assert "ledger in europe-west1 is the source" in ledger.why
    assert not any("alone" in str(one.members) for one in found().found)


def test_spanner_is_drafted_where_its_majority_spans_regions(project: Project, google: Front) -> None:
    said = found()
    drafted = {one.id: one for one in said.found if one.kind == "spanner"}
    shop = f"{P}/instances/shop/databases"
    assert set(drafted) == {f"{shop}/sessions", f"{shop}/carts", f"{P}/instances/more/databases/stock"}
    assert drafted[f"{shop}/sessions"].members == {EAST: "read-write", WEST: "read-only"}
    assert any(f"{P}/instances/pair/databases/ledger-d" in one and "DUAL_REGION" in one for one in said.asks)
    assert not any(name in f"{said.asks}{said.found}" for name in ("alone-here", "votes")), "a witness holds no data"
    asked = google.seen(operation="projects.instanceConfigs.get")
    assert len(asked) == len(everywhere.spanner().configs), "each configuration once"
    labelled = found(replace(ALL, tag=("application", "shop")))
    assert {one.name for one in labelled.found if one.kind == "spanner"} == {"sessions", "carts"}


def test_spanner_that_cannot_be_read_whole_is_named_and_no_database_of_it_drafted(
    project: Project, google: Front
) -> None:
    google.outages.fail("forbidden", 403, "Permission denied", operation="projects.instanceConfigs.get")
    said = found()
    (unread,) = said.unread
    assert "Spanner databases" in unread
    assert "403" in unread
    assert not any(one.kind == "spanner" for one in said.found)
    assert {"cloud-sql", "alloydb"} <= {one.kind for one in said.found}


def test_whoever_has_a_firestore_in_several_regions_is_asked_for_proxies(project: Project) -> None:
    said = found()
    asks = [one for one in said.asks if "Firestore" in one]
    (carts,) = [one for one in asks if f"{P}/databases/carts" in one]
    assert "HTTP proxy" in carts
    assert f"{EAST} and {WEST}" in carts
    assert any(f"{P}/databases/old" in one and "DATASTORE_MODE" in one for one in asks)
    assert any(f"{P}/databases/lost" in one for one in asks), "what the list does not describe is not left out"
    assert not any("databases/near" in one for one in asks)
    assert not any(one.kind == "firestore" for one in said.found)


def test_a_draft_of_all_of_it_loads(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "cloudfail.yaml"
    out.write_text(draft("gcp", ALL, found(), "shop"), encoding="utf-8")
    resources = config.load(out, [], {"gcp": provider}).topology.resources
    assert {one.kind for one in resources.values()} >= {"cloud-sql", "alloydb", "spanner"}
    assert resources["sessions"].id == f"{P}/instances/shop/databases/sessions"


def test_a_kind_that_is_served_is_drafted_from_the_same_listing(project: Project) -> None:
    """As it will be once there is one: nothing here has to change for it."""
    kind = next(iter(provider.kinds().values()))
    jobs = Kind(PortName.CONSUMERS, "scheduler-job", kind.build, member=_Path)
    said = discover(ALL, {**provider.kinds(), (PortName.CONSUMERS, "scheduler-job"): jobs})
    assert by_name(said)["scheduler-job nightly"].members == {
        region: f"{P}/locations/{region}/jobs/nightly" for region in REGIONS
    }


class _Path:
    @staticmethod
    def model_validate(member: Any) -> Any:
        assert isinstance(member, str)
        return member


def test_it_only_reads_and_all_of_it_is_what_is_printed(project: Project, google: Front, serving: Serve) -> None:
    tokens(serving)
    policy = provider.policy({"discover": provider.discovery()}, LOOKER, "discover")
    told = [{**one, "role": one["role"].replace("PROJECT", PROJECT)} for one in policy["roles"]]
    bound = [
        {**one, "on": one["on"].replace("PROJECT", PROJECT), "role": one["role"].replace("PROJECT", PROJECT)}
        for one in policy["bindings"]
    ]
    google.gate = gate = Gate({LOOKER: {"roles": told, "bindings": bound}})
    said = found(replace(ALL, role=LOOKER))
    assert said.unread == ()
    assert {permission for _, permission in gate.needed()} == set(ACTIONS)
    assert google.seen(mutating=True) == []


@pytest.mark.parametrize("service", ["compute", "dns", "sqladmin", "run"])
def test_what_cannot_be_listed_is_named_and_spoils_nothing_beside_it(
    project: Project, google: Front, service: str
) -> None:
    whole = found()
    google.outages.fail("forbidden", 403, "Permission denied", service=service)
    said = found()
    assert said.unread
    assert all("could not be listed: 403" in one for one in said.unread)
    kinds = {"instance-group", "backend-service", "url-map", "cloud-dns"}
    gone = {"compute": kinds - {"cloud-dns"}, "dns": {"cloud-dns"}, "sqladmin": {"cloud-sql"}, "run": {"cloud-run"}}[
        service
    ]
    assert {one.kind for one in whole.found} >= kinds
    assert {one.kind for one in whole.found} - gone == {one.kind for one in said.found}


def test_a_list_whose_pages_break_off_counts_as_not_read(project: Project, google: Front) -> None:
    google.outages.repeat_page(service="pubsub")
    said = found()
    assert [one for one in said.unread if "Pub/Sub" in one]


def test_only_what_carries_the_label_is_shown_of_what_has_labels(project: Project) -> None:
    assert any(one.kind == "cloud-dns" for one in found(replace(ALL, tag=("application", "shop"))).found)
    assert not any(one.kind == "cloud-dns" for one in found(replace(ALL, tag=("application", "books"))).found)


def test_without_a_project_nothing_is_asked(project: Project, google: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    google.forget()
    with pytest.raises(Refused, match="--account"):
        found(Wanted(REGIONS))
    with pytest.raises(Refused, match="no region"):
        found(Wanted(("central",), account=PROJECT))
    assert google.seen() == []
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    assert set(found(Wanted(REGIONS)).accounts.values()) == {PROJECT}


def filled_in(text: str, port: int, flags: Path) -> str:
    """As a person does it: what the draft's comments ask for, and nothing else."""

    def instead(old: str, new: str, count: int = 1) -> None:
        nonlocal text
        assert text.count(old) >= count, old
        text = text.replace(old, new)

    instead("objectives: {rto: 60m, rpo: 0s}", "objectives: {rto: 30m, rpo: 30s}")
    instead("state: sqlite:state.db", "state: gs://shop-state/cloudfail?location=eu")
    instead("resources:\n", "resources:\n  deploys:\n    change: flag\n    provider: local\n"
            f"    directory: {flags}\n    members: {{{EAST}: e, {WEST}: w}}\n")  # fmt: skip
    check = f'users: {{tcp: "127.0.0.1:{port}", every: 1s, timeout: 1s, fall: 2, rise: 1, vantages: 2 of 3}}'
    return f"{text}checks:\n  {check}\nvantages: {{one: {{}}, two: {{}}, three: {{}}}}\npolicy: {{scope: site}}\n"


RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,  with: {where: "${to}"}, limit: 1m}
  hold:     {action: compute.hold,   with: {group: web}, needs: [freeze], limit: 2m}
  workers:  {action: compute.scale,  with: {group: web, like: "recorded ${from}"}, needs: [hold], limit: 2m}
  traffic:  {action: traffic.switch, with: {name: web-traffic, to: "${to}", at_most: healthy}, needs: [workers], limit: 2m}
  users:    {action: verify.users,   with: {check: users}, needs: [traffic], limit: 1m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 1m}
"""  # noqa: E501


def test_a_draft_with_its_blanks_filled_in_lints_and_is_planned(
    project: Project, google: Front, serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application of names, a balancer and groups."""
    for document, key in (("sqladmin.v1", "items"), ("alloydb.v1", "clusters"), ("run.v2", "services"),
                          ("cloudscheduler.v1", "jobs"), ("cloudtasks.v2", "queues"),
                          ("pubsub.v1", "subscriptions"), ("eventarc.v1", "triggers"),
                          ("monitoring.v3", "alertPolicies")):  # fmt: skip
        serving(document, Listed(key, lambda _labels: []))
    serving("container.v1", Gke({}))
    tokens(serving)
    serving("spanner.v1", everywhere.Spanner({}, {}))
    serving("firestore.v1", everywhere.Firestore())
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    out, flags = tmp_path / "cloudfail.yaml", tmp_path / "flags"
    flags.mkdir()
    asked = ["discover", "gcp", "--account", PROJECT, "--application", "shop", "--out", str(out)]
    told = CliRunner().invoke(app, [*asked, "--region", EAST, "--region", WEST])
    assert told.exit_code == 0, told.output
    text = out.read_text(encoding="utf-8")
    assert text == draft("gcp", ALL, found(), "shop"), "the same project gives the same bytes"
    assert re.search(rf'{EAST}: {{provider: gcp, account: "{PROJECT}"}}', text)
    bare = config.load(out, [], {"gcp": provider})
    assert {one.kind for one in bare.topology.resources.values()} >= {"cloud-dns", "instance-group", "backend-service"}
    with listening() as port:
        out.write_text(filled_in(text, port, flags), encoding="utf-8")
        (tmp_path / "take-over.yaml").write_text(RUNBOOK, encoding="utf-8")
        loaded = config.load(out, [tmp_path / "take-over.yaml"], {"gcp": provider, "local": local})
        errors = [one for one in lint(loaded, source=EAST) if one.severity is Severity.ERROR]
        assert errors == []
        running = App(loaded, MemoryStore(), "alice")
        review = running.review(EAST, WEST, "take-over")
        assert review.plan.checksum
        assert google.seen(mutating=True) == []


@pytest.mark.parametrize(
    ("name", "region", "left"),
    [
        ("web-usc1", EAST, "web"),
        ("web-us-central1", EAST, "web"),
        ("web-c1", EAST, "web"),
        ("us-web", EAST, "web"),
        ("web-euw1", WEST, "web"),
        ("eu-web", WEST, "web"),
        ("web-europe", WEST, "web"),
        ("web", WEST, "web"),
    ],
)
def test_a_name_is_paired_without_what_names_its_region(name: str, region: str, left: str) -> None:
    words = words_of(REGIONS)
    assert stem(name, region, words) == left
    assert named_region(name, words) in (region, "")


def test_what_would_name_two_regions_names_none() -> None:
    words = words_of(("us-east1", "us-west1"))
    assert ("us",) not in words["us-east1"]
    assert named_region("web-us", words) == ""
    assert named_region("web-use1", words) == "us-east1"
    assert all(map(is_region, ("us-east1", "northamerica-northeast2", "me-central2", "europe-west12")))
    assert not any(map(is_region, ("us-east-1", "us-east1-b", "eu", "global")))
