"""One client per (role, session, region, service), made when it is first asked for.

The SDK's own retries are off: what may be tried again, and for how long, is decided in `attempts`, by class and within
a bound. Timeouts are short, since an SDK that waits a minute for a region that is gone has spent the lease of its
caller. Endpoints of tests and of private networks are the SDK's own variables: AWS_ENDPOINT_URL, and
AWS_ENDPOINT_URL_DYNAMODB, _S3, _STS.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import ConnectionError as NotConnected
from botocore.exceptions import HTTPClientError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
POOL = 16
WATCHING = "cloudfail"
"""The name of every session that only reads, and of those that keep the log."""
SESSION_SECONDS = 900
"""The least that STS gives. They are renewed while they are used, and no longer."""

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
    """Safe to share between threads: sessions are not, so clients are made under a lock; clients themselves are.

    sts_regions: where else a role may be taken on, if the region of the call has no STS that answers. A region that is
    half gone is changed from outside of it, as long as it takes calls at all.
    """

    def __init__(self, sts_regions: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        self._sts_regions = tuple(sts_regions)
        self._sessions: dict[_Who, Any] = {}
        self._made: dict[tuple[_Who, str, str, str, float], Any] = {}

    def get(
        self,
        service: str,
        region: str,
        role: str = "",
        session: str = WATCHING,
        endpoint: str = "",
        read_seconds: float = READ_SECONDS,
    ) -> Any:
        """The client; `role`, if any, is the ARN of the role that is assumed for it, under that session's name.
        endpoint: its URL, where a service has one for each cluster. read_seconds: how long the SDK waits for an answer,
        for what is known to take longer than others."""
        # A session per region where a role is assumed: its credentials come from that region's STS first.
        who = _Who(role, session, region) if role else _Who()
        key = (who, service, region, endpoint, read_seconds)
        made = self._made.get(key)
        if made is not None:
            return made
        with self._lock:
            if key not in self._made:
                self._made[key] = _client(self._session(who), service, region, endpoint, read_seconds)
            return self._made[key]

    def drop(self, role: str, session: str) -> None:
        """Forget what was made of that role for other sessions than this one and those that watch: credentials of a run
        that ended, or of a lease that was lost, are used for nothing any more."""
        with self._lock:
            stale = {who for who in self._sessions if who.role == role and who.session not in {session, WATCHING}}
            for who in stale:
                del self._sessions[who]
            self._made = {key: client for key, client in self._made.items() if key[0] not in stale}

    def _session(self, who: _Who) -> Any:
        if who not in self._sessions:
            session = _session()
            if who.role:
                regions = (who.region, *(region for region in self._sts_regions if region != who.region))
                chain = session.get_component("credential_provider")
                chain.insert_before("env", _AssumedRole(_session(), who.role, who.session, regions))
            self._sessions[who] = session
        return self._sessions[who]


@dataclass(frozen=True)
class _Who:
    """As whom; the process itself where there is no role."""

    role: str = ""
    session: str = ""
    region: str = ""


def session_name(run: str, epoch: int) -> str:
    """`cloudfail-<run>-<epoch>`, as CloudTrail shows who changed what: in the letters that STS takes, at most 64 (API
    reference, AssumeRole, RoleSessionName). A longer run is cut in its middle: its end tells runs of one plan apart."""
    end = f"-{epoch}"
    room = 64 - len("cloudfail-") - len(end)
    plain = re.sub(r"[^\w+=,.@-]", "-", run, flags=re.ASCII)
    if len(plain) > room:
        plain = plain[: room - 14] + ".." + plain[-12:]
    return f"cloudfail-{plain}{end}"


def default_region() -> str:
    """Where this process is told to be, for what is not asked of a certain region."""
    return str(_session().get_config_variable("region") or "us-east-1")


def _session() -> Any:
    session = botocore.session.Session()
    # The global STS endpoint lives in us-east-1.
    session.set_config_variable("sts_regional_endpoints", "regional")
    session.register("before-parse", _refuse_part)
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    return session


@functools.cache
def _models(data_path: str | None) -> Any:
    """botocore's descriptions of AWS's services, read once in a process and not once per role and region: EC2's alone
    takes longer to read than to ask."""
    return create_loader(data_path)


def _refuse_part(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Raises ResponseParserError where an answer broke off. botocore does not compare what came with Content-Length
    (`enforce_content_length=False` in its httpsession), and takes JSON that it cannot read for an answer without
    members: a list that broke off would be an empty one, and its last page."""
    body, headers = response_dict["body"], response_dict["headers"]
    said = headers.get("Content-Length", "")
    # Streams see to it themselves. HEAD tells the length of what it leaves out.
    if not isinstance(body, bytes) or not said.isdigit() or operation_model.http["method"] == "HEAD":
        return
    if len(body) < int(said):
        raise ResponseParserError(f"The answer broke off after {len(body)} of {said} bytes.")


def _client(session: Any, service: str, region: str, endpoint: str, read_seconds: float) -> Any:
    config = _CONFIG if read_seconds == READ_SECONDS else _CONFIG.merge(Config(read_timeout=read_seconds))
    made = session.create_client(service, region_name=region, config=config, endpoint_url=endpoint or None)
    host = urlsplit(made.meta.endpoint_url).hostname or ""
    if service == "s3" and f".{region}." not in host:
        # An endpoint of somebody's own has no name for each bucket.
        by_path = _CONFIG.merge(Config(s3={"addressing_style": "path"}))
        made = session.create_client(service, region_name=region, config=by_path, endpoint_url=endpoint or None)
    return made


class _AssumedRole:
    """What botocore asks for credentials, first of its chain. They are fetched with the first call, and again before
    they expire, from the first of `regions` whose STS answers."""

    METHOD = "cloudfail-assume-role"
    CANONICAL_NAME = METHOD

    def __init__(self, source: Any, role: str, session: str, regions: Sequence[str]) -> None:
        self._source = source
        self._role = role
        self._session = session
        self._regions = regions

    def load(self) -> Any:
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=self._fetch)

    def _fetch(self) -> Any:
        for region in self._regions[:-1]:
            with contextlib.suppress(
                NotConnected, HTTPClientError
            ):  # no answer; what STS refuses, it refuses in each region
                return self._fetcher(region).fetch_credentials()
        return self._fetcher(self._regions[-1]).fetch_credentials()

    def _fetcher(self, region: str) -> Any:
        def sts(service: str, **credentials: Any) -> Any:
            return self._source.create_client(service, **{**credentials, "region_name": region, "config": _CONFIG})

        return AssumeRoleCredentialFetcher(
            client_creator=sts,
            source_credentials=self._source.get_credentials(),
            role_arn=self._role,
            extra_args={"RoleSessionName": self._session, "DurationSeconds": SESSION_SECONDS},
        )
