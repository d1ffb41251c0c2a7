"""Drafts of cloudfail's files from the plans of other tools. Today: AWS Application Recovery Controller Region switch.

    draft = region_switch(Path("plan.json"))      # values only; nothing is written and no cloud is asked
    opinion = judge(draft, "imported")            # what the loader and lint say of it

A draft is never taken for finished: what could not be carried is listed in it with the reason, an expression of a
template is kept by name and never evaluated, and the order that lint insists on is added with a comment that says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudfail.importing.draft import Draft
    from cloudfail.importing.opinion import Opinion

__all__ = ["judge", "region_switch"]


def region_switch(path: Path, resource: str | None = None) -> Draft:
    """The draft of the plan in that file. Raises ConfigError with every mistake's place, Refused, and nothing else."""
    from cloudfail.importing.draft import drafted
    from cloudfail.importing.plan import read_plan

    return drafted(read_plan(path, resource))


def judge(draft: Draft, shown_as: str) -> Opinion:
    """What the loader and lint say of a draft, with its files called as they will be below `shown_as`."""
    from cloudfail.importing.opinion import judged

    return judged(draft, shown_as)
