"""What goes wrong between a client and AWS, switched on and off while it runs.

A fault holds for the requests that it names, by region, service and operation; what it leaves out is any. Of several
that hold, the one that was added last counts.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.emulators.aws.asked import Asked, canonical, protocol
from tests.emulators.aws.refusals import refusal, throttled
from tests.emulators.wire import Answer, Answers, Lost, Request

# How many questions are remembered, and how many answers of each, so that they can be given again.
QUESTIONS_MAX = 4096
ANSWERS_MAX = 64
HELD_MAX = 1024


@dataclass
class Fault:
    """`happen(request, asked, forward)` is what a request meets. `hits` counts those that met it."""

    happen: Callable[[Request, Asked, Answers], Answer | Lost]
    region: str | None = None
    service: str | None = None
    operation: str | None = None
    mutating: bool | None = None
    after: int = 0
    times: int | None = None
    hits: int = 0
    lifted: bool = False
    held: list[tuple[Request, Answers]] = field(default_factory=list)
    _passed: int = 0

    def lift(self) -> None:
        """It no longer happens."""
        self.lifted = True

    def land(self) -> list[Answer | Lost]:
        """What was held (see `Outages.hold`) arrives now, and takes effect. Returns the answers that nobody hears."""
        held, self.held = self.held, []
        return [forward(request) for request, forward in held]

    def meets(self, asked: Asked) -> bool:
        """Whether this one request meets it. Counts; call it once for each."""
        if self.lifted or (self.times is not None and self.hits >= self.times):
            return False
        if self.region not in (None, asked.region) or self.service not in (None, asked.service):
            return False
        if self.operation is not None and canonical(self.operation) != canonical(asked.operation):
            return False
        if self.mutating not in (None, asked.mutating):
            return False
        if self._passed < self.after:
            self._passed += 1
            return False
        self.hits += 1
        return True


class Outages:
    """The faults of one front, and the answers that it may give again. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._said: OrderedDict[tuple[str, ...], deque[tuple[float, Answer]]] = OrderedDict()
        self._last: dict[tuple[str, str, str], Answer] = {}

    # Each takes region=, service=, operation=, mutating=, after= (so many are let through first), times=.

    def silence(self, **where: object) -> Fault:
        """A black hole: requests are taken, never answered, and have no effect."""
        return self._add(lambda request, asked, forward: Lost.SILENCE, where)

    def refuse(self, **where: object) -> Fault:
        """The connection is reset before anything was done. A client cannot know that from this alone; for a true
        refusal, which proves it, shut a door (`Front.door`)."""
        return self._add(lambda request, asked, forward: Lost.BROKEN, where)

    def throttle(self, **where: object) -> Fault:
        """The service's own error for too many requests. Nothing was done."""
        return self._add(lambda request, asked, forward: throttled(asked.service), where)

    def fail(self, code: str, status: int = 400, message: str = "", **where: object) -> Fault:
        """An error of that code, in the service's protocol. Nothing was done."""
        return self._add(lambda request, asked, forward: refusal(asked.service, code, status, message or code), where)

    def lose(self, how: str = "closed", **where: object) -> Fault:
        """The request takes effect, and its answer is lost: the connection is "closed", stays "silent", or what comes
        is a "busy" 503."""
        instead = {"closed": Lost.BROKEN, "silent": Lost.SILENCE, "busy": Answer(503)}[how]

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            forward(request)
            return instead

        return self._add(happen, where)

    def lie(self, **where: object) -> Fault:
        """Success is answered, without a word beside it, and nothing was done."""

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            if protocol(asked.service) in ("query", "ec2", "rest-xml"):
                name = asked.operation
                body = f"<{name}Response><{name}Result/></{name}Response>".encode()
                return Answer(200, (("Content-Type", "text/xml"),), body)
            return Answer(200, (("Content-Type", "application/json"),), b"{}")

        return self._add(happen, where)

    def hold(self, **where: object) -> Fault:
        """The client hears nothing, and nothing is done, until `land` of the fault that this returns: a call that was
        on its way for long."""

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            if len(fault.held) < HELD_MAX:
                fault.held.append((request, forward))
            return Lost.SILENCE

        fault = self._add(happen, where)
        return fault

    def stale(self, seconds: float, **where: object) -> Fault:
        """A read that was asked before is answered as it was then: with the oldest answer of the last `seconds`."""

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            with self._lock:
                since = self._clock() - seconds
                said = self._said.get(_question(request, asked), ())
                old = next((answer for at, answer in said if at >= since), None)
            return old or forward(request)

        return self._add(happen, {**where, "mutating": False})

    def cut(self, **where: object) -> Fault:
        """The answer breaks off in the middle of its body. The request takes effect."""

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            whole = forward(request)
            if isinstance(whole, Lost):
                return whole
            headers = tuple((name, value) for name, value in whole.headers if name.lower() != "content-length")
            return Answer(whole.status, headers, whole.body, cut=len(whole.body) // 2)

        return self._add(happen, where)

    def repeat_page(self, **where: object) -> Fault:
        """Whatever page is asked for, the last answer of that operation comes again, with its token."""

        def happen(request: Request, asked: Asked, forward: Answers) -> Answer | Lost:
            with self._lock:
                last = self._last.get((asked.service, asked.region, canonical(asked.operation)))
            return last or forward(request)

        return self._add(happen, {**where, "mutating": False})

    def heal(self) -> None:
        """All faults are gone."""
        with self._lock:
            self._faults.clear()

    def forget(self) -> None:
        """Faults and remembered answers are gone."""
        with self._lock:
            self._faults.clear()
            self._said.clear()
            self._last.clear()

    def meeting(self, asked: Asked) -> Fault | None:
        with self._lock:
            return next((fault for fault in reversed(self._faults) if fault.meets(asked)), None)

    def remember(self, request: Request, asked: Asked, answer: Answer | Lost) -> None:
        """An answer of the emulator, which may be given again."""
        if isinstance(answer, Lost) or asked.mutating or answer.status >= 300:
            return
        key = _question(request, asked)
        with self._lock:
            self._said.setdefault(key, deque(maxlen=ANSWERS_MAX)).append((self._clock(), answer))
            self._said.move_to_end(key)
            while len(self._said) > QUESTIONS_MAX:
                self._said.popitem(last=False)
            self._last[asked.service, asked.region, canonical(asked.operation)] = answer

    def _add(self, happen: Callable[[Request, Asked, Answers], Answer | Lost], where: dict[str, object]) -> Fault:
        fault = Fault(happen, **where)  # type: ignore[arg-type]
        with self._lock:
            self._faults.append(fault)
        return fault


def _question(request: Request, asked: Asked) -> tuple[str, ...]:
    """The same whoever asks: the answer does not depend on it."""
    return asked.service, asked.region, asked.operation, request.target, request.body.decode("latin-1")
