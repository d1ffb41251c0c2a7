"""The fence `logins`: every user but cloudfail's own is denied to connect, and every session of another is ended.

Azure SQL has no switch that makes a primary read-only and stays on this side: what `ALTER DATABASE` sets is replicated,
as these denials are. So the note of whom it was taken from is written first, and replicated before it: wherever they
arrive, the list of what to give back is there already.

`DENY CONNECT` acts on new connections, `KILL` on those that are there. That none is left is asked of the server, and
not concluded. The server's admin is `dbo`, whom nothing can be denied: an application that logs in so is not fenced,
and a writer that is `dbo` is refused.

Sources: T-SQL references of DENY (database permissions), KILL, sys.dm_exec_sessions.
"""

from __future__ import annotations

import contextlib
import json
import time

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail.ports import Call
from cloudfail_azure.database.tsql_endpoint import Endpoint, Fence, judged, make, named, put, sight, trial
from cloudfail_azure.database.tsql_errors import mutation_error
from cloudfail_azure.database.tsql_session import Refusal, TsqlError
from cloudfail_databases.data_plane import Proof, Tried

PAUSE_SECONDS = 0.1
NOTE_CHARS = 4000
_USERS = (
    "SELECT name FROM sys.database_principals WHERE type IN ('S', 'U', 'X', 'E', 'G') AND principal_id > 4 "
    "AND name <> USER_NAME()"
)
_MAY_CONNECT = (
    f"{_USERS} AND NOT EXISTS (SELECT 1 FROM sys.database_permissions AS denied WHERE denied.class = 0 "
    "AND denied.type = 'CO' AND denied.state = 'D' AND denied.grantee_principal_id = principal_id)"
)
_OTHERS = (
    "SELECT session_id FROM sys.dm_exec_sessions WHERE is_user_process = 1 AND database_id = DB_ID() "
    "AND original_security_id <> (SELECT original_security_id FROM sys.dm_exec_sessions WHERE session_id = @@SPID)"
)
_NO_SUCH_SESSION = 6106


def deny(endpoint: Endpoint, call: Call) -> None:
    """Note whom it is taken from, deny it, and end sessions until none of another's is left."""
    deadline = time.monotonic() + call.timeout_seconds - endpoint.seconds
    try:
        _own_login(endpoint)
        seen = sight(endpoint)
        if not seen.made:
            make(endpoint)
        before = seen.fence_of(endpoint.region)
        may = _names(endpoint, _MAY_CONNECT)
        noted = before.taken if before is not None and before.standing else ()
        taken = tuple(dict.fromkeys((*noted, *may)))
        _note(endpoint, call, taken, whole=False)
        for user in may:
            call.check()
            endpoint.act.order(f"DENY CONNECT TO {named(user)}")
        call.log(f"{endpoint.region}: {', '.join(taken) or 'nobody'} may not connect to {endpoint.database}")
        _end_sessions(endpoint, call, deadline)
        _note(endpoint, call, taken, whole=True)
    except TsqlError as error:
        raise mutation_error(error, f"fence on {endpoint.database} in {endpoint.region}") from error


def give_back(endpoint: Endpoint, fence: Fence, call: Call) -> None:
    """Let those connect again from whom this fence took it, on this member. Idempotent."""
    key = ("region", fence.region)
    taken = json.dumps(fence.taken)
    try:
        # The epoch first: an older run that still means to take it is refused from here on.
        put(endpoint, "fence", key, call, standing=1, whole=0, taken=taken)
        there = _names(endpoint, _USERS)
        for user in fence.taken:
            if user in there:
                call.check()
                endpoint.act.order(f"GRANT CONNECT TO {named(user)}")
        put(endpoint, "fence", key, call, standing=0, whole=0, taken="[]")
    except TsqlError as error:
        raise mutation_error(error, f"lifting the fence on {fence.region}") from error


def held(endpoint: Endpoint) -> Proof:
    """What became of a write over a connection that was opened before; where it is gone, whether the server has any
    session of another's left, and lets anybody in."""
    found = Proof(Tried.NO_WORD, "no connection opened before is held here")
    if endpoint.held.is_open:
        found = judged("a connection opened before", lambda: endpoint.held.order_as_opened(*trial(endpoint.region)))
    if found.tried is not Tried.NO_WORD:
        return found
    try:
        left, may = endpoint.look.ask(_OTHERS), _names(endpoint, _MAY_CONNECT)
    except TsqlError as error:
        return Proof(Tried.NO_WORD, f"{found.words}; its sessions cannot be read: {error}")
    if left or may:
        return Proof(Tried.NO_WORD, f"{found.words}; {len(left)} sessions are left, and {len(may)} users may connect")
    return Proof(Tried.REFUSED, "no session that was opened before is left on the server, and nobody may connect")


def _own_login(endpoint: Endpoint) -> None:
    if endpoint.canary.user == endpoint.act.user:
        raise Permanent(
            f"`url` and `writer` of {endpoint.region} log in as the same user, {endpoint.act.user}.",
            "A fence on logins would shut cloudfail out with the application.",
            "Give the application a user of its own.",
        )
    with contextlib.suppress(*TsqlError):  # one that was denied already says nothing
        if str(endpoint.canary.ask("SELECT USER_NAME()")[0][0]) == "dbo":
            raise Permanent(
                f"{endpoint.canary.user} is `dbo` in {endpoint.database} in {endpoint.region}, whom nothing can be "
                "denied.",
                "Nothing was changed.",
                "Give the application a user of its own: CREATE USER, and db_datareader and db_datawriter.",
            )


def _note(endpoint: Endpoint, call: Call, taken: tuple[str, ...], *, whole: bool) -> None:
    text = json.dumps(taken)
    if len(text) > NOTE_CHARS:
        raise Permanent(
            f"{endpoint.database} in {endpoint.region} has too many users to note whom connecting is denied.",
            "Nothing was changed.",
            "Take `logins` out of `fences`, and let groups of Microsoft Entra connect instead of each user.",
        )
    put(endpoint, "fence", ("region", endpoint.region), call, standing=1, whole=int(whole), taken=text)


def _end_sessions(endpoint: Endpoint, call: Call, deadline: float) -> None:
    """Raises OutcomeUnknown where others are left when the time is over."""
    while left := endpoint.look.ask(_OTHERS):
        if time.monotonic() > deadline:
            raise OutcomeUnknown(f"{len(left)} sessions of others are left on {endpoint.database} still.")
        for (number,) in left:
            call.check()
            try:
                endpoint.act.order(f"KILL {int(number)}")
            except Refusal as error:
                if error.code != _NO_SUCH_SESSION:
                    raise
        time.sleep(PAUSE_SECONDS)


def _names(endpoint: Endpoint, statement: str) -> tuple[str, ...]:
    return tuple(str(name) for (name,) in endpoint.look.ask(statement))
