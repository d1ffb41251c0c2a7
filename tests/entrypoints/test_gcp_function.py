"""The Cloud Function under Google's own functions-framework: HTTP for the scheduler, a CloudEvent for an alert."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail.entrypoints.serving import LIMIT, limit_seconds
from cloudfail.errors import Refused
from cloudfail.execution.lifecycle import Phase
from tests.entrypoints.site import Site

pytestmark = pytest.mark.timeout(180)
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, automation="automatic", call_seconds=0.2)
    yield made
    made.close()


def _serve(site: Site, target: str, signature: str) -> tuple[subprocess.Popen[bytes], int]:
    (site.root / "main.py").write_text("from cloudfail.entrypoints.gcp_function import tick_event, tick_http\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["-m", "functions_framework", "--target", target, "--signature-type", signature, "--source", "main.py"]
    served = subprocess.Popen(
        [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=site.root, env={**site.environment(), "CLOUDFAIL_LIMIT_SECONDS": "14"}, start_new_session=True,
    )  # fmt: skip
    ends = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return served, port
        assert time.monotonic() < ends and served.poll() is None, "functions-framework did not start"
        time.sleep(0.1)


def _ask(port: int, method: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        method=method,
        data=json.dumps(body or {}).encode() if method == "POST" else None,
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, said = error.code, error.read()
    return status, json.loads(said) if said.startswith(b"{") else said.decode()


@pytest.fixture
def by_http(site: Site) -> Iterator[Ask]:
    served, port = _serve(site, "tick_http", "http")
    yield lambda method, body=None: _ask(port, method, body)
    _end(served)


@pytest.fixture
def by_event(site: Site) -> Iterator[Ask]:
    served, port = _serve(site, "tick_event", "cloudevent")
    headers = {"ce-id": "1", "ce-source": "//pubsub", "ce-type": "alert", "ce-specversion": "1.0"}
    yield lambda method, body=None: _ask(port, method, body, **headers)
    _end(served)


def _end(served: subprocess.Popen[bytes]) -> None:
    os.killpg(served.pid, signal.SIGKILL)
    served.wait(10)


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
