"""The member's own configuration over a rewind that was cut short: on plain files, no server needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfail.ports import Call
from cloudfail_local.options import PostgresMember
from cloudfail_local.postgres_archive import CONF_FILES, archive_tail, conf_place, rewinding_mark
from cloudfail_local.postgres_control import Control
from cloudfail_local.postgres_rejoin import configure, is_configured
from cloudfail_local.postgres_server import Server

CALL = Call("r1", "follow", 1, "r1/follow", 10.0, lambda: None)
PRIMARY = "host=west user=replicator"


def control(checkpoint: int) -> Control:
    return Control("in production", checkpoint, 1, "1", False, True, 16 * 1024 * 1024)


@pytest.fixture
def east(tmp_path: Path) -> Server:
    data = tmp_path / "pg"
    (data / "pg_wal").mkdir(parents=True)
    (data / "pg_wal" / f"{1:08X}{0:08X}{1:08X}").write_bytes(b"wal" * 100)
    for name in CONF_FILES:
        (data / name).write_text(f"# east's {name}\n")
    member = PostgresMember(
        dsn="host=east user=cloudfail", writer="host=east user=shop", data=str(data), bin=str(tmp_path / "bin")
    )
    return Server("east", member, seconds=1.0)


def test_what_a_rewind_left_behind_is_never_kept_as_the_member_s_own(east: Server, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    archive_tail(east, control(1 << 24), 1 << 24, archive, CALL)
    Path(rewinding_mark(archive, "east")).touch()
    for name in CONF_FILES:
        (tmp_path / "pg" / name).write_text("")
    archive_tail(east, control(2 << 24), 1 << 24, archive, CALL)
    for name in CONF_FILES:
        assert (Path(conf_place(archive, "east")) / name).read_text() == f"# east's {name}\n"


def test_an_empty_file_is_configured_when_it_is_empty(east: Server, tmp_path: Path) -> None:
    """Written as a newline and wanted as nothing, it was written again and again until the attempts were over."""
    archive = str(tmp_path / "archive")
    (tmp_path / "pg" / "pg_ident.conf").write_text("")
    assert not is_configured(east, PRIMARY, archive)
    configure(east, PRIMARY, archive, CALL)
    assert is_configured(east, PRIMARY, archive)
    assert (tmp_path / "pg" / "pg_ident.conf").read_text() == ""
