"""What automation may do, and how sure it must be first. The default is the advice: automation off, cool-down on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Automation(StrEnum):
    """off: warn only. stage-1: freeze and fence, then stop at the gate for a person. automatic: pass the gate under a
    standing plan that a named person signed, with the fence proven or prevented and the loss bound within the RPO."""

    OFF = "off"
    STAGE_1 = "stage-1"
    AUTOMATIC = "automatic"


class Scope(StrEnum):
    """region: between cloud regions (a hold-down under 60 s is refused in automatic mode). site: one site or the
    lab."""

    REGION = "region"
    SITE = "site"


@dataclass(frozen=True)
class ApprovalPath:
    """A way in which an approval reaches the log. by: "terminal" (a machine that reaches the log, on which a person
    types it or gives what was signed elsewhere) or "function" (the approvals' own). at: what the file says of it; a
    function's URL. region: where it stands, if in one."""

    name: str
    by: str
    at: str
    region: str | None = None


@dataclass(frozen=True)
class Policy:
    """hold_down_seconds: the least time that a loss must last. cool_down_seconds: automation stays off for so long
    after a failover, and after one that a person took back. plan_expires_seconds: a reviewed plan is good for so long.
    watch_after_seconds: how long the run keeps observing what it changed after its end (design.md §4 rule 10).
    approvers: lines of an allowed_signers file; with any, only signed approvals count (cloudfail/approval.py).
    approval_paths: how an approval reaches the log when a region is away."""

    automation: Automation = Automation.OFF
    scope: Scope = Scope.REGION
    hold_down_seconds: float = 180.0
    cool_down_seconds: float = 3600.0
    plan_expires_seconds: float = 3600.0
    lease_seconds: float = 30.0
    watch_after_seconds: float = 600.0
    runbook: str = "evacuate"
    approvers: tuple[str, ...] = ()
    approval_paths: tuple[ApprovalPath, ...] = ()
