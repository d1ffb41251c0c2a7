"""How the ports ask AWS: as whom, within which bound, how often.

Reads go out as the watch role. A change goes out as the execute role, and that role is taken on for a `Call` alone,
which only an open run has: its session is named after the run and the lease's epoch, so that CloudTrail says which of
them changed what. What an older lease was given is forgotten as soon as a newer one asks.

A read is tried again inside, whatever happened, since it changes nothing. A change is tried again inside only where the
reply, or its absence before anything was sent, proves that there was no effect; the rest is OutcomeUnknown, and the
machine looks first (design.md §4 rule 2). `call.check()` stands immediately before each request that changes something.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from cloudfail.clock import Clock, SystemClock
from cloudfail.errors import OutcomeUnknown, Permanent, Transient
from cloudfail.model.topology import Resource, Roles, Topology
from cloudfail.ports import Call
from cloudfail.retry import READS, again, within
from cloudfail_aws.attempts import CALL_SECONDS, REQUEST_SECONDS
from cloudfail_aws.budget import Budget, records_in
from cloudfail_aws.clients import Clients, session_name
from cloudfail_aws.errors import RAISES, classify, code_of, status_of, words

PAGES_MAX = 1000
THROTTLED = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "RequestLimitExceeded", "TooManyRequestsException", "ProvisionedThroughputExceededException", "SlowDown",
    }
)  # fmt: skip

_CLOCK = SystemClock()
_BUDGET = Budget(_CLOCK)
_CLIENTS: dict[int, Clients] = {}
_LOCK = threading.Lock()


class Asking:
    """Of one resource. `clients`, `budget`, `clock`: those of the process unless a test has its own. request_seconds:
    how long one request may take, within its call's or its look's time."""

    request_seconds = REQUEST_SECONDS

    def __init__(
        self,
        resource: Resource,
        topology: Topology,
        clients: Clients,
        budget: Budget = _BUDGET,
        clock: Clock = _CLOCK,
    ) -> None:
        self.resource = resource
        self.topology = topology
        self._clients = clients
        self._budget = budget
        self._clock = clock

    @classmethod
    def of(cls, resource: Resource, topology: Topology, clients: Clients | None = None) -> Asking:
        """All resources of one topology share their clients, and the next topology (a tick's, say) begins anew: nothing
        is inherited from before a function was frozen."""
        return cls(resource, topology, clients if clients is not None else _clients_of(topology))

    def patient(self, seconds: float) -> Asking:
        """The same, for requests whose answer is known to take longer: one that is given up is an outcome that nobody
        knows."""
        longer = copy.copy(self)
        longer.request_seconds = seconds
        return longer

    def read(
        self, service: str, region: str, operation: str, /, *, within: float, endpoint: str = "", **parameters: Any
    ) -> dict[str, Any]:
        """The reply. Raises Transient, Permanent or OutcomeUnknown, none of which says anything of the world."""
        watch = self._roles(region).watch

        def once(left: float) -> dict[str, Any]:
            self._wait_turn(service, region, operation, parameters, left, changes=False)
            client = self._clients.get(service, region, watch, endpoint=endpoint, **self._patience())
            return self._send(client, service, region, operation, parameters, left)

        return again(once, within=within, clock=self._clock, also=READS)

    def pages(
        self, service: str, region: str, operation: str, key: str, /, *, within: float, **parameters: Any
    ) -> list[Any]:
        """All of `key`, over all pages, within one bound. Raises as `read`, and where the pages do not end: what was
        read so far is not taken for all of it."""
        model = self._clients.get(service, region, self._roles(region).watch).get_paginator(operation)
        paging = model._pagination_cfg  # the service's own description of its tokens
        until = self._clock.boot() + within
        tokens: dict[str, Any] = {}
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            left = max(0.01, until - self._clock.boot())
            page = self.read(service, region, operation, within=left, **{**parameters, **tokens})
            found += page.get(key) or []
            more = paging.get("more_results")
            given = dict(zip(_listed(paging["input_token"]), _tokens(page, paging["output_token"]), strict=True))
            given = {name: token for name, token in given.items() if token not in (None, "")}
            if not given or (more is not None and not page.get(more)):
                return found
            if given == tokens:
                raise OutcomeUnknown(f"{service} gave the same page of {operation} twice.")
            tokens = given
        raise OutcomeUnknown(f"{service} has more than {PAGES_MAX} pages of {operation}.")

    def change(
        self, service: str, region: str, operation: str, /, *, call: Call, endpoint: str = "", **parameters: Any
    ) -> dict[str, Any]:
        """The reply to one request that changes something, made for that run and epoch. Raises Transient, Permanent,
        Conflict, OutcomeUnknown, or what `call.check` raises."""
        execute = self._roles(region).execute
        session = session_name(call.run, call.epoch)

        def once(left: float) -> dict[str, Any]:
            self._wait_turn(service, region, operation, parameters, left, changes=True)
            client = self._clients.get(service, region, execute, session, endpoint, **self._patience())
            _take_on(client, left)
            call.check()
            return self._send(client, service, region, operation, parameters, left)

        if execute:
            self._clients.drop(execute, session)
        return again(once, within=call.timeout_seconds, clock=self._clock)

    def left_until(self, until: float) -> float:
        """Seconds of our clock until then; never less than nothing."""
        return max(0.0, until - self._clock.boot())

    def deadline(self, seconds: float) -> float:
        """Our clock, so many seconds from now."""
        return self._clock.boot() + seconds

    def _patience(self) -> dict[str, Any]:
        return {} if self.request_seconds == REQUEST_SECONDS else {"read_seconds": self.request_seconds}

    def pause(self, seconds: float) -> None:
        """Wait, by our clock."""
        self._clock.sleep(seconds)

    def wall(self) -> float:
        """Our clock, in wall seconds."""
        return self._clock.wall()

    def _roles(self, region: str) -> Roles:
        return self.topology.roles_of(self.resource, region)

    def _account(self, region: str) -> str:
        roles = self._roles(region)
        if roles.execute or roles.watch:
            return (roles.execute or roles.watch).split(":")[4]
        known = self.topology.regions.get(region)
        return (known.account if known is not None else None) or ""

    def _wait_turn(
        self, service: str, region: str, operation: str, parameters: Mapping[str, Any], left: float, *, changes: bool
    ) -> None:
        account, records = self._account(region), records_in(service, operation, parameters)
        until = self._clock.boot() + left
        while wait := self._budget.reserve(account, region, service, operation, changes=changes, records=records):
            if self._clock.boot() + wait >= until:
                raise Transient(
                    f"{service} takes no more of {operation} from account {account or 'this'} for {wait:.1f} s.",
                    retry_after_seconds=wait,
                )
            self._clock.sleep(wait)

    def _send(
        self, client: Any, service: str, region: str, operation: str, parameters: Mapping[str, Any], left: float
    ) -> dict[str, Any]:
        if left <= 0:
            raise Transient(f"No time was left to ask {service} in {region}.")
        try:
            reply: dict[str, Any] = within(
                min(self.request_seconds, left), lambda: getattr(client, operation)(**parameters)
            )
        except RAISES as error:
            if code_of(error) in THROTTLED or status_of(error) == 429:
                records = records_in(service, operation, parameters)
                self._budget.penalise(self._account(region), region, service, operation, records)
            raise classify(error) from error
        return reply


def _take_on(client: Any, left: float) -> None:
    """Have the credentials before the check, not between it and the request. Raises Transient or Permanent: whatever
    came of it, nothing was sent to whom it was for."""
    credentials = client._request_signer._credentials  # botocore has no other way to ask for them
    if credentials is None:
        raise Permanent("This process has no credentials for AWS.")
    try:
        within(min(CALL_SECONDS, max(0.01, left)), credentials.get_frozen_credentials)
    except RAISES as error:
        kind = classify(error)
        raise kind if isinstance(kind, Permanent) else Transient(f"No credentials yet: {words(error)}") from error


def _clients_of(topology: Topology) -> Clients:
    key = id(topology)
    with _LOCK:
        if key not in _CLIENTS:
            _CLIENTS[key] = Clients(sts_regions=[one.name for one in topology.regions.values()])
            weakref.finalize(topology, _CLIENTS.pop, key, None)
        return _CLIENTS[key]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _tokens(page: Mapping[str, Any], names: str | list[str]) -> list[Any]:
    """A token's name may be a path or an alternative ("NextMarker || Contents[-1].Key"); such an operation is not read
    by `pages`."""
    found = []
    for name in _listed(names):
        if not name.isidentifier():
            raise Permanent(f"Pages that continue by {name} are not read.")
        found.append(page.get(name))
    return found
