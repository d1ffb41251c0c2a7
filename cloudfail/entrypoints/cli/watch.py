"""check, watch, tick: look; look and decide and act, for as long as you let it; the same, for one scheduled while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, By, Config, Runbooks, open_app

if TYPE_CHECKING:
    from cloudfail.watcher import Moment


def check(config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = "") -> None:
    """Look once from every vantage and say what each region is, who asks, what would refuse a move, and whether each
    may run what runs in another by its quotas. Changes nothing in the world."""
    from cloudfail import preflight
    from cloudfail.rooms import reports

    app = open_app(config, runbooks, by)
    live = app.look_once()
    app.record()
    for region, verdict in live.verdicts().items():
        role = "primary" if region == app.primary else "standby"
        typer.echo(f"{region}  {role}  {verdict.health}  {'; '.join(verdict.reasons)}")
    for standing in app.who():
        typer.echo(standing.sentence)
    asked = preflight.ask(app.world, app.topology.resources, app.clock)
    for line in preflight.refused(asked):
        typer.echo(f"would be refused: {line}")
    for line in [*preflight.unknown(asked), *reports(app.world, app.recorded())]:
        typer.echo(line)


def watch(
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.")] = None,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Watch the regions, decide, and carry out what the policy allows. Ctrl-C ends it; what is open stays open."""
    from cloudfail.entrypoints.cli.following import printer
    from cloudfail.watcher import Watcher

    app = open_app(config, runbooks, by)
    app.notify = printer(app.log().seq)
    app.make_anchors()
    until = None if seconds is None else app.clock.boot() + seconds
    Watcher(app, tell).run(until=until)


def tick(
    seconds: Annotated[float, typer.Option("--for", help="How long this tick may take.")] = 50.0,
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """One scheduled while of watching: what is open is carried on, a loss that lasts is acted on."""
    watch(seconds, config, runbooks, by)


def tell(moment: Moment) -> None:
    """A changed decision, with the last reason and what a person can do."""
    import time

    from cloudfail.secrecy import redacted

    stamp = time.strftime("%H:%M:%S", time.gmtime(moment.at))
    decision = moment.decision
    where = f" {decision.source} → {decision.target}" if decision.source and decision.target else ""
    reason = decision.reasons[-1] if decision.reasons else ""
    way = f"Next: {decision.to_do}" if decision.to_do.startswith("cloudfail ") else decision.to_do
    typer.echo(redacted(f"{stamp} {decision.kind}{where}: {reason} {way}".rstrip()))


def register(app: typer.Typer) -> None:
    for command in (check, watch, tick):
        app.command()(command)
