"""Permissions as IAM words them: ARNs from what cloudfail.yaml names, and a role's policy document.

Which actions take which resources is AWS's Service Authorization Reference; what an action is given on beside its own
object (a role that is passed on, a key) is that service's developer guide, named where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from cloudfail.errors import Refused
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions

ANYTHING = ("*",)
VERSION = "2012-10-17"
"""Of the policy language, not of the document."""


def none_taken(region: str, *actions: str, verbs: tuple[str, ...] = ()) -> Grant:
    """Actions that take no resource: IAM knows them on "*" alone."""
    named = " and ".join(action.partition(":")[2] for action in actions)
    takes = "take" if len(actions) > 1 else "takes"
    return Grant(region, actions, ANYTHING, verbs, why=f"{named} {takes} no resource in IAM: it is all or nothing.")


def partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


class Names:
    """ARNs of one resource's parts."""

    def __init__(self, resource: Resource, topology: Topology) -> None:
        self._resource = resource
        self._topology = topology

    def arn(self, service: str, region: str, name: str) -> str:
        """Of what lives in a region, in the account of the roles that it is asked under."""
        return f"arn:{partition(region)}:{service}:{region}:{self.account(region)}:{name}"

    def everywhere(self, service: str, region: str, name: str) -> str:
        """Of what lives in an account and in no region; `region` is where it is asked."""
        return f"arn:{partition(region)}:{service}::{self.account(region)}:{name}"

    def account(self, region: str) -> str:
        """Raises Refused where cloudfail.yaml does not say it."""
        roles = self._topology.roles_of(self._resource, region)
        if roles.execute or roles.watch:
            return (roles.execute or roles.watch).split(":")[4]
        regions = self._topology.regions
        asked = [regions[region]] if region in regions else [one for one in regions.values() if one.provider == "aws"]
        accounts = {one.account for one in asked if one.account}
        if len(accounts) != 1:
            raise Refused(
                f"The account of {self._resource.name} in {region} is not written, and its ARNs hold it.",
                "Nothing was printed.",
                f'Write it: regions: {{{region}: {{provider: aws, account: "111111111111"}}}}',
            )
        return accounts.pop()


Told = Iterator[tuple[bool, Grant]]
"""What a kind says: (whether it changes something, what is granted)."""


def stated(told: Iterable[tuple[bool, Grant]]) -> Permissions:
    found = list(told)
    return Permissions(
        tuple(one for changes, one in found if not changes), tuple(one for changes, one in found if changes)
    )


def by_member(
    told: Callable[[Names, str, Any], Told], resource: Resource, topology: Topology, regions: Sequence[str]
) -> Permissions:
    """Of a kind whose members have nothing to do with each other."""
    names = Names(resource, topology)
    members = [(region, resource.members[region]) for region in regions if region in resource.members]
    return stated(grant for region, member in members for grant in told(names, region, member))


def document(grants: Mapping[str, Sequence[Grant]]) -> dict[str, Any]:
    """One role's policy. A statement belongs to one resource, whose name its Sid begins with."""
    sids: set[str] = set()
    statements = [
        {"Sid": _sid(name, sids), **statement} for name, held in grants.items() for statement in _statements(held)
    ]
    return {"Version": VERSION, "Statement": statements}


def _statements(grants: Iterable[Grant]) -> Iterator[dict[str, Any]]:
    """One for each set of names and conditions. What a wider one of the same resource allows anyway is left out."""
    merged: dict[tuple[tuple[str, ...], str], tuple[set[str], Grant]] = {}
    for grant in grants:
        key = (tuple(sorted(grant.on)), repr(sorted((op, sorted(what.items())) for op, what in grant.only_if.items())))
        merged.setdefault(key, (set(), grant))[0].update(grant.actions)
    for (on, _), (actions, grant) in merged.items():
        kept = sorted(action for action in actions if not _given_elsewhere(action, on, grant, merged.values()))
        if kept:
            made: dict[str, Any] = {"Effect": "Allow", "Action": kept, "Resource": list(on)}
            yield made | (
                {"Condition": {op: dict(what) for op, what in grant.only_if.items()}} if grant.only_if else {}
            )


def _given_elsewhere(
    action: str, on: tuple[str, ...], own: Grant, everything: Iterable[tuple[set[str], Grant]]
) -> bool:
    return any(
        grant is not own
        and action in actions
        and not grant.only_if
        and set(on) != set(grant.on)
        and all(any(fnmatchcase(name, wide) for wide in grant.on) for name in on)
        for actions, grant in everything
    )


def _sid(name: str, taken: set[str]) -> str:
    """IAM takes letters and digits, each once in a document."""
    stem = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name) if part) or "Resource"
    number = 1
    while (sid := stem if number == 1 else f"{stem}{number}") in taken:
        number += 1
    taken.add(sid)
    return sid
