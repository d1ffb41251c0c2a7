"""What the receiver itself says: whether anything is still delivered to it.

A control plane that says "paused" tells what was ordered. What comes in is known where it comes in. So a member may
name a URL of the receiver that serves only while nothing has come for as long as the site thinks long enough. Where it
does not serve, or does not answer, what was ordered off is not off yet; it can be turned on all the same.
"""

from __future__ import annotations

from cloudfail.model.observation import Unknown
from cloudfail.probes.serves import serves


def not_quiet(url: str, *, within: float) -> str:
    """Why the receiver cannot be taken for quiet, "" where it says that it is."""
    said = serves(url, within_seconds=within)
    if isinstance(said, Unknown):
        return f"what receives could not be asked whether it is quiet ({said.reason})"
    return "" if said.value.answers else f"what receives does not say that it is quiet ({said.value.what})"
