"""simulate: many failovers of one's own application in a simulated world, held against the objectives."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudfail.entrypoints.cli.opening import DEFAULT_CONFIG, Runbooks, runbook_files

if TYPE_CHECKING:
    from cloudfail.testing.simulation.own import Own
    from cloudfail.testing.simulation.trial import Asked, Played

BUDGET_SECONDS = 5.0
"""Loading and playing; the worst seed is told after it."""
LEAST_SECONDS = 1.5
SEEDS_MAX = 1_000_000
PROCESSES_MAX = 256
MISSED_PERCENT_MAX = 5.0
WIDTH_MAX = 110
REPLICATION = {"both": None, "synchronous": True, "asynchronous": False}


def simulate(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="CLOUDFAIL_CONFIG",
            help="The application's file; without, and with no cloudfail.yaml here: the example that ships.",
        ),
    ] = None,
    runbooks: Runbooks = None,
    runbook: Annotated[str | None, typer.Option("--runbook", help="A runbook's name; without: the policy's.")] = None,
    source: Annotated[str | None, typer.Option("--from", help="The region that is lost; without: the primary.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="Where to; without: the first standby.")] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="How many; without: as many as fit into five seconds.")
    ] = None,
    first: Annotated[int, typer.Option("--first", metavar="SEED", help="The first of them.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="Replay this one, and tell its story.")] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="NUMBERS", help="With --seed: only these happenings, 1,4,7 or none.")
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="With --seed: as the sweep of cloudfail.testing.simulation plays it."),
    ] = False,
    faults: Annotated[
        str | None,
        typer.Option("--faults", metavar="NAMES", help="Only these faults or groups; `list` prints them; `none`."),
    ] = None,
    replication: Annotated[
        str, typer.Option("--replication", help="How the database replicates: synchronous, asynchronous, or both.")
    ] = "both",
    on_call: Annotated[
        str | None, typer.Option("--on-call", metavar="TIME", help="How often the one on call looks: 30s, 5m.")
    ] = None,
    missed_max: Annotated[
        float, typer.Option("--missed-max", metavar="PERCENT", help="How many failovers may miss the objectives.")
    ] = MISSED_PERCENT_MAX,
    processes: Annotated[
        int | None, typer.Option("--processes", help="How many to play with; without: one for each core.")
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="Play an incident from its file instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write report.json and report.html there.")] = None,
) -> None:
    """Play many failovers in a simulated world: will this runbook meet its objectives? Touches no cloud.

    Exit code 0: at most 5 of 100 miss them (--missed-max). 3: more do. 4: too few seeds to tell. 1: an invariant did
    not hold, or a mistake.
    """
    began = time.monotonic()
    _need_greenlet()
    if faults == "list":
        _list_faults()
        return
    if scenario is not None:
        _play_incident(scenario, as_json)
        return
    from cloudfail.testing.simulation import faults as known
    from cloudfail.testing.simulation.trial import Asked, trial

    _sensible(seeds, first, seed, keep, processes, missed_max, replication)
    if sweep:
        _sweep(seed, keep, as_json)
        return
    wanted = known.chosen(faults)
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    one = _opened(config, runbooks, runbook, source, target, on_call, replication)
    options = _options(
        {
            "--config": None if config is None else str(config),
            "--runbook": runbook,
            "--from": source,
            "--to": target,
            "--faults": faults,
            "--replication": None if replication == "both" else replication,
            "--on-call": on_call,
            "--missed-max": None if missed_max == MISSED_PERCENT_MAX else f"{missed_max:g}",
        },
        runbooks,
    )

    asked = Asked(
        first=first,
        seeds=seeds,
        budget_seconds=max(LEAST_SECONDS, BUDGET_SECONDS - (time.monotonic() - began)),
        faults=wanted,
        processes=processes or _cores(),
        missed_share_max=missed_max / 100,
        command=_command([], options),
    )
    if seed is not None:
        _replay(one, asked, seed, keep, as_json)
        return
    if one.shipped and not as_json:
        typer.echo("There is no cloudfail.yaml here: this is the example that ships (--config FILE for your own).\n")
    from dataclasses import replace

    from cloudfail.report import simulation as report

    found = trial(one, asked, _progress(quiet=as_json))
    words = ["cloudfail", "simulate", "--seeds", str(len(found.felts))]
    words += ["--first", str(first)] if first else []
    found = replace(found, replay=shlex.join([*words, *options]))
    document = json.dumps(report.as_json(found), indent=2, ensure_ascii=False)
    typer.echo(document if as_json else report.as_text(found, _width()))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(document + "\n", encoding="utf-8")
        (out / "report.html").write_text(report.as_html(found), encoding="utf-8")
        typer.echo(f"Report: {out / 'report.html'} and {out / 'report.json'}", err=as_json)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _need_greenlet() -> None:
    from importlib.util import find_spec

    from cloudfail.errors import Refused

    if find_spec("greenlet") is None:
        raise Refused(
            "The simulator needs greenlet, which is not installed.",
            "Nothing was played.",
            "Install it: pip install 'cloudfail[simulate]'",
        )


def _sensible(
    seeds: int | None,
    first: int,
    seed: int | None,
    keep: str | None,
    processes: int | None,
    missed_max: float,
    replication: str,
) -> None:
    """Raises Refused for a value that means nothing."""
    from cloudfail.config.mistakes import did_you_mean

    wrong: list[tuple[bool, str, str]] = [
        (
            seeds is not None and not 1 <= seeds <= SEEDS_MAX,
            f"--seeds {seeds}",
            f"Write a number from 1 to {SEEDS_MAX:,}.",
        ),
        (not 0 <= first < 2**48, f"--first {first}", "Write a number from 0 on."),
        (seed is not None and not 0 <= seed < 2**48, f"--seed {seed}", "Write a number from 0 on."),
        (
            processes is not None and not 1 <= processes <= PROCESSES_MAX,
            f"--processes {processes}",
            f"Write a number from 1 to {PROCESSES_MAX}.",
        ),
        (not 0 <= missed_max <= 100, f"--missed-max {missed_max:g}", "Write a percentage from 0 to 100."),
        (
            replication not in REPLICATION,
            f"--replication {replication}",
            f"{did_you_mean(replication, REPLICATION, 'Write one of')}.".capitalize().replace("?.", "?"),
        ),
        (
            keep is not None and seed is None,
            "--keep without --seed",
            "Name the seed too: cloudfail simulate --seed N --keep 1,4",
        ),
    ]
    for is_wrong, what, instead in wrong:
        if is_wrong:
            raise _nothing(f"{what} means nothing here.", instead)


def _nothing(happened: str, to_do: str) -> Exception:
    from cloudfail.errors import Refused

    return Refused(happened, "Nothing was played.", to_do)


def _numbers(keep: str | None) -> list[int] | None:
    if keep is None:
        return None
    if keep.strip() in {"", "none"}:
        return []
    try:
        return sorted({int(word) for word in keep.split(",")})
    except ValueError:
        raise _nothing(
            f"--keep {keep} is no list of numbers.", "Write numbers with commas between them: --keep 1,4,7"
        ) from None


def _opened(
    config: Path | None,
    runbooks: list[Path] | None,
    runbook: str | None,
    source: str | None,
    target: str | None,
    on_call: str | None,
    replication: str,
) -> Own:
    from cloudfail.config import durations
    from cloudfail.testing.simulation.own import own

    seconds = None
    if on_call is not None:
        try:
            seconds = float(durations.parse(on_call))
        except ValueError as error:
            raise _nothing(f"--on-call {on_call} is no time.", f"{str(error).capitalize()}.") from None
        if not 1 <= seconds <= 3600:
            raise _nothing(f"--on-call {on_call} is out of bounds.", "Write a time from 1s to 1h.")
    files = (runbooks or []) if config is None else runbook_files(config, runbooks)
    return own(
        config,
        files,
        runbook=runbook,
        source=source,
        target=target,
        answers_after_seconds=seconds,
        synchronous=REPLICATION[replication],
    )


def _options(given: dict[str, str | None], runbooks: list[Path] | None) -> list[str]:
    """The options by which the same is played again."""
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    return [*words, *(word for file in runbooks or [] for word in ("--runbook-file", str(file)))]


def _replay(one: Own, asked: Asked, seed: int, keep: str | None, as_json: bool) -> None:
    from cloudfail.testing.simulation.trial import played

    numbers = _numbers(keep)
    _tell(played(seed, one, asked, numbers), asked, numbers, as_json)


def _sweep(seed: int | None, keep: str | None, as_json: bool) -> None:
    """A seed of the sweep over all runbooks that ship."""
    from cloudfail.testing.simulation.trial import Asked, swept

    if seed is None:
        raise _nothing(
            "--sweep without --seed replays nothing.",
            "Name the seed: cloudfail simulate --sweep --seed N; or sweep: python -m cloudfail.testing.simulation",
        )
    numbers = _numbers(keep)
    _tell(swept(seed, numbers), Asked(command=_command(["--sweep"], [])), numbers, as_json)


def _command(before: Sequence[str], after: Sequence[str]) -> Callable[[int, Sequence[int] | None], str]:
    """The command that replays a seed, with these options."""

    def command(seed: int, keep: Sequence[int] | None) -> str:
        words = ["cloudfail", "simulate", *before, "--seed", str(seed)]
        if keep is not None:
            words += ["--keep", ",".join(map(str, keep)) or "none"]
        return shlex.join([*words, *after])

    return command


def _tell(this: Played, asked: Asked, keep: Sequence[int] | None, as_json: bool) -> None:
    from cloudfail.report import simulation as report
    from cloudfail.testing.simulation.trial import found_in, told

    story, found = told(this, asked, keep), found_in(asked, this, keep)
    objectives = this.history.setup.loaded.topology.objectives
    if as_json:
        typer.echo(json.dumps(report.seed_json(story, found, objectives), indent=2, ensure_ascii=False))
    else:
        typer.echo(report.seed_text(story, found, objectives, _width()))
    if found:
        raise typer.Exit(1)


def _play_incident(file: Path, as_json: bool) -> None:
    """Exit code 1: it did not end as the file says, or an invariant did not hold."""
    from cloudfail.report import simulation as report
    from cloudfail.testing.simulation.incidents import load_incident, play_incident

    ending = play_incident(load_incident(file))
    if as_json:
        typer.echo(json.dumps(report.incident_json(ending.title, ending.story, ending.findings), indent=2))
    else:
        typer.echo(report.incident_text(ending.title, ending.story, ending.findings, _width()))
    if ending.findings:
        raise typer.Exit(1)


def _list_faults() -> None:
    from cloudfail.report.layout import Column, table
    from cloudfail.testing.simulation.faults import rows

    columns = (Column("group"), Column("fault"), Column("seeds", right=True), Column("what happens", wraps=True))
    for line in table(columns, rows(), _width(), 0):
        typer.echo(line)


def _progress(*, quiet: bool) -> Callable[[int], None]:
    """How many were played by now, where a person looks on."""
    if quiet or not sys.stderr.isatty():
        return lambda _seeds: None

    def show(seeds: int) -> None:
        sys.stderr.write(f"\r{seeds:,} seeds played … ")
        sys.stderr.flush()

    return show


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _width() -> int:
    return max(60, min(shutil.get_terminal_size((100, 24)).columns, WIDTH_MAX))


def register(app: typer.Typer) -> None:
    app.command()(simulate)
