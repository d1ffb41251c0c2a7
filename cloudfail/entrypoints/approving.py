"""The approvals' own function: it hands out the text that is to be signed, and takes it back signed. Nothing else.

It runs under an identity of its own, which may read and append to the log and can reach nothing that a run changes; so
whoever may wake the runner approves nothing by that, and whoever runs this one moves nothing. What lets a gate pass is
the signature by a key of `policy.approvers`; who may call it is the platform's business, as a second lock. Without such
keys it refuses everything: a name in a request is no approval.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudfail.entrypoints.serving import CONFIG, said_of_error, telling
from cloudfail.errors import CloudfailError, ConfigError, Refused, StoreUnavailable

BODY_BYTES_MAX = 1 << 17
BY = "approvals function"
Answer = tuple[dict[str, Any], int]


def answer(method: str, query: Mapping[str, str], body: bytes) -> Answer:
    """GET ?run=&gate=&loss_seconds=&capacity=80%25&accept_owed_fence=yes&own_run=yes&for=15m: the text to sign, and
    where the run stands. POST {"document", "signature", "reason"}: the approval. Status: 200; 400 for what is no such
    request; 403 for a signature that does not hold; 409 for an approval that does not count, or where nothing waits for
    one; 503 where nothing could be looked at."""
    try:
        with telling():
            match method.upper():
                case "GET":
                    return _to_sign(query)
                case "POST":
                    return _approve(body)
        return {"happened": "Ask with GET for the text, and POST it signed.", "true_now": "Nothing was approved."}, 405
    except _NotARequest as error:
        return said_of_error(error), 400
    except (StoreUnavailable, ConfigError) as error:
        return said_of_error(error), 503
    except CloudfailError as error:
        return said_of_error(error), 409


class _NotARequest(Refused):
    """The request does not say what it should."""


def _app() -> Any:
    from cloudfail.entrypoints.files import open_application

    config = Path(os.environ.get(CONFIG, "cloudfail.yaml"))
    app = open_application(config, sorted((config.parent / "runbooks").glob("*.yaml")), BY)
    if app.approvers is None:
        raise Refused(
            f"{app.topology.application} lists nobody whose signature counts (policy.approvers).",
            "Nothing was approved.",
            "List keys there; until then people approve from a terminal: cloudfail approve",
        )
    return app


def _to_sign(query: Mapping[str, str]) -> Answer:
    from cloudfail.config import durations
    from cloudfail.report.run import headline
    from cloudfail.signing import Namespace

    try:
        loss = float(query["loss_seconds"]) if query.get("loss_seconds") else None
        seconds = durations.parse(query.get("for") or "15m")
        if loss is not None and not 0.0 <= loss < float("inf"):
            raise ValueError("a loss is a number of seconds")
    except ValueError as error:
        raise _NotARequest(
            f"The request cannot be read: {error}.", "Nothing was approved.", "Write loss_seconds=30&for=15m."
        ) from error
    app = _app()
    run = app.run(query.get("run") or None)
    approval = app.to_sign(
        run=run.id,
        seconds=seconds,
        gate=query.get("gate", ""),
        accept_owed_fence=query.get("accept_owed_fence") == "yes",
        loss_seconds=loss,
        capacity=query.get("capacity", ""),
        own_run=query.get("own_run") == "yes",
    )
    return {
        "run": run.id,
        "stands": headline(run),
        "because": run.halted_because,
        "document": approval.text(),
        "sign": f"ssh-keygen -Y sign -n {Namespace.APPROVAL} -f KEY FILE",
    }, 200


def _approve(body: bytes) -> Answer:
    from cloudfail.approval import Approval, BadSignature
    from cloudfail.execution.gates import still_missing
    from cloudfail.execution.lifecycle import Event

    try:
        if len(body) > BODY_BYTES_MAX:
            raise ValueError("it is too large")
        said = json.loads(body)
        document, signature, reason = (str(said[name]) for name in ("document", "signature", "reason"))
    except (ValueError, KeyError, TypeError) as error:
        raise _NotARequest(
            f"The request cannot be read: {type(error).__name__} {error}.",
            "Nothing was approved.",
            'POST {"document": TEXT, "signature": TEXT, "reason": TEXT}.',
        ) from error
    app = _app()
    try:
        approval = Approval.parse(document)
        state = app.command(approval.run, Event.APPROVE, reason, document=document, signature=signature)
    except BadSignature as error:
        return said_of_error(error), 403
    counted = bool(state.approvals)
    return {
        "run": state.id,
        "phase": str(state.phase),
        "said": state.story[-1].text,
        "still_missing": still_missing(state) if counted else "",
    }, 200
