"""Every action that a runbook may name."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.actions import Action
from cloudfail.actions.change import Freeze
from cloudfail.actions.compute import Hold, Scale
from cloudfail.actions.consumers import Enable
from cloudfail.actions.custom import Run
from cloudfail.actions.database import Failover, Fence, Follow, Switchover, Unfence
from cloudfail.actions.network import Lead
from cloudfail.actions.ramp import Ramp
from cloudfail.actions.traffic import Drain, Switch
from cloudfail.actions.verify import Users, Write

_ALL: tuple[Action, ...] = (
    Freeze("change.freeze", "change.unfreeze", frozen=True),
    Freeze("change.unfreeze", "change.freeze", frozen=False),
    Fence(),
    Unfence(),
    Failover(),
    Switchover(),
    Follow(),
    Scale(),
    Hold(),
    Enable("consumers.enable", "consumers.disable", enabled=True),
    Enable("consumers.disable", "consumers.enable", enabled=False),
    Lead("network.route", "route"),
    Lead("network.move_address", "move_address"),
    Switch(),
    Ramp(),
    Drain(),
    Run(),
    Write(),
    Users(),
)
ACTIONS: Mapping[str, Action] = {action.name: action for action in _ALL}
