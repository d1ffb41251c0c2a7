"""AWS's protocols seen from the server: a request to parameters, and a result to an answer, by botocore's shapes.

query, json and rest-json: what the stand-ins' services speak. ec2 and rest-xml are served by emulators alone.
"""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.emulators.aws import asked
from tests.emulators.wire import Answer, Request


class Unreadable(Exception):
    """A request that is not what the service's protocol says."""


def parameters(service: str, operation: Any, request: Request) -> dict[str, Any]:
    """What was asked, as boto3's caller gave it. What the shape does not know stays, for the validator to find."""
    shape, spoken = operation.input_shape, asked.protocol(service)
    if spoken == "query":
        form = {name: value for name, value in request.form.items() if name not in ("Action", "Version")}
        found = _from_form(shape, "", form) if shape else {}
        return {**(found or {}), **form}
    if spoken == "ec2":
        form = {name: value for name, value in request.form.items() if name not in ("Action", "Version")}
        found = _from_ec2(shape, "", form) if shape else {}
        return {**(found or {}), **form}
    if spoken == "json":
        return dict(_from_json(shape, _json(request.body)))
    if spoken == "rest-json":
        return _from_rest(service, operation, request)
    raise Unreadable(f"no stand-in speaks {spoken}")


def result(service: str, operation: Any, given: dict[str, Any]) -> Answer:
    """The answer to a call that succeeded."""
    shape, spoken, request_id = operation.output_shape, asked.protocol(service), str(uuid.uuid4())
    if spoken == "query":
        inner = _xml(shape, given) if shape else ""
        wrapper = (shape.serialization.get("resultWrapper") if shape else None) or f"{operation.name}Result"
        text = (
            f"<{operation.name}Response><{wrapper}>{inner}</{wrapper}>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation.name}Response>"
        )
        return Answer(200, (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)), text.encode())
    if spoken == "ec2":
        inner = _xml(shape, given) if shape else ""
        text = f"<{operation.name}Response><requestId>{request_id}</requestId>{inner}</{operation.name}Response>"
        return Answer(200, (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)), text.encode())
    status = int(operation.http.get("responseCode", 200))
    kind = "application/x-amz-json-1.1" if spoken == "json" else "application/json"
    headers = (("Content-Type", kind), ("x-amzn-RequestId", request_id))
    return Answer(status, headers, json.dumps(_to_json(shape, given) if shape else {}).encode())


def _json(body: bytes) -> Any:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable("no JSON object")
    return found


def _wire_name(shape: Any, member: str) -> str:
    return str(shape.members[member].serialization.get("name", member))


def _from_json(shape: Any, value: Any) -> Any:
    if shape is None or value is None or _is_document(shape):
        return value
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            names = {_wire_name(shape, member): member for member in shape.members}
            return {
                names.get(name, name): _from_json(shape.members[names[name]], one) if name in names else one
                for name, one in value.items()
                if one is not None
            }
        case "list" if isinstance(value, list):
            return [_from_json(shape.member, one) for one in value]
        case "map" if isinstance(value, dict):
            return {name: _from_json(shape.value, one) for name, one in value.items()}
        case "timestamp":
            return _moment(value)
        case "blob" if isinstance(value, str):
            return base64.b64decode(value)
    return value


def _from_rest(service: str, operation: Any, request: Request) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    in_path = asked.labels(service, operation.name, request)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(request.target).query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    found: dict[str, Any] = {}
    elsewhere = set()
    for member, inner in shape.members.items():
        where, name = inner.serialization.get("location"), _wire_name(shape, member)
        if where == "uri" and name in in_path:
            found[member] = _scalar(inner, unquote(in_path[name]))
        elif where == "querystring" and name in query:
            values = query[name]
            found[member] = (
                [_scalar(inner.member, one) for one in values]
                if inner.type_name == "list"
                else _scalar(inner, values[0])
            )
        elif where == "header" and name.lower() in request.headers:
            found[member] = _scalar(inner, request.headers[name.lower()])
        if where:
            elsewhere.add(name)
    if request.body:
        body = _json(request.body)
        found |= _from_json(shape, {name: value for name, value in body.items() if name not in elsewhere})
    return found


def _from_form(shape: Any, prefix: str, form: dict[str, str]) -> Any:
    """The value at `prefix`, None where there is none. What was used is taken out of `form`."""
    match shape.type_name:
        case "structure":
            found = {}
            for member, inner in shape.members.items():
                value = _from_form(inner, _within(prefix, _wire_name(shape, member)), form)
                if value is not None:
                    found[member] = value
            return found or None
        case "list":
            name = shape.member.serialization.get("name", "member")
            if shape.serialization.get("flattened"):
                prefix = _within(prefix.rpartition(".")[0], name) if "name" in shape.member.serialization else prefix
            else:
                prefix = f"{prefix}.{name}"
            # botocore sends an empty list as its bare name.
            if form.pop(prefix.rpartition(".")[0], None) == "":
                return []
            values: list[Any] = []
            while (value := _from_form(shape.member, f"{prefix}.{len(values) + 1}", form)) is not None:
                values.append(value)
            return values or None
        case "map":
            pairs: dict[str, Any] = {}
            key, value_name = (
                shape.key.serialization.get("name", "key"),
                shape.value.serialization.get("name", "value"),
            )
            middle = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
            while (name := form.pop(f"{middle}.{len(pairs) + 1}.{key}", None)) is not None:
                pairs[name] = _from_form(shape.value, f"{middle}.{len(pairs) + 1}.{value_name}", form)
            return pairs or None
    text = form.pop(prefix, None)
    return None if text is None else _scalar(shape, text)


def _from_ec2(shape: Any, prefix: str, form: dict[str, str]) -> Any:
    """The same in EC2's own way: names begin with a capital, and lists are numbered without a word between."""
    match shape.type_name:
        case "structure":
            found = {}
            for member, inner in shape.members.items():
                named = inner.serialization.get("name", member)
                name = inner.serialization.get("queryName") or named[:1].upper() + named[1:]
                value = _from_ec2(inner, _within(prefix, name), form)
                if value is not None:
                    found[member] = value
            return found or None
        case "list":
            values: list[Any] = []
            while (value := _from_ec2(shape.member, f"{prefix}.{len(values) + 1}", form)) is not None:
                values.append(value)
            return values or None
    text = form.pop(prefix, None)
    return None if text is None else _scalar(shape, text)


def _within(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _scalar(shape: Any, text: str) -> Any:
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "timestamp":
                return _moment(text)
            case "blob":
                return base64.b64decode(text)
    except (ValueError, KeyError):
        # Left as it came: the validator says what it should be.
        return text
    return text


def _moment(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    try:
        return datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return value


def _is_document(shape: Any) -> bool:
    """Whether any JSON may stand there."""
    return bool(getattr(shape, "is_document_type", False))


def _to_json(shape: Any, value: Any) -> Any:
    if _is_document(shape):
        return value
    match shape.type_name:
        case "structure":
            return {_wire_name(shape, name): _to_json(shape.members[name], one) for name, one in value.items()}
        case "list":
            return [_to_json(shape.member, one) for one in value]
        case "map":
            return {name: _to_json(shape.value, one) for name, one in value.items()}
        case "timestamp":
            moment = _moment(value)
            return _iso(moment) if shape.serialization.get("timestampFormat") == "iso8601" else moment.timestamp()
        case "blob":
            return base64.b64encode(value).decode()
    return value


def _xml(shape: Any, value: Any) -> str:
    """What stands between the tags of `value`."""
    match shape.type_name:
        case "structure":
            return "".join(_element(_wire_name(shape, name), shape.members[name], one) for name, one in value.items())
        case "list":
            name = shape.member.serialization.get("name", "member")
            return "".join(_element(name, shape.member, one) for one in value)
        case "map":
            key, inner = (
                shape.key.serialization.get("name", "key"),
                shape.value.serialization.get("name", "value"),
            )
            return "".join(
                f"<entry><{key}>{escape(name)}</{key}>{_element(inner, shape.value, one)}</entry>"
                for name, one in value.items()
            )
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return _iso(_moment(value))
        case "blob":
            return base64.b64encode(value).decode()
    return escape(str(value))


def _element(name: str, shape: Any, value: Any) -> str:
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        inner = shape.member.serialization.get("name", name)
        return "".join(f"<{inner}>{_xml(shape.member, one)}</{inner}>" for one in value)
    return f"<{name}>{_xml(shape, value)}</{name}>"


def _iso(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
