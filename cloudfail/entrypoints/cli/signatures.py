"""Approvals as files: the text that is signed by `ssh-keygen -Y sign`, and FILE.sig, which that makes beside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cloudfail.approval import Approval

BYTES_MAX = 1 << 16


def write(approval: Approval, path: Path) -> None:
    """Write it where nothing stands yet, and say how it is signed."""
    from cloudfail.errors import Refused
    from cloudfail.signing import Namespace

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(approval.text())
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {error.strerror}.", "Nothing was approved.", "Name a file that is not there."
        ) from error
    typer.echo(approval.text(), nl=False)
    typer.echo("")
    typer.echo(f"Read it, and sign it: ssh-keygen -Y sign -n {Namespace.APPROVAL} -f KEY {shlex.quote(str(path))}")
    way = "cloudfail approve --signed" if approval.run else "cloudfail evacuate … --approval"
    if approval.standing:
        way = "cloudfail plan … --sign-for … --signed"
    typer.echo(f"Then: {way} {shlex.quote(str(path))}")


def read(path: Path) -> tuple[str, str]:
    """The text and its signature. Raises Refused where one of them is missing, or is none."""
    from cloudfail.errors import Refused

    found = []
    for file in (path, Path(f"{path}.sig")):
        try:
            raw = file.read_bytes()
            if len(raw) > BYTES_MAX:
                raise ValueError("it is too large")
            found.append(raw.decode())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Refused(
                f"{file} cannot be read: {why}.",
                "Nothing was approved.",
                "Write the text with `cloudfail approve --write FILE`, and sign it with ssh-keygen -Y sign.",
            ) from error
    return found[0], found[1]
