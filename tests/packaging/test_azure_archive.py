"""The archive for Azure under Microsoft's own library for Python functions, by an interpreter that has nothing else,
with the log in a container of blobs."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail_azure import clients
from tests.emulators.azure.conftest import ACCOUNT, azurite_port, connection_string  # noqa: F401
from tests.entrypoints.site import Site
from tests.packaging import azure_host, machines, wheelhouse

pytestmark = pytest.mark.timeout(240)
LIBRARIES = ".python_packages/lib/site-packages"


class Worker:
    """The process that the host starts: its answers one by one, and everything else that it says."""

    def __init__(self, python: Path, root: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [python, Path(azure_host.__file__).resolve(), root],
            env=environment, cwd=root.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        self.log: list[str] = []
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.functions = self.answer()["functions"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(azure_host.PREFIX):
                self._answers.put(json.loads(line.removeprefix(azure_host.PREFIX)))
            else:
                self.log.append(line)
        self._answers.put(None)

    def answer(self) -> dict[str, Any]:
        """The next one; it fails when the process has ended."""
        found = self._answers.get(timeout=60)
        assert found is not None, "".join(self.log)
        return found

    def invoke(self, function: str, **more: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"function": function, **more}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def reasons(self) -> list[str]:
        return machines.reasons("".join(self.log))

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, azurite_port: int) -> Iterator[Site]:  # noqa: F811
    clients.new_service("", connection_string(azurite_port)).create_container("archived")
    state = f"azblob://{ACCOUNT}/archived/state?region=westeurope"
    with contextlib.closing(Site(tmp_path_factory.mktemp("site"), state=state)) as made:
        yield made


@pytest.fixture(scope="module")
def worker(site: Site, tmp_path_factory: pytest.TempPathFactory, azurite_port: int) -> Iterator[Worker]:  # noqa: F811
    base = wheelhouse.python_for_azure()
    if base is None:
        pytest.skip("Microsoft's library for functions needs Python 3.13 or later, which is not on this machine.")
    version = wheelhouse.azure_python()
    place = tmp_path_factory.mktemp("azure")
    built = machines.build("azure", site, place / "function.zip", version)
    root = machines.unzipped(built.file, place / "wwwroot")
    runtime = machines.installed(["azure-functions-runtime"], place / "worker", version)
    environment = machines.environment(
        PYTHONPATH=f"{root / LIBRARIES}{os.pathsep}{runtime}",
        CLOUDFAIL_LIMIT_SECONDS="10",
        CLOUDFAIL_CONFIG="cloudfail.yaml",  # as the Terraform module sets it; the process stands elsewhere
        **{clients.CONNECTION_STRING: connection_string(azurite_port)},
    )
    with contextlib.closing(Worker(machines.interpreter(base, place / "python"), root, environment)) as made:
        yield made


def test_it_is_indexed_as_a_timer_of_six_fields_and_a_route_that_wants_a_key(worker: Worker) -> None:
    triggers = {one["name"]: one["bindings"][0] for one in worker.functions}
    assert sorted(triggers) == ["tick", "tick_http"]
    assert triggers["tick"]["type"] == "timerTrigger" and len(triggers["tick"]["schedule"].split()) == 6
    assert (triggers["tick_http"]["type"], triggers["tick_http"]["authLevel"]) == ("httpTrigger", "FUNCTION")


def test_it_looks_for_itself_whatever_a_caller_says(site: Site, worker: Worker) -> None:
    site.healthy = {"east", "west"}

    def tick() -> None:
        answer = worker.invoke(
            "tick_http", method="POST", body=json.dumps({"alert": "east is down", "run": "evacuate"})
        )
        assert (answer["status"], answer["code"]) == ("Success", "200"), answer
        said = json.loads(answer["body"])
        assert (said["application"], said["primary"], said["run"]) == ("shop", "east", None)

    assert machines.ticked_until(lambda: machines.HEALTHY in worker.reasons()[-1], tick), worker.log
    assert not site.changes()


def test_a_timers_tick_sees_a_loss_through_its_own_observers(site: Site, worker: Worker) -> None:
    site.healthy = {"west"}

    def tick() -> None:
        assert worker.invoke("tick") == {"status": "Success"}

    assert machines.ticked_until(lambda: machines.LOST in worker.reasons()[-1], tick), worker.log
    assert not site.changes()


def test_only_a_post_is_a_tick(worker: Worker) -> None:
    answer = worker.invoke("tick_http", method="GET")
    assert answer["code"] == "405" and "POST" in json.loads(answer["body"])["happened"]


def test_a_tick_that_cannot_look_is_no_success(site: Site, worker: Worker) -> None:
    path = Path(worker.process.args[2]) / "cloudfail.yaml"  # type: ignore[index]
    whole = path.read_text()
    path.write_text(whole.replace("archived/state", "gone/state"))
    try:
        answer = worker.invoke("tick_http", method="POST")
        assert answer["code"] == "503", answer
        said = json.loads(answer["body"])
        assert said["happened"] and said["to_do"]
        failed = worker.invoke("tick")
        assert failed["status"] == "Failure" and failed["exception"]
    finally:
        path.write_text(whole)
