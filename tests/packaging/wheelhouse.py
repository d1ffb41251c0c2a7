"""The wheels from which the tests build archives, so that they need no index: one directory for each Python.

`python -m tests.packaging.wheelhouse` fills those that are missing (script/setup dev): for the Python that runs the
tests, and for a Python 3.13 or later if there is one, which Microsoft's library for functions wants. It also fetches
Amazon's own emulator of Lambda's runtime interface, one program out of the wheel of its command line for functions.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.emulators.loopback import EMULATORS, ROOT

WHEELS = EMULATORS / "wheels"
RIE = EMULATORS / "aws-lambda-rie"
SAM = "aws-sam-cli==1.170.0"
EXTRAS = ("aws", "gcp", "azure", "postgres", "local")
# What stands on the platforms' own machines beside an archive, and what an archive for Azure brings.
PLATFORMS = (
    "awslambdaric>=4",
    "functions-framework>=3.5",
    'azure-functions>=1.21,<2; python_version < "3.13"',
    'azure-functions>=2.0,<3; python_version >= "3.13"',
    'azure-functions-runtime>=1.3; python_version >= "3.13"',
)
RUNNING = f"3.{sys.version_info.minor}"
AZURE_MINOR_MIN = 13


def directory(python: str = RUNNING) -> Path | None:
    """The wheels for that Python; None where they are not."""
    found = WHEELS / python
    mark = found / "complete"
    return found if mark.exists() and mark.read_text() == _digest() else None


def architecture() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def python_for_azure() -> Path | None:
    """An interpreter of 3.13 or later: this one, one on the search path, or one of pyenv's."""
    if sys.version_info.minor >= AZURE_MINOR_MIN:
        return Path(sys.executable)
    return next((found for found in _candidates() if _runs(found)), None)


def azure_python() -> str:
    """The version that archives for Azure are tried with."""
    return RUNNING if sys.version_info.minor >= AZURE_MINOR_MIN else f"3.{AZURE_MINOR_MIN}"


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("python3.13")
    if on_path is not None:
        yield Path(on_path)
    yield from sorted(Path.home().glob(".pyenv/versions/3.13.*/bin/python3.13"))


def _runs(python: Path) -> bool:
    """A shim may stand for a version that nobody chose."""
    said = subprocess.run([python, "-c", "print(1)"], capture_output=True, check=False, timeout=30)
    return said.returncode == 0


def _wanted() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *PLATFORMS, *(line for name in EXTRAS for line in extras[name])]


def _digest() -> str:
    return hashlib.sha256("\n".join(_wanted()).encode()).hexdigest()


def fill(python: str) -> None:
    """Wheels for the oldest C library that a target has: those run everywhere."""
    machine = "aarch64" if architecture() == "arm64" else "x86_64"
    tags = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    tags += ["--platform=manylinux1_x86_64"] if machine == "x86_64" else []
    place = WHEELS / python
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        lines, lock = Path(work, "wanted.txt"), Path(work, "lock.txt")
        lines.write_text("\n".join(_wanted()) + "\n")
        chosen = ["--python-version", python, "--python-platform", f"{machine}-manylinux_2_17"]
        compiled = ["pip", "compile", "-q", str(lines), "-o", str(lock), "--only-binary", ":all:", "--no-annotate"]
        subprocess.run([sys.executable, "-m", "uv", *compiled, *chosen], check=True, cwd=work)
        fetched = ["download", "-q", "--no-deps", "--only-binary=:all:", f"--python-version={python}"]
        subprocess.run([sys.executable, "-m", "pip", *fetched, *tags, "-d", str(place), "-r", str(lock)], check=True)
    (place / "complete").write_text(_digest())


def fetch_rie() -> None:
    machine = "arm64" if architecture() == "arm64" else "x86_64"
    with tempfile.TemporaryDirectory() as work:
        fetched = ["download", "-q", "--no-deps", "--only-binary=:all:", "-d", work, SAM]
        subprocess.run([sys.executable, "-m", "pip", *fetched], check=True)
        with zipfile.ZipFile(next(Path(work).glob("*.whl"))) as wheel:
            RIE.write_bytes(wheel.read(f"samcli/local/rapid/aws-lambda-rie-{machine}"))
    RIE.chmod(0o755)


def main() -> None:
    wanted = {RUNNING}
    if python_for_azure() is not None:
        wanted.add(azure_python())
    for python in sorted(wanted):
        if directory(python) is None:
            fill(python)
    if not RIE.exists():
        fetch_rie()


if __name__ == "__main__":
    main()
