"""Who we are to AWS: STS in the region, else in another one, over the wire."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.app import App
from cloudfail.errors import Refused
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Region
from cloudfail.stores.memory import MemoryStore
from cloudfail_aws import provider
from cloudfail_aws.identity import identity_in
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.members import SOURCE, TARGET, topology

ROLE = f"arn:aws:iam::{ACCOUNT}:role/cloudfail-watch"


def test_it_is_asked_in_the_region_itself(cloud: Front) -> None:
    said = identity_in(topology(), TARGET, "", 5.0)
    assert isinstance(said, Known)
    assert said.value.account == ACCOUNT
    assert said.value.name.startswith("arn:aws:")
    assert {one.region for one in cloud.seen(service="sts")} == {TARGET}


def test_a_role_is_taken_on_to_ask_who_it_is(cloud: Front) -> None:
    said = identity_in(topology(), TARGET, ROLE, 5.0)
    assert isinstance(said, Known)
    assert said.value.account == ACCOUNT
    assert "assumed-role/cloudfail-watch/cloudfail" in said.value.name


@pytest.mark.parametrize("role", ["", ROLE])
def test_where_the_regions_sts_is_lost_another_regions_says_it(cloud: Front, role: str) -> None:
    cloud.outages.silence(service="sts", region=SOURCE)
    said = identity_in(topology(), SOURCE, role, 5.0)
    assert isinstance(said, Known), said
    assert said.value.account == ACCOUNT


def test_where_no_sts_answers_it_is_unknown_within_its_time(cloud: Front) -> None:
    cloud.outages.silence(service="sts")
    began = time.monotonic()
    said = identity_in(topology(), SOURCE, "", 5.0)
    assert isinstance(said, Unknown)
    assert f"STS in {SOURCE}" in said.reason
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "AccessDenied"])
def test_credentials_that_are_refused_are_unknown_and_nobody(cloud: Front, code: str) -> None:
    cloud.outages.fail(code, 403, service="sts")
    said = identity_in(topology(), SOURCE, "", 5.0)
    assert isinstance(said, Unknown)
    assert code in said.reason


def test_an_answer_that_breaks_off_is_no_account(cloud: Front) -> None:
    cloud.outages.cut(service="sts")
    assert isinstance(identity_in(topology(), SOURCE, "", 5.0), Unknown)


def test_regions_of_other_providers_and_of_other_names_are_no_places_of_sts(
    cloud: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", TARGET)
    whole = topology()
    mixed = replace(whole, regions={SOURCE: whole.regions[SOURCE], "berlin": Region("berlin", "local")})
    cloud.outages.refuse(service="sts", region=SOURCE)
    said = identity_in(mixed, SOURCE, "", 5.0)
    assert isinstance(said, Known)
    assert {one.region for one in cloud.seen(service="sts", met="ministack")} == {TARGET}


FILE = """
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-east-1: {{provider: aws, account: "{account}"}}
  us-west-2: {{provider: aws, account: "{account}"}}
primary: us-east-1
state: "memory:"
checks:
  web: {{tcp: "localhost:1", every: 100ms, timeout: 100ms}}
"""
RUNBOOK = """
name: look
mode: restore
steps:
  users: {action: verify.users, with: {check: web, where: "${to}"}, limit: 20s}
"""


def app_of(folder: Path, account: str) -> App:
    (folder / "cloudfail.yaml").write_text(FILE.format(account=account))
    (folder / "look.yaml").write_text(RUNBOOK)
    return App(config.load(folder / "cloudfail.yaml", [folder / "look.yaml"]), MemoryStore(), "alice")


def test_a_file_for_drills_is_refused_with_the_credentials_of_production(cloud: Front, tmp_path: Path) -> None:
    """The whole way: the provider by its entry point, STS over the wire."""
    with pytest.raises(Refused) as refused:
        app_of(tmp_path, "999999999999").review(SOURCE, TARGET, "look")
    assert f"of account {ACCOUNT}, and cloudfail.yaml says 999999999999" in refused.value.happened
    assert app_of(tmp_path, ACCOUNT).review(SOURCE, TARGET, "look").plan


def test_a_plan_is_made_while_no_sts_answers(cloud: Front, tmp_path: Path) -> None:
    cloud.outages.refuse(service="sts")
    app = app_of(tmp_path, "999999999999")
    assert app.review(SOURCE, TARGET, "look").plan
    assert all("is unknown" in one.sentence for one in app.who())


def test_the_account_of_a_role_stands_in_its_name() -> None:
    assert provider.account_of(ROLE) == ACCOUNT
