"""cloudfail as its operators use it: commands that are typed, some of which stay, beside an application that stands in
two regions of some cloud's front."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudfail.shipped import runbook_file

RUNBOOKS = ("evacuate", "restore", "failback")
TICKS_MAX = 12
COMMAND_SECONDS = 600.0


@dataclass(frozen=True)
class Said:
    """What a command printed (both streams), and how it ended."""

    code: int
    text: str


class Operator:
    """The commands of one application, whose files are in `root`: `cloudfail.yaml`, and runbooks that ship."""

    def __init__(self, root: Path, topology: str, runbooks: Sequence[str] = RUNBOOKS) -> None:
        self.root = root
        self.started: list[subprocess.Popen[bytes]] = []
        (root / "runbooks").mkdir()
        for name in runbooks:
            (root / "runbooks" / f"{name}.yaml").write_text(runbook_file(name).read_text())
        (root / "cloudfail.yaml").write_text(topology)

    def environment(self, by: str = "alice") -> dict[str, str]:
        return {
            **os.environ,
            "CLOUDFAIL_CONFIG": str(self.root / "cloudfail.yaml"),
            "CLOUDFAIL_ALLOW_LOOPBACK": "1",
            "CLOUDFAIL_AS": by,
        }

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cloudfail", *words]

    def cloudfail(self, *words: str, by: str = "alice") -> Said:
        done = subprocess.run(
            self.argv(*words), cwd=self.root, env=self.environment(by), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)

    def begin(self, log: str, *words: str, by: str = "alice") -> subprocess.Popen[bytes]:
        """Start a command that stays; what it prints is read by `words_of`."""
        with (self.root / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(
                self.argv(*words), cwd=self.root, env=self.environment(by), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.started.append(process)
        return process

    def words_of(self, log: str) -> str:
        return (self.root / f"{log}.log").read_text()

    def reviewed(self, region: str, *words: str) -> tuple[str, str]:
        """What `cloudfail plan` says of it: (the text, the checksum)."""
        said = self.cloudfail("plan", region, *words)
        assert said.code == 0, said.text
        asked = re.search(r"--plan ([0-9a-f]+)", said.text)
        assert asked is not None, said.text
        return said.text, asked[1]

    def move(self, log: str, region: str, checksum: str, *words: str, approve: tuple[str, ...] = ()) -> Said:
        """Act on that plan; another person lets it pass its gate when it waits there."""
        process = self.begin(log, "evacuate", region, "--plan", checksum, *words)
        ends = time.monotonic() + COMMAND_SECONDS
        while "gate opened" not in self.words_of(log) and process.poll() is None:
            assert time.monotonic() < ends, self.words_of(log)
            time.sleep(0.5)
        if process.poll() is None:
            said = self.cloudfail("approve", *approve, "--reason", "seen from outside", by="bob")
            assert said.code == 0, f"{said.text}\n{self.words_of(log)}"
        process.wait(COMMAND_SECONDS)
        return Said(process.returncode, self.words_of(log))

    def settled(self) -> str:
        """What `status` says once ticks have done what was owed."""
        for _ in range(TICKS_MAX):
            said = self.cloudfail("tick", "--for", "15", by="schedule")
            assert said.code == 0, said.text
            standing = self.cloudfail("status").text
            if "DEGRADED" not in standing.splitlines()[0]:
                return standing
        raise AssertionError(standing)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait(10)
