"""What answers through a path: a connection, a greeting, a refusal, and our own trouble."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import Reached
from cloudfail.probes.through import no_url, serves, through


@pytest.fixture
def greets() -> Iterator[int]:
    """Says `220 west` in two pieces to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), client:
                    client.sendall(b"220 we")
                    client.sendall(b"st\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def asked(port: int, says: str | None = None, seconds: float = 5.0) -> Reached:
    read = through(f"127.0.0.1:{port}", says, within_seconds=seconds, local=True)
    assert isinstance(read, Known), read.reason
    return read.value


def test_what_accepts_answers(greets: int) -> None:
    assert asked(greets) == Reached(True, f"127.0.0.1:{greets} answers")


def test_what_is_heard_tells_the_regions_apart(greets: int) -> None:
    assert asked(greets, "220 west").answers is True
    other = asked(greets, "220 east")
    assert other.answers is False
    assert "does not say '220 east'" in other.what


def test_a_port_that_refuses_does_not_answer() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert asked(int(bound.getsockname()[1])).answers is False


def test_one_that_accepts_and_says_nothing_does_not_answer_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = asked(int(listener.getsockname()[1]), "220", seconds=0.5)
    assert said.answers is False
    assert "greeting" in said.what


def test_this_machine_itself_is_not_asked_unless_that_is_meant(greets: int) -> None:
    read = through(f"127.0.0.1:{greets}", None, within_seconds=5.0, environment={})
    assert isinstance(read, Unknown)
    allowed = {"CLOUDFAIL_ALLOW_LOOPBACK": "1"}
    assert isinstance(through(f"127.0.0.1:{greets}", None, within_seconds=5.0, environment=allowed), Known)


def test_a_clouds_metadata_is_never_asked() -> None:
    read = through("169.254.169.254:80", None, within_seconds=5.0, local=True)
    assert isinstance(read, Unknown)
    assert "metadata" in read.reason


def test_a_name_that_does_not_resolve_is_our_own_trouble() -> None:
    assert isinstance(through("no-such-name.invalid:80", None, within_seconds=5.0, local=True), Unknown)


@pytest.fixture
def says() -> Iterator[tuple[int, list[int]]]:
    """Answers HTTP with the status in the list."""
    statuses = [200]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), client:
                    client.recv(4096)
                    client.sendall(f"HTTP/1.1 {statuses[0]} so\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1]), statuses
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("status", "served"), [(200, True), (302, True), (404, False), (503, False)])
def test_one_request_tells_whether_a_url_serves(says: tuple[int, list[int]], status: int, served: bool) -> None:
    port, statuses = says
    statuses[0] = status
    read = serves(f"http://127.0.0.1:{port}/healthz", within_seconds=5.0, local=True)
    assert isinstance(read, Known), read.reason
    assert read.value == Reached(served, f"http://127.0.0.1:{port}/healthz HTTP {status}")


def test_this_machine_is_asked_for_a_url_only_where_that_is_meant(says: tuple[int, list[int]]) -> None:
    url = f"http://127.0.0.1:{says[0]}/"
    assert isinstance(serves(url, within_seconds=5.0, environment={}), Unknown)
    assert isinstance(serves(url, within_seconds=5.0, environment={"CLOUDFAIL_ALLOW_LOOPBACK": "1"}), Known)


@pytest.mark.parametrize(
    "text", ["shop.example", "ftp://shop.example/", "https://a:b@shop.example/", "https://shop example/"]
)
def test_what_is_no_url_says_why(text: str) -> None:
    assert no_url(text)
    assert no_url("https://shop.example/healthz") == ""
