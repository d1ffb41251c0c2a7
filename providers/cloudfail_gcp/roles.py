"""What a role is on Google Cloud: the address of a service account, which is impersonated."""

from __future__ import annotations

import re

_ACCOUNT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,61}[a-z0-9]\.iam\.gserviceaccount\.com")


def role_mistake(role: str) -> tuple[str, str] | None:
    """What is wrong with it, and what to write instead; None if nothing is."""
    if _ACCOUNT.fullmatch(role):
        return None
    return f"{role!r} is no service account", "write its address: NAME@PROJECT.iam.gserviceaccount.com"


def project_of_role(address: str) -> str:
    """The project that a service account belongs to, by its address; "" where that tells none, as of Compute Engine's
    default account, which has the project's number."""
    name, at, host = address.partition("@")
    if host.endswith(".iam.gserviceaccount.com"):
        return host.removesuffix(".iam.gserviceaccount.com")
    return name if at and host == "appspot.gserviceaccount.com" else ""
