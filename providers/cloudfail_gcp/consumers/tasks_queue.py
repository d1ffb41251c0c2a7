"""consumers: tasks-queue. One queue of Cloud Tasks.

A paused queue dispatches nothing, and goes on taking tasks (Cloud Tasks v2, queues.pause). What was dispatched before
is not called back. A queue carries no words of ours, so there is no mark.

A queue without activity for 30 days is put away, and some calls on it are answered NOT_FOUND for some minutes until it
is awake again (Queue.State RUNNING). That is the queue of a standby on the bad day, so NOT_FOUND is no last word here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_consumers.switches import Switch
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.consumers.options import QueueMember
from cloudfail_gcp.consumers.switches import Switched, at_home
from cloudfail_gcp.errors import Answered

_STANDS = {"RUNNING": True, "PAUSED": False}
_NEITHER = {"DISABLED": "DISABLED, since the queue.yaml that was uploaded last does not have it"}


class TasksQueue(Switched):
    """One queue in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, Any]) -> None:
        super().__init__(asking, members)
        at_home({region: member.queue for region, member in members.items()}, asking.resource.name)

    def describe(self, region: str, *, within: float) -> Switch:
        queue: str = self.member(region).queue
        raw = _awake(lambda: self._asking.read("cloudtasks", region, f"v2/{queue}", within=within))
        if raw.get("name") != queue:
            raise Transient(f"Cloud Tasks answers, and says nothing of {queue}.")
        state = str(raw.get("state", "in no state"))
        return Switch(
            name=f"the queue {queue}",
            enabled=_STANDS.get(state),
            version=hashlib.sha256(repr(sorted(raw.items())).encode()).hexdigest()[:16],
            said=_NEITHER.get(state, state),
            raw=raw,
        )

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        path = f"v2/{self.member(region).queue}:{'resume' if enabled else 'pause'}"
        _awake(lambda: self._asking.change("cloudtasks", region, "POST", path, call=call, body={}))


def _awake(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `ask` gives. Transient, and no effect, where the queue is not found."""
    try:
        return ask()
    except Permanent as error:
        cause = error.__cause__
        if isinstance(cause, Answered) and cause.said.status == 404:
            raise Transient(f"{error.happened} A queue that was idle for 30 days takes minutes to awake.") from error
        raise


def build(resource: Resource, topology: Topology) -> TasksQueue:
    """Kind.build."""
    members = {region: QueueMember.model_validate(member) for region, member in resource.members.items()}
    return TasksQueue(Asking.of(resource, topology), members)
