"""The log in a DynamoDB table: an item per entry, `log` and `seq` its key.

Why no entry is written twice: the put carries the condition that no item of that key is there, and DynamoDB evaluates
it against the latest version: in a table of one region always, in a global table only if that is strongly consistent
across regions (MRSC). In one that is eventually consistent, each region evaluates it against its own copy, both puts
succeed, and the later one silently replaces the other. So such a table is refused, whatever the URL says.

Why there is never a gap: entry n is put only after a strongly consistent read has seen n - 1. Entries are never deleted
and never replaced, so what was seen still stands when the put arrives, however late that is. (By induction all of 1 to
n - 1 stand.) A transaction over both would say no more, and MRSC tables have none. This holds in any region of an MRSC
table: a strongly consistent read there returns what any other region acknowledged.

Why another region may be asked after one that did not answer: as `attempts` says, the same put again is harmless; and a
read, being strongly consistent in all of them, is not older in the second.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from cloudfail.errors import Conflict, Refused, StoreUnavailable
from cloudfail.ports import StoredEntry
from cloudfail_aws.attempts import CALL_SECONDS, Unanswered, ask, deadline
from cloudfail_aws.clients import Clients
from cloudfail_aws.errors import code_of
from cloudfail_aws.gaps import without_gap
from cloudfail_aws.store import DynamoDBPlace

ITEM_BYTES_MAX = 400 * 1024
"""DynamoDB's own limit: names and values together."""
BODY_BYTES_MAX = 16 * 1024 * 1024
_SEQ_BYTES_MAX = 21
_PAGE_ITEMS_MAX = 1000

# `log` may be a word of DynamoDB's own.
_NAMES = {"#log": "log", "#seq": "seq"}
_NAMES_READ = {**_NAMES, "#body": "body", "#deflated": "deflated"}
_KEY = {("log", "HASH", "S"), ("seq", "RANGE", "N")}
_ANSWERS = {"ACTIVE", "UPDATING"}
_GONE = {"CREATION_FAILED", "DELETING"}

T = TypeVar("T")


class DynamoDBStore:
    """Fulfils `ports.Store`; safe to share between threads. page_items: how many at most one page of a read holds; the
    service ends a page at 1 MB anyway."""

    def __init__(
        self,
        place: DynamoDBPlace,
        clients: Clients,
        *,
        page_items: int = _PAGE_ITEMS_MAX,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self.name = f"dynamodb://{place.table}"
        self._place = place
        self._clients = clients
        self._page_items = page_items
        self._call_seconds = call_seconds
        self._regions = place.regions
        self._first = 0
        answered, self._regions = self._checked()
        self._first = self._regions.index(answered)

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return without_gap(lambda last: self._look(log, last), max(0, after))

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1:
            return False
        item = self._item(log, seq, body)
        until = deadline(self._call_seconds)
        if seq > 1 and not self._stands(log, seq - 1, until):
            return False
        try:
            self._ask(
                lambda client: client.put_item(
                    TableName=self._place.table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#log)",
                    ExpressionAttributeNames={"#log": "log"},
                ),
                until,
            )
        except Conflict:
            return False
        return True

    # ---- items

    def _item(self, log: str, seq: int, body: bytes) -> dict[str, Any]:
        """An entry that fits is written as it is, to be read by eye in the console. One that does not is deflated,
        which makes a fifth of a plan with all its topology: at night a big plan must be written, not refused."""
        room = ITEM_BYTES_MAX - len("log") - len(log.encode()) - len("seq") - _SEQ_BYTES_MAX - len("deflated")
        key = {"log": {"S": log}, "seq": {"N": str(seq)}}
        if len(body) <= room:
            return {**key, "body": {"B": body}}
        if len(body) <= BODY_BYTES_MAX and len(packed := zlib.compress(body)) <= room:
            return {**key, "deflated": {"B": packed}}
        raise Refused(
            f"Entry {seq} of {len(body)} bytes is too large for {self.name}: an item holds {ITEM_BYTES_MAX}, deflated.",
            "It was not written, and nothing was changed.",
            "Keep the state in a store without that limit, such as postgresql: or s3: (docs/state.md).",
        )

    def _stands(self, log: str, seq: int, until: float) -> bool:
        answer = self._ask(
            lambda client: client.get_item(
                TableName=self._place.table,
                Key={"log": {"S": log}, "seq": {"N": str(seq)}},
                ConsistentRead=True,
                ProjectionExpression="#seq",
                ExpressionAttributeNames={"#seq": "seq"},
            ),
            until,
        )
        return "Item" in answer

    def _look(self, log: str, after: int) -> list[StoredEntry]:
        entries: list[StoredEntry] = []
        page: dict[str, Any] = {}
        while True:
            page = self._page(log, after, page.get("LastEvaluatedKey"))
            entries += [StoredEntry(int(item["seq"]["N"]), _body(item)) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return entries

    def _page(self, log: str, after: int, last: dict[str, Any] | None) -> dict[str, Any]:
        begin = {} if last is None else {"ExclusiveStartKey": last}
        answer: dict[str, Any] = self._ask(
            lambda client: client.query(
                TableName=self._place.table,
                ConsistentRead=True,
                KeyConditionExpression="#log = :log AND #seq > :after",
                ProjectionExpression="#seq, #body, #deflated",
                ExpressionAttributeNames=_NAMES_READ,
                ExpressionAttributeValues={":log": {"S": log}, ":after": {"N": str(after)}},
                Limit=self._page_items,
                **begin,
            ),
            deadline(self._call_seconds),
        )
        return answer

    # ---- asking

    def _ask(self, request: Callable[[Any], T], until: float) -> T:
        try:
            return self._answer(request, until)[1]
        except Unanswered as error:
            raise self._unavailable(error) from error

    def _answer(self, request: Callable[[Any], T], until: float) -> tuple[str, T]:
        # Begin with the region that answered last: one that is gone costs its timeout once, not with every call.
        order = self._regions[self._first :] + self._regions[: self._first]
        region, answer = ask(lambda name: request(self._client(name)), order, until=until)
        self._first = self._regions.index(region)
        return region, answer

    def _client(self, region: str) -> Any:
        return self._clients.get("dynamodb", region, self._place.role)

    def _unavailable(self, error: Unanswered) -> StoreUnavailable:
        see = f"aws dynamodb describe-table --table-name {self._place.table} --region {self._regions[0]}"
        return error.unavailable(self.name, "dynamodb", see)

    # ---- opening

    def _checked(self) -> tuple[str, tuple[str, ...]]:
        """The region that answered, and all that can be read and written, of a table that keeps the promises of
        `Store`. Raises Refused."""
        table = self._place.table
        try:
            answered, answer = self._answer(
                lambda client: client.describe_table(TableName=table), deadline(self._call_seconds)
            )
        except Unanswered as error:
            if error.all_say(lambda failure: code_of(failure) == "ResourceNotFoundException"):
                raise self._refused(
                    f"There is no table {table} in {' or '.join(self._regions)}.", f"Create it: {self._how_to_create()}"
                ) from error
            raise self._unavailable(error) from error
        described = answer["Table"]
        self._check_key(described)
        replicas = {
            replica["RegionName"]
            for replica in described.get("Replicas", [])
            if replica.get("ReplicaStatus") not in _GONE
        } | {answered}  # the service names the region that was asked, emulators do not
        witnesses = {witness["RegionName"] for witness in described.get("GlobalTableWitnesses", [])}
        self._check_consistency(described, answered, replicas | witnesses)
        if described["TableStatus"] not in _ANSWERS:
            raise StoreUnavailable(
                f"The table {table} in {answered} is {described['TableStatus']}.",
                "Nothing is changed while the journal cannot be written.",
                f"Wait for it: aws dynamodb wait table-exists --table-name {table} --region {answered}",
            )
        missing = [region for region in self._place.regions if region not in replicas | witnesses]
        if missing:
            raise self._refused(
                f"The table {table} has no replica in {' and '.join(missing)}; "
                f"it has one in {', '.join(sorted(replicas))}.",
                "Name only these in regions= .",
            )
        # A witness holds the table's log and answers nobody.
        return answered, tuple(region for region in self._place.regions if region in replicas)

    def _check_key(self, described: dict[str, Any]) -> None:
        types = {
            attribute["AttributeName"]: attribute["AttributeType"] for attribute in described["AttributeDefinitions"]
        }
        key = {
            (part["AttributeName"], part["KeyType"], types[part["AttributeName"]]) for part in described["KeySchema"]
        }
        if key != _KEY:
            shown = ", ".join(f"{name} {kind} {typed}" for name, kind, typed in sorted(key))
            raise self._refused(
                f"The table {self._place.table} is not cloudfail's: its key is {shown}, not log HASH S, seq RANGE N.",
                f"Name another table, or create one: {self._how_to_create()}",
            )

    def _check_consistency(self, described: dict[str, Any], answered: str, regions: set[str]) -> None:
        table = self._place.table
        strong = described.get("MultiRegionConsistency") == "STRONG"
        replicated = len(regions) > 1 or self._is_legacy_global_table(described)
        if replicated and not strong:
            raise self._refused(
                f"The table {table} is a global table that is eventually consistent across "
                f"{', '.join(sorted(regions))}: of two workers that claim the lease, both would win.",
                "Name a table in one region, or one with --multi-region-consistency STRONG (it is chosen when the "
                f"first replica is added to an empty table): {self._how_to_create()}",
            )
        if self._place.spans and not strong:
            raise self._refused(
                f"The table {table} lives in {answered} alone.",
                f"Write `state: dynamodb://{table}?region={answered}`, or add replicas while it is empty: "
                f"{self._how_to_replicate(answered)}",
            )

    def _is_legacy_global_table(self, described: dict[str, Any]) -> bool:
        """Whether it is one of version 2017.11.29, which DescribeTable need not say. Those have a stream; only a table
        with a stream and no version is asked about."""
        version = described.get("GlobalTableVersion")
        if version is not None or not described.get("StreamSpecification", {}).get("StreamEnabled"):
            return bool(version == "2017.11.29")
        try:
            self._answer(
                lambda client: client.describe_global_table(GlobalTableName=self._place.table),
                deadline(self._call_seconds),
            )
        except Unanswered as error:
            if error.all_say(lambda failure: code_of(failure) == "GlobalTableNotFoundException"):
                return False
            raise self._unavailable(error) from error
        return True

    def _refused(self, happened: str, to_do: str) -> Refused:
        return Refused(happened, "Nothing was read or changed.", to_do)

    def _how_to_create(self) -> str:
        first = self._place.regions[0]
        table = f"--table-name {self._place.table} --region {first}"
        create = (
            f"aws dynamodb create-table {table} --billing-mode PAY_PER_REQUEST"
            " --attribute-definitions AttributeName=log,AttributeType=S AttributeName=seq,AttributeType=N"
            " --key-schema AttributeName=log,KeyType=HASH AttributeName=seq,KeyType=RANGE"
        )
        if not self._place.spans:
            return create
        return f"{create} && aws dynamodb wait table-exists {table} && {self._how_to_replicate(first)}"

    def _how_to_replicate(self, first: str) -> str:
        others = [region for region in self._place.regions if region != first]
        replicas = json.dumps([{"Create": {"RegionName": region}} for region in others])
        witness = (
            ""
            if len(others) > 1
            else """ --global-table-witness-updates '[{"Create": {"RegionName": "A-THIRD-REGION-NEAR-THESE"}}]'"""
        )
        return (
            f"aws dynamodb update-table --table-name {self._place.table} --region {first}"
            f" --multi-region-consistency STRONG --replica-updates '{replicas}'{witness}"
        )


def _body(item: dict[str, Any]) -> bytes:
    """What cannot be read was not written by us; the chain will say so."""
    if "deflated" not in item:
        return bytes(item.get("body", {}).get("B", b""))
    try:
        return zlib.decompressobj().decompress(item["deflated"]["B"], BODY_BYTES_MAX)
    except (KeyError, TypeError, zlib.error):
        return b""
