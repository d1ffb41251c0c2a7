"""The wire of SQL Server, as far as clients that are not ours (FreeTDS, in pymssql) need it to log in and to ask: TDS
7.4 with encryption, SQL logins, batches, and rows of text.

Source: [MS-TDS], "Tabular Data Stream Protocol": packets (2.2.3.1), PRELOGIN (2.2.6.5), LOGIN7 (2.2.6.4), the tokens
COLMETADATA, DONE, ENVCHANGE, ERROR, LOGINACK and ROW (2.2.7).
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass

BATCH, RPC, REPLY, ATTENTION, LOGIN, PRELOGIN = 0x01, 0x03, 0x04, 0x06, 0x10, 0x12
_PACKET = 4096
_COLLATION = bytes((0x09, 0x04, 0xD0, 0x00, 0x34))
_CHARS = 4000

Row = Sequence[str | None]


class Closed(Exception):
    """The client has gone."""


@dataclass(frozen=True)
class Credentials:
    user: str
    password: str
    database: str
    application: str


class Wire:
    """One connection that was accepted. Everything after PRELOGIN goes over TLS."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._encrypted = False

    def greet(self) -> None:
        """PRELOGIN, in which encryption is required, and the handshake, in packets of PRELOGIN."""
        kind, _ = self.read()
        assert kind == PRELOGIN
        options = ((0x00, b"\x0c\x00\x07\xd0\x00\x00"), (0x01, b"\x03"), (0x02, b"\x00"), (0x03, b""), (0x04, b"\x00"))
        head, data = b"", b""
        for token, value in options:
            head += struct.pack(">BHH", token, len(options) * 5 + 1 + len(data), len(value))
            data += value
        self.send(REPLY, head + b"\xff" + data)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_handshake()
                _, told = self.read()
                self._in.write(told)
                continue
            self._flush_handshake()
            self._encrypted = True
            return

    def login(self) -> Credentials:
        kind, told = self.read()
        assert kind == LOGIN

        def text(at: int) -> bytes:
            start, length = struct.unpack_from("<HH", told, at)
            return told[start : start + 2 * length]

        secret = bytes(((one ^ 0xA5) & 0x0F) << 4 | (one ^ 0xA5) >> 4 for one in text(44))
        return Credentials(
            text(40).decode("utf-16-le"),
            secret.decode("utf-16-le"),
            text(68).decode("utf-16-le"),
            text(48).decode("utf-16-le"),
        )

    def welcome(self, database: str) -> None:
        program = "Microsoft SQL Server"
        ack = b"\x01\x74\x00\x00\x04" + _short(program) + bytes((12, 0, 7, 208))
        tokens = _changed(1, database, "master") + b"\xad" + struct.pack("<H", len(ack)) + ack
        self.send(REPLY, tokens + _changed(4, str(_PACKET), str(_PACKET)) + done())

    def batch(self) -> str | None:
        """The text of the next one; None where what came is an attention, which was answered."""
        kind, told = self.read()
        if kind == ATTENTION:
            self.send(REPLY, done(status=0x20))
            return None
        assert kind == BATCH, f"a request of type {kind:#x} is not spoken here"
        (headers,) = struct.unpack_from("<I", told)
        return told[headers:].decode("utf-16-le")

    # ---- packets

    def read(self) -> tuple[int, bytes]:
        """A whole message: (its type, its data)."""
        message = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", self._exactly(8))
            message += self._exactly(length - 8)
            if status & 1:
                return kind, message

    def send(self, kind: int, data: bytes) -> None:
        size = _PACKET - 8
        parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        for number, part in enumerate(parts, 1):
            self._write(struct.pack(">BBHHBB", kind, number == len(parts), len(part) + 8, 0, number % 256, 0) + part)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            try:
                more = self._plain(count - len(found)) if self._encrypted else self._sock.recv(count - len(found))
            except OSError as error:  # ssl.SSLError is one
                raise Closed(str(error)) from error
            if not more:
                raise Closed("it was closed")
            found += more
        return found

    def _plain(self, count: int) -> bytes:
        while True:
            try:
                return self._tls.read(count)
            except ssl.SSLWantReadError:
                more = self._sock.recv(65536)
                if not more:
                    return b""
                self._in.write(more)

    def _write(self, data: bytes) -> None:
        try:
            if self._encrypted:
                self._tls.write(data)
                data = self._out.read()
            self._sock.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def _flush_handshake(self) -> None:
        if told := self._out.read():
            self.send(PRELOGIN, told)


# ---- tokens


def done(count: int | None = None, status: int = 0) -> bytes:
    """count: of the rows that were touched, where that is told."""
    return struct.pack("<BHHQ", 0xFD, status | (0x10 if count is not None else 0), 0, count or 0)


def rows(names: Sequence[str], found: Sequence[Row]) -> bytes:
    """Columns of nvarchar(4000)."""
    told = struct.pack("<BH", 0x81, len(names))
    for name in names:
        told += struct.pack("<IHBH", 0, 0x0009, 0xE7, 2 * _CHARS) + _COLLATION + _short(name)
    for row in found:
        told += b"\xd1"
        for value in row:
            data = (value or "").encode("utf-16-le")
            told += struct.pack("<H", 0xFFFF if value is None else len(data)) + data
    return told + done(len(found))


def error(number: int, message: str, *, severity: int = 16) -> bytes:
    body = struct.pack("<iBB", number, 1, severity) + struct.pack("<H", len(message)) + message.encode("utf-16-le")
    body += _short("standin") + _short("") + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body + done(status=0x02)


def _changed(kind: int, new: str, old: str) -> bytes:
    body = bytes((kind,)) + _short(new) + _short(old)
    return b"\xe3" + struct.pack("<H", len(body)) + body


def _short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode("utf-16-le")
