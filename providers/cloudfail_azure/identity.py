"""Who this process is to Azure."""

from __future__ import annotations

import base64
import json
from typing import Any

from cloudfail.model.observation import Known, Unknown
from cloudfail.retry import within
from cloudfail_azure.clients import failures

ASK_SECONDS = 5.0
# Of a token, the first that is there: a person's name, or an application's.
_NAMES = ("upn", "unique_name", "preferred_username", "app_displayname", "appid", "azp", "oid")


def whoami(now: float) -> Known[str] | Unknown:
    """Whose credentials this process has, by the token's own words. They are read, not verified: it is Azure that
    verifies them, and a wrong name here opens nothing."""
    from cloudfail_azure.sessions import Session, scope

    raised: tuple[type[Exception], ...] = (TimeoutError, ValueError, *failures())

    def asked() -> str:
        return str(Session("").credential.get_token(scope()).token)

    try:
        said = claims(within(ASK_SECONDS, asked))
    except raised as error:
        return Unknown(f"Azure: {' '.join(str(error).partition(chr(10))[0].split())}", now)
    name = next((str(said[key]) for key in _NAMES if said.get(key)), "")
    if not name:
        return Unknown("Azure: the token of these credentials names nobody", now)
    return Known(name, now)


def claims(token: str) -> dict[str, Any]:
    """What stands in a JSON Web Token; nothing where it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        told = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
