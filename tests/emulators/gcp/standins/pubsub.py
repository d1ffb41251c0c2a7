"""Pub/Sub v1 as a state machine, as far as push subscriptions go; what is published is pushed over HTTP.

As its documentation has it: a patch changes what its mask names and nothing else, labels as a whole; an empty push
configuration stops pushing, and messages accumulate through the call; `GetSubscription` always tells the format of what
is pushed. Retention, ordering and dead letters are not played.
"""

from __future__ import annotations

import copy
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.delivering import Delivering, comes, wrapped

_KEY, _VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_MASK = frozenset({"pushConfig", "labels", "expirationPolicy", "retryPolicy", "messageRetentionDuration"})


class PubSub(Delivering):
    """`subscriptions`: by path, as the API tells them."""

    def __init__(self, **more: Any) -> None:
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self._waiting: dict[str, dict[str, str]] = {}
        self._pushing: dict[str, str] = {}
        self._numbers = itertools.count(1)
        super().__init__(**more)

    def subscription(self, path: str, push: Mapping[str, Any] | None, **more: Any) -> None:
        """Made as its owner would."""
        with self.lock:
            self.subscriptions[path] = {
                "name": path,
                "topic": f"{'/'.join(path.split('/')[:2])}/topics/orders",
                "ackDeadlineSeconds": 10,
                "messageRetentionDuration": "604800s",
                "expirationPolicy": {"ttl": "2678400s"},
                "state": "ACTIVE",
                "pushConfig": _told(push or {}),
                **more,
            }
            self._waiting[path] = {}
            self._pushing[path] = (push or {}).get("pushEndpoint", "")

    def publish(self, path: str) -> str:
        """A message to its topic; its id."""
        with self.lock:
            identity = f"m-{next(self._numbers)}-"
            self._waiting[path][identity] = "eA=="
            return identity

    def waiting(self, path: str) -> int:
        """The backlog."""
        with self.lock:
            return len(self._waiting[path])

    def delivers(self, path: str, heard: Callable[[str], bool]) -> bool:
        """Whether what is published now comes where `heard` is. If not, it is taken back."""
        identity = self.publish(path)
        came = comes(lambda: heard(identity), expected=bool(self._pushing[path]))
        with self.lock:
            self._waiting[path].pop(identity, None)
        return came

    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        return [
            (
                url,
                wrapped(identity, path, data),
                functools.partial(self._acknowledged, path, identity),
            )
            for path, url in self._pushing.items()
            if url
            for identity, data in list(self._waiting[path].items())
        ]

    def _acknowledged(self, path: str, identity: str) -> None:
        self._waiting[path].pop(identity, None)

    # ---- the API

    def projects_subscriptions_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        with self.lock:
            return copy.deepcopy(self._found(labels))

    def projects_subscriptions_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        wanted, mask = body.get("subscription") or {}, [one for one in body.get("updateMask", "").split(",") if one]
        with self.lock:
            found = self._found(labels)
            if not mask or not set(mask) <= _MASK:
                raise Refused(400, "badRequest", f"Invalid update_mask provided: {mask}.", "INVALID_ARGUMENT")
            if found.get("detached"):
                raise Refused(400, "failedPrecondition", "The subscription is detached.", "FAILED_PRECONDITION")
            for key, value in (wanted.get("labels") or {}).items():
                if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
                    raise Refused(400, "badRequest", f"Invalid label {key}={value}.", "INVALID_ARGUMENT")
            for key in mask:
                found[key] = copy.deepcopy(wanted.get(key) or {})
            if "pushConfig" in mask:
                found["pushConfig"] = _told(found["pushConfig"])
                if self.obeying:
                    self._pushing[found["name"]] = found["pushConfig"].get("pushEndpoint", "")
            return copy.deepcopy(found)

    def _found(self, labels: Mapping[str, str]) -> dict[str, Any]:
        path = f"projects/{labels['projectsId']}/subscriptions/{labels['subscriptionsId']}"
        if path not in self.subscriptions:
            raise Refused(404, "notFound", f"Resource not found (resource={path}).", "NOT_FOUND")
        return self.subscriptions[path]


def _told(push: Mapping[str, Any]) -> dict[str, Any]:
    if not push.get("pushEndpoint"):
        return {}
    return {**push, "attributes": {"x-goog-version": "v1", **(push.get("attributes") or {})}}


class Eventarc:
    """Eventarc v1: triggers, each with the subscription that delivers for it."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.triggers: dict[str, dict[str, Any]] = {}

    def trigger(self, path: str, subscription: str) -> None:
        """Made as its owner would, and its transport by Eventarc."""
        project = "/".join(path.split("/")[:2])
        self.triggers[path] = {
            "name": path,
            "uid": "4a0b5c0e-0000-4000-8000-000000000001",
            "etag": '"1"',
            "eventFilters": [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}],
            "destination": {"cloudRun": {"service": "orders", "region": path.split("/")[3]}},
            "transport": {"pubsub": {"topic": f"{project}/topics/orders", "subscription": subscription}},
        }

    def projects_locations_triggers_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        path = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/triggers/{labels['triggersId']}"
        if path not in self.triggers:
            raise Refused(404, "notFound", f"Resource '{path}' was not found", "NOT_FOUND")
        return copy.deepcopy(self.triggers[path])
