"""Where a subscription pushes, in Pub/Sub's words and in cloudfail.yaml's.

What stands in a subscription must be what the file says, in all that it can hold: else it could be emptied, and not be
put back. A label's value has 63 characters of a small alphabet, so that the subscription cannot keep it for us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail_gcp.consumers.options import Push

_KNOWN = frozenset({"pushEndpoint", "attributes", "oidcToken", "noWrapper", "pubsubWrapper"})
# Pub/Sub always tells the format; these two are one (PushConfig.attributes), and what it takes unless told otherwise.
_FORMATS = ("v1", "v1beta2")


def config(push: Push) -> dict[str, Any]:
    """A PushConfig that pushes there."""
    made: dict[str, Any] = {"pushEndpoint": push.endpoint}
    if push.service_account:
        made["oidcToken"] = {"serviceAccountEmail": push.service_account}
        if push.audience:
            made["oidcToken"]["audience"] = push.audience
    if push.unwrapped:
        made["noWrapper"] = {"writeMetadata": push.metadata}
    return made


def endpoint(found: Mapping[str, Any]) -> str:
    """Where a PushConfig pushes to; "" where it does not."""
    return str(found.get("pushEndpoint") or "")


def unlike(found: Mapping[str, Any], push: Push) -> str:
    """What of it is not as the file says, in a few words; "" where it all is."""
    if endpoint(found) != push.endpoint:
        return f"pushes to {endpoint(found)}"
    if extra := sorted(set(found) - _KNOWN):
        return f"holds {', '.join(extra)}, which is not read here"
    token = found.get("oidcToken") or {}
    account, audience = str(token.get("serviceAccountEmail") or ""), str(token.get("audience") or "")
    if (account, audience) != (push.service_account or "", push.audience or ""):
        signed = f"signs as {account}" if account else "signs nothing"
        return f"{signed} for the audience {audience}" if audience else signed
    bare = found.get("noWrapper")
    if (bare is not None) != push.unwrapped or bool((bare or {}).get("writeMetadata")) != push.metadata:
        return "wraps its messages otherwise"
    attributes = dict(found.get("attributes") or {})
    if attributes.pop("x-goog-version", _FORMATS[0]) not in _FORMATS or attributes:
        return f"has the attributes {found['attributes']}"
    return ""
