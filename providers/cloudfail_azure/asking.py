"""How the ports ask Azure: as whom, within which bound, how often. Resource Manager's REST over azure-core's pipeline.

Reads go out as the watch role. A change goes out as the execute role, taken on for a `Call` alone, and that only an
open run has; what an older lease was given is forgotten as soon as a newer one asks.

A read is tried again inside, whatever happened, since it changes nothing. A change is tried again inside only where the
answer, or its absence before anything was sent, proves that there was no effect; the rest is OutcomeUnknown, and the
machine looks first (design.md §4 rule 2). `call.check()` stands immediately before each request that changes something.

A resource is named by its id, as Azure writes it: `/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/...`.
An API version belongs to the provider's own reference, and each kind says which one it was written for.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cloudfail.clock import Clock, SystemClock
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.model.topology import Resource, Roles, Topology
from cloudfail.ports import Call
from cloudfail.retry import READS, again, within
from cloudfail_azure import arm_errors as errors
from cloudfail_azure.budget import Budget
from cloudfail_azure.clients import failures
from cloudfail_azure.sessions import Session, Sessions

REQUEST_SECONDS = 5.0
PAGES_MAX = 1000
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)

_CLOCK = SystemClock()
_BUDGET = Budget(_CLOCK)
_SESSIONS: dict[int, Sessions] = {}
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Reply:
    """What Resource Manager answered. headers: names in lower case."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


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
        self.sessions = sessions
        self._budget = budget
        self.clock = clock

    @classmethod
    def of(cls, resource: Resource, topology: Topology, sessions: Sessions | None = None) -> Asking:
        """All resources of one topology share their sessions, and the next topology (a tick's, say) begins anew:
        nothing is inherited from before a function was frozen."""
        return cls(resource, topology, sessions if sessions is not None else _sessions_of(topology))

    def read(
        self,
        region: str,
        path: str,
        version: str,
        /,
        *,
        within: float,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
        role: str | None = None,
    ) -> dict[str, Any]:
        """The body of the answer. path: the resource's id, and what stands behind it; region: whose roles are used;
        role: instead of them, by a session that sends nothing but GET, whichever role that is.
        Raises Transient, Permanent or OutcomeUnknown, none of which says anything of the world."""
        return self.read_reply(
            region, path, version, within=within, query=query, method=method, body=body, role=role
        ).body

    def read_reply(
        self,
        region: str,
        path: str,
        version: str,
        /,
        *,
        within: float,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
        role: str | None = None,
    ) -> Reply:
        """As `read`, with status and headers. path may be a whole URL of Resource Manager's, as a page or an operation
        names the next one; `version` "" leaves what stands in it."""
        whose = self.roles(region).watch if role is None else role

        def once(left: float) -> Reply:
            self._wait_turn(path, whose, method, left, changes=False)
            session = self.sessions.get(whose) if role is None else self.sessions.looking(whose)
            return self._send(session, whose, method, path, version, query, body, {}, left)

        return again(once, within=within, clock=self.clock, also=READS)

    def pages(
        self,
        region: str,
        path: str,
        version: str,
        /,
        *,
        within: float,
        query: Mapping[str, str] | None = None,
        role: str | None = None,
    ) -> list[Any]:
        """Every `value`, over all pages, within one bound. Raises as `read`, and where the pages do not end: what was
        read so far is not taken for all of it."""
        until = self.clock.boot() + within
        found: list[Any] = []
        following, asked = path, dict(query or {})
        for _ in range(PAGES_MAX):
            page = self.read(region, following, version, within=self.left_until(until), query=asked, role=role)
            found += page.get("value") or []
            before, following = following, str(page.get("nextLink") or "")
            if not following:
                return found
            if following == before:
                raise OutcomeUnknown(f"Azure gave the same page of {path} twice.")
            version, asked = "", {}
        raise OutcomeUnknown(f"Azure has more than {PAGES_MAX} pages of {path}.")

    def change(
        self,
        region: str,
        method: str,
        path: str,
        version: str,
        /,
        *,
        call: Call,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        if_match: str = "",
        if_none_match: str = "",
    ) -> Reply:
        """The reply to one request that changes something, made for that run and epoch. Raises Transient, Permanent,
        Conflict, OutcomeUnknown, or what `call.check` raises."""
        execute = self.roles(region).execute
        session_name = f"{call.run}/{call.epoch}"
        headers = {
            **({"If-Match": if_match} if if_match else {}),
            **({"If-None-Match": if_none_match} if if_none_match else {}),
        }

        def once(left: float) -> Reply:
            self._wait_turn(path, execute, method, left, changes=True)
            session = self.sessions.get(execute, session_name if execute else "")
            _take_on(session, left)
            call.check()
            return self._send(session, execute, method, path, version, query, body, headers, left)

        if execute:
            self.sessions.drop(execute, session_name)
        return again(once, within=call.timeout_seconds, clock=self.clock)

    def left_until(self, until: float) -> float:
        """Seconds of our clock until then; never less than nothing."""
        return max(0.0, until - self.clock.boot())

    def deadline(self, seconds: float) -> float:
        """Our clock, so many seconds from now."""
        return self.clock.boot() + seconds

    def roles(self, region: str) -> Roles:
        return self.topology.roles_of(self.resource, region)

    def _wait_turn(self, path: str, role: str, method: str, left: float, *, changes: bool) -> None:
        subscription, until = _subscription(path), self.clock.boot() + left
        while wait := self._budget.reserve(subscription, role, method, changes=changes):
            if self.clock.boot() + wait >= until:
                raise Transient(
                    f"Azure takes no more from subscription {subscription or 'this'} for {wait:.1f} s.",
                    retry_after_seconds=wait,
                )
            self.clock.sleep(wait)

    def _send(
        self,
        session: Session,
        role: str,
        method: str,
        path: str,
        version: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        headers: dict[str, str],
        left: float,
    ) -> Reply:
        if left <= 0:
            raise Transient("No time was left to ask Azure.")
        url = path if "://" in path else f"{session.endpoint}{path}"
        if not session.belongs(url):
            raise OutcomeUnknown(f"Azure named a place that is not its own, and it is not asked: {url}")
        what, seconds = f"{method} {urlsplit(url).path}", min(REQUEST_SECONDS, left)
        told = {**(query or {}), **({"api-version": version} if version else {})}

        def ask() -> Any:
            return session.ask(method, url, query=told, body=body, headers=headers, seconds=seconds)

        try:
            answer = within(seconds, ask)
        except _raises() as error:
            raise errors.from_exception(error, what) from error
        return self._taken(answer, what, path, role, method)

    def _taken(self, answer: Any, what: str, path: str, role: str, method: str) -> Reply:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        subscription = _subscription(path)
        self._budget.told(subscription, role, method, headers)
        told = _json(answer)
        if 200 <= answer.status_code < 300:
            if not isinstance(told, dict):
                raise OutcomeUnknown(f"{what}: the answer is not JSON.")
            return Reply(answer.status_code, told, headers)
        said = errors.refusal(answer.status_code, told)
        if said.throttled:
            self._budget.penalise(subscription, role, method)
        after = headers.get("retry-after", "")
        seconds = float(after) if after.isdigit() else None
        raise errors.from_refusal(said, what, seconds) from errors.Answered(said)


def _json(answer: Any) -> Any:
    try:
        content = answer.read()
        return answer.json() if content else {}
    except _raises():
        return None


def _take_on(session: Session, left: float) -> None:
    """Have the token before the check, not between it and the request. Raises Transient or Permanent: whatever came of
    it, nothing was sent to whom it was for."""
    try:
        within(max(0.01, left), session.take_on)
    except _raises() as error:
        kind = errors.from_exception(error, "No credentials yet")
        raise (Transient(str(kind)) if isinstance(kind, OutcomeUnknown) else kind) from error


def _raises() -> tuple[type[Exception], ...]:
    """ValueError: what gives out tokens answered with something that is no JSON, and msal says it so."""
    return (TimeoutError, ValueError, *failures())


def _subscription(path: str) -> str:
    found = _SUBSCRIPTION.search(path)
    return found[1].lower() if found else ""


def _sessions_of(topology: Topology) -> Sessions:
    key = id(topology)
    with _LOCK:
        if key not in _SESSIONS:
            _SESSIONS[key] = Sessions()
            weakref.finalize(topology, _SESSIONS.pop, key, None)
        return _SESSIONS[key]
