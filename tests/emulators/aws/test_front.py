"""All of AWS at one address, asked with boto3's own clients: routes, faults, and the log that is counted later."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from tests.emulators.aws import emulator, moto
from tests.emulators.aws.front import Front
from tests.emulators.aws.front import front as all_of_aws
from tests.emulators.wire import Answer

pytestmark = pytest.mark.skipif(not moto.is_installed(), reason="moto is not installed: run script/setup dev.")
Client = Callable[..., Any]
EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture
def ask(front: Front) -> Client:
    session = botocore.session.Session()

    def client(service: str, region: str = EAST, url: str | None = None, read_timeout: float = 30) -> Any:
        config = Config(read_timeout=read_timeout, retries={"total_max_attempts": 1})
        return session.create_client(service, region_name=region, endpoint_url=url, config=config)

    return client


def _code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def _zone(route53: Any) -> str:
    made = route53.create_hosted_zone(Name="shop.example", CallerReference="1")
    return str(made["HostedZone"]["Id"].rpartition("/")[2])


def _change(value: str) -> dict[str, Any]:
    records = {"Name": "www.shop.example", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": value}]}
    return {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]}


def _values(route53: Any, zone: str) -> list[str]:
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [r["Value"] for one in found if one["Type"] == "A" for r in one["ResourceRecords"]]


def test_each_service_goes_to_the_emulator_that_is_right_for_it(front: Front, ask: Client) -> None:
    zone = _zone(ask("route53"))
    checks = {"Port": 80, "Type": "HTTP", "FullyQualifiedDomainName": "www.shop.example"}
    check = ask("route53").create_health_check(CallerReference="1", HealthCheckConfig=checks)["HealthCheck"]["Id"]
    ask("route53").update_health_check(HealthCheckId=check, Inverted=True)
    vpc = ask("ec2", WEST).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ask("rds").create_global_cluster(GlobalClusterIdentifier="orders", Engine="aurora-postgresql")

    stored = ask("route53").get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
    assert stored["Inverted"] is True
    assert ask("route53").get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    assert vpc not in [one["VpcId"] for one in ask("ec2", EAST).describe_vpcs()["Vpcs"]]
    met = {(one.service, one.operation): one.met for one in front.seen()}
    assert met["route53", "CreateHostedZone"] == met["rds", "CreateGlobalCluster"] == "ministack"
    assert met["route53", "UpdateHealthCheck"] == met["ec2", "CreateVpc"] == "moto"
    assert zone


def test_the_instances_of_clusters_are_with_their_cluster_and_others_where_replicas_are_right(
    front: Front, ask: Client
) -> None:
    own = {"DBInstanceClass": "db.r6g.large", "Engine": "aurora-postgresql"}
    ask("rds").create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="app", MasterUserPassword="not-a-secret"
    )
    ask("rds").create_db_instance(DBInstanceIdentifier="c-1", DBClusterIdentifier="c", **own)
    ask("rds").create_db_instance(
        DBInstanceIdentifier="alone", DBInstanceClass="db.m5.large", Engine="postgres", AllocatedStorage=20
    )
    for name, met in (("c-1", "ministack"), ("alone", "moto")):
        found = ask("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        assert [one["DBInstanceIdentifier"] for one in found] == [name]
        assert front.seen(operation="describe_db_instances")[-1].met == met


def test_the_log_counts_what_may_change_anything(front: Front, ask: Client) -> None:
    zone = _zone(ask("route53", WEST))
    front.forget()
    for value in ("192.0.2.1", "192.0.2.2"):
        ask("route53", WEST).change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change(value))
        _values(ask("route53", WEST), zone)
    assert front.count() == 4
    assert front.count(mutating=True) == front.count(operation="change_resource_record_sets") == 2
    # Route 53 has one control plane, whatever region the client names.
    assert front.summary() == {
        ("route53", EAST, "ChangeResourceRecordSets"): 2,
        ("route53", EAST, "ListResourceRecordSets"): 2,
    }
    assert {one.by for one in front.seen()} == {moto.ACCOUNT}


def test_a_region_is_silent_and_the_others_answer(front: Front, ask: Client) -> None:
    fault = front.outages.silence(region=EAST)
    with pytest.raises(ReadTimeoutError):
        ask("ec2", EAST, read_timeout=1).create_vpc(CidrBlock="10.9.0.0/16")
    # The control planes that stand in that region are gone with it.
    with pytest.raises(ReadTimeoutError):
        ask("route53", WEST, read_timeout=1).list_hosted_zones()
    assert ask("ec2", WEST).describe_vpcs()["Vpcs"]
    fault.lift()
    assert "10.9.0.0/16" not in [one["CidrBlock"] for one in ask("ec2", EAST).describe_vpcs()["Vpcs"]]
    assert (fault.hits, front.count(met="fault")) == (2, 2)


def test_a_shut_door_refuses_and_a_refusing_region_resets(front: Front, ask: Client) -> None:
    door = front.door()
    assert ask("ec2", EAST, door.url).describe_vpcs()["Vpcs"]
    door.shut()
    with pytest.raises(EndpointConnectionError):
        ask("ec2", EAST, door.url).describe_vpcs()
    door.open()
    assert ask("ec2", EAST, door.url).describe_vpcs()["Vpcs"]
    front.outages.refuse(region=EAST)
    with pytest.raises(ConnectionClosedError):
        ask("ec2", EAST).describe_vpcs()
    front.outages.heal()
    assert ask("ec2", EAST).describe_vpcs()["Vpcs"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "status"),
    [
        ("rds", "describe_global_clusters", {}, "Throttling", 400),
        ("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503),
        ("s3", "list_buckets", {}, "SlowDown", 503),
        ("route53", "list_hosted_zones", {}, "Throttling", 400),
        ("cloudfront", "list_distributions", {}, "Throttling", 400),
        ("dynamodb", "list_tables", {}, "ThrottlingException", 400),
        ("ecs", "list_clusters", {}, "ThrottlingException", 400),
        ("lambda", "list_functions", {}, "TooManyRequestsException", 429),
        ("cloudwatch", "describe_alarms", {}, "ThrottlingException", 400),
    ],
)
def test_a_throttled_service_says_so_in_its_own_protocol(
    front: Front, ask: Client, service: str, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    front.outages.throttle(service=service, times=1)
    with pytest.raises(ClientError) as refused:
        getattr(ask(service), operation)(**parameters)
    assert _code(refused) == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    getattr(ask(service), operation)(**parameters)


def test_an_error_of_any_code_can_be_made(front: Front, ask: Client) -> None:
    zone = _zone(ask("route53"))
    front.outages.fail("PriorRequestNotComplete", operation="ChangeResourceRecordSets", after=1)
    client = ask("route53")
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.1"))
    with pytest.raises(client.exceptions.PriorRequestNotComplete):
        client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.2"))
    assert _values(client, zone) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("how", "error"), [("closed", ConnectionClosedError), ("silent", ReadTimeoutError), ("busy", ClientError)]
)
def test_an_answer_is_lost_after_the_effect(front: Front, ask: Client, how: str, error: type[Exception]) -> None:
    zone = _zone(ask("route53"))
    front.outages.lose(how, mutating=True, times=1)
    with pytest.raises(error):
        ask("route53", read_timeout=5).change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.9"))
    assert _values(ask("route53"), zone) == ["192.0.2.9"]


def test_a_held_call_lands_when_nobody_waits_for_it_any_more(front: Front, ask: Client) -> None:
    zone = _zone(ask("route53"))
    late = front.outages.hold(operation="ChangeResourceRecordSets", times=1)
    with pytest.raises(ReadTimeoutError):
        ask("route53", read_timeout=1).change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.1"))
    ask("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.2"))
    assert _values(ask("route53"), zone) == ["192.0.2.2"]
    (answer,) = late.land()
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert _values(ask("route53"), zone) == ["192.0.2.1"]


def test_a_stale_read_is_what_was_true_before(front: Front, ask: Client) -> None:
    zone = _zone(ask("route53"))
    client = ask("route53")
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.1"))
    assert _values(client, zone) == ["192.0.2.1"]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("192.0.2.2"))
    fault = front.outages.stale(600, service="route53")
    assert _values(client, zone) == ["192.0.2.1"]
    fault.lift()
    assert _values(client, zone) == ["192.0.2.2"]
    # Nothing that old is known: the truth is told.
    front.outages.stale(0, service="route53")
    assert _values(client, zone) == ["192.0.2.2"]


def test_a_page_breaks_off_or_comes_again(front: Front, ask: Client) -> None:
    client = ask("dynamodb")
    for name in ("one", "two", "three"):
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    first = client.list_tables(Limit=1)
    # botocore does not compare what came with Content-Length, and takes JSON that breaks off for an answer without
    # members: whoever asks must miss them. XML that breaks off is an error, which is none of botocore's own family.
    front.outages.cut(operation="list_tables", times=1)
    assert "TableNames" not in client.list_tables(Limit=1)
    front.outages.cut(operation="describe_global_clusters", times=1)
    with pytest.raises(ResponseParserError):
        ask("rds").describe_global_clusters()
    again = front.outages.repeat_page(operation="list_tables")
    second = client.list_tables(Limit=1, ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert second["TableNames"] == first["TableNames"]
    again.lift()
    second = client.list_tables(Limit=1, ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert second["TableNames"] != first["TableNames"]


def test_what_no_emulator_serves_is_said_and_not_tried_again(front: Front, ask: Client) -> None:
    with pytest.raises(ClientError) as refused:
        ask("globalaccelerator", WEST).list_accelerators()
    assert _code(refused) == "NoEmulator"
    assert front.count(met="nowhere") == 1


def test_signatures_and_roles_survive_the_way_through_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    with emulator.running(AUTH="true") as enforcing, all_of_aws({"ministack": enforcing.port}) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        owner = botocore.session.Session()
        iam = owner.create_client("iam", region_name=EAST)
        iam.create_user(UserName="reader")
        allowed = {"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*"}
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({"Statement": [allowed]}))
        key = iam.create_access_key(UserName="reader")["AccessKey"]

        def reader(service: str, secret: str) -> Any:
            return owner.create_client(
                service, region_name=WEST, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=secret
            )

        assert reader("dynamodb", key["SecretAccessKey"]).list_tables()["TableNames"] == []
        with pytest.raises(ClientError) as refused:
            reader("sqs", key["SecretAccessKey"]).create_queue(QueueName="q")
        assert "AccessDenied" in _code(refused)
        with pytest.raises(ClientError) as refused:
            reader("dynamodb", "another").list_tables()
        assert "Signature" in _code(refused)
        assert {one.by for one in made.seen(service="dynamodb")} == {key["AccessKeyId"]}


def test_connections_are_kept_and_many_threads_are_served(front: Front, ask: Client) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)
    sockets = set()
    for _ in range(3):
        kept.request("GET", "/", headers={"Host": "s3.us-east-1.amazonaws.com"})
        answer = kept.getresponse()
        answer.read()
        sockets.add(id(kept.sock))
    assert len(sockets) == 1
    kept.close()
    client = ask("sqs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.create_queue(QueueName=f"q{number}"), range(24)))
    assert front.count(operation="CreateQueue") == 24
    assert len(client.list_queues()["QueueUrls"]) == 24
