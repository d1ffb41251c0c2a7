"""What people write in cloudfail.yaml for consumers on Azure: an id, or a mapping where more must be said.

orders: {consumers: service-bus-queue, members: {westeurope: /subscriptions/S/resourceGroups/G/providers/
         Microsoft.ServiceBus/namespaces/shop-w/queues/orders}}
books:  {consumers: function-app, members: {westeurope: {function: /subscriptions/S/resourceGroups/G/providers/
         Microsoft.Web/sites/books-w/functions/Close, quiet: "https://books-w.shop.example/quiet"}}}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from cloudfail.config.fields import Shape, mistake
from cloudfail_azure.paths import pattern, written

# A subscription of Event Grid stands below a topic of its own, or beside whatever it is told events of: a whole Azure
# subscription, a resource group, a resource (Event Subscriptions - Get, `scope`).
_EVENTS = re.compile(
    r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/resourceGroups/[\w().-]{1,90}(?:/[\w.-]{1,260})*?)?"
    r"/providers/Microsoft\.EventGrid/(?:(?:topics|systemTopics|partnerTopics|domains)/[\w-]+/(?:topics/[\w-]+/)?)?"
    r"eventSubscriptions/[\w-]{3,64}",
    re.IGNORECASE,
)

if TYPE_CHECKING:
    QueueId = str
    TopicSubscriptionId = str
    EventSubscriptionId = str
    FunctionId = str
    Url = str
else:
    TopicSubscriptionId = written(
        pattern("Microsoft.ServiceBus", "namespaces", "topics", "subscriptions"),
        "id of a subscription of a topic of Service Bus",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ServiceBus/namespaces/NAMESPACE/topics/"
        "TOPIC/subscriptions/NAME",
    )
    EventSubscriptionId = written(
        _EVENTS,
        "id of an event subscription of Event Grid",
        "what `az eventgrid event-subscription list` tells as its id: SCOPE/providers/Microsoft.EventGrid/"
        "eventSubscriptions/NAME",
    )
    FunctionId = written(
        re.compile(
            f"{pattern('Microsoft.Web', 'sites').pattern}(?:/slots/[\\w-]{{1,59}})?/functions/[A-Za-z][\\w-]{{0,127}}",
            re.IGNORECASE,
        ),
        "id of a function",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Web/sites/APP/functions/NAME",
    )
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


class QuietMember(Shape):
    """quiet: a URL of what receives, which serves (2xx) only while nothing has been received for as long as the site
    says. Off is off once it does."""

    quiet: Url | None = None


class QueueMember(QuietMember):
    """The region's queue."""

    queue: QueueId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"queue": told} if isinstance(told, str) else told

    @property
    def id(self) -> str:
        return self.queue


class TopicMember(QuietMember):
    """The region's subscription of a topic."""

    subscription: TopicSubscriptionId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"subscription": told} if isinstance(told, str) else told

    @property
    def id(self) -> str:
        return self.subscription


class EventsMember(QuietMember):
    """The region's event subscription, which delivers to a queue of Service Bus. queue: which one that must be; None
    for whichever it is."""

    events: EventSubscriptionId
    queue: QueueId | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"events": told} if isinstance(told, str) else told


class FunctionMember(QuietMember):
    """The region's function, of an app or of a slot of one."""

    function: FunctionId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"function": told} if isinstance(told, str) else told
