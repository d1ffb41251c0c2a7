"""One pipeline to Azure Resource Manager per identity, made when it is first needed.

Nothing is repeated in here (clients.py says why). Where Resource Manager is, is said as Azure's own tools have it:
AZURE_CLOUD for a sovereign cloud (azure-core's setting), ARM_ENDPOINT for one of another's (as Terraform's provider for
Azure Stack has it). A token is asked for that place, so that one for Azure is of no use to whoever answers there.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from azure.mgmt.core import ARMPipelineClient

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
ENDPOINT = "ARM_ENDPOINT"
LOOKING = "looks"


def endpoint() -> str:
    """The base that a resource's id is added to; it ends in no slash."""
    from azure.core.settings import settings
    from azure.mgmt.core.tools import get_arm_endpoints

    said = os.environ.get(ENDPOINT, "").strip()
    return (said or str(get_arm_endpoints(settings.azure_cloud())["resource_manager"])).rstrip("/")


def scope() -> str:
    """For which audience a token is asked."""
    return f"{endpoint()}/.default"


class Session:
    """One identity's way to Resource Manager. looking: nothing but GET is ever sent by it. Azure gives out no token
    that can only read, so that it is here that one which can do more is kept from it."""

    def __init__(self, role: str, *, looking: bool = False) -> None:
        from azure.core.pipeline.policies import UserAgentPolicy
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        self.endpoint, self._scope = endpoint(), scope()
        self._looking = looking
        self.credential = _credential(role)
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=self.endpoint,
            policies=[
                UserAgentPolicy("cloudfail"),
                ARMChallengeAuthenticationPolicy(self.credential, self._scope),
            ],
        )

    def take_on(self) -> None:
        """Have a token. It is kept by azure-identity until it is nearly over."""
        self.credential.get_token(self._scope)

    def ask(
        self,
        method: str,
        url: str,
        *,
        query: dict[str, str],
        body: Any,
        headers: dict[str, str],
        seconds: float,
    ) -> Any:
        """azure.core.rest.HttpResponse, whatever its status. Raises what `clients.failures` names."""
        from azure.core.rest import HttpRequest

        if self._looking and method != "GET":
            raise RuntimeError(f"{method} by a session that only looks")
        request = HttpRequest(method, url, params=query, json=body, headers=headers)
        connect = min(CONNECT_SECONDS, seconds)
        return self._client.send_request(request, connection_timeout=connect, read_timeout=seconds)

    def belongs(self, url: str) -> bool:
        """Whether that is Resource Manager's own place: a token goes nowhere else."""
        mine, other = urlsplit(self.endpoint), urlsplit(url)
        return (mine.scheme, mine.netloc.lower()) == (other.scheme, other.netloc.lower())


class Sessions:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Session] = {}

    def get(self, role: str = "", session: str = "") -> Session:
        """role: the client id that is taken on, "" for the process's own identity. session: of which run and epoch, so
        that a new lease begins with new credentials."""
        with self._lock:
            if (role, session) not in self._made:
                self._made[role, session] = Session(role)
            return self._made[role, session]

    def looking(self, role: str) -> Session:
        """Of any role, one that sends nothing but GET."""
        with self._lock:
            if (role, LOOKING) not in self._made:
                self._made[role, LOOKING] = Session(role, looking=True)
            return self._made[role, LOOKING]

    def drop(self, role: str, session: str) -> None:
        """Forget what was made of that role for other runs or leases than this one."""
        with self._lock:
            self._made = {key: made for key, made in self._made.items() if key[0] != role or key[1] in {"", session}}


def _credential(role: str) -> Any:
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential

    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    bounds: dict[str, Any] = {"retry_total": 0, "connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    if not role:
        return DefaultAzureCredential(**bounds)
    if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return WorkloadIdentityCredential(client_id=role, **bounds)
    return ManagedIdentityCredential(client_id=role, **bounds)
