"""The store in S3, against ministack."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import Kind
from cloudfail.stores import open_store as open_by_url
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from cloudfail_aws import attempts
from tests.emulators.aws.emulator import Emulator, free_port
from tests.emulators.aws.faults import Proxy, TestClients, proxy
from tests.emulators.aws.tables import BUCKET_URL, REGION, create_bucket, s3

PUT = b"PUT /shop-cloudfail/state/"


class TestBucket(StoreSuite):
    @pytest.fixture
    def open_store(self, sdk: Any) -> OpenStore:
        create_bucket(sdk)
        return lambda: open_by_url(BUCKET_URL)


# ---- objects


def keys(sdk: Any) -> list[str]:
    found = sdk("s3", REGION).list_objects_v2(Bucket="shop-cloudfail").get("Contents", [])
    return [item["Key"] for item in found]


def test_an_entry_is_an_object_whose_key_says_which(sdk: Any) -> None:
    create_bucket(sdk)
    s3().append("shop", 1, b"{}")
    s3(f"s3://shop-cloudfail?region={REGION}").append("shop", 1, b"{}")
    assert keys(sdk) == ["shop/000000000001", "state/shop/000000000001"]


def test_no_two_logs_share_a_key_and_none_is_inside_another(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3()
    names = [
        "a",
        "a/b",
        "a%2Fb",
        "a%252Fb",
        "a/",
        "/a",
        "A",
        ".",
        "..",
        "%2E",
        "",
        "%",
        " ",
        "ä",
        "a\nb",
        "a?b#c",
        "a+b",
    ]
    for name in names:
        assert store.append(name, 1, name.encode())
        assert store.append(name, 2, b"")
    for name in names:
        assert [entry.body for entry in store.read(name, 0)] == [name.encode(), b""]
    folders = [key.rpartition("/")[0] for key in keys(sdk)]
    assert len(set(folders)) == len(names)
    assert all(folder.count("/") == 1 for folder in folders)


def test_the_time_of_an_entry_is_the_bucket_s_own(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3()
    store.append("shop", 1, b"{}")
    assert abs(store.read("shop", 0)[0].at - time.time()) < 30


def test_what_else_lies_under_the_prefix_is_no_entry(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3()
    store.append("shop", 1, b"{}")
    for name in ("", "note.txt", "2", "000000000002.bak", "old/000000000002"):
        sdk("s3", REGION).put_object(Bucket="shop-cloudfail", Key=f"state/shop/{name}", Body=b"?")
    assert [entry.seq for entry in store.read("shop", 0)] == [1]


def test_a_log_of_more_than_a_page_of_a_thousand_keys_is_read_whole(sdk: Any) -> None:
    create_bucket(sdk)
    pages = []
    store = s3(clients=TestClients(amend={"after-call.s3.ListObjectsV2": lambda **event: pages.append(1)}))
    client = sdk("s3", REGION)

    def put(seq: int) -> None:
        client.put_object(Bucket="shop-cloudfail", Key=f"state/shop/{seq:012d}", Body=str(seq).encode())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(1, 1051)))
    assert [(entry.seq, entry.body) for entry in store.read("shop", 0)] == [
        (seq, str(seq).encode()) for seq in range(1, 1051)
    ]
    assert len(pages) == 2
    assert [entry.seq for entry in store.read("shop", 1047)] == [1048, 1049, 1050]
    assert store.append("shop", 1051, b"x")


def test_a_log_is_read_whole_whatever_the_size_of_a_page(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3(f"s3://shop-cloudfail?region={REGION}", keys_per_page=7)
    for seq in range(1, 29):
        assert store.append("shop", seq, str(seq).encode())
    for after in (0, 1, 6, 7, 8, 21, 27, 28, 29):
        assert [entry.seq for entry in store.read("shop", after)] == list(range(after + 1, 29))


def test_an_object_that_was_listed_and_cannot_be_read_is_an_error_and_no_shorter_log(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3(clients=TestClients(amend=_refusing("NoSuchKey", 404, "GetObject")))
    store.append("shop", 1, b"a")
    with pytest.raises(StoreUnavailable, match="NoSuchKey"):
        store.read("shop", 0)


def test_a_log_of_which_an_entry_was_deleted_is_read_with_its_gap_and_not_filled(sdk: Any) -> None:
    create_bucket(sdk)
    store = s3()
    for seq in (1, 2, 3):
        store.append("shop", seq, b"x")
    sdk("s3", REGION).delete_object(Bucket="shop-cloudfail", Key="state/shop/000000000002")
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
    create_bucket(sdk)
    journal = Journal(s3(clients=TestClients(urls={REGION: lossy.url})), "shop", SystemClock(), "alice")
    journal.append(Kind.SAMPLE, {"web": 3})
    lossy.lose(PUT, times, how)
    entry = journal.append(Kind.SAMPLE, {"web": 4})
    assert lossy.lost == times
    assert entry.seq == journal.seq == 2
    assert Journal(s3(), "shop", SystemClock(), "bob").refresh()[1:] == [entry]
    assert journal.append(Kind.SAMPLE, {"web": 5}).seq == 3


def test_a_journal_knows_its_own_entry_when_the_sdk_retried_inside(sdk: Any, lossy: Proxy) -> None:
    create_bucket(sdk)
    failed = []
    clients = TestClients(
        urls={REGION: lossy.url},
        attempts=3,
        amend={"after-call.s3.PutObject": lambda parsed, **event: failed.append("Error" in parsed)},
    )
    lossy.lose(PUT, 1)
    journal = Journal(s3(clients=clients), "shop", SystemClock(), "alice")
    assert journal.append(Kind.SAMPLE, {"web": 4}).seq == 1
    assert failed == [True], "the SDK's one answer was the refusal of its own write"


def test_a_journal_whose_answer_was_lost_knows_that_anothers_entry_is_not_its_own(sdk: Any, lossy: Proxy) -> None:
    create_bucket(sdk)
    ours = Journal(s3(clients=TestClients(urls={REGION: lossy.url})), "shop", SystemClock(), "alice")
    Journal(s3(), "shop", SystemClock(), "alice").append(Kind.SAMPLE, {"web": 4})
    lossy.lose(PUT, 1)
    with pytest.raises(TailMoved):
        ours.append(Kind.SAMPLE, {"web": 4})
    assert len(s3().read("shop", 0)) == 1


def _refusing(code: str, status: int, operation: str, times: int = 1_000) -> dict[str, Callable[..., Any]]:
    """The answer to `operation` replaced: what the emulator never says."""
    left = [times]

    def answer(parsed: dict[str, Any], http_response: Any, **_event: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            http_response.status_code = status
            parsed.clear()
            parsed.update(Error={"Code": code, "Message": "said so"}, ResponseMetadata={"HTTPStatusCode": status})

    return {f"after-call.s3.{operation}": answer}


@pytest.mark.parametrize("written", [True, False])
def test_two_uploads_at_one_moment_are_tried_again_and_then_in_doubt(sdk: Any, written: bool) -> None:
    """409 ConditionalRequestConflict says neither that ours was written nor that it was not."""
    create_bucket(sdk)
    event = "after-call.s3.PutObject" if written else "before-call.s3.PutObject"
    left = [1]

    def conflict(**_event: Any) -> Any:
        if not left[0]:
            return None
        left[0] -= 1
        parsed = {
            "Error": {"Code": "ConditionalRequestConflict", "Message": "said so"},
            "ResponseMetadata": {"HTTPStatusCode": 409},
        }
        if not written:
            return _Answer(409), parsed
        _event["http_response"].status_code = 409
        _event["parsed"].clear()
        _event["parsed"].update(parsed)
        return None

    clients = TestClients(amend={event: conflict})
    journal = Journal(s3(clients=clients), "shop", SystemClock(), "alice")
    assert journal.append(Kind.SAMPLE, {"web": 4}).seq == 1
    left[0] = attempts.ATTEMPTS
    if written:
        assert journal.append(Kind.SAMPLE, {"web": 5}).seq == 2
    else:
        with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
            journal.append(Kind.SAMPLE, {"web": 5})
    assert len(s3().read("shop", 0)) == (2 if written else 1)


class _Answer:
    """What botocore takes for an answer where a handler gives it one and nothing is sent."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


# ---- what is refused, and what is unavailable


def test_a_bucket_that_is_not_there_is_not_made_and_the_refusal_says_how(sdk: Any) -> None:
    with pytest.raises(Refused, match="no bucket shop-cloudfail") as raised:
        s3()
    assert raised.value.true_now == "Nothing was read or changed."
    assert "create-bucket --bucket shop-cloudfail --region eu-central-1" in raised.value.to_do
    assert "LocationConstraint=eu-central-1" in raised.value.to_do
    assert sdk("s3", REGION).list_buckets()["Buckets"] == []
    with pytest.raises(Refused) as raised:
        s3("s3://shop-cloudfail?region=us-east-1")
    assert "LocationConstraint" not in raised.value.to_do


def test_a_bucket_in_another_region_is_refused(sdk: Any) -> None:
    """Where it stands decides what it outlives, so the URL must not say something else."""
    create_bucket(sdk, "us-west-2")
    with pytest.raises(Refused, match="lives in us-west-2, not in eu-central-1") as raised:
        s3()
    assert "region=us-west-2" in raised.value.to_do
    assert s3("s3://shop-cloudfail?region=us-west-2").append("shop", 1, b"x")


def test_a_bucket_in_another_region_is_refused_where_it_answers_nothing_but_that(sdk: Any) -> None:
    create_bucket(sdk)

    def elsewhere(parsed: dict[str, Any], http_response: Any, **_event: Any) -> None:
        http_response.status_code = 400
        parsed["Error"] = {"Code": "400", "Message": "Bad Request"}
        parsed["ResponseMetadata"] = {"HTTPStatusCode": 400, "HTTPHeaders": {"x-amz-bucket-region": "us-west-2"}}

    with pytest.raises(Refused, match="lives in us-west-2"):
        s3(clients=TestClients(amend={"after-call.s3.HeadBucket": elsewhere}))


@pytest.mark.parametrize(
    ("code", "status", "to_do"),
    [
        ("AccessDenied", 403, "Allow s3:PutObject to"),
        ("ExpiredToken", 400, "Renew the credentials"),
        ("InvalidAccessKeyId", 403, "Renew the credentials"),
        ("SlowDown", 503, "aws s3api head-bucket"),
        ("InternalError", 500, "aws s3api head-bucket"),
        ("NoSuchBucket", 404, "aws s3api head-bucket"),
        ("NotImplemented", 501, "aws s3api head-bucket"),
    ],
)
def test_a_put_that_is_refused_is_unavailable_and_says_what_to_do(sdk: Any, code: str, status: int, to_do: str) -> None:
    create_bucket(sdk)
    store = s3(clients=TestClients(amend=_refusing(code, status, "PutObject")))
    with pytest.raises(StoreUnavailable) as raised:
        store.append("shop", 1, b"x")
    assert code in raised.value.happened
    assert "Nothing is changed" in raised.value.true_now
    assert to_do in raised.value.to_do


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("HeadBucket", "s3:ListBucket"),
        ("HeadObject", "s3:GetObject and s3:ListBucket"),
        ("ListObjectsV2", "s3:ListBucket"),
    ],
)
def test_a_read_that_is_denied_names_the_action_that_is_missing(sdk: Any, operation: str, action: str) -> None:
    create_bucket(sdk)
    s3().append("shop", 1, b"x")
    with pytest.raises(StoreUnavailable) as raised:
        store = s3(clients=TestClients(amend=_refusing("403", 403, operation)))
        store.append("shop", 2, b"x")
        store.read("shop", 0)
    assert f"Allow {action} to" in raised.value.to_do


def test_a_bucket_that_does_not_answer_is_unavailable_within_the_bound(sdk: Any) -> None:
    create_bucket(sdk)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        silent = f"http://127.0.0.1:{hole.getsockname()[1]}"
        for gone in (silent, f"http://127.0.0.1:{free_port()}"):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable) as raised:
                s3(clients=TestClients(urls={REGION: gone}), call_seconds=2.0)
            assert time.monotonic() - began < 3
            assert "aws s3api head-bucket --bucket shop-cloudfail --region eu-central-1" in raised.value.to_do
