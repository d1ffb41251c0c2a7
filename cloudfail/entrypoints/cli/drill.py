"""drill: break something on purpose, and hold what happened against the objectives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Game days: break something on purpose, and score it.", no_args_is_help=True, add_completion=False
)


@app.callback()
def _group() -> None:
    """Game days: break something on purpose, and score it."""


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="The drill's file; `lab` is the one that ships.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write report.json and report.html there.")] = None,
) -> None:
    """Run a drill in a lab of its own on this machine, and print its table. Exit code 1: it missed an objective."""
    import sys

    from cloudfail.config.drills import load_drill
    from cloudfail.lab import wrapper
    from cloudfail.shipped import runbooks_directory

    if not file.exists() and file.suffix == "":
        file = runbooks_directory() / "drills" / f"{file}.yaml"
    drill = load_drill(file)
    mode = drill.lab.mode
    if wrapper.needed(mode):
        argv = [sys.executable, "-P", "-m", "cloudfail", "drill", "run", str(file.resolve())]
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            argv += ["--out", str(out.resolve())]
        raise typer.Exit(wrapper.enter(argv))

    from cloudfail.lab.gameday import GameDay, spec_of
    from cloudfail.lab.lab import Lab
    from cloudfail.report import drill as report
    from cloudfail.report.html import drill_html

    with Lab.start(spec_of(drill)) as lab:
        made = GameDay(drill, lab, typer.echo).run()
    typer.echo("")
    typer.echo(report.as_text(made))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(json.dumps(report.as_json(made), indent=2, ensure_ascii=False) + "\n")
        (out / "report.html").write_text(drill_html(made))
        typer.echo(f"Report: {out / 'report.html'} and {out / 'report.json'}")
    if not made.verdict.passed:
        raise typer.Exit(1)
