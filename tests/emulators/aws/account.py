"""An account in which an application stands in two regions, built by the API as an operator builds it: one of
everything that `cloudfail discover aws` finds, and beside it what it must leave alone or ask about."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.config import Config

from tests.emulators.aws.balancing import without_account
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.accelerators import Accelerators
from tests.emulators.aws.standins.global_clusters import GlobalClusters
from tests.emulators.aws.standins.health_checks import OPERATIONS, RoutingChecks
from tests.emulators.aws.standins.provisioned import OPERATION, Provisioned
from tests.emulators.aws.standins.recovery_config import RecoveryConfig
from tests.emulators.wire import Upstream

EAST, WEST = "us-east-1", "us-west-2"
REGIONS = (EAST, WEST)
SHORT = {EAST: "e", WEST: "w"}
DOMAIN = "shop.example"
IMAGE = "ami-12c6146b"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop"
TAG = {"Key": "application", "Value": "shop"}
BUCKET = "shop-switch-usw2"
ENDPOINTS = {region: f"https://{region}.cluster.example/v1" for region in (WEST, EAST, "eu-west-1")}

Serve = Callable[[str, Any], StandIn]


class Account:
    """`zone` and the rest are what AWS called what was made."""

    def __init__(self, front: Front, moto: Emulator, stand_in: Serve) -> None:
        self.front = front
        self._session = botocore.session.Session()
        self.balancers: dict[str, dict[str, Any]] = {}
        self.checks: dict[str, str] = {}
        self.zone = ""
        self.clusters = GlobalClusters(account=ACCOUNT)
        self.clusters.cluster("orders-global", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST)
        self.accelerators = Accelerators(account=ACCOUNT)
        self.recovery = RecoveryConfig(ENDPOINTS, ACCOUNT)
        front.serve("rds", stand_in("rds", self.clusters).answer, "DescribeGlobalClusters", "DescribeDBClusters")
        front.serve("globalaccelerator", stand_in("globalaccelerator", self.accelerators).answer)
        front.serve("route53", RoutingChecks(Upstream(moto.port)).answer, *OPERATIONS, name="moto")
        provisioned = Provisioned(ACCOUNT, {"pricing": ["live", "7"]})
        front.serve("lambda", stand_in("lambda", provisioned).answer, OPERATION)
        config = "route53-recovery-control-config"
        front.serve(config, stand_in(config, self.recovery).answer)

    def sdk(self, service: str, region: str) -> Any:
        path = Config(s3={"addressing_style": "path"})
        made = self._session.create_client(service, region_name=region, config=path)
        if service == "s3control":
            made.meta.events.register("before-sign.s3-control", without_account)
        return made

    def build(self) -> Account:
        self.databases()
        for region in REGIONS:
            self.balanced(region)
            self.workers(region)
            self.consumers(region)
        self.names()
        self.forwarding()
        self.edges()
        self.front.forget()
        return self

    def databases(self) -> None:
        """One instance with a replica in the other region, and one that nobody follows."""
        for name in ("ledger", "reports"):
            made = self.sdk("rds", EAST).create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
                MasterUsername="owner", MasterUserPassword="not-asked-for", DBName="shop", Tags=[TAG],
            )  # fmt: skip
            if name == "ledger":
                self.sdk("rds", WEST).create_db_instance_read_replica(
                    DBInstanceIdentifier="ledger-copy",
                    SourceDBInstanceIdentifier=made["DBInstance"]["DBInstanceArn"],
                    DBInstanceClass="db.t3.micro",
                )

    def balanced(self, region: str) -> None:
        """A balancer and a target group behind it."""
        ec2, elb = self.sdk("ec2", region), self.sdk("elbv2", region)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{region}{zone}")
            for number, zone in enumerate("ab")
        ]
        ids = [one["Subnet"]["SubnetId"] for one in subnets]
        made = elb.create_load_balancer(Name=f"web-{SHORT[region]}", Subnets=ids, Tags=[TAG])["LoadBalancers"][0]
        own = {"Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip"}
        group = elb.create_target_group(Name=f"group-{SHORT[region]}", **own)["TargetGroups"][0]["TargetGroupArn"]
        forward = {"Type": "forward", "TargetGroupArn": group}
        arn = made["LoadBalancerArn"]
        listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[forward])
        self.balancers[region] = {
            "arn": arn, "host": made["DNSName"], "zone": made["CanonicalHostedZoneId"], "group": group, "own": own,
            "listener": listener["Listeners"][0]["ListenerArn"],
        }  # fmt: skip

    def scaling_group(self, region: str, name: str, *tags: dict[str, str], **more: Any) -> None:
        scaling = self.sdk("autoscaling", region)
        launch = f"{name}-launch"
        scaling.create_launch_configuration(LaunchConfigurationName=launch, ImageId=IMAGE, InstanceType="t3.small")
        own = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchConfigurationName=launch, MinSize=0, MaxSize=4, DesiredCapacity=0,
            AvailabilityZones=[f"{region}a"], Tags=[{**own, **tag} for tag in tags], **more,
        )  # fmt: skip

    def workers(self, region: str) -> None:
        """By what they serve, by their names, by a tag; two that both fit one; one that EKS scales."""
        short = SHORT[region]
        names = {EAST: "falcon", WEST: "osprey"}
        self.scaling_group(region, names[region], TAG, TargetGroupARNs=[self.balancers[region]["group"]])
        self.scaling_group(region, f"batch-{region}", TAG)
        nodes = {"Key": "eks:nodegroup-name", "Value": "workers"}
        self.scaling_group(region, f"eks-workers-{short}", nodes)
        same = {"Key": "cloudfail:resource", "Value": "importer"}
        self.scaling_group(region, {EAST: "loader", WEST: "reader"}[region], TAG, same)
        for name in ("use1-cart",) if region == EAST else ("usw2-cart", "cart-w"):
            self.scaling_group(region, name, TAG)
        self.scaling_group(region, {EAST: "mailing", WEST: "mailings"}[region], TAG)
        if region == WEST:
            self.scaling_group(region, "audit", TAG)
        self.service(region)
        self.nodes(region)
        self.function(region)

    def service(self, region: str) -> None:
        ecs = self.sdk("ecs", region)
        ecs.create_cluster(clusterName="shop")
        ecs.register_task_definition(family="web", containerDefinitions=[{"name": "web", "image": "w", "memory": 64}])
        tags = [{"key": TAG["Key"], "value": TAG["Value"]}]
        ecs.create_service(cluster="shop", serviceName="api", taskDefinition="web", desiredCount=0, tags=tags)

    def nodes(self, region: str) -> None:
        eks = self.sdk("eks", region)
        eks.create_cluster(name=f"k8s-{SHORT[region]}", roleArn=ROLE, resourcesVpcConfig={"subnetIds": ["s-1", "s-2"]})
        eks.create_nodegroup(
            clusterName=f"k8s-{SHORT[region]}", nodegroupName="workers", nodeRole=ROLE, subnets=["s-1"],
            scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 2}, tags={TAG["Key"]: TAG["Value"]},
        )  # fmt: skip

    def function(self, region: str) -> None:
        """With an alias that is provisioned, and a mapping that feeds it from a queue."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "def handler(event, context):\n    return None\n")
        client = self.sdk("lambda", region)
        client.create_function(
            FunctionName="pricing", Runtime="python3.11", Role=ROLE, Handler="app.handler",
            Code={"ZipFile": code.getvalue()}, Tags={TAG["Key"]: TAG["Value"]},
        )  # fmt: skip
        client.publish_version(FunctionName="pricing")

    def consumers(self, region: str) -> None:
        sqs = self.sdk("sqs", region)
        queue = sqs.create_queue(QueueName="prices")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sdk("lambda", region).create_event_source_mapping(EventSourceArn=arn, FunctionName="pricing")
        events = self.sdk("events", region)
        events.create_event_bus(Name="shop-bus")
        for bus in ("default", "shop-bus"):
            events.put_rule(Name="orders", EventPattern='{"source": ["shop"]}', EventBusName=bus)
        scheduler = self.sdk("scheduler", region)
        scheduler.create_schedule_group(Name="nightly")
        scheduler.create_schedule(
            Name="books", GroupName="nightly", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": ROLE},
        )  # fmt: skip

    # ---- names

    def check(self, **config: Any) -> str:
        made = self.sdk("route53", EAST).create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
        return str(made["HealthCheck"]["Id"])

    def record(self, name: str, **more: Any) -> None:
        """An A record set, created."""
        one = {"Name": f"{name}.{DOMAIN}", "Type": "A", **more}
        if "AliasTarget" not in one:
            one = {"TTL": 60, **one}
        self.sdk("route53", EAST).change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": one}]}
        )

    def alias(self, region: str) -> dict[str, Any]:
        at = self.balancers[region]
        return {"HostedZoneId": at["zone"], "DNSName": f"dualstack.{at['host']}.", "EvaluateTargetHealth": True}

    def names(self) -> None:
        made = self.sdk("route53", EAST).create_hosted_zone(Name=DOMAIN, CallerReference=uuid.uuid4().hex)
        self.zone = made["HostedZone"]["Id"].rpartition("/")[2]
        self.sdk("route53", EAST).change_tags_for_resource(
            ResourceType="hostedzone", ResourceId=self.zone, AddTags=[TAG]
        )
        values = {EAST: [{"Value": "192.0.2.1"}], WEST: [{"Value": "192.0.2.2"}]}
        addresses = {region: self.sdk("ec2", region).allocate_address(Domain="vpc")["PublicIp"] for region in REGIONS}
        # Weighted, by the balancers that it leads to.
        for region in REGIONS:
            named = {"SetIdentifier": f"web in {region}", "Weight": 100 if region == EAST else 0}
            self.record("www", AliasTarget=self.alias(region), **named)
        # Failover, with a switch: an inverted health check on an object in the survivor.
        where = {"CreateBucketConfiguration": {"LocationConstraint": WEST}}
        self.sdk("s3", WEST).create_bucket(Bucket=BUCKET, **where)
        host, path = f"{BUCKET}.s3.amazonaws.com", "/us-east-1-out"
        self.checks["switch"] = self.check(
            Type="HTTPS", FullyQualifiedDomainName=host, ResourcePath=path, Port=443, Inverted=True
        )
        own = {"SetIdentifier": EAST, "Failover": "PRIMARY", "HealthCheckId": self.checks["switch"]}
        self.record("pay", ResourceRecords=values[EAST], **own)
        self.record("pay", ResourceRecords=values[WEST], SetIdentifier=WEST, Failover="SECONDARY")
        # Failover, by routing controls.
        for region, role in ((EAST, "PRIMARY"), (WEST, "SECONDARY")):
            arn = self.recovery.control(SHORT[region])
            self.checks[region] = self.check(Type="RECOVERY_CONTROL", RoutingControlArn=arn)
            own = {"SetIdentifier": region, "Failover": role, "HealthCheckId": self.checks[region]}
            self.record("admin", ResourceRecords=values[region], **own)
        # By latency; by addresses in one record; and what is asked about.
        for region in REGIONS:
            self.record("cdn", ResourceRecords=values[region], SetIdentifier=f"set-{region}", Region=region)
        self.record("both", ResourceRecords=[{"Value": addresses[region]} for region in REGIONS])
        self.record("api", AliasTarget=self.alias(EAST))
        for number in (1, 2):
            own = {"SetIdentifier": f"part-{number}", "Weight": 50}
            self.record("odd", ResourceRecords=[{"Value": f"192.0.2.{number}"}], **own)
        self.record("elsewhere", ResourceRecords=[{"Value": "203.0.113.9"}])

    # ---- balancers

    def forwarding(self) -> None:
        """A listener in the west that forwards to a group for each region, and a rule for two colours."""
        elb, at = self.sdk("elbv2", WEST), self.balancers[WEST]

        def weighted(*names: str) -> dict[str, Any]:
            made = [elb.create_target_group(Name=name, **at["own"])["TargetGroups"][0] for name in names]
            groups = [{"TargetGroupArn": one["TargetGroupArn"], "Weight": 1} for one in made]
            return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

        elb.create_listener(
            LoadBalancerArn=at["arn"], Protocol="HTTP", Port=81,
            DefaultActions=[weighted(f"edge-{EAST}", f"edge-{WEST}")],
        )  # fmt: skip
        elb.create_rule(
            ListenerArn=at["listener"], Priority=10, Actions=[weighted("blue", "green")],
            Conditions=[{"Field": "path-pattern", "Values": ["/colour/*"]}],
        )  # fmt: skip

    def edges(self) -> None:
        accelerator = self.accelerators.accelerator("world")
        for region in REGIONS:
            self.accelerators.group(accelerator, region, {"i-1": 100})
        self.distribution()
        for region, bucket in {EAST: "files-e", WEST: "files-w"}.items():
            where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self.sdk("s3", region).create_bucket(Bucket=bucket, **where)
        details = {"Name": "files", "Regions": [{"Bucket": "files-e"}, {"Bucket": "files-w"}]}
        self.sdk("s3control", WEST).create_multi_region_access_point(
            AccountId=ACCOUNT, ClientToken="t", Details=details
        )

    def distribution(self) -> None:
        own = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
        origins = [
            {"Id": f"web-{SHORT[region]}", "DomainName": self.balancers[region]["host"], "CustomOriginConfig": own}
            for region in REGIONS
        ]
        behaviour = {
            "TargetOriginId": "web-e", "ViewerProtocolPolicy": "redirect-to-https", "MinTTL": 0,
            "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
            "TrustedSigners": {"Enabled": False, "Quantity": 0},
        }  # fmt: skip
        config = {
            "CallerReference": "shop", "Comment": "the shop", "Enabled": True, "DefaultCacheBehavior": behaviour,
            "Origins": {"Quantity": 2, "Items": origins},
        }  # fmt: skip
        self.sdk("cloudfront", EAST).create_distribution(DistributionConfig=config)
