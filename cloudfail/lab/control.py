"""The supervisor's control socket: one JSON line asks, one JSON line answers. Also a command, for `cloudfail.yaml`:

python -m cloudfail.lab.control --socket DIR/control.sock workers west     → {"wanted": 1, "running": 1, …}
python -m cloudfail.lab.control --socket DIR/control.sock scale west 2
python -m cloudfail.lab.control --socket DIR/control.sock fence east       (and unfence; fenced: exit 0 if so, 1 if not)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudfail.errors import CloudfailError

Verb = Callable[..., Any]
SECONDS_MAX = 120.0


class ControlServer:
    """Answers requests in threads, one verb call each; the verbs do their own locking."""

    def __init__(self, path: Path, verbs: dict[str, Verb]) -> None:
        self.verbs = verbs
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        path.chmod(0o600)
        self.listener.listen(64)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def close(self) -> None:
        """Answer no more requests."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="control-request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(SECONDS_MAX)
            with connection.makefile("r", encoding="utf-8") as lines:
                line = lines.readline(65536)
            connection.sendall(json.dumps(self._answer(line), default=str).encode() + b"\n")

    def _answer(self, line: str) -> dict[str, Any]:
        try:
            request = json.loads(line)
            verb = self.verbs.get(request.pop("verb"))
            if verb is None:
                return _failure(
                    "The lab does not know that verb.", "Nothing was done.", f"Known: {', '.join(self.verbs)}."
                )
            return {"ok": True, "result": verb(**request)}
        except CloudfailError as error:
            return _failure(error.happened, error.true_now, error.to_do)
        except Exception as error:  # noqa: BLE001  (a request must not end the supervisor; the caller is told)
            return _failure(
                f"The lab failed: {type(error).__name__}: {error}.",
                "Its state is not known.",
                "See `cloudfail lab status`.",
            )


def _failure(happened: str, true_now: str, to_do: str) -> dict[str, Any]:
    return {"ok": False, "error": {"happened": happened, "true_now": true_now, "to_do": to_do}}


def ask(path: Path, verb: str, **arguments: Any) -> Any:
    """Ask the supervisor and return its result, or raise what it raised. At most 120 s."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS_MAX)
            connection.connect(str(path))
            connection.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as lines:
                answer = json.loads(lines.readline() or "null")
    except (OSError, ValueError) as error:
        raise CloudfailError(
            f"No lab answers at {path}: {error}.",
            "Nothing was changed by this command.",
            "Start one with `cloudfail lab up`.",
        ) from error
    if not answer:
        raise CloudfailError(
            f"The lab at {path} ended while it was asked.", "It is gone.", "Start one with `cloudfail lab up`."
        )
    if not answer["ok"]:
        raise CloudfailError(**answer["error"])
    return answer["result"]


def supervisor_pid(path: Path) -> int:
    """The supervisor's process id as this process sees it, through whatever pid namespace lies between."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        connection.connect(str(path))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def main(argv: list[str]) -> int:
    """The command. JSON and exit code 0 (`fenced`: 1 if it is not); three sentences and 2 when there is no answer."""
    parser = argparse.ArgumentParser(prog="python -m cloudfail.lab.control")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("verb", choices=("workers", "scale", "fence", "unfence", "fenced", "status"))
    parser.add_argument("region", nargs="?")
    parser.add_argument("count", nargs="?", type=int)
    asked = parser.parse_args(argv)
    arguments: dict[str, Any] = {"region": asked.region} if asked.region else {}
    if asked.count is not None:
        arguments["count"] = asked.count
    try:
        result = ask(asked.socket, asked.verb, **arguments)
    except CloudfailError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(result, default=str) + os.linesep)
    return 1 if asked.verb == "fenced" and not result["fenced"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
