"""One Azurite for a module's tests, and a container for each test. Its account and key are made up for the run."""

from __future__ import annotations

import base64
import itertools
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail_azure import clients
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
