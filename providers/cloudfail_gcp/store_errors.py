"""What Cloud Storage answers, as the four classes that decide about a retry.

A test stands behind every row. The question of each row is only: did the call take effect, and would the same call
later? A 5xx and silence after the request was sent say neither: OutcomeUnknown. Sources: Cloud Storage, "HTTP status
and error codes for JSON"; google-auth and requests, their exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_gcp.errors import EXCEPTION, Classified

_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

# By the error's reason first, then by its status.
REASON: Mapping[str, _Class] = {
    "conditionNotMet": Conflict,  # 412: an object of that name is there
    "retentionPolicyNotMet": Conflict,  # 403: it is there, and may not be overwritten yet
    "objectUnderActiveHold": Conflict,  # 403: the same
    "rateLimitExceeded": Transient,  # 429, and 403 of older services
    "userRateLimitExceeded": Transient,
    "quotaExceeded": Transient,
    "authError": Permanent,
    "forbidden": Permanent,
    "notFound": Permanent,
}
STATUS: Mapping[int, _Class] = {
    400: Permanent,
    401: Permanent,  # after google-auth has already asked for a new token
    403: Permanent,
    404: Permanent,
    405: Permanent,
    408: OutcomeUnknown,  # the upload did not arrive in time, as far as the server that says so knows
    409: OutcomeUnknown,  # a conflict with something under way: not said which of the two took effect
    410: Permanent,
    411: Permanent,
    412: Conflict,
    413: Permanent,
    429: Transient,  # refused before it was looked at
    500: OutcomeUnknown,
    502: OutcomeUnknown,
    503: OutcomeUnknown,
    504: OutcomeUnknown,
}


def from_answer(status: int, reason: str, message: str, bucket: str) -> Classified:
    """The class of an answer that is no success. One that is in neither table is OutcomeUnknown: look first."""
    kind = REASON.get(reason) or STATUS.get(status, OutcomeUnknown)
    said = f"Cloud Storage answered {status}: {' '.join(message.split()) or reason}"
    if kind is Permanent:
        return Permanent(said, "", _to_do(status, bucket))
    return kind(said)


def from_exception(error: Exception, bucket: str) -> Classified:
    """The class of what a client raised instead of an answer."""
    names = [f"{ancestor.__module__}.{ancestor.__qualname__}" for ancestor in type(error).__mro__]
    kind = next((EXCEPTION[name] for name in names if name in EXCEPTION), OutcomeUnknown)
    said = " ".join(str(error).split()) or type(error).__name__
    if names[0].startswith("google.auth.") and kind is Permanent:
        return Permanent(said, "", _to_do(401, bucket))
    return kind(said)


def _to_do(status: int, bucket: str) -> str:
    if status == 401:
        return "Log in anew: gcloud auth application-default login (or see which service account this machine has)."
    if status == 403:
        return (
            "Give this identity storage.objects.create, .get and .list (roles/storage.objectCreator and "
            "roles/storage.objectViewer) and storage.buckets.get (roles/storage.legacyBucketReader): "
            f"gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=MEMBER --role=ROLE"
        )
    return f"See whether the bucket is there: gcloud storage buckets describe gs://{bucket}"
