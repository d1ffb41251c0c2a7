"""Writing a draft into a directory, and never over a file that is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudfail.errors import Refused

ELSEWHERE = "Choose another directory: --output DIR"


def save(
    written: Mapping[str, str],
    directory: Path,
    elsewhere: str = ELSEWHERE,
    look: str = "--stdout",
    *,
    overwrite: bool = False,
) -> None:
    """Write every file, or none. Raises Refused if one is there already, or cannot be written. elsewhere, look: what a
    person can do then, in the words of the command. overwrite: a person said that what is there may go; each file is
    replaced whole, and what stood there before stands there until then."""
    if overwrite:
        _replace(written, directory, elsewhere)
        return
    present = [name for name in written if (directory / name).exists() or (directory / name).is_symlink()]
    if present:
        raise Refused(
            f"{directory / present[0]} is there already" + (f", and {len(present) - 1} more." if present[1:] else "."),
            "Nothing was written.",
            f"{elsewhere}, or look first: {look}",
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
            elsewhere,
        ) from error


def _replace(written: Mapping[str, str], directory: Path, elsewhere: str) -> None:
    for name, text in written.items():
        path = directory / name
        beside = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise Refused(
                f"{path} cannot be written: {error.strerror or error}.", f"{path} is as it was.", elsewhere
            ) from error
