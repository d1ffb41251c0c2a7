"""A directory of files, one for each entry: `file:DIR`. Made for anchors on a medium that is written once (a WORM
share, an append-only mount, a disk that another account owns); the state itself is better kept in SQLite.

Why an entry is never written twice: its name comes into being by a hard link, which fails where the name is taken, and
the whole entry stands behind it from the first moment. Where a medium knows no links, the file is created exclusively,
and a crash may leave a part of an entry; anchors are read with that in mind.

Why there is never a gap: entry n is written only after n - 1 was seen to stand, and nobody deletes entries.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cloudfail.errors import StoreUnavailable
from cloudfail.ports import StoredEntry
from cloudfail.stores.object_names import name_of, number_of, quoted


class FileStore:
    """Fulfils `ports.Store`. `at` is when the file came into being, by the clock of whoever keeps the directory."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def read(self, log: str, after: int) -> list[StoredEntry]:
        folder = self._folder(log)
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unavailable(error) from error
        found = []
        numbers = sorted(number for name in names if (number := number_of(name, "")) is not None and number > after)
        for expected, number in enumerate(numbers, start=max(0, after) + 1):
            if number != expected:
                raise StoreUnavailable(
                    f"Entry {expected} of the log {log!r} is not in {self.path}, and a later one is.",
                    "Nothing was changed.",
                    f"Find out who deleted it, and whether it can be brought back: ls -l {folder}",
                )
            try:
                file = self._file(log, number)
                found.append(StoredEntry(number, file.read_bytes(), file.stat().st_mtime))
            except OSError as error:
                raise self._unavailable(error) from error
        return found

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1 or (seq > 1 and not self._file(log, seq - 1).exists()):
            return False
        try:
            folder = self._folder(log)
            folder.mkdir(parents=True, exist_ok=True)
            written = self._create(folder, self._file(log, seq), body)
            _synced(folder)
        except OSError as error:
            raise self._unavailable(error) from error
        return written

    def _create(self, folder: Path, file: Path, body: bytes) -> bool:
        draft = folder / f".{secrets.token_hex(8)}"
        try:
            _write(draft, body)
            self._link(draft, file)
            return True
        except FileExistsError:
            return False
        except OSError:
            try:
                _write(file, body)
                return True
            except FileExistsError:
                return False
        finally:
            draft.unlink(missing_ok=True)

    def _link(self, draft: Path, file: Path) -> None:
        os.link(draft, file)

    def _folder(self, log: str) -> Path:
        return self.path / quoted(log)

    def _file(self, log: str, seq: int) -> Path:
        return self.path / name_of("", log, seq)

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"The directory {self.path} cannot be used ({error}).",
            "Nothing was changed.",
            f"See whether it is mounted, and who may write to it: ls -ld {self.path}",
        )


def _write(file: Path, body: bytes) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as out:
        out.write(body)
        out.flush()
        os.fsync(out.fileno())


def _synced(folder: Path) -> None:
    """The name itself survives a power cut."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
