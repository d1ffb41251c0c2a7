"""Whether the roles may do what a run would have them do: asked before the night.

Azure does not say whether one action is allowed, but lists what whoever asks is allowed on a scope ("Permissions - List
For Resource", learn.microsoft.com/rest/api/authorization/permissions): of each role that is assigned there or above,
its actions, less its notActions, with `*` for any text. So it is asked as each role itself, scope by scope. There is no
such question about a subscription; what is assigned on one is in the list of each thing below it, so that what no
list below it shows is missing. A role that needs something on a subscription alone is asked about in a resource group
there, of what the kind names. The other way round it may have been assigned on less than is needed, and is not seen.

Azure knows no token that can only read. Who executes is asked about in a session that sends nothing but GET
(sessions.py): taking it on to change things stays an open run's. What is allowed may still be refused: by a deny
assignment, a lock, a policy, or a role that is not active yet.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Permissions
from cloudfail_azure.access.asking_grants import ACTION
from cloudfail_azure.access.scopes import covers, group_of, is_data, subscription_of
from cloudfail_azure.arm_errors import Answered
from cloudfail_azure.asking import Asking

SECONDS = 4.0
VERSION = "2022-04-01"
_NOBODY = re.compile(r"identity not found|no user assigned or delegated managed identity found", re.IGNORECASE)
"""What the places that give out tokens say of a client id that is not assigned to the machine or function (IMDS, and
App Service's; "Troubleshoot azure-identity authentication issues")."""

Needs = Callable[[Resource, Topology, Sequence[str]], Permissions]


@dataclass
class _Told:
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def allowed(needs: Needs, resource: Resource, topology: Topology) -> Known[tuple[str, ...]] | Unknown:
    """Kind.allowed: one sentence for each action that is missing somewhere. Raises nothing."""
    at = time.time()
    try:
        said = needs(resource, topology, list(topology.regions))
        asking = Asking.of(resource, topology)
        until, told = asking.deadline(SECONDS), _Told()
        every = {scope for grant in (*said.watch, *said.execute) for scope in grant.on}
        for does, grants in (("watch", said.watch), ("execute", said.execute)):
            by_role: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
            for grant in grants:
                roles = topology.roles_of(resource, grant.region)
                for scope in grant.on:
                    by_role[roles.watch if does == "watch" else roles.execute][scope] |= set(grant.actions)
            for role, wanted in sorted(by_role.items()):
                _ask(asking, role, does, wanted, {*wanted, *_groups_for(wanted, every)}, until, told)
    except CloudfailError as error:
        return Unknown(f"What the roles may do there is not known: {error}", at)
    if told.unknown and not told.missing:
        return Unknown("; ".join(dict.fromkeys(told.unknown)), at)
    return Known(tuple(dict.fromkeys(told.missing)), at)


def _groups_for(wanted: Iterable[str], every: Iterable[str]) -> Iterator[str]:
    """Of each subscription below which nothing else is wanted, a group in which something of the resource stands."""
    for scope in wanted:
        if not any(group_of(one) and covers(scope, one) for one in (scope, *wanted)):
            yield from sorted(group_of(one) for one in every if group_of(one) and covers(scope, one))[:1]


def _ask(
    asking: Asking,
    role: str,
    does: str,
    wanted: Mapping[str, Iterable[str]],
    scopes: Iterable[str],
    until: float,
    told: _Told,
) -> None:
    """wanted: scope -> actions; scopes: where it is asked about, those that can be."""
    who = f"{role or 'the process itself'} ({does})"
    lists: dict[str, list[Any]] = {}
    for scope in sorted(filter(group_of, scopes)):
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        try:
            lists[scope] = asking.pages("", path, VERSION, within=max(0.01, asking.left_until(until)), role=role)
        except CloudfailError as error:
            if refused := cannot_be(role, error):
                told.missing.append(f"{who} cannot be taken on: {refused}")
                return
            told.unknown.append(_unasked(who, scope, error))
    for scope, actions in sorted(wanted.items()):
        shown = [lists[one] for one in lists if scope == one or (not group_of(scope) and covers(scope, one))]
        if not shown:
            if not group_of(scope):
                told.unknown.append(f"what {who} may on {scope} cannot be asked, where nothing below it is asked about")
            continue
        told.missing += (
            f"{who} may not {action} on {scope}, of {subscription_of(scope)}; give it what `cloudfail iam azure` prints"
            for action in sorted(actions)
            if not all(holds(one, action) for one in shown)
        )


def holds(permissions: Iterable[Mapping[str, Any]], action: str) -> bool:
    """Whether one of these (a role's, each) has it among its actions, and not among what it leaves out."""
    key, less = ("dataActions", "notDataActions") if is_data(action) else ("actions", "notActions")
    return any(_named(one.get(key), action) and not _named(one.get(less), action) for one in permissions)


def _named(patterns: Iterable[str] | None, action: str) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, one.split("*"))), action, re.IGNORECASE) for one in patterns or ())


def _unasked(who: str, scope: str, error: CloudfailError) -> str:
    cause = error.__cause__
    if isinstance(cause, Answered) and cause.said.code == "AuthorizationFailed":
        return f"what {who} may on {scope} is not known: it may not ask ({ACTION})"
    return f"what {who} may on {scope}: {error}"


def cannot_be(role: str, error: BaseException) -> str:
    """Why the process may not be that identity, if Azure said that it is not its own; "" for every other failure."""
    at: BaseException | None = error
    while role and at is not None:
        if _NOBODY.search(str(at)):
            return f"it is not assigned to what runs this ({' '.join(str(at).split())[:200]})"
        at = at.__cause__ or at.__context__
    return ""
