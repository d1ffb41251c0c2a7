"""Directories of labs: how a living one is told from a dead one, and how a dead one is removed.

A lab holds an exclusive lock (flock) on `lab.lock` in its directory for as long as it lives. The kernel drops the lock
with the process, whatever killed it, so a directory whose lock can be taken belongs to a dead lab. A new directory is
locked before it gets the name under which others look for it, so there is no moment in which a young lab looks dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cloudfail.errors import Refused
from cloudfail.lab import remains

PREFIX = "cloudfail-lab-"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 << 30


def root() -> Path:
    """Where temporary lab directories are made: TMPDIR if it is set, else in memory if 2 GiB are free there (two
    databases are a thousand small files each, which takes seconds on a slow disk), else where temporary files go."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        free = os.statvfs(MEMORY)
        if free.f_bavail * free.f_frsize >= MEMORY_BYTES_MIN:
            return MEMORY
    return Path(tempfile.gettempdir())


@dataclass
class Claim:
    """A locked lab directory. `temporary`: it is removed at the end."""

    directory: Path
    temporary: bool
    lock: IO[str]

    def release(self) -> None:
        """Remove a temporary directory, then let the lock go."""
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.lock.close()


def _locked(directory: Path) -> IO[str] | None:
    """The locked lock file, or None if another process holds it."""
    file = open(directory / "lab.lock", "a+", encoding="utf-8")  # noqa: SIM115  (held for the lab's life)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def claim(directory: Path | None) -> Claim:
    """Make (or take over) a lab's directory and lock it. 0755, because PostgreSQL's user has to pass through."""
    if directory is None:
        young = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=root()))
        lock = _locked(young)
        if lock is None:
            raise AssertionError("a directory that nobody knows of was locked by somebody")
        final = young.with_name(young.name[1:])
        young.rename(final)
        final.chmod(0o755)
        return Claim(final, True, lock)
    directory = directory.resolve()
    if directory.exists() and any(directory.iterdir()) and not (directory / "lab.lock").exists():
        raise Refused(
            f"{directory} holds files that are not a lab's.",
            "Nothing was started or removed.",
            "Name an empty directory with `cloudfail lab up --directory DIR`.",
        )
    directory.mkdir(parents=True, exist_ok=True)
    lock = _locked(directory)
    if lock is None:
        raise Refused(
            f"A lab is running in {directory}.",
            "It was not touched.",
            f"End it with `cloudfail lab down --directory {directory}`, or name another directory.",
        )
    kill_under(directory)
    for name in ("east", "west", "dns", "edge", "parts", "control.sock"):
        _remove(directory / name)
    directory.chmod(0o755)
    return Claim(directory, False, lock)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def pids_under(directory: Path) -> list[int]:
    """Processes whose working directory lies in `directory`. PostgreSQL, HAProxy and workers keep theirs there for life
    (PostgreSQL's children too, which leave their parent's process group and session). A process with a terminal is a
    person's shell that looks around there, and none of ours."""
    wanted = str(directory)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                cwd = os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)")
                if (cwd == wanted or cwd.startswith(wanted + "/")) and not has_terminal(int(name)):
                    found.append(int(name))
    return [pid for pid in found if pid != os.getpid()]


def has_terminal(pid: int) -> bool:
    """Does the process have a controlling terminal?"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4] != "0"


def kill_under(directory: Path, seconds: float = 5.0) -> int:
    """SIGKILL everything that works in `directory`, again and again until nothing is left; how many were killed."""
    killed: set[int] = set()
    deadline = time.monotonic() + seconds
    while (pids := pids_under(directory)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.005)
    for data in directory.glob("*/pg"):
        remains.forget(data)
    return len(killed)


def lab_directories() -> list[Path]:
    """Every temporary lab directory of this user, living or dead."""
    found = [path for place in {MEMORY, Path(tempfile.gettempdir())} for path in place.glob(f"{PREFIX}*")]
    return sorted(path for path in found if path.is_dir() and path.lstat().st_uid == os.geteuid())


def is_alive(directory: Path) -> bool:
    """Does a process hold the directory's lock?"""
    if not (directory / "lab.lock").exists():
        return False
    lock = _locked(directory)
    if lock is None:
        return True
    lock.close()
    return False


def remove_dead_labs() -> list[Path]:
    """Kill what is left of dead labs and remove their temporary directories; returns those that were removed."""
    removed = []
    for directory in lab_directories():
        with contextlib.suppress(OSError):
            lock = _locked(directory)
            if lock is not None:
                kill_under(directory)
                shutil.rmtree(directory, ignore_errors=True)
                lock.close()
                removed.append(directory)
    return removed


def _watch(directory: Path, temporary: bool) -> None:
    """Wait until the supervisor's end of our standard input closes, however it ended; then kill and remove."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    kill_under(directory)
    if temporary:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), sys.argv[2] == "temporary")
