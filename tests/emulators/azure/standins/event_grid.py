"""Event subscriptions of Event Grid, as they are told. What they deliver arrives in a queue of Service Bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.emulators.azure.front import Ask
from tests.emulators.azure.standins.arm import Resources


class EventGrid(Resources):
    service = "eventgrid"

    def touch(self, id_: str) -> None:
        """Nothing of Event Grid has an ETag."""

    def subscription(self, id_: str, destination: Mapping[str, Any], *, by_identity: bool = False) -> str:
        """Which delivers there."""
        told: dict[str, Any] = {"destination": dict(destination)}
        if by_identity:
            told = {"deliveryWithResourceIdentity": {"identity": {"type": "SystemAssigned"}, **told}}
        properties = {"provisioningState": "Succeeded", "filter": {"subjectBeginsWith": "orders/"}, **told}
        return self.put(id_, {"type": "Microsoft.EventGrid/eventSubscriptions", "properties": properties})

    def event_subscriptions_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def system_topic_event_subscriptions_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)
