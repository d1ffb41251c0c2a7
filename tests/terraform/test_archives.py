"""What the modules deploy is what `cloudfail package` writes: entry points, Pythons, architectures, time limits."""

from __future__ import annotations

import json
import re

import pytest

from cloudfail.packaging import platform_files
from cloudfail.packaging.lock import Lock
from cloudfail.packaging.targets import CLOUDS, target_of
from tests.terraform.roots import TERRAFORM

MODULES = {cloud: TERRAFORM / f"modules/{cloud}-runner" for cloud in CLOUDS}


def main_of(cloud: str) -> str:
    return (MODULES[cloud] / "main.tf").read_text(encoding="utf-8")


def default_of(cloud: str, variable: str) -> str:
    text = (MODULES[cloud] / "variables.tf").read_text(encoding="utf-8")
    found = re.search(rf'^variable "{variable}" \{{\n.*?^  default += "([^"]*)"', text, re.M | re.S)
    assert found is not None
    return found[1]


def limit_of(cloud: str) -> int:
    found = re.search(r"^  limit_seconds += (\d+)$", main_of(cloud), re.M)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_module_takes_the_archive_that_the_command_writes_unless_told_otherwise(cloud: str) -> None:
    target = target_of(cloud)
    assert default_of(cloud, "python") == target.python
    assert (default_of(cloud, "architecture") if cloud == "aws" else "x86_64") == target.architecture


def test_a_module_calls_what_is_in_the_archive() -> None:
    assert f'handler                        = "{CLOUDS["aws"].entry}"' in main_of("aws")
    entry = re.search(r'entry_point += "(\w+)"', main_of("gcp"))
    assert entry is not None
    assert f'"{entry[1]}"' in platform_files.files("gcp", Lock({}))["main.py"].decode()


def test_a_function_is_told_the_time_that_its_platform_gives_it() -> None:
    host = json.loads(platform_files.files("azure", Lock({}))["host.json"])
    hours, minutes, seconds = (int(part) for part in host["functionTimeout"].split(":"))
    assert limit_of("azure") == hours * 3600 + minutes * 60 + seconds
    assert "timeout_seconds                  = local.limit_seconds" in main_of("gcp")
