"""The fence `roles`: every user but cloudfail's own loses its roles, and with them every right to write.

DocumentDB has no switch that makes a writer read-only, and ends no connection on command. What it has is users whose
roles can be taken (`revokeRolesFromUser`), and sessions whose open transactions can be ended (`killAllSessions`; where
an engine with transactions refuses that, the fence is not sealed). Whether a connection that was opened before feels it
is not believed but tried: one is held open from before, and the fence is sealed once a write over that one was refused.
Who looks later, with no such connection, finds the seal beside the note; it holds as long as nobody has a role again.

Users are data: what was taken travels to the other side and would shut clients out there. So the note of it is written
first, and replicated before it: wherever the revocation arrives, the list of what to give back is there already.

Users with the role `root` are left: the cluster's primary user cannot lose it (developer guide, "Managing users").
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail.ports import Call
from cloudfail_aws.database.document_endpoint import (
    Endpoint,
    Fence,
    judged,
    newer,
    ping,
    put,
    sight,
    try_new,
    write_try,
)
from cloudfail_aws.database.document_errors import NOT_FOUND, NOT_SUPPORTED, mutation_error
from cloudfail_aws.database.document_session import DocumentError, Lost, Refusal
from cloudfail_databases.data_plane import Proof, Tried

LEFT = "root"
WIRE_WITH_TRANSACTIONS = 7
PAUSE_SECONDS = 0.02
Taken = dict[str, tuple[tuple[str, str], ...]]


def revoke(endpoint: Endpoint, call: Call) -> None:
    """Note what is taken, take it, end transactions, and see a write over an older connection refused."""
    deadline = time.monotonic() + call.timeout_seconds
    what = f"fence on {endpoint.region}"
    try:
        now = sight(endpoint.act)
        older = endpoint.held.is_open
        endpoint.held.ask(ping)
        # Read after it was opened: a connection of a user that had lost its roles by then was not opened before.
        users = _users(endpoint)
        _own_login(endpoint, users)
        older = older or endpoint.canary.user in _with_roles(users, endpoint.act.user)
        before = now.fence_of(endpoint.region)
        taken = _taken(users, endpoint.act.user, before if before is not None and before.standing else None)
        _note(endpoint, call, taken)
        for user, roles in _with_roles(users, endpoint.act.user).items():
            call.check()
            endpoint.act.order(partial(_change, command="revokeRolesFromUser", user=user, roles=roles))
        call.log(f"{endpoint.region}: roles taken from {', '.join(taken) or 'nobody: no user had any'}")
        ended = _end_transactions(endpoint, call, tuple(taken), now.wire)
        _see_refused(endpoint, older=older, ended=ended, deadline=deadline)
        call.check()
        endpoint.act.order(lambda client: put(client, "fence", endpoint.region, call, sealed=time.time()))
    except DocumentError as error:
        raise newer(error, f"The fence on {endpoint.region}", call) or mutation_error(error, what) from error


def _see_refused(endpoint: Endpoint, *, older: bool, ended: bool, deadline: float) -> None:
    """Return once writes over an older connection and over a new one were refused. Raises OutcomeUnknown where that is
    not seen in time, or cannot be."""
    said = ""
    if not older:
        said = "no connection that was opened before is held here"
    if not ended:
        said = "this engine does not end transactions that were open, and such may be committed yet"
    while not said:
        proofs = (_try_held(endpoint), try_new(endpoint))
        if all(proof.tried is Tried.REFUSED for proof in proofs):
            return
        if time.monotonic() > deadline - 2 * endpoint.seconds:
            said = "; ".join(proof.words for proof in proofs)
        else:
            time.sleep(PAUSE_SECONDS)
    raise OutcomeUnknown(f"The roles on {endpoint.region} were taken; {said}.")


def give_back(endpoint: Endpoint, fence: Fence, call: Call) -> None:
    """Give the roles back that this fence took, on this member. Idempotent."""
    what = f"lifting the fence on {fence.region}"
    try:
        call.check()
        # The epoch first: an older run that still means to take them is refused from here on.
        endpoint.act.order(lambda client: put(client, "fence", fence.region, call, sealed=0.0))
        there = _users(endpoint)
        for user, roles in fence.taken:
            if user in there:
                call.check()
                endpoint.act.order(partial(_change, command="grantRolesToUser", user=user, roles=roles))
        call.check()
        endpoint.act.order(lambda client: put(client, "fence", fence.region, call, standing=False))
    except DocumentError as error:
        raise newer(error, f"The fence on {fence.region}", call) or mutation_error(error, what) from error


def held(endpoint: Endpoint) -> Proof:
    """What became of a write over a connection that was opened before the fence; of a fence on roles no proof but a
    sealed one, since the writer is but one of those from whom they are taken."""
    found = Proof(Tried.NO_WORD, "no connection opened before is held here")
    if endpoint.held.is_open:
        found = _try_held(endpoint)
    if found.tried is Tried.LET_IN:
        return found
    try:
        fence = sight(endpoint.look).fence_of(endpoint.region)
        if fence is None or not fence.standing:
            return found
        if not fence.sealed:
            return Proof(Tried.NO_WORD, f"{found.words}; the fence on roles was not put up to its end")
        again = _with_roles(_users(endpoint), endpoint.act.user)
    except DocumentError as error:
        return Proof(Tried.NO_WORD, f"{found.words}; the note of the fence cannot be read: {error}")
    if again:
        return Proof(Tried.LET_IN, f"{found.words}; {', '.join(again)} may write again")
    if found.tried is Tried.REFUSED:
        return found
    seen = time.strftime("%H:%M:%SZ", time.gmtime(fence.sealed))
    return Proof(
        Tried.REFUSED, f"one opened before was refused at {seen}, as noted beside the fence; nobody has a role"
    )


def _try_held(endpoint: Endpoint) -> Proof:
    def attempt() -> None:
        _, same = endpoint.held.ask_as_opened(lambda client: write_try(client, endpoint.region))
        if not same:
            raise Lost("it was ended, and a new one was let in")

    return judged("a connection opened before", attempt)


def _own_login(endpoint: Endpoint, users: Taken) -> None:
    writer = endpoint.canary.user
    if writer == endpoint.act.user:
        raise Permanent(
            f"`url` and `writer` of {endpoint.region} log in as the same user, {writer}.",
            "A fence on roles would shut cloudfail out with the application.",
            "Give the application a user of its own.",
        )
    if any(role == LEFT for role, _ in users.get(writer, ())):
        raise Permanent(
            f"{writer} in {endpoint.region} has the role {LEFT}, which a fence on roles leaves.",
            "Nothing was changed.",
            f"Give the application a user without {LEFT}: readWrite on its own databases and on cloudfail.",
        )


def _users(endpoint: Endpoint) -> Taken:
    """Every user of the cluster, with its roles: DocumentDB keeps them all in `admin`."""
    found: dict[str, Any] = endpoint.look.ask(lambda client: client.admin.command("usersInfo", 1))
    return {
        str(one["user"]): tuple((str(role["role"]), str(role["db"])) for role in one.get("roles") or ())
        for one in found["users"]
    }


def _with_roles(users: Taken, own: str) -> Taken:
    """Those from whom something is to be taken."""
    return {
        user: roles
        for user, roles in users.items()
        if user != own and roles and not any(role == LEFT for role, _ in roles)
    }


def _taken(users: Taken, own: str, before: Fence | None) -> Taken:
    """All that this fence takes, or took when it was put up: what was noted is not forgotten."""
    found = dict(before.taken) if before is not None else {}
    for user, roles in _with_roles(users, own).items():
        found[user] = tuple(dict.fromkeys((*found.get(user, ()), *roles)))
    return found


def _note(endpoint: Endpoint, call: Call, taken: Taken) -> None:
    noted = [
        {"user": user, "roles": [{"role": role, "db": where} for role, where in roles]} for user, roles in taken.items()
    ]
    call.check()
    endpoint.act.order(
        lambda client: put(client, "fence", endpoint.region, call, standing=True, sealed=0.0, taken=noted)
    )


def _change(client: Any, *, command: str, user: str, roles: tuple[tuple[str, str], ...]) -> None:
    client.admin.command(command, user, roles=[{"role": role, "db": where} for role, where in roles])


def _end_transactions(endpoint: Endpoint, call: Call, users: tuple[str, ...], wire: int) -> bool:
    """Whether no transaction that began before can be committed any more. One needs no right to write when it is
    committed; an engine that has none (3.6) has none to end."""
    if not users:
        return True
    call.check()
    named = [{"user": user, "db": "admin"} for user in users]
    try:
        endpoint.act.order(lambda client: client.admin.command("killAllSessions", named))
    except Refusal as error:
        if error.code not in (NOT_FOUND, NOT_SUPPORTED):
            raise
        return wire < WIRE_WITH_TRANSACTIONS
    return True
