"""lint: say whether the files are well-formed and wise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Config, Runbooks, runbook_files

if TYPE_CHECKING:
    from cloudfail.config.loaded import Loaded

FILES_MAX = 500


def lint(
    source: Annotated[str | None, typer.Option("--from", help="As if this region were lost.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="As if that one took over.")] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Say for each step why it can be done while --from is lost, and what the way back needs."
        ),
    ] = False,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="PATH",
            help="Another application's file, or a directory of applications: what both name is told. May be repeated.",
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Check the files: every mistake with its place and what to write instead. Asks nothing of any cloud."""
    from cloudfail import config as configuration
    from cloudfail import registry
    from cloudfail.actions.catalog import ACTIONS
    from cloudfail.lint import Severity, applications
    from cloudfail.lint import lint as find
    from cloudfail.stores import GROUP as STORES

    loaded = configuration.load(config, runbook_files(config, runbooks))
    others = _others(config, beside or [])
    findings = [*find(loaded, ACTIONS, source, target), *applications.findings(loaded, others)]
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
    beside_it = f"; held against {', '.join(one.topology_file.file for one in others)}" if others else ""
    typer.echo(f"{found}, {errors} of them errors; {read}{beside_it}.")
    if errors:
        raise typer.Exit(1)


def _others(config: Path, beside: list[Path]) -> list[Loaded]:
    """The other applications' files, each once: those that are named, and in a directory its own cloudfail.yaml or
    those of its directories."""
    from cloudfail import config as configuration
    from cloudfail.errors import Refused

    files: dict[Path, Path] = {}
    for path in beside:
        found = [path]
        if path.is_dir():
            own = path / DEFAULT_CONFIG
            found = [own] if own.is_file() else sorted(path.glob(f"*/{DEFAULT_CONFIG}"))
            if not found:
                raise Refused(
                    f"There is no {DEFAULT_CONFIG} in {path}, nor in a directory of it.",
                    "Nothing was checked.",
                    "Name the other application's file.",
                )
        files |= {file.resolve(): file for file in found}
    files.pop(config.resolve(), None)
    if len(files) > FILES_MAX:
        raise Refused(f"{len(files)} files are more than {FILES_MAX}.", "Nothing was checked.", "Name fewer.")
    return [configuration.load(file, []) for file in files.values()]


def register(app: typer.Typer) -> None:
    app.command()(lint)
