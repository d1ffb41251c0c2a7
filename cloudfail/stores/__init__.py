"""Where the application log is kept. `open_store` turns the `state:` line of cloudfail.yaml into a store."""

from __future__ import annotations

from cloudfail.errors import Refused
from cloudfail.ports import Store


def open_store(url: str) -> Store:
    """The store that `url` names. Raises Refused with what to write instead."""
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        from cloudfail.stores.sqlite import SQLiteStore

        return SQLiteStore(rest.removeprefix("//"))
    if scheme == "memory":
        from cloudfail.stores.memory import MemoryStore

        return MemoryStore()
    raise Refused(
        f"This version has no store for {url!r}.",
        "Nothing was read or changed.",
        "Write `state: sqlite:PATH` with a path outside of every region that may be evacuated.",
    )
