"""database: dynamodb-global. A DynamoDB global table: every replica takes writes, by design.

So there is nothing to promote, and nothing to fence: "failover" is the application's choice of a region, and a write
that is acknowledged there and read back is all the proof that there is. DescribeTable is a word, and completes nothing.

What a region lacks of another's writes depends on the table's mode. With strong consistency across regions (MRSC) a
write is acknowledged once another region holds it: nothing. With eventual consistency (MREC, the default) it is usually
about a second. Items are replicated each by itself, so a heartbeat that arrived is a sample and no bound for others;
what had not arrived is not gone, but comes when the region is back, and of two writes of one item the later one stays.

Sources: DynamoDB developer guide, "How DynamoDB global tables work", "Consistency modes".
"""

from __future__ import annotations

import time
import uuid

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, LossBound, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.dynamodb_items import SERVES, Items, Table
from cloudfail_aws.database.dynamodb_options import DynamoDBGlobalOptions, TableMember
from cloudfail_databases.many_writers import ManyWriters

AT_ONCE = "it is strongly consistent across regions: a write is acknowledged once another region holds it"


class DynamoDBGlobal(ManyWriters):
    """ports.Database, of many writers (`Kind.many_writers`)."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        super().__init__(resource.name, "a global table")
        self.options = DynamoDBGlobalOptions.model_validate(dict(resource.options))
        members = {region: TableMember.model_validate(member) for region, member in resource.members.items()}
        self._tables = {region: member.table for region, member in members.items()}
        if len(set(self._tables.values())) > 1:
            raise Permanent(
                f"{resource.name} names the tables {', '.join(sorted(set(self._tables.values())))}.",
                "Nothing was asked of them: a global table has one name in all regions.",
                "Write the same table for each member in cloudfail.yaml.",
            )
        self.items = Items(
            Asking.of(resource, topology, clients),
            self._tables,
            seconds=float(self.options.answer_within),
            api_seconds=float(self.options.api_within),
        )

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        """Whether a write is let in there now, and is there when it is read: not what the table's description says."""
        at = time.time()
        if region not in self._tables:
            return Unknown(f"this database has no member in {region}", at)
        try:
            table = self.items.describe(region)
            apart = sorted(set(self._tables) - table.regions)
            if apart:
                # A write there would reach none of these, whatever it proves of the table itself.
                return Unknown(f"{self._tables[region]} in {region} has no replica in {' and '.join(apart)}", at)
            refusal = "" if table.status in SERVES else f"its replica in {region} is {table.status}"
            refusal = refusal or self._tried(region)
            lag = 0.0 if table.strong else self._lag_seconds(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        version = f"{region}/{'refused' if refusal else 'rw'}/{'strong' if table.strong else 'eventual'}"
        state = DatabaseState(
            Role.PRIMARY, not refusal, 0, lag_seconds=lag, in_sync=table.strong, moving=refusal, version=version
        )
        return Known(state, at)

    def _tried(self, region: str) -> str:
        """Write, and read it back. "" where it is there; else why not. Raises what asking raises."""
        word, once = f"look#{region}", uuid.uuid4().hex
        self.items.put_again(region, word, once=once)
        found = self.items.get(region, word)
        if found is not None and found.get("cloudfail_once") == once:
            return ""
        return f"{region} acknowledged a write, and does not show it"

    def _lag_seconds(self, region: str) -> float | None:
        """The age of the newest heartbeat of another region that is here; None where none was written lately, so that
        nobody knows."""
        now = time.time()
        ages = [
            now - at for other in self._tables if other != region and (at := self._beat_of(other, region)) is not None
        ]
        known = [age for age in ages if age <= float(self.options.heartbeat_stale)]
        return max(0.0, min(known)) if known else None

    def _beat_of(self, source: str, region: str) -> float | None:
        found = self.items.get(region, f"beat#{source}")
        try:
            return float((found or {})["cloudfail_at"])
        except (KeyError, ValueError):
            return None

    def beat(self, region: str) -> Known[float] | Unknown:
        at = time.time()
        if region not in self._tables:
            return Unknown(f"this database has no member in {region}", at)
        try:
            self.items.put_again(region, f"beat#{region}", at=repr(at))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", time.time())
        return Known(at, at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """What `target` lacks of what `source` acknowledged. MRSC: nothing. MREC: by the heartbeats, a sample."""
        if source not in self._tables or target not in self._tables:
            return LossBound(None, None, (f"this database has no member in {source} or {target}",))
        try:
            table: Table = self.items.describe(target)
            if table.strong:
                return LossBound(0.0, 0.0, (AT_ONCE,))
            beat = self._beat_of(source, target)
        except CloudfailError as error:
            return LossBound(None, None, (f"{target} does not answer: {error}",))
        if beat is None:
            return LossBound(None, None, (f"no heartbeat of {source} has arrived in {target}",))
        alive = max(0.0, time.time() - beat)
        parts = [f"the newest heartbeat of {source} that is in {target} is {alive:.1f} s old"]
        dead: float | None = None
        if isinstance(acknowledged, Known):
            dead = max(0.0, acknowledged.value - beat)
            parts.append(f"the last that was seen acknowledged is {dead:.1f} s newer")
        else:
            parts.append(f"when {source} last acknowledged one is not known: {acknowledged.reason}")
        parts.append(f"items are replicated each by itself, and come when {source} is back: a sample, and no bound")
        return LossBound(dead, alive, tuple(parts))

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        at = time.time()
        if region not in self._tables:
            return Unknown(f"this database has no member in {region}", at)
        try:
            found = self.items.get(region, f"canary#{region}#{token}")
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(WriteProof(token, region) if found is not None else None, at)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        if region not in self._tables:
            raise Permanent(f"This database has no member in {region}.")
        self.items.put(region, f"canary#{region}#{token}", call, token=token, by=f"{int(call.epoch)} {call.run}")


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> DynamoDBGlobal:
    """Kind.build."""
    return DynamoDBGlobal(resource, topology, clients)
