"""What each cloud's function service runs: where it looks for libraries, how large an archive it takes, on what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import Refused

_MIB = 1024 * 1024
_NOTHING = "Nothing was written."
_PYTHON = re.compile(r"3\.(\d{1,2})")
PYTHON_MIN = 11
UV_MACHINES: Mapping[str, str] = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Cloud:
    """extra: ours, always in its archive. bundled: requirements of the platform's that go into the archive.
    built_there: those that its own build installs. libraries: the folder for what is imported, "" for the root.
    unzipped_max: bytes, None where the service has no such limit, or a far one. architectures: those that it runs."""

    name: str
    extra: str
    entry: str
    bundled: tuple[str, ...] = ()
    built_there: tuple[str, ...] = ()
    libraries: str = ""
    unzipped_max: int | None = None
    architectures: tuple[str, ...] = ("x86_64",)


CLOUDS: Mapping[str, Cloud] = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            "aws",
            extra="aws",
            entry="cloudfail.entrypoints.aws_lambda.handler",
            # docs.aws.amazon.com, "Lambda quotas": deployment package (.zip), unzipped, layers included.
            unzipped_max=250 * _MIB,
            architectures=("x86_64", "arm64"),
        ),
        Cloud(
            "gcp",
            extra="gcp",
            entry="main.py: tick_http, tick_event",
            # Google's build installs what requirements.txt names, and would take the framework's newest version.
            built_there=("functions-framework>=3.5",),
        ),
        Cloud(
            "azure",
            extra="azure",
            entry="function_app.py: tick (timer), tick_http",
            # 1.x is for Pythons before 3.13, 2.x from there on; neither says so by an upper bound.
            bundled=(
                'azure-functions>=1.21,<2; python_version < "3.13"',
                'azure-functions>=2.0,<3; python_version >= "3.13"',
            ),
            libraries=".python_packages/lib/site-packages",
        ),
    )
}


@dataclass(frozen=True)
class Target:
    """A cloud, a Python version ("3.13") and an architecture (x86_64, arm64)."""

    cloud: Cloud
    python: str
    architecture: str

    @property
    def platform(self) -> str:
        """The oldest C library that the wheels must run on, as uv names it. Lambda's Python 3.11 stands on Amazon Linux
        2 (glibc 2.26); everything newer, and the other clouds, have 2.28 or later."""
        old = self.cloud.name == "aws" and self.python == "3.11"
        return f"{UV_MACHINES[self.architecture]}-manylinux_2_{17 if old else 28}"

    def __str__(self) -> str:
        return f"{self.cloud.name}, Python {self.python}, {self.architecture}"


def target_of(cloud: str, python: str = "3.13", architecture: str = "x86_64") -> Target:
    """The target of those words. Raises Refused for what there is none of."""
    if cloud not in CLOUDS:
        raise Refused(f'There is no cloud "{cloud}".', _NOTHING, f"Name one of: {', '.join(CLOUDS)}.")
    said = _PYTHON.fullmatch(python)
    if said is None or int(said[1]) < PYTHON_MIN:
        raise Refused(
            f'"{python}" is no Python that cloudfail runs on.',
            _NOTHING,
            "Name the function's own version, 3.11 or later, by its first two numbers: --python 3.13",
        )
    runs = CLOUDS[cloud].architectures
    if architecture not in runs:
        raise Refused(
            f'A function on {cloud} does not run on "{architecture}".',
            _NOTHING,
            f"Name one of: {', '.join(f'--architecture {one}' for one in runs)}.",
        )
    return Target(CLOUDS[cloud], python, architecture)
