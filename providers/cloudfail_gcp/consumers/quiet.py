"""What the receiver itself says: whether anything is still delivered to it.

A control plane that says "paused" tells what was ordered. What comes in is known where it comes in. So a member may
name a URL of the receiver that serves only while nothing has come for as long as the site thinks long enough. Where it
does not serve, or does not answer, that is unknown: neither on nor off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from cloudfail.model.observation import Health
from cloudfail.probes import http
from cloudfail.probes.look import Ask, answer
from cloudfail.probes.reach import ALLOW_LOOPBACK


def not_quiet(url: str, *, within: float, environment: Mapping[str, str] = os.environ) -> str:
    """Why the receiver cannot be taken for quiet, "" where it says that it is. Called from a thread without an event
    loop of its own."""
    loopback = environment.get(ALLOW_LOOPBACK) == "1"
    ask = Ask("http", url, within, expect_status=tuple(range(200, 300)), loopback=loopback)
    said = asyncio.run(answer(ask, http.look))
    if said.health is Health.HEALTHY:
        return ""
    return f"what receives does not say that it is quiet ({url}: {said.detail})"
