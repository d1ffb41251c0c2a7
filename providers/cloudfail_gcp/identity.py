"""Who this process is to Google."""

from __future__ import annotations

from typing import Any

from cloudfail.model.observation import Known, Unknown
from cloudfail.retry import within
from cloudfail_gcp.clients import failures
from cloudfail_gcp.sessions import SCOPE

ASK_SECONDS = 5.0


def whoami(now: float) -> Known[str] | Unknown:
    """The address of the service account whose credentials this process has. A person's own credentials name nobody
    (google-auth keeps no address with them), and are unknown."""
    import google.auth

    raised: tuple[type[Exception], ...] = (TimeoutError, *failures())

    def asked() -> str:
        credentials: Any
        credentials, _ = google.auth.default(scopes=(SCOPE,))
        return str(getattr(credentials, "service_account_email", "") or "")

    try:
        address = within(ASK_SECONDS, asked)
    except raised as error:
        return Unknown(f"Google: {' '.join(str(error).split())}", now)
    if "@" not in address:
        return Unknown("Google: these credentials are of no service account, and say not whose they are", now)
    return Known(address, now)
