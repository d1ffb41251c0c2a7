"""What a role is on Azure: the client id of a managed identity, as which this process can ask.

An identity that is the machine's own (assigned to the function, the virtual machine, the pod) is the only one that
Azure lets somebody take on without a secret; what has a secret is no role, but a login.
"""

from __future__ import annotations

import re

_CLIENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def role_mistake(role: str) -> tuple[str, str] | None:
    """What is wrong with it, and what to write instead; None if nothing is."""
    if _CLIENT.fullmatch(role):
        return None
    return (
        f"{role!r} is no client id of a managed identity",
        "write what this prints: az identity show --name NAME --resource-group GROUP --query clientId",
    )
