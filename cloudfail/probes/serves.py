"""Whether a URL serves, for those who ask it on their own account and not as a check: one GET, as http.py makes it.

It is asked from where cloudfail runs, and says nothing of other places.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from cloudfail.model.observation import Health, Known, Unknown
from cloudfail.model.states import Reached
from cloudfail.probes import http
from cloudfail.probes.look import Ask, answer
from cloudfail.probes.reach import ALLOW_LOOPBACK

SUCCESS = tuple(range(200, 300))


def serves(url: str, *, within_seconds: float, environment: Mapping[str, str] = os.environ) -> Known[Reached] | Unknown:
    """Whether `url` is answered with success (2xx). Unknown: it is our own trouble (no route from here, a resolver).
    Called from a thread without an event loop of its own."""
    at = time.time()
    ask = Ask("http", url, within_seconds, expect_status=SUCCESS, loopback=environment.get(ALLOW_LOOPBACK) == "1")
    said = asyncio.run(answer(ask, http.look))
    if said.health is Health.UNKNOWN:
        return Unknown(f"{url}: {said.detail}", at)
    return Known(Reached(said.health is Health.HEALTHY, f"{url}: {said.detail}"), at)


def no_url(text: str) -> str:
    """Why this is no URL that can be asked, "" where it is one."""
    try:
        http.parse(text)
    except ValueError as error:
        return str(error)
    return ""
