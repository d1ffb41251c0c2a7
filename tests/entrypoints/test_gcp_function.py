"""The Cloud Function under Google's own functions-framework: HTTP for the scheduler, a CloudEvent for an alert."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail.entrypoints.serving import LIMIT, limit_seconds
from cloudfail.errors import Refused
from cloudfail.execution.lifecycle import Phase
from tests.entrypoints.google_service import Service
from tests.entrypoints.site import Site

pytestmark = pytest.mark.timeout(180)
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, automation="automatic", call_seconds=0.2)
    yield made
    made.close()


def _serving(site: Site, target: str, signature: str) -> Service:
    made = Service(site.root, {**site.environment(), "CLOUDFAIL_LIMIT_SECONDS": "14"}, target, signature)
    made.start()
    return made


@pytest.fixture
def by_http(site: Site) -> Iterator[Ask]:
    with contextlib.closing(_serving(site, "tick_http", "http")) as served:
        yield served.ask


@pytest.fixture
def by_event(site: Site) -> Iterator[Ask]:
    headers = {"ce-id": "1", "ce-source": "//pubsub", "ce-type": "alert", "ce-specversion": "1.0"}
    with contextlib.closing(_serving(site, "tick_event", "cloudevent")) as served:
        yield lambda method, body=None: served.ask(method, body, **headers)


def test_a_loss_is_acted_on_and_the_answer_says_what_stands(site: Site, by_http: Ask) -> None:
    assert site.cli("plan", "east", "--sign-for", "1h", "--as", "alice").returncode == 0
    site.healthy.discard("east")
    status, said = by_http("POST", {"message": "tick"})
    assert status == 200
    assert (said["run"], said["obligations"]) == (None, 0)
    assert site.run().phase is Phase.DONE and site.run().opened_by.startswith("function-")
    assert site.changes() == site.wanted()


def test_only_a_post_is_a_tick(site: Site, by_http: Ask) -> None:
    status, said = by_http("GET")
    assert status == 405
    assert "POST" in said["happened"]


def test_a_store_that_is_not_there_is_no_success(site: Site, by_http: Ask) -> None:
    path = site.root / "cloudfail.yaml"
    path.write_text(path.read_text().replace(f"sqlite:{site.root}/state.db", "postgresql://me:pw@127.0.0.1:1/state"))
    status, said = by_http("POST")
    assert (status, said["error"]) == (503, "StoreUnavailable")
    assert "Nothing is changed" in said["true_now"] and said["to_do"]
    assert "pw@" not in json.dumps(said)


def test_an_alert_wakes_it_and_nothing_that_it_says_is_believed(site: Site, by_event: Ask) -> None:
    assert site.cli("plan", "east", "--sign-for", "1h", "--as", "alice").returncode == 0
    status, _ = by_event("POST", {"incident": {"state": "open", "resource": "east"}})
    assert status == 200
    assert not site.changes()


@pytest.mark.parametrize("said", ["a minute", "-3", "0", "inf", "nan"])
def test_a_limit_that_is_no_time_is_refused_with_what_to_set(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(LIMIT, said)
    with pytest.raises(Refused) as raised:
        limit_seconds(60.0)
    assert said in raised.value.happened and f"{LIMIT}=60" in raised.value.to_do
    monkeypatch.setenv(LIMIT, "")
    assert limit_seconds(60.0) == 60.0
