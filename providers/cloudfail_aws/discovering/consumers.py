"""Consumers: event source mappings, rules of EventBridge, schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.discovering.pairing import Thing
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_aws.discovering.looking import Look, tags_of
from cloudfail_aws.discovering.workers import paired

DEFAULT = "default"


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    port = PortName.CONSUMERS
    mapping, rule = "lambda event source mappings", "events"
    yield from paired(look, port, mapping, "event-source", "Event source mappings", lambda at: _mappings(look, at))
    yield from paired(look, port, rule, "eventbridge-rule", "EventBridge rules", lambda at: _rules(look, at))
    yield from paired(look, port, "scheduler", "schedule", "Schedules", lambda at: _schedules(look, at))


def _mappings(look: Look, region: str) -> list[Thing]:
    """Told apart by the function and by what it consumes; the UUID is AWS's own."""
    made = []
    for one in look.pages("lambda", region, "list_event_source_mappings", "EventSourceMappings"):
        tags: Mapping[str, str] = {}
        if look.wanted.tag is not None:
            arn = one["EventSourceMappingArn"]
            tags = look.read("lambda", region, "list_tags", Resource=arn).get("Tags") or {}
        if look.is_meant(tags):
            made.append(Thing(region, _consumes(one), one["UUID"], tags))
    return made


def _consumes(one: Mapping[str, Any]) -> str:
    """FUNCTION from SOURCE, as both are called in their ARNs."""
    function = str(one["FunctionArn"]).split(":", 6)[6]
    source = str(one.get("EventSourceArn", "")).split(":", 5)[-1].partition("/stream/")[0]
    return f"{function} from {source or (', '.join(one.get('Topics') or one.get('Queues') or ()) or 'itself')}"


def _rules(look: Look, region: str) -> list[Thing]:
    """Without those that a service of AWS manages for itself."""
    made = []
    for bus in sorted(one["Name"] for one in look.by_token("events", region, "list_event_buses", "EventBuses")):
        for one in look.pages("events", region, "list_rules", "Rules", EventBusName=bus):
            tags: Mapping[str, str] = {}
            if one.get("ManagedBy"):
                continue
            if look.wanted.tag is not None:
                told = look.read("events", region, "list_tags_for_resource", ResourceARN=one["Arn"])
                tags = tags_of(told.get("Tags"))
            if look.is_meant(tags):
                made.append(Thing(region, one["Name"] if bus == DEFAULT else f"{bus}/{one['Name']}", tags=tags))
    return made


def _schedules(look: Look, region: str) -> list[Thing]:
    """Tags are those of its group."""
    listed = look.pages("scheduler", region, "list_schedules", "Schedules")
    made = []
    tags: dict[str, Mapping[str, str]] = {}
    for group in sorted({one["GroupName"] for one in listed}) if look.wanted.tag is not None else ():
        arn = next(one["Arn"] for one in listed if one["GroupName"] == group)
        # arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME, and the group's own is …:schedule-group/GROUP
        own = f"{arn.rpartition(':')[0]}:schedule-group/{group}"
        tags[group] = tags_of(look.read("scheduler", region, "list_tags_for_resource", ResourceArn=own).get("Tags"))
    for one in listed:
        group, name = one["GroupName"], one["Name"]
        if look.is_meant(tags.get(group, {})):
            made.append(Thing(region, name if group == DEFAULT else f"{group}/{name}", tags=tags.get(group, {})))
    return made
