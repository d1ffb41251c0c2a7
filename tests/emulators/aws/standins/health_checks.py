"""moto's health checks, with what it leaves out: which routing control one stands for."""

from __future__ import annotations

import re

from tests.emulators.aws.wire import Answer, Answers, Lost, Request

OPERATIONS = ("CreateHealthCheck", "ListHealthChecks")
_ARN = re.compile(rb"<RoutingControlArn>[^<]+</RoutingControlArn>")
_ID = re.compile(rb"<HealthCheck>.*?<Id>([^<]+)</Id>", re.DOTALL)
_ONE = re.compile(rb"<HealthCheck>.*?</HealthCheck>", re.DOTALL)


class RoutingChecks:
    """Put in front of it: what was said when a check was made is said again when it is listed."""

    def __init__(self, upstream: Answers) -> None:
        self._upstream = upstream
        self._said: dict[bytes, bytes] = {}

    def answer(self, request: Request) -> Answer | Lost:
        given = self._upstream(request)
        if isinstance(given, Lost):
            return given
        arn = _ARN.search(request.body)
        made = _ID.search(given.body)
        if arn is not None and made is not None:
            self._said[made[1]] = arn[0]
        headers = tuple((name, value) for name, value in given.headers if name.lower() != "content-length")
        return Answer(given.status, headers, _ONE.sub(self._whole, given.body))

    def _whole(self, found: re.Match[bytes]) -> bytes:
        identifier = _ID.search(found[0])
        said = self._said.get(identifier[1], b"") if identifier else b""
        end = b"</HealthCheckConfig>"
        return found[0] if said in found[0] else found[0].replace(end, said + end)
