"""Plays the host's part for Microsoft's own library for Python functions (azure-functions-runtime): it starts the
worker's side, has it index an application, and invokes what was indexed. Run by an interpreter of 3.13 or later.

`azure_host.py DIRECTORY`: one JSON request on each line of stdin ({"function": NAME, "method": M, "body": TEXT};
without `method`, by the timer), one JSON answer on each line of stdout that begins with "answer ". First, the functions
that it found.

The host and the worker exchange protocol buffers over gRPC; the library is handed the message types, and uses few of
their features. So the messages here are plain objects with the fields that the library reads.
"""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

PREFIX = "answer "


class Message(SimpleNamespace):
    """A message whose fields are absent (None) until they are set. Fields begin with a small letter; types do not, and
    a message has none."""

    def __getattr__(self, name: str) -> Any:
        if not name[0].islower():
            raise AttributeError(name)
        return None

    def HasField(self, name: str) -> bool:
        return getattr(self, name) is not None

    def WhichOneof(self, group: str) -> str | None:
        """Which of a group's fields is set: a parameter's data come by value, and data have one field."""
        return "data" if group == "rpc_data" else next(iter(vars(self)), None)


class Kind:
    """A message type, an enumeration, or one of its values: what is asked of it tells which."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, **fields: Any) -> Message:
        return Message(**fields)

    def __getattr__(self, name: str) -> Kind:
        if name.startswith("__"):
            raise AttributeError(name)
        return Kind(f"{self.name}.{name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kind) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class BindingInfo(Message):
    """Of a binding: its direction and its type of data are numbers."""

    undefined, out, inout = 0, 1, 2
    DataType = SimpleNamespace(undefined=0, string=1, binary=2, stream=3)


class Protocol:
    BindingInfo = BindingInfo

    def __getattr__(self, name: str) -> Kind:
        if name.startswith("__"):
            raise AttributeError(name)
        return Kind(name)


class Host:
    def __init__(self, directory: str) -> None:
        from azure_functions_runtime import handle_event

        self._worker = handle_event
        self._directory = directory
        sys.path.append(directory)  # as the platform's worker does
        self._ids: dict[str, str] = {}
        self._count = 0

    def _request(self, **what: Message) -> Message:
        return Message(request=Message(**what), properties={"protos": Protocol(), "host": "127.0.0.1"})

    async def start(self) -> list[dict[str, Any]]:
        init = Message(capabilities={}, function_app_directory=self._directory)
        begun = await self._worker.worker_init_request(self._request(worker_init_request=init))
        if begun.result.status != Kind("StatusResult.Success"):
            raise RuntimeError(begun.result.exception.message)
        found = await self._worker.functions_metadata_request(self._request())
        functions = found.function_metadata_results
        self._ids = {one.name: one.function_id for one in functions}
        return [{"name": one.name, "bindings": [json.loads(raw) for raw in one.raw_bindings]} for one in functions]

    async def invoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        invocation = Message(
            invocation_id=f"invocation-{self._count}",
            function_id=self._ids[asked["function"]],
            input_data=[_http(asked) if "method" in asked else _timer()],
            trigger_metadata={},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await self._worker.invocation_request(self._request(invocation_request=invocation))
        said: dict[str, Any] = {"status": answer.result.status.name.rpartition(".")[2]}
        if answer.result.exception is not None:
            said["exception"] = answer.result.exception.message
        if answer.return_value is not None:
            said["code"] = answer.return_value.http.status_code
            body = answer.return_value.http.body
            said["body"] = (body.bytes or b"").decode() or body.string
        return said


def _timer() -> Message:
    document = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
    return Message(name="timer", data=Message(json=json.dumps(document)))


def _http(asked: dict[str, Any]) -> Message:
    empty: dict[str, Any] = {
        name: {} for name in ("headers", "params", "query", "nullable_headers", "nullable_params", "nullable_query")
    }
    body = Message(string=asked.get("body", ""))
    request = Message(method=asked["method"], url="http://127.0.0.1/api/tick", body=body, identities=[], **empty)
    return Message(name="request", data=Message(http=request))


async def main() -> None:
    host = Host(sys.argv[1])
    _say({"functions": await host.start()})
    for line in sys.stdin:
        _say(await host.invoke(json.loads(line)))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"{PREFIX}{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
