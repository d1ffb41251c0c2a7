"""Azure Functions: `tick` by the timer, each minute, and `tick_http` for an alert's action group, or by hand.

`function_app()` is what the platform indexes (its Python programming model v2); `approvals_app()` is a function app of
its own, for approvals. The platform says nothing of the time that is left, so CLOUDFAIL_LIMIT_SECONDS must be the
functionTimeout of host.json. Who may call it is the platform's business (the function's key); what a caller says is not
believed (serving.py). Of two ticks at once, in one process or in two, one holds the lease, and the other leaves.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from cloudfail.entrypoints.serving import limit_seconds, telling, tick, ticked_by_http, write_line

EVERY_MINUTE = "0 * * * * *"
"""NCRONTAB: its first field is the second."""
LIMIT_SECONDS = 60.0
"""functionTimeout in the host.json of the archive."""
TICK_SECONDS_MAX = 55.0
DOOR = "CLOUDFAIL_DOOR"


def function_app() -> Any:
    """The two functions, as azure.functions has them. Missed minutes are not made up for: a late tick is one tick."""
    import azure.functions as functions  # noqa: PLR0402 (a namespace: mypy knows no `functions` in it)

    app: Any = functions.FunctionApp()

    # The worker reads annotations as bindings' types. So these two have none.
    @app.function_name("tick")
    @app.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE, use_monitor=False)
    def on_timer(timer):  # type: ignore[no-untyped-def]  # noqa: ARG001
        tick_timer()

    @app.function_name("tick_http")
    @app.route(route="tick", trigger_arg_name="request", auth_level=functions.AuthLevel.FUNCTION)
    def on_request(request):  # type: ignore[no-untyped-def]
        said, status = tick_http(request.method)
        return functions.HttpResponse(
            json.dumps(said, ensure_ascii=False), status_code=status, mimetype="application/json"
        )

    return app


def approvals_app() -> Any:
    """Approvals, in a function app of their own (approving.py): CLOUDFAIL_DOOR=approvals."""
    import azure.functions as functions  # noqa: PLR0402

    from cloudfail.entrypoints.approving import answer

    app: Any = functions.FunctionApp()

    @app.function_name("approve")
    @app.route(route="approve", trigger_arg_name="request", auth_level=functions.AuthLevel.FUNCTION)
    def on_request(request):  # type: ignore[no-untyped-def]
        said, status = answer(request.method, dict(request.params), request.get_body())
        return functions.HttpResponse(
            json.dumps(said, ensure_ascii=False), status_code=status, mimetype="application/json"
        )

    return app


def chosen_app() -> Any:
    """What the archive's function_app.py holds: one archive serves both, each under an identity of its own."""
    return approvals_app() if os.environ.get(DOOR) == "approvals" else function_app()


def tick_timer() -> None:
    """One tick. Raises where nothing could be looked at, so that the platform counts a failure and its alert hears."""
    with telling():
        write_line({"event": "ticked", **_tick()})


def tick_http(method: str) -> tuple[dict[str, Any], int]:
    return ticked_by_http(method, _tick)


def _tick() -> dict[str, Any]:
    return tick(min(limit_seconds(LIMIT_SECONDS), TICK_SECONDS_MAX), by=f"function-{uuid.uuid4().hex[:8]}")
