"""database: spanner. A Spanner database in several regions: applications of each write to it, by design.

One database, whose replicas vote on each write (many_writers.py says what follows). Where a region is lost the others
elect leaders by themselves. What serves in a region is its read-write replicas (spanner_rows.py).

What can be lost is decided by the instance's configuration. Where those outside of a region hold a majority of the
votes, nothing that was acknowledged is lost with it, and writes go on. Where they do not (a dual-region configuration:
half), a write stops until somebody changes the quorum by hand (`databases.changequorum`). That is not done here: it
decides which side goes on, as a promotion would, and nothing here proves that the other one has stopped.

The default leader (`ALTER DATABASE ... SET OPTIONS (default_leader = ...)`) is no lever here either. It says where
leaders stand while all is well, and so how far a write travels; a lost region's leaders move without it, and go back to
it "in most cases" by themselves (Spanner, "Regional, dual-region, and multi-region configurations", "Region types").
Ordering a change of schema while a region is lost would win nothing that a user sees.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound
from cloudfail.model.topology import Resource, Topology
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.many_writers import ManyWriters
from cloudfail_gcp.database.spanner_options import SpannerMember, SpannerOptions
from cloudfail_gcp.database.spanner_rows import API, Rows

VOTES = ("READ_WRITE", "WITNESS")
"""Types of replicas that vote (Spanner, "Replication", "Replica types")."""


class Spanner(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`)."""

    what = "a Spanner database"

    def __init__(self, asking: Asking) -> None:
        resource = asking.resource
        self.options = SpannerOptions.model_validate(dict(resource.options))
        members = {region: SpannerMember.model_validate(member) for region, member in resource.members.items()}
        self._places = {region: member.location for region, member in members.items()}
        if len(set(self._places.values())) < len(self._places):
            raise Permanent(
                f"Two regions of {resource.name} have one location.", "Nothing was asked.", "Name one for each region."
            )
        path, table, seconds = self.options.path, self.options.table, float(self.options.answer_within)
        super().__init__(asking, self._places, Rows(asking, path, table, self._places, seconds=seconds))

    def _lost_with(self, source: str) -> LossBound:
        """Nothing, where a write needs others to be."""
        outside, least = self._votes(self._replicas(), source)
        if outside >= least:
            told = f"{outside} of the replicas that vote stand outside of {source}, and a write needs {least}"
            return LossBound(0.0, 0.0, (told,))
        told = f"outside of {source} stand {outside} of the replicas that vote, and a write needs {least}"
        return LossBound(None, None, (told, "the rest stops, and what it holds is not known"))

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What of the instance's configuration would not carry the loss of one of the regions."""
        at = time.time()
        try:
            replicas = self._replicas()
        except CloudfailError as error:
            return Unknown(str(error), at)
        found = []
        for region, place in self._places.items():
            if not any(one.get("location") == place and one.get("type") == "READ_WRITE" for one in replicas):
                found.append(f"{self.options.path} has no read-write replica in {place}, which is to serve {region}")
            outside, least = self._votes(replicas, region)
            if outside < least:
                found.append(
                    f"without {place} {self.options.path} takes no writes: {outside} replicas that vote are left, and "
                    f"a write needs {least}"
                )
        return Known(tuple(found), at)

    def _votes(self, replicas: list[Mapping[str, Any]], source: str) -> tuple[int, int]:
        """(how many vote outside of that region, how many a write needs)."""
        voting = [str(one.get("location")) for one in replicas if one.get("type") in VOTES]
        return sum(place != self._places[source] for place in voting), len(voting) // 2 + 1

    def _replicas(self) -> list[Mapping[str, Any]]:
        """Those of the instance's configuration. Raises Transient for an answer without any."""
        until = self._asking.deadline(float(self.options.api_within))
        instance = self._asked(self.options.path.partition("/databases/")[0], until)
        found = list(self._asked(str(instance.get("config", "")), until).get("replicas") or ())
        if not any(one.get("type") in VOTES for one in found):
            raise Transient(f"Spanner answers, and tells no replicas of {instance.get('config')}.")
        return found

    def _asked(self, path: str, until: float) -> dict[str, Any]:
        return self._asking.read(API, "global", f"v1/{path}", within=self._asking.left_until(until))


def build(resource: Resource, topology: Topology) -> Spanner:
    """Kind.build."""
    return Spanner(Asking.of(resource, topology))
