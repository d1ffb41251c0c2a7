"""One authorised session per (API, identity), made when it is first needed: for all of Google's APIs but Cloud Storage.

Nothing is repeated in here (clients.py says why). Where an API is asked instead of Google's own address is said as
gcloud has it: CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS, _COMPUTE (which ends in /compute/v1/), _SQL and so on. Such a place
gets no credentials of this machine unless it is Google's.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudfail_gcp.clients import session_of

if TYPE_CHECKING:
    import requests

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOOKING = (f"{SCOPE}.read-only", *(f"https://www.googleapis.com/auth/{api}.readonly" for api in ("compute", "run")))
"""What a role that is only asked about gets. By Google's descriptions of the APIs that are used here, no method that
changes anything takes a token of these scopes, but for those of Resource Manager's liens."""
TOKEN_SECONDS = 900
"""For how long a role's token is good. They are renewed while they are used, and no longer."""
# Google's words for an API, where its host's name is another.
_OVERRIDES = {"sqladmin": "SQL", "cloudscheduler": "CLOUDSCHEDULER", "logging": "LOGGING"}
_PATHS = {"compute": "compute/v1/"}


def endpoint(api: str) -> str:
    """The base that a method's path is added to; it ends in a slash."""
    name = _OVERRIDES.get(api, api.upper().replace("-", "_"))
    said = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}", "")
    return f"{said.rstrip('/')}/" if said else f"https://{api}.googleapis.com/{_PATHS.get(api, '')}"


class Sessions:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str, bool, tuple[str, ...]], requests.Session] = {}

    def get(self, api: str, role: str = "", session: str = "", scopes: tuple[str, ...] = (SCOPE,)) -> requests.Session:
        """role: the service account that is impersonated, "" for the process's own identity. session: of which run and
        epoch, so that a new lease begins with new credentials. scopes: of a role's token; the process's own identity
        has the credentials that it has. Raises what `clients.failures` names."""
        anonymous = not (urlsplit(endpoint(api)).hostname or "").endswith(".googleapis.com")
        key = (role, session, anonymous, scopes)
        with self._lock:
            if key not in self._made:
                self._made[key] = session_of(lambda request: _credentials(role, request, scopes, anonymous=anonymous))
            return self._made[key]

    def drop(self, role: str, session: str) -> None:
        """Forget what was made of that role for other runs or leases than this one."""
        with self._lock:
            kept = {key: made for key, made in self._made.items() if key[0] != role or key[1] in {"", session}}
            self._made = kept


def _credentials(role: str, request: Any, scopes: tuple[str, ...], *, anonymous: bool) -> Any:
    import google.auth
    from google.auth import impersonated_credentials
    from google.auth.credentials import AnonymousCredentials
    from google.oauth2.credentials import Credentials

    source: Any
    if not anonymous:
        source, _ = google.auth.default(scopes=(SCOPE,), request=request)
    elif role:
        # A place that is not Google's asks for no token, and impersonation begins with one.
        source = Credentials("none")  # type: ignore[no-untyped-call]
    else:
        source = AnonymousCredentials()  # type: ignore[no-untyped-call]
    if not role:
        return source
    asked = f"{endpoint('iamcredentials')}v1/projects/-/serviceAccounts/{role}:generateAccessToken"
    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=source,
        target_principal=role,
        target_scopes=list(scopes),
        delegates=[],
        lifetime=TOKEN_SECONDS,
        iam_endpoint_override=asked,
    )
