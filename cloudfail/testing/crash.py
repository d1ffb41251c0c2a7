"""A process that dies at a chosen boundary: before or after any append, before or after any effect.

`Crash` is a BaseException, so that no `except Exception` of the code under test can keep the process alive.
"""

from __future__ import annotations

from collections.abc import Callable

from cloudfail.ports import Store, StoredEntry


class Crash(BaseException):
    """The process is gone."""


class Boundaries:
    """Counts boundaries and dies at the `die_at`-th (1-based; 0: never). `names` says which boundary each was."""

    def __init__(self, die_at: int = 0, die: Callable[[], None] | None = None) -> None:
        self.die_at = die_at
        self.names: list[str] = []
        self._die = die

    def reached(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.die_at:
            if self._die is not None:
                self._die()
            raise Crash(name)


class CrashingStore:
    """A store whose caller may die just before, or just after, each append."""

    def __init__(self, store: Store, boundaries: Boundaries) -> None:
        self.store = store
        self.boundaries = boundaries

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.boundaries.reached(f"before append {seq}")
        done = self.store.append(log, seq, body)
        self.boundaries.reached(f"after append {seq}")
        return done
