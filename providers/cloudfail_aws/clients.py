"""One client per (account role, region, service), made when it is first asked for.

The SDK's own retries are off: what may be tried again, and for how long, is decided in `attempts`, by class and within
a bound. Timeouts are short, since an SDK that waits a minute for a region that is gone has spent the lease of its
caller. Endpoints of tests and of private networks are the SDK's own variables: AWS_ENDPOINT_URL, and
AWS_ENDPOINT_URL_DYNAMODB, _S3, _STS.
"""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
POOL = 16

_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=POOL,
    tcp_keepalive=True,
    user_agent_extra="cloudfail",
    # Not s3.amazonaws.com: a bucket in us-east-1 is asked there, like any other in its own region.
    s3={"us_east_1_regional_endpoint": "regional"},
)


class Clients:
    """Safe to share between threads: sessions are not, so clients are made under a lock; clients themselves are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str], Any] = {}
        self._made: dict[tuple[str, str, str], Any] = {}

    def get(self, service: str, region: str, role: str = "") -> Any:
        """The client; `role`, if any, is the ARN of the role that is assumed for it."""
        key = (role, region, service)
        made = self._made.get(key)
        if made is not None:
            return made
        with self._lock:
            if key not in self._made:
                self._made[key] = _client(self._session(region, role), service, region)
            return self._made[key]

    def _session(self, region: str, role: str) -> Any:
        # A session per region where a role is assumed: its credentials come from that region's STS and no other.
        key = (role, region if role else "")
        if key not in self._sessions:
            session = _session()
            if role:
                chain = session.get_component("credential_provider")
                chain.insert_before("env", _AssumedRole(_session(), role, region))
            self._sessions[key] = session
        return self._sessions[key]


def _session() -> Any:
    session = botocore.session.Session()
    # The global STS endpoint lives in us-east-1.
    session.set_config_variable("sts_regional_endpoints", "regional")
    return session


def _client(session: Any, service: str, region: str) -> Any:
    made = session.create_client(service, region_name=region, config=_CONFIG)
    host = urlsplit(made.meta.endpoint_url).hostname or ""
    if service == "s3" and f".{region}." not in host:
        # An endpoint of somebody's own has no name for each bucket.
        by_path = _CONFIG.merge(Config(s3={"addressing_style": "path"}))
        made = session.create_client(service, region_name=region, config=by_path)
    return made


class _AssumedRole:
    """What botocore asks for credentials, first of its chain. They are fetched with the first call, and again before
    they expire."""

    METHOD = "cloudfail-assume-role"
    CANONICAL_NAME = METHOD

    def __init__(self, source: Any, role: str, region: str) -> None:
        self._source = source
        self._role = role
        self._region = region

    def load(self) -> Any:
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts,
            source_credentials=self._source.get_credentials(),
            role_arn=self._role,
            extra_args={"RoleSessionName": "cloudfail"},
        )
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=fetcher.fetch_credentials)

    def _sts(self, service: str, **credentials: Any) -> Any:
        return self._source.create_client(service, **{**credentials, "region_name": self._region, "config": _CONFIG})
