"""An error as a service of AWS would send it: in its own protocol, and for throttling by its own name."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

from tests.emulators.aws.asked import protocol
from tests.emulators.wire import Answer

# What each is known to say when it is asked too often; the rest say what their protocol's services mostly say.
# Sources: the services' pages of common errors, and botocore's own table of what it takes for throttling.
_THROTTLED = {
    "ec2": ("RequestLimitExceeded", 503),
    "s3": ("SlowDown", 503),
    "s3control": ("SlowDown", 503),
    "dynamodb": ("ThrottlingException", 400),
    "lambda": ("TooManyRequestsException", 429),
    "route53": ("Throttling", 400),
}
_BY_PROTOCOL = {
    "query": ("Throttling", 400),
    "rest-xml": ("Throttling", 400),
    "json": ("ThrottlingException", 400),
    "rest-json": ("ThrottlingException", 429),
}


def throttled(service: str) -> Answer:
    code, status = _THROTTLED.get(service) or _BY_PROTOCOL.get(protocol(service), ("ThrottlingException", 400))
    return refusal(service, code, status, "Rate exceeded")


def refusal(service: str, code: str, status: int, message: str, **more: str) -> Answer:
    """more: members of the error besides its message, in JSON."""
    spoken, request_id = protocol(service), str(uuid.uuid4())
    name, said = escape(code), escape(message)
    if spoken in ("json", "rest-json"):
        body = json.dumps({"__type": code, "message": message, **more}).encode()
        kind = "application/x-amz-json-1.1" if spoken == "json" else "application/json"
        headers = (("Content-Type", kind), ("x-amzn-ErrorType", code), ("x-amzn-RequestId", request_id))
        return Answer(status, headers, body)
    if spoken == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{name}</Code><Message>{said}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif service == "s3":
        text = f"<Error><Code>{name}</Code><Message>{said}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        blame = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{blame}</Type><Code>{name}</Code><Message>{said}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    headers = (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id))
    return Answer(status, headers, b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode())
