"""What the kinds of this port call, as IAM words it."""

from __future__ import annotations

from functools import partial
from typing import Any

from cloudfail.ports import Grant
from cloudfail_aws.iam import Names, Told, by_member, partition

ENABLE = ("enable",)


def _event_source(names: Names, region: str, member: Any) -> Told:
    mapping = (names.arn("lambda", region, f"event-source-mapping:{member['uuid']}"),)
    yield False, Grant(region, ("lambda:GetEventSourceMapping",), mapping)
    yield True, Grant(region, ("lambda:UpdateEventSourceMapping",), mapping, ENABLE)


def _rule(names: Names, region: str, member: Any) -> Told:
    bus = "" if member["bus"] == "default" else f"{member['bus']}/"
    rule = (names.arn("events", region, f"rule/{bus}{member['rule']}"),)
    yield False, Grant(region, ("events:DescribeRule",), rule)
    yield True, Grant(region, ("events:EnableRule", "events:DisableRule"), rule, ENABLE)


def _schedule(names: Names, region: str, member: Any) -> Told:
    """UpdateSchedule hands the role of its target on anew (Scheduler user guide, "Identity-based policies")."""
    schedule = (names.arn("scheduler", region, f"schedule/{member['group']}/{member['schedule']}"),)
    yield False, Grant(region, ("scheduler:GetSchedule",), schedule)
    yield True, Grant(region, ("scheduler:UpdateSchedule",), schedule, ENABLE)
    yield (
        True,
        Grant(
            region,
            ("iam:PassRole",),
            (f"arn:{partition(region)}:iam::{names.account(region)}:role/*",),
            ENABLE,
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            why="The role that the schedule's target runs as is not in cloudfail.yaml: write it here instead of `*`.",
        ),
    )


event_source = partial(by_member, _event_source)
rule = partial(by_member, _rule)
schedule = partial(by_member, _schedule)
