"""import: draft cloudfail's files from the plan of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Draft cloudfail's files from a plan that another tool has.", no_args_is_help=True, add_completion=False
)

DEFAULT_OUTPUT = Path("imported")


@app.callback()
def _group() -> None:
    """Draft cloudfail's files from a plan that another tool has."""


@app.command("region-switch")
def region_switch(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The plan: what `aws arc-region-switch get-plan` prints, or a CloudFormation template (YAML or JSON).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write; never over a file that is there.")
    ] = DEFAULT_OUTPUT,
    resource: Annotated[
        str | None, typer.Option("--resource", metavar="NAME", help="Which plan, if the template holds several.")
    ] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the files instead of writing them.")] = False,
) -> None:
    """Draft cloudfail.yaml and runbooks from an AWS Region switch plan, and tell what is missing. Asks no cloud.

    Exit code 0: all of the plan was carried. 3: not all was; the list says what and why. 1: no plan could be read.
    """
    from cloudfail import importing
    from cloudfail.importing.report import report
    from cloudfail.importing.saving import save

    draft = importing.region_switch(file, resource)
    written = draft.files()
    place = "" if stdout else str(output)
    opinion = importing.judge(draft, place)
    if stdout:
        for name, text in written.items():
            typer.echo(f"# ---- {name}\n{text}")
    else:
        save(written, output)
    typer.echo(report(draft, opinion, written, place), err=stdout)
    if draft.losses:
        raise typer.Exit(3)
