"""Blocks that make room for users in the region that takes over."""

from __future__ import annotations

from cloudfail.drafting import said
from cloudfail.importing.parts import Resource, Step
from cloudfail.importing.plan import Block
from cloudfail.importing.source import Part
from cloudfail.importing.translation import Translation, stem, tail, texts_of
from cloudfail.model.runbook import Mode

SCALE_MINUTES = 15


def _scale(on: Translation, block: Block, config: Part, found: list[Resource]) -> list[Step]:
    """compute.scale for each group, with what it cannot say told once for the block."""
    if not found:
        return [on.by_hand(block, "what it scales is not written out")]
    if on.mode is Mode.RESTORE and on.workflow.action != "activate":
        return [on.by_hand(block, "which region is to be scaled after a recovery is not said")]
    where = "${from}" if on.mode is Mode.RESTORE else "${to}"
    like = "recorded ${to}" if on.mode is Mode.RESTORE else "recorded ${from}"
    remarks = _scale_remarks(on, block, config)
    steps = []
    for one in found:
        group = on.resources.add(one)
        arguments = {"group": group, "like": like} | ({"where": where} if where != "${to}" else {})
        name = block.name if len(found) == 1 else f"{block.name}-{one.name}"
        steps.append(on.step(block, "compute.scale", arguments, SCALE_MINUTES, name=name).saying(*remarks))
    return steps


def _scale_remarks(on: Translation, block: Block, config: Part) -> list[str]:
    remarks = []
    percent = config.text_of("targetPercent")
    if percent is not None and config.number_of("targetPercent") != 100:
        asked = f"{said(percent)} %"
        on.lost(block, f"the target of {asked}", "compute.scale asks for as many as there were (100 %), or for a count")
        remarks.append(f"fill in: Region switch asks for {asked}, and this for 100 %; write count: instead of like:")
    ungraceful = config.get("ungraceful")
    least = ungraceful.text_of("minimumSuccessPercentage") if ungraceful is not None else None
    if least is not None:
        on.lost(
            block, f"the least of {said(least)} %", "compute.scale is done when all are healthy, and fails otherwise"
        )
    if config.text_of("capacityMonitoringApproach") not in (None, "sampledMaxInLast24Hours"):
        on.differs(block, "the most of 24 hours is what cloudfail saw at its looks, not what the scaler reports")
    return remarks


def autoscaling(on: Translation, block: Block, config: Part) -> list[Step]:
    members, remarks = on.members(block, texts_of(config.get("asgs"), "arn"))
    named = {region: tail(arn, "autoScalingGroupName/") for region, arn in members.items()}
    wish = stem(named, block.name)
    return _scale(
        on, block, config, [Resource(wish, "compute", "autoscaling", None, named, remarks=remarks)] * bool(named)
    )


def ecs(on: Translation, block: Block, config: Part) -> list[Step]:
    members, remarks = on.members(block, texts_of(config.get("services"), "serviceArn"))
    wish = stem({region: tail(arn, "/") for region, arn in members.items()}, block.name)
    services = [Resource(wish, "compute", "ecs", None, members, remarks=remarks)] if members else []
    return _scale(on, block, config, services)


def eks(on: Translation, block: Block, config: Part) -> list[Step]:
    clusters, remarks = on.members(block, texts_of(config.get("eksClusters"), "clusterArn"))
    kind = config.get("kubernetesResourceType")
    sort = (kind.text_of("kind") if kind is not None else None) or "Deployment"
    found = []
    scaling = config.get("scalingResources")
    for one in scaling.items() if scaling is not None else []:
        for app, places in one.entries():
            members = {}
            for region, place in places.entries():
                cluster = tail(clusters.get(region, ""), "/")
                path = [cluster, place.text_of("namespace") or "", sort, place.text_of("name") or ""]
                if region in on.plan.regions and all(path):
                    members[region] = "/".join(path)
                if place.text_of("hpaName") is not None:
                    on.differs(block, f"the autoscaler {said(place.text_of('hpaName') or '')} has no key of its own")
            if members:
                found.append(Resource(app, "compute", "eks", None, members, remarks=remarks))
    return _scale(on, block, config, found)


def serverless(on: Translation, block: Block, config: Part) -> list[Step]:
    members = on.by_region(block, config.get("regionDatabaseClusterArns"))
    named = {region: tail(arn, ":cluster:") for region, arn in members.items()}
    wish = f"{config.text_of('globalClusterIdentifier') or stem(named, block.name)}-capacity"
    remark = "counts Aurora capacity units"
    return _scale(
        on,
        block,
        config,
        [Resource(wish, "compute", "aurora-serverless", None, named, remarks=(remark,))] * bool(named),
    )
