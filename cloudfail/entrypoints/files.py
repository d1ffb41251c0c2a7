"""Which files a runner goes by: a signed bundle where it was told who may sign, else the files on its disk.

CLOUDFAIL_SIGNERS makes the signature a condition for everybody on that runner. It is set where the runner is set up,
not where the files come from, so that whoever can change the files cannot also do without the signature.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cloudfail.errors import Refused

if TYPE_CHECKING:
    from cloudfail.app import App

BUNDLE = "CLOUDFAIL_BUNDLE"
SIGNERS = "CLOUDFAIL_SIGNERS"


def open_application(config: Path, runbooks: list[Path], by: str, environment: Mapping[str, str] = os.environ) -> App:
    """The application of the bundle, or of those files. Raises ConfigError, Refused, StoreUnavailable."""
    from cloudfail.app import App

    bundle, signers = environment.get(BUNDLE, ""), environment.get(SIGNERS, "")
    if not bundle and not signers:
        return App.open(config, runbooks, by)
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
    from cloudfail.stores import open_store

    files = opened(Path(bundle), Path(signers), SystemClock().wall())
    loaded = files.load()
    app = App(loaded, open_store(loaded.topology.state), by)
    if files.refuse_if_older(app.log().samples):
        app.remember(files.sample)
    return app
