"""Which files a runner goes by: a signed bundle where it was told who may sign, else the files on its disk.

CLOUDFAIL_SIGNERS makes the signature a condition for everybody on that runner. It is set where the runner is set up,
not where the files come from, so that whoever can change the files cannot also do without the signature.

`cloudfail package --bundle` puts both into a function's archive, under names of their own, where they are found unless
the function's environment says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from cloudfail.errors import Refused

if TYPE_CHECKING:
    from cloudfail.app import App
    from cloudfail.bundle import Bundle
    from cloudfail.config.loaded import Loaded

BUNDLE = "CLOUDFAIL_BUNDLE"
SIGNERS = "CLOUDFAIL_SIGNERS"


def from_archive(root: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Go by what was packed at `root`: each by itself, so that signers that were set from outside still decide."""
    from cloudfail.bundle import PACKED, PACKED_SIGNERS

    for variable, name in ((BUNDLE, PACKED), (SIGNERS, PACKED_SIGNERS)):
        if not environment.get(variable) and (root / name).is_file():
            environment[variable] = str(root / name)


def open_application(
    config: Path, runbooks: list[Path], by: str, environment: Mapping[str, str] = os.environ, state: str = ""
) -> App:
    """The application of the bundle, or of those files; on the store behind `state`, or on the one that they name.
    Raises ConfigError, Refused, StoreUnavailable."""
    from cloudfail.anchoring import anchoring_of
    from cloudfail.app import App
    from cloudfail.stores import open_store

    loaded, files = load_application(config, runbooks, environment)
    app = App(loaded, open_store(state or loaded.topology.state), by)
    app.anchoring = anchoring_of(loaded, by, app.clock)
    if files is not None and files.refuse_if_older(app.log().samples):
        app.remember(files.sample)
    return app


def load_application(
    config: Path, runbooks: list[Path], environment: Mapping[str, str] = os.environ
) -> tuple[Loaded, Bundle | None]:
    """What `open_application` opens, without a store. (So a bundle's serial is not held against a log here.)"""
    bundle, signers = environment.get(BUNDLE, ""), environment.get(SIGNERS, "")
    if not bundle and not signers:
        from cloudfail import config as plain

        return plain.load(config, runbooks), None
    if not signers:
        raise Refused(
            f"{BUNDLE} is set and {SIGNERS} is not, so nobody's signature would be asked for.",
            "Nothing was looked at.",
            f"Set {SIGNERS} to a file of allowed signers, or unset {BUNDLE}.",
        )
    if not bundle:
        raise Refused(
            f"This runner goes by signed bundles only ({SIGNERS} is set), and {config} is a plain file.",
            "Nothing was looked at.",
            f"Make a bundle (cloudfail bundle write), sign it, and set {BUNDLE} to it.",
        )
    from cloudfail.bundle import opened
    from cloudfail.clock import SystemClock

    files = opened(Path(bundle), Path(signers), SystemClock().wall())
    return files.load(), files
