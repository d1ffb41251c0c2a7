"""`cloudfail lab …`: the game-day lab on one machine. Everything heavy is imported inside of the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="A real application in two regions on this machine, and faults for it.",
    no_args_is_help=True,
    add_completion=False,
)

Directory = Annotated[Path | None, typer.Option(help="The lab's directory; needed when several labs run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the proof as JSON.")]
RegionName = Annotated[str, typer.Argument(metavar="REGION", help="east or west")]


@contextmanager
def _told() -> Iterator[None]:
    """An error's three sentences on stderr and exit code 1, instead of a traceback."""
    from cloudfail.errors import CloudfailError

    try:
        yield
    except CloudfailError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _ask(directory: Path | None, verb: str, **arguments: Any) -> Any:
    from cloudfail.lab import control, visit

    with _told():
        return control.ask(visit.find(directory) / "control.sock", verb, **arguments)


def _show(proof: dict[str, Any], sentence: str, as_json: bool) -> None:
    typer.echo(json.dumps(proof) if as_json else sentence)


@app.command()
def up(
    mode: Annotated[str, typer.Option(help="auto, netns (root; every fault) or loopback (no cuts)")] = "auto",
    synchronous: Annotated[str, typer.Option(help="replication: off, on or remote_apply")] = "remote_apply",
    ttl_seconds: Annotated[int, typer.Option(help="TTL of www.shop.lab")] = 1,
    directory: Annotated[Path | None, typer.Option(help="Where its files go, and stay; without: temporary.")] = None,
) -> None:
    """Start a lab and stay in the foreground; Ctrl-C ends it and leaves nothing behind."""
    import sys

    from cloudfail.lab import wrapper

    argv = [sys.executable, "-m", "cloudfail.lab.supervise", "--mode", mode, "--synchronous", synchronous]
    argv += ["--ttl-seconds", str(ttl_seconds)]
    if directory is not None:
        argv += ["--directory", str(directory)]
    with _told():
        reason = wrapper.why_not_netns() if mode == "auto" else None
        if reason is not None:
            typer.echo(f"Using loopback mode, which has no cuts: {reason}.", err=True)
        raise typer.Exit(wrapper.enter(argv, netns=wrapper.needed(mode)))


@app.command()
def status(directory: Directory = None, as_json: AsJson = False) -> None:
    """What runs, what is dead, frozen or cut, and who is the primary."""
    seen = _ask(directory, "status")
    if as_json:
        typer.echo(json.dumps(seen))
        return
    typer.echo(f"{seen['mode']} lab in {seen['directory']}, synchronous {seen['synchronous']}, www → {seen['www']}")
    for name, region in seen["regions"].items():
        database, workers = region["database"], region["workers"]
        role = database if isinstance(database, str) else "standby" if database["standby"] else "primary"
        typer.echo(
            f"{name:<6} {region['state']:<7} {region['processes']:>3} processes  workers {workers['running']} of "
            f"{workers['wanted']} ({workers['healthy']} healthy)  database {role}"
        )
    for sent, received in seen["dropped"]:
        typer.echo(f"cut    {sent} → {received}")


@app.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def execute(
    argv: Annotated[list[str], typer.Argument(metavar="CMD…", help="The command, after --")],
    node: Annotated[str, typer.Option(help="The node to run it on.")] = "control",
    directory: Directory = None,
) -> None:
    """Run a command inside of the lab, in the control network: `cloudfail lab exec -- cloudfail status`."""
    import subprocess

    from cloudfail.lab import visit

    with _told():
        line = visit.command(visit.find(directory), node, argv)
    raise typer.Exit(subprocess.run(line, check=False).returncode)


@app.command()
def kill(region: RegionName, directory: Directory = None, as_json: AsJson = False) -> None:
    """SIGKILL everything in a region."""
    proof = _ask(directory, "kill", region=region)
    ports = " and ".join(proof["ports"])
    done = f"{region}: {proof['killed']} processes killed in {proof['seconds'] * 1000:.0f} ms; ports {ports} refuse."
    _show(proof, done, as_json)


@app.command()
def freeze(region: RegionName, directory: Directory = None, as_json: AsJson = False) -> None:
    """SIGSTOP everything in a region: TCP connects, nothing answers."""
    proof = _ask(directory, "freeze", region=region)
    _show(proof, f"{region}: {proof['stopped']} processes stopped; HTTP times out.", as_json)


@app.command()
def wake(region: RegionName, directory: Directory = None, as_json: AsJson = False) -> None:
    """Let a frozen region go on, as if nothing had happened."""
    proof = _ask(directory, "wake", region=region)
    _show(proof, f"{region}: {proof['woken']} processes woken; HTTP answers {proof['http']}.", as_json)


@app.command()
def cut(
    region: RegionName,
    direction: Annotated[str, typer.Option(help="in (towards the region), out (away from it) or both")] = "both",
    source: Annotated[str | None, typer.Option("--from", help="Only from this node; without: from all.")] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Drop packets between a region and the others."""
    proof = _ask(directory, "cut", region=region, direction=direction, source=source)
    _show(proof, "dropped: " + ", ".join(f"{a} → {b}" for a, b in proof["dropped"]), as_json)


@app.command()
def heal(directory: Directory = None, as_json: AsJson = False) -> None:
    """End every cut."""
    proof = _ask(directory, "heal")
    _show(proof, "Every cut is ended; packets pass on every link.", as_json)


@app.command("lag-kill")
def lag_kill(
    region: RegionName,
    seconds: Annotated[float, typer.Option(help="How long the primary runs ahead before it is killed.")] = 1.0,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Cut the replication link under load, wait, then kill the primary: asynchronous replication loses writes here."""
    proof = _ask(directory, "lag_kill", region=region, seconds=seconds)
    done = (
        f"{region}: killed {proof['lag_bytes']} bytes of log and {proof['writes_ahead']} acknowledged writes "
        f"ahead of its standby; {proof['killed']} processes."
    )
    _show(proof, done, as_json)


@app.command()
def start(
    region: RegionName,
    database: Annotated[
        bool, typer.Option(help="PostgreSQL too, as it lies: an old primary is a second writer.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Start what was killed; PostgreSQL only on request."""
    proof = _ask(directory, "start", region=region, database=database)
    left = "" if database else "; PostgreSQL is left stopped"
    _show(proof, f"{region}: HAProxy and workers run{left}.", as_json)


@app.command()
def load(
    seconds: Annotated[float, typer.Option(help="For how long, up to 900 s.")] = 10.0,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write from outside and inside for a while, and tell what the clients felt."""
    import time

    from cloudfail.lab import score

    record = Path(_ask(directory, "load", seconds=seconds))
    time.sleep(seconds)
    _ask(directory, "load_stop")
    writes = score.read(record)
    felt = {}
    for group in score.groups(writes):
        own = [write for write in writes if write.group == group]
        gap = score.longest_gap(own)
        felt[group] = score.counts(own) | {"write_outage_seconds": round(gap.seconds, 3) if gap else None}
    if as_json:
        typer.echo(json.dumps({"record": str(record), "groups": felt}))
        return
    for group, row in felt.items():
        counted = "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items())
        typer.echo(f"{group:<12} {counted}")
    typer.echo(f"Every write is recorded in {record}.")


@app.command()
def down(directory: Directory = None) -> None:
    """End a lab, from any terminal."""
    from cloudfail.errors import CloudfailError
    from cloudfail.lab import control, visit

    with _told():
        found = visit.find(directory)
        control.ask(found / "control.sock", "down")
        if not visit.wait_until_gone(found):
            raise CloudfailError(
                f"The lab in {found} was asked to end and has not.",
                "Its supervisor still runs.",
                "Kill the supervisor; everything else dies with it.",
            )
    typer.echo(f"The lab in {found} has ended.")
