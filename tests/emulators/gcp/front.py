"""One loopback address that stands for all of Google: what gcloud's variables of endpoint overrides name.

`http://127.0.0.1:PORT/~dns/` is Cloud DNS, `/~compute/` Compute Engine, and so on. Each request is found in the API's
discovery document by its method and path; its parameters, its body and the answer are held against the document, and an
offence, whoever made it, is noted in `mistakes`: the fixture fails the test for it. Only what happens is ours: a state
machine per API, an object with a method for each of Google's, `dns.changes.create` being `changes_create`. What is
proven so is the wire: the meaning is our reading of Google's documentation.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.emulators.aws.outages import Fault, Outages
from tests.emulators.gcp.discovery import Api, Method, api
from tests.emulators.watched import Watched
from tests.emulators.wire import Answer, Answers, Door, Lost, Request

# What is asked by POST, and changes nothing.
_READS = frozenset(
    "getHealth testIamPermissions listManagedInstances listInstances generateAccessToken "
    "wait query validate read".split()
)
# gcloud's name of each override, where it is not the API's own in capitals.
_OVERRIDES = {"sqladmin": "SQL"}
_REGION = re.compile(r"/(?:regions|locations|zones)/([a-z]+(?:-[a-z]+)+\d|[a-z]+-[a-z]+\d+)(?:-[a-z])?(?=/|$|:)")


class Refused(Exception):
    """What a state machine raises: an error as Google words it. reason: of its first item; code: of google.rpc."""

    def __init__(self, status: int, reason: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.code = status, reason, message, code


@dataclass(frozen=True)
class Asked:
    """One call. `service`: the API; `operation`: the method's id without the API; `region`: that which its path names,
    "global" where it names none; `by`: the token that it came with."""

    service: str
    region: str
    operation: str
    by: str
    mutating: bool


@dataclass(frozen=True)
class Seen:
    """One request. `met`: "fault", the API's name, or "nowhere". `status`: what was answered, 0 where nothing was."""

    at: float
    service: str
    region: str
    operation: str
    mutating: bool
    by: str
    met: str
    status: int
    query: Mapping[str, str]
    body: Any


class GoogleOutages(Outages):
    """The same faults, in Google's words."""

    def throttle(self, **where: object) -> Fault:
        said = error(429, "rateLimitExceeded", "Too many requests.", "RESOURCE_EXHAUSTED")
        return self._add(lambda request, asked, forward: said, where)

    def fail(self, code: str, status: int = 400, message: str = "", **where: object) -> Fault:
        """code: the reason of its first item."""
        said = error(status, code, message or code)
        return self._add(lambda request, asked, forward: said, where)

    def lie(self, **where: object) -> Fault:
        """Success is answered, as an operation that is done, and nothing was done."""
        said = Answer(200, (("Content-Type", "application/json"),), b'{"name": "op-0", "status": "DONE", "done": true}')
        return self._add(lambda request, asked, forward: said, where)


class Gate(Protocol):
    """Google's IAM, before whatever serves a method."""

    def passes(self, asked: Asked, method: Method, path: str, body: Any) -> dict[str, Any] | None:
        """The answer, to what is asked of IAM itself; None for what whoever serves it answers. Raises Refused."""


class Front(Watched[Seen]):
    """All of Google. `outages` makes it fail; `seen` tells what it was asked. `gate`: who may do what, if anybody is
    held to it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._served: dict[str, tuple[Api, Any]] = {}
        self.mistakes: list[str] = []
        self.gate: Gate | None = None
        self.outages = GoogleOutages(clock)
        self._door = Door(self.answer)

    @property
    def url(self) -> str:
        return self._door.url

    def serve(self, document: str, machine: Any) -> None:
        """From here on that state machine answers for the API ("dns.v1"). One call at a time: it needs no locks."""
        described = api(document)
        self._served[described.name] = (described, machine)

    def environment(self) -> Mapping[str, str]:
        """What clients are told, as gcloud has it."""
        told = {"NO_PROXY": "127.0.0.1", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "True"}
        for name, (described, _) in self._served.items():
            key = _OVERRIDES.get(name, name.upper())
            base = described.base.lstrip("/") if name == "compute" else ""
            told[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{key}"] = f"{self.url}/~{name}/{base}"
        return told

    def answer(self, request: Request) -> Answer | Lost:
        name, described, machine = self._whom(request)
        if described is None:
            return error(404, "notFound", f"Nothing serves {request.path} here.")
        path = urlsplit(request.target).path.removeprefix(f"/~{name}")
        found = described.find(request.method, path)
        if found is None:
            self._note(f"{name}: {request.method} {path} is no method of its description")
            return error(404, "notFound", "There is no such method.")
        method, labels = found
        asked = _asked(name, method, path, request, _place(machine, labels, request))
        began = self._clock()
        fault = self.outages.meeting(asked)  # type: ignore[arg-type]  (the same members)

        def forward(request: Request) -> Answer | Lost:
            given = self._served_by(described, machine, method, labels, asked, request)
            self.outages.remember(request, asked, given)  # type: ignore[arg-type]
            return given

        given = fault.happen(request, asked, forward) if fault else forward(request)  # type: ignore[arg-type]
        status = 0 if isinstance(given, Lost) else given.status
        body = _json(request.body)
        met = "fault" if fault else name
        one = Seen(
            began, name, asked.region, asked.operation, asked.mutating, asked.by, met, status, request.query, body
        )
        self.remember(one)
        return given

    def close(self) -> None:
        self._door.shut()

    def _whom(self, request: Request) -> tuple[str, Api | None, Any]:
        found = re.match(r"/~([a-z]+)/", request.path)
        name = found[1] if found else ""
        described, machine = self._served.get(name, (None, None))
        return name, described, machine

    def _served_by(
        self, described: Api, machine: Any, method: Method, labels: dict[str, str], asked: Asked, request: Request
    ) -> Answer:
        query = dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))
        body = _json(request.body)
        wrong = [f"no parameter {name}" for name in query if name not in method.parameters]
        if method.request:
            wrong += described.offences(method.request, {} if body is None else body)
        elif body:
            wrong.append("a body, which it does not take")
        if wrong:
            self._note(f"{method.id}, the request: {'; '.join(wrong)}")
            return error(400, "invalid", "; ".join(wrong), "INVALID_ARGUMENT")
        name = asked.operation.replace(".", "_")
        does = getattr(machine, _snake(name), None)
        try:
            told = self.gate.passes(asked, method, urlsplit(request.target).path, body or {}) if self.gate else None
            if told is None and does is None:
                return error(501, "notImplemented", f"The stand-in has no {name}.", "UNIMPLEMENTED")
            with self._lock:
                given = does(labels, query, body or {}) if told is None else told
        except Refused as refused:
            return error(refused.status, refused.reason, refused.message, refused.code)
        except Exception as failure:
            self._note(f"{method.id}, the state machine: {type(failure).__name__}: {failure}")
            return error(500, "internalError", str(failure))
        if method.response and (wrong := described.offences(method.response, given)):
            self._note(f"{method.id}, the answer: {'; '.join(wrong)}")
            return error(500, "internalError", "; ".join(wrong))
        return Answer(200, (("Content-Type", "application/json"),), json.dumps(given).encode())

    def _note(self, mistake: str) -> None:
        self.mistakes.append(mistake)


def error(status: int, reason: str, message: str, code: str = "") -> Answer:
    """As Google says it."""
    told: dict[str, Any] = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    if code:
        told["status"] = code
    return Answer(status, (("Content-Type", "application/json"),), json.dumps({"error": told}).encode())


def _place(machine: Any, labels: Mapping[str, str], request: Request) -> str:
    """The region that a path without one is about, as the state machine has it (`where`); "" if it does not say."""
    return str(machine.where(labels, request.query)) if hasattr(machine, "where") else ""


def _asked(name: str, method: Method, path: str, request: Request, place: str) -> Asked:
    region = _REGION.search(path)
    reads = request.method == "GET" or method.name in _READS
    by = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Asked(name, region[1] if region else place or "global", method.id.partition(".")[2], by, not reads)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _json(body: bytes) -> Any:
    return json.loads(body) if body else None


@contextlib.contextmanager
def front(clock: Callable[[], float] = time.monotonic) -> Iterator[Front]:
    made = Front(clock)
    try:
        yield made
    finally:
        made.close()


__all__ = ["Answers", "Asked", "Fault", "Front", "Gate", "Refused", "Seen", "error", "front"]
