"""A service of AWS that no emulator has, served from botocore's own model of it.

Only the state machine is ours: an object with a method for each operation, named as boto3 names it. Requests are
decoded, and what it answers is encoded, by the model's shapes; both are validated against them, by botocore's own
validator and by what that leaves out (enumerations, patterns, upper limits). An offence, whoever made it, is noted in
`mistakes`, and the fixture that makes stand-ins fails the test for it. What is proven so is the wire: the meaning is
our reading of AWS's documentation.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from botocore import xform_name
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.emulators.aws import encoding
from tests.emulators.aws.asked import Asked, asked, canonical
from tests.emulators.aws.refusals import refusal
from tests.emulators.wire import Answer, Door, Lost, Request

# Errors of every service, which no model declares for each operation.
COMMON = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    # Neptune user guide, "Neptune engine error codes": of every query that would write on a reader.
    "ReadOnlyViolationException": 400,
    "ServiceUnavailable": 503,
    "SubscriptionRequiredException": 400,  # Health's, by its user guide; its model has no such shape
    "Throttling": 400,
    "ThrottlingException": 400,
    "ValidationError": 400,
    "ValidationException": 400,
}


class Refused(Exception):
    """What a state machine raises: an error of the model, by the name of its shape, or one of `COMMON`."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.members = code, message, members


class Hours(Protocol):
    """Time as a state machine has it. cloudfail.testing.VirtualClock fulfils it, for tests in virtual time."""

    def boot(self) -> float: ...

    def at(self, seconds_from_now: float, call: Callable[[], None]) -> None: ...


class RealHours:
    """Time as it passes. What is due runs on a thread of its own, which ends with the test run."""

    def boot(self) -> float:
        return time.monotonic()

    def at(self, seconds_from_now: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds_from_now, call)
        timer.daemon = True
        timer.start()


class StandIn:
    """One service. `answer` may be mounted in a front, or have doors of its own. One call at a time: a state machine
    needs no locks; several stand-ins of one state machine share a `lock`. `before` is asked about each call, and may
    refuse it (raise `Refused`)."""

    def __init__(
        self,
        service: str,
        machine: Any,
        before: Callable[[Asked], None] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.service = service
        self.machine = machine
        self.mistakes: list[str] = []
        self._before = before
        self._lock = lock or threading.RLock()
        self._model = _model(service)
        self._doors: list[Door] = []

    def door(self) -> Door:
        made = Door(self.answer)
        self._doors.append(made)
        return made

    def close(self) -> None:
        for door in self._doors:
            door.shut()

    def answer(self, request: Request) -> Answer | Lost:
        what = asked(request)
        method = getattr(self.machine, xform_name(what.operation), None) if what.operation else None
        if what.operation not in self._model.operation_names or method is None:
            return refusal(self.service, "InvalidAction", 400, f"The stand-in has no {what.operation or 'such call'}.")
        operation = self._model.operation_model(what.operation)
        try:
            parameters = encoding.parameters(self.service, operation, request)
            wrong = offences(operation.input_shape, parameters)
        except encoding.Unreadable as error:
            parameters, wrong = {}, [str(error)]
        if wrong:
            self._note(what, "request", wrong)
            return refusal(self.service, "ValidationException", 400, "; ".join(wrong))
        try:
            with self._lock:
                if self._before is not None:
                    self._before(what)
                given = method(parameters, what) or {}
        except Refused as refused:
            return self._refusal(what, operation, refused)
        except Exception as error:
            self._note(what, "state machine", [f"{type(error).__name__}: {error}"])
            return refusal(self.service, "InternalFailure", 500, str(error))
        wrong = offences(operation.output_shape, given)
        if wrong:
            self._note(what, "answer", wrong)
            return refusal(self.service, "InternalFailure", 500, "; ".join(wrong))
        return encoding.result(self.service, operation, given)

    def _refusal(self, what: Asked, operation: Any, refused: Refused) -> Answer:
        shape = next((one for one in operation.error_shapes if one.name == refused.code), None)
        if shape is None:
            if refused.code not in COMMON:
                self._note(what, "error", [f"{refused.code} is no error of this operation"])
            return refusal(self.service, refused.code, COMMON.get(refused.code, 400), refused.message)
        wrong = offences(shape, {**refused.members, **dict.fromkeys(_required_texts(shape), refused.message)})
        if wrong:
            self._note(what, "error", wrong)
        error = shape.metadata.get("error", {})
        status = error.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
        return refusal(self.service, error.get("code", shape.name), status, refused.message, **refused.members)

    def _note(self, what: Asked, side: str, wrong: list[str]) -> None:
        self.mistakes += [f"{self.service}.{what.operation}, the {side}: {one}" for one in wrong]


def _required_texts(shape: Any) -> list[str]:
    return [name for name in shape.required_members if canonical(name) == "message"]


@functools.cache
def _model(service: str) -> Any:
    return Session().get_service_model(service)


def offences(shape: Any, value: Any) -> list[str]:
    """What in `value` is not as the shape says; empty where all is well."""
    if shape is None:
        return [f"unexpected {name}" for name in value]
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [line for line in report.generate_report().splitlines() if line.strip()]
    return list(_left_out(shape, value, ""))


def _left_out(shape: Any, value: Any, where: str) -> Any:
    """What botocore's validator does not look at."""
    if getattr(shape, "is_document_type", False):
        return
    match shape.type_name:
        case "structure":
            for name, one in value.items():
                yield from _left_out(shape.members[name], one, f"{where}.{name}")
        case "list":
            for number, one in enumerate(value):
                yield from _left_out(shape.member, one, f"{where}[{number}]")
        case "map":
            for name, one in value.items():
                yield from _left_out(shape.value, one, f"{where}.{name}")
    limits = shape.metadata
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{where} is {value!r}, not one of {', '.join(shape.enum)}"
        pattern = _compiled(limits.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            yield f"{where} is {value!r}, which is not {limits['pattern']}"
    if "max" in limits:
        if shape.type_name in ("integer", "long", "float", "double"):
            if value > limits["max"]:
                yield f"{where} is {value}, more than {limits['max']}"
        elif shape.type_name in ("string", "list", "map") and len(value) > limits["max"]:
            yield f"{where} is longer than {limits['max']}"


@functools.cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """None for what is no pattern of Python's: the models are written in Java's."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None
