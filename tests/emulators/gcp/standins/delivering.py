"""What Google's services do by themselves in the tests: deliver, over HTTP, to a listener on loopback that counts."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from abc import abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STEP_SECONDS = 0.02
LONG_SECONDS = 20.0
ORDER_SECONDS = 0.25
"""For so long what must not come is waited for."""


class Receiver:
    """What a service of the shop is: it takes what is delivered to it by POST, and says at GET whether it is quiet
    (200: nothing has come for `quiet_seconds`; 503: something has)."""

    def __init__(self, quiet_seconds: float = 3.0) -> None:
        self.quiet_seconds = quiet_seconds
        self.got: list[str] = []
        self.last = float("-inf")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                receiver.got.append(body)
                receiver.last = time.monotonic()
                self.send_response(204)
                self.end_headers()

            def do_GET(self) -> None:
                quiet = time.monotonic() - receiver.last >= receiver.quiet_seconds
                self.send_response(200 if quiet else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/take"

    def heard(self, word: str) -> bool:
        return any(word in body for body in list(self.got))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Delivering:
    """A service whose own thread delivers. `receiver`: one that its tests deliver to. `obeying`: while it is not set,
    orders are taken and told, and what is delivered goes on as before."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.receiver = Receiver()
        self.obeying = True
        self.lock = threading.RLock()
        self._ended = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    @abstractmethod
    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        """Under the lock: what is to be sent now: URL, body, and what follows where it was taken."""

    def close(self) -> None:
        self._ended.set()
        self.receiver.close()

    def _run(self) -> None:
        while not self._ended.wait(STEP_SECONDS):
            with self.lock:
                found = self.due()
            for url, body, taken in found:
                with contextlib.suppress(OSError):
                    post(url, body)
                    with self.lock:
                        taken()


def post(url: str, body: str) -> None:
    """Raises OSError where it is not taken."""
    asked = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"}, method="POST")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=5):
        pass


def comes(holds: Callable[[], bool], *, expected: bool) -> bool:
    """Whether it comes to be so: waited for long where it is expected, and shortly where it is not."""
    until = time.monotonic() + (LONG_SECONDS if expected else ORDER_SECONDS)
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(STEP_SECONDS)
    return holds()


def wrapped(identity: str, subscription: str, data: str) -> str:
    """As Pub/Sub wraps a message that it pushes."""
    return json.dumps({"message": {"messageId": identity, "data": data}, "subscription": subscription})
