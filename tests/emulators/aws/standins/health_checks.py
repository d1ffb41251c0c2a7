"""Health checks of the emulators, put right where AWS says otherwise."""

from __future__ import annotations

import re

from tests.emulators.wire import Answer, Answers, Lost, Request

OPERATIONS = ("CreateHealthCheck", "ListHealthChecks")
_ARN = re.compile(rb"<RoutingControlArn>[^<]+</RoutingControlArn>")
_ID = re.compile(rb"<HealthCheck>.*?<Id>([^<]+)</Id>", re.DOTALL)
_ONE = re.compile(rb"<HealthCheck>.*?</HealthCheck>", re.DOTALL)


class RoutingChecks:
    """In front of moto, which forgets which routing control a check stands for: it is said again when listed."""

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


def as_aws_says_it(upstream: Answers) -> Answers:
    """ministack's, which says True where AWS says true: the SDK reads that as false."""

    def answer(request: Request) -> Answer | Lost:
        given = upstream(request)
        if isinstance(given, Lost):
            return given
        headers = tuple((name, value) for name, value in given.headers if name.lower() != "content-length")
        return Answer(given.status, headers, given.body.replace(b">True<", b">true<").replace(b">False<", b">false<"))

    return answer
