"""What people write in cloudfail.yaml for the kinds of this port: strict models (an unknown key is a mistake).

nightly: {consumers: scheduler-job, members: {us-central1: projects/shop-prod/locations/us-central1/jobs/nightly}}
mails:   {consumers: tasks-queue, members: {us-central1: projects/shop-prod/locations/us-central1/queues/mails}}
orders:
  consumers: pubsub-subscription
  members:
    us-central1: {subscription: projects/shop-prod/subscriptions/orders, push: "https://orders-c.shop.example/push"}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import Duration, Shape, mistake
from cloudfail_gcp.paths import PROJECT, written

_LOCATION = r"locations/[a-z0-9-]+"
_ACCOUNT = r"^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$"
MANAGED = "eventarc-"
"""What the id of each subscription begins with that Eventarc makes by itself (Eventarc, "Retry events")."""

if TYPE_CHECKING:
    SubscriptionPath = str
    JobPath = str
    QueuePath = str
    TriggerPath = str
    Url = str
else:
    _subscription = written(
        re.compile(rf"{PROJECT}/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{{2,254}}"),
        "path of a subscription",
        "projects/PROJECT/subscriptions/NAME",
    )

    def _own(path: Any) -> Any:
        if isinstance(path, str) and path.rpartition("/")[2].startswith(MANAGED):
            raise mistake("this subscription is Eventarc's own", "write `consumers: eventarc-trigger` and its trigger")
        return path

    SubscriptionPath = Annotated[_subscription, BeforeValidator(_own)]
    JobPath = written(
        re.compile(rf"{PROJECT}/{_LOCATION}/jobs/[A-Za-z0-9_-]{{1,500}}"),
        "path of a job of Cloud Scheduler",
        "projects/PROJECT/locations/REGION/jobs/NAME",
    )
    QueuePath = written(
        re.compile(rf"{PROJECT}/{_LOCATION}/queues/[A-Za-z0-9-]{{1,100}}"),
        "path of a queue of Cloud Tasks",
        "projects/PROJECT/locations/REGION/queues/NAME",
    )
    TriggerPath = written(
        re.compile(rf"{PROJECT}/{_LOCATION}/triggers/[a-z][a-z0-9-]{{0,62}}"),
        "path of a trigger of Eventarc",
        "projects/PROJECT/locations/REGION/triggers/NAME",
    )

    def _url(value: Any) -> Any:
        from cloudfail.probes.serves import no_url  # it brings asyncio, which importing a provider does not need

        if problem := no_url(value if isinstance(value, str) else ""):
            raise mistake(problem, "write https://HOST/PATH")
        return value

    Url = Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]


class _Member(Shape):
    """quiet: a URL of what receives, which serves (2xx) only while nothing has been delivered for as long as the site
    says. Off is off once it does."""

    quiet: Url | None = None


class Push(Shape):
    """Where the subscription pushes while it is on, as it stands there: it cannot be kept anywhere else. unwrapped: the
    message's data alone is the body; metadata: and what else there is comes in headers."""

    endpoint: Url
    service_account: Annotated[str, Field(pattern=_ACCOUNT)] | None = None
    audience: Annotated[str, Field(min_length=1)] | None = None
    unwrapped: bool = False
    metadata: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"endpoint": written} if isinstance(written, str) else written

    @model_validator(mode="after")
    def _whole(self) -> Push:
        if self.audience and not self.service_account:
            raise mistake("an audience is one of a token, and no account signs one", "write service_account as well")
        if self.metadata and not self.unwrapped:
            raise mistake("metadata goes in headers only where the message is unwrapped", "write unwrapped: true")
        return self


class SubscriptionMember(_Member):
    """A subscription, and where it pushes for this region. Members of two regions may name the same one."""

    subscription: SubscriptionPath
    push: Push


class TriggerMember(_Member):
    """A trigger of Eventarc, and where its transport's subscription pushes while it is on."""

    trigger: TriggerPath
    push: Push


class JobMember(_Member):
    """quiet_for: for so long no attempt may have begun before a paused job counts as off. No schedule is shorter than
    a minute."""

    job: JobPath
    quiet_for: Duration = Seconds(65)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"job": written} if isinstance(written, str) else written


class QueueMember(_Member):
    queue: QueuePath

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"queue": written} if isinstance(written, str) else written
