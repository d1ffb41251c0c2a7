"""Runs one command: an argv, no shell, bounded in time and in output, its process group killed at the end of time."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OUTPUT_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The last thing that it said, for people: one line."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip()[:300] if lines else f"exit {self.code} without a word"


class TimedOut(Exception):
    """The command had not ended in time; its process group was killed. What it did is unknown."""


class NotStarted(Exception):
    """The command could not be started; nothing happened."""


def behind(prefix: Sequence[str], argv: Sequence[str]) -> list[str]:
    """`argv` as `prefix` is to run it: as it stands, but quoted behind an ssh, since that joins its words with blanks
    and hands them to a shell over there (ssh(1)). The prefix itself is the file's, and runs as it was written."""
    if any(posixpath.basename(word) == "ssh" for word in prefix):
        return [*prefix, *(shlex.quote(word) for word in argv)]
    return [*prefix, *argv]


def run(argv: Sequence[str], *, seconds: float, stdin: bytes = b"", told: Mapping[str, str] | None = None) -> Finished:
    """Run `argv` for at most `seconds`. Raises TimedOut or NotStarted; an exit code is an answer, not an error. told:
    variables that it has beside those of this process.

    The command gets a process group of its own, so that what it started is ended with it. It runs in `/`, since the
    user that a prefix changes to may not be allowed into our working directory.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=None if told is None else {**os.environ, **told},
        )
    except (OSError, ValueError) as error:
        raise NotStarted(f"{argv[0]} could not be started: {error}") from error
    try:
        out, err = process.communicate(stdin or None, timeout=max(0.01, seconds))
    except subprocess.TimeoutExpired as error:
        _kill(process)
        raise TimedOut(f"{argv[0]} did not end within {seconds:.1f} s") from error
    except BaseException:
        _kill(process)
        raise
    return Finished(
        process.returncode,
        out[:OUTPUT_BYTES_MAX].decode("utf-8", "replace"),
        err[:OUTPUT_BYTES_MAX].decode("utf-8", "replace"),
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=1.0)
    except (subprocess.TimeoutExpired, ValueError):
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
