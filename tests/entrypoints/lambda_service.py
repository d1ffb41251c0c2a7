"""Lambda's Runtime API on loopback: it hands events to Amazon's own interface client, which runs our handler in a
process that can be killed, stopped and thawed as the service does it."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

HANDLER = "cloudfail.entrypoints.aws_lambda.handler"


@dataclass(frozen=True)
class Answer:
    """What came of one event: response, error, or `init` (the handler could not be loaded)."""

    kind: str
    said: Any


class Service:
    """One function, by `python` and from the directory `root`: by default, this interpreter and where the tests stand.
    `log`: the file that its output goes to; "" for the tests' own. `start` is a cold start."""

    def __init__(
        self, environment: dict[str, str], python: str = sys.executable, root: str = "", log: str = ""
    ) -> None:
        self._environment = environment
        self._python = python
        self._root = root or os.getcwd()
        self._log = log
        self._events: queue.SimpleQueue[tuple[str, Any, float]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._count = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **self._environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "cloudfail",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "LAMBDA_TASK_ROOT": self._root,
            "AWS_REGION": "eu-central-1",
        }
        with open(self._log, "ab") if self._log else contextlib.nullcontext() as log:
            self.process = subprocess.Popen(
                [self._python, "-m", "awslambdaric", HANDLER],
                env=environment, cwd=self._root, start_new_session=True, stdout=log, stderr=log,
            )  # fmt: skip

    def send(self, event: Any, *, limit_seconds: float) -> None:
        self._count += 1
        self._events.put((f"{self._count:08d}-request", event, time.time() + limit_seconds))

    def answer(self, seconds: float) -> Answer | None:
        """The next answer, or None if there is none within that time."""
        with contextlib.suppress(queue.Empty):
            return self._answers.get(timeout=seconds)
        return None

    def signal(self, number: int) -> None:
        """To everything in the function's sandbox."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """What the service does at the time limit."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(20)

    def ended(self) -> int | None:
        """The exit status of the function's process; None while it runs."""
        return self.process.poll() if self.process is not None else None

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        events, answers = self._events, self._answers

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request, event, ends = events.get()
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(ends * 1000)))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:111111111111:function:cloudfail"
                )
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def do_POST(self) -> None:
                said = json.loads(self._body() or b"null")
                kind = "init" if self.path.endswith("/init/error") else self.path.rpartition("/")[2]
                answers.put(Answer(kind, said))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _body(self) -> bytes:
                if self.headers.get("Content-Length"):
                    return self.rfile.read(int(self.headers["Content-Length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                pass

        return Handler
