"""Stand-ins are held to botocore's models, in both directions, and boto3's own clients read what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused, StandIn, offences
from tests.emulators.aws.test_asked import least


def client(service: str, url: str, region: str = "us-west-2", *, strict: bool = True) -> Any:
    return botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(
            retries={"total_max_attempts": 1}, read_timeout=60, parameter_validation=strict, inject_host_prefix=False
        ),
    )


class _Echo:
    """Answers every operation with the least that its shape allows, and keeps what it was asked."""

    def __init__(self, service: str) -> None:
        self._model = botocore.session.Session().get_service_model(service)
        self.asked: list[dict[str, Any]] = []
        self.given: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def answer(parameters: dict[str, Any], what: Asked) -> Any:
            self.asked.append(parameters)
            if isinstance(self.given, Refused):
                raise self.given
            shape = self._model.operation_model(what.operation).output_shape
            return self.given if self.given is not None else least(shape) if shape else {}

        return answer


@pytest.fixture
def serve() -> Iterator[Callable[[str], tuple[StandIn, _Echo, str]]]:
    """Stand-ins whose mistakes are looked at by the test itself."""
    made: list[StandIn] = []

    def make(service: str) -> tuple[StandIn, _Echo, str]:
        echo = _Echo(service)
        made.append(StandIn(service, echo))
        return made[-1], echo, made[-1].door().url

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    "service",
    ["route53-recovery-cluster", "globalaccelerator", "elasticache", "docdb", "neptune", "arc-zonal-shift"],
)
def test_every_operation_arrives_as_it_was_asked(
    service: str, serve: Callable[[str], tuple[StandIn, _Echo, str]]
) -> None:
    stand_in, echo, url = serve(service)
    asking = client(service, url)
    model = asking.meta.service_model
    tried = 0
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        given = _whole(shape) if shape else {}
        if shape and offences(shape, given):
            # A value that fits the model's pattern cannot be made up.
            given = least(shape)
            if offences(shape, given):
                continue
        # botocore's own: it is used up by what signs an address in that region.
        given.pop("SourceRegion", None)
        asking._make_api_call(name, given)
        assert _plain(echo.asked[-1]) == _plain(given), name
        tried += 1
    assert stand_in.mistakes == []
    assert tried >= min(4, len(model.operation_names))


def _whole(shape: Any, depth: int = 0) -> Any:
    """A value with every member, where that ends."""
    if shape.type_name == "structure" and not getattr(shape, "is_tagged_union", False):
        return {name: _whole(one, depth + 1) for name, one in shape.members.items()} if depth < 6 else least(shape)
    if shape.type_name == "list":
        return [_whole(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {"k": _whole(shape.value, depth + 1)}
    return least(shape, depth)


def _plain(value: Any) -> Any:
    """Timestamps as seconds; members without anything in them left out, as the query protocol does."""
    if isinstance(value, dict):
        found = {name: _plain(one) for name, one in value.items()}
        return {name: one for name, one in found.items() if one not in ({}, [], [{}])}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value.timestamp()) if hasattr(value, "timestamp") else value


def test_a_request_that_the_model_does_not_allow_is_a_mistake(
    serve: Callable[[str], tuple[StandIn, _Echo, str]],
) -> None:
    stand_in, echo, url = serve("globalaccelerator")
    with pytest.raises(ClientError):
        client("globalaccelerator", url).update_endpoint_group(EndpointGroupArn="g", TrafficDialPercentage=101)
    with pytest.raises(ClientError):
        client("globalaccelerator", url, strict=False).update_endpoint_group(TrafficDialPercentage=1)
    with pytest.raises(ClientError):
        client("globalaccelerator", url).update_endpoint_group(EndpointGroupArn="g", HealthCheckProtocol="ICMP")
    assert echo.asked == []
    assert len(stand_in.mistakes) == 3
    assert "TrafficDialPercentage" in stand_in.mistakes[0]
    assert 'Missing required parameter in input: "EndpointGroupArn"' in stand_in.mistakes[1]
    assert "'ICMP', not one of TCP, HTTP, HTTPS" in stand_in.mistakes[2]


@pytest.mark.parametrize(
    ("service", "operation", "given", "said"),
    [
        ("route53-recovery-cluster", "get_routing_control_state", {"RoutingControlState": "On"}, "RoutingControlArn"),
        ("globalaccelerator", "describe_endpoint_group", {"EndpointGroup": {"Dial": 1}}, "Dial"),
        ("neptune", "describe_global_clusters", {"GlobalClusters": {}}, "Invalid type"),
        (
            "route53-recovery-cluster",
            "get_routing_control_state",
            {"RoutingControlArn": "a", "RoutingControlState": "on"},
            "'on', not one of On, Off",
        ),
    ],
)
def test_an_answer_that_the_model_does_not_allow_is_a_mistake(
    serve: Callable[[str], tuple[StandIn, _Echo, str]], service: str, operation: str, given: dict[str, Any], said: str
) -> None:
    stand_in, echo, url = serve(service)
    echo.given = given
    parameters = {"RoutingControlArn": "a"} if "routing" in operation else {}
    parameters = {"EndpointGroupArn": "g"} if "endpoint_group" in operation else parameters
    with pytest.raises(ClientError) as refused:
        getattr(client(service, url), operation)(**parameters)
    assert refused.value.response["Error"]["Code"] == "InternalFailure"
    (mistake,) = stand_in.mistakes
    assert "the answer" in mistake
    assert said in mistake


def test_an_error_is_one_of_the_model_with_its_own_code_and_status(
    serve: Callable[[str], tuple[StandIn, _Echo, str]],
) -> None:
    stand_in, echo, url = serve("elasticache")
    asking = client("elasticache", url)
    echo.given = Refused("InvalidGlobalReplicationGroupStateFault", "It is modifying.")
    with pytest.raises(asking.exceptions.InvalidGlobalReplicationGroupStateFault) as refused:
        asking.failover_global_replication_group(
            GlobalReplicationGroupId="g", PrimaryRegion="us-west-2", PrimaryReplicationGroupId="r"
        )
    assert refused.value.response["Error"]["Code"] == "InvalidGlobalReplicationGroupState"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert stand_in.mistakes == []
    echo.given = Refused("NoSuchBucket", "No.")
    with pytest.raises(ClientError):
        asking.describe_global_replication_groups()
    assert stand_in.mistakes == [
        "elasticache.DescribeGlobalReplicationGroups, the error: NoSuchBucket is no error of this operation"
    ]


def test_a_state_machine_that_breaks_is_a_mistake_too(
    serve: Callable[[str], tuple[StandIn, _Echo, str]],
) -> None:
    stand_in, echo, url = serve("globalaccelerator")
    echo.given = 7
    with pytest.raises(ClientError):
        client("globalaccelerator", url).list_accelerators()
    assert len(stand_in.mistakes) == 1


def test_the_members_of_a_modelled_error_arrive(serve: Callable[[str], tuple[StandIn, _Echo, str]]) -> None:
    stand_in, echo, url = serve("route53-recovery-cluster")
    asking = client("route53-recovery-cluster", url)
    echo.given = Refused("ConflictException", "A rule.", resourceId="arn:r", resourceType="SafetyRule")
    with pytest.raises(asking.exceptions.ConflictException) as refused:
        asking.update_routing_control_state(RoutingControlArn="a", RoutingControlState="On")
    assert refused.value.response["resourceId"] == "arn:r"
    assert stand_in.mistakes == []
