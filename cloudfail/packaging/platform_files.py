"""The few files that a platform looks for at the root of an archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudfail.packaging.archive import Files
    from cloudfail.packaging.lock import Lock

# Where the process stands is the platform's choice, and only Lambda's is documented: a name is one in the
# archive, also where it was set from outside.
_CONFIG = """\
import os
from pathlib import Path

_here = Path(__file__).resolve().parent
_said = os.environ.get("CLOUDFAIL_CONFIG") or "cloudfail.yaml"
os.environ["CLOUDFAIL_CONFIG"] = str(_here / _said)

from cloudfail.entrypoints.files import from_archive  # noqa: E402

from_archive(_here)
"""
_MAIN = f"""\
{_CONFIG}
from cloudfail.entrypoints.gcp_function import approve_http, tick_event, tick_http  # noqa: E402

__all__ = ["approve_http", "tick_event", "tick_http"]
"""
_FUNCTION_APP = f"""\
{_CONFIG}
from cloudfail.entrypoints.azure_function import chosen_app  # noqa: E402

app = chosen_app()
"""
# Timers and HTTP are the host's own: no bundle of extensions is fetched. A minute is what the door counts with, unless
# CLOUDFAIL_LIMIT_SECONDS says otherwise.
_HOST = {"version": "2.0", "functionTimeout": "00:01:00"}


def files(cloud: str, built_there: Lock) -> Files:
    """For that cloud. `built_there`: what the platform's own build installs beside the archive."""
    match cloud:
        case "gcp":
            return {"main.py": _MAIN.encode(), "requirements.txt": built_there.text().encode()}
        case "azure":
            return {
                "function_app.py": _FUNCTION_APP.encode(),
                "host.json": (json.dumps(_HOST, indent=2) + "\n").encode(),
            }
    return {}
