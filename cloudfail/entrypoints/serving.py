"""One scheduled tick within somebody's time limit: what the clouds' functions do.

An event is a reason to look, and never evidence: whatever it says, this process looks for itself. So a forged or a
repeated event costs a tick, and changes nothing.

Everything is opened anew for each event, also where the platform kept the process: what an earlier tick knew is
dropped, and the lease is claimed anew. A process whose calls have not all come back is ended instead of being frozen
with them: thawed an hour later, a call would go on where it stood, between its last check and the wire.
"""

from __future__ import annotations

import contextlib
import json
import os
import site
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudfail.anchoring import WAIT_SECONDS
from cloudfail.engine import CALL_SHARE
from cloudfail.errors import CloudfailError, Refused
from cloudfail.secrecy import redacted, redacted_all

if TYPE_CHECKING:
    from cloudfail.app import App
    from cloudfail.watcher import Moment

CONFIG = "CLOUDFAIL_CONFIG"
LIMIT = "CLOUDFAIL_LIMIT_SECONDS"
MARGIN_SECONDS = 3.0
"""For what stands behind the last call: the result's append, the release, and ending the observers."""

Say = Callable[[Mapping[str, Any]], None]


def limit_seconds(default: float) -> float:
    """How long the platform lets an event take, where it does not say so itself. Raises Refused for what is no time."""
    said = os.environ.get(LIMIT) or str(default)
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise Refused(
            f"{LIMIT} is {said!r}, which is no number of seconds.",
            "Nothing was looked at.",
            f"Set it to what the function was deployed with, such as {LIMIT}={default:g}.",
        )
    return seconds


def tick(seconds: float, *, by: str, say: Say | None = None) -> dict[str, Any]:
    """Watch, decide and carry on for as long as fits into `seconds`; what stands then is returned, and goes on with the
    next tick, or by hand from anywhere. The files are those of CLOUDFAIL_CONFIG and runbooks/ beside it, or those of
    the signed CLOUDFAIL_BUNDLE.

    Raises what opening the files and the store raises (ConfigError, Refused, StoreUnavailable)."""
    from cloudfail.entrypoints.files import open_application
    from cloudfail.report.run import told_once
    from cloudfail.watcher import Watcher

    say = say or write_line
    _lead_children_to_us()
    config = Path(os.environ.get(CONFIG, "cloudfail.yaml"))
    runbooks = sorted((config.parent / "runbooks").glob("*.yaml"))
    app = open_application(config, runbooks, f"{by}@{socket.gethostname()}")
    began = app.clock.boot()
    longest_call = app.topology.policy.lease_seconds * CALL_SHARE
    app.over_by = began + seconds - MARGIN_SECONDS
    app.notify = told_once(
        lambda entry, line: say({"event": "entry", "seq": entry.seq, "said": line}), since=app.log().seq
    )
    if app.anchoring is not None:
        app.anchoring.tell = lambda line: say({"event": "anchors", "said": line})
    app.make_anchors()
    # The last call begins early enough to come back: within half of the time, where the whole is short.
    until = max(began + seconds / 2, app.over_by - longest_call)
    try:
        Watcher(app, lambda moment: say(_said_of(moment))).run(until=min(until, app.over_by))
    finally:
        _end_if_calls_are_out(app, say)
    for line in app.settle_anchors(min(WAIT_SECONDS, max(0.0, began + seconds - 1.0 - app.clock.boot()))):
        say({"event": "anchors", "said": line})
    return _standing(app, app.clock.boot() - began)


def _lead_children_to_us() -> None:
    """The platform puts an archive on the search path of this process alone: without more, the observers, which are
    processes of their own, would not find cloudfail, and a vantage that cannot look sees no loss."""
    root = str(Path(__file__).resolve().parents[2])
    if root in site.getsitepackages():
        return  # where every interpreter looks, and after its own library
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if root not in given:
        os.environ["PYTHONPATH"] = os.pathsep.join([*given, root])


def _end_if_calls_are_out(app: App, say: Say) -> None:
    if app.calls_out:
        say({"event": "ended", "reason": f"{app.calls_out} calls have not come back; this process is not kept."})
        sys.stdout.flush()
        os._exit(70)


def _standing(app: App, took: float) -> dict[str, Any]:
    log = app.log()
    run = log.run
    return {
        "application": app.topology.application,
        "primary": app.primary,
        "run": run.id if run else None,
        "phase": str(run.phase) if run else None,
        "waits_for": run.to_do if run and not run.phase.may_act else "",
        "obligations": len(log.obligations),
        "head": app.head,
        "anchors_owed": app.anchoring.owed if app.anchoring is not None else None,
        "seconds": round(took, 1),
    }


def _said_of(moment: Moment) -> dict[str, Any]:
    decision = moment.decision
    return {
        "event": "decision",
        "decision": str(decision.kind),
        "source": decision.source,
        "target": decision.target,
        "reasons": list(decision.reasons),
        "to_do": decision.to_do,
    }


def write_line(said: Mapping[str, Any]) -> None:
    """One JSON object to standard output, which the platforms keep as a log entry."""
    sys.stdout.write(json.dumps(redacted_all(dict(said)), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def said_of_error(error: CloudfailError) -> dict[str, Any]:
    """An error's three sentences, for the platform's log and for whoever asked."""
    said = {"error": type(error).__name__, "happened": error.happened, "true_now": error.true_now, "to_do": error.to_do}
    return {name: redacted(text) for name, text in said.items()}


def ticked_by_http(method: str, one_tick: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """One tick, for a POST: what stands then. 503 where nothing could be looked at: the scheduler retries, and its
    alert hears of it."""
    if method.upper() != "POST":
        return {"happened": "A tick is asked for with POST.", "true_now": "Nothing was looked at."}, 405
    try:
        with telling():
            return one_tick(), 200
    except CloudfailError as error:
        return said_of_error(error), 503


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """What is raised inside leaves without secrets: the platform logs it, and answers with it. An error of ours is told
    as a line of the log too; what we did not foresee is raised anew, with the place where it happened."""
    try:
        yield
    except CloudfailError as error:
        write_line(said_of_error(error))
        error.happened, error.true_now, error.to_do = (
            redacted(text) for text in (error.happened, error.true_now, error.to_do)
        )
        error.args = (error.happened,)
        raise error from None
    except Exception as error:  # noqa: BLE001 - it is raised again
        unforeseen = RuntimeError(redacted(f"{type(error).__name__}: {error}"))
        raise unforeseen.with_traceback(error.__traceback__) from None
