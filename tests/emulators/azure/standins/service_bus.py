"""Queues and topics' subscriptions of Service Bus, and a receiver on loopback to which they hand out what is sent.

As their documentation has it: a PUT replaces a queue as a whole, at once. One whose status is neither Active nor
SendDisabled hands nothing out, and keeps what is sent to it.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused
from tests.emulators.azure.standins.arm import GROUP, Resources
from tests.emulators.gcp.standins.delivering import Delivering, comes

NAMESPACES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ServiceBus/namespaces"
FIXED = ("requiresSession", "requiresDuplicateDetection", "enablePartitioning")


class ServiceBus(Delivering, Resources):
    """`obeying`: while it is not set, a status is taken and told, and what is handed out goes on as before."""

    service = "servicebus"

    def __init__(self, **more: Any) -> None:
        self._waiting: dict[str, list[str]] = {}
        self._open: dict[str, bool] = {}
        self._words = itertools.count()
        super().__init__(**more)

    def touch(self, id_: str) -> None:
        """Nothing of Service Bus has an ETag."""

    def queue(self, namespace: str, region: str, status: str, name: str = "orders") -> str:
        place = self.put(f"{NAMESPACES}/{namespace}", {"location": region, "properties": {}}, region)
        properties = {
            "lockDuration": "PT1M",
            "maxSizeInMegabytes": 1024,
            "requiresSession": False,
            "requiresDuplicateDetection": False,
            "enablePartitioning": False,
            "deadLetteringOnMessageExpiration": True,
            "maxDeliveryCount": 7,
            "userMetadata": "of the team orders",
            "status": status,
            "messageCount": 0,
            "createdAt": "2026-01-01T00:00:00Z",
        }
        made = self.put(f"{place}/queues/{name}", {"properties": properties}, region)
        with self.lock:
            self._waiting[made.lower()] = []
            self._open[made.lower()] = status in ("Active", "SendDisabled")
        return made

    def subscription(self, namespace: str, region: str, status: str, name: str = "books") -> str:
        """Of the topic `orders`; with what only a subscription has."""
        place = self.put(f"{NAMESPACES}/{namespace}", {"location": region, "properties": {}}, region)
        properties = {
            "lockDuration": "PT1M",
            "requiresSession": False,
            "defaultMessageTimeToLive": "P14D",
            "deadLetteringOnFilterEvaluationExceptions": True,
            "isClientAffine": False,
            "maxDeliveryCount": 7,
            "status": status,
            "autoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
            "messageCount": 0,
            "createdAt": "2026-01-01T00:00:00Z",
        }
        made = self.put(f"{place}/topics/orders/subscriptions/{name}", {"properties": properties}, region)
        with self.lock:
            self._waiting[made.lower()] = []
            self._open[made.lower()] = status in ("Active", "SendDisabled")
        return made

    def delivers(self, queue: str, *, expected: bool) -> bool:
        """Whether what is sent now is received."""
        word = f"word-{next(self._words)}."
        with self.lock:
            self._waiting[queue.lower()].append(word)
            self._bodies[queue.lower()]["properties"]["messageCount"] += 1
        return comes(lambda: self.receiver.heard(word), expected=expected)

    def due(self) -> list[tuple[str, str, Callable[[], None]]]:
        def taken(queue: str, word: str) -> Callable[[], None]:
            return lambda: self._waiting[queue].remove(word)

        return [
            (self.receiver.url, word, taken(queue, word))
            for queue, words in self._waiting.items()
            if self._open[queue]
            for word in words
        ]

    def namespaces_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def queues_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def subscriptions_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def subscriptions_create_or_update(self, ask: Ask) -> dict[str, Any]:
        return self.queues_create_or_update(ask)

    def queues_create_or_update(self, ask: Ask) -> dict[str, Any]:
        """What is not said is as a new one has it."""
        found, told = self.at(ask.path), copy.deepcopy(ask.body["properties"])
        with self.lock:
            before = found["properties"]
            for name in FIXED:
                if told.get(name, False) != before.get(name, False):
                    raise Refused(400, "BadRequest", f"The value of {name} cannot be changed.")
            read_only = {key: before[key] for key in ("messageCount", "createdAt")}
            found["properties"] = {"status": "Active", "maxDeliveryCount": 10, **told, **read_only}
            if self.obeying:
                self._open[ask.path.lower()] = found["properties"]["status"] in ("Active", "SendDisabled")
        return found
