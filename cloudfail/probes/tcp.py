"""TCP: the connection is accepted. Weak on purpose: a frozen process is still accepted for by its kernel."""

from __future__ import annotations

from urllib.parse import urlsplit

from cloudfail.probes.look import Ask, Phases, connect


def place(target: str) -> tuple[str, int]:
    """`host:port` or `tcp://host:port`; an IPv6 address in brackets. ValueError says what is wrong."""
    if "://" in target and not target.startswith("tcp://"):
        raise ValueError(f"{target!r} is not host:port")
    parts = urlsplit(target if target.startswith("tcp://") else f"tcp://{target}")
    if not parts.hostname or parts.port is None or parts.path or parts.query or parts.username:
        raise ValueError(f"{target!r} is not host:port")
    return parts.hostname, parts.port


async def look(ask: Ask, phases: Phases) -> str:
    host, port = place(ask.target)
    sock = await connect(host, port, phases, ask.timeout_seconds, loopback=ask.loopback)
    sock.close()
    return "connected"
