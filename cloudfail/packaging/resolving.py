"""Asking uv which versions fit the target, and for their wheels.

pip evaluates markers with the interpreter that runs it, whatever version it is told to install for; uv with the
target's. Only wheels are taken: a source would be built for this machine, and with its tools.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cloudfail.errors import Refused
from cloudfail.packaging.lock import Lock, Pin, parse_lock
from cloudfail.packaging.targets import Target

UV_SECONDS = 600.0
"""A slow index and a cold cache; not a time that is to be met."""
_NOTHING = "Nothing was written."


class Resolver:
    """Works in `directory`, which is its own: no settings of a project around it apply."""

    def __init__(self, target: Target, directory: Path, wheelhouse: Path | None) -> None:
        self._target = target
        self._directory = directory
        self._uv = _uv()
        self._source: list[str] = []
        if wheelhouse is not None:
            if not wheelhouse.is_dir():
                raise Refused(
                    f"{wheelhouse} is no directory of wheels.",
                    _NOTHING,
                    "Fill one for the target's Python and platform: pip download --only-binary :all:",
                )
            self._source = ["--no-index", "--offline", "--find-links", str(wheelhouse.resolve())]

    def resolve(self, requirements: Sequence[str], within: Lock | None = None) -> Lock:
        """The versions for these requirements and all that they need; of those in `within`, with its hashes, if given.
        Raises Refused."""
        wanted = self._directory / "wanted.txt"
        wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        bounds: list[str] = []
        if within is not None:
            pins = self._directory / "within.txt"
            pins.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in within.pins.values()), encoding="utf-8")
            bounds = ["--constraints", str(pins)]
        found = self._directory / "found.txt"
        found.unlink(missing_ok=True)
        shape = ["--no-header", "--no-annotate", "--no-strip-extras", "--generate-hashes", "--output-file", str(found)]
        self._run("compile", str(wanted), *bounds, *shape)
        lock = parse_lock(found.read_text(encoding="utf-8"), "What uv wrote")
        return lock if within is None else Lock({name: _of(within, pin) for name, pin in lock.pins.items()})

    def install(self, lock: Lock) -> Path:
        """The directory into which the lock's wheels were unpacked. Raises Refused."""
        pins = self._directory / "lock.txt"
        pins.write_text(lock.text(), encoding="utf-8")
        libraries = self._directory / "libraries"
        self._run("install", "--target", str(libraries), "--no-deps", "--require-hashes", "-r", str(pins))
        return libraries

    def _run(self, verb: str, *argv: str) -> None:
        line = [self._uv, "--quiet", "--no-progress", "--color", "never", "pip", verb, *argv, *self._source]
        line += ["--python-version", self._target.python, "--python-platform", self._target.platform]
        line += ["--only-binary", ":all:", "--python", sys.executable, "--no-python-downloads"]
        try:
            done = subprocess.run(
                line, cwd=self._directory, capture_output=True, text=True, timeout=UV_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Refused(
                f"uv did not end within {UV_SECONDS:g} seconds.", _NOTHING, "Try again, or give --wheelhouse DIR."
            ) from error
        if done.returncode:
            raise Refused(
                f"uv found no libraries for {self._target}: {_said(done.stderr)}",
                _NOTHING,
                "Change what it names: another --python, --wheelhouse or --requirements, or an index that answers.",
            )


def _of(within: Lock, pin: Pin) -> Pin:
    """The lock's own pin. Raises Refused where it has none, or another version."""
    has = within.pins.get(pin.name)
    if has is None or has.version != pin.version:
        raise Refused(
            f"The lock has no {pin.name} {pin.version}, which this archive needs.",
            _NOTHING,
            "Make the lock anew: leave --requirements out.",
        )
    return has


def _said(text: str) -> str:
    return " ".join(text.split())[:1500] or "it said nothing."


def _uv() -> str:
    """uv's program: of its package, or of the search path. Raises Refused."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise Refused(
            "uv is not installed; it chooses the libraries for another Python and platform than this one.",
            _NOTHING,
            "Install it with: pip install 'cloudfail[package]'",
        )
    return found
