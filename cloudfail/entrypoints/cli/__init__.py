"""`cloudfail …`: one file per group of commands. Everything heavy is imported inside of the commands."""

from __future__ import annotations

import sys

import typer

from cloudfail.entrypoints.cli import (
    audit,
    bundle,
    config,
    discover,
    drill,
    iam,
    importing,
    lab,
    opening,
    package,
    plan,
    runs,
    simulate,
    state,
    watch,
)

app = typer.Typer(
    help="Moves an application out of a failing region, and proves what it did.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (plan, runs, watch, config, simulate, package, iam, discover):
    group.register(app)
app.add_typer(audit.app, name="audit")
app.add_typer(bundle.app, name="bundle")
app.add_typer(drill.app, name="drill")
app.add_typer(importing.app, name="import")
app.add_typer(lab.app, name="lab")
app.add_typer(state.app, name="state")


def main() -> None:
    """The entry point. An error of ours prints its three sentences and exits with 1, never a traceback."""
    from cloudfail.errors import CloudfailError

    try:
        try:
            app()
        finally:
            opening.settle_anchors()
    except CloudfailError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted. What was begun stands in the journal: cloudfail status", file=sys.stderr)  # noqa: T201
        sys.exit(130)
