"""Signals: metric alert rules that judge a region."""

from __future__ import annotations

from collections.abc import Iterator

from cloudfail.discovering.pairing import Thing, named_region
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, paired
from cloudfail_azure.signals.metric_age import Unseen, criteria
from cloudfail_azure.signals.monitor_alert import RULES_API, scopes_of

RULES = Sort(PortName.SIGNALS, "monitor-alert", "alert rules")
DRAFTS = ((RULES.port, RULES.kind),)


def found(look: Look) -> Iterator[Found | str]:
    """A rule stands in no region; which one it judges, the resources say that it watches, or its name does. One that is
    off, or of which nobody can tell how old its data is, is of no use as a signal."""
    rules = look.listed(RULES.what, "/providers/Microsoft.Insights/metricAlerts", RULES_API)
    things = []
    for one in rules:
        if look.is_meant(one) and _is_of_use(one) and (region := _region(look, one)):
            things.append(Thing(region, one.name, one.id, one.tags))
    yield from paired(look, RULES, things)


def _is_of_use(rule: Stood) -> bool:
    if rule.properties.get("enabled") is not True or rule.properties.get("autoMitigate") is False:
        return False
    try:
        criteria(rule.properties)
        scopes_of(rule.id, rule.properties)
    except Unseen:
        return False
    return True


def _region(look: Look, rule: Stood) -> str:
    watched = {look.region_of(str(scope)) for scope in rule.properties.get("scopes") or ()}
    alone = watched.pop() if len(watched) == 1 else ""
    return alone if alone in look.wanted.regions else named_region(rule.name, look.words)
