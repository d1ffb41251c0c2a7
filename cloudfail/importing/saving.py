"""Writing a draft into a directory, and never over a file that is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudfail.errors import Refused


def save(written: Mapping[str, str], directory: Path) -> None:
    """Write every file, or none. Raises Refused if one is there already, or cannot be written."""
    present = [name for name in written if (directory / name).exists() or (directory / name).is_symlink()]
    if present:
        raise Refused(
            f"{directory / present[0]} is there already" + (f", and {len(present) - 1} more." if present[1:] else "."),
            "Nothing was written.",
            "Choose another directory: --output DIR, or look first: --stdout",
        )
    made: list[Path] = []
    try:
        for name, text in written.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as opened:
                made.append(path)
                opened.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise Refused(
            f"{error.filename or directory} cannot be written: {error.strerror or error}.",
            "Nothing was written.",
            "Choose another directory: --output DIR",
        ) from error
