"""HTTP and HTTPS: one GET over a fresh connection, a status that is expected, a body that contains what it should.

Small and our own because of what it must not do: it follows no redirect (the answer of another host says nothing of
this region), keeps no connection (an old one hides that no new one can be made), retries nothing, uses no proxy of the
environment, reads a bounded amount, and its deadline covers everything from the resolver to the last byte.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from cloudfail.probes.look import Ask, DidNotServe, Phases, connect

HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 64 * 1024
INTERIM_MAX = 8
BODILESS = frozenset({204, 304})


class Url(NamedTuple):
    secure: bool
    host: str
    port: int
    host_header: str
    path: str


def parse(target: str) -> Url:
    """ValueError says what is wrong with it."""
    if not target.isascii() or any(character <= " " or character == "\x7f" for character in target):
        raise ValueError(f"{target!r} is not a URL: encode blanks, control and non-ASCII characters")
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{target!r} is not an http:// or https:// URL")
    if parts.username is not None:
        raise ValueError("a URL with a password in it would be printed; leave it out")
    secure = parts.scheme == "https"
    default = 443 if secure else 80
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or default
    header = host if port == default else f"{host}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(secure, parts.hostname, port, header, path)


@functools.lru_cache(1)
def tls() -> ssl.SSLContext:
    """The system's authorities, or those of SSL_CERT_FILE. Made once: reading them costs some 20 ms."""
    return ssl.create_default_context()


async def look(ask: Ask, phases: Phases) -> str:
    url = parse(ask.target)
    sock = await connect(url.host, url.port, phases, ask.timeout_seconds, loopback=ask.loopback)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if url.secure:
        phases.enter("tls")
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock,
            limit=HEAD_BYTES_MAX,
            ssl=tls() if url.secure else None,
            server_hostname=url.host if url.secure else None,
        )
    except ssl.SSLError as error:
        raise DidNotServe(f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}") from None
    try:
        phases.enter("first byte")
        writer.write(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.host_header}\r\nUser-Agent: cloudfail\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        return await _read(ask, reader, phases)
    except asyncio.IncompleteReadError as error:
        said = (
            "before it answered" if phases.name == "first byte" and not error.partial else "in the middle of its answer"
        )
        raise DidNotServe(f"the connection was closed {said}") from None
    except asyncio.LimitOverrunError:
        raise DidNotServe("what came is not HTTP: no end of its head") from None
    except ssl.SSLError as error:
        raise DidNotServe(f"TLS: {error.reason or error}") from None
    finally:
        writer.transport.abort()


async def _read(ask: Ask, reader: asyncio.StreamReader, phases: Phases) -> str:
    for _ in range(INTERIM_MAX):
        status, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        if not 100 <= status < 200:
            break
    phases.enter("body")
    if ask.expect_status:
        if status not in ask.expect_status:
            raise DidNotServe(f"HTTP {status}, expected {' or '.join(map(str, ask.expect_status))}")
    elif not 200 <= status < 400:
        raise DidNotServe(f"HTTP {status}")
    body = b"" if status in BODILESS else await _body(reader, headers, wanted=ask.expect_body is not None)
    if ask.expect_body is not None and ask.expect_body.encode() not in body:
        raise DidNotServe(f"HTTP {status}, and the body does not contain {ask.expect_body!r}")
    return f"HTTP {status}"


def _head(raw: bytes) -> tuple[int, Mapping[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise DidNotServe(f"what came is not HTTP: {first[:60]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(code), headers


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], *, wanted: bool) -> bytes:
    """The body, up to a bound. One without a stated end is read only if it is wanted."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length")
    if length is not None:
        if not (length.isascii() and length.isdigit()):
            raise DidNotServe(f"what came is not HTTP: content-length {length[:20]!r}")
        return await reader.readexactly(min(int(length[:18]), BODY_BYTES_MAX))
    body = b""
    while wanted and len(body) < BODY_BYTES_MAX:
        more = await reader.read(BODY_BYTES_MAX - len(body))
        if not more:
            break
        body += more
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < BODY_BYTES_MAX:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0].strip()[:16], 16)
        except ValueError:
            raise DidNotServe(f"what came is not HTTP: chunk size {line[:20]!r}") from None
        if size <= 0:
            break
        body += await reader.readexactly(min(size, BODY_BYTES_MAX))
        if size > BODY_BYTES_MAX:
            break
        await reader.readexactly(2)
    return body
