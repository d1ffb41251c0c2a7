"""What a killed PostgreSQL leaves on a machine that lives on, where a dead machine would have left nothing.

Every server, whatever its settings, holds one small System V segment as a lock on its data directory. In netns mode it
goes with the wrapper; in loopback mode it stays in the host's kernel. And where nobody reaps orphans (a container whose
first process is no init), a killed server stays as a zombie: the next start finds the process id in its lock files
alive, and refuses.
"""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

from cloudfail.lab import processes

IPC_RMID = 0
# A process that is being ended gives up its working directory, by which it is found, before it is a zombie, and on a
# busy machine it may stand still between the two.
ENDING_SECONDS = 2.0


def forget(data: Path) -> None:
    """Remove the segment of a server that is dead, and its lock files if a zombie still answers to it."""
    pid_file = data / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return
    if not processes.wait_for(lambda: not processes.living([pid]), ENDING_SECONDS):
        return
    with contextlib.suppress(OSError, ValueError, IndexError):
        key, identifier = (int(word) for word in lines[6].split()[:2])
        # Its children hold the segment too, and end in their own time.
        processes.wait_for(lambda: not _attached(key, identifier), ENDING_SECONDS)
        if _attached(key, identifier) == 0:
            ctypes.CDLL(None, use_errno=True).shmctl(identifier, IPC_RMID, None)
    if processes.state(pid) == "Z":
        for lock in (pid_file, *(data.parent / "run").glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)


def _attached(key: int, identifier: int) -> int | None:
    """How many hold this very segment (identifiers are used again, together with its key they are not); None: it is not
    there."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    found = (int(row[6]) for row in rows if int(row[0]) & 0xFFFFFFFF == key & 0xFFFFFFFF and int(row[1]) == identifier)
    return next(found, None)
