"""What answers through a path that was led somewhere: a TCP connection from here, and what is heard on it; or one GET.

That a connection is accepted says that something is there, and not what: a region that was left may answer at the same
address. So it may be said what must be heard, a server's greeting (`SSH-2.0`, `220 west`), within the first bytes that
it sends by itself. Nothing is sent. It is asked from where cloudfail runs, and says nothing of other places.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from cloudfail.model.observation import Health, Known, Unknown
from cloudfail.model.states import Reached
from cloudfail.probes import http
from cloudfail.probes.look import Ask, DidNotServe, Phases, answer, connect
from cloudfail.probes.reach import ALLOW_LOOPBACK
from cloudfail.probes.tcp import place

HEARD_BYTES_MAX = 1024


def through(
    target: str,
    says: str | None,
    *,
    within_seconds: float,
    local: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Known[Reached] | Unknown:
    """Whether `target` (host:port) answers, and says that, if anything is expected. Unknown: it is our own trouble (no
    route from here, a resolver). local: this machine itself may be meant, as in a region of the local provider. Called
    from a thread without an event loop of its own."""
    at = time.time()
    loopback = local or environment.get(ALLOW_LOOPBACK) == "1"
    ask = Ask("tcp", target, within_seconds, expect_body=says, loopback=loopback)
    said = asyncio.run(answer(ask, _heard))
    if said.health is Health.UNKNOWN:
        return Unknown(f"{target}: {said.detail}", at)
    return Known(Reached(said.health is Health.HEALTHY, f"{target} {said.detail}"), at)


def serves(
    url: str, *, within_seconds: float, local: bool = False, environment: Mapping[str, str] = os.environ
) -> Known[Reached] | Unknown:
    """Whether one GET of `url` is answered with a status of 2xx or 3xx. The rest as `through`."""
    at = time.time()
    loopback = local or environment.get(ALLOW_LOOPBACK) == "1"
    said = asyncio.run(answer(Ask("http", url, within_seconds, loopback=loopback), http.look))
    if said.health is Health.UNKNOWN:
        return Unknown(f"{url}: {said.detail}", at)
    return Known(Reached(said.health is Health.HEALTHY, f"{url} {said.detail}"), at)


def no_url(text: str) -> str:
    """Why this is no URL that `serves` asks, "" where it is one."""
    try:
        http.parse(text)
    except ValueError as error:
        return str(error)
    return ""


def no_target(text: str) -> str:
    """Why this is no target, "" where it is one."""
    try:
        place(text)
    except ValueError as error:
        return str(error)
    return ""


async def _heard(ask: Ask, phases: Phases) -> str:
    host, port = place(ask.target)
    sock = await connect(host, port, phases, ask.timeout_seconds, loopback=ask.loopback)
    with sock:
        if ask.expect_body is None:
            return "answers"
        phases.enter("greeting")
        heard, loop = b"", asyncio.get_running_loop()
        while len(heard) < HEARD_BYTES_MAX:
            chunk = await loop.sock_recv(sock, HEARD_BYTES_MAX - len(heard))
            heard += chunk
            if ask.expect_body.encode() in heard:
                return f"answers, and says {ask.expect_body!r}"
            if not chunk:
                break
        raise DidNotServe(f"answers, and does not say {ask.expect_body!r}")
