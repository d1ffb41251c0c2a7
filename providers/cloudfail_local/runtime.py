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
    "no check" …); a server that is drained and down is called DOWN. admin: what an administrator set, as bits (1, 2, 4
    and 32 maintenance; 8 and 16 drain). sessions: in flight now."""

    name: str
    weight: int
    status: str
    check: str
    sessions: int
    admin: int = 0

    @property
    def takes_traffic(self) -> bool:
        """An administrator lets it; whether it is healthy is another question."""
        return self.weight > 0 and not self.admin

    @property
    def healthy(self) -> bool | None:
        """None where HAProxy does not check it (in maintenance, or no check configured) or has not made up its mind
        ("UP 1/3", as just after maintenance): unknown, never healthy."""
        if self.status == "UP" and self.check:
            return True
        if self.status == "DRAIN" and self.check:
            return self.check.lstrip("* ") in ("L4OK", "L6OK", "L7OK", "L7OKC")
        if self.status.startswith("DOWN"):
            return False
        return None


def servers(address: str, backend: str, *, seconds: float) -> dict[str, ServerLine]:
    """The servers of `backend`; empty where there is no such backend."""
    admin = _admin_states(ask(address, f"show servers state {backend}", seconds=seconds))
    text = ask(address, f"show stat {backend} 4 -1", seconds=seconds)
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
            admin=admin.get(name, 0),
        )
    return lines


def _admin_states(text: str) -> dict[str, int]:
    """Server name -> administrative state, from `show servers state` (a version, a header after "#", then lines)."""
    header: list[str] = []
    states = {}
    for line in text.splitlines():
        if line.startswith("#"):
            header = line.lstrip("# ").split()
        elif header and len(words := line.split()) >= len(header) - 1:
            row = dict(zip(header, words, strict=False))
            states[row["srv_name"]] = int(row["srv_admin_state"])
    return states
