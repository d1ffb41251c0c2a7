"""Signals: alerting policies of Cloud Monitoring that judge a region."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.discovering.pairing import Thing, asked, named_region, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.discovering.workers import drafted
from cloudfail_gcp.paths import name_of
from cloudfail_gcp.signals.metric_age import Unseen, filters


def found(look: Look) -> Iterator[Found | str]:
    """A policy stands in no region; which one it judges, its name says, or nothing does. One that is off, or of which
    nobody can tell how old its data is, is of no use as a signal."""
    path = f"v3/projects/{look.project}/alertPolicies"
    what = "alerting policies"
    listed = look.each(what, lambda at: look.pages("monitoring", at, path, "alertPolicies"), ("global",))
    things = []
    for one in sorted(listed.get("global", []), key=lambda one: str(one["name"])):
        name, labels = str(one.get("displayName") or name_of(one["name"])), one.get("userLabels") or {}
        region = named_region(name, look.words)
        if not region or one.get("enabled") is not True or not look.is_meant(labels):
            continue
        try:
            filters(one)
        except Unseen:
            continue
        # Monitoring may word the project by its number.
        member = f"projects/{look.project}/alertPolicies/{name_of(one['name'])}"
        things.append(Thing(region, name, member, labels))
    result = pair(things, look.wanted.regions, look.words)
    for each in result.pairs:
        yield drafted(look, PortName.SIGNALS, "monitoring-alert", what, each.name, each.members, each.why)
    yield from asked("Alerting policies", f"{PortName.SIGNALS}: monitoring-alert", result)
