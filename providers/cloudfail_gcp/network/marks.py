"""What a run leaves in a description, beside what stands there: whose change it was, and under which epoch.

One mark for each application, since a router may serve several, and their epochs have nothing to do with each other.
"""

from __future__ import annotations

import re

from cloudfail_gcp.compute.marks import run_word

_MARK = re.compile(r"\s*\[cloudfail app=(?P<app>\S+) epoch=(?P<epoch>\d+)(?: run=\S+)?\]")


def epoch_in(description: str, application: str) -> int | None:
    """What nobody of ours can have written counts as text."""
    return max((int(one["epoch"]) for one in _MARK.finditer(description) if one["app"] == application), default=None)


def marked(description: str, application: str, epoch: int, run: str) -> str:
    """The description with that application's mark, and all else as it was."""

    def kept(found: re.Match[str]) -> str:
        return "" if found["app"] == application else found[0]

    text = _MARK.sub(kept, description)
    mark = f"[cloudfail app={application} epoch={epoch} run={run_word(run)}]"
    return f"{text} {mark}" if text else mark
