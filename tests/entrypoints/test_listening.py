"""Whoever listens to an application hears of each entry, and costs the store nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail.app import App
from cloudfail.ports import Store, StoredEntry
from cloudfail.report.run import told_once
from tests.entrypoints.site import Site


class Asked:
    """A store that remembers behind which entry it was read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.after: list[int] = []

    def read(self, log: str, after: int) -> list[StoredEntry]:
        self.after.append(after)
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        return self.store.append(log, seq, body)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def opened(site: Site, by: str) -> App:
    return App.open(site.root / "cloudfail.yaml", [site.root / "runbooks" / "evacuate.yaml"], by)


def test_an_engine_goes_on_where_the_application_has_read_also_for_a_listener(site: Site) -> None:
    """Each engine read the log from its first entry if somebody listened: with every turn of a watch, from a bucket."""
    app = opened(site, "alice")
    for number in range(5):
        app.remember({"number": number})
    asked = app.store = Asked(app.store)
    app.notify = lambda _entry, _state: None
    for _ in range(3):
        app.engine().read()
    assert asked.after == [5, 5, 5]


def test_a_listener_hears_of_what_the_application_and_its_engines_come_by_and_is_told_it_once(site: Site) -> None:
    app, other = opened(site, "alice"), opened(site, "bob")
    other.pause_automation(True, "before")
    told: list[int] = []
    app.notify = told_once(lambda entry, _line: told.append(entry.seq), app.log().seq)
    engine = app.engine()
    other.pause_automation(False, "read by the engine first")
    engine.read()
    app.log()
    app.pause_automation(True, "written by the application")
    engine.read()
    other.pause_automation(False, "read by the application first")
    app.log()
    engine.read()
    assert told == [2, 3, 4]
