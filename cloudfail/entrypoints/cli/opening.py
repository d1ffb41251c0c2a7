"""What every command that opens an application shares: its options, and how they become an `App`."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cloudfail.app import App
    from cloudfail.config.loaded import Loaded

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
JOURNAL = "CLOUDFAIL_JOURNAL"
"""The journal of a move by hand (`evacuate --break-glass`), instead of the store of the file, for every command."""
_opened: list[App] = []
_said: list[str] = []


def runbook_files(config: Path, named: list[Path] | None) -> list[Path]:
    """The runbooks that were named, or all that lie in runbooks/ beside the configuration."""
    if named:
        return named
    return sorted((config.parent / "runbooks").glob("*.yaml"))


def open_app(config: Path, runbooks: list[Path] | None, by: str, journal: str = "") -> App:
    """The application of these files, on the store that they name; or on a journal that was begun by hand. Raises
    Refused where a file is named and this runner goes by a bundle: which one was meant is not guessed."""
    from cloudfail.entrypoints.files import open_application

    journal = journal or os.environ.get(JOURNAL, "")
    _refuse_both(config, runbooks)
    app = open_application(config, runbook_files(config, runbooks), by or getpass.getuser(), state=journal)
    if journal:
        _must_be_begun_by_hand(app, journal)
        typer.echo(f"By hand: the journal is {journal}, not {app.topology.state}.", err=True)
    if app.anchoring is not None:
        app.anchoring.tell = _say
    _opened.append(app)
    return app


def load_app(config: Path, runbooks: list[Path] | None) -> Loaded:
    """The same files, without a store. Raises as `open_app`."""
    from cloudfail.entrypoints.files import load_application

    _refuse_both(config, runbooks)
    return load_application(config, runbook_files(config, runbooks))[0]


def _refuse_both(config: Path, runbooks: list[Path] | None) -> None:
    from cloudfail.entrypoints.files import BUNDLE

    named = runbooks or str(config) not in {str(DEFAULT_CONFIG), os.environ.get("CLOUDFAIL_CONFIG")}
    if named and os.environ.get(BUNDLE):
        from cloudfail.errors import Refused

        raise Refused(
            f"A file is named here, and this runner goes by the bundle {os.environ[BUNDLE]}.",
            "Nothing was looked at.",
            f"Leave --config and --runbook-file out, or unset {BUNDLE}.",
        )


def _must_be_begun_by_hand(app: App, journal: str) -> None:
    from cloudfail.errors import Refused
    from cloudfail.execution.origin import Why

    origin = app.log().origin
    if origin is None or origin.why is not Why.BREAK_GLASS:
        raise Refused(
            f"{journal} holds no journal of {app.topology.application} that was begun by hand.",
            "Nothing was changed.",
            f"Unset {JOURNAL}, or begin one: cloudfail evacuate REGION --break-glass --journal {journal}",
        )


def settle_anchors() -> None:
    """The end of a command: wait a few seconds for the anchors of what it appended, and say which are owed."""
    while _opened:
        for line in _opened.pop().settle_anchors():
            _say(line)


def _say(line: str) -> None:
    """What is wrong with anchors, once in each command."""
    if line not in _said:
        _said.append(line)
        typer.echo(line, err=True)
