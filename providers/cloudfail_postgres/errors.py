"""What PostgreSQL answers, as the four classes that decide about a retry.

A test stands behind every row. The question of each row is only: did the call take effect, and would the same call
later? A reply that says "refused" took no effect. Source: PostgreSQL appendix A (SQLSTATE).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient

Classified: TypeAlias = Transient | Permanent | Conflict | OutcomeUnknown
_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

# By whole SQLSTATE first, then by its class (the first two characters).
SQLSTATE: Mapping[str, _Class] = {
    "57P03": Transient,  # cannot connect now: starting up, shutting down, in recovery
    "57014": Transient,  # query canceled by statement_timeout: rolled back
    "57P01": OutcomeUnknown,  # terminated by an administrator: a commit may have been under way
    "57P02": OutcomeUnknown,  # crash of another server process
    "57P04": Permanent,  # the database was dropped
    "57P05": Transient,  # idle session ended: nothing was running
    "25006": Conflict,  # read-only transaction: not the primary that was seen, or fenced
    "25P02": Transient,  # in a failed transaction
    "25P03": Transient,  # idle in transaction: rolled back
    "40003": OutcomeUnknown,  # statement completion unknown
    "53100": Permanent,  # disk full
    "55P03": Transient,  # lock not available
    "55000": Conflict,  # not in the state that it needs: "recovery is not in progress"
}
SQLSTATE_CLASS: Mapping[str, _Class] = {
    "08": OutcomeUnknown,  # connection exception after it was made
    "0A": Permanent,
    "22": Permanent,
    "23": Permanent,
    "25": Permanent,
    "28": Permanent,  # login refused
    "3D": Permanent,  # no such database
    "3F": Permanent,  # no such schema
    "40": Transient,  # serialization failure, deadlock
    "42": Permanent,  # syntax, privileges, no such table
    "53": Transient,  # too many connections, out of memory
    "54": Permanent,
    "55": Permanent,
    "58": OutcomeUnknown,  # I/O error
    "F0": Permanent,  # configuration file
    "XX": OutcomeUnknown,  # internal error, corruption
}


def from_sqlstate(sqlstate: str, message: str) -> Classified:
    """The class of a server's error reply. A state that is in neither table is OutcomeUnknown: look first."""
    kind = SQLSTATE.get(sqlstate) or SQLSTATE_CLASS.get(sqlstate[:2], OutcomeUnknown)
    return kind(f"PostgreSQL refused: {message} (SQLSTATE {sqlstate}).")
