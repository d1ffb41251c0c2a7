"""audit: what the journal proves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, JOURNAL, Config, Format, Runbooks, load_app

if TYPE_CHECKING:
    from cloudfail.config.loaded import Loaded

app = typer.Typer(help="What the journal proves.", no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """What the journal proves."""


@app.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option("--head", help="A head that you kept, such as a report prints it: 'SEQ DIGEST'. May be repeated."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="A file of `audit export` to be checked, instead of the store.")
    ] = None,
    format_: Format = "text",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Check the whole log: its chain, that every effect has an intent and a result, and its anchors.

    It says proven, up to an entry, where anchors agree; consistent without any; broken (exit code 1) for a log that was
    rewritten, truncated or forked, or that holds what it must not. Exit code 1 also if no place of its anchors could be
    read.
    """
    from cloudfail.anchor_places import audited
    from cloudfail.model.anchor import read_head
    from cloudfail.report import audit as report

    loaded = load_app(config, runbooks)
    heads = []
    for text in head or ():
        try:
            heads.append(read_head(text, loaded.topology.application))
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} cannot be held against the log: {error}.") from None
    verdict = audited(loaded, _bodies(loaded, log), heads)
    if format_ == "json":
        typer.echo(json.dumps(report.as_json(verdict), indent=2, ensure_ascii=False))
    else:
        typer.echo(report.as_text(verdict))
    if verdict.state in {"broken", "unread"}:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Write the log to a file for whoever cannot read the store: an entry on each line, exactly as it is stored."""
    from cloudfail.errors import Refused

    bodies = _bodies(load_app(config, runbooks), None)
    try:
        with file.open("xb") as out:
            out.writelines(body + b"\n" for _, body in bodies)
    except OSError as error:
        raise Refused(
            f"{file} cannot be written: {error.strerror}.", "Nothing was written.", "Name a file that is not there yet."
        ) from None
    typer.echo(f"{len(bodies)} entries. To check them: cloudfail audit verify --log {file}")


@app.command()
def held(
    resource: Annotated[
        str | None, typer.Argument(metavar="RESOURCE", help="One of the file's resources; without: all.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Who held the resources that other applications may write too, and who holds them now.

    Their logs are in the state store, beside those of the applications; each is checked as it is read.
    """
    from cloudfail.clock import SystemClock
    from cloudfail.errors import Refused
    from cloudfail.journal import Journal
    from cloudfail.report import audit as report
    from cloudfail.resource_log import log_of
    from cloudfail.stores import open_store

    loaded = load_app(config, runbooks)
    shared = {
        name: kind.shared_names(loaded.topology.resources[name], loaded.topology) for name, kind in loaded.kinds.items()
    }
    if resource is not None and resource not in shared:
        raise Refused(f"There is no resource {resource!r}.", "Nothing was read.", f"There are {', '.join(shared)}.")
    chosen = {name: names for name, names in shared.items() if names and resource in {None, name}}
    if not chosen:
        typer.echo("Nothing here is replaced as a whole by a verb without a condition: no log of its own.")
        return
    store = open_store(os.environ.get(JOURNAL) or loaded.topology.state)
    for name, names in chosen.items():
        for one in names:
            entries = Journal(store, log_of(one), SystemClock(), "").refresh()
            typer.echo(report.held_as_text(name, one, entries))


def _bodies(loaded: Loaded, log: Path | None) -> list[tuple[int, bytes]]:
    """The entries as they are stored, with their numbers; nothing of them is judged here."""
    from cloudfail.errors import Refused
    from cloudfail.stores import open_store

    if log is None:
        stored = open_store(os.environ.get(JOURNAL) or loaded.topology.state).read(loaded.topology.application, 0)
        return [(entry.seq, entry.body) for entry in stored]
    try:
        lines = log.read_bytes().split(b"\n")
    except OSError as error:
        raise Refused(
            f"{log} cannot be read: {error.strerror}.", "Nothing was checked.", "Name a file of: cloudfail audit export"
        ) from None
    return list(enumerate((line for line in lines if line), start=1))
