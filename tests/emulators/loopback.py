"""What both object stores' tests need of the loopback: an emulator as a process of ours, and a wire that loses answers.

A reaper, a process of its own, ends the emulator once the test run is gone, whatever killed it: it notices by the end
of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMULATORS = ROOT / ".emulators"
UP_SECONDS = 30.0

_REAPER = r"""
import os, pathlib, signal, sys
pid, mark = int(sys.argv[1]), sys.argv[2].encode()
sys.stdin.buffer.read()
try:
    if mark in pathlib.Path("/proc", str(pid), "cmdline").read_bytes():
        os.killpg(pid, signal.SIGKILL)
except OSError:
    pass
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    argv: Sequence[str], port: int, cwd: Path, env: Mapping[str, str] | None = None, *, stands: Path | None = None
) -> Iterator[None]:
    """A server, up and listening on `port`, until the end of the block or of the test run. Its log is in `cwd`, where
    it also stands, unless it `stands` elsewhere: then `env` is all of its environment."""
    with (cwd / "server.log").open("wb") as log:
        server = subprocess.Popen(
            argv,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=stands or cwd,
            env={**(os.environ if stands is None else {}), **(env or {})},
            start_new_session=True,
        )
    reaper = subprocess.Popen(
        [sys.executable, "-c", _REAPER, str(server.pid), str(port)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    try:
        deadline = time.monotonic() + UP_SECONDS
        while not _listens(port):
            said = (cwd / "server.log").read_text(errors="replace")[-2000:]
            assert server.poll() is None, f"{argv[0]} ended with {server.returncode}: {said}"
            assert time.monotonic() < deadline, f"{argv[0]} is not up after {UP_SECONDS} s: {said}"
            time.sleep(0.05)
        yield
    finally:
        assert reaper.stdin is not None
        reaper.stdin.close()
        reaper.wait(timeout=20)
        server.wait(timeout=20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Wire:
    """A TCP proxy in front of `upstream`. `lose(method, count)`: the next `count` requests by that method arrive and
    are answered, and the connection breaks before the answer reaches the client."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._method = b""
        self._left = 0
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, method: bytes, count: int = 1) -> None:
        with self._lock:
            self._method, self._left = method, count

    def close(self) -> None:
        # The thread that waits in accept is woken by the shutdown, not by the close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                doomed = threading.Event()
                for run in (self._up, self._down):
                    threading.Thread(target=run, args=(client, server, doomed), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                with self._lock:
                    if self._left and data.startswith(self._method + b" "):
                        self._left -= 1
                        doomed.set()
                server.sendall(data)
        _end(server)

    def _down(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if doomed.is_set():
                    self.lost += 1
                    # No farewell: the client sees a reset, as when a machine between the two is gone.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                client.sendall(data)
        _end(client)
        client.close()


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wire(upstream: int) -> Iterator[Wire]:
    made = Wire(upstream)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def silence() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])
