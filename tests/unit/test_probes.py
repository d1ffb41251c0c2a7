"""probes/: real sockets on loopback. What each way of failing is taken for, and that a deadline is a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.errors import ConfigError
from cloudfail.model.observation import Health
from cloudfail.model.topology import Check, Objectives, Region, Topology
from cloudfail.probes import http, look, tcp
from cloudfail.probes.look import Answer, Ask, CouldNotLook, DidNotServe, Phases, answer
from cloudfail.probes.observer import observe_once, read_document
from cloudfail.probes.targets import Target, targets

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD, DOWN, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port whose connections the kernel accepts and nobody answers: a frozen server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def replying(*parts: bytes | float) -> Handler:
    """Reads the request, then sends the bytes and sleeps the numbers."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.sleep(part)

    return handler


def get(
    handler: Handler,
    *,
    path: str = "/healthz",
    timeout: float = 2.0,
    status: tuple[int, ...] = (),
    body: str | None = None,
) -> Answer:
    async def run() -> Answer:
        async with served(handler) as port:
            return await observe_once(Ask("http", f"http://127.0.0.1:{port}{path}", timeout, status, body))

    return asyncio.run(run())


def ask_once(kind: str, target: str, timeout: float = 1.0) -> Answer:
    return asyncio.run(observe_once(Ask(kind, target, timeout)))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_an_expected_answer_is_healthy_with_its_phases() -> None:
    given = get(replying(OK))
    assert (given.health, given.detail) == (GOOD, "HTTP 200")
    assert set(given.phases) == {"resolve", "connect", "first byte", "body"}
    assert 0 < given.took_seconds < 1


def test_the_request_is_a_plain_get_with_host_and_path() -> None:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    assert get(handler, path="/a%20b?c=1").health is GOOD
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b?c=1 HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert "Connection: close" in lines


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"HTTP/1.1 500 Oops\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 503 \r\n\r\n", "HTTP 503"),
        (b"", "closed before it answered"),
        (b"HTTP/1.1 200 OK\r\nContent-", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"),
        (b"\x00\xff\x1b[31m\r\n\r\n", "not HTTP"),
        (b"x" * 40_000, "not HTTP"),
    ],
)
def test_a_wrong_or_broken_answer_is_down(reply: bytes, detail: str) -> None:
    given = get(replying(reply))
    assert given.health is DOWN
    assert detail in given.detail
    assert given.detail.isprintable()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nok\r\n0\r\n\r\n",
    ],
)
def test_every_form_of_a_good_answer_is_healthy(reply: bytes) -> None:
    assert get(replying(reply)).health is GOOD


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    assert (
        get(replying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")).health
        is GOOD
    )


def test_the_expected_status_is_the_only_one() -> None:
    assert get(replying(OK), status=(204,)).health is DOWN
    assert get(replying(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"), status=(200, 503)).health is GOOD


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall is ok",
        b"HTTP/1.0 200 OK\r\n\r\nall is ok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nall is \r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_the_body_must_contain_what_is_expected(reply: bytes) -> None:
    assert get(replying(reply), body="is ok").health is GOOD
    assert get(replying(reply), body="is not ok").health is DOWN


def test_a_refused_connection_is_down_at_once() -> None:
    port = closed_port()
    for kind, target in (("http", f"http://127.0.0.1:{port}/"), ("tcp", f"127.0.0.1:{port}")):
        given = ask_once(kind, target)
        assert (given.health, given.detail) == (DOWN, "connection refused")
        assert given.took_seconds < 0.1


def test_a_reset_is_down() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        writer.transport.abort()

    given = get(handler)
    assert given.health is DOWN


def test_a_frozen_server_is_down_for_http_at_the_deadline_and_up_for_tcp() -> None:
    with silent() as port:
        began = time.monotonic()
        given = ask_once("http", f"http://127.0.0.1:{port}/", 0.3)
        took = time.monotonic() - began
        assert (given.health, given.detail) == (DOWN, "no answer within 0.3 s (first byte)")
        assert 0.29 < took < 0.45
        assert ask_once("tcp", f"127.0.0.1:{port}").health is GOOD


@pytest.mark.parametrize(
    "parts",
    [
        (2.0, OK),
        (b"HTTP/1.1 200 OK\r\n", 2.0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 2.0),
        (*[part for byte in OK for part in (bytes([byte]), 0.05)],),
    ],
    ids=["no first byte", "stops in the head", "stops before the body", "drips"],
)
def test_a_slow_answer_is_down_at_the_deadline_which_covers_all_of_it(parts: tuple[bytes | float, ...]) -> None:
    given = get(replying(*parts), timeout=0.3)
    assert given.health is DOWN
    assert "within 0.3 s" in given.detail
    assert given.took_seconds < 0.45


def test_a_slow_answer_within_the_deadline_is_healthy() -> None:
    assert get(replying(0.2, OK), timeout=2.0).health is GOOD


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    try:
        made = subprocess.run(
            [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    assert made.returncode == 0, made.stderr
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_https_verifies_the_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)

    async def run() -> Answer:
        async with served(replying(OK), server) as port:
            return await observe_once(Ask("http", f"https://127.0.0.1:{port}/", 3.0))

    http.tls.cache_clear()
    unknown_authority = asyncio.run(run())
    assert unknown_authority.health is DOWN
    assert "TLS" in unknown_authority.detail
    assert "certificate" in unknown_authority.detail
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    http.tls.cache_clear()
    trusted = asyncio.run(run())
    http.tls.cache_clear()
    assert trusted.health is GOOD, trusted.detail
    assert "tls" in trusted.phases


def test_https_to_a_server_that_speaks_no_tls_is_down() -> None:
    async def run() -> Answer:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with served(handler) as port:
            return await observe_once(Ask("http", f"https://127.0.0.1:{port}/", 3.0))

    assert asyncio.run(run()).health is DOWN


def test_a_frozen_tls_handshake_is_down_at_the_deadline() -> None:
    with silent() as port:
        given = ask_once("http", f"https://127.0.0.1:{port}/", 0.3)
        assert (given.health, given.detail) == (DOWN, "no answer within 0.3 s (tls)")


def test_no_route_from_here_is_our_own_trouble() -> None:
    """TCP to a multicast address fails at once with ENETUNREACH, as it does without a route."""
    given = ask_once("tcp", "224.0.0.1:80")
    assert given.health is UNKNOWN
    assert given.detail == "could not look: network is unreachable"


def test_no_file_descriptors_left_is_our_own_trouble() -> None:
    async def run() -> Answer:
        async with served(replying(OK)) as port:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                return await observe_once(Ask("http", f"http://127.0.0.1:{port}/", 1.0))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    given = asyncio.run(run())
    assert given.health is UNKNOWN
    assert "too many open files" in given.detail


def test_a_name_that_does_not_resolve_is_our_own_trouble() -> None:
    given = ask_once("http", "http://no-such-name.invalid/", 5.0)
    assert given.health is UNKNOWN
    assert "resolver" in given.detail


def test_a_resolver_that_hangs_is_our_own_trouble() -> None:
    async def looking(ask: Ask, phases: Phases) -> str:
        phases.enter("resolve")
        await asyncio.sleep(5)
        return ""

    given = asyncio.run(answer(Ask("tcp", "x:1", 0.1), looking))
    assert given.health is UNKNOWN
    assert "resolver" in given.detail


def test_a_process_that_was_held_up_past_the_deadline_learned_nothing() -> None:
    """As after SIGSTOP or on a starved machine: the answer may have been waiting all the while."""

    async def looking(ask: Ask, phases: Phases) -> str:
        phases.enter("first byte")
        time.sleep(0.6)
        await asyncio.sleep(5)
        return ""

    given = asyncio.run(answer(Ask("tcp", "x:1", 0.1), looking))
    assert given.health is UNKNOWN
    assert "held up" in given.detail


def test_a_mistake_of_ours_is_not_the_regions_fault() -> None:
    async def looking(ask: Ask, phases: Phases) -> str:
        raise ZeroDivisionError("ours")

    assert asyncio.run(answer(Ask("tcp", "x:1", 1.0), looking)).health is UNKNOWN


@pytest.mark.parametrize(
    ("code", "health"),
    [(errno.ECONNRESET, DOWN), (errno.EPIPE, DOWN), (errno.ETIMEDOUT, DOWN), (errno.EHOSTUNREACH, DOWN)]
    + [(code, UNKNOWN) for code in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)],
)
def test_each_error_on_a_connection_that_stood_has_its_owner(code: int, health: Health) -> None:
    async def looking(ask: Ask, phases: Phases) -> str:
        raise OSError(code, "words")

    assert asyncio.run(answer(Ask("tcp", "x:1", 1.0), looking)).health is health


@pytest.mark.parametrize(
    ("code", "at_once", "later"),
    [
        (errno.ECONNREFUSED, False, False),
        (errno.ECONNRESET, False, False),
        (errno.ETIMEDOUT, False, False),
        (errno.ENETUNREACH, True, False),
        (errno.EHOSTUNREACH, True, False),
        (errno.ENETDOWN, True, False),
        (errno.EADDRNOTAVAIL, True, False),
        (errno.EPERM, True, False),
        (errno.EMFILE, True, True),
        (errno.ENOBUFS, True, True),
    ],
)
def test_no_route_said_at_once_is_ours_and_said_by_a_router_on_the_way_is_not(
    code: int, at_once: bool, later: bool
) -> None:
    assert look.ours(code, at_once=True) is at_once
    assert look.ours(code, at_once=False) is later


NOWHERE = (socket.AF_INET, ("224.0.0.1", 80))


def test_the_next_address_of_a_name_is_tried() -> None:
    async def run() -> None:
        async with served(replying(OK)) as port:
            refusing, well = (socket.AF_INET, ("127.0.0.1", closed_port())), (socket.AF_INET, ("127.0.0.1", port))
            (await look.connect_first([NOWHERE, refusing, well], look.boot() + 1.0)).close()

    asyncio.run(run())


def test_several_addresses_of_which_one_refused_are_down_not_unknown() -> None:
    refusing = (socket.AF_INET, ("127.0.0.1", closed_port()))
    with pytest.raises(DidNotServe, match="refused"):
        asyncio.run(look.connect_first([NOWHERE, refusing], look.boot() + 1.0))
    with pytest.raises(CouldNotLook):
        asyncio.run(look.connect_first([NOWHERE, NOWHERE], look.boot() + 1.0))


@pytest.mark.parametrize(
    "target",
    [
        "ftp://h/",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://user:pw@h/",
        "http://h:99999/",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://hä/",
        "h:80",
    ],
)
def test_what_is_no_url_is_refused(target: str) -> None:
    with pytest.raises(ValueError):
        http.parse(target)


def test_urls_are_read_with_their_defaults() -> None:
    assert http.parse("http://h") == (False, "h", 80, "h", "/")
    assert http.parse("https://h:8443/x?y#z") == (True, "h", 8443, "h:8443", "/x?y")
    assert http.parse("http://[::1]:80/") == (False, "::1", 80, "[::1]", "/")


def test_tcp_places_are_read() -> None:
    assert tcp.place("h:5432") == ("h", 5432)
    assert tcp.place("tcp://[::1]:5") == ("::1", 5)
    for wrong in ("h", "h:x", "http://h:1", "h:1/x", ":5", "h:70000", "u@h:1"):
        with pytest.raises(ValueError):
            tcp.place(wrong)


def test_an_observer_asked_for_nonsense_says_unknown() -> None:
    assert ask_once("gopher", "h:1").health is UNKNOWN
    assert ask_once("http", "ftp://h").health is UNKNOWN


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"\r\n\r\n"]))))
def test_whatever_a_target_sends_there_is_an_answer_in_one_printable_line(parts: list[bytes]) -> None:
    given = get(replying(*parts), timeout=1.0, body="x")
    assert given.health in (GOOD, DOWN)
    assert given.detail.isprintable()
    assert len(given.detail) <= 200


def topology(checks: list[Check], **regions: dict[str, str]) -> Topology:
    return Topology(
        "shop",
        Objectives(60, 5),
        {name: Region(name, "local", variables=variables) for name, variables in regions.items()},
        "east",
        "",
        {},
        {check.name: check for check in checks},
    )


def test_targets_are_literal() -> None:
    checks = [Check("web", "http", "https://${region}.shop.example:${port}/x"), Check("db", "tcp", "${host}:5432")]
    where = topology(checks, east={"port": "1", "host": "e"}, west={"port": "2", "host": "w"})
    assert targets(where) == [
        Target("east", "web", "https://east.shop.example:1/x"),
        Target("east", "db", "e:5432"),
        Target("west", "web", "https://west.shop.example:2/x"),
        Target("west", "db", "w:5432"),
    ]


def test_every_target_that_cannot_be_made_literal_is_named_at_once() -> None:
    checks = [
        Check("web", "http", "http://${hots}/"),
        Check("dns", "dns", "x"),
        Check("up", "http", "file:///${region}"),
    ]
    with pytest.raises(ConfigError) as caught:
        targets(topology(checks, east={"host": "e"}))
    assert len(caught.value.mistakes) == 3
    assert "${hots} is not set; this region has application, host, region" in str(caught.value)


@pytest.mark.parametrize(
    "document", [b"", b"{}\n", b"[1]\n", b'[{"region": "e"}]\n', b"[" * 100_000, b'[{"region":1,"check":1,"kind":1}]']
)
def test_a_document_that_is_not_one_is_refused(document: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_document(document)


def test_probing_imports_nothing_heavy() -> None:
    code = "import sys, cloudfail.probes.observer; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"psycopg", "pydantic", "yaml", "typer", "tenacity", "http.client", "urllib.request", "cloudfail.ports"}
    assert not heavy & set(loaded)
