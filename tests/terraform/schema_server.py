"""A provider that has a schema and nothing behind it, so that the real Terraform can be run without any plugin.

Terraform takes the address of a provider that runs already from TF_REATTACH_PROVIDERS (developer.hashicorp.com, "Plugin
Development: Debugging Providers") and then neither downloads nor locks it. What is spoken there is plugin protocol 5,
over gRPC. `validate`, `plan` and `test` ask for the schema, hold the configuration against it, and ask what would
change; everything that they then say is Terraform's own judgement.

What is made up: the value of a computed attribute after an apply, and of a data source (DATA). So tests look at inputs
and structure. What no schema says is checked for a few arguments against the values that botocore's models allow
(ENUMS). What only the provider's own code knows is not checked here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import botocore.session
import grpc
import msgpack

from tests.terraform.protobuf import Message, content_of, field, parse, text_of

Json = dict[str, Any]

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_UNKNOWN = msgpack.ExtType(0, b"\x00")

DATA: dict[str, Json] = {
    "aws_caller_identity": {"account_id": "123456789012"},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
}

ENUMS = {
    ("aws_lambda_function", "runtime"): ("lambda", "Runtime"),
    ("aws_dynamodb_table", "billing_mode"): ("dynamodb", "BillingMode"),
    ("aws_cloudwatch_metric_alarm", "comparison_operator"): ("cloudwatch", "ComparisonOperator"),
    ("aws_cloudwatch_metric_alarm", "statistic"): ("cloudwatch", "Statistic"),
}


@contextlib.contextmanager
def serving(files: Sequence[Path]) -> Iterator[str]:
    """Serves each file's schema on a free loopback port, and yields the value of TF_REATTACH_PROVIDERS."""
    addresses: Json = {}
    servers = []
    try:
        for file in files:
            provider = Provider(json.loads(file.read_text(encoding="utf-8")))
            server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
            server.add_generic_rpc_handlers((_Handler(provider),))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            servers.append(server)
            addresses[provider.source] = {
                "Protocol": "grpc",
                "ProtocolVersion": 5,
                "Pid": os.getpid(),
                "Test": True,  # Terraform then leaves the process running
                "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
            }
        yield json.dumps(addresses)
    finally:
        for server in servers:
            server.stop(grace=None)


class Provider:
    """One provider. Its methods are the protocol's, by its names; each takes and gives a message."""

    def __init__(self, document: Json) -> None:
        ((self.source, schemas),) = document["provider_schemas"].items()
        self.version = document["provider_version"]
        self._resources: Json = schemas["resource_schemas"]
        self._data: Json = schemas["data_source_schemas"]
        self._schema = b"".join(
            (
                field(1, _schema(schemas["provider"])),
                *(field(2, field(1, name) + field(2, _schema(one))) for name, one in self._resources.items()),
                *(field(3, field(1, name) + field(2, _schema(one))) for name, one in self._data.items()),
            )
        )
        self.methods: dict[str, Callable[[Message], bytes]] = {
            "GetSchema": lambda _: self._schema,
            "PrepareProviderConfig": lambda asked: field(1, content_of(asked, 1)),
            "Configure": lambda _: b"",
            "ValidateResourceTypeConfig": self._validate,
            "ValidateDataSourceConfig": lambda _: b"",
            "UpgradeResourceState": self._upgrade,
            "ReadResource": lambda asked: field(1, content_of(asked, 2)),
            "PlanResourceChange": self._plan,
            "ApplyResourceChange": self._apply,
            "ReadDataSource": self._read_data,
            "Stop": lambda _: b"",
        }

    def _validate(self, asked: Message) -> bytes:
        name, config = text_of(asked, 1), _decoded(content_of(asked, 2))
        return b"".join((*_unsettable(name, config, self._block(asked)), *_not_allowed(name, config)))

    def _upgrade(self, asked: Message) -> bytes:
        raw = content_of(parse(content_of(asked, 3)), 1)
        return field(1, _encoded(json.loads(raw or b"null")))

    def _plan(self, asked: Message) -> bytes:
        prior, proposed = _decoded(content_of(asked, 2)), _decoded(content_of(asked, 3))
        if prior is None and proposed is not None:
            proposed = _filled(proposed, self._block(asked), _unknown_if_computed, (text_of(asked, 1),))
        return field(1, _encoded(proposed))

    def _apply(self, asked: Message) -> bytes:
        planned = _decoded(content_of(asked, 3))
        if planned is not None:
            planned = _filled(planned, self._block(asked), _made_up_if_unknown, (text_of(asked, 1),))
        return field(1, _encoded(planned))

    def _read_data(self, asked: Message) -> bytes:
        name, config = text_of(asked, 1), _decoded(content_of(asked, 2))
        block = self._data[name]["block"]
        known = _filled(config, block, _unknown_if_computed, (name,))
        known = _filled(known, block, _made_up_if_unknown, (name,))
        return field(1, _encoded({**known, **DATA.get(name, {})}))

    def _block(self, asked: Message) -> Json:
        block: Json = self._resources[text_of(asked, 1)]["block"]
        return block


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, provider: Provider) -> None:
        self._methods = provider.methods

    def service(self, handler_call_details: Any) -> Any:
        method = self._methods.get(handler_call_details.method.rsplit("/", 1)[1])
        if method is None:
            return None  # gRPC then answers that it is not implemented, which Terraform allows for the newer ones
        return grpc.unary_unary_rpc_method_handler(lambda content, _context: method(parse(content)))


# ---- schemas


def _schema(schema: Json) -> bytes:
    return field(1, schema["version"]) + field(2, _block(schema["block"]))


def _block(block: Json) -> bytes:
    attributes = (
        field(1, name)
        + field(2, json.dumps(one["type"]))
        + field(4, one.get("required", False))
        + field(5, one.get("optional", False))
        + field(6, one.get("computed", False))
        for name, one in block["attributes"].items()
    )
    nested = (
        field(1, name)
        + field(2, _block(one["block"]))
        + field(3, _NESTING[one["nesting_mode"]])
        + field(4, one.get("min_items", 0))
        + field(5, one.get("max_items", 0))
        for name, one in block.get("block_types", {}).items()
    )
    return b"".join((*(field(2, one) for one in attributes), *(field(3, one) for one in nested)))


# ---- values


def _decoded(dynamic: bytes) -> Any:
    fields = parse(dynamic)
    return msgpack.unpackb(content_of(fields, 1), strict_map_key=False) if 1 in fields else None


def _encoded(value: Any) -> bytes:
    return field(1, msgpack.packb(value))


Turn = Callable[[Any, Json, tuple[str, ...]], Any]


def _filled(value: Json, block: Json, turn: Turn, path: tuple[str, ...]) -> Json:
    """The value of a block, each of its attributes turned, and those of the blocks in it."""
    filled = dict(value)
    for name, attribute in block["attributes"].items():
        filled[name] = turn(filled.get(name), attribute, (*path, name))
    for name, nested in block.get("block_types", {}).items():
        now = filled.get(name)
        if isinstance(now, list):
            filled[name] = [_filled(one, nested["block"], turn, (*path, name, str(i))) for i, one in enumerate(now)]
        elif isinstance(now, dict) and nested["nesting_mode"] == "single":
            filled[name] = _filled(now, nested["block"], turn, (*path, name))
    return filled


def _unknown_if_computed(value: Any, attribute: Json, _path: tuple[str, ...]) -> Any:
    return _UNKNOWN if value is None and attribute.get("computed") else value


def _made_up_if_unknown(value: Any, attribute: Json, path: tuple[str, ...]) -> Any:
    return _made_up(attribute["type"], path) if isinstance(value, msgpack.ExtType) else value


def _made_up(kind: Any, path: tuple[str, ...]) -> Any:
    match kind:
        case "string":
            mark = hashlib.sha256("/".join(path).encode()).hexdigest()[:8]
            return f"arn:aws:stub:::{path[0]}/{mark}" if path[-1].endswith("arn") else f"{path[-1]}-{mark}"
        case "number":
            return 0
        case "bool":
            return False
        case ["list", [_, *_] as element]:
            return [_made_up(element, path)]
        case ["list" | "set", _]:
            return []
        case ["map", _]:
            return {}
        case ["object", fields]:
            return {name: _made_up(one, (*path, name)) for name, one in fields.items()}
    return None


# ---- what no schema says


def _problem(attribute: str, summary: str, detail: str) -> bytes:
    at = field(4, field(1, field(1, attribute)))
    return field(1, field(1, 1) + field(2, summary) + field(3, detail) + at)


def _unsettable(name: str, config: Json, block: Json) -> Iterator[bytes]:
    """Terraform leaves it to the provider to refuse a value for what is only computed."""
    for attribute, one in block["attributes"].items():
        if config.get(attribute) is not None and not (one.get("optional") or one.get("required")):
            yield _problem(attribute, f"{name} decides {attribute} itself", "It is only computed.")
    for nested, one in block.get("block_types", {}).items():
        inner = config.get(nested)
        for part in inner if isinstance(inner, list) else [inner]:
            if isinstance(part, dict) and one["nesting_mode"] != "map":
                yield from _unsettable(f"{name}.{nested}", part, one["block"])


def _not_allowed(name: str, config: Json) -> Iterator[bytes]:
    for (resource, attribute), (service, shape) in ENUMS.items():
        value = config.get(attribute) if resource == name else None
        if isinstance(value, str) and value not in _allowed(service, shape):
            yield _problem(attribute, f"{attribute} cannot be {value!r}", f"It is no {shape} of {service}.")


@functools.cache
def _allowed(service: str, shape: str) -> frozenset[str]:
    model = botocore.session.Session().get_service_model(service)
    return frozenset(model.shape_for(shape).enum)
