"""The ordered steps that people write: a graph of named steps with needs, gates, limits, retries and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """failover: unplanned, the lost region is never waited for. switchover: planned, both sides healthy, no loss.
    restore: rebuilds redundancy after a failover and moves no traffic."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    RESTORE = "restore"


ORDER_RULES = (
    "freeze-first",
    "unfreeze-last",
    "fence-before-promote",
    "approval-between-fence-and-promote",
    "approval-before-custom",
    "promote-before-consumers",
    "promote-before-traffic",
    "capacity-before-traffic",
    "write-after-promote",
    "users-after-traffic",
)
"""The order pairs of design.md §7 by name: what a step's `override` may set aside, with a reason."""


@dataclass(frozen=True)
class Condition:
    """Something that must hold before (`pre`) or after (`post`) a step: `signal` is one of healthy, writable,
    replica, in_sync, fenced, quiet; `subject` the check or resource that it is about; `region` where (may hold
    `${from}`)."""

    signal: str
    subject: str
    region: str


@dataclass(frozen=True)
class Step:
    """One step, as the file states it. Exactly one of `action` and `gate` is set.

    limit_seconds bounds the step from its first look to its end; expires_seconds bounds a gate. retries is how many
    times more an effect may be attempted after it failed. `undo` names the step's own compensation (an action with its
    arguments), None means the action's own, `("none", {})` that there is none on purpose. `override` lists the order
    rules of design.md §7 that a named person set aside, with the reason.
    """

    name: str
    action: str | None = None
    gate: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    limit_seconds: float = 60.0
    expires_seconds: float = 600.0
    retries: int = 3
    pre: tuple[Condition, ...] = ()
    post: tuple[Condition, ...] = ()
    undo: tuple[str, Mapping[str, Any]] | None = None
    override: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Runbook:
    """A named graph of steps. `limit_seconds` bounds the whole run, gates apart (None: the sum of the steps')."""

    name: str
    mode: Mode
    steps: Mapping[str, Step]
    description: str = ""
    limit_seconds: float | None = None
