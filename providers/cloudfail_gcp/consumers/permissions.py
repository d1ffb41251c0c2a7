"""What the kinds of this port call, as IAM names it. Sources: "Roles and permissions" of Pub/Sub, Cloud Scheduler,
Cloud Tasks and Eventarc; Pub/Sub, "Create push subscriptions" (who sets an account must be allowed to act as it, and it
is one of the subscription's own project)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.consumers.options import MANAGED
from cloudfail_gcp.grants import stated

ENABLE = ("enable",)
Told = Iterator[tuple[bool, Grant]]
_PROJECT = "Scheduler's permissions are given on a whole project."


def _by_member(
    of: Callable[[str, Mapping[str, Any]], Told], resource: Resource, _topology: Topology, regions: Sequence[str]
) -> Permissions:
    return stated(
        one for region in regions if region in resource.members for one in of(region, resource.members[region])
    )


def _project(path: str) -> str:
    return "/".join(path.split("/")[:2])


def _act_as(region: str, push: Mapping[str, Any], path: str) -> Told:
    if account := push.get("service_account"):
        on = (f"{_project(path)}/serviceAccounts/{account}",)
        yield True, Grant(region, ("iam.serviceAccounts.actAs",), on, ENABLE)


def _subscription(region: str, member: Mapping[str, Any]) -> Told:
    on = (str(member["subscription"]),)
    yield False, Grant(region, ("pubsub.subscriptions.get",), on)
    yield True, Grant(region, ("pubsub.subscriptions.update",), on, ENABLE)
    yield from _act_as(region, member["push"], on[0])


def _trigger(region: str, member: Mapping[str, Any]) -> Told:
    trigger = str(member["trigger"])
    made = (f"{_project(trigger)}/subscriptions/{MANAGED}{region}-*",)
    why = "Eventarc makes up the subscription's name."
    yield False, Grant(region, ("eventarc.triggers.get",), (trigger,))
    yield False, Grant(region, ("pubsub.subscriptions.get",), made, why=why)
    yield True, Grant(region, ("pubsub.subscriptions.update",), made, ENABLE, why=why)
    yield from _act_as(region, member["push"], trigger)


def _job(region: str, member: Mapping[str, Any]) -> Told:
    """`jobs.resume` needs cloudscheduler.jobs.enable."""
    on = (_project(str(member["job"])),)
    yield False, Grant(region, ("cloudscheduler.jobs.get",), on, why=_PROJECT)
    yield True, Grant(region, ("cloudscheduler.jobs.pause", "cloudscheduler.jobs.enable"), on, ENABLE, why=_PROJECT)


def _queue(region: str, member: Mapping[str, Any]) -> Told:
    on = (str(member["queue"]),)
    yield False, Grant(region, ("cloudtasks.queues.get",), on)
    yield True, Grant(region, ("cloudtasks.queues.pause", "cloudtasks.queues.resume"), on, ENABLE)


subscription = partial(_by_member, _subscription)
trigger = partial(_by_member, _trigger)
job = partial(_by_member, _job)
queue = partial(_by_member, _queue)
