"""What all kinds of this port share with Google: how a mark names its application, and where a member must stand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cloudfail.errors import Permanent
from cloudfail_consumers import switches
from cloudfail_gcp.asking import Asking


class Switched(switches.Switched[Asking]):
    """Whose mark, where there is one, is in labels."""

    mark_kept = "labels cloudfail-…"

    @property
    def application(self) -> str:
        return word(self._asking.topology.application)


def at_home(members: Mapping[str, str], resource: str) -> None:
    """Refuse (Permanent) a path that is written for another region than its own: the one slip that would turn on what
    must stay off."""
    for region, path in members.items():
        location = path.split("/")[3]
        if location != region:
            raise Permanent(
                f"{path}, which is written for {region}, stands in {location}.",
                "Nothing was changed.",
                f"Correct the members of {resource} in cloudfail.yaml.",
            )


def word(name: str) -> str:
    """A name as a label's value can hold it (lowercase, digits, `-` and `_`, at most 63), another for another name."""
    plain = re.sub(r"[^a-z0-9_-]", "-", name.lower())[:63]
    return plain if plain == name else f"{plain[:54]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
