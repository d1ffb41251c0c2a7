"""Blocks that move users, and those that turn event consumers on and off."""

from __future__ import annotations

from cloudfail.drafting import said
from cloudfail.importing.parts import Resource, Step
from cloudfail.importing.plan import Block
from cloudfail.importing.source import Part
from cloudfail.importing.translation import Translation, region_in, tail
from cloudfail.model.runbook import Mode

TRAFFIC_MINUTES, CONSUMERS_MINUTES = 5, 5


def health_check(on: Translation, block: Block, config: Part) -> list[Step]:
    zone, name = config.text_of("hostedZoneId"), config.text_of("recordName")
    if zone is None or name is None:
        return [on.by_hand(block, "its record is not written out")]
    if on.mode is Mode.RESTORE:
        return [on.by_hand(block, NO_SHARE)]
    sets = config.get("recordSets")
    members = {
        region: identifier
        for one in (sets.items() if sets is not None else [])
        if (region := one.text_of("region")) in on.plan.regions and (identifier := one.text_of("recordSetIdentifier"))
        if region is not None
    }
    remark = "fill in: ttl (Region switch does not know it)"
    resource = Resource(
        name.rstrip("."), "dns", "route53", f"{zone}/{name}", members, {"zone": zone, "name": name}, (remark,)
    )
    on.differs(block, "Region switch turns a health check of its own; how the name is switched is the provider's")
    return [on.step(block, "traffic.switch", {"name": on.resources.add(resource)}, TRAFFIC_MINUTES)]


NO_SHARE = "traffic.switch sends all users to one region, and no action gives a region its share again"


def routing_control(on: Translation, block: Block, config: Part) -> list[Step]:
    if on.mode is Mode.RESTORE:
        return [on.by_hand(block, NO_SHARE)]
    rows: dict[str, list[str]] = {}
    wanted = "Off" if on.workflow.action == "deactivate" else "On"
    table = config.get("regionAndRoutingControls")
    for region, controls in table.entries() if table is not None else ():
        if region not in on.plan.regions:
            on.lost(block, said(region), "it is no region of this plan")
            continue
        others = [one for one in on.plan.regions if one != region]
        for control in controls.items():
            arn, state = control.text_of("routingControlArn"), control.text_of("state")
            owner = region if state == wanted else others[0] if len(others) == 1 and state in ("On", "Off") else ""
            if arn is None or not owner:
                on.lost(block, f"a control of {region}", "whether it is turned on or off is not written out")
            elif arn not in rows.setdefault(owner, []):
                rows[owner].append(arn)
    steps = []
    for index in range(max(map(len, rows.values()), default=0)):
        members = {region: rows[region][index] for region in on.plan.regions if index < len(rows.get(region, []))}
        wish = f"{block.name}-{index + 1}" if index else block.name
        resource = Resource(wish, "loadbalancer", "routing-control", None, members)
        steps.append(on.step(block, "traffic.switch", {"name": on.resources.add(resource)}, TRAFFIC_MINUTES))
    return steps or [on.by_hand(block, "its routing controls are not written out")]


def event_source(on: Translation, block: Block, config: Part) -> list[Step]:
    turned = config.text_of("action")
    if turned not in ("enable", "disable"):
        return [on.by_hand(block, "whether it enables or disables is not written out")]
    members, sides, remarks = {}, set(), []
    table = config.get("regionEventSourceMappings")
    for region, mapping in table.entries() if table is not None else ():
        arn = mapping.text_of("arn")
        if region not in on.plan.regions or arn is None:
            on.lost(block, said(region), "it is no region of this plan, or names no mapping")
            continue
        stands = region_in(arn)
        if stands not in on.plan.regions:
            # Named by the region that is activated; what is turned off there is meant to be the other region's.
            others = [one for one in on.plan.regions if one != region]
            stands = region if turned == "enable" or on.workflow.action == "deactivate" else others[0]
            remarks.append(f"fill in: that {said(arn, 80)} stands in {stands} is assumed")
        members[stands] = tail(arn, ":event-source-mapping:")
        sides.add(on.subject if stands == region else on.other)
    if not members or len(sides) != 1:
        return [on.by_hand(block, "in which region it acts is not written out")]
    where = sides.pop()
    owes = turned == "disable" and where == "${from}" and on.mode is Mode.FAILOVER
    if not owes and on.skipped(block, config):
        return []
    resource = Resource("consumers", "consumers", "event-source", None, members, remarks=tuple(remarks))
    arguments = {"consumers": on.resources.add(resource), "where": where}
    if owes:
        arguments["unreachable"] = "owe"
        on.differs(block, "if the lost region does not answer, this step is owed and done when it is back")
    return [on.step(block, f"consumers.{turned}", arguments, CONSUMERS_MINUTES)]
