"""What a kind says that its roles must be allowed: IAM permissions, each on the resource's own path.

Each port's package has a `permissions.py`, with a function for each kind that `Kind.permissions` names. A grant's
`actions` are permissions of IAM ("compute.backendServices.get"); its `on` are paths from `projects/` on: the resource,
the project for what is asked of all of it, or a path with `*` where Google makes up a part of it, with `why`. From that
alone the rest is made, for all kinds in one way: what is printed (access/roles.py), what is asked before the
night (access/asked.py), and in which project somebody acts (identity.py). How narrowly a permission can be given is not
the kind's to say: access/places.py does, by service and collection.

A new kind has its row in tests/emulators/gcp/allowed.py, and each method that it calls in gate.py beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudfail.ports import Grant, Permissions


def stated(told: Iterable[tuple[bool, Grant]]) -> Permissions:
    """told: (whether it changes something, what is granted)."""
    found = list(told)
    return Permissions(
        tuple(one for changes, one in found if not changes), tuple(one for changes, one in found if changes)
    )
