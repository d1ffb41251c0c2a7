"""consumers: event-source. A Lambda event source mapping: the pollers between a queue or stream and a function.

To enable and to disable take a while, in which the mapping says Enabling or Disabling. That is neither: pollers may
still hand out, or not yet. It is read as unknown, and Lambda takes no other order until it is over (ResourceInUse).
A disabled mapping of a stream keeps its place in it and goes on from there, as long as the stream keeps its records.
"""

from __future__ import annotations

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.consumers.options import EventSourceMember
from cloudfail_consumers.switches import Switch, Switched

_STANDS = {"Enabled": True, "Disabled": False}
_MOVES = {"Enabling": True, "Disabling": False}


class EventSource(Switched[Asking]):
    """One mapping in each region."""

    def describe(self, region: str, *, within: float) -> Switch:
        member: EventSourceMember = self.member(region)
        raw = self._asking.read("lambda", region, "get_event_source_mapping", within=within, UUID=member.uuid)
        state = str(raw.get("State", "in no state"))
        return Switch(
            name=f"the event source mapping {member.uuid}",
            enabled=_STANDS.get(state),
            towards=_MOVES.get(state),
            version=f"{state} {raw.get('LastModified', '')}",
            said=state,
            raw=raw,
        )

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        member: EventSourceMember = self.member(region)
        self._asking.change(
            "lambda", region, "update_event_source_mapping", call=call, UUID=member.uuid, Enabled=enabled
        )


def build(resource: Resource, topology: Topology) -> EventSource:
    """Kind.build."""
    members = {region: EventSourceMember.model_validate(member) for region, member in resource.members.items()}
    return EventSource(Asking.of(resource, topology), members)
