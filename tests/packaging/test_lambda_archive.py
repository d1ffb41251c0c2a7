"""The archive for Lambda, unzipped beside Amazon's own interface client, and under Amazon's own emulator of the
service: by an interpreter that has nothing else, with the log in a DynamoDB table."""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.aws.conftest import aws, ministack, sdk  # noqa: F401
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.tables import TABLE_URL, create_table
from tests.emulators.loopback import free_port, running
from tests.entrypoints.lambda_service import HANDLER, Answer, Service
from tests.entrypoints.site import Site
from tests.packaging import machines, wheelhouse

FORGED = {"source": "aws.cloudwatch", "detail": {"alarmName": "east", "state": {"value": "ALARM"}}, "run": "evacuate"}
SCHEDULED = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
LIMIT_SECONDS = 10

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Machine:
    site: Site
    root: Path
    python: Path
    runtime: Path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    place = tmp_path_factory.mktemp("lambda")
    (place / "site").mkdir()
    site = Site(place / "site", state=TABLE_URL, automation="automatic", call_seconds=0.2)
    with contextlib.closing(site):
        built = machines.build("aws", site, place / "function.zip")
        root = machines.unzipped(built.file, place / "task")
        runtime = machines.installed(["awslambdaric"], place / "runtime")
        yield Machine(site, root, machines.interpreter(Path(sys.executable), place / "python"), runtime)


@pytest.fixture
def environment(machine: Machine, aws: Emulator, sdk: Any) -> dict[str, str]:  # noqa: F811
    machine.site.healthy = {"east", "west"}
    create_table(sdk)
    return machines.environment(**aws.environment(), PYTHONPATH=str(machine.runtime))


def test_it_looks_for_itself_whatever_the_event_says_and_acts_on_what_it_sees(
    machine: Machine, environment: dict[str, str], tmp_path: Path
) -> None:
    signed = machine.site.cli("plan", "east", "--sign-for", "1h", "--as", "alice")
    assert signed.returncode == 0, signed.stderr
    log = tmp_path / "log"
    service = Service(environment, str(machine.python), str(machine.root), str(log))

    def tick(event: dict[str, Any]) -> Answer:
        service.send(event, limit_seconds=LIMIT_SECONDS)
        answer = service.answer(60.0)
        assert answer is not None and answer.kind == "response", log.read_text()
        return answer

    with contextlib.closing(service):
        service.start()
        said = tick(FORGED).said
        assert (said["application"], said["primary"], said["run"]) == ("shop", "east", None)
        assert machines.ticked_until(
            lambda: machines.HEALTHY in machines.reasons(log.read_text())[-1], lambda: tick(FORGED)
        )
        assert not machines.acted(log.read_text()) and not machine.site.changes()
        machine.site.healthy.discard("east")
        # What it sees, it sees through observers of its own; what it does, it does with the archive's engine.
        moved = machines.ticked_until(lambda: machine.site.changes() == machine.site.wanted(), lambda: tick(SCHEDULED))
        assert moved, log.read_text()
    assert machine.site.run().opened_by.startswith("lambda-")


def test_under_amazons_own_emulator_a_tick_answers_with_the_applications_standing(
    machine: Machine, environment: dict[str, str], tmp_path: Path
) -> None:
    if not wheelhouse.RIE.exists():
        pytest.skip("Lambda's runtime interface emulator is not in .emulators: script/setup dev brings it.")
    port, inner = free_port(), free_port()
    line = [str(wheelhouse.RIE), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    line += ["--runtime-api-address", f"127.0.0.1:{inner}", str(machine.python), "-m", "awslambdaric", HANDLER]
    limits = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(LIMIT_SECONDS + 4), "AWS_LAMBDA_FUNCTION_NAME": "cloudfail"}
    address = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    answers: list[str] = []

    def tick() -> None:
        request = urllib.request.Request(address, data=json.dumps(FORGED).encode())
        with urllib.request.urlopen(request, timeout=60) as answered:
            answers.append(answered.read().decode())

    with running(line, port, tmp_path, {**environment, **limits}, stands=machine.root):
        # It ends what takes longer than the limit, and says so in words.
        assert machines.ticked_until(lambda: answers[-1].startswith("{"), tick), answers
    said = json.loads(answers[-1])
    assert (said.get("application"), said.get("primary"), said.get("run")) == ("shop", "east", None), said


def test_the_archive_names_no_place_of_the_machine_that_built_it(machine: Machine) -> None:
    home = str(wheelhouse.ROOT).encode()
    inside = [path for path in machine.root.rglob("*") if path.is_file()]
    assert len(inside) > 1000
    assert not [path for path in inside if home in path.read_bytes()]
