"""Consumers: jobs of Cloud Scheduler, queues of Cloud Tasks, subscriptions of Pub/Sub."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.discovering.pairing import Thing, asked, named_region, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.discovering.workers import drafted, paired
from cloudfail_gcp.paths import name_of

_MANAGED = "eventarc-"
"""How the subscriptions begin that Eventarc makes for itself."""


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind. Neither jobs nor queues have labels: all of them are shown."""
    port = PortName.CONSUMERS
    yield from paired(look, port, "jobs of Cloud Scheduler", "scheduler-job", lambda at: _of(look, at, "jobs"))
    yield from paired(look, port, "queues of Cloud Tasks", "tasks-queue", lambda at: _of(look, at, "queues"))
    yield from _subscriptions(look)


def _of(look: Look, region: str, collection: str) -> list[Thing]:
    api, version = ("cloudscheduler", "v1") if collection == "jobs" else ("cloudtasks", "v2")
    path = f"{version}/projects/{look.project}/locations/{region}/{collection}"
    return [Thing(region, name_of(one["name"]), one["name"]) for one in look.pages(api, region, path, collection)]


def _subscriptions(look: Look) -> Iterator[Found | str]:
    """A subscription stands in no region; which one consumes it, its name says, or nothing does."""
    path = f"v1/projects/{look.project}/subscriptions"
    what = "subscriptions of Pub/Sub"
    listed = look.each(what, lambda at: look.pages("pubsub", at, path, "subscriptions"), ("global",)).get("global", [])
    things = []
    for one in sorted(listed, key=lambda one: str(one["name"])):
        name, labels = name_of(one["name"]), one.get("labels") or {}
        region = named_region(name, look.words)
        if region and look.is_meant(labels) and not name.startswith(_MANAGED):
            things.append(Thing(region, name, one["name"], labels))
    result = pair(things, look.wanted.regions, look.words)
    for each in result.pairs:
        yield drafted(look, PortName.CONSUMERS, "pubsub-subscription", what, each.name, each.members, each.why)
    yield from asked("Subscriptions of Pub/Sub", f"{PortName.CONSUMERS}: pubsub-subscription", result)
