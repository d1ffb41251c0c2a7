"""One archive for one cloud: cloudfail, the libraries that it needs there, and one application's files.

    packaged = package(target_of("aws"), Path("function.zip"), Path("cloudfail.yaml"), [Path("runbooks/evacuate.yaml")])

The same inputs give the same bytes, on any machine with the same zlib: what the archive holds is decided by a lock,
which is written beside it and can be given back; nothing in it has a time, a path or an order of this machine's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudfail.packaging import archive, bill, chosen, own, platform_files
from cloudfail.packaging.chosen import Signed
from cloudfail.packaging.lock import Lock, read_lock
from cloudfail.packaging.resolving import Resolver
from cloudfail.packaging.targets import Target, target_of

__all__ = ["Packaged", "Signed", "Target", "package", "target_of"]


@dataclass(frozen=True)
class Packaged:
    """What was written. Sizes in bytes; `digest`: SHA-256 of the archive."""

    target: Target
    file: Path
    lock: Path
    bill: Path
    size: int
    unzipped: int
    digest: str


def package(
    target: Target,
    output: Path,
    config: Path,
    runbooks: Sequence[Path],
    *,
    wheelhouse: Path | None = None,
    requirements: Path | None = None,
    signed: Signed | None = None,
) -> Packaged:
    """Write the archive, its lock and its bill of materials, or nothing. Raises ConfigError, Refused.

    `wheelhouse`: a directory of wheels; no index is asked. `requirements`: a lock from an earlier build; without one
    the newest versions that fit are taken. `signed`: a bundle, instead of `config` and `runbooks`."""
    archive.check_writable(output)
    needs = chosen.needs_of(config, runbooks, target) if signed is None else chosen.needs_of_bundle(signed, target)
    given = read_lock(requirements) if requirements is not None else None
    with tempfile.TemporaryDirectory(prefix="cloudfail-package-") as directory:
        resolver = Resolver(target, Path(directory), wheelhouse)
        lines = [*own.requirements(needs.extras), *needs.others, *target.cloud.bundled]
        lock = resolver.resolve([*lines, *target.cloud.built_there], given)
        bundled, there = lock, Lock({})
        if target.cloud.built_there:
            bundled = resolver.resolve(lines, lock)
            there = resolver.resolve(target.cloud.built_there, lock)
        libraries = resolver.install(bundled)
        files = archive.below(target.cloud.libraries, {**archive.tree(libraries), **own.files()})
        files |= platform_files.files(target.cloud.name, there)
        files |= needs.files
        built = archive.build(files)
        archive.check_size(target, built)
    written = bill.bill_of(output.name, target, built)
    lock_file, bill_file = beside(output, ".requirements.txt"), beside(output, ".cdx.json")
    archive.write({output: built.data, lock_file: lock.text().encode(), bill_file: written.encode()})
    return Packaged(target, output, lock_file, bill_file, len(built.data), built.unzipped, built.digest)


def beside(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)
