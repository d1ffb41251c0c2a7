"""The data plane of a global datastore: all that is asked and written over the servers' own wire.

What an API says of a role is a claim. What is said here was seen: `takes_writes` is a write that was acknowledged to an
application's login. There is no rollback, so what is written are keys of our own, which begin with `cloudfail:`.

One server executes one command after the other, and replicates them in that order: who holds a key that was written
last holds all that was written before it. That is so within one shard, and so of datastores without cluster mode.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LossBound, WriteProof
from cloudfail.ports import Call
from cloudfail_aws.database.cache_session import Address, CacheError, Refusal, Session, Unreachable

CANARY_SECONDS = 604_800
LOOK_SECONDS = 3600


@dataclass(frozen=True)
class Sight:
    """INFO replication of one server. replica: what it calls itself. link_up: whether its upstream is there; None where
    it does not say. position: bytes of the replication stream that it made, or has taken. beats: by the region that
    wrote it, the newest heartbeat that is here."""

    replica: bool
    link_up: bool | None
    position: int
    beats: Mapping[str, float]


@dataclass(frozen=True)
class Seen:
    """One look at one member. refusal: why a write was not taken; "" where it was, and where none was tried."""

    sight: Sight
    takes_writes: bool
    refusal: str = ""

    @property
    def replica(self) -> bool:
        """Whether it is one, by its own word or by what it said to a write."""
        return self.sight.replica or self.refusal.startswith("READONLY")


class Endpoint:
    """One member's sessions. own: cloudfail's login; canary: an application's, for writes; held: the same, kept as it
    was opened before a fence. spares: names of users whom a fence may leave as they are."""

    def __init__(
        self, region: str, own: Address, writer: Address, seconds: float, spares: tuple[str, ...] = ()
    ) -> None:
        self.region = region
        self.spares = spares
        self.place = f"{own.host}:{own.port}"
        self.own = Session(own, seconds)
        self.canary = Session(writer, seconds)
        self.held = Session(writer, seconds)
        self._writer = writer
        self._seconds = seconds

    def new(self) -> Session:
        """A connection as an application opens it now."""
        return Session(self._writer, self._seconds)

    def close(self) -> None:
        for one in (self.own, self.canary, self.held):
            one.close()


class Plane:
    """Of one datastore. silent: region -> why nothing can be asked there."""

    def __init__(self, endpoints: Mapping[str, Endpoint], silent: Mapping[str, str], *, stale_seconds: float) -> None:
        self._endpoints = endpoints
        self._silent = silent
        self._stale_seconds = stale_seconds
        self._lock = threading.Lock()

    @property
    def regions(self) -> tuple[str, ...]:
        return (*self._endpoints, *self._silent)

    def has(self, region: str) -> bool:
        """Whether there is a way to ask its server."""
        return region in self._endpoints

    def endpoint(self, region: str) -> Endpoint:
        """Raises Unreachable where there is none."""
        if region not in self._endpoints:
            raise Unreachable(self._silent.get(region, f"this database has no member in {region}"))
        return self._endpoints[region]

    def close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.close()

    def sight(self, region: str) -> Sight:
        """Ask the server what it is. Raises CacheError."""
        own = self.endpoint(region).own
        said = _fields(own.ask("INFO", "replication"))
        replica = said.get("role") != "master"
        link = said.get("master_link_status")
        position = said.get("slave_repl_offset" if replica else "master_repl_offset", "")
        return Sight(
            replica=replica,
            link_up=None if link is None else link == "up",
            position=int(position) if position.isdigit() else 0,
            beats=self._beats(own),
        )

    def look(self, region: str) -> Seen:
        """Ask the server, and where it is no replica, try a write. Raises CacheError."""
        sight = self.sight(region)
        if sight.replica:
            return Seen(sight, False)
        endpoint = self.endpoint(region)
        once = uuid.uuid4().hex
        try:
            endpoint.canary.ask("SET", f"cloudfail:look:{region}", once, "EX", str(LOOK_SECONDS))
            shown = endpoint.canary.ask("GET", f"cloudfail:look:{region}")
        except Refusal as error:
            return Seen(sight, False, self._refused(endpoint, error))
        except CacheError as error:
            return Seen(sight, False, str(error) or type(error).__name__)
        if shown != once:
            return Seen(sight, False, "a write was acknowledged, and is not there")
        self._hold(endpoint)
        return Seen(sight, True)

    @staticmethod
    def _refused(endpoint: Endpoint, error: Refusal) -> str:
        """Why a write was not taken. Where it is the login that may not (a fence, say), what the server would say to
        others is asked with cloudfail's own: READONLY is a replica, whatever it calls itself."""
        if error.code not in ("NOPERM", "WRONGPASS", "NOAUTH"):
            return str(error)
        try:
            endpoint.own.ask("SET", f"cloudfail:own:{endpoint.region}", "1", "EX", str(LOOK_SECONDS))
        except Refusal as own:
            return str(own) if own.code == "READONLY" else str(error)
        except CacheError:
            return str(error)
        return str(error)

    def _hold(self, endpoint: Endpoint) -> None:
        """Keep one connection that was opened before any fence, to show later what becomes of such."""
        if not endpoint.held.is_open:
            try:
                endpoint.held.open()
            except CacheError:
                return  # the next look tries again

    def lag_seconds(self, region: str, sight: Sight) -> float | None:
        """The age of the newest heartbeat of another region that is in this replica. None where its upstream is not
        there, or nobody wrote one lately: then nobody knows."""
        ages = [time.time() - at for other, at in sight.beats.items() if other != region]
        if not sight.replica or not sight.link_up or not ages or min(ages) > self._stale_seconds:
            return None
        return max(0.0, min(ages))

    def beat(self, region: str) -> Known[float] | Unknown:
        """ports.Database.beat."""
        at = time.time()
        try:
            self.endpoint(region).canary.ask("SET", f"cloudfail:beat:{region}", repr(at))
        except CacheError as error:
            return Unknown(f"{region}: {error}", time.time())
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """ports.Database.loss. Nobody waits for a replica in another region, so that a heartbeat bounds by time."""
        try:
            beat = self.sight(target).beats.get(source)
        except CacheError as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        if beat is None:
            return LossBound(None, None, (f"no heartbeat of {source} was replicated to {target}: unknown",))
        alive = max(0.0, time.time() - beat)
        parts = [f"newest heartbeat replicated: {alive:.1f} s ago"]
        if isinstance(acknowledged, Unknown):
            parts.append(f"newest heartbeat acknowledged: unknown ({acknowledged.reason})")
            return LossBound(None, alive, tuple(parts))
        parts.append(f"newest heartbeat acknowledged: {max(0.0, time.time() - acknowledged.value):.1f} s ago")
        return LossBound(max(0.0, acknowledged.value - beat), alive, tuple(parts))

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        """ports.Database.read_canary. The key names the region that it was written for."""
        at = time.time()
        try:
            found = self.endpoint(region).own.ask("GET", _canary(region, token))
        except CacheError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(WriteProof(token, region) if found is not None else None, at)

    def write_canary(self, region: str, token: str, call: Call) -> None:
        """ports.Database.write_canary."""
        try:
            canary = self.endpoint(region).canary
            canary.open()
        except CacheError as error:
            raise before(error, f"a canary in {region}") from error
        call.check()
        try:
            canary.ask("SET", _canary(region, token), f"{int(call.epoch)} {call.run}", "EX", str(CANARY_SECONDS))
        except CacheError as error:
            raise changed(error, f"a canary in {region}") from error

    # ---- the last key of a switchover

    def last(self, region: str, source: str) -> str | None:
        """What the server in `region` holds of the last key of `source`. Raises CacheError."""
        found = self.endpoint(region).own.ask("GET", f"cloudfail:last:{source}")
        return None if found is None else str(found)

    def write_last(self, source: str, fence: str, call: Call) -> None:
        """Write it, over cloudfail's own login: no client could write since the fence that it names was proven."""
        try:
            own = self.endpoint(source).own
            own.open()
        except CacheError as error:
            raise before(error, f"the last key of {source}") from error
        call.check()
        try:
            own.ask("SET", f"cloudfail:last:{source}", f"{fence} {uuid.uuid4().hex}")
        except CacheError as error:
            raise changed(error, f"the last key of {source}") from error

    def _beats(self, own: Session) -> dict[str, float]:
        regions = self.regions
        found = own.ask("MGET", *(f"cloudfail:beat:{region}" for region in regions))
        beats = {}
        for region, said in zip(regions, found, strict=True):
            try:
                beats[region] = float(said)
            except (TypeError, ValueError):
                continue  # none was written there, or not by us
        return beats


def _canary(region: str, token: str) -> str:
    return f"cloudfail:canary:{region}:{token}"


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in str(text).splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def before(error: CacheError, what: str) -> CloudfailError:
    """An error of ours for what happened before anything was sent."""
    if isinstance(error, Refusal) and error.code in ("WRONGPASS", "NOPERM", "NOAUTH"):
        return Permanent(f"The login for {what} is refused: {error}.")
    return Transient(f"Not reached for {what}: {error}.")


def changed(error: CacheError, what: str) -> CloudfailError:
    """An error of ours for what became of a write."""
    if isinstance(error, Refusal):
        if error.code in ("READONLY", "NOPERM", "WRONGPASS", "NOAUTH"):
            return Permanent(f"The server refuses {what}: {error}.")
        return Transient(f"The server did not take {what}: {error}.")
    return OutcomeUnknown(f"No word on {what}: {error}.")
