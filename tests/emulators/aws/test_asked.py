"""Every operation of the REST services, as boto3 sends it, is recognised as itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tests.emulators.aws.asked import Asked, asked
from tests.emulators.aws.standin import offences
from tests.emulators.wire import Request


class _Sent(Exception):
    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def client(service: str, region: str = "eu-west-1") -> Any:
    """One whose requests are signed and go nowhere."""
    made = botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(inject_host_prefix=False, s3={"addressing_style": "path"}),
    )

    def stop(request: Any, **_: Any) -> AWSResponse:
        raise _Sent(request)

    made.meta.events.register("before-send", stop)
    return made


def sent(client: Any, operation: str, parameters: dict[str, Any]) -> Request:
    with pytest.raises(_Sent) as caught:
        client._make_api_call(operation, parameters)
    request = caught.value.request
    parts = urlsplit(request.url)
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else body.read()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    return Request(request.method, parts.path + (f"?{parts.query}" if parts.query else ""), headers, body)


def least(shape: Any, depth: int = 0) -> Any:
    """A value of that shape with nothing but what is required."""
    match shape.type_name:
        case "structure":
            names = [*shape.required_members]
            if getattr(shape, "is_tagged_union", False):
                names = list(shape.members)[:1]
            return {name: least(shape.members[name], depth + 1) for name in names}
        case "list":
            return [least(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1)) if depth < 8 else []
        case "map":
            return {"k": least(shape.value, depth + 1)}
        case "integer" | "long" | "float" | "double":
            return max(1, shape.metadata.get("min", 1))
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return b"x"
    return (shape.enum or [_text(shape)])[0]


def _text(shape: Any) -> str:
    """One that fits the shape's pattern, if one of these does."""
    some = ["x" * max(1, shape.metadata.get("min", 1)), "arn:aws:x:us-east-1:123456789012:x", "us-east-1", "use1-az1"]
    return next((one for one in some if not offences(shape, one)), some[0])


@pytest.mark.parametrize(
    "service",
    ["route53", "s3", "lambda", "cloudfront", "eks", "scheduler", "arc-zonal-shift", "route53-recovery-control-config"],
)
def test_every_operation_of_a_rest_service_is_recognised(service: str) -> None:
    asking = client(service)
    model = asking.meta.service_model
    wrong, tried = [], 0
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.has_event_stream_input or (service == "s3" and name in _ELSEWHERE):
            continue
        request = sent(asking, name, least(operation.input_shape) if operation.input_shape else {})
        tried += 1
        found = asked(request)
        if (found.service, found.operation, found.by) != (service, name, "AKID"):
            wrong.append((name, found))
    assert not wrong
    assert tried > 5


# They go to hosts of their own, or have the same address as the operation that came after them.
_ELSEWHERE = {"WriteGetObjectResponse", "CreateSession", "ListDirectoryBuckets", "ListObjects"} | {
    f"{verb}Bucket{what}" for verb in ("Get", "Put") for what in ("Lifecycle", "Notification")
}


@pytest.mark.parametrize(
    ("service", "operation", "region", "mutating"),
    [
        ("rds", "FailoverGlobalCluster", "eu-west-1", True),
        ("elbv2", "ModifyListener", "eu-west-1", True),
        ("elbv2", "DescribeTargetHealth", "eu-west-1", False),
        ("ec2", "ReplaceRoute", "eu-west-1", True),
        ("elasticache", "TestFailover", "eu-west-1", True),
        ("dynamodb", "GetItem", "eu-west-1", False),
        ("cloudwatch", "GetMetricData", "eu-west-1", False),
        ("ecs", "UpdateService", "eu-west-1", True),
        ("sts", "AssumeRole", "eu-west-1", False),
        ("globalaccelerator", "UpdateEndpointGroup", "eu-west-1", True),
        ("route53", "ChangeResourceRecordSets", "us-east-1", True),
        ("route53-recovery-cluster", "UpdateRoutingControlStates", "eu-west-1", True),
    ],
)
def test_service_region_and_operation_are_those_that_were_asked(
    service: str, operation: str, region: str, mutating: bool
) -> None:
    asking = client(service)
    parameters = least(asking.meta.service_model.operation_model(operation).input_shape)
    found = asked(sent(asking, operation, parameters))
    assert (found, found.mutating) == (Asked(service, region, operation, "AKID"), mutating)


def test_a_presigned_request_and_one_without_a_signature_are_placed_by_their_address() -> None:
    url = client("s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}, ExpiresIn=60)
    parts = urlsplit(url)
    if "X-Amz-Credential" in parts.query:
        found = asked(Request("GET", f"{parts.path}?{parts.query}", {}, b""))
        assert found == Asked("s3", "eu-west-1", "GetObject", "AKID")
    host = {"host": "s3.eu-west-1.amazonaws.com"}
    assert asked(Request("GET", "/b/k", host, b"")) == Asked("s3", "eu-west-1", "GetObject", "")
    assert asked(Request("GET", "/b/k", {"host": "127.0.0.1:1"}, b"")).service == "s3"
