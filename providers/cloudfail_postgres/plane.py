"""The data plane of a database whose servers are managed by somebody: all that is asked and written over SQL.

What an API says of a role is a claim. What is said here was seen: `takes_writes` is a write that was let in, over an
application's own login.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cloudfail.errors import Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_postgres.endpoint import Endpoint
from cloudfail_postgres.heartbeat import LagSample, beat, loss_bound, newest, read_canary, write_canary, write_mark
from cloudfail_postgres.logins import give_back
from cloudfail_postgres.managed import Sight, look
from cloudfail_postgres.session import SessionError, Unreachable, mutation_error
from cloudfail_postgres.write_proof import Tried, try_now


@dataclass(frozen=True)
class Seen:
    """One look at one member over SQL. refusal: why a write was not let in; "" where it was, and on a replica, where
    none was tried."""

    sight: Sight
    takes_writes: bool
    refusal: str = ""


class Plane:
    """Of one database. `silent`: region -> why nothing can be asked there (no `dsn`, or a secret that is not there)."""

    def __init__(self, endpoints: Mapping[str, Endpoint], silent: Mapping[str, str], *, stale_seconds: float) -> None:
        self._endpoints = endpoints
        self._silent = silent
        self._stale_seconds = stale_seconds
        self._samples: dict[str, LagSample] = {}
        self._served: dict[str, float] = {}
        self._lock = threading.Lock()

    def endpoint(self, region: str) -> Endpoint:
        """Raises Unreachable, one of the session's errors, where there is none."""
        if region not in self._endpoints:
            raise Unreachable(self._silent.get(region, f"this database has no member in {region}"))
        return self._endpoints[region]

    def has(self, region: str) -> bool:
        """Whether there is a way to ask over SQL."""
        return region in self._endpoints

    def close(self) -> None:
        """End every session."""
        for endpoint in self._endpoints.values():
            endpoint.close()

    def look(self, region: str) -> Seen:
        """Ask the member itself, and where it is no replica, try a write. Raises the session's errors."""
        endpoint = self.endpoint(region)
        sight = look(endpoint.look)
        if sight.recovery:
            with self._lock:
                self._samples[region] = LagSample(sight.lag_seconds, False, time.monotonic(), None)
            return Seen(sight, False)
        tried = try_now(endpoint)
        if tried.tried is not Tried.LET_IN:
            return Seen(sight, False, tried.words)
        with self._lock:
            self._served[region] = time.monotonic()
        self._hold(endpoint)
        return Seen(sight, not sight.read_only, "read-only is the default" if sight.read_only else "")

    def reported(self, region: str, lag_seconds: float, age_seconds: float, *, by: str, stale_seconds: float) -> None:
        """What somebody else says of a replica's lag, so long ago, where the look that was just made had no word of it.
        In a bound it counts with its age, and no longer than `stale_seconds`."""
        sampled = time.monotonic() - age_seconds
        with self._lock:
            before = self._samples.get(region)
            if before is None or before.lag_seconds is None:
                self._samples[region] = LagSample(lag_seconds, False, sampled, None, by, stale_seconds)

    def _hold(self, endpoint: Endpoint) -> None:
        """Keep one connection that was opened before any fence, to show later what becomes of such."""
        if not endpoint.held.is_open:
            try:
                endpoint.held.open()
            except SessionError:
                return  # the next look tries again

    def beat(self, region: str) -> Known[float] | Unknown:
        """ports.Database.beat."""
        try:
            endpoint = self.endpoint(region)
        except SessionError as error:
            return Unknown(str(error), time.time())
        beaten = beat(endpoint, seconds=endpoint.seconds * 2)
        if isinstance(beaten, Known):
            with self._lock:
                self._served[region] = time.monotonic()
        return beaten

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """ports.Database.loss. No managed service of these waits for its replica in another region, so that a heartbeat
        always bounds by time."""
        try:
            row = newest(self.endpoint(target), source, stale_seconds=self._stale_seconds)
        except SessionError as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        with self._lock:
            sample, served = self._samples.get(target), self._served.get(source)
        if sample is not None:
            sample = replace(sample, in_sync=False, served=served)
        return loss_bound(row, acknowledged, sample, standby="", now=time.time(), stale_seconds=self._stale_seconds)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        """ports.Database.read_canary."""
        try:
            endpoint = self.endpoint(region)
        except SessionError as error:
            return Unknown(str(error), time.time())
        return read_canary(endpoint, token)

    def write_canary(self, region: str, token: str, call: Call) -> None:
        """ports.Database.write_canary."""
        try:
            endpoint = self.endpoint(region)
        except SessionError as error:
            raise Permanent(f"No canary can be written in {region}: {error}.") from error
        write_canary(endpoint, token, call)

    def admit(self, region: str, call: Call) -> None:
        """Let clients in on the new writer: write the epoch's mark beside it, and give the logins back that a fence on
        another member took (they were replicated). Raises errors of ours."""
        try:
            endpoint = self.endpoint(region)
            sight = look(endpoint.act)
            if sight.recovery:
                raise Transient(f"{region} is in recovery still.")
            call.check()
            write_mark(endpoint, call, seconds=call.timeout_seconds)
        except SessionError as error:
            raise mutation_error(error, f"opening {region} for clients") from error
        for fence in sight.fences:
            if fence.standing and fence.region != region:
                give_back(endpoint, fence.region, fence.roles, call)
                call.log(f"{region}: logins given back that the fence on {fence.region} took: {', '.join(fence.roles)}")


GIVE_BACK = "give back the logins that the fence took"


def shut_out(seen: Seen, region: str) -> bool:
    """Whether this is a writer in which the fence of another member still shuts clients out."""
    return not seen.sight.recovery and any(one.standing and one.region != region for one in seen.sight.fences)
