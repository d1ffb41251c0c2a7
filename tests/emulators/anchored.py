"""One exercise of anchors for every kind of place: made, found again, proven; and somebody who writes the log anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cloudfail.anchor_places import audited, label_of
from cloudfail.app import App
from cloudfail.audit import Verdict
from cloudfail.journal import Journal
from cloudfail.model.anchor import log_of, split
from cloudfail.model.journal import Kind
from cloudfail.signing import public_line
from cloudfail.stores import open_store

_FILE = """
application: shop
objectives: {{rto: 60m, rpo: 30s}}
regions: {{east: {{provider: local}}, west: {{provider: local}}}}
primary: east
state: sqlite:{folder}/state.db
audit: {{anchors: ["{place}"], key: env:CLOUDFAIL_TEST_ANCHOR_KEY, signers: allowed_signers}}
"""


def opened(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> App:
    """An application whose log is in SQLite, with its anchors in `place`."""
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    monkeypatch.setenv("CLOUDFAIL_TEST_ANCHOR_KEY", private.decode())
    (folder / "allowed_signers").write_text(f"runner {public_line(private.decode())}\n")
    (folder / "cloudfail.yaml").write_text(_FILE.format(folder=folder, place=place))
    return App.open(folder / "cloudfail.yaml", [], "runner-1")


def standing(app: App, checksum: str) -> None:
    """Somebody, elsewhere, signs a plan for automation: an entry that is to be anchored."""
    journal = Journal(app.store, "shop", app.clock, "alice")
    journal.refresh()
    journal.append(Kind.STANDING, {"checksum": checksum, "expires_seconds": 60.0})


def verdict_of(app: App, bodies: list[bytes] | None = None) -> Verdict:
    found = [stored.body for stored in app.store.read("shop", 0)] if bodies is None else bodies
    return audited(app.loaded, list(enumerate(found, start=1)))


def anchored_and_proven(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> App:
    """Returns the application, whose entries 1 and 2 are anchored by two processes."""
    app = opened(folder, place, monkeypatch)
    standing(app, "1" * 64)
    app.make_anchors()
    assert app.settle_anchors(30.0) == ()
    other = App.open(folder / "cloudfail.yaml", [], "runner-2")
    other.make_anchors()
    standing(other, "2" * 64)
    other.log()
    assert other.settle_anchors(30.0) == ()

    stored = open_store(place).read(log_of("shop"), 0)
    anchors = [split(one.body)[0] for one in stored]
    assert [(anchor.seq, anchor.by) for anchor in anchors] == [(1, "runner-1"), (3, "runner-2")]
    verdict = verdict_of(app)
    assert (verdict.state, verdict.proof.proven, verdict.problems) == ("proven", 3, ())
    assert verdict.proof.places == {label_of(place): 3}

    truncated = [one.body for one in app.store.read("shop", 0)][:2]
    assert "The log was truncated: it ends with entry 2" in verdict_of(app, truncated).problems[0]
    document = json.loads(truncated[0])
    document["by"] = "mallory"
    anew = [json.dumps(document, sort_keys=True, separators=(",", ":")).encode()]
    assert "The log was rewritten: entry 1" in verdict_of(app, anew).problems[0]
    return app
