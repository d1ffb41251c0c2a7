"""A lab in a process of its own, driven by its control socket: for tests and for anything that must outlive it.

with BackgroundLab("--synchronous", "off") as lab:
    lab.ask("kill", region="east")
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.lab import control, visit, wrapper
from cloudfail.lab.score import Write, read


class BackgroundLab:
    """`python -m cloudfail.lab.supervise ARGUMENTS` inside of a wrapper. `process` is the outermost of its chain.

    The kernel ends the lab with the *thread* that made it, so make it in one that lives as long.
    """

    def __init__(self, *arguments: str, netns: bool = True) -> None:
        argv = [sys.executable, "-m", "cloudfail.lab.supervise", "--mode", "netns" if netns else "loopback", *arguments]
        self.process = subprocess.Popen(
            wrapper.wrapped(argv, netns=netns),
            env=wrapper.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.directory = self._wait_until_up()

    def _wait_until_up(self) -> Path:
        """The lab's directory, as its first line says it; an error if the supervisor ended instead."""
        if self.process.stdout is None or self.process.stderr is None:
            raise AssertionError("the supervisor was started with pipes")
        directory = None
        for line in self.process.stdout:
            if line.startswith("lab "):
                directory = Path(line.rpartition(" in ")[2].strip())
            if line.startswith("The lab is up"):
                break
        if directory is None:
            said = self.process.stderr.read()
            raise CloudfailError(f"The lab did not start: {said.strip()}", "Nothing of it runs.", "Read the message.")
        return directory

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the supervisor; see verbs.py for what it knows."""
        return control.ask(self.directory / "control.sock", verb, **arguments)

    def run(self, node: str, argv: Sequence[str], seconds: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Run a command on a node of the lab."""
        line = visit.command(self.directory, node, argv)
        return subprocess.run(line, text=True, capture_output=True, timeout=seconds, check=False)

    def load(self, seconds: float, rates: Mapping[str, float] | None = None) -> list[Write]:
        """A load of so many seconds, and what came of every write."""
        record = self.ask("load", seconds=seconds, rates=rates)
        time.sleep(seconds)
        self.ask("load_stop")
        return read(Path(record))

    def close(self) -> None:
        """End the lab, and if it does not end, kill it."""
        if self.process.poll() is None:
            try:
                self.ask("down")
                self.process.wait(15.0)
            except (CloudfailError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait(5.0)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> BackgroundLab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
