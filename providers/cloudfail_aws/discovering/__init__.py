"""What stands in an account's regions, as values from which a draft of cloudfail.yaml is written (ports.Discovers).

One file per family. Each lists what there is in each region, pairs what belongs together, and asks about the rest. A
listing that fails is named with its reason, and the families beside it go on. All of it are reads, as one role, within
the same bounds and the account's budget as those of a run; what is listed for two families is asked for once.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cloudfail.model.discovered import Discovered, Found, Wanted

if TYPE_CHECKING:
    from cloudfail_aws.clients import Clients
    from cloudfail_aws.discovering.looking import Look

Said = Found | str
"""A resource, or what a person is asked."""


def discover(wanted: Wanted, clients: Clients | None = None) -> Discovered:
    """ports.Discovers. clients: those of a test. Raises Refused."""
    from cloudfail_aws.discovering import balancers, consumers, databases, edges, names, workers
    from cloudfail_aws.discovering.looking import Look

    look = Look(wanted, clients)
    with ThreadPoolExecutor(7, "cloudfail-discover") as pool:
        accounts = pool.submit(look.accounts)
        families = (databases.found, workers.found, names.found, balancers.found, edges.found, consumers.found)
        said = [pool.submit(_all, family, look) for family in families]
        everything = [one for each in said for one in each.result()]
        known = accounts.result()
    found = tuple(one for one in everything if isinstance(one, Found))
    primary, why = look.home()
    return Discovered(
        found=found,
        asks=tuple(one for one in everything if isinstance(one, str)),
        unread=look.unread,
        accounts=known,
        primary=primary,
        primary_why=why,
    )


def _all(family: Callable[[Look], Iterator[Said]], look: Look) -> list[Said]:
    return list(family(look))
