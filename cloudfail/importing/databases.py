"""Blocks that make another region's database the writer, and the one that builds a replica afterwards."""

from __future__ import annotations

from cloudfail.importing.parts import Resource, Step
from cloudfail.importing.plan import Block
from cloudfail.importing.source import Part
from cloudfail.importing.translation import Translate, Translation, stem, tail
from cloudfail.model.runbook import Mode

PROMOTE_MINUTES, FOLLOW_MINUTES = 15, 60
"""For what the plan does not state. A limit that is too short ends a run in the middle of a move."""


def promotion(kind: str, before: str, arns: str, lossy: str) -> Translate:
    """A block that makes another region's member the writer. `arns` is the key that holds the members, `before` what
    stands before their names; `lossy` the word of its `ungraceful` that accepts loss, "" where the block always
    promotes whatever was lost."""

    def translate(on: Translation, block: Block, config: Part) -> list[Step]:
        if on.mode is Mode.RESTORE:
            return [on.by_hand(block, "a runbook that restores moves no writer; use the switchover")]
        listing = config.get(arns)
        texts = [text for one in (listing.items() if listing is not None else []) if (text := one.text())]
        members, remarks = on.members(block, texts)
        if listing is not None and listing.is_mapping:
            members = on.by_region(block, listing)
        if not members:
            return [on.by_hand(block, "its databases are not written out")]
        named = {region: tail(arn, before) for region, arn in members.items()}
        identity = config.text_of("globalClusterIdentifier")
        wish = identity or stem(named, block.name)
        resource = Resource(wish, "database", kind, identity, named, remarks=remarks)
        database = on.resources.add(resource)
        ungraceful = config.get("ungraceful")
        forced = ungraceful.text_of("ungraceful") if ungraceful is not None else None
        behavior = config.text_of("behavior")
        accepts_loss = not lossy or (forced or behavior) == lossy
        action = "database.failover" if on.mode is Mode.FAILOVER else "database.switchover"
        step = on.step(block, action, {"database": database}, PROMOTE_MINUTES)
        how = ""
        if on.mode is Mode.FAILOVER and not accepts_loss:
            how = (
                "Region switch would only switch over, which needs the lost region; this step promotes without it, "
                "behind the gate and within the rpo"
            )
        elif on.mode is Mode.SWITCHOVER and (not lossy or behavior == "failover"):
            how = "Region switch promotes with loss even when both regions are healthy; this step moves without loss"
        if how:
            on.differs(block, how)
            step = step.saying(how)
        return [step]

    return translate


def follow(on: Translation, block: Block, config: Part) -> list[Step]:
    if on.mode is not Mode.RESTORE:
        return [on.by_hand(block, "a replica is built after the move, in a runbook that restores")]
    members = {region: tail(arn, ":db:") for region, arn in on.by_region(block, config.get("dbInstanceArnMap")).items()}
    if not members:
        return [on.by_hand(block, "its databases are not written out")]
    same = next((one for one in on.resources.of("database") if dict(one.members) == members), None)
    resource = same or Resource(stem(members, block.name), "database", "rds-replica", None, members)
    on.differs(
        block, "Region switch renames the old instance and keeps it; what database.follow does is the provider's"
    )
    return [follow_step(on.step(block, "database.follow", {}, FOLLOW_MINUTES), on.resources.add(resource))]


def follow_step(step: Step, database: str) -> Step:
    """The old primary becomes a replica, and is seen to have caught up."""
    arguments = {"database": database, "member": "${from}", "upstream": "${to}"}
    seen = tuple(f'{{{signal}: {database}, in: "${{from}}"}}' for signal in ("replica", "in_sync"))
    return Step(step.name, "database.follow", arguments, step.limit, {"post": seen}, step.remarks, step.block)
