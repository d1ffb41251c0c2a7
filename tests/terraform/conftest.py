"""Fixtures for the Terraform modules. Where terraform is not installed, each test that needs it says so."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.terraform.roots import ENDS, PROVIDERS, SCHEMAS, Workplace
from tests.terraform.schema_server import serving

OLDEST = (1, 9)
"""Conditions of a variable may name other variables since then, and the modules say so in required_version."""


@pytest.fixture(scope="session")
def terraform_binary() -> str:
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("terraform is not installed; it is in neither pip nor apt: see developer.hashicorp.com/terraform.")
    said = subprocess.run([binary, "version", "-json"], capture_output=True, text=True, check=True, timeout=60)
    version = json.loads(said.stdout)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        pytest.skip(f"terraform {version} is older than {OLDEST[0]}.{OLDEST[1]}.")
    return binary


@pytest.fixture(scope="session", params=ENDS)
def workplace(
    request: pytest.FixtureRequest, terraform_binary: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workplace]:
    """A folder to work in, with the oldest and then the newest versions of the providers that the modules allow."""
    with serving([SCHEMAS / f"{provider}-{request.param}.json" for provider in PROVIDERS]) as reattach:
        yield Workplace(tmp_path_factory.mktemp(request.param), terraform_binary, reattach)
