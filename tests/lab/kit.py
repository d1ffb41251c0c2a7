"""A running lab with cloudfail installed at it: its configuration, its command line, and what its journal says.

Everything of cloudfail's runs in the control namespace, as on an operator's machine; the tests break things from
outside.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from cloudfail.clock import SystemClock
from cloudfail.execution.state import LogState, RunState, fold
from cloudfail.journal import Journal
from cloudfail.lab import visit
from cloudfail.lab.background import BackgroundLab
from cloudfail.lab.score import Write, read
from cloudfail.model.journal import Entry
from cloudfail.stores.sqlite import SQLiteStore

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("crash_worker.py")
COMMAND_SECONDS = 90.0
LOCAL_RUNBOOKS = ("evacuate-local", "restore-local", "failback-local")
QUIET = {"edge": 40.0, "dns": 20.0, "inside-east": 10.0, "inside-west": 10.0}


@dataclass(frozen=True)
class Said:
    """What a command printed (both streams), and how it ended."""

    code: int
    text: str


class Site:
    """One lab. `policy` replaces keys of the policy."""

    def __init__(self, *arguments: str, policy: Mapping[str, Any] | None = None) -> None:
        self.lab = BackgroundLab(*arguments)
        self.directory = self.lab.directory / "application"
        self.runbooks = self.directory / "runbooks"
        self.runbooks.mkdir(parents=True)
        for name in LOCAL_RUNBOOKS:
            shutil.copy(ROOT / "runbooks" / f"{name}.yaml", self.runbooks)
        self.config = self.directory / "cloudfail.yaml"
        document = yaml.safe_load((self.lab.directory / "cloudfail.yaml").read_text())
        document["policy"] |= {"runbook": "evacuate-local", **(policy or {})}
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))
        self._journal = Journal(SQLiteStore(self.lab.directory / "state.db"), "shop", SystemClock(), "test")
        self._log = LogState()
        self.entries: list[Entry] = []
        self.started: list[subprocess.Popen[bytes]] = []

    def variant(
        self, name: str, orders: Mapping[str, Any] | None = None, policy: Mapping[str, Any] | None = None
    ) -> Path:
        """Another configuration beside the first, with other options of the database, or another policy."""
        document = yaml.safe_load(self.config.read_text())
        document["resources"]["orders"] |= orders or {}
        document["policy"] |= policy or {}
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    # ---- commands, as a person types them

    def argv(self, *words: str, by: str = "alice", config: Path | None = None, journal: str = "") -> list[str]:
        """`journal`: what the terminal has in CLOUDFAIL_JOURNAL."""
        tail = ["--config", str(config or self.config)] if words[0] not in {"lab", "drill"} else []
        tail += ["--as", by] if words[0] not in {"lab", "drill", "audit"} else []
        head = ["env", f"CLOUDFAIL_JOURNAL={journal}"] if journal else []
        line = [*head, sys.executable, "-P", "-m", "cloudfail", *words, *tail]
        return visit.command(self.lab.directory, "control", line)

    def cloudfail(self, *words: str, by: str = "alice", config: Path | None = None, journal: str = "") -> Said:
        done = subprocess.run(
            self.argv(*words, by=by, config=config, journal=journal),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout)

    def begin(self, log: str, *words: str, by: str = "alice", config: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command that stays; what it prints goes to a file of that name (see `words_of`)."""
        return self._begin(log, self.argv(*words, by=by, config=config))

    def begin_worker(self, log: str, *words: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-P", str(WORKER), *words]
        return self._begin(log, visit.command(self.lab.directory, "control", line))

    def _begin(self, log: str, line: list[str]) -> subprocess.Popen[bytes]:
        with (self.directory / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def words_of(self, log: str) -> str:
        return (self.directory / f"{log}.log").read_text()

    def clerk(self) -> Clerk:
        line = [sys.executable, "-P", str(WORKER), "operate", str(self.config), str(self.runbooks)]
        return Clerk(visit.command(self.lab.directory, "control", line))

    def evacuate(self, source: str, target: str, runbook: str, *words: str, by: str = "alice") -> Said:
        """Review, then act on exactly that plan."""
        reviewed = self.cloudfail("plan", source, "--to", target, "--runbook", runbook, "--format", "json", by=by)
        assert reviewed.code == 0, reviewed.text
        checksum = json.loads(reviewed.text)["checksum"]
        return self.cloudfail(
            "evacuate", source, "--to", target, "--runbook", runbook, "--plan", checksum, *words, by=by
        )

    # ---- what the journal says

    def log(self) -> LogState:
        fresh = self._journal.refresh()
        self.entries += fresh
        self._log = fold(self._log, fresh)
        return self._log

    def run(self, run: str = "") -> RunState:
        runs = self.log().runs
        return runs[run] if run else list(runs.values())[-1]

    def until(self, what: Callable[[LogState], Any], seconds: float, why: str) -> Any:
        """Wait until the journal says so. The message of a failure holds the run's story."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = what(self.log())
            if found:
                return found
            time.sleep(0.05)
        stories = [f"{run.id} {run.phase}: {[line.text for line in run.story]}" for run in self.log().runs.values()]
        logs = "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in self.directory.glob("*.log"))
        raise AssertionError(f"not within {seconds:g} s: {why}\n{stories}\n{logs}")

    # ---- clients

    def load(self, seconds: float, rates: Mapping[str, float] | None = None) -> Path:
        return Path(self.lab.ask("load", seconds=seconds, rates=dict(rates or QUIET)))

    def stop_load(self, record: Path) -> list[Write]:
        self.lab.ask("load_stop")
        return read(record)

    def ids(self, region: str) -> set[str]:
        return set(self.lab.ask("ids", region=region))

    # ---- end

    def stop(self, process: subprocess.Popen[Any], seconds: float = 10.0) -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5.0)

    def close(self) -> None:
        self.lab.close()
        for process in self.started:
            self.stop(process)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Clerk:
    """`crash_worker.py operate`: heartbeats all along, and answers."""

    def __init__(self, line: list[str]) -> None:
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, verb: str, **asked: Any) -> Any:
        asks, answers = _pipes(self.process)
        asks.write(json.dumps({"verb": verb, **asked}) + "\n")
        asks.flush()
        answer = json.loads(answers.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def close(self) -> None:
        for pipe in _pipes(self.process):
            pipe.close()
        self.process.kill()
        self.process.wait(5.0)


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def stopped(process: subprocess.Popen[bytes]) -> bool:
    """nsenter, the outermost of a command's chain, stops itself when its child stops, and wakes it when it wakes."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}
