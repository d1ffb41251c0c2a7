"""What a server's data directory says while the server is down: pg_controldata, pg_ctl status, timeline history."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudfail.model.observation import Unknown
from cloudfail_local.argv import Finished
from cloudfail_local.postgres_server import Server

READ_SECONDS = 3.0
_RECOVERED_ON = "Min recovery ending loc's timeline"


@dataclass(frozen=True)
class Control:
    """state: as pg_controldata words it ("shut down", "in production", "in archive recovery" …). checkpoint: position
    of the newest checkpoint record, in bytes of WAL. timeline: the newest that was written. minimum_recovery: what a
    replica has flushed up to. running: a postmaster lives on this directory. hints: pg_rewind has what it needs
    (wal_log_hints or checksums)."""

    state: str
    checkpoint: int
    timeline: int
    system: str
    running: bool
    hints: bool
    segment_bytes: int
    minimum_recovery: int = 0


def position_of(text: str) -> int:
    """Bytes of WAL of a position as PostgreSQL prints it: `0/3000148`."""
    high, _, low = text.strip().partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def text_of(position: int) -> str:
    """The same the other way."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def parse_control(text: str, *, running: bool) -> Control | None:
    """pg_controldata's lines (in English: it is run with LC_ALL=C); None where one of them is missing."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    try:
        return Control(
            state=fields["Database cluster state"],
            checkpoint=position_of(fields["Latest checkpoint location"]),
            # A promoted server's first checkpoint comes minutes after its promotion. Until then only the end of its
            # recovery names the timeline that it writes (xlog.c, CreateEndOfRecoveryRecord).
            timeline=max(int(fields["Latest checkpoint's TimeLineID"]), int(fields.get(_RECOVERED_ON, "0"))),
            system=fields["Database system identifier"],
            running=running,
            hints=fields.get("wal_log_hints setting") == "on" or fields.get("Data page checksum version", "0") != "0",
            segment_bytes=int(fields["Bytes per WAL segment"]),
            minimum_recovery=position_of(fields.get("Minimum recovery ending location", "0/0")),
        )
    except (KeyError, ValueError):
        return None


def read_control(server: Server) -> Control | Unknown:
    """Ask the host. Unknown where it does not answer or the directory cannot be read."""
    if not server.reaches_host:
        return Unknown(f"the member {server.region} has no `data` and `bin`, so its host cannot be asked")
    status = server.on_host(server.program("pg_ctl"), "status", "-D", server.data, seconds=READ_SECONDS)
    if not isinstance(status, Finished) or status.code not in (0, 3):
        return Unknown(f"pg_ctl status: {status.said if isinstance(status, Finished) else status}")
    data = server.on_host("env", "LC_ALL=C", server.program("pg_controldata"), "-D", server.data, seconds=READ_SECONDS)
    if not isinstance(data, Finished) or data.code != 0:
        return Unknown(f"pg_controldata: {data.said if isinstance(data, Finished) else data}")
    control = parse_control(data.out, running=status.code == 0)
    return control or Unknown("pg_controldata printed something else than expected")


def fork_of(history: str, timeline: int) -> int | None:
    """Where `timeline` was left, by a later timeline's history file; None where it is no ancestor."""
    for line in history.splitlines():
        match = re.match(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", line)
        if match and int(match[1]) == timeline:
            return position_of(match[2])
    return None


def segment_name(timeline: int, position: int, segment_bytes: int) -> str:
    """The WAL segment that holds `position` on `timeline`."""
    number = position // segment_bytes
    per_log = 0x100000000 // segment_bytes
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"
