"""Azure RBAC before the front: it refuses what the roles and assignments that are printed do not allow.

Who asks is told by the token, which names a client id. Which action an operation asks for is a row of needs.py, written
apart from the code that is tried; on which scope, the path says. Resource Manager makes the action of method and type
("Understand Azure role definitions", learn.microsoft.com/azure/role-based-access-control/role-definitions), and a row
that says otherwise fails the test, as one that is not there does.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.azure.front import OPERATIONS, Ask, Refused
from tests.emulators.azure.linked import LINKED, named
from tests.emulators.azure.needs import NEEDS
from tests.emulators.azure.unlisted import UNLISTED

Document = Mapping[str, Any]
"""What `cloudfail iam azure` prints for one role."""
Need = tuple[str, str]
"""(action, scope)."""
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}

_WHO = "The client '{who}' with object id '{who}' "
_REFUSED = (
    f"{_WHO}does not have authorization to perform action '{{action}}' over scope '{{scope}}' or the scope is invalid. "
    "If access was recently granted, please refresh your credentials."
)
_LINKED = (
    f"{_WHO}has permission to perform the action; however, it does not have permission to perform action '{{action}}' "
    "on the linked scope(s) '{scope}' or the linked scope(s) are invalid."
)


def split(path: str) -> tuple[str, str]:
    """(the type of what a path names, the scope that it is held against). A collection is held against what is above
    it, and so is a verb behind a resource."""
    scope, marked, rest = path.rpartition("/providers/")
    if not marked:
        return "", path
    provider, *parts = rest.split("/")
    types, whole = "/".join([provider, *parts[::2]]), len(parts) % 2 == 0
    if whole:
        return types, path
    above = parts[:-1]
    return types, "/".join([scope, "providers", provider, *above]) if above else scope


def needed_for(service: str, operation: str, method: str, ask: Ask) -> list[Need]:
    row = NEEDS.get(f"{service} {operation}")
    types, scope = split(ask.path)
    verb = _VERBS[method]
    like = f'"{service} {operation}": one("{types}/{verb}"),'
    assert row is not None, f"{service} {operation} has no row in needs.py; see Microsoft's page whether it is {like}"
    if operation == "operation":
        scope, _, asked = ask.path.partition(OPERATIONS)
        _, how, name = asked.split("/")
        row = NEEDS.get(f"{service} operation of {how}", row)
        row = NEEDS.get(f"{service} operation of {name.rpartition('-')[0]}", row)
    told = [one.format(**ask.labels) for one in row.actions]
    for one in told:
        assert one.lower() == f"{types}/{verb}".lower(), f"{service} {operation}: {one} is not {verb} of {types}"
    return [(one, scope) for one in (*told, *row.also)]


def linked_for(service: str, operation: str, ask: Ask) -> list[Need]:
    """Of what the body names that is no part of the resource itself."""
    types = {of.lower(): action for of, action in LINKED.get(f"{service} {operation}", {}).items()}
    found = []
    for id_ in dict.fromkeys(named(ask.body)) if types else ():
        if not _below(id_, ask.path):
            of = split(id_)[0]
            assert of.lower() in types, f"{service} {operation} names {id_}: linked.py does not say what {of} asks for"
            found.append((types[of.lower()], id_))
    return found


def allows(document: Document, action: str, scope: str) -> bool:
    """Whether an assignment does."""
    return any(
        action.lower() in [one.lower() for one in (*role["Actions"], *role["DataActions"])]
        for role in roles_on(document, scope)
    )


def roles_on(document: Document, scope: str) -> Iterator[Mapping[str, Any]]:
    """What is assigned there or above; each where it may be."""
    roles = {one["Name"]: one for one in document["roles"]}
    for assignment in document["assignments"]:
        on, role = assignment["scope"], roles[assignment["role"]]
        assert any(_below(on, one) for one in role["AssignableScopes"]), f"{role['Name']} cannot be assigned on {on}"
        if _below(scope, on):
            yield role


def _below(one: str, above: str) -> bool:
    return f"{one.lower()}/".startswith(f"{above.lower()}/")


def without(document: Document) -> Iterator[tuple[str, Document]]:
    """The document less one action of one role, for each of them."""
    for number, role in enumerate(document["roles"]):
        for key in ("Actions", "DataActions"):
            for action in role[key]:
                less = copy.deepcopy(dict(document))
                less["roles"][number][key].remove(action)
                yield action, less


def elsewhere(document: Document) -> Iterator[tuple[str, Document]]:
    """The document with one assignment less: each is there for something."""
    for number, one in enumerate(document["assignments"]):
        less = copy.deepcopy(dict(document))
        del less["assignments"][number]
        yield f"{one['role']} on {one['scope']}", less


@dataclass
class Gate:
    """documents: by client id. asked: (client id, what was held against it, whether it passed), in order."""

    documents: Mapping[str, Document]
    asked: list[tuple[str, Need, bool]] = field(default_factory=list)

    def passes(self, who: str, service: str, operation: str, method: str, ask: Ask) -> Any:
        """front.Gate."""
        if who not in self.documents:
            raise Refused(401, "InvalidAuthenticationToken", f"{who} is nobody here.")
        needs = needed_for(service, operation, method, ask)
        self._hold(who, needs, "AuthorizationFailed", _REFUSED)
        self._hold(who, linked_for(service, operation, ask), "LinkedAuthorizationFailed", _LINKED)
        if service == "authorization":
            return {"value": [_listed(one) for one in roles_on(self.documents[who], needs[0][1])]}
        return None

    def _hold(self, who: str, needs: list[Need], code: str, said: str) -> None:
        """said: of who, action and scope."""
        for need in needs:
            passed = allows(self.documents[who], *need)
            if need[0] not in UNLISTED:
                self.asked.append((who, need, passed))
            if not passed:
                raise Refused(403, code, said.format(who=who, action=need[0], scope=need[1]))

    def needed(self) -> set[tuple[str, str]]:
        """(client id, action) of all without which something that was asked would have been refused. Nothing was."""
        assert [one for one in self.asked if not one[2]] == []
        return {
            (who, action)
            for who, document in self.documents.items()
            for action, less in without(document)
            if not all(allows(less, *one) for one in self._of(who))
        }

    def loose(self) -> list[str]:
        """The assignments that no request needed."""
        return [
            f"{who}: {what}"
            for who, document in self.documents.items()
            for what, less in elsewhere(document)
            if all(allows(less, *one) for one in self._of(who))
        ]

    def _of(self, who: str) -> list[Need]:
        return [need for by, need, _ in self.asked if by == who]


def _listed(role: Mapping[str, Any]) -> dict[str, list[str]]:
    return {re.sub("^.", lambda one: one[0].lower(), key): role[key] for key in role if key.endswith("Actions")}
