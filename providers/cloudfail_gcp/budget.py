"""How many requests a project may still make of Google's APIs, so that a run is not throttled half-way.

Google counts by project, API and region, apart for reads and for changes. Figures: Compute Engine, "API rate quotas":
1,500 reads and 375 changes a minute for the global and for each region's resources; Cloud DNS, "Quotas and limits": 600
a minute; Cloud SQL Admin: 500 reads and 180 changes a minute. What is in no list is bounded all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.budget import Buckets, Cost, Rate
from cloudfail.clock import Clock

OTHER = Rate(20, 5)
RATES: Mapping[tuple[str, bool], Rate] = {
    ("compute", False): Rate(250, 25),
    ("compute", True): Rate(60, 6.25),
    ("dns", False): Rate(50, 10),
    ("dns", True): Rate(50, 10),
    ("sqladmin", False): Rate(50, 8),
    ("sqladmin", True): Rate(20, 3),
    # What is asked of rows and documents is bounded by what the database can do, and by no figure of Google's.
    ("spanner", False): Rate(100, 50),
    ("firestore", False): Rate(100, 50),
}
"""By API, and whether it changes something."""


class Budget:
    """Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._buckets = Buckets(clock)

    def reserve(self, project: str, region: str, api: str, *, changes: bool) -> float:
        """Seconds to wait before the request may be sent; at 0.0 its token is taken."""
        return self._buckets.take([_cost(project, region, api, changes)], changes=changes)

    def penalise(self, project: str, region: str, api: str, *, changes: bool) -> None:
        """Google said that it was too much: somebody else draws on the same project."""
        self._buckets.empty([_cost(project, region, api, changes)])


def _cost(project: str, region: str, api: str, changes: bool) -> Cost:
    return Cost((project, region, api, changes), RATES.get((api, changes), OTHER))
