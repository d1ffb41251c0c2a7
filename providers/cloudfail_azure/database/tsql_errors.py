"""What Azure SQL answers to a statement, as the four classes that decide about a retry. A test stands behind every row.

Sources: "Troubleshoot connectivity issues and other errors with Azure SQL Database"; "Database Engine events and
errors".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_azure.database.tsql_session import Refusal, Unreachable

_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

LOGIN_FAILED = 18456
READ_ONLY = 3906
NO_SUCH_TABLE = 208
REFUSED: frozenset[int] = frozenset({READ_ONLY, LOGIN_FAILED, 916, 4060})
"""A write that meets one of these was refused: the database takes none, or lets its user not in."""

CODE: Mapping[int, _Class] = {
    READ_ONLY: Permanent,  # the database is read-only: a secondary
    LOGIN_FAILED: Permanent,
    916: Permanent,  # "is not able to access the database under the current security context"
    229: Permanent,  # permission denied on an object
    262: Permanent,  # permission denied in the database
    15151: Permanent,  # the principal does not exist, or it may not be changed
    NO_SUCH_TABLE: Permanent,  # there is no such table
    4060: Transient,  # the database cannot be opened now: it is moving, or its name is wrong
    1205: Transient,  # chosen as the victim of a deadlock; rolled back
    1222: Transient,  # a lock was waited for too long
    4221: Transient,  # the secondary waits for versions of rows, after a restart
    10928: Transient,  # limits of resources
    10929: Transient,
    40501: Transient,  # the service is busy
    40613: Transient,  # the database is not available now
    49918: Transient,
    49919: Transient,
    49920: Transient,
    # The connection is ended with these: of a statement that was under way nothing is said.
    40197: OutcomeUnknown,
    40540: OutcomeUnknown,
}


def mutation_error(error: Exception, what: str) -> CloudfailError:
    """The class of a failed statement that changes something. What is in no row is OutcomeUnknown: look first."""
    if isinstance(error, Unreachable):
        return Transient(f"{what}: {error}.")
    if isinstance(error, Refusal):
        return CODE.get(error.code, OutcomeUnknown)(f"{what}: {error}.")
    return OutcomeUnknown(f"{what}: {error}.")
