"""custom: lambda. A function that is asked to act, and one (the same, unless it is said) that is asked what is so.

Both are given JSON: `ask` ("act" or "observe"), `name`, `region`, `run`, `arguments`; one that acts also `step`,
`epoch` and `key`, which is the same for every attempt of one step: it must bear to be asked again with the same key.
One that observes answers `{"state": "done" | "moving" | "todo", "detail": "…", "epoch": N}`; `epoch`, which may be left
out, is the newest that it acted under, and an older one is then refused here. What acting answers completes nothing.

It is invoked synchronously. Lambda's queue for the other way keeps an event for up to six hours and tries it three
times (developer guide, "Configuring error handling settings for Lambda asynchronous invocations"): an order that lands
when the region is back and the run long over. What runs longer than our request waits, runs on, and is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.model.custom import DETAIL_MAX, SAYS
from cloudfail.model.states import CustomState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.retry import within
from cloudfail.secrecy import redacted
from cloudfail_aws.asking import Asking
from cloudfail_aws.attempts import REQUEST_SECONDS
from cloudfail_aws.custom.options import FunctionMember, FunctionName
from cloudfail_aws.custom.orders import Ordered
from cloudfail_aws.errors import RAISES, words

READ_SECONDS = 9.0
ANSWER_BYTES_MAX = 65536


class LambdaCustom(Ordered):
    """One function in each region."""

    def look(self, region: str, run: str) -> CustomState:
        member: FunctionMember = self.member(region)
        return self._observed(region, run, READ_SECONDS, member)

    def again(self, region: str, expect: CustomState, call: Call) -> CustomState:
        del expect
        return self._observed(region, call.run, min(READ_SECONDS, call.timeout_seconds / 2), self.member(region))

    def _observed(self, region: str, run: str, seconds: float, member: FunctionMember) -> CustomState:
        asked = self._asked(region, run, member, "observe")
        reply = self._asking.read(
            "lambda", region, "invoke", within=seconds, **_request(member.observe or member, asked)
        )
        body = _body(reply)
        if reply.get("FunctionError"):
            raise Transient(f"its observe failed ({reply['FunctionError']}): {_plain(body)}")
        try:
            told = json.loads(body)
            word = SAYS[str(told["state"]).lower()]
            epoch = None if told.get("epoch") is None else int(told["epoch"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Transient(f"its observe answered no such JSON: {_plain(body)}") from error
        return CustomState(word, str(told.get("detail", ""))[:DETAIL_MAX], version=f"{word} {epoch}", epoch=epoch)

    def order(self, region: str, call: Call) -> None:
        member: FunctionMember = self.member(region)
        asked = {
            **self._asked(region, call.run, member, "act"),
            "step": call.step,
            "epoch": call.epoch,
            "key": call.key,
        }
        reply = self._asking.change("lambda", region, "invoke", call=call, **_request(member, asked))
        said = _plain(_body(reply))
        if reply.get("FunctionError"):
            raise OutcomeUnknown(redacted(f"{member.function} failed on its way ({reply['FunctionError']}): {said}"))
        if said:
            call.log(redacted(f"{member.function} answered: {said}"))

    def _asked(self, region: str, run: str, member: FunctionMember, what: str) -> dict[str, Any]:
        name = self._asking.resource.name
        return {"ask": what, "name": name, "region": region, "run": run, "arguments": dict(member.arguments)}


def _request(of: FunctionName, asked: Mapping[str, Any]) -> dict[str, Any]:
    payload = json.dumps(asked, sort_keys=True).encode()
    return {
        "FunctionName": of.function,
        "InvocationType": "RequestResponse",
        "Payload": payload,
        **({"Qualifier": of.qualifier} if of.qualifier else {}),
    }


def _body(reply: Mapping[str, Any]) -> bytes:
    """What it answered, up to a bound. It comes as a stream, after the headers. Raises OutcomeUnknown where it breaks
    off: the function had begun."""
    stream = reply.get("Payload")
    if stream is None:
        return b""

    def whole() -> bytes:
        body: bytes = stream.read(ANSWER_BYTES_MAX)
        if len(body) < ANSWER_BYTES_MAX:
            stream.read(1)  # has botocore compare what came with Content-Length
        return body

    try:
        return within(REQUEST_SECONDS, whole)
    except RAISES as error:
        raise OutcomeUnknown(f"The function's answer broke off: {words(error)}") from error
    finally:
        stream.close()


def _plain(body: bytes) -> str:
    return " ".join(body[: DETAIL_MAX * 4].decode("utf-8", "replace").split())[:DETAIL_MAX]


def build(resource: Resource, topology: Topology) -> LambdaCustom:
    """Kind.build."""
    members = {region: FunctionMember.model_validate(member) for region, member in resource.members.items()}
    return LambdaCustom(Asking.of(resource, topology), members)
