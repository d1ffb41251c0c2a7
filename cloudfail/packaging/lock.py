"""The lock: one line for each library, with its one version and the hashes that its wheel may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudfail.errors import Refused

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


@dataclass(frozen=True)
class Pin:
    """A library in one version. `hashes`: as pip writes them, in order."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def text(self) -> str:
        return " \\\n    ".join((f"{self.name}=={self.version}", *self.hashes)) + "\n"


@dataclass(frozen=True)
class Lock:
    """Pins by their libraries' normalised names."""

    pins: Mapping[str, Pin]

    def text(self) -> str:
        """As `pip install --require-hashes -r` reads it."""
        return "".join(self.pins[name].text() for name in sorted(self.pins))


def parse_lock(text: str, where: str) -> Lock:
    """Raises Refused for a line that pins nothing, or has no hash."""
    pins: dict[str, Pin] = {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pin, hashes = _PIN.match(line), tuple(sorted(_HASH.findall(line)))
        if pin is None or not hashes:
            raise Refused(
                f'{where} has a line that pins no version by its hash: "{line.strip()[:80]}".',
                "Nothing was written.",
                "Give a lock that cloudfail package wrote, or leave --requirements out to make one.",
            )
        name = normalised(pin[1])
        pins[name] = Pin(name, pin[2], hashes)
    return Lock(pins)


def read_lock(path: Path) -> Lock:
    """Raises Refused."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{path} cannot be read: {error}.", "Nothing was written.", "Name a lock that cloudfail package wrote."
        ) from error
    return parse_lock(text, str(path))


def normalised(name: str) -> str:
    """As the index has it (packaging.python.org, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()
