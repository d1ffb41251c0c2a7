"""The store in DynamoDB, against ministack.

What the emulator does not give is amended in its answers, by hooks of the SDK: MultiRegionConsistency and witnesses in
DescribeTable (it drops the first and knows no second), and ReplicatedWriteConflictException. Its replicas are written
together with the table, so a global table there is in fact strongly consistent; that of AWS was not there to ask.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import Kind
from cloudfail.stores import open_store as open_by_url
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from cloudfail_aws import attempts
from cloudfail_aws.dynamodb_store import DynamoDBStore
from tests.emulators.aws.emulator import Emulator, free_port
from tests.emulators.aws.faults import Proxy, TestClients, proxy
from tests.emulators.aws.tables import (
    GLOBAL_URL,
    REGION,
    TABLE_URL,
    US,
    create_global_table,
    create_table,
    described,
    dynamodb,
)

PUT = b"DynamoDB_20120810.PutItem"
STRONG = described(MultiRegionConsistency="STRONG")


class TestTableInOneRegion(StoreSuite):
    @pytest.fixture
    def open_store(self, sdk: Any) -> OpenStore:
        create_table(sdk)
        return lambda: open_by_url(TABLE_URL)


class TestGlobalTable(StoreSuite):
    """Each handle begins with another region, as workers in different regions are told to."""

    @pytest.fixture
    def open_store(self, sdk: Any) -> OpenStore:
        create_global_table(sdk)
        clients = TestClients(amend=STRONG)
        opened: list[DynamoDBStore] = []

        def one() -> DynamoDBStore:
            turn = len(opened) % len(US)
            opened.append(dynamodb(f"dynamodb://cloudfail?regions={','.join(US[turn:] + US[:turn])}", clients))
            return opened[-1]

        return one


# ---- items


def test_an_entry_that_is_too_large_for_an_item_is_deflated_and_read_back_as_it_was(sdk: Any) -> None:
    create_table(sdk)
    store = dynamodb()
    large = b'{"region":"us-east-1"}' * 100_000
    assert store.append("shop", 1, large)
    assert store.append("shop", 2, b"small")
    assert [entry.body for entry in store.read("shop", 0)] == [large, b"small"]
    items = sdk("dynamodb", REGION).scan(TableName="cloudfail")["Items"]
    assert {tuple(sorted(item)) for item in items} == {("deflated", "log", "seq"), ("body", "log", "seq")}


def test_an_entry_that_no_item_can_hold_is_refused_before_the_call(sdk: Any) -> None:
    create_table(sdk)
    store = dynamodb()
    noise = random.Random(7).randbytes(600_000)
    for body in (noise, b"x" * (17 * 1024 * 1024)):
        with pytest.raises(Refused, match="too large") as raised:
            store.append("shop", 1, body)
        assert "not written" in raised.value.true_now
        assert "s3:" in raised.value.to_do
    assert store.read("shop", 0) == []


def test_the_largest_entry_that_is_written_as_it_is_fits_the_service(sdk: Any) -> None:
    """One byte more is deflated: the limit that we count is the service's, to within what a number takes."""
    create_table(sdk)
    store = dynamodb()
    log = "lä" * 100
    room = 400 * 1024 - len("log") - len(log.encode()) - len("seq") - 21 - len("deflated")
    assert store.append(log, 1, b"x" * room)
    assert store.append(log, 2, b"x" * (room + 1))
    items = sdk("dynamodb", REGION).scan(TableName="cloudfail")["Items"]
    assert sorted("deflated" in item for item in items) == [False, True]
    assert [len(entry.body) for entry in store.read(log, 0)] == [room, room + 1]


def test_every_read_asks_for_what_was_last_acknowledged(sdk: Any) -> None:
    """The emulator has one copy of everything, and would not show a read that may be stale."""
    create_table(sdk)
    asked: list[tuple[str, bool]] = []

    def note(params: dict[str, Any], model: Any, **_event: Any) -> None:
        asked.append((model.name, params.get("ConsistentRead", False)))

    store = dynamodb(clients=TestClients(amend={"provide-client-params.dynamodb": note}))
    store.append("shop", 1, b"a")
    store.append("shop", 2, b"b")
    store.read("shop", 0)
    assert {name for name, _ in asked} == {"DescribeTable", "PutItem", "GetItem", "Query"}
    assert all(strongly for name, strongly in asked if name in {"GetItem", "Query"})


def test_a_log_of_more_than_a_page_of_one_megabyte_is_read_whole(sdk: Any) -> None:
    create_table(sdk)
    pages = []
    store = dynamodb(clients=TestClients(amend={"after-call.dynamodb.Query": lambda **event: pages.append(1)}))
    for seq in range(1, 13):
        assert store.append("shop", seq, str(seq).encode() * 100_000)
    assert [(entry.seq, entry.body[:1]) for entry in store.read("shop", 0)] == [
        (seq, str(seq)[:1].encode()) for seq in range(1, 13)
    ]
    assert len(pages) > 1, "it was one page: this proved nothing"


def test_a_log_is_read_whole_whatever_the_size_of_a_page(sdk: Any) -> None:
    create_table(sdk)
    store = dynamodb(page_items=7)
    for seq in range(1, 29):
        assert store.append("shop", seq, str(seq).encode())
    for after in (0, 1, 6, 7, 8, 21, 27, 28, 29):
        assert [entry.seq for entry in store.read("shop", after)] == list(range(after + 1, 29))


@pytest.mark.parametrize(
    "left", [{}, {"deflated": {"B": b"no zlib"}}, {"deflated": {"S": "text"}}, {"body": {"S": "x"}}]
)
def test_an_item_that_was_not_written_by_us_is_handed_on_for_the_chain_to_refuse(sdk: Any, left: Any) -> None:
    create_table(sdk)
    sdk("dynamodb", REGION).put_item(TableName="cloudfail", Item={"log": {"S": "shop"}, "seq": {"N": "1"}, **left})
    assert [entry.seq for entry in dynamodb().read("shop", 0)] == [1]


def test_a_log_of_which_an_entry_was_deleted_is_read_with_its_gap_and_not_filled(sdk: Any) -> None:
    create_table(sdk)
    store = dynamodb()
    for seq in (1, 2, 3):
        store.append("shop", seq, b"x")
    sdk("dynamodb", REGION).delete_item(TableName="cloudfail", Key={"log": {"S": "shop"}, "seq": {"N": "2"}})
    assert [entry.seq for entry in store.read("shop", 0)] == [1, 3]
    assert not store.append("shop", 3, b"y")


# ---- answers that are lost


@pytest.fixture
def lossy(aws: Emulator) -> Iterator[Proxy]:
    with proxy(aws.port) as one:
        yield one


@pytest.mark.parametrize("how", ["closed", "busy", "silent"])
@pytest.mark.parametrize("times", [1, attempts.ATTEMPTS])
def test_a_journal_knows_its_own_entry_when_the_answer_was_lost_on_the_way(
    sdk: Any, lossy: Proxy, how: str, times: int
) -> None:
    """Once: our second attempt meets the first. Each time: nobody ever answers, and the entry stands."""
    create_table(sdk)
    journal = Journal(dynamodb(clients=TestClients(urls={REGION: lossy.url})), "shop", SystemClock(), "alice")
    journal.append(Kind.SAMPLE, {"web": 3})
    lossy.lose(PUT, times, how)
    entry = journal.append(Kind.SAMPLE, {"web": 4})
    assert lossy.lost == times
    assert entry.seq == journal.seq == 2
    assert Journal(dynamodb(), "shop", SystemClock(), "bob").refresh()[1:] == [entry]
    assert journal.append(Kind.SAMPLE, {"web": 5}).seq == 3


def test_a_journal_knows_its_own_entry_when_the_sdk_retried_inside(sdk: Any, lossy: Proxy) -> None:
    """An SDK with its retries on meets its own write, and reports that the number is taken."""
    create_table(sdk)
    failed = []
    clients = TestClients(
        urls={REGION: lossy.url},
        attempts=3,
        amend={"after-call.dynamodb.PutItem": lambda parsed, **event: failed.append("Error" in parsed)},
    )
    store = dynamodb(clients=clients)
    lossy.lose(PUT, 1)
    journal = Journal(store, "shop", SystemClock(), "alice")
    assert journal.append(Kind.SAMPLE, {"web": 4}).seq == 1
    assert failed == [True], "the SDK's one answer was the refusal of its own write"
    lossy.lose(PUT, 1)
    assert store.append("shop", 2, b"x") is False
    assert [entry.body for entry in store.read("shop", 1)] == [b"x"]


def test_a_journal_whose_answer_was_lost_knows_that_anothers_entry_is_not_its_own(sdk: Any, lossy: Proxy) -> None:
    create_table(sdk)
    ours = Journal(dynamodb(clients=TestClients(urls={REGION: lossy.url})), "shop", SystemClock(), "alice")
    Journal(dynamodb(), "shop", SystemClock(), "alice").append(Kind.SAMPLE, {"web": 4})
    lossy.lose(PUT, 1)
    with pytest.raises(TailMoved):
        ours.append(Kind.SAMPLE, {"web": 4})
    lossy.lose(PUT, attempts.ATTEMPTS)
    with pytest.raises(StoreUnavailable):
        ours.append(Kind.SAMPLE, {"web": 4})
    assert len(dynamodb().read("shop", 0)) == 1


def test_a_write_that_met_another_regions_is_tried_again_within_the_call(sdk: Any) -> None:
    create_table(sdk)
    left = [2]

    def conflict(parsed: dict[str, Any], http_response: Any, **_event: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            http_response.status_code = 400
            parsed.clear()
            parsed.update(Error={"Code": "ReplicatedWriteConflictException", "Message": "another region"})
            parsed.update(ResponseMetadata={"HTTPStatusCode": 400})

    clients = TestClients(amend={"after-call.dynamodb.GetItem": conflict})
    store = dynamodb(clients=clients)
    assert store.append("shop", 1, b"a")
    assert store.append("shop", 2, b"b"), "two conflicts, then it went through"
    assert left == [0]
    left[0] = attempts.ATTEMPTS
    with pytest.raises(StoreUnavailable, match="ReplicatedWriteConflictException"):
        store.append("shop", 3, b"c")
    assert len(store.read("shop", 0)) == 2


# ---- regions that do not answer


@pytest.fixture
def hole() -> Iterator[str]:
    """Where one may connect and is never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def test_a_global_table_is_read_and_written_while_a_region_does_not_answer(sdk: Any, hole: str) -> None:
    create_global_table(sdk)
    dynamodb(GLOBAL_URL, TestClients(amend=STRONG)).append("shop", 1, b"before")
    for gone in (hole, f"http://127.0.0.1:{free_port()}"):
        for region in US:
            clients = TestClients(urls={region: gone}, amend=STRONG)
            began = time.monotonic()
            store = dynamodb(GLOBAL_URL, clients)
            seq = len(store.read("shop", 0)) + 1
            assert store.append("shop", seq, region.encode())
            assert time.monotonic() - began < 8, "the timeout was paid again and again"
    everybody = dynamodb(GLOBAL_URL, TestClients(amend=STRONG))
    assert [entry.body.decode() for entry in everybody.read("shop", 0)] == ["before", *US, *US]


def test_a_global_table_is_read_and_written_with_one_region_left(sdk: Any, hole: str) -> None:
    """Strong consistency needs two; that is the service's to say. We ask whoever answers."""
    create_global_table(sdk)
    store = dynamodb(GLOBAL_URL, TestClients(urls={US[0]: hole, US[1]: hole}, amend=STRONG))
    assert store.append("shop", 1, b"x")


@pytest.mark.parametrize("url", [TABLE_URL, GLOBAL_URL])
def test_a_table_that_nobody_answers_for_is_unavailable_within_the_bound(sdk: Any, hole: str, url: str) -> None:
    if url == TABLE_URL:
        create_table(sdk)
    else:
        create_global_table(sdk)
    urls: dict[str, str] = {}
    clients = _Rerouted(urls)
    store = dynamodb(url, clients, call_seconds=2.0)
    store.append("shop", 1, b"x")
    urls.update(dict.fromkeys((REGION, *US), hole))
    for call in (
        lambda: store.append("shop", 2, b"y"),
        lambda: store.read("shop", 0),
        lambda: dynamodb(url, clients, call_seconds=2.0),
    ):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as raised:
            call()
        assert time.monotonic() - began < 6
        assert "does not answer" in raised.value.happened
        assert "Nothing is changed" in raised.value.true_now
        assert "aws dynamodb describe-table --table-name cloudfail --region" in raised.value.to_do


class _Rerouted(TestClients):
    """Clients whose addresses change under an open store."""

    def __init__(self, urls: dict[str, str]) -> None:
        super().__init__(urls=urls, amend=STRONG)

    def get(self, service: str, region: str, role: str = "") -> Any:
        with self._making:
            if self._urls:
                self._own = {
                    key: made for key, made in self._own.items() if made.meta.endpoint_url in self._urls.values()
                }
        return super().get(service, region, role)


# ---- what is refused, and what is unavailable


def refusal(url: str, clients: TestClients | None = None) -> Refused:
    with pytest.raises(Refused) as raised:
        dynamodb(url, clients)
    assert raised.value.true_now == "Nothing was read or changed."
    return raised.value


def test_a_table_that_is_not_there_is_not_made_and_the_refusal_says_how(sdk: Any) -> None:
    create = refusal(TABLE_URL).to_do
    assert "aws dynamodb create-table --table-name cloudfail --region eu-central-1" in create
    assert "AttributeName=log,KeyType=HASH AttributeName=seq,KeyType=RANGE" in create
    assert sdk("dynamodb", REGION).list_tables()["TableNames"] == []
    create = refusal(GLOBAL_URL).to_do
    assert "--multi-region-consistency STRONG" in create
    assert '[{"Create": {"RegionName": "us-east-2"}}, {"Create": {"RegionName": "us-west-2"}}]' in create
    assert "witness" not in create
    assert "--global-table-witness-updates" in refusal("dynamodb://cloudfail?regions=us-east-1,us-east-2").to_do


@pytest.mark.parametrize("key", [("id", "seq", "N"), ("log", "number", "N"), ("log", "seq", "S")])
def test_a_table_with_another_key_is_refused(sdk: Any, key: tuple[str, str, str]) -> None:
    create_table(sdk, key=key)
    assert "is not cloudfail's" in refusal(TABLE_URL).happened


@pytest.mark.parametrize(
    "url", [GLOBAL_URL, f"dynamodb://cloudfail?region={US[0]}", f"dynamodb://cloudfail?region={US[2]}"]
)
@pytest.mark.parametrize("said", [{}, {"MultiRegionConsistency": "EVENTUAL"}])
def test_a_global_table_that_is_eventually_consistent_is_refused_whatever_the_url_says(
    sdk: Any, url: str, said: dict[str, str]
) -> None:
    create_global_table(sdk)
    refused = refusal(url, TestClients(amend=described(**said)))
    assert "eventually consistent" in refused.happened
    assert "both would win" in refused.happened
    assert "--multi-region-consistency STRONG" in refused.to_do


def test_a_global_table_with_a_witness_alone_is_no_table_of_one_region(sdk: Any) -> None:
    create_table(sdk)
    clients = TestClients(amend=described(GlobalTableWitnesses=[{"RegionName": "eu-west-1"}]))
    assert "eventually consistent" in refusal(TABLE_URL, clients).happened


def test_a_strongly_consistent_global_table_may_be_asked_in_one_region(sdk: Any) -> None:
    create_global_table(sdk)
    assert dynamodb(f"dynamodb://cloudfail?region={US[1]}", TestClients(amend=STRONG)).append("shop", 1, b"x")


def test_a_global_table_of_one_replica_is_a_table_of_one_region(sdk: Any) -> None:
    """As a table that was made by CloudFormation with one replica says of itself."""
    create_table(sdk)
    itself = described(GlobalTableVersion="2019.11.21", Replicas=[{"RegionName": REGION, "ReplicaStatus": "ACTIVE"}])
    assert dynamodb(clients=TestClients(amend=itself)).append("shop", 1, b"x")


def test_a_table_of_one_region_does_not_span_several(sdk: Any) -> None:
    create_table(sdk, US[0])
    refused = refusal(GLOBAL_URL)
    assert "lives in us-east-1 alone" in refused.happened
    assert "dynamodb://cloudfail?region=us-east-1" in refused.to_do


def test_a_region_without_a_replica_is_refused(sdk: Any) -> None:
    create_global_table(sdk, US[:2])
    refused = refusal(GLOBAL_URL, TestClients(amend=STRONG))
    assert "no replica in us-west-2" in refused.happened
    leaving = described(
        MultiRegionConsistency="STRONG",
        Replicas=[
            {"RegionName": US[1], "ReplicaStatus": "ACTIVE"},
            {"RegionName": US[2], "ReplicaStatus": "DELETING"},
        ],
    )
    assert "no replica in us-west-2" in refusal(GLOBAL_URL, TestClients(amend=leaving)).happened


def test_a_witness_that_is_named_is_not_asked(sdk: Any) -> None:
    create_global_table(sdk, US[:2])
    witness = described(
        MultiRegionConsistency="STRONG", GlobalTableWitnesses=[{"RegionName": US[2], "WitnessStatus": "ACTIVE"}]
    )
    for order in (US, US[::-1]):
        clients = TestClients(amend=witness)
        store = dynamodb(f"dynamodb://cloudfail?regions={','.join(order)}", clients)
        asked = []
        clients.get("dynamodb", US[2]).meta.events.register("before-call", lambda **event: asked.append(1))
        seq = len(store.read("shop", 0)) + 1
        assert store.append("shop", seq, b"x")
        assert asked == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_global_table_of_the_old_version_is_refused_and_a_table_with_a_stream_is_none(sdk: Any, exists: bool) -> None:
    """DescribeTable need not say that a table belongs to a global table of version 2017.11.29; those have streams."""
    create_table(sdk, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})

    def answer(parsed: dict[str, Any], http_response: Any, **_event: Any) -> None:
        parsed.clear()
        http_response.status_code = 200 if exists else 400
        if not exists:
            parsed.update(Error={"Code": "GlobalTableNotFoundException", "Message": "none"})
        parsed["ResponseMetadata"] = {"HTTPStatusCode": http_response.status_code}

    clients = TestClients(amend={"after-call.dynamodb.DescribeGlobalTable": answer})
    if exists:
        assert "eventually consistent" in refusal(TABLE_URL, clients).happened
    else:
        assert dynamodb(clients=clients).append("shop", 1, b"x")
    old = TestClients(amend=described(GlobalTableVersion="2017.11.29"))
    assert "eventually consistent" in refusal(TABLE_URL, old).happened


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"])
def test_a_table_that_cannot_be_used_now_is_unavailable(sdk: Any, status: str) -> None:
    create_table(sdk)
    with pytest.raises(StoreUnavailable, match=status):
        dynamodb(clients=TestClients(amend=described(TableStatus=status)))


def _refusing(code: str, status: int, operation: str) -> dict[str, Callable[..., Any]]:
    def answer(parsed: dict[str, Any], http_response: Any, **_event: Any) -> None:
        http_response.status_code = status
        parsed.clear()
        parsed.update(Error={"Code": code, "Message": "said so"}, ResponseMetadata={"HTTPStatusCode": status})

    return {f"after-call.dynamodb.{operation}": answer}


@pytest.mark.parametrize(
    ("code", "status", "to_do"),
    [
        ("AccessDeniedException", 400, "Allow dynamodb:PutItem to"),
        ("ExpiredTokenException", 400, "Renew the credentials"),
        ("UnrecognizedClientException", 400, "Renew the credentials"),
        ("ThrottlingException", 400, "aws dynamodb describe-table"),
        ("ProvisionedThroughputExceededException", 400, "aws dynamodb describe-table"),
        ("InternalServerError", 500, "aws dynamodb describe-table"),
        ("ResourceNotFoundException", 400, "aws dynamodb describe-table"),
    ],
)
def test_a_put_that_is_refused_is_unavailable_and_says_what_to_do(sdk: Any, code: str, status: int, to_do: str) -> None:
    create_table(sdk)
    store = dynamodb(clients=TestClients(amend=_refusing(code, status, "PutItem")))
    with pytest.raises(StoreUnavailable) as raised:
        store.append("shop", 1, b"x")
    assert code in raised.value.happened
    assert "Nothing is changed" in raised.value.true_now
    assert to_do in raised.value.to_do


def test_what_may_not_be_described_is_unavailable_and_names_the_action(sdk: Any) -> None:
    create_table(sdk)
    with pytest.raises(StoreUnavailable, match="AccessDenied") as raised:
        dynamodb(clients=TestClients(amend=_refusing("AccessDeniedException", 400, "DescribeTable")))
    assert "dynamodb:DescribeTable" in raised.value.to_do


def test_without_credentials_the_store_is_unavailable(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    create_table(sdk)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreUnavailable) as raised:
        open_by_url(TABLE_URL)
    assert "aws sts get-caller-identity" in raised.value.to_do


def test_an_endpoint_that_is_no_url_is_unavailable(sdk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(StoreUnavailable):
        open_by_url(TABLE_URL)
