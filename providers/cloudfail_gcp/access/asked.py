"""Whether the roles may do what a run would have them do: asked before the night, by `testIamPermissions`.

It is asked as each role itself, of the project first, and then, for what the project does not give, of the resource,
where the permission may be given by its own policy or by name (places.py). What is missing on both is a sentence. Where
a permission may be given by name and that cannot be asked, it is unknown, and refuses nothing.

The role that executes is asked about with a token that can only read (sessions.LOOKING): taking it on to change things
stays an open run's. What is there may still be refused: by a deny policy, a condition on time or on tags, an
organisation's policy, and by Google itself, whose answer "may fail open".
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Permissions
from cloudfail_gcp.access.places import PROJECT, collection_of, may_be_narrower, project_of, sort_of
from cloudfail_gcp.asking import Asking

SECONDS = 4.0
AT_ONCE = 100
"""Permissions in one request."""

Needs = Callable[[Resource, Topology, Sequence[str]], Permissions]


@dataclass
class _Told:
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def allowed(needs: Needs, resource: Resource, topology: Topology) -> Known[tuple[str, ...]] | Unknown:
    """Kind.allowed: one sentence for each permission that is missing somewhere. Raises nothing."""
    at = time.time()
    try:
        said = needs(resource, topology, list(topology.regions))
        asking = Asking.of(resource, topology)
        until, told = asking.deadline(SECONDS), _Told()
        for does, grants in (("watch", said.watch), ("execute", said.execute)):
            by_role: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
            for grant in grants:
                roles = topology.roles_of(resource, grant.region)
                role = roles.watch if does == "watch" else roles.execute
                for path in grant.on:
                    by_role[role, grant.region][path] |= set(grant.actions)
            for (role, region), wanted in sorted(by_role.items()):
                _ask(asking, region, role, does, wanted, until, told)
    except CloudfailError as error:
        return Unknown(f"What the roles may do there is not known: {error}", at)
    if told.unknown and not told.missing:
        return Unknown("; ".join(dict.fromkeys(told.unknown)), at)
    return Known(tuple(dict.fromkeys(told.missing)), at)


def _ask(
    asking: Asking, region: str, role: str, does: str, wanted: Mapping[str, set[str]], until: float, told: _Told
) -> None:
    """wanted: path -> permissions."""
    who = f"{role or 'the process itself'} ({does})"

    def test(api: str, path: str, permissions: Iterable[str]) -> frozenset[str]:
        left = sorted(permissions)
        found: set[str] = set()
        for start in range(0, len(left), AT_ONCE):
            some = left[start : start + AT_ONCE]
            found |= asking.may(api, region, path, some, role=role, within=max(0.01, asking.left_until(until)))
        return frozenset(found)

    def lacks(path: str, permissions: Iterable[str]) -> Iterator[str]:
        for permission in sorted(permissions):
            yield (
                f"{who} may not {permission} on {path}, of the project "
                f"{project_of(path)}; give it what `cloudfail iam gcp` prints"
            )

    by_project: dict[str, set[str]] = defaultdict(set)
    for path, permissions in wanted.items():
        by_project[project_of(path)] |= permissions
    given: dict[str, frozenset[str]] = {}
    for project, permissions in sorted(by_project.items()):
        try:
            given[project] = test("cloudresourcemanager", f"v1/projects/{project}:testIamPermissions", permissions)
        except CloudfailError as error:
            if refused := cannot_be(role, error):
                told.missing.append(f"{who} cannot be taken on: {refused}")
                return
            told.unknown.append(f"what {who} may in {project}: {error}")
    for path, permissions in sorted(wanted.items()):
        if (project := project_of(path)) not in given:
            continue
        for sort, left in _by_sort(path, permissions - given[project]):
            if sort.way == "project":
                narrower = {one for one in left if sort.narrower or may_be_narrower(one, path)}
                told.missing += lacks(path, left - narrower)
                told.unknown += (
                    f"{who} may not {one} on all of {project}, and where it is needed, it cannot be asked"
                    for one in sorted(narrower)
                )
            elif sort.asked is None:
                told.unknown.append(
                    f"{who} may not {', '.join(sorted(left))} on all of {project}, and whether on {path} alone, "
                    f"{collection_of(path)} cannot be asked"
                )
            else:
                api, before, behind, _ = sort.asked
                try:
                    told.missing += lacks(path, left - test(api, f"{before}{path}{behind}", left))
                except CloudfailError as error:
                    told.unknown.append(f"what {who} may on {path}: {error}")


def _by_sort(path: str, permissions: Iterable[str]) -> Iterator[tuple[Any, set[str]]]:
    found = defaultdict(set)
    for permission in permissions:
        found[sort_of(permission, path)].add(permission)
    yield from sorted(found.items(), key=lambda one: (one[0] != PROJECT, sorted(one[1])))


def cannot_be(role: str, error: CloudfailError) -> str:
    """Why the process may not be that role, if Google said that it may not; "" for every other failure."""
    cause = error.__cause__
    if not role or cause is None or type(cause).__name__ != "RefreshError" or len(cause.args) < 2:
        return ""
    try:
        said = json.loads(str(cause.args[1]))["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    if said.get("code") != 403:
        return ""
    return f"{' '.join(str(said.get('message', '')).split())} (iam.serviceAccounts.getAccessToken on it is needed)"
