"""The embedded default: SQLite in WAL mode with synchronous=FULL, so an append that returned survives a power cut.

One file on one machine: right for a lab, for a single site with its own witness machine, and for a laptop that runs an
evacuation by hand. It must not stand in a region that may be evacuated; lint says so where it can see it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from cloudfail.errors import StoreUnavailable
from cloudfail.ports import StoredEntry

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  log TEXT NOT NULL, seq INTEGER NOT NULL CHECK (seq > 0), body BLOB NOT NULL, PRIMARY KEY (log, seq)
) WITHOUT ROWID
"""
# The second condition keeps the log without a gap: entry n only where n - 1 stands.
_APPEND = """
INSERT INTO entries (log, seq, body)
SELECT :log, :seq, :body
WHERE :seq = 1 + (SELECT COALESCE(MAX(seq), 0) FROM entries WHERE log = :log)
"""


class SQLiteStore:
    """Fulfils `ports.Store`. busy_seconds: how long to wait for another process's lock before StoreUnavailable."""

    def __init__(self, path: str | Path, *, busy_seconds: float = 5.0) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error

    def read(self, log: str, after: int) -> list[StoredEntry]:
        try:
            with self._lock:
                rows = self._connection.execute(
                    "SELECT seq, body FROM entries WHERE log = ? AND seq > ? ORDER BY seq", (log, after)
                ).fetchall()
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        # A body that is no BLOB was not written by us; the chain will say so.
        return [StoredEntry(seq, body if isinstance(body, bytes) else str(body).encode()) for seq, body in rows]

    def append(self, log: str, seq: int, body: bytes) -> bool:
        try:
            with self._lock:
                cursor = self._connection.execute(_APPEND, {"log": log, "seq": seq, "body": body})
                return cursor.rowcount == 1
        except sqlite3.IntegrityError:
            return False
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"The state store {self.path} does not answer ({error}).",
            "Nothing is changed while the journal cannot be written.",
            f"See whether the disk is full or the file is locked: ls -l {self.path.parent}",
        )
