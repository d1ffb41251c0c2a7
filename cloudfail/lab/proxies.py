"""HAProxy: one in each region before the workers, one at the edge before the regions.

No retries (HAProxy waits a second between two tries, which would hide the dead for that long) and short timeouts. Each
has its runtime API on a unix socket with level admin.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from cloudfail.lab.spec import REGIONS, Layout

DEFAULTS = """global
  nbthread 1
  maxconn 2000
  stats socket {socket} mode 600 level admin
  stats timeout 10s
defaults
  mode http
  retries 0
  timeout connect 200ms
  timeout client 2s
  timeout server 1s
  timeout check 400ms
  timeout queue 200ms
  option http-server-close
"""


def region_config(layout: Layout, region: str, directory: Path) -> str:
    """The region's own: a fixed list of worker slots, of which those without a worker are DOWN by their check."""
    address = layout.addresses[region]
    slots = "".join(f"  server w{n} {address}:{port}\n" for n, port in enumerate(layout.worker_ports, 1))
    return (
        DEFAULTS.format(socket=directory / "haproxy.sock")
        + f"frontend shop\n  bind {address}:{layout.http_port}\n  default_backend workers\n"
        + "backend workers\n  balance roundrobin\n  option httpchk GET /healthz\n"
        + f"  default-server check inter 200ms fall 2 rise 1\n{slots}"
    )


def edge_config(layout: Layout, directory: Path) -> str:
    """The edge: both regions with weight 100; the standby's is set to 0 by the runtime API once it runs."""
    servers = "".join(f"  server {region} {layout.addresses[region]}:{layout.http_port}\n" for region in REGIONS)
    return (
        DEFAULTS.format(socket=directory / "haproxy.sock")
        + f"frontend clients\n  bind {layout.addresses['edge']}:{layout.edge_port}\n  default_backend shop\n"
        + "backend shop\n  balance roundrobin\n  option httpchk GET /healthz\n"
        + f"  default-server check inter 500ms fastinter 200ms downinter 200ms fall 3 rise 1 weight 100\n{servers}"
    )


def runtime(path: Path, command: str, seconds: float = 1.0) -> str:
    """One command of the runtime API and its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\n")
        parts = []
        while chunk := connection.recv(65536):
            parts.append(chunk)
    return b"".join(parts).decode().strip()


def healthy(path: Path, backend: str) -> list[str]:
    """Names of the backend's servers whose check passes; none if HAProxy does not answer."""
    with contextlib.suppress(OSError):
        rows = [line.split(",") for line in runtime(path, "show stat").splitlines() if not line.startswith("#")]
        return [row[1] for row in rows if row[0] == backend and row[1] != "BACKEND" and row[17].startswith("UP")]
    return []
