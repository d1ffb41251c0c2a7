"""A gate before the SDK that enforces an IAM policy, action and resource, where the emulator behind it does not.

It looks at a request as boto3 is asked for it, says what AWS would ask of IAM (Service Authorization Reference), and
refuses what the policy of the role does not allow. An operation that it does not know fails the test: nothing passes by
because nobody thought of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

from cloudfail.model.topology import Region, Resource, Roles, Topology
from cloudfail.ports import Kind
from cloudfail_aws import provider
from cloudfail_aws.clients import WATCHING, Clients
from tests.emulators.aws.balancing import ControlClients
from tests.emulators.aws.front import ACCOUNT

Policy = Mapping[str, Any]
Context = Mapping[str, str]
Asked = tuple[str, str, Context]
"""(action, resource, what conditions are held against)"""
WATCH, EXECUTE = "watch", "execute"
ROLES = Roles(f"arn:aws:iam::{ACCOUNT}:role/{WATCH}", f"arn:aws:iam::{ACCOUNT}:role/{EXECUTE}")


def allows(policy: Policy, action: str, resource: str, context: Context) -> bool:
    """Whether a statement does. No statement here denies; a condition of another sort would pass nothing."""
    for statement in policy["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        conditions = statement.get("Condition", {})
        assert set(conditions) <= {"StringEquals"}
        if (
            action in statement["Action"]
            and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            and all(context.get(key) == value for key, value in conditions.get("StringEquals", {}).items())
        ):
            return True
    return False


def without(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy less one action of one statement, for each of them."""
    for number, statement in enumerate(policy["Statement"]):
        for action in statement["Action"]:
            less = copy.deepcopy(dict(policy))
            less["Statement"][number]["Action"].remove(action)
            # IAM takes no statement without an action.
            less["Statement"] = [one for one in less["Statement"] if one["Action"]]
            yield f"{statement['Sid']} {action}", less


def elsewhere(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy with another resource in the place of one that it names."""
    for number, statement in enumerate(policy["Statement"]):
        for place, name in enumerate(statement["Resource"]):
            if name != "*":
                other = copy.deepcopy(dict(policy))
                other["Statement"][number]["Resource"][place] = f"{name.rstrip('*')}-of-somebody-else"
                yield f"{statement['Sid']} {name}", other


@dataclass
class Gate:
    """Clients for `Asking`. policies: by watch and execute. asked: all that was held against them, in order."""

    policies: Mapping[str, Policy]
    asked: list[tuple[str, Asked, bool]] = field(default_factory=list)
    _inner: dict[str, Clients] = field(default_factory=dict)

    def get(
        self, service: str, region: str, role: str = "", session: str = WATCHING, endpoint: str = "", **more: Any
    ) -> Any:
        does = role.rpartition("/")[2]
        assert does in self.policies, "asked as nobody"
        made = self._inner.setdefault(does, ControlClients()).get(service, region, "", WATCHING, endpoint, **more)

        def check(params: dict[str, Any], model: Any, **_event: Any) -> None:
            name = f"{model.service_model.service_name}.{model.name}"
            assert name in NEEDS, f"{name}: what IAM is asked of it is not known here"
            for one in NEEDS[name](params, region):
                passed = allows(self.policies[does], *one)
                self.asked.append((does, one, passed))
                if not passed:
                    said = {"Code": "AccessDenied", "Message": f"{does} may not {one[0]} on {one[1]}"}
                    raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 403}}, model.name)

        made.meta.events.register("before-parameter-build", check, unique_id=f"gate-{does}")
        return made

    def drop(self, role: str, session: str) -> None:
        """Nothing was taken on."""

    def judge(self) -> None:
        """Sufficient: nothing was refused. Minimal: less by any one action, or for another resource, something that was
        asked would have been."""
        assert [one for _, one, passed in self.asked if not passed] == []
        for does, policy in self.policies.items():
            asked = [one for by, one, _ in self.asked if by == does]
            idle = [what for what, less in without(policy) if all(allows(less, *one) for one in asked)]
            assert idle == [], f"{does}: never needed here"
            loose = [what for what, other in elsewhere(policy) if all(allows(other, *one) for one in asked)]
            assert loose == [], f"{does}: these names are never asked for"


def with_roles(of: Topology) -> Topology:
    regions = {name: Region(name, "aws", ACCOUNT, roles=ROLES) for name in of.regions}
    return Topology(of.application, of.objectives, regions, of.primary, of.state, of.resources)


def policies_of(kind: Kind, one: Resource, of: Topology, regions: tuple[str, ...]) -> dict[str, Policy]:
    """What `cloudfail iam aws` prints for it."""
    assert kind.permissions is not None
    said = kind.permissions(one, of, regions)
    return {WATCH: provider.policy({one.name: said.watch}), EXECUTE: provider.policy({one.name: said.execute})}


# ---- what AWS asks of IAM

Needs = Callable[[Mapping[str, Any], str], list[Asked]]


def free(action: str) -> Needs:
    """It takes no resource."""
    return lambda _params, _region: [(action, "*", {})]


def on(action: str, *names: str, **context: str) -> Needs:
    """names: ARNs less their beginning; {r} and {a} are region and account, the rest comes from the request."""

    def needs(params: Mapping[str, Any], region: str) -> list[Asked]:
        def put(text: str) -> str:
            return text.format(r=region, a=ACCOUNT, **params)

        said = {key.replace("__", ":").replace("_", "-"): put(value) for key, value in context.items()}
        return [(action, put(name), said) for name in names]

    return needs


def every(*needs: Needs) -> Needs:
    return lambda params, region: [one for each in needs for one in each(params, region)]


def _scalable(params: Mapping[str, Any], region: str) -> list[Asked]:
    """Who registers a target is held against the service that it scales (Application Auto Scaling user guide)."""
    prefix = "application-autoscaling"
    context = {
        f"{prefix}:service-namespace": params["ServiceNamespace"],
        f"{prefix}:scalable-dimension": params["ScalableDimension"],
    }
    own = (f"{prefix}:RegisterScalableTarget", f"arn:aws:{prefix}:{region}:{ACCOUNT}:scalable-target/0ec5", context)
    if params["ServiceNamespace"] == "ecs":
        actions = ["ecs:DescribeServices", "ecs:UpdateService"]
    else:
        actions = [f"lambda:{verb}ProvisionedConcurrencyConfig" for verb in ("Put", "Get", "Delete")]
    named = f"arn:aws:{params['ServiceNamespace']}:{region}:{ACCOUNT}:{params['ResourceId']}"
    return [own, *((action, named, {}) for action in actions)]


def _rule(action: str) -> Needs:
    def needs(params: Mapping[str, Any], region: str) -> list[Asked]:
        bus = "" if params["EventBusName"] == "default" else f"{params['EventBusName']}/"
        return [(action, f"arn:aws:events:{region}:{ACCOUNT}:rule/{bus}{params['Name']}", {})]

    return needs


_SORTS = {"acl": "network-acl", "rtb": "route-table", "eipalloc": "elastic-ip", "pl": "prefix-list", "i": "instance",
          "eni": "network-interface"}  # fmt: skip


def _in_ec2(name: str, region: str) -> str:
    """The ARN of what has that identifier."""
    return f"arn:aws:ec2:{region}:{ACCOUNT}:{_SORTS[name.partition('-')[0]]}/{name}"


def _address(params: Mapping[str, Any], region: str) -> list[Asked]:
    """Both are held against the address and its holder. An association names neither: they are looked up."""
    verb, names = "ec2:AssociateAddress", [params.get("AllocationId"), params.get("NetworkInterfaceId")]
    if "AssociationId" in params:
        client = botocore.session.Session().create_client("ec2", region_name=region)
        told = client.describe_addresses(Filters=[{"Name": "association-id", "Values": [params["AssociationId"]]}])
        (one,) = told["Addresses"]
        verb, names = "ec2:DisassociateAddress", [one["AllocationId"], one["NetworkInterfaceId"]]
    return [(verb, _in_ec2(name, region), {}) for name in names if name]


def _instances(params: Mapping[str, Any], region: str) -> list[Asked]:
    name = params.get("DBInstanceIdentifier", "*")
    return [("rds:DescribeDBInstances", f"arn:aws:rds:{region}:{ACCOUNT}:db:{name}", {})]


def _replica(params: Mapping[str, Any], region: str) -> list[Asked]:
    rds = f"arn:aws:rds:{region}:{ACCOUNT}"
    action, new = "rds:CreateDBInstanceReadReplica", f"{rds}:db:{params['DBInstanceIdentifier']}"
    groups = [(action, f"{rds}:{sort}:default", {}) for sort in ("og", "pg", "subgrp")]
    asked: list[Asked] = [(action, new, {}), (action, params["SourceDBInstanceIdentifier"], {}), *groups]
    asked.append(("rds:AddTagsToResource", new, {}))
    if "KmsKeyId" in params:
        via = {"kms:ViaService": f"rds.{region}.amazonaws.com"}
        asked += [(f"kms:{verb}", params["KmsKeyId"], via) for verb in ("CreateGrant", "DescribeKey")]
    return asked


_AUTOSCALING = "arn:aws:autoscaling:{r}:{a}:autoScalingGroup:0f1e:autoScalingGroupName/"
_SERVICE = "arn:aws:ecs:{r}:{a}:service/{cluster}/"
_NODES = "arn:aws:eks:{r}:{a}:nodegroup/{clusterName}/{nodegroupName}/0f1e"
_FUNCTION = "arn:aws:lambda:{r}:{a}:function:{FunctionName}"
_ALIAS = f"{_FUNCTION}:{{Qualifier}}"
_MAPPING = "arn:aws:lambda:{r}:{a}:event-source-mapping:{UUID}"
_SCHEDULE = "arn:aws:scheduler:{r}:{a}:schedule/{GroupName}/{Name}"
_ACL = "arn:aws:ec2:{r}:{a}:network-acl/{NetworkAclId}"
_RDS = "arn:aws:rds:{r}:{a}:"
_GLOBAL = "arn:aws:rds::{a}:global-cluster:{GlobalClusterIdentifier}"
_TABLE = "arn:aws:dynamodb:{r}:{a}:table/{TableName}"
_DATASTORE = "arn:aws:elasticache::{a}:globalreplicationgroup:{GlobalReplicationGroupId}"
_CACHE = "arn:aws:elasticache:{r}:{a}:"
_ZONE = "arn:aws:route53:::hostedzone/{HostedZoneId}"
_OBJECT = "arn:aws:s3:::{Bucket}/{Key}"
_ELB = "elasticloadbalancing"
_LAMBDA_READS = {"GetFunctionConfiguration": _FUNCTION, "GetFunctionConcurrency": _FUNCTION}
_SHIFTED = "arn:aws:elasticloadbalancing:{r}:{a}:loadbalancer/app/web/0123456789abcdef"


def _invoked(params: Mapping[str, Any], region: str) -> list[Asked]:
    qualified = f":{params['Qualifier']}" if "Qualifier" in params else ""
    return [
        ("lambda:InvokeFunction", f"arn:aws:lambda:{region}:{ACCOUNT}:function:{params['FunctionName']}{qualified}", {})
    ]


def _sent(params: Mapping[str, Any], region: str) -> list[Asked]:
    """Held against the document, and against each instance; of those by tags, which they are comes from the tags."""
    whose = "" if params["DocumentName"].startswith("AWS-") else ACCOUNT
    names = [f"arn:aws:ssm:{region}:{whose}:document/{params['DocumentName']}"]
    names += [f"arn:aws:ec2:{region}:{ACCOUNT}:instance/{one}" for one in params.get("InstanceIds", [])]
    asked: list[Asked] = [("ssm:SendCommand", name, {}) for name in names]
    if "Targets" in params:
        tags = {f"ssm:resourceTag/{one['Key'].removeprefix('tag:')}": one["Values"][0] for one in params["Targets"]}
        asked.append(("ssm:SendCommand", f"arn:aws:ec2:{region}:{ACCOUNT}:instance/i-0f1e", tags))
    return asked


NEEDS: dict[str, Needs] = {
    **{
        f"arc-zonal-shift.{one}": on(f"arc-zonal-shift:{one}", "{resourceIdentifier}")
        for one in ("GetManagedResource", "StartZonalShift")
    },
    # Asked of the resource whose shift it is (Service Authorization Reference); the tests have one.
    **{
        f"arc-zonal-shift.{one}": on(f"arc-zonal-shift:{one}", _SHIFTED)
        for one in ("UpdateZonalShift", "CancelZonalShift")
    },
    "health.DescribeEvents": free("health:DescribeEvents"),
    # On less than everything it tells of no composite alarm, and we ask for those too.
    "cloudwatch.DescribeAlarms": free("cloudwatch:DescribeAlarms"),
    "cloudwatch.GetMetricData": free("cloudwatch:GetMetricData"),
    "cloudwatch.ListMetrics": free("cloudwatch:ListMetrics"),
    "autoscaling.DescribeAutoScalingGroups": free("autoscaling:DescribeAutoScalingGroups"),
    "autoscaling.CreateOrUpdateTags": on("autoscaling:CreateOrUpdateTags", _AUTOSCALING + "{Tags[0][ResourceId]}"),
    **{
        f"autoscaling.{one}": on(f"autoscaling:{one}", _AUTOSCALING + "{AutoScalingGroupName}")
        for one in ("UpdateAutoScalingGroup", "SuspendProcesses", "ResumeProcesses")
    },
    **{
        f"elbv2.Describe{one}": free(f"{_ELB}:Describe{one}")
        for one in ("Listeners", "Rules", "Tags", "TargetHealth", "TargetGroupAttributes")
    },
    "autoscaling.DescribeLaunchConfigurations": free("autoscaling:DescribeLaunchConfigurations"),
    **{
        f"ec2.{one}": free(f"ec2:{one}")
        for one in ("DescribeInstanceTypes", "DescribeCapacityReservations", "DescribeLaunchTemplateVersions")
    },
    **{
        f"service-quotas.{one}": free(f"servicequotas:{one}")
        for one in ("GetServiceQuota", "GetAWSDefaultServiceQuota")
    },
    "cloudwatch.GetMetricStatistics": free("cloudwatch:GetMetricStatistics"),
    "lambda.GetAccountSettings": free("lambda:GetAccountSettings"),
    "ecs.DescribeTaskDefinition": free("ecs:DescribeTaskDefinition"),
    "elbv2.ModifyListener": on(f"{_ELB}:ModifyListener", "{ListenerArn}"),
    "elbv2.ModifyRule": on(f"{_ELB}:ModifyRule", "{RuleArn}"),
    "elbv2.AddTags": on(f"{_ELB}:AddTags", "{ResourceArns[0]}"),
    "ecs.DescribeServices": on("ecs:DescribeServices", _SERVICE + "{services[0]}"),
    "ecs.UpdateService": on("ecs:UpdateService", _SERVICE + "{service}"),
    "ecs.TagResource": on("ecs:TagResource", "{resourceArn}"),
    "application-autoscaling.DescribeScalableTargets": free("application-autoscaling:DescribeScalableTargets"),
    "application-autoscaling.RegisterScalableTarget": _scalable,
    "eks.DescribeNodegroup": on("eks:DescribeNodegroup", _NODES),
    "eks.UpdateNodegroupConfig": on("eks:UpdateNodegroupConfig", _NODES),
    "eks.TagResource": on("eks:TagResource", "{resourceArn}"),
    **{f"lambda.{one}": on(f"lambda:{one}", name) for one, name in _LAMBDA_READS.items()},
    "lambda.ListTags": on("lambda:ListTags", "{Resource}"),
    "lambda.TagResource": on("lambda:TagResource", "{Resource}"),
    "lambda.PutFunctionConcurrency": on("lambda:PutFunctionConcurrency", _FUNCTION),
    **{
        f"lambda.{verb}ProvisionedConcurrencyConfig": on(f"lambda:{verb}ProvisionedConcurrencyConfig", _ALIAS)
        for verb in ("Get", "Put", "Delete")
    },
    "lambda.Invoke": _invoked,
    "ssm.SendCommand": _sent,
    "ssm.ListCommands": free("ssm:ListCommands"),
    "ssm.ListCommandInvocations": free("ssm:ListCommandInvocations"),
    "lambda.GetEventSourceMapping": on("lambda:GetEventSourceMapping", _MAPPING),
    "lambda.UpdateEventSourceMapping": on("lambda:UpdateEventSourceMapping", _MAPPING),
    **{f"events.{one}": _rule(f"events:{one}") for one in ("DescribeRule", "EnableRule", "DisableRule")},
    "scheduler.GetSchedule": on("scheduler:GetSchedule", _SCHEDULE),
    "scheduler.UpdateSchedule": every(
        on("scheduler:UpdateSchedule", _SCHEDULE),
        on("iam:PassRole", "{Target[RoleArn]}", iam__PassedToService="scheduler.amazonaws.com"),
    ),
    "ec2.DescribeNetworkAcls": free("ec2:DescribeNetworkAcls"),
    "ec2.CreateNetworkAclEntry": on("ec2:CreateNetworkAclEntry", _ACL),
    "ec2.DeleteNetworkAclEntry": on("ec2:DeleteNetworkAclEntry", _ACL),
    "ec2.CreateTags": lambda params, region: [
        ("ec2:CreateTags", _in_ec2(one, region), {}) for one in params["Resources"]
    ],
    "ec2.DescribeRouteTables": free("ec2:DescribeRouteTables"),
    **{
        f"ec2.{one}Route": on(f"ec2:{one}Route", "arn:aws:ec2:{r}:{a}:route-table/{RouteTableId}")
        for one in ("Create", "Replace", "Delete")
    },
    "ec2.DescribeAddresses": free("ec2:DescribeAddresses"),
    "ec2.AssociateAddress": _address,
    "ec2.DisassociateAddress": _address,
    "ec2.DescribeManagedPrefixLists": free("ec2:DescribeManagedPrefixLists"),
    **{
        f"ec2.{one}": on(f"ec2:{one}", "arn:aws:ec2:{r}:{a}:prefix-list/{PrefixListId}")
        for one in ("GetManagedPrefixListEntries", "ModifyManagedPrefixList")
    },
    "rds.DescribeDBInstances": _instances,
    "rds.DescribeDBSnapshots": on("rds:DescribeDBSnapshots", _RDS + "snapshot:{DBSnapshotIdentifier}"),
    "rds.AddTagsToResource": on("rds:AddTagsToResource", "{ResourceName}"),
    "rds.PromoteReadReplica": on("rds:PromoteReadReplica", _RDS + "db:{DBInstanceIdentifier}"),
    "rds.CreateDBSnapshot": every(
        on("rds:CreateDBSnapshot", _RDS + "db:{DBInstanceIdentifier}", _RDS + "snapshot:{DBSnapshotIdentifier}"),
        on("rds:AddTagsToResource", _RDS + "snapshot:{DBSnapshotIdentifier}"),
    ),
    "rds.ModifyDBInstance": on("rds:ModifyDBInstance", _RDS + "db:{DBInstanceIdentifier}"),
    "rds.CreateDBInstanceReadReplica": _replica,
    "rds.DescribeGlobalClusters": on("rds:DescribeGlobalClusters", _GLOBAL),
    "rds.ListTagsForResource": on("rds:ListTagsForResource", "{ResourceName}"),
    **{
        f"rds.{one}": on(f"rds:{one}", _GLOBAL, "{TargetDbClusterIdentifier}")
        for one in ("FailoverGlobalCluster", "SwitchoverGlobalCluster")
    },
    "rds.DescribeDBClusterSnapshots": on(
        "rds:DescribeDBClusterSnapshots", _RDS + "cluster-snapshot:*", _RDS + "cluster:*"
    ),
    "rds.CopyDBClusterSnapshot": every(
        on(
            "rds:CopyDBClusterSnapshot",
            _RDS + "cluster-snapshot:{SourceDBClusterSnapshotIdentifier}",
            _RDS + "cluster-snapshot:{TargetDBClusterSnapshotIdentifier}",
        ),
        on("rds:AddTagsToResource", _RDS + "cluster-snapshot:{TargetDBClusterSnapshotIdentifier}"),
    ),
    "elasticache.DescribeGlobalReplicationGroups": on("elasticache:DescribeGlobalReplicationGroups", _DATASTORE),
    "elasticache.DescribeReplicationGroups": on(
        "elasticache:DescribeReplicationGroups", _CACHE + "replicationgroup:{ReplicationGroupId}"
    ),
    "elasticache.FailoverGlobalReplicationGroup": on(
        "elasticache:FailoverGlobalReplicationGroup",
        _DATASTORE,
        _CACHE + "replicationgroup:{PrimaryReplicationGroupId}",
    ),
    "elasticache.ListTagsForResource": on("elasticache:ListTagsForResource", "{ResourceName}"),
    "elasticache.AddTagsToResource": on("elasticache:AddTagsToResource", "{ResourceName}"),
    **{
        f"elasticache.{one}": on(f"elasticache:{one}", _CACHE + "user:{UserId}")
        for one in ("DescribeUsers", "ModifyUser")
    },
    **{f"dynamodb.{one}": on(f"dynamodb:{one}", _TABLE) for one in ("DescribeTable", "GetItem", "PutItem")},
    **{
        f"route53.{one}": on(f"route53:{one}", _ZONE)
        for one in ("ListResourceRecordSets", "ListResourceRecordSetProtections", "ChangeResourceRecordSets")
    },
    "route53.GetHealthCheck": on("route53:GetHealthCheck", "arn:aws:route53:::healthcheck/{HealthCheckId}"),
    "s3.ListObjectsV2": on("s3:ListBucket", "arn:aws:s3:::{Bucket}", s3__prefix="{Prefix}"),
    "s3.HeadObject": on("s3:GetObject", _OBJECT),
    "s3.PutObject": on("s3:PutObject", _OBJECT),
    # On the condition of an ETag it needs both (S3 user guide, "Enforce conditional deletes").
    "s3.DeleteObject": every(on("s3:DeleteObject", _OBJECT), on("s3:GetObject", _OBJECT)),
    "cloudfront.GetDistribution": on("cloudfront:GetDistribution", "arn:aws:cloudfront::{a}:distribution/{Id}"),
    "cloudfront.UpdateDistribution": on("cloudfront:UpdateDistribution", "arn:aws:cloudfront::{a}:distribution/{Id}"),
    "globalaccelerator.DescribeAccelerator": on("globalaccelerator:DescribeAccelerator", "{AcceleratorArn}"),
    "globalaccelerator.DescribeEndpointGroup": on("globalaccelerator:DescribeEndpointGroup", "{EndpointGroupArn}"),
    "globalaccelerator.UpdateEndpointGroup": on("globalaccelerator:UpdateEndpointGroup", "{EndpointGroupArn}"),
    "s3control.GetMultiRegionAccessPointRoutes": on("s3:GetMultiRegionAccessPointRoutes", "{Mrap}"),
    "s3control.SubmitMultiRegionAccessPointRoutes": on("s3:SubmitMultiRegionAccessPointRoutes", "{Mrap}"),
    "route53-recovery-cluster.GetRoutingControlState": on(
        "route53-recovery-cluster:GetRoutingControlState", "{RoutingControlArn}"
    ),
    "route53-recovery-cluster.UpdateRoutingControlStates": lambda params, _region: [
        ("route53-recovery-cluster:UpdateRoutingControlStates", one["RoutingControlArn"], {})
        for one in params["UpdateRoutingControlStateEntries"]
    ],
}
# DocumentDB and Neptune have an API each, and RDS's actions for it.
_OF_RDS = {
    **{name.removeprefix("rds."): needs for name, needs in NEEDS.items() if name.startswith("rds.")},
    **{
        one: on(f"rds:{one}", _RDS + "cluster:{DBClusterIdentifier}")
        for one in ("DescribeDBClusters", "ModifyDBCluster")
    },
}
NEEDS |= {f"{service}.{name}": needs for service in ("rds", "docdb", "neptune") for name, needs in _OF_RDS.items()}


def _cypher(params: Mapping[str, Any], region: str) -> list[Asked]:
    """What Neptune finds that a query may do, whether it does it or not (Neptune user guide, "Query actions")."""
    query = params["openCypherQuery"]
    does = ["Read", "Write", "Delete"] if query.startswith("MERGE") else ["Read"]
    data = f"arn:aws:neptune-db:{region}:{ACCOUNT}:cluster-{region.replace('-', '').upper()}/database"
    return [(f"neptune-db:{one}DataViaQuery", data, {}) for one in does]


def _status(_params: Mapping[str, Any], region: str) -> list[Asked]:
    data = f"arn:aws:neptune-db:{region}:{ACCOUNT}:cluster-{region.replace('-', '').upper()}/database"
    return [("neptune-db:GetEngineStatus", data, {})]


NEEDS |= {"neptunedata.GetEngineStatus": _status, "neptunedata.ExecuteOpenCypherQuery": _cypher}
NEEDS |= {
    f"iam.{one}": on(f"iam:{one}", "arn:aws:iam::{a}:role/{RoleName}")
    for one in ("ListRolePolicies", "GetRolePolicy", "ListRoleTags", "PutRolePolicy", "DeleteRolePolicy", "TagRole")
}
