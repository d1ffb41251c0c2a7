"""What consumes messages and fires by the clock in Google Cloud: push subscriptions of Pub/Sub, triggers of Eventarc,
jobs of Cloud Scheduler, queues of Cloud Tasks.

All of it is control plane. Off in the region that is left, on in the one that takes over, and never on before its
database takes writes (lint sees to the order). Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.consumers import permissions
from cloudfail_gcp.consumers.options import JobMember, QueueMember, SubscriptionMember, TriggerMember


def _pubsub_subscription(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.consumers import pubsub_subscription

    return pubsub_subscription.build(resource, topology)


def _eventarc_trigger(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.consumers import eventarc_trigger

    return eventarc_trigger.build(resource, topology)


def _scheduler_job(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.consumers import scheduler_job

    return scheduler_job.build(resource, topology)


def _tasks_queue(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.consumers import tasks_queue

    return tasks_queue.build(resource, topology)


def _labels(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
    """The labels of that region's subscription, which are replaced as a whole."""
    regions = [region] if region in resource.members else sorted(resource.members)
    of = "trigger" if resource.kind == "eventarc-trigger" else "subscription"
    return tuple(dict.fromkeys(f"gcp/{resource.kind}/{resource.members[one][of]}" for one in regions))


# The mark is in the labels, and a request that is on its way would replace both. Google says nothing of how long its
# servers take to end or to begin.
_PUSH = VerbFacts("control", None, False, True, 15.0, 120.0, "watching")

KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CONSUMERS,
        name="pubsub-subscription",
        build=_pubsub_subscription,
        permissions=permissions.subscription,
        member=SubscriptionMember,
        settle_seconds=3.0,
        verbs={"enable": _PUSH},
        shared={"enable": _labels},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="eventarc-trigger",
        build=_eventarc_trigger,
        permissions=permissions.trigger,
        member=TriggerMember,
        settle_seconds=3.0,
        verbs={"enable": VerbFacts("control", "member", False, True, 15.0, 120.0, "watching")},
        shared={"enable": _labels},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="scheduler-job",
        build=_scheduler_job,
        permissions=permissions.job,
        member=JobMember,
        settle_seconds=3.0,
        # Of a job that runs each minute the last attempt must be a minute ago.
        verbs={"enable": VerbFacts("control", "member", False, True, 70.0, 180.0, "watching")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="tasks-queue",
        build=_tasks_queue,
        permissions=permissions.queue,
        member=QueueMember,
        settle_seconds=3.0,
        # A queue that was idle for 30 days takes minutes to awake.
        verbs={"enable": VerbFacts("control", "member", False, True, 5.0, 300.0, "watching")},
    ),
)
