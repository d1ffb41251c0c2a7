"""One loopback address that stands for all of AWS: AWS_ENDPOINT_URL of the tests.

Each request is routed, by the service and operation that its signature and address name, to ministack, to moto, to a
stand-in, or nowhere. Which emulator is right for what was measured by calling it; where it is split within a service,
the reason stands beside it. Its faults are those of `outages`; its log says what was asked.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.emulators.aws.asked import Asked, asked, canonical
from tests.emulators.aws.emulator import sdk_environment
from tests.emulators.aws.moto import ACCOUNT
from tests.emulators.aws.outages import Fault, Outages
from tests.emulators.aws.refusals import refusal
from tests.emulators.watched import Watched
from tests.emulators.wire import Answer, Answers, Door, Lost, Request, Upstream

# Who serves a service. What is in neither list is served by nobody, unless a stand-in is mounted.
SERVICES: Mapping[str, str] = {
    **dict.fromkeys(
        "ec2 elbv2 elb autoscaling eks ecs application-autoscaling fis organizations".split(),
        "moto",
    ),
    **dict.fromkeys(
        "route53 rds dynamodb s3 s3control cloudfront cloudwatch logs sns sqs ssm secretsmanager kms lambda events"
        " scheduler stepfunctions sts iam elasticache cloudtrail resourcegroupstaggingapi acm".split(),
        "ministack",
    ),
}
# ministack stores no inverted or disabled health check, and does not know their status.
_HEALTH = "CreateHealthCheck GetHealthCheck ListHealthChecks UpdateHealthCheck DeleteHealthCheck GetHealthCheckStatus"
OPERATIONS: Mapping[tuple[str, str], str] = {
    **{("route53", canonical(name)): "moto" for name in _HEALTH.split()},
    # ministack takes no source in another region, and knows no promotion.
    ("rds", "createdbinstancereadreplica"): "moto",
    ("rds", "promotereadreplica"): "moto",
    ("rds", "switchoverreadreplica"): "moto",
}


@dataclass(frozen=True)
class Seen:
    """One request. `met` says what it met: an emulator's or a stand-in's name, "fault" or "nowhere". `status` is what
    was answered, 0 where nothing was."""

    at: float
    service: str
    region: str
    operation: str
    mutating: bool
    by: str
    met: str
    status: int


class Front(Watched[Seen]):
    """All of AWS. `outages` makes it fail; `seen` and `count` tell what it was asked."""

    def __init__(self, emulators: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        """emulators: the ports of "ministack" and "moto", or of one of them."""
        super().__init__()
        self._backends: dict[str, Answers] = {name: Upstream(port) for name, port in emulators.items()}
        self._mounted: dict[tuple[str, str], str] = {}
        self._clock = clock
        self._lock = threading.Lock()
        # Instances of clusters: they are where their cluster is. RDS has one API for both kinds.
        self._in_clusters: set[tuple[str, str]] = set()
        self.outages = Outages(clock)
        self._doors = [Door(self.answer)]

    @property
    def url(self) -> str:
        return self._doors[0].url

    @property
    def port(self) -> int:
        return self._doors[0].port

    def environment(self, url: str = "") -> Mapping[str, str]:
        """What the SDK is told. The key is the account's number, on which both emulators agree."""
        return sdk_environment(url or self.url, ACCOUNT)

    def door(self) -> Door:
        """Another address of the same AWS, which can be shut for itself: then connecting to it is refused."""
        made = Door(self.answer)
        self._doors.append(made)
        return made

    def serve(self, service: str, by: Answers | str, *operations: str, name: str = "stand-in") -> None:
        """From here on `by`, a stand-in or the name of an emulator, answers these operations of the service, or all."""
        if not isinstance(by, str):
            name = f"{name}:{service}"
            self._backends[name] = by
        else:
            name = by
        with self._lock:
            for operation in operations or ("",):
                self._mounted[service, canonical(operation)] = name

    def answer(self, request: Request) -> Answer | Lost:
        """What the client gets; see `wire.Door`."""
        what = asked(request)
        name = self._route(what, request)
        backend = self._backends.get(name)

        def forward(request: Request) -> Answer | Lost:
            if backend is None:
                said = f"No emulator serves {what.service} {what.operation} here."
                return refusal(what.service, "NoEmulator", 400, said)
            answer = backend(request)
            self.outages.remember(request, what, answer)
            return answer

        fault = self.outages.meeting(what)
        met = "fault" if fault else name if backend else "nowhere"
        began = self._clock()
        if fault:
            given = fault.happen(request, what, forward)
        else:
            given = forward(request)
        status = 0 if isinstance(given, Lost) else given.status
        one = Seen(began, what.service, what.region, what.operation, what.mutating, what.by, met, status)
        self.remember(one)
        return given

    @staticmethod
    def named(operation: str) -> str:
        return canonical(operation)

    def summary(self) -> dict[tuple[str, str, str], int]:
        """How often each (service, region, operation) was asked."""
        return dict(Counter((one.service, one.region, one.operation) for one in self.seen()))

    def close(self) -> None:
        for door in self._doors:
            door.shut()

    def _route(self, what: Asked, request: Request) -> str:
        operation = canonical(what.operation)
        with self._lock:
            mounted = self._mounted.get((what.service, operation)) or self._mounted.get((what.service, ""))
        if mounted:
            return mounted
        if what.service == "rds" and "DBInstance" in what.operation:
            return self._rds_instance(what, request)
        return OPERATIONS.get((what.service, operation)) or SERVICES.get(what.service, "")

    def _rds_instance(self, what: Asked, request: Request) -> str:
        """Clusters are ministack's, and so are their instances; other instances are moto's, and so are lists of all."""
        key = (what.region, request.form.get("DBInstanceIdentifier", "").rpartition(":")[2])
        with self._lock:
            if "DBClusterIdentifier" in request.form:
                self._in_clusters.add(key)
            return "ministack" if key in self._in_clusters else "moto"


@contextlib.contextmanager
def front(emulators: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> Iterator[Front]:
    made = Front(emulators, clock)
    try:
        yield made
    finally:
        made.close()


__all__ = ["ACCOUNT", "Fault", "Front", "Outages", "Seen", "front"]
