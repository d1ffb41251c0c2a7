"""Custom roles and their assignments: what `cloudfail iam azure` prints for one role of cloudfail.yaml.

A custom role is a list of actions, and is assigned to an identity on a scope. So there is one for each set of actions
that is needed on some scope, and it is assigned on exactly these scopes. It may be assigned in their resource groups
(AssignableScopes), since single resources are not to stand there (scopes.py). Its name holds a digest of what it is, so
that two files which need the same share one, and one whose name is there already is the same role: a tenant takes no
name twice ("Azure custom roles", learn.microsoft.com/azure/role-based-access-control/custom-roles).

The text of each role is what `az role definition create --role-definition` takes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.ports import Grant
from cloudfail_azure.access.asking_grants import with_asking
from cloudfail_azure.access.scopes import ANY, covers, group_of, is_data, page_of, subscription_of

ME = "the identity that cloudfail runs as"
PRINCIPAL = "CLIENT_ID"
# The identity's object id, so that one which was made a moment ago is found ("Assign Azure roles using Azure CLI").
_OBJECT = '"$(az ad sp show --id {who} --query id --output tsv)"'

_PLACE = (
    "Write the subscription in the place of SUBSCRIPTION, in the file too. Several stand side by side in "
    "AssignableScopes, and the role is assigned on each: az account list --query '[].id'"
)

_Given = Mapping[str, set[str]]
"""Scope -> actions."""


def document(grants: Mapping[str, Sequence[Grant]], role: str, does: str) -> dict[str, Any]:
    """One role's. role: the client id of a managed identity, "" for the process's own. does: watch or execute."""
    if does != "discover":  # which is asked about by nobody
        grants = {name: with_asking(several) for name, several in grants.items()}
    given, rows = _collected(grants)
    who = role or PRINCIPAL
    roles: list[dict[str, Any]] = []
    assignments: list[dict[str, Any]] = []
    for (_, actions), scopes in _shared(given).items():
        definition = _definition(does, subscription_of(scopes[0]), sorted(actions), scopes)
        roles.append(definition)
        assignments += [{"role": definition["Name"], "scope": scope, "principal": who} for scope in scopes]
    return {
        "roles": roles,
        "assignments": assignments,
        "commands": [*map(create, roles), *map(assign, assignments)],
        "actions": rows,
        "on_more_than_a_resource": _wide(grants, given),
        **({} if role else {"principal": f"Write the client id of {ME} in the place of {PRINCIPAL}"}),
        **({"place": _PLACE} if ANY in given else {}),
    }


def _collected(grants: Mapping[str, Sequence[Grant]]) -> tuple[_Given, list[dict[str, Any]]]:
    """(what is given where, each action with what it is for and its page). What is given above already is left out."""
    held: dict[str, tuple[str, set[str]]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, several in grants.items():
        for grant in several:
            for scope in grant.on:
                subscription_of(scope)
                _, actions = held.setdefault(scope.lower(), (scope, set()))
                actions |= set(grant.actions)
                for action in grant.actions:
                    row = rows.setdefault(action, {"action": action, "for": [], "page": page_of(action)})
                    row["for"] += [one for one in (f"{name}: {scope}",) if one not in row["for"]]
    given = {
        scope: {one for one in actions if not any(one in other for at, other in held.values() if _above(at, scope))}
        for scope, actions in held.values()
    }
    return {scope: left for scope, left in given.items() if left}, [rows[action] for action in sorted(rows)]


def _above(one: str, other: str) -> bool:
    return one.lower() != other.lower() and covers(one, other)


def _shared(given: _Given) -> dict[tuple[str, frozenset[str]], list[str]]:
    """Scopes of one subscription on which the same is needed share one role."""
    found: dict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    for scope, actions in sorted(given.items()):
        found[subscription_of(scope).lower(), frozenset(actions)].append(scope)
    return found


def _definition(does: str, subscription: str, actions: Sequence[str], scopes: Sequence[str]) -> dict[str, Any]:
    at = {(group_of(scope) or subscription_of(scope)).lower(): group_of(scope) or scope for scope in scopes}
    assignable = [at[one] for one in sorted(at)]
    digest = hashlib.sha256(json.dumps([actions, [one.lower() for one in assignable]]).encode()).hexdigest()[:10]
    types = ", ".join(sorted({_type(action) for action in actions}))
    return {
        "Name": f"cloudfail {does or 'role'} {digest}",
        "IsCustom": True,
        "Description": f"What cloudfail needs to {does or 'do its work'}: {types} of {subscription}."[:1024],
        "Actions": [one for one in actions if not is_data(one)],
        "NotActions": [],
        "DataActions": [one for one in actions if is_data(one)],
        "NotDataActions": [],
        "AssignableScopes": assignable,
    }


def _type(action: str) -> str:
    """ "Microsoft.Network/routeTables/routes/write" -> "routeTables"."""
    return action.split("/")[1]


def _wide(grants: Mapping[str, Sequence[Grant]], given: _Given) -> list[dict[str, str]]:
    """What is given on a group or a whole subscription, and why."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for several in grants.values():
        for grant in several:
            for scope in grant.on:
                for action in grant.actions:
                    if scope.lower() in (group_of(scope).lower(), subscription_of(scope).lower()):
                        why = grant.why or "It is asked of all that stands there."
                        found.setdefault((action, scope.lower()), {"action": action, "on": scope, "why": why})
    return [one for one in found.values() if one["action"] in given.get(one["on"], ())]


def file_name(role: Mapping[str, Any]) -> str:
    """The file that the command names for that role."""
    return f"{re.sub(r'[^a-z0-9]+', '-', str(role['Name']).lower())}.json"


def files(policy: Mapping[str, Any]) -> dict[str, str]:
    """ports.WritesRoleFiles."""
    return {file_name(role): json.dumps(role, indent=2) + "\n" for role in policy["roles"]}


def create(role: Mapping[str, Any]) -> str:
    """The command that makes it."""
    return f"az role definition create --role-definition {file_name(role)}"


def assign(one: Mapping[str, str]) -> str:
    """The command that assigns it."""
    who = _OBJECT.format(who=one["principal"])
    return (
        f"az role assignment create --assignee-object-id {who} --assignee-principal-type ServicePrincipal "
        f"--role {shlex.quote(one['role'])} --scope {shlex.quote(one['scope'])}"
    )
