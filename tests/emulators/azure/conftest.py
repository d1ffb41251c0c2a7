"""What the tests against Azure stand on: Azurite for a module, a container for each test, and Resource Manager.
Its account and key are made up for the run."""

from __future__ import annotations

import base64
import itertools
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfail_azure import asking, clients
from tests.emulators.azure import front as all_of_azure
from tests.emulators.azure.front import Front
from tests.emulators.leaping import at_its_own_pace
from tests.emulators.loopback import EMULATORS, free_port, running

ACCOUNT = "cloudfailtests"
KEY = base64.b64encode(secrets.token_bytes(64)).decode()
_CONTAINERS = itertools.count(1)


def azurite() -> str | None:
    own = EMULATORS / "node_modules" / ".bin" / "azurite-blob"
    return str(own) if own.exists() else shutil.which("azurite-blob")


def connection_string(port: int) -> str:
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
    )


@pytest.fixture(autouse=True)
def own_pace() -> Iterator[None]:
    """What one test's throttling emptied, no other test waits for."""
    with at_its_own_pace(asking):
        yield


@pytest.fixture(scope="module")
def azurite_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binary = azurite()
    if binary is None or shutil.which("node") is None:
        pytest.skip("Azurite is not installed in .emulators: script/setup dev brings it, where npm is.")
    port = free_port()
    argv = [binary, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--skipApiVersionCheck"]
    argv += ["--inMemoryPersistence", "--disableTelemetry"]
    place: Path = tmp_path_factory.mktemp("azurite")
    with running(argv, port, place, {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}):
        yield port


@pytest.fixture
def azblob(azurite_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL of a container of this test's own; the environment names the emulator."""
    monkeypatch.setenv(clients.CONNECTION_STRING, connection_string(azurite_port))
    container = f"cloudfail-{next(_CONTAINERS)}"
    clients.new_service("", connection_string(azurite_port)).create_container(container)
    return f"azblob://{ACCOUNT}/{container}/state?region=westeurope"


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """All of Resource Manager at one address, in which nothing is served yet (`serving` mounts a state machine), and
    which clients find by their own variables. Whatever is wrong with a request or an answer fails the test."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with all_of_azure.front(tmp_path_factory.mktemp("azure")) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made
    assert not made.mistakes, "What Microsoft's own packages say is otherwise:\n" + "\n".join(made.mistakes)


@pytest.fixture
def serving(azure: Front) -> Callable[[str, Any], Any]:
    """Mounts a state machine for that package ("azure.mgmt.trafficmanager"). Returns the machine."""

    def mount(package: str, machine: Any) -> Any:
        azure.serve(package, machine)
        return machine

    return mount
