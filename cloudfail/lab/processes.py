"""Starting, killing, freezing and counting the processes of a region."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudfail.lab.wrapper import environment

Pids = Callable[[], list[int]]


def start(argv: Sequence[str], *, log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, without a terminal; what it prints goes to `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment(),
            start_new_session=True,
        )


def state(pid: int) -> str:
    """The kernel's one-letter state (R, S, T …), or "" for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def living(pids: Sequence[int]) -> list[int]:
    """Those that are neither gone nor zombies."""
    return [pid for pid in pids if state(pid) not in ("", "Z", "X")]


def kill_all(pids: Pids, seconds: float = 5.0) -> set[int]:
    """SIGKILL every process that `pids` finds, again until it finds none (a process may be born meanwhile).

    Returns all that were found alive, also those that ended by themselves when their parent was killed.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + seconds
    while found := living(pids()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        if time.monotonic() > deadline:
            break
        time.sleep(0.002)
    return killed


def stop_all(pids: Pids, seconds: float = 5.0) -> set[int]:
    """SIGSTOP every process that `pids` finds until all are in state T; those that were stopped."""
    deadline = time.monotonic() + seconds
    while True:
        found = living(pids())
        running = [pid for pid in found if state(pid) not in ("T", "t")]
        if not running or time.monotonic() > deadline:
            return {pid for pid in found if state(pid) in ("T", "t")}
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(0.002)


def continue_all(pids: Pids) -> set[int]:
    """SIGCONT every process that `pids` finds; those that were stopped before."""
    stopped = {pid for pid in pids() if state(pid) in ("T", "t")}
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return stopped


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.01) -> bool:
    """Wait until `condition` holds, at most `seconds`; whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
