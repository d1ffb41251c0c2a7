"""What people write in cloudfail.yaml for consumers on Azure: the id of a queue, or a mapping where more must be said.

orders: {consumers: service-bus-queue, members: {westeurope: /subscriptions/S/resourceGroups/G/providers/
         Microsoft.ServiceBus/namespaces/shop-w/queues/orders}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from cloudfail.config.fields import Shape, mistake
from cloudfail_azure.paths import pattern, written

if TYPE_CHECKING:
    QueueId = str
    Url = str
else:
    QueueId = written(
        pattern("Microsoft.ServiceBus", "namespaces", "queues"),
        "id of a queue of Service Bus",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ServiceBus/namespaces/NAMESPACE/queues/NAME",
    )

    def _url(value: Any) -> Any:
        from cloudfail.probes.serves import no_url  # it brings asyncio, which importing a provider does not need

        if problem := no_url(value if isinstance(value, str) else ""):
            raise mistake(problem, "write https://HOST/PATH")
        return value

    Url = Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]


class QueueMember(Shape):
    """The region's queue. quiet: a URL of what receives, which serves (2xx) only while nothing has been received for as
    long as the site says. Off is off once it does."""

    queue: QueueId
    quiet: Url | None = None

    @property
    def id(self) -> str:
        return self.queue

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"queue": told} if isinstance(told, str) else told
