"""The shipped drill through the command line, as a newcomer runs it: a table, a verdict, and two files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudfail.lab import wrapper

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(240),
    pytest.mark.skipif(wrapper.why_not_netns() is not None, reason=f"needs netns: {wrapper.why_not_netns()}"),
]
PHASES = {"detect", "decide", "fence", "promote", "traffic", "verify"}


def test_the_shipped_drill_kills_evacuates_restores_and_goes_home_without_a_lost_write(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cloudfail", "drill", "run", "lab", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=220,
        check=False,
    )
    print(done.stdout)
    # 1: an objective was missed, as on a machine that is busy with something else; what was lost is not forgiven.
    assert done.returncode in {0, 1}, done.stdout
    assert "Traceback" not in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    for half in (report, report["failback"]):
        lossless(half)
    assert set(report["phases"]) >= PHASES, report["phases"]
    assert sum(report["phases"].values()) >= 0.5 * report["client"]["write_outage_seconds"], report["phases"]
    assert report["failback"]["client"]["write_outage_seconds"] < 10.0
    html = (tmp_path / "report.html").read_text()
    assert "<svg" in html
    assert "http://" not in html.replace("http://www.w3.org", "").replace("http://198.18", ""), "it loads nothing"


def lossless(half: dict[str, Any]) -> None:
    client = half["client"]
    assert client["acknowledged_writes_lost"] == 0
    assert client["acknowledged_writes"] > 100
    assert 0 < client["write_outage_seconds"] < 60
    assert half["writers_at_once_max"] == 1
    assert all(seconds >= 0 for seconds in half["phases"].values())
    assert half["phases"]
