"""What DocumentDB answers to a write, as the four classes that decide about a retry. A test stands behind every row.

Sources: MongoDB manual, "Error codes"; DocumentDB developer guide, "Functional differences" and "Troubleshooting".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_aws.database.document_session import Refusal, Unreachable

_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

UNAUTHORIZED, LOGIN_FAILED, NOT_FOUND = 13, 18, 59
NOT_SUPPORTED = 303
"""DocumentDB's own, for what MongoDB has and it has not."""
DUPLICATE = 11000
REFUSED: frozenset[int] = frozenset({UNAUTHORIZED, LOGIN_FAILED, 10107, 13435, 10058})
"""A write that meets one of these was refused: not allowed, no login, no primary."""

CODE: Mapping[int, _Class] = {
    UNAUTHORIZED: Permanent,
    LOGIN_FAILED: Permanent,
    NOT_FOUND: Permanent,
    NOT_SUPPORTED: Permanent,
    11: Permanent,  # UserNotFound
    31: Permanent,  # RoleNotFound
    DUPLICATE: Conflict,  # a document of a newer epoch is there
    10107: Permanent,  # NotWritablePrimary: a reader
    13435: Permanent,  # NotPrimaryNoSecondaryOk
    10058: Permanent,  # the same, of older engines
    112: Transient,  # WriteConflict: another write to the same document was under way
    251: Transient,  # NoSuchTransaction: it was ended
    # It is going down, or changing its role: a write may have been made.
    91: OutcomeUnknown,  # ShutdownInProgress
    189: OutcomeUnknown,  # PrimarySteppedDown
    11600: OutcomeUnknown,  # InterruptedAtShutdown
    11602: OutcomeUnknown,  # InterruptedDueToReplStateChange
}


def mutation_error(error: Exception, what: str) -> CloudfailError:
    """The class of a failed request that changes something. What is in no row is OutcomeUnknown: look first."""
    if isinstance(error, Unreachable):
        return Transient(f"{what}: {error}.")
    if isinstance(error, Refusal):
        return CODE.get(error.code, OutcomeUnknown)(f"{what}: {error}.")
    return OutcomeUnknown(f"{what}: {error}.")
