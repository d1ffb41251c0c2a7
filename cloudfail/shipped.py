"""Where the runbooks that ship with cloudfail are: inside of the package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from cloudfail.errors import Refused


def runbooks_directory() -> Path:
    """The directory of the shipped runbooks. Raises Refused in an installation that lacks them."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "runbooks", package.parent / "runbooks"):
        if candidate.is_dir():
            return candidate
    raise Refused(
        "This installation of cloudfail has no runbooks.",
        "Nothing was changed.",
        "Install it again: pip install --force-reinstall cloudfail",
    )


def runbook_file(name: str) -> Path:
    return runbooks_directory() / f"{name}.yaml"
