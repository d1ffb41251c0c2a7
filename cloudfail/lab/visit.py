"""From outside of a lab to inside: which lab is meant, and how a command gets into its namespaces."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from cloudfail.errors import Refused
from cloudfail.lab import control, leftovers, network, wrapper


def find(directory: Path | None) -> Path:
    """The directory of the lab that is meant: the one named, else CLOUDFAIL_LAB, else the one that this working
    directory lies in, else the only temporary one that lives. (A lab in a directory of its own is never guessed.)"""
    named = directory or (Path(os.environ["CLOUDFAIL_LAB"]) if os.environ.get("CLOUDFAIL_LAB") else _around())
    living = [
        path for path in ([named.resolve()] if named else leftovers.lab_directories()) if leftovers.is_alive(path)
    ]
    if not living:
        where = f" in {named}" if named else ""
        raise Refused(f"No lab is running{where}.", "Nothing was done.", "Start one with `cloudfail lab up`.")
    if len(living) > 1:
        raise Refused(
            f"{len(living)} labs are running: {', '.join(str(path) for path in living)}.",
            "Nothing was done.",
            "Say which one with `--directory DIR`.",
        )
    return living[0]


def _around() -> Path | None:
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if leftovers.is_alive(place)), None)


def command(directory: Path, node: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` on a node of the lab, from this process's place, in this working directory."""
    socket = directory / "control.sock"
    if not control.ask(socket, "inside", node=node)[0].startswith("nsenter"):
        return list(argv)
    into = ["nsenter", "-t", str(control.supervisor_pid(socket)), "-m", "-p", "-i", "-u", "-n", "--"]
    here = ["sh", "-c", 'cd "$0" && exec "$@"', os.getcwd()]
    return [*into, *network.prefix(node), *here, "env", f"{wrapper.MARK}=netns", f"CLOUDFAIL_LAB={directory}", *argv]


def wait_until_gone(directory: Path, seconds: float = 15.0) -> bool:
    """Wait until no process holds the lab any more."""
    deadline = time.monotonic() + seconds
    while directory.exists() and leftovers.is_alive(directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
