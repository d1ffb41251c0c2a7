"""The archive for Google, unzipped beside what its requirements.txt brings: under Google's own functions-framework, by
an interpreter that has nothing else, with the log in a bucket."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.emulators.gcp.conftest import LOCATION, gcs_port  # noqa: F401
from tests.emulators.loopback import free_port, running
from tests.entrypoints.site import Site
from tests.packaging import machines

pytestmark = pytest.mark.timeout(240)
EVENT = {"ce-id": "1", "ce-source": "//pubsub", "ce-type": "alert", "ce-specversion": "1.0"}


@dataclass(frozen=True)
class Machine:
    site: Site
    root: Path
    python: Path
    environment: Mapping[str, str]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, gcs_port: int) -> Iterator[Machine]:  # noqa: F811
    place = tmp_path_factory.mktemp("google")
    (place / "site").mkdir()
    made = requests.post(
        f"http://127.0.0.1:{gcs_port}/storage/v1/b", params={"project": "test"}, json={"name": "archived"}, timeout=10
    )
    assert made.status_code == 200
    with contextlib.closing(Site(place / "site", state=f"gs://archived/state?location={LOCATION}")) as site:
        built = machines.build("gcp", site, place / "function.zip")
        root = machines.unzipped(built.file, place / "workspace")
        # As Google's build does: what the archive's own requirements.txt names, and by its hashes.
        wanted = ["--require-hashes", "-r", str(root / "requirements.txt")]
        runtime = machines.installed(wanted, place / "layer")
        environment = machines.environment(
            PYTHONPATH=str(runtime),
            STORAGE_EMULATOR_HOST=f"127.0.0.1:{gcs_port}",
            CLOUDFAIL_LIMIT_SECONDS="10",
        )
        yield Machine(site, root, machines.interpreter(Path(sys.executable), place / "python"), environment)


@contextlib.contextmanager
def serving(machine: Machine, target: str, signature: str, place: Path) -> Iterator[int]:
    port = free_port()
    line = [str(machine.python), "-m", "functions_framework", "--target", target, "--signature-type", signature]
    line += ["--source", "main.py", "--host", "127.0.0.1", "--port", str(port)]
    with running(line, port, place, machine.environment, stands=machine.root):
        yield port


def ask(port: int, method: str, body: Any, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        method=method,
        data=json.dumps(body).encode() if method == "POST" else None,
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_looks_for_itself_whatever_a_caller_says(machine: Machine, tmp_path: Path) -> None:
    machine.site.healthy = {"east", "west"}

    def log() -> str:
        return (tmp_path / "server.log").read_text()

    with serving(machine, "tick_http", "http", tmp_path) as port:

        def tick() -> None:
            status, text = ask(port, "POST", {"incident": {"state": "open", "resource": "east"}, "run": "evacuate"})
            assert status == 200, text
            said = json.loads(text)
            assert (said["application"], said["primary"], said["run"]) == ("shop", "east", None)

        assert machines.ticked_until(lambda: machines.HEALTHY in machines.reasons(log())[-1], tick), log()
        machine.site.healthy.discard("east")
        # What it sees, it sees through observers of its own, out of the archive.
        assert machines.ticked_until(lambda: machines.LOST in machines.reasons(log())[-1], tick), log()
        assert ask(port, "GET", None)[0] == 405
    assert not machine.site.changes()


def test_an_alerts_event_is_a_tick(machine: Machine, tmp_path: Path) -> None:
    machine.site.healthy = {"east", "west"}
    with serving(machine, "tick_event", "cloudevent", tmp_path) as port:
        status, text = ask(port, "POST", {"incident": {"state": "open", "resource": "east"}}, **EVENT)
    assert status == 200, text
    ticked = [line for line in machines.said((tmp_path / "server.log").read_text()) if line["event"] == "ticked"]
    assert [(line["application"], line["run"]) for line in ticked] == [("shop", None)]
    assert not machine.site.changes()
