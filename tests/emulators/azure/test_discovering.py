"""`cloudfail discover azure` over a subscription with one of everything: what it finds, asks, and does not touch."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
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
from cloudfail_azure import provider
from cloudfail_azure.discovering import NOT_DRAFTED, discover, drafted
from cloudfail_azure.discovering.permissions import ACTIONS
from cloudfail_azure.discovering.regions import is_region, parts, words_of
from cloudfail_local import provider as local
from tests.emulators.azure import everything
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.everything import ADDRESS, DOOR, PROFILE, REGIONS, SHORT, P
from tests.emulators.azure.front import OWN, SUBSCRIPTION, Ask, Front, front
from tests.emulators.azure.gate import Document, Gate, without
from tests.emulators.azure.standins.scale_sets import AutoscaleSettings, ScaleSets
from tests.emulators.azure.standins.subscription import PAGE, Everything, Listing, resource
from tests.emulators.azure.standins.traffic_manager import TrafficManager
from tests.emulators.listening import listening

pytestmark = pytest.mark.timeout(600)
ALL = Wanted(REGIONS, account=SUBSCRIPTION)
LOOKER = "aaaaaaaa-0000-0000-0000-000000000001"
SECOND = "22222222-2222-3333-4444-555555555555"
Serve = Callable[[str, Any], Any]


@pytest.fixture
def subscription(azure: Front, serving: Serve) -> Front:
    everything.mount(serving)
    return azure


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Discovered]:
    """What is found there, once for whoever looks at it alone."""
    with front(tmp_path_factory.mktemp("azure")) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment().items():
            patch.setenv(name, value)
        everything.mount(made.serve)
        yield found()
    assert not made.mistakes, made.mistakes


def found(wanted: Wanted = ALL) -> Discovered:
    assert isinstance(provider, Discovers)
    return provider.discover(wanted)


def by_name(discovered: Discovered) -> dict[str, Found]:
    return {f"{one.kind} {one.name}": one for one in discovered.found}


def asked(said: Discovered, *words: str) -> list[str]:
    """The questions with all of these words in them."""
    return [one for one in said.asks if all(word in one for word in words)]


def test_every_kind_is_found_or_it_is_said_why_not(said: Discovered) -> None:
    """A kind without a finder is named here: give it a family, or a reason in NOT_DRAFTED."""
    served = set(provider.kinds())
    assert served - set(drafted()) - set(NOT_DRAFTED) == set()
    assert not set(NOT_DRAFTED) & set(drafted())
    assert all(NOT_DRAFTED.values())
    assert {(one.port, one.kind) for one in said.found} == served - set(NOT_DRAFTED), "one of each stands here"


def test_workers_are_paired_by_their_names_with_what_sizes_them(said: Discovered) -> None:
    there = by_name(said)
    assert there["scale-set web"].members == {
        WEST: everything.SETS[WEST],
        NORTH: {"scale_set": everything.SETS[NORTH], "autoscale": everything.SETTING},
    }
    assert "see whether that is right" in there["scale-set web"].why
    assert there["scale-set batch"].members == everything.BATCH
    assert asked(said, "lonely", NORTH)
    assert "aks-main" not in f"{said.found}{said.asks}", "AKS scales its sets itself"


def test_names_are_found_by_what_has_their_addresses(said: Discovered) -> None:
    there = by_name(said)
    www, api = there["azure-dns www"], there["azure-dns api"]
    assert www.options == {"zone": everything.ZONE, "name": "www.shop.example", "ttl": "60s"}
    assert www.members == ADDRESS
    assert api.options["zone"] == everything.PRIVATE_ZONE
    assert api.members == everything.INSIDE
    assert "inside of the private zone" in api.remarks[0]
    assert asked(said, "one.shop.example A answers with westeurope alone")
    assert asked(said, "host.shop.example CNAME answers with westeurope alone")
    assert asked(said, "half.shop.example", "198.51.100.7 stand for?")
    assert asked(said, "alias.shop.example is an alias", NORTH)
    for name in ("elsewhere", "front.shop", "both.inside"):
        assert not asked(said, name), "it leads to none of these regions, or nobody can say to which"


def test_profiles_and_origin_groups_are_found_by_where_their_members_lead(said: Discovered) -> None:
    there = by_name(said)
    shop, near = there["traffic-manager shop-traffic"], there["traffic-manager near-traffic"]
    assert shop.options == {"profile": f"{PROFILE}/shop"}
    assert shop.members == {
        WEST: f"{PROFILE}/shop/externalEndpoints/e2",
        NORTH: f"{PROFILE}/shop/azureEndpoints/e1",
    }
    assert near.options["routing"] == "performance"
    web, api = there["front-door edge-web-traffic"], there["front-door edge-api-traffic"]
    assert web.options == {"origin_group": f"{DOOR}/originGroups/web"}
    assert api.options["routing"] == "weighted"
    for one, group in ((web, "web"), (api, "api")):
        above = f"{DOOR}/originGroups/{group}/origins"
        assert one.members == {WEST: f"{above}/a", NORTH: f"{above}/b"}
    assert asked(said, "by-place", "Geographic")
    assert asked(said, f"{PROFILE}/unsaid/externalEndpoints/e2", "stand for?")
    assert asked(said, "crowded", "not one of its members")
    assert not asked(said, f"{PROFILE}/one")
    assert "classic" not in f"{said.found}{said.asks}"


def test_a_server_with_a_replica_is_drafted_and_says_where_home_is(said: Discovered) -> None:
    orders = by_name(said)["postgresql-flexible orders-w"]
    assert orders.members == {region: {"server": id_} for region, id_ in everything.SERVERS.items()}
    assert 'dsn: "host=orders-n.postgres.database.azure.com' in orders.blanks[NORTH][0]
    assert not asked(said, "orders-w-alone")
    assert "orders-w-alone" not in str(said.found)
    assert said.primary == WEST
    assert said.primary_why == (
        "the primary: shop leads to it first, web leads to it first, where databases take writes"
    )


def test_where_two_replicas_stand_in_one_region_a_person_is_asked(azure: Front, serving: Serve) -> None:
    everything.mount(serving)
    second = everything.servers()[1] | {"id": f"{everything.SERVERS[NORTH]}-2", "name": "orders-n-2"}
    serving("azure.mgmt.postgresqlflexibleservers", Listing([*everything.servers(), second], LIST_SERVERS))
    said = found()
    assert not any(one.kind == "postgresql-flexible" for one in said.found)
    assert asked(said, everything.SERVERS[NORTH], f"{everything.SERVERS[NORTH]}-2", "which one")


LIST_SERVERS = "servers_list_by_subscription"


def test_queues_rules_and_tables_are_found_or_asked_about(said: Discovered) -> None:
    there = by_name(said)
    assert there["service-bus-queue shop/orders"].members == {
        region: f"{space}/queues/orders" for region, space in everything.SPACE.items()
    }
    assert asked(said, "shop-w/mails", "alone")
    (rule,) = (one for one in said.found if one.port is PortName.SIGNALS)
    assert rule.members == everything.RULES
    assert not asked(said, "metricAlerts"), "what is off, stateless, wide or of both regions is no signal of one"
    (table,) = asked(said, "route-table")
    assert "10.20.0.0/16 to 10.1.0.4" in table
    assert everything.TABLE in table


SQL_GROUPS = {region: {"group": f"{id_}/failoverGroups/ledger"} for region, id_ in everything.SQL.items()}
PLANNED = {region: {"plan": everything.PLANS[region], "site": id_} for region, id_ in everything.APPS.items()}
UNSERVED = {
    "container-app api": everything.CONTAINERS,
    "app-service shop": PLANNED,
    "aks-pool core/workers": {region: f"{id_}/agentPools/workers" for region, id_ in everything.CLUSTERS.items()},
    "mysql-flexible carts-w": {region: {"server": id_} for region, id_ in everything.MYSQL.items()},
    "sql-failover-group ledger": SQL_GROUPS,
    "service-bus-subscription shop/paid/mail": {
        region: f"{id_}/topics/paid/subscriptions/mail" for region, id_ in everything.SPACE.items()
    },
    "function-app jobs/nightly": {region: f"{id_}/functions/nightly" for region, id_ in everything.JOBS.items()},
    "event-grid-subscription paid": everything.EVENTS,
}
"""What is found of kinds that need not be served, as each of them takes it."""


def test_what_no_kind_here_serves_is_asked_about_and_drafted_once_there_is_one(subscription: Front) -> None:
    """Nothing here has to change for it."""
    late = {(port, kind) for port, kind in drafted() if any(name.split()[0] == kind for name in UNSERVED)}
    assert len(late) == len(UNSERVED)
    kinds = {name: kind for name, kind in provider.kinds().items() if name not in late}
    bare = discover(ALL, kinds)
    for port, kind in late:
        assert len(asked(bare, f"Nothing here drafts {port}: {kind} of {WEST}")) == 1
    build = next(iter(kinds.values())).build
    there = by_name(discover(ALL, {**kinds, **{name: Kind(*name, build, member=_Anything) for name in late}}))
    assert {name: there[name].members for name in UNSERVED} == UNSERVED
    assert there["mysql-flexible carts-w"].blanks == {}
    assert 'url: "mssql://USER@ledger-n.database.windows.net"' in there["sql-failover-group ledger"].blanks[NORTH][0]


class _Anything:
    @staticmethod
    def model_validate(member: Any) -> Any:
        return member


def test_an_account_of_cosmos_db_is_asked_about_with_what_to_write(said: Discovered) -> None:
    (question,) = asked(said, "Cosmos DB")
    assert f"account: {everything.COSMOS}, documents: DATABASE/CONTAINER" in question
    assert f'{NORTH}: "https://sessions-{NORTH}.documents.azure.com:443/"' in question
    assert "database: cosmos-db," in question


def test_a_draft_of_all_of_it_loads_and_the_same_subscription_gives_the_same_bytes(
    subscription: Front, tmp_path: Path
) -> None:
    out = tmp_path / "cloudfail.yaml"
    out.write_text(draft("azure", ALL, found(), "shop"), encoding="utf-8")
    resources = config.load(out, [], {"azure": provider}).topology.resources
    assert {(one.port, one.kind) for one in resources.values()} == set(provider.kinds()) - set(NOT_DRAFTED)
    assert out.read_text(encoding="utf-8") == draft("azure", ALL, found(), "shop")


def test_it_only_reads_as_the_role_that_was_named_each_list_once(subscription: Front) -> None:
    said = found(replace(ALL, role=LOOKER))
    assert said.unread == ()
    assert subscription.seen(mutating=True) == []
    assert {one.by for one in subscription.seen()} == {LOOKER}
    firsts = [one for one in subscription.seen() if one.operation == "resources.list"]
    pages = -(-len(everything.listed()) // PAGE)
    assert len(firsts) == pages, "whoever needs it"


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    """What `cloudfail iam azure --discover` prints, with the subscription written in its place. It needs no file."""
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["iam", "azure", "--discover", "--files", "roles"])
    assert shown.exit_code == 0, shown.output
    assert "cannot be named before" in shown.stderr
    document = json.loads(shown.stdout)
    (role,) = document["roles"]
    (file,) = Path("roles").iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == role
    assert [line.rpartition(" ")[2] for line in document["commands"]] == [file.name, "/subscriptions/SUBSCRIPTION"]
    assert role["Actions"] == sorted(ACTIONS) and all(one.endswith("/read") for one in ACTIONS)
    assert all("#microsoft" in one["page"] for one in document["actions"])
    assert "in the place of SUBSCRIPTION" in document["place"]
    written: Document = json.loads(shown.stdout.replace("SUBSCRIPTION", SUBSCRIPTION))
    return written


def test_it_finds_all_of_it_under_exactly_what_is_printed(subscription: Front, printed: Document) -> None:
    """A gate holds each request to it, and each of its actions is of some request."""
    whole = found()
    subscription.gate = gate = Gate({LOOKER: printed})
    said = found(replace(ALL, role=LOOKER))
    assert said.unread == ()
    assert said.found == whole.found
    assert gate.needed() == {(LOOKER, action) for action in ACTIONS}
    (grant,) = provider.discovery()
    assert grant.actions == ACTIONS


def test_what_the_role_may_not_read_is_named_with_the_action(subscription: Front, printed: Document) -> None:
    action = "Microsoft.Network/routeTables/read"
    (less,) = [less for what, less in without(printed) if what == action]
    subscription.gate = Gate({LOOKER: less})
    (unread,) = found(replace(ALL, role=LOOKER)).unread
    assert action in unread and "AuthorizationFailed" in unread


@pytest.mark.parametrize(
    ("service", "gone"),
    [
        ("cdn", {"front-door"}),
        ("dns", set()),
        ("postgresqlflexibleservers", {"postgresql-flexible"}),
    ],
)
def test_what_cannot_be_listed_is_named_and_spoils_nothing_beside_it(
    subscription: Front, service: str, gone: set[str]
) -> None:
    whole = found()
    subscription.outages.fail("AuthorizationFailed", 403, "No.", service=service)
    said = found()
    assert said.unread
    assert all("could not be listed: 403 AuthorizationFailed No" in one for one in said.unread)
    assert {one.kind for one in whole.found} - gone == {one.kind for one in said.found}


def test_what_a_subscription_is_not_registered_for_is_not_there(subscription: Front) -> None:
    subscription.outages.fail("MissingSubscriptionRegistration", 409, service="servicebus")
    said = found()
    assert said.unread == ()
    assert not any(one.kind == "service-bus-queue" for one in said.found)


def test_a_list_whose_pages_break_off_counts_as_not_read(subscription: Front) -> None:
    subscription.outages.repeat_page(operation="resources.list")
    said = found()
    assert [one for one in said.unread if one.startswith("resources of /subscriptions/")]
    assert not any(one.kind in ("scale-set", "azure-dns", "front-door") for one in said.found)


def test_only_what_carries_the_tag_is_shown_in_any_case_of_its_name(subscription: Front) -> None:
    said = found(replace(ALL, tag=("Application", "shop")))
    untagged = "event-grid-subscription"
    tagged = {"azure-dns", "service-bus-queue", "service-bus-subscription"}
    assert {one.kind for one in said.found} == {*tagged, untagged}
    assert {one.kind for one in found(replace(ALL, tag=("application", "books"))).found} == {untagged}


def test_a_region_is_in_the_subscription_in_which_its_things_stand(azure: Front, serving: Serve) -> None:
    def of(subscription: str, region: str) -> dict[str, Any]:
        id_ = f"/subscriptions/{subscription}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets"
        return resource(f"{id_}/web-{SHORT[region]}", region)

    everything.mount(serving)
    bodies = [of(SUBSCRIPTION, WEST), of(SECOND, NORTH)]
    serving("azure.mgmt.resource.resources", Everything(bodies))
    said = found(replace(ALL, account=f"{SUBSCRIPTION},{SECOND}"))
    assert said.accounts == {WEST: SUBSCRIPTION, NORTH: SECOND}
    assert by_name(said)["scale-set web"].members == {WEST: bodies[0]["id"], NORTH: bodies[1]["id"]}


def test_without_a_subscription_nothing_is_asked(subscription: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Refused, match="--account"):
        found(Wanted(REGIONS))
    with pytest.raises(Refused, match="no id of a subscription"):
        found(Wanted(REGIONS, account="shop"))
    with pytest.raises(Refused, match="no region"):
        found(Wanted(("West Europe",), account=SUBSCRIPTION))
    with pytest.raises(Refused, match="managed identity"):
        found(replace(ALL, role="shop"))
    assert subscription.seen() == []
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert set(found(Wanted(REGIONS)).accounts.values()) == {SUBSCRIPTION}
    assert {one.by for one in subscription.seen()} == {OWN}


# ---- a draft is filled in, linted and planned


def filled_in(text: str, port: int, flags: Path) -> str:
    """As a person does it: what the draft's comments ask for, and nothing else."""

    def instead(old: str, new: str) -> None:
        nonlocal text
        assert text.count(old) == 1, old
        text = text.replace(old, new)

    instead("objectives: {rto: 60m, rpo: 0s}", "objectives: {rto: 30m, rpo: 30s}")
    instead("state: sqlite:state.db", "state: azblob://shopcloudfail/state/shop?region=swedencentral")
    instead("resources:\n", "resources:\n  deploys:\n    change: flag\n    provider: local\n"
            f"    directory: {flags}\n    members: {{{WEST}: w, {NORTH}: n}}\n")  # fmt: skip
    check = f'users: {{tcp: "127.0.0.1:{port}", every: 1s, timeout: 1s, fall: 2, rise: 1, vantages: 2 of 3}}'
    return f"{text}checks:\n  {check}\nvantages: {{one: {{}}, two: {{}}, three: {{}}}}\npolicy: {{scope: site}}\n"


RUNBOOK = """\
name: take-over
mode: failover
steps:
  freeze:   {action: change.freeze,  with: {where: "${to}"}, limit: 1m}
  hold:     {action: compute.hold,   with: {group: web}, needs: [freeze], limit: 2m}
  workers:  {action: compute.scale,  with: {group: web, like: "recorded ${from}"}, needs: [hold], limit: 2m}
  traffic:  {action: traffic.switch, with: {name: shop-traffic, to: "${to}"}, needs: [workers], limit: 2m}
  users:    {action: verify.users,   with: {check: users}, needs: [traffic], limit: 1m}
  unfreeze: {action: change.unfreeze, with: {where: "${to}"}, needs: [users], limit: 1m}
"""


@pytest.fixture
def application(azure: Front, serving: Serve) -> Iterator[Front]:
    """Scale sets behind a profile, and nothing else: machines that can be read, not lists alone."""
    with contextlib.closing(ScaleSets()) as sets, contextlib.ExitStack() as stack:
        profiles = TrafficManager()
        profile = profiles.profile("shop", "Priority")
        for at, region in enumerate(REGIONS, 1):
            sets.scale_set(f"web-{SHORT[region]}", region, 1)
            target = stack.enter_context(listening())
            profiles.endpoint(profile, region, target, region, priority=at, weight=1)
        autoscaling = AutoscaleSettings(sets)
        for region in REGIONS:
            name = f"web-{SHORT[region]}"
            autoscaling.setting(name, f"{P}/Microsoft.Compute/virtualMachineScaleSets/{name}", 1, (1, 4, 1))
        told = profiles.at(profile) | {"properties": profiles.at(profile)["properties"] | {"endpoints": [
            {key: value for key, value in one.items() if key != "etag"}
            for one in profiles.below(f"{profile}/externalEndpoints")
        ]}}  # fmt: skip
        bodies = [sets.at(f"{P}/Microsoft.Compute/virtualMachineScaleSets/web-{SHORT[one]}") for one in REGIONS]
        typed = [resource(one["id"], one["location"]) for one in bodies]
        serving("azure.mgmt.resource.resources", Everything(typed))
        listing = Listing([{key: value for key, value in told.items() if key != "etag"}], LIST_PROFILES,
                          machine=profiles)  # fmt: skip
        serving("azure.mgmt.trafficmanager", listing)
        serving("azure.mgmt.compute", sets)
        serving("azure.mgmt.monitor", Listing(list(sets.settings.values()), *LIST_WATCHED, machine=autoscaling))
        serving("azure.mgmt.network", Listing([], *LIST_NETWORK))
        for package, lists in EMPTY.items():
            serving(package, Listing([], lists))
        serving("azure.mgmt.eventgrid", NoEvents())
        yield azure


class NoEvents:
    def event_subscriptions_list_regional_by_subscription(self, ask: Ask) -> dict[str, Any]:
        return {"value": []}


EMPTY = {
    "azure.mgmt.postgresqlflexibleservers": LIST_SERVERS,
    "azure.mgmt.mysqlflexibleservers": "servers_list",
    "azure.mgmt.cosmosdb": "database_accounts_list",
    "azure.mgmt.web": "web_apps_list",
}


LIST_PROFILES = "profiles_list_by_subscription"
LIST_WATCHED = ("autoscale_settings_list_by_subscription", "metric_alerts_list_by_subscription")
LIST_NETWORK = ("public_ip_addresses_list_all", "load_balancers_list_all", "route_tables_list_all")


def test_a_draft_with_its_blanks_filled_in_lints_and_is_planned(
    application: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    out, flags = tmp_path / "cloudfail.yaml", tmp_path / "flags"
    flags.mkdir()
    command = ["discover", "azure", "--account", SUBSCRIPTION, "--application", "shop", "--out", str(out)]
    told = CliRunner().invoke(app, [*command, "--region", WEST, "--region", NORTH])
    assert told.exit_code == 0, told.output
    text = out.read_text(encoding="utf-8")
    assert text == draft("azure", ALL, found(), "shop")
    assert re.search(rf'{WEST}: {{provider: azure, account: "{SUBSCRIPTION}"}}', text)
    assert f"primary: {WEST}" in text
    with listening() as port:
        out.write_text(filled_in(text, port, flags), encoding="utf-8")
        (tmp_path / "take-over.yaml").write_text(RUNBOOK, encoding="utf-8")
        loaded = config.load(out, [tmp_path / "take-over.yaml"], {"azure": provider, "local": local})
        assert {one.kind for one in loaded.topology.resources.values()} == {"flag", "scale-set", "traffic-manager"}
        errors = [one for one in lint(loaded, source=WEST) if one.severity is Severity.ERROR]
        assert errors == []
        review = App(loaded, MemoryStore(), "alice").review(WEST, NORTH, "take-over")
        assert review.plan.checksum
        assert review.refusals == []
        assert application.seen(mutating=True) == []


@pytest.mark.parametrize(
    ("name", "region", "left"),
    [
        ("web-weu", WEST, "web"),
        ("web-westeurope", WEST, "web"),
        ("west-europe-web", WEST, "web"),
        ("web-euw", WEST, "web"),
        ("web-w", WEST, "web"),
        ("we-web", WEST, "web"),
        ("web-neu", NORTH, "web"),
        ("web", NORTH, "web"),
        ("web-eus2", "eastus2", "web"),
        ("web-eastus2", "eastus2", "web"),
        ("web-uks", "uksouth", "web"),
        ("web-scus", "southcentralus", "web"),
    ],
)
def test_a_name_is_paired_without_what_names_its_region(name: str, region: str, left: str) -> None:
    words = words_of((region, "japaneast"))
    assert stem(name, region, words) == left
    assert named_region(name, words) in (region, "")


def test_what_would_name_two_regions_names_none() -> None:
    words = words_of(REGIONS)
    assert ("europe",) not in words[WEST]
    assert named_region("web-europe", words) == ""
    assert named_region("web-neu", words) == NORTH
    twins = words_of(("eastus", "eastus2"))
    assert named_region("web-eastus", twins) == "eastus"
    assert named_region("web-eastus2", twins) == "eastus2"


def test_regions_are_made_of_a_way_an_area_and_a_number() -> None:
    assert parts("westeurope") == ("west", "europe", "")
    assert parts("southcentralus") == ("southcentral", "us", "")
    assert parts("eastus2") == ("east", "us", "2")
    assert parts("swedencentral") == ("central", "sweden", "")
    assert parts("southafricanorth") == ("north", "southafrica", "")
    assert parts("nowhere") == ("", "", "")
    assert not any(map(is_region, ("West Europe", "west-europe", "us-east-1", "global", "")))
