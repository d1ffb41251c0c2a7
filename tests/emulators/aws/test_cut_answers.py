"""An answer that breaks off is no answer: above all no empty list, and no last page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfail.errors import OutcomeUnknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from tests.emulators.aws.emulator import sdk_environment
from tests.emulators.wire import Answer, Door, Request

REGION = "us-east-1"


class Tables:
    """DynamoDB's list of tables in two pages, over the wire. `cuts`: where the next answers break off."""

    def __init__(self) -> None:
        self.cuts: list[int | None] = []
        self.asked = 0

    def answer(self, request: Request) -> Answer:
        self.asked += 1
        more = "ExclusiveStartTableName" not in json.loads(request.body)
        page: dict[str, Any] = (
            {"TableNames": ["one"], "LastEvaluatedTableName": "one"} if more else {"TableNames": ["two"]}
        )
        body = json.dumps(page).encode()
        headers = (("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", "r"))
        return Answer(200, headers, body, cut=self.cuts.pop(0) if self.cuts else None)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    made = Tables()
    door = Door(made.answer)
    for name, value in sdk_environment(door.url).items():
        monkeypatch.setenv(name, value)
    yield made
    door.shut()


@pytest.fixture
def asking() -> Asking:
    resource = Resource("things", PortName.CONSUMERS, "table", "aws", "things", {})
    regions = {REGION: Region(REGION, "aws", "123456789012")}
    topology = Topology("shop", Objectives(60, 5), regions, REGION, "memory:", {"things": resource})
    return Asking.of(resource, topology, Clients())


def test_a_list_that_breaks_off_is_asked_for_again_and_then_whole(tables: Tables, asking: Asking) -> None:
    tables.cuts = [None, 10, 0]
    assert asking.pages("dynamodb", REGION, "list_tables", "TableNames", within=120) == ["one", "two"]
    assert tables.asked == 4


def test_a_list_that_always_breaks_off_is_unknown(tables: Tables, asking: Asking) -> None:
    tables.cuts = [10] * 1000
    with pytest.raises(OutcomeUnknown, match="broke off after 10 of"):
        asking.read("dynamodb", REGION, "list_tables", within=0.5)


def test_an_answer_without_a_body_may_tell_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(lambda request: Answer(200, (("Content-Length", "1000"), ("ETag", '"e"'))))
    for name, value in sdk_environment(door.url).items():
        monkeypatch.setenv(name, value)
    found = Clients().get("s3", REGION).head_object(Bucket="bucket", Key="key")
    assert found["ContentLength"] == 1000
    door.shut()
