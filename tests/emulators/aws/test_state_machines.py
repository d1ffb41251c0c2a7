"""The stand-ins whose changes take their time: Global Accelerator, global datastores, global clusters, zonal shifts. In
virtual time, asked by boto3."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from cloudfail.testing.clock import VirtualClock
from tests.emulators.aws.front import front
from tests.emulators.aws.standin import RealHours, StandIn
from tests.emulators.aws.standins.accelerators import Accelerators
from tests.emulators.aws.standins.caches import Caches
from tests.emulators.aws.standins.global_clusters import GlobalClusters
from tests.emulators.aws.standins.global_datastores import GlobalDatastores
from tests.emulators.aws.standins.zonal_shifts import ZonalShifts
from tests.emulators.aws.test_standin import client

Serve = Callable[[str, Any], StandIn]
EAST, WEST = "us-east-1", "us-west-2"


def test_an_endpoint_group_is_replaced_at_once_and_reaches_the_edge_when_deployed(stand_in: Serve) -> None:
    clock = VirtualClock()
    machine = Accelerators(clock)
    machine.deploy_seconds = 60
    accelerator = machine.accelerator()
    group = machine.group(accelerator, EAST, {"alb-1": 128, "alb-2": 64})
    asking = client("globalaccelerator", stand_in("globalaccelerator", machine).door().url)

    def status() -> str:
        return str(asking.describe_accelerator(AcceleratorArn=accelerator)["Accelerator"]["Status"])

    changed = asking.update_endpoint_group(
        EndpointGroupArn=group,
        TrafficDialPercentage=0,
        EndpointConfigurations=[{"EndpointId": "alb-1", "Weight": 255}],
    )["EndpointGroup"]
    # What was not named again is gone, and settings that were not named stay.
    assert [one["EndpointId"] for one in changed["EndpointDescriptions"]] == ["alb-1"]
    assert (changed["TrafficDialPercentage"], changed["HealthCheckPort"]) == (0.0, 443)
    assert (status(), machine.at_edge(group)["TrafficDialPercentage"]) == ("IN_PROGRESS", 100.0)
    clock.sleep(59)
    asking.update_endpoint_group(EndpointGroupArn=group, TrafficDialPercentage=10)
    clock.sleep(59)
    assert (status(), machine.at_edge(group)["TrafficDialPercentage"]) == ("IN_PROGRESS", 100.0)
    clock.sleep(1)
    assert (status(), machine.at_edge(group)["TrafficDialPercentage"]) == ("DEPLOYED", 10.0)
    listener = asking.list_listeners(AcceleratorArn=accelerator)["Listeners"][0]["ListenerArn"]
    (listed,) = asking.list_endpoint_groups(ListenerArn=listener)["EndpointGroups"]
    assert listed["EndpointDescriptions"] == [{"EndpointId": "alb-1", "Weight": 255, "HealthState": "HEALTHY"}]


def test_the_accelerator_is_asked_in_its_home_region_and_nowhere_else(stand_in: Serve) -> None:
    machine = Accelerators()
    url = stand_in("globalaccelerator", machine).door().url
    group = machine.group(machine.accelerator(), EAST, {"alb": 128})
    with pytest.raises(ClientError) as refused:
        client("globalaccelerator", url, EAST).update_endpoint_group(EndpointGroupArn=group, TrafficDialPercentage=0)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert machine.updates == []


def test_a_datastore_fails_over_after_a_while_and_takes_no_second_order_until_then(stand_in: Serve) -> None:
    clock, moved = VirtualClock(), []
    machine = GlobalDatastores(clock, lambda name, region: moved.append((name, region)))
    machine.failover_seconds = 30
    machine.datastore("cache", {EAST: "cache-e", WEST: "cache-w"}, EAST)
    asking = client("elasticache", stand_in("elasticache", machine).door().url)
    order = {
        "GlobalReplicationGroupId": "cache",
        "PrimaryRegion": WEST,
        "PrimaryReplicationGroupId": "cache-w",
    }

    def seen() -> tuple[str, str]:
        (one,) = asking.describe_global_replication_groups(GlobalReplicationGroupId="cache", ShowMemberInfo=True)[
            "GlobalReplicationGroups"
        ]
        primary = [m["ReplicationGroupRegion"] for m in one["Members"] if m["Role"] == "PRIMARY"]
        return one["Status"], ",".join(primary)

    asking.failover_global_replication_group(**order)
    assert (seen(), moved) == (("modifying", EAST), [])
    with pytest.raises(asking.exceptions.InvalidGlobalReplicationGroupStateFault):
        asking.failover_global_replication_group(**order)
    clock.sleep(30)
    assert (seen(), moved) == (("available", WEST), [("cache", WEST)])
    with pytest.raises(asking.exceptions.InvalidParameterValueException):
        asking.failover_global_replication_group(**order)
    (here,) = asking.describe_replication_groups(ReplicationGroupId="cache-w")["ReplicationGroups"]
    assert here["GlobalReplicationGroupInfo"]["GlobalReplicationGroupMemberRole"] == "PRIMARY"


def test_a_user_is_modified_after_a_while_and_its_tags_hold_no_asterisk(stand_in: Serve) -> None:
    clock, changed = VirtualClock(), []
    machine = Caches(clock, on_user=lambda region, name, access: changed.append((region, name, access)))
    machine.modify_seconds = 20
    arn = machine.user(EAST, "shop-e", "shop", "on ~* +@all")
    asking = client("elasticache", stand_in("elasticache", machine).door().url, EAST)
    order = {"UserId": "shop-e", "AccessString": "on ~* -@all"}
    assert asking.modify_user(**order)["Status"] == "modifying"
    with pytest.raises(asking.exceptions.InvalidUserStateFault):
        asking.modify_user(**order)
    assert changed == []
    clock.sleep(20)
    (user,) = asking.describe_users(UserId="shop-e")["Users"]
    assert (user["Status"], user["AccessString"], changed) == ("active", "on ~* -@all", [(EAST, "shop", "on ~* -@all")])
    with pytest.raises(asking.exceptions.InvalidParameterValueException):
        asking.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "before", "Value": "on ~* +@all"}])
    asking.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "cloudfail:epoch", "Value": "7 r1"}])
    assert asking.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "cloudfail:epoch", "Value": "7 r1"}]
    with pytest.raises(asking.exceptions.UserNotFoundFault):
        asking.describe_users(UserId="shop-w")


@pytest.mark.parametrize(
    ("service", "engine"), [("rds", "aurora-postgresql"), ("docdb", "docdb"), ("neptune", "neptune")]
)
def test_a_global_cluster_says_that_it_is_failing_over_and_then_who_writes(
    stand_in: Serve, service: str, engine: str
) -> None:
    clock, promoted = VirtualClock(), []
    machine = GlobalClusters(clock, lambda member: promoted.append(member.name), engine=engine)
    machine.pending_seconds, machine.api_seconds, machine.promote_seconds = 5, 60, 40
    machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "127.0.0.1:6543")}, EAST)
    asking = client(service, stand_in(service, machine).door().url)

    def seen() -> tuple[str, str]:
        (one,) = asking.describe_global_clusters(GlobalClusterIdentifier="orders")["GlobalClusters"]
        writer = [m["DBClusterArn"] for m in one["GlobalClusterMembers"] if m["IsWriter"]]
        return one.get("FailoverState", {}).get("Status", ""), writer[0].rpartition(":")[2]

    (west,) = asking.describe_db_clusters(DBClusterIdentifier="orders-w")["DBClusters"]
    assert (west["Endpoint"], west["Port"], west["Status"]) == ("127.0.0.1", 6543, "available")
    order = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": west["DBClusterArn"]}
    asking.failover_global_cluster(AllowDataLoss=True, **order)
    assert seen() == ("pending", "orders-e")
    with pytest.raises(asking.exceptions.InvalidGlobalClusterStateFault):
        asking.failover_global_cluster(AllowDataLoss=True, **order)
    clock.sleep(39)
    assert (seen(), promoted) == (("failing-over", "orders-e"), [])
    clock.sleep(1)
    assert (seen(), promoted) == (("failing-over", "orders-e"), ["orders-w"])
    clock.sleep(20)
    assert seen() == ("", "orders-w")
    assert machine.accepted == [("FailoverGlobalCluster", "orders-w", True)]
    # The old writer is out of sync, and cannot be switched to.
    east = asking.describe_global_clusters()["GlobalClusters"][0]["GlobalClusterMembers"][0]["DBClusterArn"]
    back = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": east}
    with pytest.raises(asking.exceptions.InvalidDBClusterStateFault):
        asking.switchover_global_cluster(**back)
    machine.resynchronise("orders")
    asking.switchover_global_cluster(**back)
    clock.sleep(60)
    assert (seen(), promoted) == (("", "orders-e"), ["orders-w", "orders-e"])


def test_the_api_says_available_while_no_database_was_promoted(stand_in: Serve) -> None:
    clock, promoted = VirtualClock(), []
    machine = GlobalClusters(clock, lambda member: promoted.append(member.name))
    machine.promote_seconds = None
    machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST)
    asking = client("rds", stand_in("rds", machine).door().url)
    west = machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST).members[WEST]
    asking.failover_global_cluster(
        GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=west.arn, AllowDataLoss=True
    )
    assert west.writer
    clock.sleep(86_400)
    assert promoted == []


def test_leaving_out_the_loss_makes_it_a_switchover_and_both_at_once_are_refused(stand_in: Serve) -> None:
    machine = GlobalClusters(VirtualClock())
    members = machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST).members
    asking = client("rds", stand_in("rds", machine).door().url)
    order = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": members[WEST].arn}
    with pytest.raises(ClientError) as refused:
        asking.failover_global_cluster(AllowDataLoss=True, Switchover=True, **order)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterCombination"
    members[EAST].status = "stopped"
    with pytest.raises(asking.exceptions.InvalidDBClusterStateFault):
        asking.failover_global_cluster(**order)
    members[EAST].status = "available"
    asking.failover_global_cluster(**order)
    assert machine.accepted == [("FailoverGlobalCluster", "orders-w", False)]
    with pytest.raises(asking.exceptions.DBClusterNotFoundFault):
        asking.failover_global_cluster(
            GlobalClusterIdentifier="orders", TargetDbClusterIdentifier="orders-e", AllowDataLoss=True
        )


def test_in_real_time_the_databases_are_promoted_on_a_thread_of_their_own(stand_in: Serve) -> None:
    promoted = threading.Event()
    machine = GlobalClusters(RealHours(), lambda member: promoted.set())
    machine.promote_seconds = 0.01
    west = machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST).members[WEST]
    client("rds", stand_in("rds", machine).door().url).failover_global_cluster(
        GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=west.arn, AllowDataLoss=True
    )
    assert promoted.wait(60)


def test_a_zonal_shift_ends_by_itself_or_by_order_and_there_is_one_at_a_time(stand_in: Serve) -> None:
    clock = VirtualClock()
    machine = ZonalShifts(clock)
    arn = f"arn:aws:elasticloadbalancing:{EAST}:123456789012:loadbalancer/app/shop/1"
    machine.resource(arn, "use1-az1", "use1-az2")
    url = stand_in("arc-zonal-shift", machine).door().url
    asking = client("arc-zonal-shift", url, EAST)
    order = {"resourceIdentifier": arn, "awayFrom": "use1-az1", "expiresIn": "2h", "comment": "epoch 7"}

    first = asking.start_zonal_shift(**order)
    assert (first["status"], first["comment"]) == ("ACTIVE", "epoch 7")
    assert (first["expiryTime"] - first["startTime"]).total_seconds() == 7200
    assert asking.get_managed_resource(resourceIdentifier=arn)["appliedWeights"] == {"use1-az1": 0.0, "use1-az2": 1.0}
    with pytest.raises(asking.exceptions.ConflictException) as refused:
        asking.start_zonal_shift(**order)
    assert refused.value.response["zonalShiftId"] == first["zonalShiftId"]
    clock.sleep(7200)
    assert asking.list_zonal_shifts(status="ACTIVE")["items"] == []
    assert machine.weights(arn) == {"use1-az1": 1.0, "use1-az2": 1.0}
    with pytest.raises(asking.exceptions.ConflictException):
        asking.cancel_zonal_shift(zonalShiftId=first["zonalShiftId"])

    second = asking.start_zonal_shift(**order)["zonalShiftId"]
    asking.update_zonal_shift(zonalShiftId=second, expiresIn="3h")
    clock.sleep(7200)
    assert [one["zonalShiftId"] for one in asking.list_zonal_shifts(status="ACTIVE")["items"]] == [second]
    assert asking.cancel_zonal_shift(zonalShiftId=second)["status"] == "CANCELED"
    with pytest.raises(ClientError) as too_long:
        asking.start_zonal_shift(**{**order, "expiresIn": "73h"})
    assert too_long.value.response["Error"]["Code"] == "ValidationException"
    west = client("arc-zonal-shift", url, WEST)
    with pytest.raises(west.exceptions.ResourceNotFoundException):
        west.start_zonal_shift(**order)


def test_a_zonal_shift_may_be_active_while_the_balancer_does_not_obey(stand_in: Serve) -> None:
    machine = ZonalShifts(VirtualClock())
    arn = f"arn:aws:elasticloadbalancing:{EAST}:123456789012:loadbalancer/app/shop/1"
    machine.resource(arn, "use1-az1", "use1-az2").obeys = False
    asking = client("arc-zonal-shift", stand_in("arc-zonal-shift", machine).door().url, EAST)
    started = asking.start_zonal_shift(resourceIdentifier=arn, awayFrom="use1-az1", expiresIn="2h", comment="")
    assert started["status"] == "ACTIVE"
    assert asking.get_managed_resource(resourceIdentifier=arn)["appliedWeights"]["use1-az1"] == 1.0


def test_a_stand_in_behind_the_front_shares_its_faults_and_its_log(stand_in: Serve) -> None:
    machine = GlobalClusters(VirtualClock())
    west = machine.cluster("orders", {EAST: ("orders-e", ""), WEST: ("orders-w", "")}, EAST).members[WEST]
    with front({}) as aws:
        aws.serve("rds", stand_in("rds", machine).answer, "DescribeGlobalClusters", "FailoverGlobalCluster")
        asking = client("rds", aws.url)
        order = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": west.arn, "AllowDataLoss": True}
        aws.outages.throttle(operation="failover_global_cluster", times=1)
        with pytest.raises(ClientError) as refused:
            asking.failover_global_cluster(**order)
        assert (refused.value.response["Error"]["Code"], machine.accepted) == ("Throttling", [])
        aws.outages.lose(operation="failover_global_cluster", times=1)
        with pytest.raises(ConnectionClosedError):
            asking.failover_global_cluster(**order)
        (found,) = asking.describe_global_clusters()["GlobalClusters"]
        assert [one["DBClusterArn"] for one in found["GlobalClusterMembers"] if one["IsWriter"]] == [west.arn]
        assert len(machine.accepted) == 1
        assert (aws.count(mutating=True), aws.count(met="fault"), aws.count(met="stand-in:rds")) == (2, 2, 1)
