"""Heartbeats: a row that an outside observer writes each second, by which loss is measured."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType

from cloudfail.clock import Clock, SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.ports import Database


class Heartbeats:
    """Writes a heartbeat into each database every second, in the region believed primary, and remembers the newest that
    was acknowledged: what loss is measured from (design.md §5).

    Each (database, region) has a thread of its own, so a beat that hangs in a lost region holds up neither another
    database, nor the first beat in the new primary, nor stop().
    """

    def __init__(
        self, databases: Mapping[str, Database], primary: str, *, every_seconds: float = 1.0, clock: Clock | None = None
    ) -> None:
        self._databases = dict(databases)
        self._every_seconds = every_seconds
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._primary = primary
        self._threads: dict[tuple[str, str], threading.Thread] = {}
        self._acknowledged: dict[tuple[str, str], Known[float]] = {}
        self._trouble: dict[tuple[str, str], Unknown] = {}
        self._stopping = threading.Event()

    def start(self) -> Heartbeats:
        self.believe(self._primary)
        return self

    def believe(self, primary: str) -> None:
        """From now on beat there, and nowhere else."""
        with self._lock:
            self._primary = primary
            if self._stopping.is_set():
                return
            for name, database in self._databases.items():
                thread = self._threads.get((name, primary))
                if thread is None or not thread.is_alive():
                    thread = threading.Thread(
                        target=self._beat,
                        args=(name, database, primary),
                        name=f"heartbeat {name} {primary}",
                        daemon=True,
                    )
                    self._threads[name, primary] = thread
                    thread.start()

    def acknowledged(self, database: str, region: str) -> Known[float] | Unknown:
        """The time of the newest heartbeat that was acknowledged there; or why there is none."""
        with self._lock:
            known = self._acknowledged.get((database, region))
            return known or self._trouble.get((database, region)) or Unknown("no heartbeat was acknowledged there yet")

    def stop(self) -> None:
        """Beat no more. A beat that hangs is left to itself (its thread is a daemon)."""
        self._stopping.set()
        until = self._clock.boot() + 0.5
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(max(0.0, until - self._clock.boot()))

    def __enter__(self) -> Heartbeats:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _beat(self, name: str, database: Database, region: str) -> None:
        key = (name, region)
        due = self._clock.boot()
        while True:
            with self._lock:
                if self._stopping.is_set() or self._primary != region:
                    if self._threads.get(key) is threading.current_thread():
                        del self._threads[key]
                    return
            try:
                given = database.beat(region)
            except Exception as error:  # noqa: BLE001  whatever a provider raises, the next beat must still be made
                given = Unknown(f"{type(error).__name__}: {error}")
            with self._lock:
                before = self._acknowledged.get(key)
                if isinstance(given, Unknown):
                    self._trouble[key] = given
                elif before is None or given.value > before.value:
                    self._acknowledged[key] = given
            now = self._clock.boot()
            due = max(due + self._every_seconds, now)
            self._stopping.wait(due - now)
