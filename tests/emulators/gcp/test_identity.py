"""Who acts on Google Cloud, and in whose project: told by the paths that are acted on, held against `account:`."""

from __future__ import annotations

import time
from collections.abc import Callable
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
from cloudfail_gcp import provider
from cloudfail_gcp.identity import identity_in
from cloudfail_gcp.roles import project_of_role
from cloudfail_gcp.sessions import LOOKING
from tests.emulators.gcp.balancing import EAST, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.gate import Gate, Tokens

pytestmark = pytest.mark.timeout(120)
WATCH, EXECUTE = "watcher@shop-ops.iam.gserviceaccount.com", "executor@shop-ops.iam.gserviceaccount.com"
NOTHING = {"roles": [], "bindings": [], "permissions": []}
FILE = """\
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-central1: {provider: gcp, account: @ACCOUNT@ROLES}
  europe-west1: {provider: gcp, account: @ACCOUNT@ROLES}
primary: us-central1
state: "memory:"
resources:
  web:
    compute: instance-group
    members:
      us-central1: projects/@PROJECT/regions/us-central1/instanceGroupManagers/web
      europe-west1: projects/@PROJECT/regions/europe-west1/instanceGroupManagers/web
  www: {dns: cloud-dns, project: shop-net, zone: shop, name: www.shop.example, members: {us-central1: 192.0.2.1, europe-west1: 192.0.2.2}}
checks:
  web: {tcp: "localhost:1", every: 100ms, timeout: 100ms}
"""  # noqa: E501
RUNBOOK = """\
name: look
mode: restore
steps:
  users: {action: verify.users, with: {check: web, where: "${to}"}, limit: 20s}
"""
ROLES = f", roles: {{watch: {WATCH}, execute: {EXECUTE}}}"
Serve = Callable[[str, Any], Any]


class Projects:
    """Resource Manager, which is asked by the process itself too: nobody holds it to anything."""

    def projects_test_iam_permissions(self, labels: dict[str, str], query: Any, body: Any) -> dict[str, Any]:
        return {}


@pytest.fixture
def tokens(google: Front, serving: Serve) -> Tokens:
    serving("cloudresourcemanager.v1", Projects())
    for document in ("compute.v1", "dns.v1"):
        serving(document, object())
    made: Tokens = serving("iamcredentials.v1", Tokens())
    return made


def loaded(folder: Path, account: str = "shop-prod", project: str = "shop-prod", roles: str = ROLES) -> config.Loaded:
    written = FILE.replace("@ACCOUNT", account).replace("@PROJECT", project).replace("@ROLES", roles)
    (folder / "cloudfail.yaml").write_text(written)
    (folder / "look.yaml").write_text(RUNBOOK)
    return config.load(folder / "cloudfail.yaml", [folder / "look.yaml"], {"gcp": provider})


def who(of: config.Loaded) -> list[Any]:
    return list(standings(of.topology, {"gcp": provider}, of.topology.regions))


def test_a_role_of_another_project_acts_where_the_paths_say_and_nothing_is_refused(
    tmp_path: Path, tokens: Tokens, google: Front
) -> None:
    assert isinstance(provider, KnowsAccounts)
    found = who(loaded(tmp_path))
    assert [(one.region, one.does) for one in found] == [
        (EAST, "reads"), (EAST, "changes"), (WEST, "reads"), (WEST, "changes"),
    ]  # fmt: skip
    for one in found:
        role = WATCH if one.does == "reads" else EXECUTE
        assert one.found.value == Identity("shop-prod", f"{role} (a service account of shop-ops)")
    refuse_others(found)
    assert {scopes for _, scopes in tokens.given} == {LOOKING}, "nobody was taken on to change anything"
    assert google.count(mutating=True, service="cloudresourcemanager") == 0


def test_a_file_for_drills_whose_paths_are_of_production_is_refused(tmp_path: Path, tokens: Tokens) -> None:
    of = loaded(tmp_path, account="shop-drill")
    with pytest.raises(Refused) as refused:
        refuse_others(who(of))
    assert "of account shop-prod, and cloudfail.yaml says shop-drill" in refused.value.happened
    with pytest.raises(Refused, match="shop-drill"):
        App(of, MemoryStore(), "alice").review(EAST, WEST, "look")
    good = App(loaded(tmp_path, "shop-drill", "shop-drill"), MemoryStore(), "alice")
    assert good.review(EAST, WEST, "look").plan


def test_a_name_whose_zone_is_kept_in_another_project_is_no_such_path(tmp_path: Path, tokens: Tokens) -> None:
    """It belongs to no region, and its project is written beside it."""
    assert not any(one.differs for one in who(loaded(tmp_path)))


def test_where_no_account_is_written_the_paths_say_it(tmp_path: Path, tokens: Tokens) -> None:
    of = loaded(tmp_path)
    text = (tmp_path / "cloudfail.yaml").read_text().replace("account: shop-prod, ", "")
    (tmp_path / "cloudfail.yaml").write_text(text)
    of = config.load(tmp_path / "cloudfail.yaml", [], {"gcp": provider})
    assert {one.found.value.account for one in who(of)} == {"shop-prod"}
    assert all("names no account" in one.sentence for one in who(of))


def test_credentials_that_name_nobody_are_said_to(tmp_path: Path, tokens: Tokens) -> None:
    of = loaded(tmp_path, roles="")
    said = identity_in(of.topology, EAST, "", 1.0, provider.kinds(), lambda at: Unknown("of no service account", at))
    assert said == Known(Identity("shop-prod", "whom these credentials do not name"), 1.0)


def test_a_role_that_cannot_be_taken_on_is_unknown_and_refuses_nothing(tmp_path: Path, tokens: Tokens) -> None:
    tokens.closed.add(EXECUTE)
    found = who(loaded(tmp_path))
    changes = [one for one in found if one.does == "changes"]
    assert all(isinstance(one.found, Unknown) and "getAccessToken" in one.found.reason for one in changes)
    refuse_others(found)


@pytest.mark.parametrize("fault", ["refuse", "silence", "cut"])
def test_where_google_does_not_answer_it_is_unknown_within_its_time(
    tmp_path: Path, tokens: Tokens, google: Front, fault: str
) -> None:
    of = loaded(tmp_path)
    getattr(google.outages, fault)(service="cloudresourcemanager")
    began = time.monotonic()
    assert all(isinstance(one.found, Unknown) for one in who(of))
    assert time.monotonic() - began < 20.0


def test_credentials_that_google_refuses_are_unknown(tmp_path: Path, tokens: Tokens, google: Front) -> None:
    google.gate = Gate({"somebody@else.iam.gserviceaccount.com": NOTHING})
    found = who(loaded(tmp_path))
    assert all(isinstance(one.found, Unknown) for one in found)
    refuse_others(found)


def test_the_project_of_a_service_account_stands_in_its_address() -> None:
    assert project_of_role(WATCH) == "shop-ops"
    assert project_of_role("shop-prod@appspot.gserviceaccount.com") == "shop-prod"
    assert project_of_role("123456-compute@developer.gserviceaccount.com") == ""
    assert provider.account_of(WATCH) == "", "it is not said by it where it acts"
