"""plan, evacuate: review what would change; act on exactly that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, By, Config, Format, Reason, Runbooks, open_app

if TYPE_CHECKING:
    from cloudfail.app import App, Review

Region = Annotated[str, typer.Argument(metavar="REGION", help="The region to move out of.")]
To = Annotated[str | None, typer.Option("--to", help="Where to; without: the first standby that owes nothing.")]
Runbook = Annotated[str | None, typer.Option("--runbook", help="A runbook's name; without: the policy's.")]


def plan(
    region: Region,
    to: To = None,
    runbook: Runbook = None,
    sign_for: Annotated[
        str | None, typer.Option("--sign-for", help="Let automation act on exactly this plan for so long (30d, 12h).")
    ] = None,
    signed: Annotated[
        Path | None, typer.Option("--signed", help="With --sign-for, where approvers sign: the text and its FILE.sig.")
    ] = None,
    format_: Format = "text",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Read the world and print what would change, step by step. Changes nothing."""
    app = open_app(config, runbooks, by)
    review = app.review(region, to, runbook)
    show(app, review, format_)
    if review.refusals:
        raise typer.Exit(2)
    if sign_for is not None:
        from cloudfail.config import durations

        given = None
        if signed is not None:
            from cloudfail.entrypoints.cli import signatures

            given = signatures.read(signed)
        app.sign(review.plan, durations.parse(sign_for), given)
        typer.echo(f"Signed by {app.by} for {sign_for}: automation may act on exactly plan {review.plan.checksum[:8]}.")


def evacuate(
    region: Region,
    to: To = None,
    runbook: Runbook = None,
    checksum: Annotated[str | None, typer.Option("--plan", help="Act on exactly this reviewed plan.")] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve its gate now, within its bounds: fence proven or prevented.")
    ] = False,
    approval: Annotated[
        Path | None, typer.Option("--approval", help="An approval of this plan that somebody signed (FILE, FILE.sig).")
    ] = None,
    reason: Reason = "",
    detach: Annotated[bool, typer.Option("--detach", help="Open the run and let another worker carry it on.")] = False,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Go by hand, since the store does not answer. Needs --journal.")
    ] = False,
    journal: Annotated[str, typer.Option("--journal", help="The file for that: sqlite:PATH")] = "",
    workers: Annotated[
        list[str] | None,
        typer.Option("--workers", metavar="GROUP=COUNT", help="With --break-glass: how many ran in REGION."),
    ] = None,
    confirm: Annotated[str, typer.Option("--confirm", help="The sentence that --break-glass asks for.")] = "",
    format_: Format = "text",
    config: Config = DEFAULT_CONFIG,
    runbooks: Runbooks = None,
    by: By = "",
) -> None:
    """Move the application out of REGION. Without --plan nothing is changed: it prints the plan to review."""
    from cloudfail.errors import Refused

    if break_glass:
        from cloudfail.entrypoints.cli import by_hand

        app = by_hand.open_app(config, runbooks, by, journal, region, reason)
        by_hand.remember_workers(app, region, workers or [])
        if checksum is not None:
            by_hand.must_confirm(app, confirm)
    else:
        app = open_app(config, runbooks, by)
    if checksum is None:
        review = app.review(region, to, runbook)
        show(app, review, format_)
        if break_glass and not review.refusals:
            by_hand.say_how(app, journal, region, review.plan.checksum)
        raise typer.Exit(2 if review.refusals else 0)
    kept = app.reviewed(checksum)
    if kept.source != region or (to or kept.target) != kept.target or (runbook or kept.runbook) != kept.runbook:
        raise Refused(
            f"Plan {kept.checksum[:8]} is {kept.runbook} from {kept.source} to {kept.target}, not "
            f"{runbook or kept.runbook} from {region} to {to or kept.target}.",
            "Nothing was changed.",
            f"Review the move that you want: cloudfail plan {region}",
        )
    signed = None
    if approval is not None:
        from cloudfail.entrypoints.cli import signatures

        signed = signatures.read(approval)
    words = reason or f"{app.by} asked for {kept.runbook}, {region} to {kept.target}"
    if detach:
        run = app.start(checksum, reason=words, approve=approve, signed=signed)
        typer.echo(f"Opened run {run}. Carry it on from anywhere: cloudfail resume {run}")
        return
    from cloudfail.entrypoints.cli.following import follow

    raise typer.Exit(
        follow(app, kept.target, lambda: app.start(checksum, reason=words, approve=approve, signed=signed))
    )


def show(app: App, review: Review, format_: str) -> None:
    from cloudfail.report import plan as report

    view = report.PlanView(
        plan=review.plan,
        previews=review.previews,
        estimate=review.estimate,
        objectives=app.topology.objectives,
        refusals=review.refusals,
        warnings=review.warnings,
        loss=review.loss,
    )
    match format_:
        case "json":
            typer.echo(json.dumps(report.as_json(view), indent=2, ensure_ascii=False))
        case "markdown":
            typer.echo(report.as_markdown(view))
        case _:
            typer.echo(report.as_text(view))


def register(app: typer.Typer) -> None:
    app.command()(plan)
    app.command()(evacuate)
