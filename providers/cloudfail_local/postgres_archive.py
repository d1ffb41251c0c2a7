"""The diverged tail of an old primary: copied, hashed and read out before anything is rewound or set aside.

These are writes that the old primary took and the new one never had. pg_rewind throws them away; people may want them.
Everything is done on the server's host, in commands, and the manifest is moved into place last: where it stands, the
copy is whole.
"""

from __future__ import annotations

import posixpath
import re

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail.ports import Call
from cloudfail_local.argv import Finished
from cloudfail_local.errors import from_command
from cloudfail_local.postgres_control import Control, segment_name, text_of
from cloudfail_local.postgres_server import Server

MANIFEST = "MANIFEST.sha256"
CONF_FILES = ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf")
RECORDS_MAX = "200000"
_SEGMENT = re.compile(r"^[0-9A-F]{24}(\.partial)?$")


def tail_place(archive: str, region: str, control: Control) -> str:
    """The directory for this divergence: named by where the old primary ended, so that each has its own."""
    return posixpath.join(archive, f"{region}-tl{control.timeline}-{text_of(control.checkpoint).replace('/', '_')}")


def conf_place(archive: str, region: str) -> str:
    """Where the member's own configuration is kept while its directory is rewound or cloned."""
    return posixpath.join(archive, f"{region}.conf")


def rewinding_mark(archive: str, region: str) -> str:
    """Stands beside the archive while a rewind is under way, and after one that failed: such a directory is not rewound
    again but cloned (pg_rewind's manual: it is then "likely not in a state that can be recovered")."""
    return posixpath.join(archive, f"{region}.rewinding")


def exists(server: Server, path: str, *, seconds: float) -> bool:
    """Whether `path` is there. Raises OutcomeUnknown where the host does not say."""
    ending = server.on_host("test", "-e", path, seconds=seconds)
    if isinstance(ending, Finished) and ending.code in (0, 1):
        return ending.code == 0
    raise OutcomeUnknown(f"{server.region}: whether {path} exists is not known.")


def must(server: Server, *argv: str, what: str, seconds: float, stdin: bytes = b"") -> str:
    """Run on the host; its output, or the classified error."""
    ending = server.on_host(*argv, seconds=seconds, stdin=stdin)
    problem = from_command(ending, f"{server.region}: {what}")
    if problem is not None:
        raise problem
    assert isinstance(ending, Finished)
    return ending.out


def archive_tail(server: Server, control: Control, fork: int | None, archive: str, call: Call) -> None:
    """Copy configuration and diverged WAL, read the records out as text, hash, compare, and place the manifest.

    fork: where the new primary left this timeline; None where that is not known, then all of it counts as diverged.
    """
    seconds = call.timeout_seconds
    place = tail_place(archive, server.region, control)
    conf = conf_place(archive, server.region)
    wal = posixpath.join(server.data, "pg_wal")
    copies = posixpath.join(place, "wal")
    call.check()
    must(server, "mkdir", "-p", copies, conf, what="making the archive", seconds=seconds)
    # After a rewind that was cut short these are the new primary's files, or half of them: its own were kept before it.
    own = not exists(server, rewinding_mark(archive, server.region), seconds=seconds)
    for name in CONF_FILES if own else ():
        path = posixpath.join(server.data, name)
        if exists(server, path, seconds=seconds):
            must(server, "cp", "-p", path, conf, what=f"keeping {name}", seconds=seconds)
    first = segment_name(control.timeline, fork or 0, control.segment_bytes)
    listed = must(server, "ls", "-1", wal, what="listing WAL", seconds=seconds).split()
    segments = sorted(name for name in listed if _SEGMENT.match(name) and name[:8] == first[:8] and name[:24] >= first)
    if not segments:
        raise Permanent(f"{server.region}: no WAL segment from {first} on is left to keep; copy {wal} by hand.")
    call.check()
    sources = [posixpath.join(wal, name) for name in segments]
    must(server, "cp", "-p", *sources, copies, what="copying WAL", seconds=seconds)
    hashes = must(server, "sha256sum", *sources, what="hashing WAL", seconds=seconds)
    copied = must(
        server, "sha256sum", *(posixpath.join(copies, name) for name in segments), what="hashing", seconds=seconds
    )
    if [line.split()[0] for line in hashes.splitlines()] != [line.split()[0] for line in copied.splitlines()]:
        raise OutcomeUnknown(f"{server.region}: the copy of the diverged WAL is not what was copied.")
    dump = server.on_host(
        server.program("pg_waldump"), "-p", wal, "-t", str(control.timeline), "-n", RECORDS_MAX,
        *(("-s", text_of(fork)) if fork else (segments[0],)),
        seconds=seconds,
    )  # fmt: skip
    # It ends with an error where WAL ends; what it printed until then is what there was.
    text = dump.out if isinstance(dump, Finished) else ""
    readout = posixpath.join(place, "records.txt")
    must(server, "tee", readout, what="writing records", seconds=seconds, stdin=(text or "none\n").encode())
    hashed = must(server, "sha256sum", readout, what="hashing", seconds=seconds)
    manifest = posixpath.join(place, MANIFEST)
    body = (copied + hashed).encode()
    must(server, "tee", f"{manifest}.part", what="writing the manifest", seconds=seconds, stdin=body)
    call.check()
    must(server, "mv", f"{manifest}.part", manifest, what="placing the manifest", seconds=seconds)
    call.log(
        f"{server.region}: diverged tail kept in {place}: {len(segments)} segment(s), {len(text.splitlines())} records"
    )
