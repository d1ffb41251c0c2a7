"""Providers come through entry points, and only the ones that are named."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import PROVIDERS

from cloudfail import registry
from cloudfail.errors import Refused
from cloudfail.model.topology import PortName


def test_a_provider_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "chosen", lambda _name: None)
    with pytest.raises(Refused) as raised:
        registry.provider("azure")
    assert raised.value.to_do == "Install it with: pip install 'cloudfail[azure]'"


def test_a_misspelt_provider_is_corrected() -> None:
    with pytest.raises(Refused, match=r'no provider "locl"') as raised:
        registry.provider("locl")
    assert raised.value.to_do == "Did you mean local?"


def test_what_is_not_known_at_all_lists_what_is() -> None:
    with pytest.raises(Refused) as raised:
        registry.provider("mainframe")
    assert "aws, azure, gcp, local" in raised.value.to_do


def test_a_kind_that_a_provider_does_not_serve_names_the_near_ones() -> None:
    assert registry.kind(PortName.DATABASE, "postgresql", PROVIDERS["local"]).name == "postgresql"
    with pytest.raises(Refused) as raised:
        registry.kind(PortName.DATABASE, "postgres", PROVIDERS["local"])
    assert raised.value.to_do == "did you mean postgresql?"


def test_listing_what_is_installed_imports_nothing() -> None:
    before = set(sys.modules)
    assert all(isinstance(entry, EntryPoint) for entry in registry.known().values())
    assert not {name for name in set(sys.modules) - before if name.startswith("cloudfail_")}
