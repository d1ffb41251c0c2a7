"""Application Recovery Controller's cluster: five endpoints over one set of routing controls.

The wire is botocore's model (JSON 1.0): a request or a reply that does not fit it is a fault of the test, kept in
`faults`. What the states do is our reading of the developer guide: all states of a request are set or none; a safety
rule refuses with ConflictException unless the request names it; any endpoint does.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

SERVICE = "route53-recovery-cluster"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
PANEL = "arn:aws:route53-recovery-control::111111111111:controlpanel/0123456789abcdef0123456789abcdef"


def control_arn(name: str) -> str:
    return f"{PANEL}/routingcontrol/{name}"


class Refusal(Exception):
    """An error of the model, by its name, with the fields that it has beside its message."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.body = {"__type": code, "message": message, **fields}
        self.status = status


@dataclass
class Cluster:
    """states: by ARN. rule: what the states must fulfil, by the rule's ARN. how: by region of an endpoint, what it does
    instead of answering: "closed", "busy" (EndpointTemporarilyUnavailable), "lost" (applies, and closes)."""

    states: dict[str, str]
    rules: dict[str, Callable[[Mapping[str, str]], bool]] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def updates(self) -> int:
        return sum(operation == "UpdateRoutingControlStates" for _, operation in self.asked)

    def answer(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        with self.lock:
            if operation == "GetRoutingControlState":
                arn = self._known(given["RoutingControlArn"])
                return {"RoutingControlArn": arn, "RoutingControlState": self.states[arn]}
            if operation == "UpdateRoutingControlStates":
                entries = given["UpdateRoutingControlStateEntries"]
                after = dict(self.states)
                for entry in entries:
                    after[self._known(entry["RoutingControlArn"])] = entry["RoutingControlState"]
                for rule, holds in self.rules.items():
                    if rule not in given.get("SafetyRulesToOverride", ()) and not holds(after):
                        raise Refusal("ConflictException", f"safety rule {rule}", resourceId=rule, resourceType="rule")
                self.states = after
                return {}
        raise AssertionError(f"{operation} is not served")

    def _known(self, arn: str) -> str:
        if arn not in self.states:
            raise Refusal("ResourceNotFoundException", arn, resourceId=arn, resourceType="routingcontrol")
        return arn


@contextlib.contextmanager
def running(states: dict[str, str]) -> Iterator[Cluster]:
    cluster = Cluster(states)
    model = botocore.session.Session().get_service_model(SERVICE)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(cluster, model, region)) for region in REGIONS]
    for region, server in zip(REGIONS, servers, strict=True):
        server.daemon_threads = True
        cluster.urls[region] = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield cluster
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
    assert not cluster.faults, cluster.faults


def _handler(cluster: Cluster, model: Any, region: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None:
            """Nothing is printed."""

        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            cluster.asked.append((region, operation))
            how = cluster.how.get(region, "")
            if how == "closed":
                self.close_connection = True
                return
            shapes = model.operation_model(operation)
            self._hold(given, shapes.input_shape)
            try:
                if how == "busy":
                    raise Refusal("EndpointTemporarilyUnavailableException", "try another endpoint", 503)
                body, status = cluster.answer(operation, given), 200
                self._hold(body, shapes.output_shape)
            except Refusal as refusal:
                body, status = refusal.body, refusal.status
                shape = model.shape_for_error_code(refusal.body["__type"])
                self._hold({key: value for key, value in body.items() if key != "__type"}, shape)
            if how == "lost":
                self.close_connection = True
                return
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _hold(self, value: Any, shape: Any) -> None:
            report = ParamValidator().validate(value, shape)
            if report.has_errors():
                cluster.faults.append(f"{shape.name}: {report.generate_report()}")

    return Handler
