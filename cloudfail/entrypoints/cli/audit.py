"""audit: what the journal proves."""

from __future__ import annotations

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, By, Config, Runbooks, open_app

app = typer.Typer(help="What the journal proves.", no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """What the journal proves."""


@app.command()
def verify(config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = "") -> None:
    """Check the hash chain of the whole log, and that every effect has an intent before it and a result after it."""
    from cloudfail.audit import verify as check

    verdict = check(open_app(config, runbooks, by).audit())
    for line in verdict.lines:
        typer.echo(line)
    if verdict.problems:
        raise typer.Exit(1)
