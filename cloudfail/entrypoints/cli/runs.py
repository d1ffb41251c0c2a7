"""status, runs, and the commands that people give to a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, By, Config, Format, Reason, Run, Runbooks, open_app


def status(
    run: Run = None, format_: Format = "text", config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = ""
) -> None:
    """Where the application stands: its primary, the open run, what is owed."""
    from cloudfail.report import run as report
    from cloudfail.report.audit import ending

    app = open_app(config, runbooks, by)
    log = app.log()
    if run is None and format_ == "text":
        typer.echo(report.status_text(log, app.topology))
        typer.echo(ending(app.head, app.anchoring.lines if app.anchoring is not None else ()))
        return
    state = app.run(run)
    match format_:
        case "json":
            typer.echo(json.dumps(report.as_json(state), indent=2, ensure_ascii=False))
        case "markdown":
            typer.echo(report.as_markdown(state))
        case _:
            typer.echo(report.as_text(state))
            typer.echo(ending(app.head))


def runs(config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = "") -> None:
    """Every run of the application, the newest first."""
    from cloudfail.report import run as report

    typer.echo(report.runs_text(open_app(config, runbooks, by).log()))


def approve(
    run: Run = None,
    gate: Annotated[str, typer.Option("--gate", help="Only this gate; without: whichever is open.")] = "",
    accept_owed_fence: Annotated[
        bool, typer.Option("--accept-owed-fence", help="Accept that the old side may still take writes.")
    ] = False,
    loss_seconds: Annotated[
        float | None, typer.Option("--loss-seconds", help="Accept the loss of so many seconds of acknowledged writes.")
    ] = None,
    capacity: Annotated[
        str,
        typer.Option("--capacity", help="Only with so many healthy workers: 80% of the plan's, or web=4,workers=2."),
    ] = "",
    write: Annotated[
        Path | None, typer.Option("--write", help="Approve nothing: write what is agreed to, to be signed.")
    ] = None,
    signed: Annotated[
        Path | None, typer.Option("--signed", help="The text that was signed, with its FILE.sig beside it.")
    ] = None,
    plan: Annotated[str, typer.Option("--plan", help="With --write: for a reviewed plan, before a run of it.")] = "",
    standing: Annotated[
        bool, typer.Option("--standing", help="With --write and --plan: let automation act on it.")
    ] = False,
    own_run: Annotated[
        bool, typer.Option("--own-run", help="With --write: I opened it, and there is nobody else.")
    ] = False,
    good_for: Annotated[str, typer.Option("--for", help="With --write: how long it is good for.")] = "15m",
    reason: Reason = "",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Let the run pass its gate, in your name, within the bounds that you state."""
    if write is not None:
        from cloudfail.config import durations
        from cloudfail.entrypoints.cli import signatures

        app = open_app(config, runbooks, by)
        approval = app.to_sign(
            plan=plan,
            run=run,
            seconds=durations.parse(good_for),
            gate=gate,
            accept_owed_fence=accept_owed_fence,
            loss_seconds=loss_seconds,
            capacity=capacity,
            standing=standing,
            own_run=own_run,
        )
        signatures.write(approval, write)
        return
    data: dict[str, object] = {"gate": gate, "accept_owed_fence": accept_owed_fence, "loss_seconds": loss_seconds}
    if capacity:
        data["capacity"] = open_app(config, runbooks, by).least_capacity(run, capacity)
    if signed is not None:
        from cloudfail.entrypoints.cli import signatures

        document, signature = signatures.read(signed)
        data |= {"document": document, "signature": signature}
    _command("approve", run, config, runbooks, by, reason, **data)


def decline(
    run: Run = None, reason: Reason = "", config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = ""
) -> None:
    """Refuse the gate: what was changed is put back, the fence included."""
    _command("decline", run, config, runbooks, by, reason)


def pause(
    run: Run = None,
    automation: Annotated[
        bool, typer.Option("--automation", help="Stop automation for the whole application.")
    ] = False,
    reason: Reason = "",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Make no further call until resume. With --automation: open no run by yourself until then."""
    if automation:
        open_app(config, runbooks, by).pause_automation(True, reason)
        typer.echo("Automation is paused for this application. Let it go on: cloudfail resume --automation")
        return
    _command("pause", run, config, runbooks, by, reason)


def abort(
    run: Run = None, reason: Reason = "", config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = ""
) -> None:
    """Take the run back if no promotion was ordered yet; else stop it where it is."""
    _command("abort", run, config, runbooks, by, reason)


def close(
    run: Run = None, reason: Reason = "", config: Config = DEFAULT_CONFIG, runbooks: Runbooks = None, by: By = ""
) -> None:
    """End a run that cannot go on, as it stands. What is owed stays owed."""
    _command("close", run, config, runbooks, by, reason)


def resume(
    run: Run = None,
    automation: Annotated[bool, typer.Option("--automation", help="Let automation go on again.")] = False,
    reason: Reason = "",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Carry a run on from here, whoever began it: paused, halted, or left by a worker that died."""
    from cloudfail.entrypoints.cli.following import follow
    from cloudfail.execution.lifecycle import Event, ways_out

    app = open_app(config, runbooks, by)
    if automation:
        app.pause_automation(False, reason)
        typer.echo("Automation goes on.")
        return
    state = app.run(run)

    def begin() -> str:
        if Event.RESUME in ways_out(app.run(state.id).phase):
            app.command(state.id, Event.RESUME, reason)
        return state.id

    raise typer.Exit(follow(app, state.plan.target, begin))


def _command(
    command: str, run: Run, config: Config, runbooks: Runbooks, by: By, reason: Reason, **data: object
) -> None:
    from cloudfail.execution.gates import still_missing
    from cloudfail.execution.lifecycle import Event
    from cloudfail.report.wording import plain

    state = open_app(config, runbooks, by).command(run, Event(command), reason, **data)
    typer.echo(f"Run {state.id} is {state.phase}. {plain(state.story[-1].text)}")
    missing = still_missing(state)
    if missing:
        typer.echo(missing)


def register(app: typer.Typer) -> None:
    for command in (status, runs, approve, decline, pause, resume, abort, close):
        app.command()(command)
