"""The items that cloudfail writes into an application's global table, and what says of that table whether it can.

A write into another table would prove nothing of this one. So the items stand among the application's own, under keys
that it does not use: texts that begin with `cloudfail#` (bytes for a binary key), for a number one of 36 digits below
zero that is made from such a text. Each belongs to one region: an item that arrived by replication is never taken for a
write that was made here. Every get is strongly consistent within its region.

Sources: DynamoDB developer guide, "Global tables: multi-Region replication", "Core components"; API reference.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking

SERVES = ("ACTIVE", "UPDATING")
_DIGITS_BYTES = 15
"""Of a digest, as a number: 36 digits, where DynamoDB keeps 38 exactly."""


@dataclass(frozen=True)
class Table:
    """One DescribeTable. regions: those of its replicas, whatever their state, with the one that was asked. status: of
    the replica that was asked, as far as said. key: (attribute, type) of the partition key and of the sort key."""

    status: str
    regions: frozenset[str]
    strong: bool
    key: tuple[tuple[str, str], ...]


class Items:
    """Of one global table. Raises Transient, Permanent, OutcomeUnknown, each of which says nothing of the world."""

    def __init__(self, asking: Asking, tables: Mapping[str, str], *, seconds: float, api_seconds: float) -> None:
        self._asking = asking
        self._tables = tables
        self._seconds = seconds
        self._api_seconds = api_seconds
        self._keys: dict[str, tuple[tuple[str, str], ...]] = {}
        self._lock = threading.Lock()

    def describe(self, region: str) -> Table:
        reply = self._asking.read(
            "dynamodb", region, "describe_table", within=self._api_seconds, TableName=self._tables[region]
        )
        said = reply["Table"]
        types = {str(one["AttributeName"]): str(one["AttributeType"]) for one in said["AttributeDefinitions"]}
        parts = sorted(said["KeySchema"], key=lambda part: bool(part["KeyType"] != "HASH"))
        key = tuple((str(part["AttributeName"]), types[str(part["AttributeName"])]) for part in parts)
        replicas = {str(one["RegionName"]): str(one.get("ReplicaStatus", "")) for one in said.get("Replicas") or ()}
        with self._lock:
            self._keys[region] = key
        own = replicas.get(region) or str(said.get("TableStatus", ""))
        status = next((one for one in (own, str(said.get("TableStatus", ""))) if one not in SERVES), own)
        # The service names the region that was asked among the replicas; emulators do not.
        return Table(status, frozenset({*replicas, region}), said.get("MultiRegionConsistency") == "STRONG", key)

    def get(self, region: str, word: str) -> dict[str, str] | None:
        """The values of that item in that region, by name; None where it is not there."""
        reply = self._asking.read(
            "dynamodb", region, "get_item", within=self._seconds,
            TableName=self._tables[region], Key=self._key(region, word), ConsistentRead=True,
        )  # fmt: skip
        item = reply.get("Item")
        if item is None:
            return None
        return {name: str(next(iter(value.values()))) for name, value in item.items()}

    def put_again(self, region: str, word: str, **values: str) -> None:
        """Write an item that may be written any number of times: a heartbeat. It is a probe's write, without a call of
        a run, and so made by the role that watches."""
        self._asking.read("dynamodb", region, "put_item", within=self._seconds, **self._put(region, word, values))

    def put(self, region: str, word: str, call: Call, **values: str) -> None:
        """Write an item for a run."""
        item = self._put(region, word, values)
        self._asking.change("dynamodb", region, "put_item", call=call, **item)

    def _put(self, region: str, word: str, values: Mapping[str, str]) -> dict[str, Any]:
        said = {f"cloudfail_{name}": {"S": value} for name, value in values.items()}
        return {"TableName": self._tables[region], "Item": {**said, **self._key(region, word)}}

    def _key(self, region: str, word: str) -> dict[str, Any]:
        with self._lock:
            known = self._keys.get(region)
        key = known or self.describe(region).key
        return {name: _valued(kind, word) for name, kind in key}


def _valued(kind: str, word: str) -> dict[str, Any]:
    text = f"cloudfail#{word}"
    match kind:
        case "S":
            return {"S": text}
        case "B":
            return {"B": text.encode()}
        case "N":
            digest = hashlib.sha256(text.encode()).digest()[:_DIGITS_BYTES]
            return {"N": str(-int.from_bytes(digest))}
    raise Permanent(f"A key of type {kind} is none that DynamoDB has.")
