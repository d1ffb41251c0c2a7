"""The provider's small translations: options, durations, secrets, PostgreSQL's texts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from cloudfail.errors import Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail_local import provider
from cloudfail_local.argv import NotStarted, TimedOut, run
from cloudfail_local.options import PostgresOptions, Rfc2136Options
from cloudfail_local.postgres_control import fork_of, parse_control, position_of, segment_name, text_of
from cloudfail_local.postgres_fence import with_fence, without_fence
from cloudfail_local.postgres_rejoin import managed_conf
from cloudfail_postgres.heartbeat import Heartbeat, LagSample, loss_bound
from cloudfail_postgres.secret import secret_value
from cloudfail_postgres.synchronous import cannot_without, parse_names, standbys_needed


def test_durations_need_their_unit_and_survive_a_dump() -> None:
    options = PostgresOptions.model_validate({"answer_within": "250ms", "heartbeat_stale": "2m"})
    assert (options.answer_within, options.heartbeat_stale) == (0.25, 120.0)
    assert PostgresOptions.model_validate(options.model_dump()) == options
    assert PostgresOptions.model_validate_json(options.model_dump_json()) == options
    for wrong in (1, 1.5, "1", "1 s", "-1s", "s", True):
        with pytest.raises(ValidationError, match="500ms"):
            PostgresOptions.model_validate({"answer_within": wrong})


def test_an_unknown_key_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="fencez"):
        PostgresOptions.model_validate({"fencez": []})


def test_a_secret_written_in_plain_is_refused_and_a_reference_is_resolved_when_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"server": "127.0.0.1:53", "zone": "z", "name": "w.z"}
    with pytest.raises(ValidationError, match="never written here"):
        Rfc2136Options.model_validate({**base, "key": {"name": "k", "secret": "aGVsbG8="}})
    (tmp_path / "s").write_text("hidden\n")
    monkeypatch.setenv("CLOUDFAIL_TEST_SECRET", "hidden")
    assert secret_value(f"file:{tmp_path}/s") == secret_value("env:CLOUDFAIL_TEST_SECRET") == "hidden"
    with pytest.raises(Permanent, match="not set"):
        secret_value("env:CLOUDFAIL_TEST_NO_SUCH")
    with pytest.raises(Permanent, match="cannot be read"):
        secret_value(f"file:{tmp_path}/none")


@pytest.mark.parametrize(
    ("names", "count", "listed"),
    [
        ("", 0, ()),
        ("west", 1, ("west",)),
        ('"west"', 1, ("west",)),
        ("FIRST 1 (west, north)", 1, ("west", "north")),
        ("ANY 2 (west, north, south)", 2, ("west", "north", "south")),
        ('2 ("we""st", north)', 2, ('we"st', "north")),
        ("*", 1, ("*",)),
    ],
)
def test_synchronous_standby_names_are_read_as_postgresql_reads_them(
    names: str, count: int, listed: tuple[str, ...]
) -> None:
    assert parse_names(names) == (count, listed)
    assert standbys_needed(names) == count


@pytest.mark.parametrize(
    ("names", "commit", "needs"),
    [
        ("west", "on", True),
        ("WEST", "remote_apply", True),
        ("west", "remote_write", True),
        ("west", "local", False),
        ("west", "off", False),
        ("", "on", False),
        ("*", "on", False),
        ("north", "on", False),
        ("ANY 1 (west, north)", "on", False),
        ("ANY 2 (west, north)", "on", True),
        ("FIRST 1 (west, north)", "on", False),
    ],
)
def test_a_commit_needs_a_standby_only_where_no_other_can_stand_in(names: str, commit: str, needs: bool) -> None:
    assert cannot_without(names, commit, "west") is needs


def test_the_fence_in_pg_hba_comes_first_and_goes_without_a_trace() -> None:
    text = "# mine\nlocal\tall all   trust\nhost all all 127.0.0.1/32 trust\n"
    fenced = with_fence(text, ("shop", 'o"dd'), epoch=7, run_id="run 1", at=1.0)
    assert fenced.splitlines()[1:3] == ['local all "shop" reject', 'host all "shop" all reject']
    assert 'local all "o""dd" reject' in fenced
    assert without_fence(fenced) == text
    assert with_fence(fenced, ("shop",), epoch=8, run_id="r", at=2.0).count("fence begin") == 1


def test_positions_segments_and_forks_are_counted_as_postgresql_counts_them() -> None:
    assert position_of("1/3000148") == (1 << 32) + 0x3000148
    assert text_of(position_of("A/FF")) == "A/FF"
    assert segment_name(2, position_of("1/3000148"), 16 * 1024 * 1024) == "000000020000000100000003"
    history = "1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n"
    assert fork_of(history, 1) == position_of("0/3000148")
    assert fork_of(history, 2) == position_of("0/5000000")
    assert fork_of(history, 3) is None
    assert parse_control("nonsense", running=False) is None


def test_a_replica_s_configuration_keeps_what_is_not_ours() -> None:
    text = "work_mem = '8MB'\nprimary_conninfo = 'host=old'\ndefault_transaction_read_only = 'on'\n"
    made = managed_conf(text, "host=new options='-c x'")
    assert made.splitlines()[0] == "work_mem = '8MB'"
    assert "old" not in made
    assert "read_only" not in made
    assert "primary_conninfo = 'host=new options=''-c x'''" in made
    assert managed_conf(made, "host=new options='-c x'") == made


def test_loss_is_zero_only_where_the_writer_could_not_acknowledge_without_the_survivor() -> None:
    def bound(beat: Heartbeat | None, sample: LagSample | None = None, acknowledged: float | None = 108.0):
        known = Unknown("nobody looked") if acknowledged is None else Known(acknowledged, 0.0)
        return loss_bound(beat, known, sample, standby="west", now=110.0, stale_seconds=10.0)

    assert bound(Heartbeat(105.0, "west", "on", True)).if_dead_seconds == 0.0
    asynchronous = bound(Heartbeat(105.0, "", "on", True))
    assert (asynchronous.if_dead_seconds, asynchronous.if_alive_seconds) == (3.0, 5.0)
    # Settings of a heartbeat that later transactions outran may be out of date.
    assert bound(Heartbeat(105.0, "west", "on", False)).if_dead_seconds == 3.0
    assert bound(Heartbeat(105.0, "", "on", True), acknowledged=None).if_dead_seconds is None
    assert bound(None).if_dead_seconds is None
    assert bound(None, LagSample(2.0, False, 50.0, 51.0)).if_dead_seconds == 3.0
    assert bound(None, LagSample(2.0, True, 50.0, 51.0)).if_dead_seconds == 0.0
    assert bound(None, LagSample(2.0, False, 50.0, 70.0)).if_dead_seconds is None
    assert bound(None, LagSample(None, False, 50.0, 51.0)).if_dead_seconds is None
    assert bound(None, LagSample(2.0, False, 50.0, None)).if_dead_seconds is None


def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    marker = tmp_path / "late"
    started = time.monotonic()
    with pytest.raises(TimedOut):
        run(["sh", "-c", f"(sleep 1.5; touch {marker}) & sleep 30"], seconds=0.3)
    assert time.monotonic() - started < 1.4
    time.sleep(1.6)
    assert not marker.exists()
    with pytest.raises(NotStarted):
        run(["/no/such/program"], seconds=1)


def test_naming_the_kinds_imports_no_vendor_library() -> None:
    code = (
        "import sys, cloudfail_local as c; c.provider.kinds(); c.provider.identity();"
        "print([m for m in sys.modules if m.split('.')[0] in ('psycopg', 'dns', 'psycopg_binary')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert len(provider.kinds()) == 8
    for (port, name), kind in provider.kinds().items():
        assert (kind.port, kind.name) == (port, name)
        assert kind.verbs
