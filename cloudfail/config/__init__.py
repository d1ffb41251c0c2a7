"""The files that people write → the model. Every mistake of every file at once, each with its place and its cure.

    loaded = config.load("cloudfail.yaml", ["runbooks/evacuate.yaml"])

Importing this package is cheap: YAML and pydantic are imported by `load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cloudfail.config.document import Document, Place
from cloudfail.config.loaded import Loaded
from cloudfail.config.mistakes import Mistake

if TYPE_CHECKING:
    from cloudfail.ports import Provider

__all__ = ["Document", "Loaded", "Mistake", "Place", "load"]


def load(
    topology_path: str | Path,
    runbook_paths: Iterable[str | Path] = (),
    providers: Mapping[str, Provider] | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> Loaded:
    """Read, check and translate. Raises ConfigError with every mistake in `mistakes`, and never anything else.

    `providers` is by name; without it the ones that the topology names are found through their entry points. What is
    loaded is well-formed, not yet wise: `cloudfail.lint` says whether the order of a runbook is safe. `contents`: what
    each path holds, where the files are not on disk (a bundle); then no file is opened.
    """
    from cloudfail.config.loading import load as load_files

    return load_files(Path(topology_path), [Path(path) for path in runbook_paths], providers, contents)
