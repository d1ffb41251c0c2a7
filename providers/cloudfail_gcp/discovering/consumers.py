"""Consumers: jobs of Cloud Scheduler, queues of Cloud Tasks, triggers of Eventarc, subscriptions of Pub/Sub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from cloudfail.discovering.pairing import Thing, asked, named_region, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.consumers.options import MANAGED, Push
from cloudfail_gcp.consumers.push import endpoint, unlike
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.discovering.workers import drafted, paired
from cloudfail_gcp.paths import name_of

_SUBSCRIPTIONS = "subscriptions of Pub/Sub"


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind. Neither jobs nor queues have labels: all of them are shown."""
    port = PortName.CONSUMERS
    yield from paired(look, port, "jobs of Cloud Scheduler", "scheduler-job", lambda at: _of(look, at, "jobs"))
    yield from paired(look, port, "queues of Cloud Tasks", "tasks-queue", lambda at: _of(look, at, "queues"))
    yield from paired(look, port, "triggers of Eventarc", "eventarc-trigger", lambda at: _triggers(look, at))
    yield from _subscriptions(look)


def _of(look: Look, region: str, collection: str) -> list[Thing]:
    api, version = ("cloudscheduler", "v1") if collection == "jobs" else ("cloudtasks", "v2")
    path = f"{version}/projects/{look.project}/locations/{region}/{collection}"
    return [Thing(region, name_of(one["name"]), one["name"]) for one in look.pages(api, region, path, collection)]


def _triggers(look: Look, region: str) -> list[Thing]:
    """Each with where the subscription pushes that delivers for it."""
    told = look.pages("eventarc", region, f"v1/projects/{look.project}/locations/{region}/triggers", "triggers")
    pushes = {str(one["name"]): one.get("pushConfig") or {} for one in _listed(look)} if told else {}
    made = []
    for one in told:
        labels = one.get("labels") or {}
        if look.is_meant(labels):
            transport = str(((one.get("transport") or {}).get("pubsub") or {}).get("subscription", ""))
            member = _pushed("trigger", one["name"], pushes.get(transport, {}))
            made.append(Thing(region, name_of(one["name"]), member, labels))
    return made


def _listed(look: Look) -> list[Any]:
    path = f"v1/projects/{look.project}/subscriptions"
    ask = look.each(_SUBSCRIPTIONS, lambda at: look.pages("pubsub", at, path, "subscriptions"), ("global",))
    return sorted(ask.get("global", []), key=lambda one: str(one["name"]))


def _subscriptions(look: Look) -> Iterator[Found | str]:
    """A subscription stands in no region; which one consumes it, its name says, or nothing does."""
    things = []
    for one in _listed(look):
        name, labels = name_of(one["name"]), one.get("labels") or {}
        region = named_region(name, look.words)
        if region and look.is_meant(labels) and not name.startswith(MANAGED):
            member = _pushed("subscription", one["name"], one.get("pushConfig") or {})
            things.append(Thing(region, name, member, labels))
    result = pair(things, look.wanted.regions, look.words)
    for each in result.pairs:
        yield drafted(
            look, PortName.CONSUMERS, "pubsub-subscription", _SUBSCRIPTIONS, each.name, each.members, each.why
        )
    yield from asked("Subscriptions of Pub/Sub", f"{PortName.CONSUMERS}: pubsub-subscription", result)


def _pushed(key: str, path: str, found: Mapping[str, Any]) -> object:
    """The member with where it pushes now. The path alone, which no kind takes, where it pushes nowhere, or so that the
    file could not say it: a person is then asked."""
    token, bare = found.get("oidcToken") or {}, found.get("noWrapper")
    told = {
        "endpoint": endpoint(found),
        "service_account": token.get("serviceAccountEmail"),
        "audience": token.get("audience"),
        "unwrapped": bare is not None,
        "metadata": bool((bare or {}).get("writeMetadata")),
    }
    said = {name: value for name, value in told.items() if value}
    try:
        whole = Push.model_validate(said)
    except ValidationError:
        return path
    if unlike(found, whole):
        return path
    return {key: path, "push": whole.endpoint if len(said) == 1 else said}
