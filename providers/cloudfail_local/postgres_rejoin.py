"""The effects of a rejoin on the member's host: rewind, clone, configuration, start.

Each is one call and ends within the call's time (a command that does not is killed, and its outcome is looked at). So a
database whose base backup takes longer than one call cannot be cloned from here; let the site's own backup do that.
"""

from __future__ import annotations

import posixpath
import re

from psycopg import conninfo

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.ports import Call
from cloudfail_local.argv import Finished
from cloudfail_local.errors import from_command
from cloudfail_local.postgres_archive import CONF_FILES, conf_place, exists, must, rewinding_mark
from cloudfail_local.postgres_fence import without_fence
from cloudfail_local.postgres_server import Server
from cloudfail_local.postgres_state import FENCE_BEGIN

READ_SECONDS = 3.0
_MANAGED = ("primary_conninfo", "recovery_target_timeline", "default_transaction_read_only")


def unstartable_mark(archive: str, region: str) -> str:
    """Stands beside the archive once a replica did not start: such a directory is cloned anew, and kept."""
    return posixpath.join(archive, f"{region}.unstartable")


def rewind(member: Server, up: Server, archive: str, call: Call) -> None:
    """pg_rewind against the running new primary. A refusal leaves the mark, so that the next stage is a clone."""
    mark = rewinding_mark(archive, member.region)
    source = conninfo.make_conninfo(up.member.dsn, application_name="cloudfail-rewind")
    call.check()
    must(member, "touch", mark, what="marking the rewind", seconds=call.timeout_seconds)
    ending = member.on_host(
        member.program("pg_rewind"), "-D", member.data, f"--source-server={source}", seconds=call.timeout_seconds
    )
    if isinstance(ending, Finished) and ending.code != 0:
        call.log(f"{member.region}: pg_rewind refused, a clone comes next: {ending.said}")
        return
    problem = from_command(ending, f"rewinding {member.region}")
    if problem is not None:
        raise problem
    must(member, "rm", "-f", mark, what="ending the rewind", seconds=call.timeout_seconds)
    call.log(f"{member.region}: rewound")


def clone(member: Server, up: Server, call: Call) -> None:
    """pg_basebackup into a directory beside the old one. The mark of completeness is made after it ended well."""
    fresh = f"{member.data}.cloning"
    source = conninfo.make_conninfo("", **{**up.upstream, "application_name": f"cloudfail-clone-{member.name}"})
    call.check()
    must(member, "rm", "-rf", fresh, what="removing an unfinished clone", seconds=call.timeout_seconds)
    call.check()
    must(
        member, member.program("pg_basebackup"), "-D", fresh, "-d", source, "-X", "stream", "-c", "fast",
        what="cloning", seconds=call.timeout_seconds,
    )  # fmt: skip
    must(member, "touch", f"{fresh}.done", what="marking the clone", seconds=call.timeout_seconds)
    call.log(f"{member.region}: cloned from {up.region}")


def put_clone_in_place(member: Server, archive: str, call: Call) -> None:
    """Set the old directory aside (never removed) and move the clone into its place."""
    fresh, data = f"{member.data}.cloning", member.data
    seconds = call.timeout_seconds
    if exists(member, fresh, seconds=READ_SECONDS):
        call.check()
        if exists(member, data, seconds=READ_SECONDS):
            number = 1
            while exists(member, f"{data}.diverged-{number}", seconds=READ_SECONDS):
                number += 1
                if number > 100:
                    raise Permanent(f"{member.region}: a hundred diverged directories stand beside {data}: clear them.")
            must(member, "mv", data, f"{data}.diverged-{number}", what="setting aside", seconds=seconds)
            call.log(f"{member.region}: the diverged directory is kept as {data}.diverged-{number}")
        must(member, "mv", fresh, data, what="placing the clone", seconds=seconds)
    marks = (unstartable_mark(archive, member.region), rewinding_mark(archive, member.region))
    must(member, "rm", "-f", *marks, what="clearing marks", seconds=seconds)
    must(member, "rm", "-f", f"{fresh}.done", what="ending the clone", seconds=seconds)


def managed_conf(text: str, primary: str) -> str:
    """postgresql.auto.conf of a replica: the lines that were there, less the ones that this file manages."""
    key = re.compile(r"^\s*(" + "|".join(_MANAGED) + r")\s*[=\s]", re.IGNORECASE)
    kept = [line for line in text.splitlines() if not key.match(line)]
    literal = primary.replace("'", "''")
    return "\n".join([*kept, f"primary_conninfo = '{literal}'", "recovery_target_timeline = 'latest'"]) + "\n"


def _read(member: Server, path: str) -> str | None:
    if not exists(member, path, seconds=READ_SECONDS):
        return None
    return must(member, "cat", path, what=f"reading {path}", seconds=READ_SECONDS)


def _wanted_files(member: Server, primary: str, archive: str) -> dict[str, str]:
    """What the configuration files in the data directory are to hold. After a rewind or a clone they are the new
    primary's (pg_rewind copies them like any other file): then the member's own, kept before, come back."""
    data = member.data
    own = conf_place(archive, member.region)
    copied = exists(member, posixpath.join(data, "backup_label"), seconds=READ_SECONDS)
    files: dict[str, str] = {}
    for name in CONF_FILES:
        kept = _read(member, posixpath.join(own, name)) if copied else None
        text = kept if kept is not None else _read(member, posixpath.join(data, name))
        if name == "postgresql.auto.conf":
            text = managed_conf(text or "", primary)
        elif name == "pg_hba.conf" and text is not None and FENCE_BEGIN in text:
            # A replica takes no writes: its fence has done its work, and would shut clients out after a switch back.
            text = without_fence(text)
        if text is not None:
            files[name] = text
    return files


def is_configured(member: Server, primary: str, archive: str) -> bool:
    """Whether the files already hold what they are to hold, and the server would come up as a replica."""
    if not exists(member, posixpath.join(member.data, "standby.signal"), seconds=READ_SECONDS):
        return False
    wanted = _wanted_files(member, primary, archive)
    return all(_read(member, posixpath.join(member.data, name)) == text for name, text in wanted.items())


def configure(member: Server, primary: str, archive: str, call: Call) -> None:
    """Write them, each whole or not at all; standby.signal first, so that no crash in between leaves a directory that
    would start as a primary."""
    data, seconds = member.data, call.timeout_seconds
    call.check()
    must(member, "touch", posixpath.join(data, "standby.signal"), what="writing standby.signal", seconds=seconds)
    for name, text in _wanted_files(member, primary, archive).items():
        path = posixpath.join(data, name)
        call.check()
        must(member, "tee", f"{path}.part", what=f"writing {name}", seconds=seconds, stdin=text.encode())
        must(member, "chmod", "600", f"{path}.part", what=f"writing {name}", seconds=seconds)
        must(member, "mv", f"{path}.part", path, what=f"writing {name}", seconds=seconds)


def start(member: Server, archive: str, call: Call) -> None:
    """`pg_ctl start`. A directory that does not start after a rewind is marked, so that a clone comes next."""
    log = member.member.log or posixpath.join(posixpath.dirname(member.data), f"{member.region}.log")
    wait = max(1, int(call.timeout_seconds * 0.8))
    call.check()
    ending = member.on_host(
        member.program("pg_ctl"), "start", "-D", member.data, "-l", log, "-w", "-t", str(wait),
        seconds=call.timeout_seconds,
    )  # fmt: skip
    member.close()
    problem: CloudfailError | None = from_command(ending, f"starting {member.region}")
    if problem is not None:
        if isinstance(ending, Finished):
            mark = unstartable_mark(archive, member.region)
            must(member, "mkdir", "-p", archive, what="marking", seconds=READ_SECONDS)
            must(member, "touch", mark, what="marking", seconds=READ_SECONDS)
        raise problem
    call.log(f"{member.region}: started as a replica")
