"""What Microsoft.Network replaces as a whole: a PUT is a long-running operation. What is told is the new body at once,
`Updating`, and packets follow at its end. One that fails leaves the new one told, as `Failed`, and packets as they
were. One operation at a time is taken, and the next refused as 429 RetryableError (kubernetes/kubernetes issue 88151).
An If-Match that is no longer so is 412 (kubernetes-sigs/cluster-api-provider-azure issue 682); a resource's parts have
its ETag.

By inheritance with others of the same package: `class Both(Replaced, RouteTables)`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulators.azure.front import Ask, Refused, Told
from tests.emulators.azure.standins.arm import Operation, Resources

Body = dict[str, Any]


@dataclass
class _Change:
    operation: Operation
    ids: tuple[str, ...]
    before: dict[str, Body]
    done: list[bool]


class Replaced(Resources):
    """`meanwhile`: what happens in the instant before the next change, once."""

    service = "network"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.meanwhile: Callable[[], object] | None = None
        self._replacing: list[_Change] = []

    def told(self, id_: str) -> Body:
        """As it is answered: its parts have its ETag."""
        body = copy.deepcopy(self.at(id_))
        for listed in body["properties"].values():
            if isinstance(listed, list):
                for part in listed:
                    if isinstance(part, dict) and "properties" in part:
                        part["etag"] = body["etag"]
        return body

    def set(self, id_: str, **properties: Any) -> None:
        """By hand, at once."""
        self.at(id_)["properties"].update(properties)
        self.touch(id_)

    def settle(self) -> None:
        super().settle()
        for one in list(self._replacing):
            if one.operation.status == "InProgress":
                continue
            self._replacing.remove(one)
            for id_ in one.ids:
                well = one.operation.status == "Succeeded"
                if well and not one.done:
                    self._bodies[id_] = one.before[id_]
                self._end(self._bodies[id_]["properties"], "Succeeded" if well else "Failed")
                self.touch(id_)

    def _end(self, properties: Body, state: str) -> None:
        """Of the resource, and of its parts that were under way."""
        properties["provisioningState"] = state
        for listed in properties.values():
            for part in listed if isinstance(listed, list) else ():
                told = part.get("properties") if isinstance(part, dict) else None
                if told and told.get("provisioningState") == "Updating":
                    told["provisioningState"] = state

    def asked(self, ask: Ask, *ids: str) -> None:
        """What is said before a change is taken. Raises Refused."""
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        self.settle()
        for id_ in ids:
            self.at(id_)
            if any(id_.lower() in one.ids for one in self._replacing):
                raise Refused(429, "RetryableError", f"Another operation is updating resource {id_}.")
        wanted = ask.headers.get("if-match", "")
        if wanted and wanted not in ("*", self.at(ids[0])["etag"]):
            raise Refused(412, "PreconditionFailed", f"Etag provided in if-match header {wanted} does not match.")

    def replace(
        self,
        ask: Ask,
        kind: str,
        ids: tuple[str, ...],
        change: Callable[[], None],
        follow: Callable[[], None],
        answer: Callable[[], Any],
        *,
        status: int = 200,
    ) -> Told:
        """change: what is told at once; follow: what packets do at the end."""
        before = {id_.lower(): copy.deepcopy(self.at(id_)) for id_ in ids}
        change()
        done: list[bool] = []

        def happens() -> None:
            follow()
            done.append(True)

        for id_ in ids:
            self.at(id_)["properties"]["provisioningState"] = "Updating"
            self.touch(id_)
        body = answer()
        told = self.order(ask, kind, ids[0], happens, answer, status=status, body=body)
        operation = next(reversed(self._operations.values()))
        self._replacing.append(_Change(operation, tuple(id_.lower() for id_ in ids), before, done))
        return told
