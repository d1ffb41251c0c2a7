"""Anchors in Cloud Storage, on fake-gcs-server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.anchored import anchored_and_proven


def test_anchors_in_a_bucket_prove_the_log(gcs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anchored_and_proven(tmp_path, gcs, monkeypatch)
