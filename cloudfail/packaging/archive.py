"""Files by name → the bytes of an archive: the same for the same files. And writing them, all or none."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cloudfail.errors import Refused
from cloudfail.packaging.targets import Target

Files = dict[str, bytes]
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first time that the format has."""
_MODE = 0o100644 << 16
"""Everybody may read: Lambda runs a function as another user than the one who unpacked it."""
_LEVEL = 6
# What an installer leaves behind, which says how and when and not what; and what only a terminal runs.
_INSTALLERS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


@dataclass(frozen=True)
class Built:
    """An archive. `unzipped`: bytes. `digest`: SHA-256 of `data`."""

    files: Files
    data: bytes
    unzipped: int
    digest: str


def kept(name: str) -> bool:
    """Whether a file of an installation belongs into an archive."""
    path = PurePosixPath(name)
    if "__pycache__" in path.parts or path.name == ".lock" or path.suffix == ".pyc":
        return False
    if path.parts[0] == "bin":
        return False
    return not (path.parent.name.endswith(".dist-info") and path.name in _INSTALLERS)


def tree(root: Path) -> Files:
    """The files of an installation that belong into an archive."""
    found = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_file() and kept(name):
            found[name] = path.read_bytes()
    return found


def below(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": data for name, data in files.items()} if folder else files


def build(files: Files) -> Built:
    """Names in order, one time, one mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name], compresslevel=_LEVEL)
    data = buffer.getvalue()
    return Built(files, data, sum(len(one) for one in files.values()), hashlib.sha256(data).hexdigest())


def check_size(target: Target, built: Built) -> None:
    """Raises Refused for what the service would not take."""
    most = target.cloud.unzipped_max
    if most is None or built.unzipped <= most:
        return
    folders: dict[str, int] = {}
    for name, data in built.files.items():
        top = name.partition("/")[0]
        folders[top] = folders.get(top, 0) + len(data)
    largest = sorted(folders, key=lambda top: -folders[top])[:3]
    raise Refused(
        f"The archive would unzip to {_mib(built.unzipped)}; {target.cloud.name} takes {_mib(most)} at most.",
        "Nothing was written.",
        "Leave out what is not needed here. The largest are: "
        + ", ".join(f"{top} {_mib(folders[top])}" for top in largest)
        + ".",
    )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def check_writable(output: Path) -> None:
    """Raises Refused before anything is fetched for nothing."""
    folder = output.parent
    if output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "it is a directory" if output.is_dir() else f"{folder} is no directory that can be written into"
        raise Refused(f"{output} cannot be written: {why}.", "Nothing was written.", "Name another file: --output FILE")


def write(files: Mapping[Path, bytes]) -> None:
    """Each file whole, in the place of one that was there; none before all could be written. Raises Refused."""
    ready: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            ready[path] = Path(name)
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
            ready[path].chmod(0o644)
        for path, made in ready.items():
            made.replace(path)
    except OSError as error:
        raise Refused(
            f"{error.filename or next(iter(files))} cannot be written: {error.strerror or error}.",
            "What stands there may be of an earlier build.",
            "Name another file: --output FILE",
        ) from error
    finally:
        for made in ready.values():
            with contextlib.suppress(OSError):
                made.unlink(missing_ok=True)
