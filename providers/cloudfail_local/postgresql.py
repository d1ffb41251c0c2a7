"""database: postgresql. One primary and streaming replicas, as ports.Database; each subject has a file of its own."""

from __future__ import annotations

import threading
import time

from cloudfail.errors import Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_local.options import PostgresMember, PostgresOptions
from cloudfail_local.postgres_fence import Fencing
from cloudfail_local.postgres_follow import Following
from cloudfail_local.postgres_promotion import Switchover, failover
from cloudfail_local.postgres_server import Server
from cloudfail_local.postgres_state import Facts, lag_seconds, look, state_of
from cloudfail_postgres.heartbeat import (
    LagSample,
    beat,
    loss_bound,
    newest,
    read_canary,
    write_canary,
)
from cloudfail_postgres.session import SessionError

UPSTREAM_SECONDS = 0.3
UPSTREAM_REST_SECONDS = 5.0


class PostgreSQL:
    """A database with a member in each region. Reads never raise; its sessions are kept open and warm, because a
    failover's budget beyond detection is about 0.2 s and a new connection costs a tenth of that."""

    def __init__(self, resource: Resource) -> None:
        self.options = PostgresOptions.model_validate(dict(resource.options))
        seconds = float(self.options.answer_within)
        members = {region: PostgresMember.model_validate(member) for region, member in resource.members.items()}
        self.servers = {region: Server(region, member, seconds=seconds) for region, member in members.items()}
        self._fencing = Fencing(self.servers, self.options)
        self._switchover = Switchover(self.servers)
        self._following = Following(self.servers, self.options)
        self._samples: dict[str, LagSample] = {}
        self._served: dict[str, float] = {}
        self._upstream_rests: dict[str, float] = {}
        self._warm_again: dict[str, float] = {}
        self._holding: set[str] = set()
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Open the sessions that a failover needs. Failing is no error: they are opened when they are used."""
        for server in self.servers.values():
            for session in (server.look, server.act, server.canary):
                try:
                    session.open()
                except SessionError:
                    break

    def close(self) -> None:
        """End every session."""
        for server in self.servers.values():
            server.close()

    def _server(self, region: str) -> Server:
        server = self.servers.get(region)
        if server is None:
            raise Permanent(f"This database has no member in {region}.")
        return server

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        server = self.servers.get(region)
        if server is None:
            return Unknown(f"this database has no member in {region}", at)
        try:
            facts = look(server.look)
        except SessionError as error:
            return Unknown(f"{region}: {error}", at)
        if not facts.recovery:
            with self._lock:
                self._served[region] = time.monotonic()
            self._hold(server, facts)
            return Known(state_of(facts, upstream=None, in_sync=False), at)
        self._keep_warm(server)
        upstream = self._upstream_of(facts)
        in_sync = upstream is not None and self._in_sync(server, self.servers[upstream])
        with self._lock:
            self._samples[region] = LagSample(lag_seconds(facts), in_sync, time.monotonic(), None)
        return Known(state_of(facts, upstream=upstream, in_sync=in_sync), at)

    def _hold(self, server: Server, facts: Facts) -> None:
        """Keep one connection that was opened before any fence, to show later what becomes of such. It is opened
        beside: the look that finds a replica promoted is on the way to the clients' first write."""
        with self._lock:
            if not facts.writable or server.held.is_open or server.region in self._holding:
                return
            self._holding.add(server.region)

        def hold() -> None:
            try:
                server.held.open()
            except SessionError:
                pass  # the next look tries again
            finally:
                with self._lock:
                    self._holding.discard(server.region)

        threading.Thread(target=hold, name=f"hold {server.region}", daemon=True).start()

    def _keep_warm(self, server: Server) -> None:
        """Open what a promotion of this replica, and the first write after it, will need."""
        if time.monotonic() < self._warm_again.get(server.region, 0.0):
            return
        try:
            for session in (server.act, server.canary):
                if not session.is_open:
                    session.open()
        except SessionError:
            self._warm_again[server.region] = time.monotonic() + UPSTREAM_REST_SECONDS

    def _upstream_of(self, facts: Facts) -> str | None:
        if facts.receiver != "streaming" or facts.sender is None:
            return None
        return next((region for region, other in self.servers.items() if facts.sender in other.addresses()), None)

    def _in_sync(self, server: Server, upstream: Server) -> bool:
        """Ask the primary; only where the replica says that it streams. One that did not answer is left alone for a
        while, so that a frozen primary does not slow each look at its standby."""
        if time.monotonic() < self._upstream_rests.get(upstream.region, 0.0):
            return False
        try:
            facts = look(upstream.look, seconds=UPSTREAM_SECONDS)
        except SessionError:
            self._upstream_rests[upstream.region] = time.monotonic() + UPSTREAM_REST_SECONDS
            return False
        with self._lock:
            self._served[upstream.region] = time.monotonic()
        return facts.standbys.get(server.name) in ("sync", "quorum")

    def beat(self, region: str) -> Known[float] | Unknown:
        server = self.servers.get(region)
        if server is None:
            return Unknown(f"this database has no member in {region}", time.time())
        beaten = beat(server, seconds=float(self.options.answer_within) * 2)
        if isinstance(beaten, Known):
            with self._lock:
                self._served[region] = time.monotonic()
        return beaten

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        new = self._server(target)
        stale = float(self.options.heartbeat_stale)
        try:
            row = newest(new, source, stale_seconds=stale)
        except SessionError as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        with self._lock:
            sample, served = self._samples.get(target), self._served.get(source)
        if sample is not None:
            sample = LagSample(sample.lag_seconds, sample.in_sync, sample.sampled, served)
        return loss_bound(row, acknowledged, sample, standby=new.name, now=time.time(), stale_seconds=stale)

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        self._server(source), self._server(target)
        return self._fencing.state(source, target)

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        self._fencing.apply(source, target, expect, call)

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        self._fencing.lift(source, expect, call)

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        self._server(source)
        failover(self._server(target), expect, call)

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._switchover.state(source, target)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        self._switchover.act(source, target, expect, call)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._following.state(region, upstream)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        self._following.act(region, upstream, expect, call)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return read_canary(self._server(region), token)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        write_canary(self._server(region), token, call)


def build(resource: Resource, topology: Topology) -> PostgreSQL:
    """Kind.build."""
    del topology
    return PostgreSQL(resource)
