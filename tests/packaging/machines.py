"""A machine as a platform has it: an interpreter that knows nothing of ours, an unzipped archive, the platform's own
libraries beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from cloudfail.packaging import Packaged, Signed, package, target_of
from tests.packaging import wheelhouse


class Site(Protocol):
    """A directory with an application's files: `cloudfail.yaml`, and its runbooks."""

    root: Path


def wheels(python: str = wheelhouse.RUNNING) -> Path:
    found = wheelhouse.directory(python)
    if found is None:
        pytest.skip(f"There are no wheels for Python {python} in .emulators: script/setup dev brings them.")
    return found


def build(
    cloud: str, site: Site, output: Path, python: str = wheelhouse.RUNNING, signed: Signed | None = None
) -> Packaged:
    """The site's archive for this machine's architecture."""
    architecture = wheelhouse.architecture()
    if cloud != "aws" and architecture != "x86_64":
        pytest.skip(f"Functions on {cloud} do not run on this machine's architecture.")
    runbooks = sorted((site.root / "runbooks").glob("*.yaml"))
    target = target_of(cloud, python, architecture)
    config = site.root / "cloudfail.yaml"
    return package(target, output, config, runbooks, wheelhouse=wheels(python), signed=signed)


def unzipped(archive: Path, into: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(into)
    return into


def interpreter(python: Path, into: Path) -> Path:
    """An environment with nothing in it, made of `python` (or what that is made of)."""
    subprocess.run([python, "-m", "venv", "--without-pip", into], check=True, timeout=60)
    return into / "bin" / "python"


def installed(requirements: list[str], into: Path, python: str = wheelhouse.RUNNING) -> Path:
    """The platform's own libraries, from wheels."""
    line = [
        "pip",
        "install",
        "-q",
        "--no-index",
        "--offline",
        "--find-links",
        str(wheels(python)),
        "--target",
        str(into),
    ]
    line += ["--python-version", python, "--only-binary", ":all:", *requirements]
    subprocess.run([sys.executable, "-m", "uv", *line], check=True, timeout=120, cwd=into.parent)
    return into


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would lead a Python to our own checkout."""
    ours = ("PYTHON", "CLOUDFAIL", "VIRTUAL_ENV")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(ours)}, **more}


def said(text: str) -> list[dict[str, Any]]:
    """The JSON lines of a platform's log."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


HEALTHY = "east is healthy."
LOST = "east is down; enough vantages agree."
TICKS = 8
"""How often a schedule may call before what it waits for must hold: a busy machine ends some ticks too early."""


def reasons(text: str) -> list[str]:
    """Why each decision was made as it was, in order: what the observers saw is in there."""
    return [" ".join(one["reasons"]) for one in said(text) if one.get("event") == "decision"]


def acted(text: str) -> bool:
    return any(one.get("decision") == "act" for one in said(text))


def ticked_until(holds: Callable[[], bool], tick: Callable[[], object]) -> bool:
    """As a schedule does."""
    for _ in range(TICKS):
        tick()
        if holds():
            return True
    return False
