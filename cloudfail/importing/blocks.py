"""Every execution block of Region switch → the steps that carry it, or a gate at which a person does it by hand.

A block that no action carries is not left out: a runbook that goes on without it would promise what the plan did not.
In its place stands a gate with the reason. `BLOCKS` is the whole table; a test holds it against the API's own list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.drafting import said
from cloudfail.importing import capacity, databases, traffic
from cloudfail.importing.parts import Step
from cloudfail.importing.plan import PARALLEL, Block
from cloudfail.importing.source import Part
from cloudfail.importing.translation import GATE_MINUTES_MAX, Translate, Translation, anywhere, texts_of

_SHARED = frozenset(("timeoutminutes", "crossaccountrole", "externalid"))


def steps_of(on: Translation, block: Block) -> list[Step]:
    """The steps of one block, side by side; those of all blocks inside of a parallel one."""
    if block.unreadable:
        return [on.by_hand(block, block.unreadable)]
    if block.type == PARALLEL:
        if block.config is None or block.config.get("steps") is None:
            return [on.by_hand(block, "its steps cannot be read")]
        return [step for inner in block.steps for step in steps_of(on, inner)]
    known = BLOCKS.get(block.type)
    if known is None:
        sort = f'the type "{said(block.type)}"' if block.type else "a block without a type"
        return [on.by_hand(block, f"this version of cloudfail does not know {sort}")]
    if block.config is None:
        return [on.by_hand(block, "its configuration cannot be read, or is not written out")]
    role = anywhere(block.config, "crossAccountRole")
    if role is not None:
        why = "cloudfail has one identity for each provider; give that one access"
        on.lost(block, f"the role {said(role, 120)}", why)
    for key, _ in block.config.entries():
        if key.lower() not in known.keys | _SHARED:
            on.lost(block, f'the key "{said(key)}"', "this version of cloudfail does not know it")
    return known.translate(on, block, block.config)


def _approval(on: Translation, block: Block, config: Part) -> list[Step]:
    role = config.text_of("approvalRole")
    if role is not None:
        how = f"Region switch asks for the role {said(role, 120)}; here whoever may write to the log approves, by name"
        on.differs(block, how)
    minutes = config.number_of("timeoutMinutes")
    step = on.gate(block)
    if minutes is not None and minutes > GATE_MINUTES_MAX:
        on.differs(block, f"Region switch waits {minutes:.0f} minutes; a gate here waits at most a day")
        step = step.saying(f"Region switch waits {minutes:.0f} minutes; a gate here waits at most a day")
    return [step]


_NO_OBSERVE = (
    "Region switch believes that it ended; here something must say that it is done: with an observe, {} runs it"
)


def _lambda(on: Translation, block: Block, config: Part) -> list[Step]:
    if on.skipped(block, config):
        return []
    arns = ", ".join(said(arn, 120) for arn in texts_of(config.get("lambdas"), "arn")) or "a function"
    return [on.by_hand(block, _NO_OBSERVE.format("custom: lambda"), f"{arns}, in the {config.text_of('regionToRun')}")]


def _command(on: Translation, block: Block, config: Part) -> list[Step]:
    if on.skipped(block, config):
        return []
    table = config.get("regionDocuments")
    entries = table.entries() if table is not None else []
    named = dict.fromkeys(said(text, 120) for _, one in entries if (text := one.text_of("documentArn")))
    return [on.by_hand(block, _NO_OBSERVE.format("custom: ssm-command"), ", ".join(named) or "a document")]


def _nested(on: Translation, block: Block, config: Part) -> list[Step]:
    arn = said(config.text_of("arn") or "another plan", 120)
    return [on.by_hand(block, "a runbook does not begin another one; import that plan as well", arn)]


def _provisioned(on: Translation, block: Block, config: Part) -> list[Step]:
    cluster = said(config.text_of("globalClusterIdentifier") or "a cluster", 120)
    return [on.by_hand(block, "compute.scale counts, and does not change an instance's class", cluster)]


def _parallel(on: Translation, block: Block, _config: Part) -> list[Step]:
    return steps_of(on, block)


@dataclass(frozen=True)
class Carried:
    """How a type of block is carried: the member of the union that holds its configuration, the keys that are read of
    it (in small letters), the function, and for the documentation the action ("" for none)."""

    member: str
    keys: frozenset[str]
    translate: Translate
    action: str


def _carried(member: str, keys: str, translate: Translate, action: str) -> Carried:
    return Carried(member, frozenset(keys.lower().split()), translate, action)


_GLOBAL = "behavior ungraceful globalClusterIdentifier"
_CAPACITY = "ungraceful targetPercent capacityMonitoringApproach"
_PROMOTE = "database.failover, database.switchover"
BLOCKS: Mapping[str, Carried] = {
    "AuroraGlobalDatabase": _carried(
        "globalAuroraConfig",
        f"{_GLOBAL} databaseClusterArns",
        databases.promotion("aurora-global", ":cluster:", "databaseClusterArns", "failover"),
        _PROMOTE,
    ),
    "DocumentDb": _carried(
        "documentDbConfig",
        f"{_GLOBAL} databaseClusterArns",
        databases.promotion("documentdb-global", ":cluster:", "databaseClusterArns", "failover"),
        _PROMOTE,
    ),
    "NeptuneGlobalDatabase": _carried(
        "neptuneGlobalDatabaseConfig",
        f"{_GLOBAL} regionDatabaseClusterArns",
        databases.promotion("neptune-global", ":cluster:", "regionDatabaseClusterArns", "failover"),
        _PROMOTE,
    ),
    "RdsPromoteReadReplica": _carried(
        "rdsPromoteReadReplicaConfig",
        "dbInstanceArnMap",
        databases.promotion("rds-replica", ":db:", "dbInstanceArnMap", ""),
        _PROMOTE,
    ),
    "RdsSwitchoverReadReplica": _carried(
        "rdsSwitchoverReadReplicaConfig",
        "dbInstanceArnMap ungraceful",
        databases.promotion("rds-replica", ":db:", "dbInstanceArnMap", "promoteReadReplica"),
        _PROMOTE,
    ),
    "RdsCreateCrossRegionReplica": _carried(
        "rdsCreateCrossRegionReadReplicaConfig", "dbInstanceArnMap", databases.follow, "database.follow"
    ),
    "EC2AutoScaling": _carried(
        "ec2AsgCapacityIncreaseConfig",
        f"{_CAPACITY} asgs waitELBTargetGroupHealthy",
        capacity.autoscaling,
        "compute.scale",
    ),
    "ECSServiceScaling": _carried(
        "ecsCapacityIncreaseConfig", f"{_CAPACITY} services waitELBTargetGroupHealthy", capacity.ecs, "compute.scale"
    ),
    "EKSResourceScaling": _carried(
        "eksResourceScalingConfig",
        f"{_CAPACITY} kubernetesResourceType scalingResources eksClusters",
        capacity.eks,
        "compute.scale",
    ),
    "AuroraServerlessScaling": _carried(
        "auroraServerlessScalingConfig",
        "globalClusterIdentifier regionDatabaseClusterArns targetPercent",
        capacity.serverless,
        "compute.scale",
    ),
    "AuroraProvisionedScaling": _carried(
        "auroraProvisionedScalingConfig",
        "globalClusterIdentifier regionDatabaseClusterArns instanceArns",
        _provisioned,
        "",
    ),
    "Route53HealthCheck": _carried(
        "route53HealthCheckConfig", "hostedZoneId recordName recordSets", traffic.health_check, "traffic.switch"
    ),
    "ARCRoutingControl": _carried(
        "arcRoutingControlConfig", "regionAndRoutingControls", traffic.routing_control, "traffic.switch"
    ),
    "LambdaEventSourceMapping": _carried(
        "lambdaEventSourceMappingConfig",
        "action regionEventSourceMappings ungraceful",
        traffic.event_source,
        "consumers.enable, consumers.disable",
    ),
    "ManualApproval": _carried("executionApprovalConfig", "approvalRole", _approval, "gate"),
    "CustomActionLambda": _carried(
        "customActionLambdaConfig", "lambdas retryIntervalMinutes regionToRun ungraceful", _lambda, ""
    ),
    "SSMSendCommand": _carried("ssmSendCommandConfig", "regionDocuments retryIntervalMinutes ungraceful", _command, ""),
    "ARCRegionSwitchPlan": _carried("regionSwitchPlanConfig", "arn", _nested, ""),
    PARALLEL: _carried("parallelConfig", "steps", _parallel, "needs"),
}
"""Type of block → how it is carried."""
