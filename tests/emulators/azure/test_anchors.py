"""Anchors in Blob Storage, on Azurite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.anchored import anchored_and_proven


def test_anchors_in_a_container_prove_the_log(azblob: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anchored_and_proven(tmp_path, azblob, monkeypatch)
