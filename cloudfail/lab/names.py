"""DNS: BIND answers for `shop.lab` and takes signed updates; unbound is the caching resolver that clients ask."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import struct
from pathlib import Path

from cloudfail.lab.spec import Layout

ZONE = "shop.lab"
NAME = "www.shop.lab"
KEY = "cloudfail"


def write_bind(layout: Layout, directory: Path, address: str, ttl_seconds: int) -> Path:
    """named.conf, the zone and the TSIG secret (`tsig.secret`, base64, 0600)."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    (directory / "tsig.secret").write_text(secret + "\n")
    (directory / "tsig.secret").chmod(0o600)
    (directory / "shop.lab.zone").write_text(
        f"$TTL {ttl_seconds}\n@ IN SOA ns.shop.lab. lab.shop.lab. 1 3600 600 86400 {ttl_seconds}\n"
        f"@ IN NS ns.shop.lab.\nns IN A {layout.addresses['dns']}\nwww {ttl_seconds} IN A {address}\n"
    )
    config = directory / "named.conf"
    config.write_text(
        f'options {{ directory "{directory}"; pid-file none; session-keyfile none; lock-file none;\n'
        f"  listen-on port {layout.dns_port} {{ {layout.addresses['dns']}; }}; listen-on-v6 {{ none; }};\n"
        "  recursion no; allow-query { any; }; dnssec-validation no; notify no; minimal-responses yes; };\n"
        "controls { };\n"
        f'key "{KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        f'zone "{ZONE}" {{ type master; file "{directory}/shop.lab.zone"; allow-update {{ key "{KEY}"; }}; }};\n'
    )
    config.chmod(0o600)
    return config


def write_unbound(layout: Layout, directory: Path) -> Path:
    """unbound.conf: one thread, no root servers needed, everything for `shop.lab` asked of BIND."""
    config = directory / "unbound.conf"
    config.write_text(
        f'server:\n  directory: "{directory}"\n  pidfile: ""\n  chroot: ""\n  username: ""\n  do-daemonize: no\n'
        f"  use-syslog: no\n  num-threads: 1\n  interface: {layout.resolver_address}@{layout.resolver_port}\n"
        f"  port: {layout.resolver_port}\n  do-ip6: no\n  module-config: iterator\n  do-not-query-localhost: no\n"
        "  access-control: 198.18.0.0/15 allow\n  access-control: 127.0.0.0/8 allow\n"
        f'remote-control:\n  control-enable: no\nstub-zone:\n  name: "{ZONE}"\n'
        f"  stub-addr: {layout.addresses['dns']}@{layout.dns_port}\n"
    )
    return config


def question(name: str) -> bytes:
    """The wire form of a recursive question for the name's A record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", int.from_bytes(os.urandom(2), "big"), 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def first_address(asked: bytes, answer: bytes) -> str | None:
    """The first A record of an answer to `asked`, or None (another question's answer, an error, no such record)."""
    if len(answer) < len(asked) or answer[:2] != asked[:2] or answer[3] & 0x0F:
        return None
    count, at = struct.unpack(">H", answer[6:8])[0], len(asked)
    for _ in range(count):
        while answer[at] and answer[at] < 0xC0:
            at += answer[at] + 1
        at += 2 if answer[at] >= 0xC0 else 1
        kind, _, _, length = struct.unpack(">HHIH", answer[at : at + 10])
        at += 10
        if kind == 1 and length == 4:
            return socket.inet_ntoa(answer[at : at + 4])
        at += length
    return None
