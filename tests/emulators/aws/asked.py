"""Which call of AWS a request is: service, region and operation, from its signature and from botocore's models."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import UnknownServiceError
from botocore.loaders import create_loader
from botocore.model import ServiceModel

from tests.emulators.wire import Request

# boto3's name by the name that signs, where they differ. Who signs as "rds" may also be docdb or neptune: AWS tells
# these apart by the engine, and so must who answers.
_BOTO = {
    "monitoring": "cloudwatch",
    "neptune-db": "neptunedata",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
# Services with one control plane, and the region that it stands in, whatever region a client names. (Global Accelerator
# and ARC's configuration, in us-west-2, must be asked there: elsewhere they have no address.)
HOME = {
    "route53": "us-east-1",
    "cloudfront": "us-east-1",
    "iam": "us-east-1",
    "organizations": "us-east-1",
}
_READS = re.compile(
    r"^(Describe|Get|List|Head|BatchGet|TransactGet|Query$|Scan$|Select|Lookup|Search|Simulate|Filter|Assume|Decode"
    r"|TestDNSAnswer|TestMetricFilter|Preview|Validate|Check)"
)
_SCOPE = re.compile(r"Credential=([^,\s]+)")
_HOST = re.compile(r"^(?:[^.]+\.)*?([a-z0-9-]+)\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")


@dataclass(frozen=True)
class Asked:
    """`service` is boto3's name; `operation` AWS's own, "" where none fits; `by` the access key that signed."""

    service: str
    region: str
    operation: str
    by: str

    @property
    def mutating(self) -> bool:
        """Whether it may change anything. What nobody knows may."""
        return not _READS.match(self.operation)


def asked(request: Request) -> Asked:
    by, region, signing = _scope(request)
    service = _service(signing, request)
    return Asked(service, HOME.get(service, region), _operation(service, request), by)


def protocol(service: str) -> str:
    """The one that boto3 speaks to it here."""
    model = _model(service)
    if model is None:
        return "json"
    spoken = model.metadata.get("protocols") or [model.metadata["protocol"]]
    # cbor is asked for by nobody here: of a service that also speaks json, boto3 asks in json.
    return str(next(one for one in spoken if one != "smithy-rpc-v2-cbor"))


def canonical(operation: str) -> str:
    """`change_resource_record_sets` and `ChangeResourceRecordSets` are the same."""
    return operation.replace("_", "").lower()


def _scope(request: Request) -> tuple[str, str, str]:
    """The access key, the region and the signing name; of a request without a signature by its address."""
    found = _SCOPE.search(request.headers.get("authorization", ""))
    scope = found.group(1) if found else request.query.get("X-Amz-Credential", "")
    parts = scope.split("/")
    if len(parts) >= 5:
        return "/".join(parts[:-4]), parts[-3], parts[-2]
    if len(parts) == 4:
        # Signed for several regions (SigV4A), as the requests to a multi-region access point are.
        return parts[0], request.headers.get("x-amz-region-set", "*"), parts[2]
    host = _HOST.match(request.headers.get("host", ""))
    if host:
        return "", host.group(2), host.group(1)
    if "Action" in request.form:
        # AssumeRoleWithWebIdentity and its like are how one gets something to sign with.
        return "", "us-east-1", "sts"
    return "", "us-east-1", "s3"


def _service(signing: str, request: Request) -> str:
    if signing == "elasticloadbalancing":
        return "elb" if request.form.get("Version") == "2012-06-01" else "elbv2"
    if signing == "s3" and request.path.startswith("/v20180820/"):
        return "s3control"
    return _BOTO.get(signing, signing)


def _operation(service: str, request: Request) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    cbor = re.match(r"^/service/[^/]+/operation/([^/]+)$", request.path)
    if cbor:
        return cbor.group(1)
    action = request.form.get("Action")
    if action:
        return action
    return by_address(service, request)


@dataclass(frozen=True)
class _Address:
    operation: str
    method: str
    pattern: re.Pattern[str]
    constants: tuple[tuple[str, str], ...]
    needs: tuple[tuple[str, str], ...]
    literal: int


def by_address(service: str, request: Request) -> str:
    """The operation of a REST service, by method and address. The more an operation asks for, the better it fits."""
    query, path = request.query, request.path.rstrip("/") or "/"
    best: tuple[tuple[int, int, int], str] = ((-1, -1, -1), "")
    for one in _addresses(service):
        if one.method != request.method or not one.pattern.match(path):
            continue
        if any(query.get(name) != value for name, value in one.constants):
            continue
        if all(name.lower() in request.headers if where == "header" else name in query for where, name in one.needs):
            best = max(best, ((len(one.constants), len(one.needs), one.literal), one.operation))
    return best[1]


def labels(service: str, operation: str, request: Request) -> dict[str, str]:
    """What stands in the path of a REST request, by name, still percent-encoded."""
    for one in _addresses(service):
        found = one.pattern.match(request.path.rstrip("/") or "/")
        if one.operation == operation and found:
            return {name.replace("__", "-"): value for name, value in found.groupdict().items()}
    return {}


@functools.cache
def _addresses(service: str) -> tuple[_Address, ...]:
    model = _model(service)
    if model is None or not protocol(service).startswith("rest"):
        return ()
    # ListDirectoryBuckets has ListBuckets' address, at hosts of its own.
    names = [name for name in model.operation_names if name != "ListDirectoryBuckets"]
    return tuple(_address(model.operation_model(name)) for name in names)


def _address(operation: Any) -> _Address:
    path, _, query = operation.http["requestUri"].partition("?")
    pieces = re.split(r"(\{[^}]+\})", path.rstrip("/") or "/")
    pattern = "".join(_piece(one) for one in pieces)
    needs = []
    for name in operation.input_shape.required_members if operation.input_shape else ():
        member = operation.input_shape.members[name].serialization
        if member.get("location") in ("header", "querystring"):
            needs.append((member["location"], member["name"]))
    constants = tuple(parse_qsl(query, keep_blank_values=True))
    literal = sum(len(one) for one in pieces if not one.startswith("{"))
    return _Address(
        operation.name, operation.http["method"], re.compile(f"^{pattern}$"), constants, tuple(needs), literal
    )


def _piece(piece: str) -> str:
    if not piece.startswith("{"):
        return re.escape(piece)
    name = piece[1:-1]
    group = name.rstrip("+").replace("-", "__")
    return f"(?P<{group}>.+)" if name.endswith("+") else f"(?P<{group}>[^/]+)"


@functools.cache
def _model(service: str) -> Any:
    """Read anew: an S3 client takes the bucket out of the addresses of the model that it was made from."""
    try:
        return ServiceModel(create_loader().load_service_model(service, "service-2"), service)
    except UnknownServiceError:
        return None
