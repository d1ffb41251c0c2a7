"""What all kinds of this port share on Google Cloud: how Compute Engine is asked, and in which order.

Each order has a request id of its own (under_way.py).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.under_way import anew, taken
from cloudfail_paths.options import Reach
from cloudfail_paths.path import Path as SharedPath
from cloudfail_paths.path import Points


@dataclass(frozen=True)
class Seen:
    """As Google describes it. `raw`: what a change needs of it."""

    points: Points
    version: str
    epoch: int | None
    moving: str = ""
    obstacle: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


class Path(SharedPath[Seen], ABC):
    """ports.Network over one kind of Google's. where: whose roles and quota the requests are for, a region or
    "global"."""

    cloud = "Google"

    def __init__(
        self, asking: Asking, where: str, reaches: Mapping[str, Reach | None], *, answer_within: float
    ) -> None:
        super().__init__(asking.resource.name, reaches, answer_within=answer_within)
        self._asking = asking
        self._where = where

    def rank(self, part: str, regions: tuple[str, ...], seen: Seen) -> int:
        """What gains traffic, in every part, before what loses it."""
        return 0 if set(regions) - set(seen.points[part]) else 1

    def order(
        self,
        method: str,
        path: str,
        time_left: TimeLeft,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """One request that changes something."""
        reply = self._asking.change(
            "compute",
            self._where,
            method,
            path,
            call=anew(time_left.rest()),
            query=query,
            body=body,
            request_id="requestId",
        )
        taken(reply, f"{method} {path}")
