"""HAProxy's runtime API: one command, one reply, over a unix socket or TCP (management guide §9.3)."""

from __future__ import annotations

import csv
import io
import socket
import time
from dataclasses import dataclass

from cloudfail_local.errors import from_os_error

REPLY_BYTES_MAX = 16 * 1024 * 1024


def ask(address: str, command: str, *, seconds: float) -> str:
    """The reply to one command. Raises a classified error; silence after sending is OutcomeUnknown."""
    deadline = time.monotonic() + seconds
    sent = False
    try:
        with _connect(address, seconds) as connection:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            sent = True
            connection.sendall(command.encode() + b"\n")
            reply = bytearray()
            while True:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                piece = connection.recv(65536)
                if not piece:
                    break
                reply += piece
                if len(reply) > REPLY_BYTES_MAX:
                    raise OSError("the reply has no end")
            if not reply:
                raise OSError("closed without a reply")
            return reply.decode("utf-8", "replace")
    except OSError as error:
        raise from_os_error(error, sent=sent, peer=f"HAProxy at {address}") from error


def _connect(address: str, seconds: float) -> socket.socket:
    path = address.removeprefix("unix:")
    if path.startswith("/"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(seconds)
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection
    host, _, port = path.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


@dataclass(frozen=True)
class ServerLine:
    """One server of a backend. weight: as set (0 to 256). status: HAProxy's word ("UP", "DOWN", "MAINT", "DRAIN",
    "no check" …). sessions: in flight now."""

    name: str
    weight: int
    status: str
    check: str
    sessions: int

    @property
    def takes_traffic(self) -> bool:
        """An administrator lets it; whether it is healthy is another question."""
        return self.weight > 0 and not self.status.startswith(("MAINT", "DRAIN"))

    @property
    def healthy(self) -> bool | None:
        """None where HAProxy does not check it (in maintenance, or no check configured): unknown, never healthy."""
        if self.status.startswith("MAINT") or self.status == "no check" or not self.check:
            return None
        if self.check in ("INI", "* INI"):
            return None
        if self.status.startswith("DRAIN"):
            return self.check.lstrip("* ") in ("L4OK", "L6OK", "L7OK", "L7OKC")
        return self.status.startswith("UP")


def servers(address: str, backend: str, *, seconds: float) -> dict[str, ServerLine]:
    """The servers of `backend`; empty where there is no such backend."""
    text = ask(address, f"show stat {backend} 4 -1", seconds=seconds)
    if not text.startswith("# "):
        text = ask(address, "show stat", seconds=seconds)
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    lines = {}
    for row in rows:
        name = row.get("svname") or ""
        if row.get("pxname") != backend or name in ("BACKEND", "FRONTEND", ""):
            continue
        lines[name] = ServerLine(
            name=name,
            weight=int(row.get("weight") or 0),
            status=row.get("status") or "",
            check=row.get("check_status") or "",
            sessions=int(row.get("scur") or 0),
        )
    return lines
