"""What every command that opens an application shares: its options, and how they become an `App`."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cloudfail.app import App

Config = Annotated[Path, typer.Option("--config", "-c", envvar="CLOUDFAIL_CONFIG", help="The application's file.")]
Runbooks = Annotated[
    list[Path] | None,
    typer.Option("--runbook-file", "-r", help="A runbook's file; without: all of runbooks/ beside the configuration."),
]
By = Annotated[str, typer.Option("--as", envvar="CLOUDFAIL_AS", help="Who you are, for the journal.")]
Format = Annotated[str, typer.Option("--format", "-f", help="text, json or markdown")]
Run = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's id or its first letters; without: the open one.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the journal.")]

DEFAULT_CONFIG = Path("cloudfail.yaml")


def runbook_files(config: Path, named: list[Path] | None) -> list[Path]:
    """The runbooks that were named, or all that lie in runbooks/ beside the configuration."""
    if named:
        return named
    return sorted((config.parent / "runbooks").glob("*.yaml"))


def open_app(config: Path, runbooks: list[Path] | None, by: str) -> App:
    """Raises Refused where a file is named and this runner goes by a bundle: which one was meant is not guessed."""
    from cloudfail.entrypoints.files import BUNDLE, open_application

    named = runbooks or str(config) not in {str(DEFAULT_CONFIG), os.environ.get("CLOUDFAIL_CONFIG")}
    if named and os.environ.get(BUNDLE):
        from cloudfail.errors import Refused

        raise Refused(
            f"A file is named here, and this runner goes by the bundle {os.environ[BUNDLE]}.",
            "Nothing was looked at.",
            f"Leave --config and --runbook-file out, or unset {BUNDLE}.",
        )
    return open_application(config, runbook_files(config, runbooks), by or getpass.getuser())
