"""What the data plane of Cosmos DB answers, as the four classes that decide about a retry.

A test stands behind every row. A 403 is told apart by its sub-status (the header `x-ms-substatus`): 3 and 1008 are
words about the region, not about whoever asks. Sources: "HTTP status codes for Azure Cosmos DB"; the sub-statuses, as
Microsoft's own clients name them, WriteForbidden and DatabaseAccountNotFound (azure-cosmos-dotnet-v3,
ForbiddenSubStatusCode).
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_azure.arm_errors import Answered, Refusal
from cloudfail_azure.errors import Classified, _Class

WRITE_FORBIDDEN, NOT_SERVED = "3", "1008"
STATUS: Mapping[int, _Class] = {
    400: Permanent,
    401: Permanent,  # the token, or the clock that stands in it
    403: Permanent,  # no role in the account's own RBAC, or a network that is not let in
    404: Permanent,
    408: OutcomeUnknown,
    409: Conflict,  # a document of that id is there
    412: Conflict,  # an ETag that is no longer so
    413: Permanent,
    423: Transient,  # the container is being scaled
    429: Transient,
    449: Transient,  # "retry with": a write of the same document was under way, and this one had no effect
    500: OutcomeUnknown,
    503: OutcomeUnknown,
}


class TakesNoWrites(Exception):
    """The region said that it is not where writes go. gone: it is no region of the account at all."""

    def __init__(self, words: str, *, gone: bool) -> None:
        super().__init__(words)
        self.gone = gone


def from_answer(
    status: int, substatus: str, message: str, what: str, after: float | None = None
) -> Classified | TakesNoWrites:
    """The class of an answer that is no success. One that is in no table is OutcomeUnknown: look first."""
    said = f"{what}: {' '.join(message.split())[:300] or 'no message'} ({status}{'/' + substatus if substatus else ''})"
    if status == 403 and substatus in (WRITE_FORBIDDEN, NOT_SERVED):
        return TakesNoWrites(said, gone=substatus == NOT_SERVED)
    kind = STATUS.get(status, OutcomeUnknown)
    error = Transient(said, retry_after_seconds=after) if kind is Transient else kind(said)
    error.__cause__ = Answered(Refusal(status, substatus, message))
    return error
