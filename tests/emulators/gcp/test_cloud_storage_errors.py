"""Every row of the table that says what Google's answers mean."""

from __future__ import annotations

import google.auth.exceptions
import pytest
import requests.exceptions

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_gcp import store_errors as errors

_REASONS = {
    "conditionNotMet": Conflict,
    "retentionPolicyNotMet": Conflict,
    "objectUnderActiveHold": Conflict,
    "rateLimitExceeded": Transient,
    "userRateLimitExceeded": Transient,
    "quotaExceeded": Transient,
    "authError": Permanent,
    "forbidden": Permanent,
    "notFound": Permanent,
}
_STATUSES = (
    dict.fromkeys((400, 401, 403, 404, 405, 410, 411, 413), Permanent)
    | dict.fromkeys((408, 409, 500, 502, 503, 504), OutcomeUnknown)
    | {412: Conflict, 429: Transient}
)
_EXCEPTIONS = {
    requests.exceptions.ConnectTimeout: Transient,
    requests.exceptions.ProxyError: OutcomeUnknown,
    requests.exceptions.SSLError: Permanent,
    requests.exceptions.InvalidURL: Permanent,
    requests.exceptions.ReadTimeout: OutcomeUnknown,
    requests.exceptions.ConnectionError: OutcomeUnknown,
    requests.exceptions.ChunkedEncodingError: OutcomeUnknown,
    requests.exceptions.RequestException: OutcomeUnknown,
    google.auth.exceptions.DefaultCredentialsError: Permanent,
    google.auth.exceptions.RefreshError: Permanent,
    google.auth.exceptions.TransportError: Transient,
    google.auth.exceptions.GoogleAuthError: Permanent,
}


@pytest.mark.parametrize("reason", errors.REASON)
def test_a_reason_means_what_the_table_says(reason: str) -> None:
    assert type(errors.from_answer(403, reason, "no", "acme")) is _REASONS[reason]


@pytest.mark.parametrize("status", errors.STATUS)
def test_a_status_means_what_the_table_says(status: int) -> None:
    assert type(errors.from_answer(status, "", "no", "acme")) is _STATUSES[status]


@pytest.mark.parametrize("name", errors.EXCEPTION)
def test_what_a_client_raises_means_what_the_table_says(name: str) -> None:
    raised = next(kind for kind in _EXCEPTIONS if f"{kind.__module__}.{kind.__qualname__}" == name)
    assert type(errors.from_exception(raised("gone"), "acme")) is _EXCEPTIONS[raised]


def test_what_is_in_no_table_is_unknown_and_means_look_first() -> None:
    assert type(errors.from_answer(418, "teapot", "no", "acme")) is OutcomeUnknown
    assert type(errors.from_exception(RuntimeError("?"), "acme")) is OutcomeUnknown


def test_the_nearest_ancestor_of_an_error_decides() -> None:
    """ConnectTimeout is a ConnectionError too; ReauthFailError is a RefreshError."""
    assert type(errors.from_exception(requests.exceptions.ConnectTimeout(), "acme")) is Transient
    assert type(errors.from_exception(google.auth.exceptions.ReauthFailError("expired"), "acme")) is Permanent


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (401, "authError", "gcloud auth application-default login"),
        (403, "forbidden", "roles/storage.objectViewer"),
        (404, "notFound", "gcloud storage buckets describe gs://acme"),
    ],
)
def test_what_a_person_must_change_is_said(status: int, reason: str, advice: str) -> None:
    assert advice in errors.from_answer(status, reason, "no", "acme").to_do
    assert "gcloud auth" in errors.from_exception(google.auth.exceptions.RefreshError("expired"), "acme").to_do
