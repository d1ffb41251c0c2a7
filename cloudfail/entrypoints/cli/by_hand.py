"""`evacuate --break-glass`: a move by hand while the store does not answer. What it says and asks."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cloudfail.entrypoints.cli import opening

if TYPE_CHECKING:
    from cloudfail.app import App

# What stops a function at once, whatever calls it. Sources: docs.aws.amazon.com, "Configuring reserved concurrency";
# cloud.google.com, "gcloud scheduler jobs pause"; learn.microsoft.com, "az functionapp stop".
STOP: Mapping[str, str] = {
    "aws": "aws lambda put-function-concurrency --function-name NAME --reserved-concurrent-executions 0",
    "gcp": "gcloud scheduler jobs pause JOB --location LOCATION",
    "azure": "az functionapp stop --name APP --resource-group GROUP",
}
STOP_HERE = "end each `cloudfail watch`, and the timer or service that starts it"


def open_app(config: Path, runbooks: list[Path] | None, by: str, journal: str, region: str, reason: str) -> App:
    """The application on a journal of its own, begun if it was not. Raises Refused if the store answers."""
    from cloudfail.clock import SystemClock
    from cloudfail.moving import break_glass

    break_glass(
        opening.load_app(config, runbooks),
        journal,
        source=region,
        by=by or getpass.getuser(),
        reason=reason or "the store does not answer",
        clock=SystemClock(),
    )
    return opening.open_app(config, runbooks, by, journal)


def remember_workers(app: App, region: str, said: list[str]) -> None:
    """What the store had recorded, by a person's word: how many workers each group ran in the region that is left."""
    from cloudfail.errors import Refused

    groups = app.world.computes()
    counted: dict[str, dict[str, int]] = {}
    for word in said:
        group, _, count = word.partition("=")
        if group not in groups or not count.isdecimal():
            raise Refused(
                f"--workers {word!r} is not GROUP=COUNT.",
                "Nothing was changed.",
                f"Groups are: {', '.join(groups) or 'none'}. Such as: --workers {next(iter(groups), 'web')}=4",
            )
        counted[group] = {region: int(count)}
    if counted:
        app.record(counted)


def must_confirm(app: App, said: str) -> None:
    from cloudfail.moving import must_confirm as check

    check(app.loaded, said)


def say_how(app: App, journal: str, region: str, checksum: str) -> None:
    """What must be so before anybody acts, and the command that acts then."""
    from cloudfail.moving import break_glass_sentence

    providers = {where.provider for where in app.topology.regions.values()}
    sentence = break_glass_sentence(app.topology.application)
    typer.echo("")
    typer.echo(f"BY HAND. {app.topology.state} does not answer: nothing keeps a scheduler that reaches it from acting.")
    typer.echo("First stop every one of them:")
    for how in [*(STOP[name] for name in sorted(providers) if name in STOP), STOP_HERE]:
        typer.echo(f"  {how}")
    typer.echo("Then, to act on exactly this plan:")
    typer.echo(
        f"  cloudfail evacuate {region} --break-glass --journal {shlex.quote(journal)} --plan {checksum[:8]} "
        f"--confirm {shlex.quote(sentence)}"
    )
    typer.echo(f"In every other terminal (to approve, pause, resume): export {opening.JOURNAL}={shlex.quote(journal)}")
    typer.echo(f"When the store answers again: cloudfail state merge {shlex.quote(journal)} --reason TEXT")
