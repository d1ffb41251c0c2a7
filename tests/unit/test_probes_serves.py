"""Whether a URL serves: success alone is yes, and our own trouble is no answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.probes.serves import no_url, serves

LOOPBACK = {"CLOUDFAIL_ALLOW_LOOPBACK": "1"}


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers with the status that the path names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.strip("/")))
            self.send_header("Location", "/200")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "answers"), [(200, True), (204, True), (302, False), (404, False), (503, False)])
def test_success_alone_is_yes(url: str, status: int, answers: bool) -> None:
    said = serves(f"{url}/{status}", within_seconds=5.0, environment=LOOPBACK)
    assert isinstance(said, Known)
    assert said.value.answers is answers
    assert str(status) in said.value.what


def test_who_refuses_the_connection_does_not_serve() -> None:
    said = serves("http://127.0.0.1:9/", within_seconds=5.0, environment=LOOPBACK)
    assert isinstance(said, Known)
    assert said.value.answers is False


def test_this_machine_is_not_asked_unless_it_is_meant(url: str) -> None:
    assert isinstance(serves(f"{url}/200", within_seconds=5.0, environment={}), Unknown)


@pytest.mark.parametrize("text", ["", "ftp://x", "http://a b/", "https://bob:secret@shop.example/"])
def test_what_is_no_url_is_told(text: str) -> None:
    assert no_url(text)
    assert not no_url("https://shop.example/quiet")
