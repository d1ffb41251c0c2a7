"""lint: say whether the files are well-formed and wise."""

from __future__ import annotations

from typing import Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Config, Runbooks, runbook_files


def lint(
    source: Annotated[str | None, typer.Option("--from", help="As if this region were lost.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="As if that one took over.")] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Say for each step why it can be done while --from is lost, and what the way back needs."
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Check the files: every mistake with its place and what to write instead. Asks nothing of any cloud."""
    from cloudfail import config as configuration
    from cloudfail import registry
    from cloudfail.actions.catalog import ACTIONS
    from cloudfail.lint import Severity
    from cloudfail.lint import lint as find
    from cloudfail.stores import GROUP as STORES

    loaded = configuration.load(config, runbook_files(config, runbooks))
    findings = find(loaded, ACTIONS, source, target)
    for finding in findings:
        typer.echo(str(finding))
    if why:
        from cloudfail.lint.possible import explained

        lost = source or loaded.topology.primary
        standbys = loaded.topology.standbys(lost)
        for line in explained(loaded, lost, target or (standbys[0] if standbys else lost), ACTIONS):
            typer.echo(line)
    for entry in (*registry.strangers(), *registry.strangers(STORES)):
        who = registry.distribution(entry) or "a nameless distribution"
        typer.echo(f"note: {who} brings {entry.group} {entry.name}, and is not allowed: it is not imported.")
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    found = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    read = "1 runbook" if len(loaded.runbooks) == 1 else f"{len(loaded.runbooks)} runbooks"
    typer.echo(f"{found}, {errors} of them errors; {read}.")
    if errors:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    app.command()(lint)
