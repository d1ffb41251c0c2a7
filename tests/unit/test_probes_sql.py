"""probes/sql.py against sockets that behave like a PostgreSQL which is well, refuses, freezes or talks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
import time

import pytest

from cloudfail.model.observation import Health
from cloudfail.probes.look import Answer, Ask
from cloudfail.probes.observer import observe_once

GOOD, DOWN, UNKNOWN = Health.HEALTHY, Health.DOWN, Health.UNKNOWN


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


READY = message(b"Z", b"I")
WELCOME = message(b"R", struct.pack("!i", 0)) + READY
ONE_ROW = (
    message(b"T", struct.pack("!h", 1) + b"?column?\0" + struct.pack("!ihihih", 0, 0, 23, 4, -1, 0))
    + message(b"D", struct.pack("!hi", 1, 1) + b"1")
    + message(b"C", b"SELECT 1\0")
    + READY
)


def error(severity: str, code: str, text: str) -> bytes:
    return message(b"E", f"S{severity}\0C{code}\0M{text}\0\0".encode())


def postgres(welcome: bytes | None, reply: bytes | None, timeout: float = 2.0) -> Answer:
    """A server that sends `welcome` to whoever comes and `reply` to the first query; None means silence."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            await reader.readexactly(length - 4)
            if welcome is None:
                await asyncio.sleep(60)
            writer.write(welcome or b"")
            if welcome and not welcome.startswith(b"E"):
                await reader.readexactly(1)
                if reply is None:
                    await asyncio.sleep(60)
                writer.write(reply or b"")
            await writer.drain()
        writer.close()

    async def run() -> Answer:
        server = await asyncio.start_server(once, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = f"postgresql://probe:old@127.0.0.1:{port}/shop?sslmode=disable"
        given = await observe_once(Ask("sql", target, timeout))
        server.close()
        return given

    pytest.importorskip("psycopg")
    return asyncio.run(run())


def test_select_one_is_healthy_with_its_phases() -> None:
    given = postgres(WELCOME, ONE_ROW)
    assert (given.health, given.detail) == (GOOD, "SELECT 1")
    assert set(given.phases) == {"resolve", "connect", "query"}


@pytest.mark.parametrize(
    ("welcome", "reply", "words"),
    [
        (error("FATAL", "57P03", "the database system is starting up"), b"", "starting up"),
        (error("FATAL", "53300", "sorry, too many clients already"), b"", "too many clients"),
        (WELCOME, error("ERROR", "XX000", "broken") + READY, "broken"),
        (WELCOME, error("FATAL", "57P01", "terminating connection"), "terminating"),
        (WELCOME, b"", "closed"),
        (b"", b"", "closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", ""),
    ],
)
def test_a_server_that_answers_wrongly_is_down(welcome: bytes, reply: bytes, words: str) -> None:
    given = postgres(welcome, reply)
    assert given.health is DOWN
    assert words in given.detail
    assert given.detail.isprintable()


def test_a_password_that_was_changed_is_our_own_trouble() -> None:
    please = message(b"R", struct.pack("!i", 3))
    given = postgres(please, error("FATAL", "28P01", "password authentication failed"))
    assert given.health is UNKNOWN
    assert "refuses this login" in given.detail
    assert "password authentication failed" in given.detail


@pytest.mark.parametrize(("welcome", "phase"), [(None, "connect"), (WELCOME, "query")])
def test_a_frozen_server_is_down_at_the_deadline(welcome: bytes | None, phase: str) -> None:
    postgres(WELCOME, ONE_ROW)  # imports psycopg
    began = time.monotonic()
    given = postgres(welcome, None, timeout=0.3)
    assert (given.health, given.detail) == (DOWN, f"no answer within 0.3 s ({phase})")
    assert given.took_seconds < 0.45
    assert time.monotonic() - began < 0.7


def test_a_refused_connection_is_down_at_once() -> None:
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    given = asyncio.run(observe_once(Ask("sql", f"host=127.0.0.1 port={port} dbname=shop user=probe", 2.0)))
    assert given.health is DOWN
    assert "refused" in given.detail


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("host=224.0.0.1 user=probe", "network is unreachable"),
        ("host=no-such-name.invalid user=probe", "resolver"),
        ("host=a,b user=probe", "several hosts"),
        ("what is this", "cannot be read"),
    ],
)
def test_our_own_trouble_is_unknown(target: str, words: str) -> None:
    pytest.importorskip("psycopg")
    given = asyncio.run(observe_once(Ask("sql", target, 5.0)))
    assert given.health is UNKNOWN
    assert words in given.detail


def test_without_psycopg_it_is_unknown_and_says_what_to_install() -> None:
    code = """
import asyncio, sys
sys.modules["psycopg"] = None
from cloudfail.probes.observer import Ask, observe_once
print(asyncio.run(observe_once(Ask("sql", "host=127.0.0.1", 1.0))))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Health.UNKNOWN" in said
    assert "pip install 'cloudfail[local]'" in said
