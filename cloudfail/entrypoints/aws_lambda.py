"""AWS Lambda: `cloudfail.entrypoints.aws_lambda.handler`, called by EventBridge Scheduler, or by an alarm's event;
`approve_handler`, a function of its own behind a URL or an HTTP API, for approvals (approving.py).

An alarm wakes it earlier than the schedule would; what it says is not believed (serving.py). Lambda retries an event
whose handler failed, and may deliver one twice: of two ticks one holds the lease, and the other leaves.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Protocol

from cloudfail.entrypoints.files import from_archive
from cloudfail.entrypoints.serving import telling, tick

TICK_SECONDS_MAX = 55.0
"""A schedule ticks once a minute at best: longer would only overlap with the next one."""


class Context(Protocol):
    """What Lambda tells of one invocation (docs.aws.amazon.com, "AWS Lambda context object in Python")."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(_event: Any, context: Context) -> dict[str, Any]:
    """One tick. Fails where nothing could be looked at, so that the platform counts it and the alarm hears of it."""
    left = context.get_remaining_time_in_millis() / 1000.0
    with telling():
        _find_the_bundle()
        return tick(min(left, TICK_SECONDS_MAX), by=f"lambda-{context.aws_request_id[:8]}")


def approve_handler(event: Any, _context: Context) -> dict[str, Any]:
    """One request, as function URLs and HTTP APIs hand it on (payload format 2.0)."""
    from cloudfail.entrypoints.approving import answer

    _find_the_bundle()
    request = event.get("requestContext", {}).get("http", {})
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    said, status = answer(str(request.get("method", "")), event.get("queryStringParameters") or {}, raw)
    headers = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(said, ensure_ascii=False)}


def _find_the_bundle() -> None:
    """Where an archive was unzipped is the platform's to say."""
    root = os.environ.get("LAMBDA_TASK_ROOT")
    if root:
        from_archive(Path(root))
