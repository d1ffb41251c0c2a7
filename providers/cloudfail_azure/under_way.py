"""What Resource Manager says of a change that takes its time: an operation, which is not the change.

An operation that succeeded completes nothing here: what is read from the resource, or from the data plane, counts. It
is looked at for one thing: whether what was just ordered has failed already, so that the error is told at once and in
the cloud's own words. Both styles are known (learn.microsoft.com/azure/azure-resource-manager/management/
async-operations): `Azure-AsyncOperation` names a status to ask for, `Location` answers 202 until the end.
"""

from __future__ import annotations

from cloudfail.errors import CloudfailError
from cloudfail_azure import arm_errors as errors
from cloudfail_azure.asking import Asking, Reply

POLL_SECONDS = 1.0
POLL_SECONDS_MAX = 10.0
_WELL = "succeeded"
_ENDED_BADLY = ("failed", "canceled", "cancelled")


def followed(asking: Asking, region: str, reply: Reply, what: str, *, within: float) -> bool:
    """Look at the operation that an order began, until it ends or `within` seconds are over. True: it succeeded, or
    there is none. False: it still runs, or nobody can say; the resource itself is looked at next. Raises what its error
    is classed as if it failed or was cancelled."""
    status_at = reply.headers.get("azure-asyncoperation", "")
    answer_at = reply.headers.get("location", "") if reply.status == 202 else ""
    if not (status_at or answer_at):
        return True
    until, pause = asking.clock.boot() + within, pause_after(reply)
    while (left := asking.left_until(until)) > 0:
        asking.clock.sleep(min(pause, left))
        if (left := asking.left_until(until)) <= 0:
            return False
        try:
            looked = asking.read_reply(region, status_at or answer_at, "", within=left)
        except CloudfailError as error:
            failed = None if status_at else _as_failed(error, what)
            if failed is None:
                return False  # the operation's own place does not answer: that is no word on the operation
            raise failed from error
        if status_at:
            status = str(looked.body.get("status", "")).lower()
            if status == _WELL:
                return True
            if status in _ENDED_BADLY:
                raise errors.from_operation(status, looked.body.get("error"), what)
        elif looked.status != 202:
            return True
        pause = pause_after(looked)
    return False


def _as_failed(error: CloudfailError, what: str) -> CloudfailError | None:
    """In the style `Location` an operation that failed answers with its error, as if the request had been refused. None
    where what came is of the question and not of the operation."""
    said = error.__cause__.said if isinstance(error.__cause__, errors.Answered) else None
    if said is None or said.throttled or said.status >= 500 or said.status in (401, 403):
        return None
    return errors.from_operation("failed", {"code": said.code, "message": said.message}, what)


def pause_after(reply: Reply) -> float:
    """Retry-After in seconds; 0 and nothing are "as you like"."""
    said = reply.headers.get("retry-after", "")
    return min(float(said), POLL_SECONDS_MAX) if said.isdigit() and said != "0" else POLL_SECONDS
