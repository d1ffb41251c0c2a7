"""Fixtures for the tests against AWS's emulators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from tests.emulators.aws import emulator
from tests.emulators.aws import moto as moto_server


@pytest.fixture(scope="session")
def ministack() -> Iterator[emulator.Emulator]:
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running() as one:
        yield one


@pytest.fixture
def aws(ministack: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> emulator.Emulator:
    """An AWS in which nothing is yet, and which the SDK finds by its own variables."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    ministack.reset()
    return ministack


@pytest.fixture
def sdk(aws: emulator.Emulator) -> Any:
    """What an operator has at hand: a client by service and region."""
    session = botocore.session.Session()
    return lambda service, region: session.create_client(service, region_name=region)


@pytest.fixture(scope="session")
def moto_process() -> Iterator[emulator.Emulator]:
    if not moto_server.is_installed():
        pytest.skip(f"moto is not installed ({moto_server.PYTHON}): run script/setup dev.")
    with moto_server.running() as one:
        yield one


@pytest.fixture
def moto(moto_process: emulator.Emulator) -> emulator.Emulator:
    """moto's server, in which nothing is yet. Ask it by `endpoint_url=moto.url`, or through the front."""
    moto_process.reset()
    return moto_process
