"""MongoDB's wire protocol as a server speaks it: messages, and logging in by SCRAM-SHA-256 (RFC 7677).

What is wrong with it the driver tells: pymongo checks lengths, request numbers and the server's signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
from typing import Any

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MESSAGE_MAX = 48_000_000
_HEADER = struct.Struct("<iiii")
_ITERATIONS = 4096


class Asked:
    """One message. legacy: it came as a query of the old protocol, which the first greeting does."""

    def __init__(self, number: int, document: dict[str, Any], *, legacy: bool) -> None:
        self.number = number
        self.document = document
        self.legacy = legacy

    @property
    def command(self) -> str:
        return next(iter(self.document))


def read(connection: socket.socket) -> Asked | None:
    """The next message; None where the client is gone. Raises ValueError for what is none."""
    header = _exactly(connection, _HEADER.size)
    if header is None:
        return None
    length, number, _, operation = _HEADER.unpack(header)
    if not _HEADER.size < length <= MESSAGE_MAX:
        raise ValueError(f"a message of {length} bytes")
    body = _exactly(connection, length - _HEADER.size)
    if body is None:
        return None
    if operation == OP_QUERY:
        end = body.index(b"\0", 4) + 1
        return Asked(number, bson.decode(body[end + 8 :]), legacy=True)
    if operation != OP_MSG:
        raise ValueError(f"operation {operation}")
    return Asked(number, _sections(body), legacy=False)


def _sections(body: bytes) -> dict[str, Any]:
    (flags,) = struct.unpack_from("<I", body)
    if flags & ~(1 << 16):
        raise ValueError(f"flags {flags:x}")
    at, document, more = 4, {}, {}
    while at < len(body):
        kind, at = body[at], at + 1
        (size,) = struct.unpack_from("<i", body, at)
        part = body[at : at + size]
        if kind == 0:
            document = bson.decode(part)
        elif kind == 1:
            end = part.index(b"\0", 4)
            more[part[4:end].decode()] = bson.decode_all(part[end + 1 :])
        else:
            raise ValueError(f"a section of kind {kind}")
        at += size
    return {**document, **more}


def answer(asked: Asked, document: dict[str, Any]) -> bytes:
    body = bson.encode(document)
    if asked.legacy:
        inner, operation = struct.pack("<iqii", 8, 0, 0, 1) + body, OP_REPLY
    else:
        inner, operation = struct.pack("<IB", 0, 0) + body, OP_MSG
    return _HEADER.pack(_HEADER.size + len(inner), 1, asked.number, operation) + inner


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    found = b""
    while len(found) < count:
        chunk = connection.recv(count - len(found))
        if not chunk:
            return None
        found += chunk
    return found


class Login:
    """One exchange of SCRAM-SHA-256."""

    def __init__(self, first: bytes) -> None:
        self._bare = first.decode().removeprefix("n,,")
        parts = dict(part.split("=", 1) for part in self._bare.split(","))
        self.user = parts["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce = parts["r"] + base64.b64encode(os.urandom(12)).decode()
        self._salt = os.urandom(16)
        self.challenge = f"r={self._nonce},s={base64.b64encode(self._salt).decode()},i={_ITERATIONS}"

    def finish(self, final: bytes, password: str) -> bytes | None:
        """The server's own proof; None where the client's is wrong."""
        without, _, proof = final.decode().rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), self._salt, _ITERATIONS)
        client = hmac.digest(salted, b"Client Key", "sha256")
        message = f"{self._bare},{self.challenge},{without}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
        expected = bytes(one ^ other for one, other in zip(client, signature, strict=True))
        if without != f"c=biws,r={self._nonce}" or not hmac.compare_digest(expected, base64.b64decode(proof)):
            return None
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return b"v=" + base64.b64encode(server)
