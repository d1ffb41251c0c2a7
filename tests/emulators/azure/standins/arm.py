"""What every resource of Resource Manager is: a body under an id, in a region, changed at once or by an operation.

An id is the same in any case ("resourceGroups", "resourcegroups"). A long-running operation is told of in one of two
styles, by header: `Azure-AsyncOperation` (a status to ask for) or `Location` (202 until the end, then the answer, or
the error in which it failed).
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulators.azure.front import Ask, Front, Refused, Told

GROUP = "shop"


@dataclass
class Operation:
    due: float
    effect: Callable[[], None]
    answer: Callable[[], Any]
    below: str = ""
    status: str = "InProgress"
    code: str = ""


class Resources:
    """`seconds`: how long an operation takes. `below_resource`: whether it is asked for below
    its resource, and not in the subscription. `style`: "status" or "location". `obeying`: while it is not set, they
    succeed without an effect. `ending`: "" or the status in which they end instead ("Failed", "Canceled"), with
    `code`. `orders`: (operation, id) of each that was accepted."""

    service = ""
    below_resource = False
    front: Front

    def __init__(
        self, *, seconds: float = 0.2, style: str = "status", clock: Callable[[], float] = time.monotonic, **more: Any
    ) -> None:
        super().__init__(**more)
        self.clock = clock
        self.seconds = seconds
        self.style = style
        self.obeying = True
        self.ending, self.code = "", "InternalServerError"
        self.orders: list[tuple[str, str]] = []
        self._bodies: dict[str, dict[str, Any]] = {}
        self._regions: dict[str, str] = {}
        self._operations: dict[str, Operation] = {}
        self._numbers: Iterator[object] = itertools.count(1)

    def put(self, id_: str, body: Mapping[str, Any], region: str = "global") -> str:
        """A resource that is there from the beginning. Returns its id."""
        self._bodies[id_.lower()] = {"id": id_, "name": id_.rpartition("/")[2], **copy.deepcopy(dict(body))}
        self._regions[id_.lower()] = region
        self.touch(id_)
        return id_

    def at(self, id_: str) -> dict[str, Any]:
        """What stands there, to be read and written. Raises Refused as Azure does."""
        self.settle()
        found = self._bodies.get(id_.lower())
        if found is None:
            raise Refused(404, "ResourceNotFound", f"The Resource '{id_}' was not found.")
        return found

    def has(self, id_: str) -> bool:
        self.settle()
        return id_.lower() in self._bodies

    def below(self, prefix: str) -> list[dict[str, Any]]:
        """Every resource one level below: of a collection's path."""
        self.settle()
        start = prefix.lower().rstrip("/") + "/"
        return [
            body for id_, body in self._bodies.items() if id_.startswith(start) and "/" not in id_.removeprefix(start)
        ]

    def touch(self, id_: str) -> None:
        """It has another ETag from now on."""
        self._bodies[id_.lower()]["etag"] = f'W/"{next(self._numbers)}"'

    def region_of(self, path: str) -> str:
        """Of the resource that the path names, or of the one above it that has a region."""
        at = path.lower()
        while at:
            if at in self._regions:
                return self._regions[at]
            at = at.rpartition("/")[0]
        return ""

    def matched(self, ask: Ask, id_: str) -> None:
        """Raises Refused where the request asks for an ETag that is no longer so, or for a place that is taken."""
        wanted, none = ask.headers.get("if-match", ""), ask.headers.get("if-none-match", "")
        found = self._bodies.get(id_.lower())
        if none == "*" and found is not None:
            raise Refused(412, "PreconditionFailed", f"The resource {id_} is there already.")
        if wanted and (found is None or (wanted not in ("*", found.get("etag")))):
            raise Refused(412, "PreconditionFailed", f"The ETag of {id_} is another one.")

    def order(
        self,
        ask: Ask,
        kind: str,
        id_: str,
        effect: Callable[[], None],
        answer: Callable[[], Any] = lambda: None,
        *,
        status: int = 202,
        body: Any = None,
    ) -> Told:
        """A long-running operation on it, which is answered with that status and told of in `style`."""
        name = str(next(self._numbers))
        self.orders.append((kind, id_))
        below = id_ if self.below_resource else ""
        self._operations[name] = Operation(self.clock() + self.seconds, effect, answer, below)
        how = "status" if self.style == "status" else "answer"
        header = "Azure-AsyncOperation" if self.style == "status" else "Location"
        self.settle()
        where = self.front.operation_url(self.service, name, how, below)
        return Told(body, status, {header: where, "Retry-After": "1"})

    def settle(self) -> None:
        """What has run long enough has ended."""
        for one in list(self._operations.values()):
            if one.status != "InProgress" or self.clock() < one.due:
                continue
            one.status, one.code = self.ending or "Succeeded", self.code if self.ending else ""
            if not self.ending and self.obeying:
                one.effect()

    def end(self) -> None:
        """Wait until every operation has come to its end."""
        for _ in range(400):
            self.settle()
            if all(one.status != "InProgress" for one in self._operations.values()):
                return
            time.sleep(0.02)
        raise AssertionError("an operation never ended")

    def busy(self) -> bool:
        """Whether an operation runs."""
        self.settle()
        return any(one.status == "InProgress" for one in self._operations.values())

    def operation(self, name: str, how: str) -> Told:
        """What became of it (the front asks)."""
        self.settle()
        one = self._operations[name]
        failure = {"code": one.code, "message": f"It ended as {one.status}."}
        if how == "status":
            return Told({"name": name, "status": one.status, **({"error": failure} if one.code else {})})
        if one.status == "InProgress":
            return Told(None, 202, {"Location": self.front.operation_url(self.service, name, how, one.below)})
        if one.code:
            return Told({"error": failure}, 409 if one.status == "Canceled" else 400)
        return Told(one.answer(), 200)


def merged(whole: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396)."""
    result = dict(whole)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key) or {}, value)
        else:
            result[key] = copy.deepcopy(value)
    return result
