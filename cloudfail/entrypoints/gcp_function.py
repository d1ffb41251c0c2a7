"""Google Cloud Functions (and Cloud Run): `tick_http` for Cloud Scheduler, `tick_event` for an alert by Pub/Sub;
`approve_http`, deployed as a function of its own, for approvals.

The platform says nothing of the time that is left, so CLOUDFAIL_LIMIT_SECONDS must be what the function was deployed
with. Who may call it is the platform's business (the invoker role); what a caller says is not believed (serving.py).
"""

from __future__ import annotations

import uuid
from typing import Any

from cloudfail.entrypoints.serving import limit_seconds, telling, tick, ticked_by_http, write_line

LIMIT_SECONDS = 60.0
"""Cloud Functions' own default."""

TICK_SECONDS_MAX = 55.0


def tick_http(request: Any) -> tuple[dict[str, Any], int]:
    return ticked_by_http(request.method, _tick)


def approve_http(request: Any) -> tuple[dict[str, Any], int]:
    """Approvals, in a function of their own (approving.py)."""
    from cloudfail.entrypoints.approving import answer

    return answer(request.method, request.args.to_dict(), request.get_data())


def tick_event(_event: Any) -> None:
    """One tick, for a CloudEvent. Raises where nothing could be looked at, so that the event is delivered again."""
    with telling():
        write_line({"event": "ticked", **_tick()})


def _tick() -> dict[str, Any]:
    return tick(min(limit_seconds(LIMIT_SECONDS), TICK_SECONDS_MAX), by=f"function-{uuid.uuid4().hex[:8]}")
