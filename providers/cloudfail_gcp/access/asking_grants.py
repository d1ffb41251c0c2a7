"""What a role must be allowed so that it can be asked what it is allowed. Pure; no vendor library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.access.places import project_of, sort_of

WHY = "Preflight asks what is given on the resource itself, which IAM lets ask who may list them."


def with_asking(said: Permissions) -> Permissions:
    """What a kind needs, and what asking about it does."""
    return Permissions((*said.watch, *_to_ask(said.watch)), (*said.execute, *_to_ask(said.execute)))


def _to_ask(grants: Iterable[Grant]) -> Iterator[Grant]:
    found: dict[tuple[str, str, str, tuple[str, ...]], None] = {}
    for grant in grants:
        for permission in grant.actions:
            for path in grant.on:
                if (asked := sort_of(permission, path).asked) and asked[3]:
                    found[grant.region, asked[3], f"projects/{project_of(path)}", grant.verbs] = None
    for region, permission, project, verbs in found:
        yield Grant(region, (permission,), (project,), verbs, why=WHY)
