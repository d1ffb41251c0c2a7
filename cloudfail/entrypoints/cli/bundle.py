"""bundle: the application's files in one, to be signed by a person and loaded by runners."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Config, Runbooks, runbook_files

app = typer.Typer(
    help="The files in one, signed by a person, for runners that insist on it.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """The files in one, signed by a person, for runners that insist on it."""


@app.command()
def write(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")],
    serial: Annotated[int, typer.Option("--serial", help="One more than the last: runners refuse to go back.")],
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
) -> None:
    """Put cloudfail.yaml and its runbooks into one file. The same files and serial give the same bytes."""
    import hashlib

    from cloudfail import config as configuration
    from cloudfail.bundle import written
    from cloudfail.signing import Namespace

    files = runbook_files(config, runbooks)
    raw = written(config, files, serial, configuration.load(config, files))
    output.write_bytes(raw)
    typer.echo(f"{output}: {1 + len(files)} files, serial {serial}, SHA-256 {hashlib.sha256(raw).hexdigest()}")
    typer.echo(f"Sign it: ssh-keygen -Y sign -n {Namespace.BUNDLE} -f KEY {output}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The bundle; its signature is FILE.sig.")],
    signers: Annotated[Path, typer.Option("--signers", envvar="CLOUDFAIL_SIGNERS", help="Who may sign.")],
) -> None:
    """Say who signed a bundle and what it holds. Asks neither the store nor any cloud."""
    from cloudfail.bundle import opened
    from cloudfail.clock import SystemClock

    bundle = opened(file, signers, SystemClock().wall())
    loaded = bundle.load()
    typer.echo(f"{file} holds the files of {loaded.topology.application}, serial {bundle.serial}.")
    typer.echo(f"Signed by {bundle.signer}; SHA-256 {bundle.digest}")
    for name in bundle.files:
        typer.echo(f"  {name}")
