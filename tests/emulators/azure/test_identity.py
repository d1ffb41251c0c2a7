"""Who acts on Azure, and in which subscription: told by the ids that are acted on, held against `account:`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.accounts import refuse_others, standings
from cloudfail.app import App
from cloudfail.errors import Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Identity, KnowsAccounts
from cloudfail.stores.memory import MemoryStore
from cloudfail_azure import provider
from cloudfail_azure.identity import identity_in
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import OWN, SUBSCRIPTION, Front
from tests.emulators.azure.standins.account import SUBSCRIPTIONS, Subscriptions
from tests.emulators.azure.standins.service_bus import ServiceBus
from tests.emulators.azure.used import Serve

pytestmark = pytest.mark.timeout(120)
WATCH, EXECUTE = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
DRILL, NET = "22222222-2222-3333-4444-555555555555", "33333333-2222-3333-4444-555555555555"
FILE = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  westeurope: {provider: azure, account: @ACCOUNT@ROLES}
  northeurope: {provider: azure, account: @ACCOUNT@ROLES}
primary: westeurope
state: "memory:"
resources:
  jobs:
    consumers: service-bus-queue
    members:
      westeurope: /subscriptions/@ID/resourceGroups/shop/providers/Microsoft.ServiceBus/namespaces/w/queues/jobs
      northeurope: /subscriptions/@ID/resourceGroups/shop/providers/Microsoft.ServiceBus/namespaces/n/queues/jobs
  www:
    dns: azure-dns
    zone: /subscriptions/@NET/resourceGroups/net/providers/Microsoft.Network/dnsZones/shop.example
    name: www.shop.example
    resolvers: [192.0.2.53]
    members: {westeurope: 192.0.2.1, northeurope: 192.0.2.2}
checks:
  web: {tcp: "localhost:1", every: 100ms, timeout: 100ms}
"""
RUNBOOK = """\
name: look
mode: restore
steps:
  users: {action: verify.users, with: {check: web, where: "${to}"}, limit: 20s}
"""
ROLES = f", roles: {{watch: {WATCH}, execute: {EXECUTE}}}"


@pytest.fixture
def subscriptions(azure: Front, serving: Serve) -> Subscriptions:
    made: Subscriptions = serving(SUBSCRIPTIONS, Subscriptions(SUBSCRIPTION, DRILL, NET))
    return made


def loaded(folder: Path, account: str = SUBSCRIPTION, within: str = SUBSCRIPTION, roles: str = ROLES) -> config.Loaded:
    written = FILE.replace("@ACCOUNT", account).replace("@ID", within).replace("@NET", NET).replace("@ROLES", roles)
    (folder / "cloudfail.yaml").write_text(written)
    (folder / "look.yaml").write_text(RUNBOOK)
    return config.load(folder / "cloudfail.yaml", [folder / "look.yaml"], {"azure": provider})


def who(of: config.Loaded) -> list[Any]:
    return list(standings(of.topology, {"azure": provider}, of.topology.regions))


def test_an_identity_acts_where_the_ids_say_and_only_looks_are_sent(
    tmp_path: Path, subscriptions: Subscriptions, azure: Front
) -> None:
    assert isinstance(provider, KnowsAccounts)
    found = who(loaded(tmp_path))
    assert [(one.region, one.does) for one in found] == [
        (WEST, "reads"), (WEST, "changes"), (NORTH, "reads"), (NORTH, "changes"),
    ]  # fmt: skip
    for one in found:
        assert one.found.value == Identity(SUBSCRIPTION, WATCH if one.does == "reads" else EXECUTE)
    refuse_others(found)
    assert {(one.operation, one.mutating) for one in azure.seen()} == {("subscriptions.list", False)}


def test_a_file_for_drills_whose_ids_are_of_production_is_refused(
    tmp_path: Path, subscriptions: Subscriptions, azure: Front, serving: Serve
) -> None:
    serving("azure.mgmt.servicebus", ServiceBus())
    of = loaded(tmp_path, account=DRILL)
    with pytest.raises(Refused) as refused:
        refuse_others(who(of))
    assert f"of account {SUBSCRIPTION}, and cloudfail.yaml says {DRILL}" in refused.value.happened
    with pytest.raises(Refused, match=DRILL):
        App(of, MemoryStore(), "alice").review(WEST, NORTH, "look")
    assert not any(one.differs for one in who(loaded(tmp_path, DRILL, DRILL)))


def test_a_name_whose_zone_is_in_another_subscription_is_no_such_id(
    tmp_path: Path, subscriptions: Subscriptions
) -> None:
    """It belongs to no region."""
    assert not any(one.differs for one in who(loaded(tmp_path)))


def test_a_subscription_is_the_same_in_any_case(tmp_path: Path, subscriptions: Subscriptions) -> None:
    upper = "aaaaaaaa-2222-3333-4444-55555555555a"
    subscriptions.seen = [upper]
    found = who(loaded(tmp_path, account=upper, within=upper.upper()))
    assert {one.found.value.account for one in found} == {upper}
    assert not any(one.differs for one in found)


def test_where_no_account_is_written_the_ids_say_it(tmp_path: Path, subscriptions: Subscriptions) -> None:
    loaded(tmp_path)
    text = (tmp_path / "cloudfail.yaml").read_text().replace(f"account: {SUBSCRIPTION}, ", "")
    (tmp_path / "cloudfail.yaml").write_text(text)
    of = config.load(tmp_path / "cloudfail.yaml", [], {"azure": provider})
    assert {one.found.value.account for one in who(of)} == {SUBSCRIPTION}
    assert all("names no account" in one.sentence for one in who(of))


def test_credentials_that_see_nothing_of_the_subscription_are_said_to_and_refuse_nothing(
    tmp_path: Path, subscriptions: Subscriptions
) -> None:
    subscriptions.seen = [DRILL]
    found = who(loaded(tmp_path))
    assert all(f"has no role in the subscription {SUBSCRIPTION}" in one.found.reason for one in found)
    refuse_others(found)


def test_the_process_itself_is_named_by_its_token(tmp_path: Path, subscriptions: Subscriptions) -> None:
    of = loaded(tmp_path, roles="")
    said = identity_in(of.topology, WEST, "", 1.0, provider.kinds(), lambda at: Known("alice@shop.example", at))
    assert said == Known(Identity(SUBSCRIPTION, "alice@shop.example"), 1.0)
    unnamed = identity_in(of.topology, WEST, "", 1.0, provider.kinds(), lambda at: Unknown("names nobody", at))
    assert unnamed == Unknown("names nobody", 1.0)
    assert [one.found.value.name for one in who(of)] == [OWN, OWN]


def test_an_identity_that_is_not_the_machines_is_unknown_and_refuses_nothing(
    tmp_path: Path, subscriptions: Subscriptions, azure: Front
) -> None:
    azure.nobody.add(EXECUTE)
    found = who(loaded(tmp_path))
    changes = [one for one in found if one.does == "changes"]
    assert all("cannot be taken on: it is not assigned to what runs this" in one.found.reason for one in changes)
    refuse_others(found)


@pytest.mark.parametrize("fault", ["refuse", "silence", "cut"])
def test_where_azure_does_not_answer_it_is_unknown_within_its_time(
    tmp_path: Path, subscriptions: Subscriptions, azure: Front, fault: str
) -> None:
    of = loaded(tmp_path)
    getattr(azure.outages, fault)(service="resource")
    began = time.monotonic()
    assert all(isinstance(one.found, Unknown) for one in who(of))
    assert time.monotonic() - began < 20.0


def test_where_an_identity_acts_is_not_in_its_name() -> None:
    assert provider.account_of(WATCH) == ""
