"""package: one archive for a cloud's function service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Config, Runbooks, runbook_files

if TYPE_CHECKING:
    from cloudfail.packaging import Packaged

_MIB = 1024 * 1024


def package(
    cloud: Annotated[str, typer.Argument(metavar="CLOUD", help="aws, gcp or azure")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The archive; its lock and its bill lie beside it.")
    ],
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    python: Annotated[str, typer.Option("--python", help="The function's Python.")] = "3.13",
    architecture: Annotated[
        str, typer.Option("--architecture", help="What the function runs on: x86_64; on AWS also arm64.")
    ] = "x86_64",
    wheelhouse: Annotated[
        Path | None, typer.Option("--wheelhouse", metavar="DIR", help="Take wheels from here, and ask no index.")
    ] = None,
    requirements: Annotated[
        Path | None,
        typer.Option("--requirements", metavar="LOCK", help="Take the versions of an earlier build's lock."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Pack this signed bundle instead of plain files; needs --signers."
        ),
    ] = None,
    signers: Annotated[
        Path | None, typer.Option("--signers", metavar="FILE", help="With --bundle: who may sign; goes with it.")
    ] = None,
) -> None:
    """Build the archive that a cloud's function runs: cloudfail, its libraries, and these files. Deploys nothing.

    The same files and the same lock give the same bytes. Beside FILE: FILE.requirements.txt, the lock; FILE.cdx.json,
    the bill of materials.
    """
    from cloudfail.errors import Refused
    from cloudfail.packaging import Signed, target_of
    from cloudfail.packaging import package as build

    target = target_of(cloud, python, architecture)
    if (bundle is None) != (signers is None) or (bundle is not None and runbooks):
        raise Refused(
            "A bundle goes with those who may sign it, and without other runbooks.",
            "Nothing was written.",
            "Write --bundle FILE --signers FILE, and no --runbook-file.",
        )
    signed = Signed(bundle, signers) if bundle is not None and signers is not None else None
    files = runbook_files(config, runbooks) if signed is None else []
    _tell(build(target, output, config, files, wheelhouse=wheelhouse, requirements=requirements, signed=signed))


def _tell(built: Packaged) -> None:
    typer.echo(f"{built.file}: {built.target}")
    typer.echo(f"  size      {built.size / _MIB:.1f} MiB, {built.unzipped / _MIB:.1f} MiB unzipped")
    typer.echo(f"  sha256    {built.digest}")
    typer.echo(f"  entry     {built.target.cloud.entry}")
    typer.echo(f"  lock      {built.lock}")
    typer.echo(f"  bill      {built.bill}")


def register(app: typer.Typer) -> None:
    app.command()(package)
