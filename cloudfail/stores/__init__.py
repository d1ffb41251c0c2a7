"""Where the application log is kept. The `state:` line of cloudfail.yaml names a store by its URL's scheme.

SQLite, files, memory and PostgreSQL are ours; a cloud's own store lives with its provider and is found by its entry
point, so that nothing is imported that is neither named nor allowed (registry.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from cloudfail.errors import Refused
from cloudfail.ports import Store, StoreKind, StorePlace
from cloudfail.registry import advice, chosen

GROUP = "cloudfail.stores"
# Which extra of ours brings the vendor's library for a scheme.
EXTRA_OF: Mapping[str, str] = {
    "postgresql": "postgres",
    "dynamodb": "aws",
    "s3": "aws",
    "gs": "gcp",
    "azblob": "azure",
}


class _SQLite:
    def place(self, url: str) -> StorePlace:
        return StorePlace("", None)

    def open(self, url: str) -> Store:
        from cloudfail.stores.sqlite import SQLiteStore

        return SQLiteStore(url.partition(":")[2].removeprefix("//"))


class _Files:
    def place(self, url: str) -> StorePlace:
        if not self._path(url):
            raise Refused(f"{url!r} names no directory.", "Nothing was read or changed.", "Write file:/srv/anchors.")
        return StorePlace("", None)

    def open(self, url: str) -> Store:
        from cloudfail.stores.files import FileStore

        self.place(url)
        return FileStore(self._path(url))

    @staticmethod
    def _path(url: str) -> str:
        return url.partition(":")[2].removeprefix("//")


class _Memory:
    def place(self, url: str) -> StorePlace:
        return StorePlace("", None)

    def open(self, url: str) -> Store:
        from cloudfail.stores.memory import MemoryStore

        return MemoryStore()


def _own(scheme: str) -> StoreKind | None:
    match scheme:
        case "sqlite":
            return _SQLite()
        case "memory":
            return _Memory()
        case "file":
            return _Files()
        case "postgresql" | "postgres":
            from cloudfail.stores.postgres import PostgresStoreKind

            return PostgresStoreKind()
    return None


def store_kind(url: str) -> StoreKind:
    """What knows that scheme. Raises Refused with what to write, or to install, instead."""
    scheme = url.partition(":")[0]
    own = _own(scheme)
    if own is not None:
        return own
    found = chosen(scheme, GROUP)
    if found is None:
        raise Refused(
            f"There is no store for {scheme}: here.",
            "Nothing was read or changed.",
            advice(EXTRA_OF[scheme], ())
            if scheme in EXTRA_OF
            else "Write `state: sqlite:PATH`, or one of docs/state.md.",
        )
    return cast(StoreKind, found.load()())


def open_store(url: str) -> Store:
    """The store that `url` names. Raises Refused with what to write or install instead, StoreUnavailable."""
    try:
        return store_kind(url).open(url)
    except ImportError as error:
        scheme = url.partition(":")[0]
        raise Refused(
            f"The store {scheme} cannot be imported: {error}.",
            "Nothing was read or changed.",
            f"Install it with: pip install 'cloudfail[{EXTRA_OF.get(scheme, scheme)}]'",
        ) from error
