"""One loopback address that stands for all of Azure Resource Manager, over TLS under an authority of the test's own.

Each request is found in what Microsoft's own packages say by its method and path; its api-version, its body, the status
and the answer are held against that, and an offence, whoever made it, is noted in `mistakes`: the fixture fails the
test for it. Only what happens is ours: a state machine per package, an object with a method for each operation,
`EndpointsOperations.update` being `endpoints_update`. What is proven so is the wire: the meaning is our reading of
Microsoft's documentation.

Beside it a door without TLS gives out tokens, as the identity endpoint of an Azure Function does: each names whose it
is, and the front reads that.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.emulators.aws.outages import Fault, Outages
from tests.emulators.azure import authority
from tests.emulators.azure.contract import Contract, Operation, contract
from tests.emulators.azure.standins import account
from tests.emulators.watched import Watched
from tests.emulators.wire import Answer, Door, Lost, Request

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
OWN = "own identity"
"""Whose a token is that was asked for without a client id."""
# What is asked by POST, and changes nothing.
READS = frozenset(
    {
        "backend_health",
        "backend_health_on_demand",
        "health",
        "get_effective_route_table",
        "list_application_settings",
        "list_application_settings_slot",
        "list_keys",
        "list_credentials",
    }
)
OPERATIONS = "/providers/cloudfail.tests/operations/"


class Refused(Exception):
    """What a state machine raises: an error as Azure words it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Ask:
    """One request to a state machine. labels: what stands in the path, by the package's names, in the words of the
    request; path: without the query; headers: names in lower case."""

    labels: Mapping[str, str]
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class Gate(Protocol):
    """Azure RBAC before the front."""

    def passes(self, who: str, service: str, operation: str, method: str, ask: Ask) -> Any:
        """Raises Refused for what is not allowed. The answer, where it is RBAC's own to give; else None."""


@dataclass(frozen=True)
class Told:
    """A state machine's answer, where it is more than a body with the status 200."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One call. `service`: the package's last name; `region`: of the resource that its path names, "global" where it is
    in none; `by`: whose token it came with."""

    service: str
    region: str
    operation: str
    by: str
    mutating: bool


@dataclass(frozen=True)
class Seen:
    """One request. `met`: "fault", the service's name, or "nowhere". `status`: as answered, 0 where nothing was."""

    at: float
    service: str
    region: str
    operation: str
    mutating: bool
    by: str
    met: str
    status: int
    path: str
    body: Any


class AzureOutages(Outages):
    """The same faults, in Azure's words."""

    def throttle(self, **where: object) -> Fault:
        said = error(429, "TooManyRequests", "Too many requests.")
        return self._add(lambda request, asked, forward: said, where)

    def fail(self, code: str, status: int = 400, message: str = "", **where: object) -> Fault:
        said = error(status, code, message or code)
        return self._add(lambda request, asked, forward: said, where)

    def lie(self, **where: object) -> Fault:
        """Success is answered, and nothing was done."""
        return self._add(lambda request, asked, forward: _answer(200, {}, {}), where)


class Front(Watched[Seen]):
    """All of Resource Manager. `outages` makes it fail; `seen` tells what it was asked; `authority` is whom clients
    trust. `gate`: who may do what, if anybody is held to anything. `nobody`: the client ids that are assigned to no
    machine, so that none takes them on."""

    def __init__(self, place: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.RLock()
        self._served: dict[str, tuple[Contract, Any]] = {}
        self.mistakes: list[str] = []
        self.gate: Gate | None = None
        self.nobody: set[str] = set()
        self.outages = AzureOutages(clock)
        self.authority, context = authority.made(place)
        self.context = context
        self._door = Door(self.answer, context=context)
        self._tokens = Door(self._token)
        self.serve(account.AUTHORIZATION, account.Authorization())
        self.serve(account.SUBSCRIPTIONS, account.Subscriptions(SUBSCRIPTION))

    @property
    def url(self) -> str:
        return self._door.url

    def serve(self, package: str, machine: Any) -> None:
        """From here on that state machine answers for the package ("azure.mgmt.trafficmanager"). One call at a time: it
        needs no locks. It may say in which region a path's resource is (`region_of`), and what became of an operation
        (`operation`)."""
        self._served[package] = (contract(package), machine)
        machine.front = self

    def environment(self) -> Mapping[str, str]:
        """What clients are told."""
        return {
            "NO_PROXY": "127.0.0.1",
            "ARM_ENDPOINT": self.url,
            "REQUESTS_CA_BUNDLE": str(self.authority),
            "IDENTITY_ENDPOINT": f"{self._tokens.url}/token",
            "IDENTITY_HEADER": "tests",
        }

    def operation_url(self, service: str, name: str, how: str, below: str = "") -> str:
        """Where an operation is asked for. how: "status", or "answer" in the style that knows no status. below: the
        resource that it stands below; else it is the subscription."""
        above = below or f"/subscriptions/{SUBSCRIPTION}"
        return f"{self.url}{above}{OPERATIONS}{service}/{how}/{name}?api-version=2020-01-01"

    def answer(self, request: Request) -> Answer | Lost:
        split = urlsplit(request.target)
        began = self._clock()
        service, described, machine, found = self._whom(request, split.path)
        operation, labels = found if found else (None, {})
        name = operation.name if operation else _operation_asked(split.path)
        reads = request.method in ("GET", "HEAD") or name.rpartition(".")[2] in READS
        asked = Asked(service, self._region(machine, split.path), name, _whose(request), not reads)
        fault = self.outages.meeting(asked)  # type: ignore[arg-type]  (the same members)

        def forward(request: Request) -> Answer | Lost:
            given = self._forward(request, service, described, machine, operation, labels)
            self.outages.remember(request, asked, given)  # type: ignore[arg-type]
            return given

        given = fault.happen(request, asked, forward) if fault else forward(request)  # type: ignore[arg-type]
        status = 0 if isinstance(given, Lost) else given.status
        met = "fault" if fault else service or "nowhere"
        one = Seen(
            began, service, asked.region, name, not reads, asked.by, met, status, split.path, _json(request.body)
        )
        self.remember(one)
        return given

    def close(self) -> None:
        self._door.shut()
        self._tokens.shut()

    def _whom(
        self, request: Request, path: str
    ) -> tuple[str, Contract | None, Any, tuple[Operation, dict[str, str]] | None]:
        """Two packages may be of one service: azure.mgmt.resource.resources, azure.mgmt.resource.subscriptions."""
        if OPERATIONS in path:
            service = path.partition(OPERATIONS)[2].split("/")[0]
            of = (machine for package, (_, machine) in self._served.items() if _service(package) == service)
            return service, None, next(of, None), None
        best: tuple[str, Contract, Any, tuple[Operation, dict[str, str]]] | None = None
        for package, (described, machine) in self._served.items():
            found = described.find(request.method, path)
            if found and (best is None or found[0].weight > best[3][0].weight):
                best = _service(package), described, machine, found
        return best or ("", None, None, None)

    def _region(self, machine: Any, path: str) -> str:
        told = getattr(machine, "region_of", None)
        return told(path) or "global" if told else "global"

    def _forward(
        self,
        request: Request,
        service: str,
        described: Contract | None,
        machine: Any,
        operation: Operation | None,
        labels: Mapping[str, str],
    ) -> Answer:
        split = urlsplit(request.target)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if not _whose(request):
            return error(401, "AuthenticationFailed", "The request has no token.")
        if operation is None and OPERATIONS in split.path and machine is not None:
            how, _, name = split.path.partition(OPERATIONS)[2].partition("/")[2].partition("/")
            try:
                with self._lock:
                    self._held(request, service, "operation", Ask({}, split.path, query, request.headers, None))
                    told = machine.operation(name, how)
            except Refused as refused:
                return error(refused.status, refused.code, refused.message)
            return _answer(told.status, told.body, told.headers)
        if operation is None or described is None:
            self._note(f"{request.method} {split.path} is no operation of what is served")
            return error(404, "NotFound", f"Nothing serves {request.method} {split.path} here.")
        body = _json(request.body)
        wrong = []
        if query.get("api-version", "").lower() != operation.version.lower():
            wrong.append(f"api-version {query.get('api-version')!r}, where its package sends {operation.version}")
        if operation.body:
            wrong += described.offences(operation.body, {} if body is None else body, asked=True)
        elif body:
            wrong.append("a body, which it does not take")
        if wrong:
            self._note(f"{service} {operation.name}, the request: {'; '.join(wrong)}")
            return error(400, "InvalidRequestContent", "; ".join(wrong))
        asked = Ask(labels, split.path, query, request.headers, body)
        try:
            with self._lock:
                own = self._held(request, service, operation.name, asked)
        except Refused as refused:
            return error(refused.status, refused.code, refused.message)
        does = (lambda _: own) if own is not None else getattr(machine, operation.name.replace(".", "_"), None)
        if does is None:
            self._note(f"The stand-in of {service} has no {operation.name}")
            return error(501, "NotImplemented", f"The stand-in has no {operation.name}.")
        try:
            with self._lock:
                given = does(asked)
        except Refused as refused:
            return error(refused.status, refused.code, refused.message)
        except Exception as failure:
            self._note(f"{service} {operation.name}, the state machine: {type(failure).__name__}: {failure}")
            return error(500, "InternalServerError", str(failure))
        told = given if isinstance(given, Told) else Told(given)
        if wrong := self._wrong(described, operation, told):
            self._note(f"{service} {operation.name}, the answer: {'; '.join(wrong)}")
            return error(500, "InternalServerError", "; ".join(wrong))
        return _answer(told.status, told.body, told.headers)

    def _held(self, request: Request, service: str, operation: str, ask: Ask) -> Any:
        try:
            return self.gate and self.gate.passes(_whose(request), service, operation, request.method, ask)
        except AssertionError as mistake:
            self._note(f"{service} {operation}: {mistake}")
            raise Refused(500, "InternalServerError", str(mistake)) from mistake

    def _wrong(self, described: Contract, operation: Operation, told: Told) -> list[str]:
        if told.status not in operation.statuses:
            return [f"the status {told.status}, none of {sorted(operation.statuses)}"]
        if not operation.reply or told.body is None:
            return []
        if operation.paged:
            pages = told.body.get("value", [])
            return [said for one in pages for said in described.offences(operation.reply, one, asked=False)]
        return described.offences(operation.reply, told.body, asked=False)

    def _token(self, request: Request) -> Answer | Lost:
        """As App Service's identity endpoint has it (learn.microsoft.com/azure/app-service/overview-managed-identity):
        GET with `resource`, `api-version` 2019-08-01, perhaps `client_id`, and the header X-IDENTITY-HEADER."""
        query = request.query
        if request.headers.get("x-identity-header") != "tests" or "resource" not in query:
            return Answer(400, (), b"")
        whose = query.get("client_id", OWN)
        if whose in self.nobody:
            said = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            return _answer(400, {"statusCode": 400, "message": said}, {})
        told = {"appid": whose, "tid": TENANT, "aud": query["resource"]}
        part = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        given = {
            "access_token": f"e30.{part}.none",
            "expires_on": str(int(time.time()) + 86_400),
            "resource": query["resource"],
            "token_type": "Bearer",
        }
        return _answer(200, given, {})

    def _note(self, mistake: str) -> None:
        self.mistakes.append(mistake)


def error(status: int, code: str, message: str) -> Answer:
    """As Azure says it."""
    return _answer(status, {"error": {"code": code, "message": message}}, {})


def _answer(status: int, body: Any, headers: Mapping[str, str]) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(status, (("Content-Type", "application/json"), *headers.items()), content)


def _service(package: str) -> str:
    return package.removeprefix("azure.mgmt.").split(".")[0]


def _operation_asked(path: str) -> str:
    return "operation" if OPERATIONS in path else "nothing"


def _whose(request: Request) -> str:
    """Whose token a request came with; "" for none."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    found = re.fullmatch(r"e30\.([\w-]+)\.none", token)
    if not found:
        return ""
    told = json.loads(base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)))
    return str(told["appid"])


def _json(body: bytes) -> Any:
    return json.loads(body) if body else None


@contextlib.contextmanager
def front(place: Path, clock: Callable[[], float] = time.monotonic) -> Iterator[Front]:
    made = Front(place, clock)
    try:
        yield made
    finally:
        made.close()
