"""A store in memory: for tests and simulations. It forgets with its process, so it is never a default."""

from __future__ import annotations

import threading

from cloudfail.ports import StoredEntry


class MemoryStore:
    """Fulfils `ports.Store`; safe to share between threads."""

    def __init__(self) -> None:
        self._logs: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()

    def read(self, log: str, after: int) -> list[StoredEntry]:
        with self._lock:
            bodies = self._logs.get(log, [])[after:]
        return [StoredEntry(after + index, body) for index, body in enumerate(bodies, start=1)]

    def append(self, log: str, seq: int, body: bytes) -> bool:
        with self._lock:
            bodies = self._logs.setdefault(log, [])
            if seq != len(bodies) + 1:
                return False
            bodies.append(body)
            return True
