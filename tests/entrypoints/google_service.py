"""Google's own functions-framework on loopback: it serves our functions in a process that can be killed, as the
platform does it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

UP_SECONDS = 30.0
ANSWER_SECONDS = 60.0


class Service:
    """One function, from the directory `root`. `log`: the file that its output goes to, None for the tests' own. It
    serves from `start` on, which is a cold start."""

    def __init__(
        self, root: Path, environment: dict[str, str], target: str, signature: str = "http", log: Path | None = None
    ) -> None:
        (root / "main.py").write_text("from cloudfail.entrypoints.gcp_function import tick_event, tick_http\n")
        self._root, self._environment, self._log = root, environment, log
        self._argv = ["-m", "functions_framework", "--target", target, "--signature-type", signature]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        argv = [*self._argv, "--source", "main.py", "--host", "127.0.0.1", "--port", str(self.port)]
        with open(self._log, "ab") if self._log else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                [sys.executable, *argv], cwd=self._root, env=self._environment, start_new_session=True,
                stdout=log, stderr=log,
            )  # fmt: skip
        ends = time.monotonic() + UP_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < ends and self._process.poll() is None, "functions-framework did not start"
            time.sleep(0.1)

    def ask(self, method: str, body: Any = None, seconds: float = ANSWER_SECONDS, **headers: str) -> tuple[int, Any]:
        """(status, what it said). Raises OSError or http.client.HTTPException where the process ended before it
        answered."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/",
            method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                status, said = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, said = error.code, error.read()
        return status, json.loads(said) if said.startswith(b"{") else said.decode()

    def kill(self) -> None:
        """All of it at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
