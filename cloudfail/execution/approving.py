"""Which approvals in a log count. Where the policy lists approvers, one counts for what its signature says, in the
signer's name, whatever the entry around it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.approval import OWN_SECONDS, Approvers, Given, mark_of
from cloudfail.errors import Refused
from cloudfail.model.journal import Entry


def counted(
    approvers: Approvers | None,
    spent: Mapping[str, str],
    entry: Entry,
    *,
    run: str,
    plan: str,
    opened_by: str,
    t: float,
    lease_seconds: float,
) -> Entry | str:
    """The entry as it counts, or the sentence why it does not. t: run seconds, as the holder last wrote them; an
    approval of one's own run counts OWN_SECONDS after the holder's next entry at the latest."""
    if approvers is None:
        return entry
    try:
        mark = mark_of(str(entry.data.get("signature", "")))
        given = approvers.for_run(
            entry.data, entry.at, run=run, plan=plan, opened_by=opened_by, spent_on=spent.get(mark)
        )
    except Refused as refused:
        return f"An approval by {entry.by} does not count: {refused.happened}"
    own_until_t = t + OWN_SECONDS + lease_seconds if given.own else 0.0
    return replace(entry, by=given.by, data={**entry.data, **_said(given), "own_until_t": own_until_t})


def counted_standing(approvers: Approvers | None, entry: Entry) -> Entry | str:
    """The same of a plan that automation may act on; taking one back needs no signature."""
    if approvers is None or not entry.data["checksum"]:
        return entry
    try:
        given = approvers.for_automation(entry.data, entry.at)
    except Refused as refused:
        return f"a standing plan by {entry.by} does not count: {refused.happened}"
    seconds = min(float(entry.data["expires_seconds"]), given.approval.until - entry.at)
    return replace(entry, by=given.by, data={**entry.data, "expires_seconds": seconds})


def _said(given: Given) -> dict[str, Any]:
    approval = given.approval
    return {
        "gate": approval.gate,
        "accept_owed_fence": approval.accept_owed_fence,
        "loss_seconds": approval.loss_seconds,
        "capacity": dict(approval.capacity),
    }
