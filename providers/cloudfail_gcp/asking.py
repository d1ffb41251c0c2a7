"""How the ports ask Google: as whom, within which bound, how often. REST over google-auth's AuthorizedSession.

Reads go out as the watch role. A change goes out as the execute role, which is impersonated for a `Call` alone, and
that only an open run has; what an older lease was given is forgotten as soon as a newer one asks.

A read is tried again inside, whatever happened, since it changes nothing. A change is tried again inside only where the
answer, or its absence before anything was sent, proves that there was no effect; the rest is OutcomeUnknown, and the
machine looks first (design.md §4 rule 2). `call.check()` stands immediately before each request that changes something.

Paths are those of the APIs' references, relative to the API's base: `projects/p/regions/r/…` for Compute Engine (whose
base ends in `compute/v1/`), `dns/v1/projects/…`, `v1/projects/…` for Cloud SQL.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.clock import Clock, SystemClock
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.model.topology import Resource, Roles, Topology
from cloudfail.ports import Call
from cloudfail.retry import READS, again, within
from cloudfail_gcp import errors
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.clients import failures
from cloudfail_gcp.sessions import LOOKING, Sessions, endpoint

REQUEST_SECONDS = 3.0
CONNECT_SECONDS = 2.0
PAGES_MAX = 1000

_CLOCK = SystemClock()
_BUDGET = Budget(_CLOCK)
_SESSIONS: dict[int, Sessions] = {}
_LOCK = threading.Lock()


class Asking:
    """Of one resource. `sessions`, `budget`, `clock`: those of the process unless a test has its own."""

    def __init__(
        self,
        resource: Resource,
        topology: Topology,
        sessions: Sessions,
        budget: Budget = _BUDGET,
        clock: Clock = _CLOCK,
    ) -> None:
        self.resource = resource
        self.topology = topology
        self._sessions = sessions
        self._budget = budget
        self._clock = clock
        self._proxies: Mapping[str, str] | None = None

    @classmethod
    def of(cls, resource: Resource, topology: Topology, sessions: Sessions | None = None) -> Asking:
        """All resources of one topology share their sessions, and the next topology (a tick's, say) begins anew:
        nothing is inherited from before a function was frozen."""
        return cls(resource, topology, sessions if sessions is not None else _sessions_of(topology))

    def through(self, proxy: str) -> Asking:
        """The same, with each request made by way of that HTTP proxy: as whoever stands where it does would ask. Tokens
        are fetched from here."""
        one = Asking(self.resource, self.topology, self._sessions, self._budget, self._clock)
        one._proxies = {"http": proxy, "https": proxy}
        return one

    def project(self, region: str) -> str:
        """The project that stands as `account:` of that region; of a place that is no region of the topology's
        ("global"), the one that Google's regions there all have, else "" ."""
        if region in self.topology.regions:
            return self.topology.regions[region].account or ""
        own = {one.account or "" for one in self.topology.regions.values() if one.provider == self.resource.provider}
        return own.pop() if len(own) == 1 else ""

    def read(
        self,
        api: str,
        region: str,
        path: str,
        /,
        *,
        within: float,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The reply. region: whose roles and quota it is, "global" for an API of no region. Raises Transient, Permanent
        or OutcomeUnknown, none of which says anything of the world."""
        role = self._roles(region).watch

        def once(left: float) -> dict[str, Any]:
            self._wait_turn(api, region, left, changes=False)
            session = self._session(left, api, role)
            return self._send(session, api, region, method, path, query, body, left, changes=False)

        return again(once, within=within, clock=self._clock, also=READS)

    def pages(
        self, api: str, region: str, path: str, key: str, /, *, within: float, query: Mapping[str, str] | None = None
    ) -> list[Any]:
        """All of `key`, over all pages, within one bound. Raises as `read`, and where the pages do not end: what was
        read so far is not taken for all of it."""
        until = self.deadline(within)
        token = ""
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            more = {"pageToken": token} if token else {}
            left = max(0.01, self.left_until(until))
            page = self.read(api, region, path, within=left, query={**(query or {}), **more})
            found += page.get(key) or []
            following = str(page.get("nextPageToken") or "")
            if not following:
                return found
            if following == token:
                raise OutcomeUnknown(f"{api} gave the same page of {path} twice.")
            token = following
        raise OutcomeUnknown(f"{api} has more than {PAGES_MAX} pages of {path}.")

    def may(
        self, api: str, region: str, path: str, permissions: Sequence[str], /, *, role: str, within: float
    ) -> frozenset[str]:
        """Which of these that role ("" is the process itself) has there: `testIamPermissions`, at that path. It goes
        out with a token that can only read, so that the role which changes things is taken on for an open run alone.
        Raises as `read`."""

        def once(left: float) -> frozenset[str]:
            self._wait_turn(api, region, left, changes=False)
            session = self._session(left, api, role, scopes=LOOKING)
            _take_on(session, left)
            body = {"permissions": list(permissions)}
            told = self._send(session, api, region, "POST", path, None, body, left, changes=False)
            return frozenset(map(str, told.get("permissions") or ()))

        return again(once, within=within, clock=self._clock, also=READS)

    def change(
        self,
        api: str,
        region: str,
        method: str,
        path: str,
        /,
        *,
        call: Call,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> dict[str, Any]:
        """The reply to one request that changes something, made for that run and epoch. request_id: the name of the
        parameter by which the API knows a request again ("requestId", "clientOperationId"), if it has one; the same for
        each attempt of this effect under this lease. Raises Transient, Permanent, Conflict, OutcomeUnknown, or what
        `call.check` raises."""
        execute = self._roles(region).execute
        session_name = f"{call.run}/{call.epoch}"
        whole = dict(query or {})
        if request_id:
            whole[request_id] = _request_id(call, method, path, whole, body)

        def once(left: float) -> dict[str, Any]:
            self._wait_turn(api, region, left, changes=True)
            session = self._session(left, api, execute, session_name if execute else "")
            _take_on(session, left)
            call.check()
            return self._send(session, api, region, method, path, whole, body, left, changes=True)

        if execute:
            self._sessions.drop(execute, session_name)
        return again(once, within=call.timeout_seconds, clock=self._clock)

    def left_until(self, until: float) -> float:
        """Seconds of our clock until then; never less than nothing."""
        return max(0.0, until - self._clock.boot())

    def deadline(self, seconds: float) -> float:
        """Our clock, so many seconds from now."""
        return self._clock.boot() + seconds

    def _session(self, left: float, *whose: Any, **more: Any) -> Any:
        """As `Sessions.get`, within so many seconds: where no credentials are found Google's library raises, or asks a
        metadata server that is not there. Nothing was sent. Raises Transient or Permanent."""
        try:
            return within(max(0.01, left), lambda: self._sessions.get(*whose, **more))
        except _raises() as error:
            raise _nothing_sent(error) from error

    def _roles(self, region: str) -> Roles:
        return self.topology.roles_of(self.resource, region)

    def _wait_turn(self, api: str, region: str, left: float, *, changes: bool) -> None:
        project, until = self.project(region), self._clock.boot() + left
        while wait := self._budget.reserve(project, region, api, changes=changes):
            if self._clock.boot() + wait >= until:
                raise Transient(
                    f"{api} takes no more from project {project or 'this'} for {wait:.1f} s.", retry_after_seconds=wait
                )
            self._clock.sleep(wait)

    def _send(
        self,
        session: Any,
        api: str,
        region: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        left: float,
        *,
        changes: bool,
    ) -> dict[str, Any]:
        if left <= 0:
            raise Transient(f"No time was left to ask {api}.")
        what, seconds = f"{api} {method} {path}", min(REQUEST_SECONDS, left)

        def ask() -> Any:
            return session.request(
                method,
                endpoint(api) + path,
                params=dict(query or {}),
                json=body,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                proxies=self._proxies,
            )

        try:
            answer = within(seconds, ask)
        except _raises() as error:
            raise errors.from_exception(error, what) from error
        return self._taken(answer, what, api, region, changes=changes)

    def _taken(self, answer: Any, what: str, api: str, region: str, *, changes: bool) -> dict[str, Any]:
        try:
            told = answer.json() if answer.content else {}
        except ValueError:
            told = None
        if 200 <= answer.status_code < 300:
            if not isinstance(told, dict):
                raise OutcomeUnknown(f"{what}: the answer is not JSON.")
            return told
        said = errors.refusal(answer.status_code, told)
        if said.throttled:
            self._budget.penalise(self.project(region), region, api, changes=changes)
        after = _retry_after(answer.headers.get("Retry-After"))
        raise errors.from_refusal(said, what, after) from errors.Answered(said)


def _take_on(session: Any, left: float) -> None:
    """Have the token before the check, not between it and the request. Raises Transient or Permanent: whatever came of
    it, nothing was sent to whom it was for."""
    credentials = session.credentials
    if credentials.valid:
        return
    try:
        within(max(0.01, left), lambda: credentials.refresh(session._auth_request))
    except _raises() as error:
        raise _nothing_sent(error) from error


def _nothing_sent(error: Exception) -> Exception:
    kind = errors.from_exception(error, "No credentials yet")
    return Transient(str(kind)) if isinstance(kind, OutcomeUnknown) else kind


def _raises() -> tuple[type[Exception], ...]:
    return (TimeoutError, *failures())


def _request_id(call: Call, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> str:
    """A UUID (no zero UUID, as the references ask) that is the same for each attempt of one effect under one lease."""
    told = f"{call.key}/{call.epoch}/{method}/{path}/{sorted(query.items())!r}/{body!r}"
    return str(uuid.UUID(bytes=hashlib.sha256(told.encode()).digest()[:16], version=4))


def _retry_after(said: str | None) -> float | None:
    return float(said) if said and said.isdigit() else None


def _sessions_of(topology: Topology) -> Sessions:
    key = id(topology)
    with _LOCK:
        if key not in _SESSIONS:
            _SESSIONS[key] = Sessions()
            weakref.finalize(topology, _SESSIONS.pop, key, None)
        return _SESSIONS[key]
