"""Anchors by those who run: a person at the command line, and a scheduled tick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cloudfail.clock import SystemClock
from cloudfail.entrypoints.serving import tick
from cloudfail.journal import Journal
from cloudfail.model.anchor import Anchor, log_of, split
from cloudfail.model.journal import Kind
from cloudfail.signing import public_line
from cloudfail.stores import open_store
from tests.entrypoints.site import Site

KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    place = json.dumps(f"file:{tmp_path}/anchors")
    with (tmp_path / "cloudfail.yaml").open("a") as file:
        file.write(f"audit: {{anchors: [{place}], key: file:runner-key, signers: allowed_signers}}\n")
    (tmp_path / "runner-key").write_bytes(KEY)
    (tmp_path / "allowed_signers").write_text(f"runner {public_line(KEY.decode())}\n")
    monkeypatch.setenv("CLOUDFAIL_CONFIG", str(tmp_path / "cloudfail.yaml"))
    yield made
    made.close()


def anchors(site: Site) -> list[Anchor]:
    return [split(stored.body)[0] for stored in open_store(f"file:{site.root}/anchors").read(log_of("shop"), 0)]


def test_a_run_from_the_command_line_is_anchored_and_its_report_ends_with_the_head(site: Site) -> None:
    assert site.cli("check").returncode == 0
    planned = site.cli("plan", "east", "--format", "json")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    checksum = str(json.loads(planned.stdout)["checksum"])
    done = site.cli("evacuate", "east", "--plan", checksum[:8])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [anchor.why.split()[0] for anchor in anchors(site)] == ["opened", "closed"]

    head = done.stdout.splitlines()[-1]
    assert head.startswith("Log's head, to be kept: shop ")
    verified = site.cli("audit", "verify", "--head", head.partition(": ")[2], "--format", "json")
    assert verified.returncode == 0, verified.stdout
    said = json.loads(verified.stdout)
    assert (said["state"], said["unproven"], said["anchored_late"]) == ("proven", [], [])
    assert said["proven_up_to"] >= anchors(site)[-1].seq


def test_a_tick_makes_up_for_the_anchors_that_others_owe_and_says_how_the_log_stands(site: Site) -> None:
    journal = Journal(open_store(f"sqlite:{site.root}/state.db"), "shop", SystemClock(), "alice")
    journal.append(Kind.STANDING, {"checksum": "1" * 64, "expires_seconds": 60.0})
    (site.root / "runner-key").rename(site.root / "no-key")
    told: list[Any] = []
    said = tick(6.0, by="function", say=told.append)
    assert said["anchors_owed"] == 1
    assert next(line["said"] for line in told if line["event"] == "anchors").startswith("Not anchored in file:")
    assert anchors(site) == []

    (site.root / "no-key").rename(site.root / "runner-key")
    told.clear()
    said = tick(6.0, by="function", say=told.append)
    assert (said["anchors_owed"], [line for line in told if line["event"] == "anchors"]) == (0, [])
    assert [(anchor.seq, anchor.why) for anchor in anchors(site)] == [(1, "standing plan 11111111")]
    assert said["head"].split()[:1] == ["shop"]
    assert site.cli("audit", "verify", "--head", said["head"]).returncode == 0
