"""state: the only ways for the log to another store. By named persons, never by automation."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, By, Config, Reason, Runbooks, load_app

app = typer.Typer(help="The only ways for the log to another store.", no_args_is_help=True, add_completion=False)

Primary = Annotated[str, typer.Option("--primary", help="Where the application serves now, by your word.")]
URL = Annotated[str, typer.Argument(metavar="URL", help="A store, as `state:` would name it.")]


@app.callback()
def _group() -> None:
    """The only ways for the log to another store."""


@app.command()
def move(
    url: URL,
    old_is_lost: Annotated[
        bool, typer.Option("--old-is-lost", help="Begin anew, if the old store does not answer and will not.")
    ] = False,
    primary: Primary = "",
    confirm: Annotated[str, typer.Option("--confirm", help="The sentence that it asks for.")] = "",
    reason: Reason = "",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Carry the log to another store. The old one takes no more entries, and says where it went."""
    from cloudfail.clock import SystemClock
    from cloudfail.moving import move as move_log

    loaded = load_app(config, runbooks)
    done = move_log(
        loaded,
        url,
        by=by or getpass.getuser(),
        reason=_reason(reason),
        clock=SystemClock(),
        old_is_lost=old_is_lost,
        primary=primary,
        said=confirm,
    )
    old = loaded.topology.state
    if done.sealed:
        typer.echo(f"The log of {loaded.topology.application}, {done.entries} entries, is in {url}; {old} is sealed.")
    else:
        typer.echo(f"A new log of {loaded.topology.application} begins in {url}. {old} does not answer.")
        typer.echo(f"  {done.unreachable}")
        typer.echo("Automation is paused. As soon as the old store answers, so that nobody goes on there:")
        typer.echo(f"  cloudfail state merge {old} --reason TEXT")
    typer.echo(f"Write this wherever cloudfail runs, functions included, and deploy it: state: {url}")
    if done.sealed:
        typer.echo("Until then a worker with the old file stops, with an error that says the same.")


@app.command()
def merge(
    url: URL,
    primary: Primary = "",
    end_run: Annotated[str, typer.Option("--end-run", metavar="RUN", help="End this open run as it stands.")] = "",
    reason: Reason = "",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Carry in what was done by hand, or what a store that came back still knew. That log is sealed."""
    from cloudfail.clock import SystemClock
    from cloudfail.moving import merge as merge_log

    loaded = load_app(config, runbooks)
    entries = merge_log(
        loaded,
        url,
        by=by or getpass.getuser(),
        reason=_reason(reason),
        clock=SystemClock(),
        primary=primary,
        end_run=end_run,
    )
    typer.echo(f"{entries} entries of {url} are in {loaded.topology.state}; {url} takes no more.")
    typer.echo("What it did: cloudfail runs; what it owes: cloudfail status; that all is there: cloudfail audit verify")


def _reason(reason: str) -> str:
    from cloudfail.errors import Refused

    if not reason:
        raise Refused("No reason was given.", "Nothing was changed.", "Say why, for the journal: --reason TEXT")
    return reason
