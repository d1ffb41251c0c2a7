"""Cloud Storage as a store, on fake-gcs-server; what that cannot show is shown on a stand-in, and says so."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cloudfail.clock import SystemClock
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.ports import StorePlace
from cloudfail.stores import open_store as open_by_url
from cloudfail.stores import store_kind
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from cloudfail_gcp import clients
from cloudfail_gcp.store import CloudStorageKind, CloudStorageStore, _packed, _unpacked, parse
from tests.conformance.races import FULL, race
from tests.emulators.gcp.conftest import LOCATION
from tests.emulators.loopback import Wire, silence, wire

RACES = 1_000 if FULL else 40


class TestCloudStorage(StoreSuite):
    @pytest.fixture
    def open_store(self, gcs: str) -> OpenStore:
        return lambda: CloudStorageKind().open(gcs)


class TestCloudStorageByItsContents(StoreSuite):
    """The same with entries that do not fit into the metadata, so that their contents are read, and pages of 7."""

    @pytest.fixture
    def open_store(self, gcs: str) -> OpenStore:
        return lambda: CloudStorageStore(parse(gcs), page=7, copy_value_max=1)


# ---- the transport, and what happens on it


class Watched(requests.adapters.HTTPAdapter):
    """Counts requests, may pause before one that writes, and may send each of those twice, as an SDK does that retried
    inside; the second answer is the one that the caller sees."""

    def __init__(self, *, pause_seconds: float = 0.0, twice: bool = False) -> None:
        super().__init__(max_retries=0, pool_maxsize=16)
        self.pause_seconds = pause_seconds
        self.twice = twice
        self.seen: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        kind = "media" if "alt=media" in str(request.url) else str(request.method)
        self.seen.append(kind)
        if request.method == "POST":
            time.sleep(random.random() * self.pause_seconds)
            if self.twice:
                super().send(request, *args, **more)
        return super().send(request, *args, **more)


class Scripted(requests.adapters.HTTPAdapter):
    """Answers in Google's place."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.seen: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        self.seen.append(request)
        status, body = self.answers.pop(0)
        if isinstance(body, Exception):
            raise body
        made = requests.Response()
        made.status_code = status
        made.url = str(request.url)
        made.request = request
        made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return made


def over(adapter: requests.adapters.HTTPAdapter) -> requests.Session:
    made = clients.new_session(anonymous=True)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def scripted(url: str, *answers: tuple[int, Any]) -> CloudStorageStore:
    return CloudStorageStore(parse(url), session=over(Scripted(*answers)))


def refusal(status: int, reason: str, message: str = "no") -> tuple[int, Any]:
    return status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}


@pytest.fixture
def broken_wire(gcs: str, gcs_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with wire(gcs_port) as made:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{made.port}/")
        yield made


def test_an_answer_that_was_lost_after_the_write_is_in_doubt_and_the_journal_knows_its_own_entry(
    gcs: str, broken_wire: Wire
) -> None:
    store = CloudStorageKind().open(gcs)
    broken_wire.lose(b"POST")
    with pytest.raises(StoreUnavailable):
        store.append("plain", 1, b"x")
    assert [entry.body for entry in store.read("plain", 0)] == [b"x"], "it had landed"
    journal = Journal(store, "shop", SystemClock(), "alice")
    for number in range(1, 4):
        broken_wire.lose(b"POST")
        assert journal.append(Kind.SAMPLE, {"web": number}).seq == number
    assert broken_wire.lost == 4
    assert [entry.data["web"] for entry in Journal(store, "shop", SystemClock(), "bob").refresh()] == [1, 2, 3]


def test_a_client_that_retried_inside_and_met_its_own_write_is_told_so_by_the_journal(gcs: str) -> None:
    store = CloudStorageStore(parse(gcs), session=over(Watched(twice=True)))
    assert not store.append("plain", 1, b"x")
    journal = Journal(store, "shop", SystemClock(), "alice")
    assert [journal.append(Kind.SAMPLE, {"web": number}).seq for number in range(3)] == [1, 2, 3]
    assert len(Journal(store, "shop", SystemClock(), "bob").refresh()) == 3


def test_our_own_client_sends_each_request_once_whatever_becomes_of_it(gcs: str, broken_wire: Wire) -> None:
    store = CloudStorageKind().open(gcs)
    for method, call in ((b"POST", lambda: store.append("shop", 1, b"x")), (b"GET", lambda: store.read("shop", 0))):
        broken_wire.lost = 0
        broken_wire.lose(method, 5)
        with pytest.raises(StoreUnavailable):
            call()
        assert broken_wire.lost == 1


def test_the_tail_costs_one_request_and_pages_are_read_to_the_end(gcs: str) -> None:
    writer = CloudStorageKind().open(gcs)
    for seq in range(1, 24):
        assert writer.append("shop", seq, f"entry {seq}".encode())
    for page, after, requests_made in ((500, 0, 1), (500, 22, 1), (500, 23, 1), (5, 0, 5), (23, 0, 1), (1, 13, 10)):
        watched = Watched()
        store = CloudStorageStore(parse(gcs), page=page, session=over(watched))
        assert [entry.seq for entry in store.read("shop", after)] == list(range(after + 1, 24))
        assert watched.seen == ["GET"] * requests_made


def test_an_entry_that_does_not_fit_into_the_metadata_is_read_from_its_content(gcs: str) -> None:
    small, large = b"{}" * 4_000, random.Random(1).randbytes(20_000)
    watched = Watched()
    store = CloudStorageStore(parse(gcs), session=over(watched))
    assert store.append("shop", 1, small)
    assert store.append("shop", 2, large)
    watched.seen.clear()
    assert [entry.body for entry in store.read("shop", 0)] == [small, large]
    assert watched.seen == ["GET", "media"]


def test_the_stores_own_clock_stands_beside_each_entry(gcs: str) -> None:
    store = CloudStorageKind().open(gcs)
    before = time.time()
    assert store.append("shop", 1, b"a")
    assert before - 2 <= store.read("shop", 0)[0].at <= time.time() + 2


def test_a_bucket_without_prefix_holds_logs_as_well(gcs: str) -> None:
    url = gcs.replace("/state", "")
    assert CloudStorageKind().open(url).append("shop", 1, b"a")
    assert [entry.body for entry in open_by_url(url).read("shop", 0)] == [b"a"]
    assert CloudStorageKind().open(gcs).read("shop", 0) == []


def test_other_objects_beside_the_entries_are_no_entries(gcs: str, gcs_port: int) -> None:
    store = CloudStorageKind().open(gcs)
    assert store.append("shop", 1, b"a")
    for name in ("readme", "2", "0000000000002", "000000000002.json", "000000000002/1"):
        upload = f"http://127.0.0.1:{gcs_port}/upload/storage/v1/b/{parse(gcs).bucket}/o"
        added = requests.post(
            upload, params={"uploadType": "media", "name": f"state/shop/{name}"}, data=b"?", timeout=10
        )
        assert added.status_code == 200
    assert [entry.seq for entry in store.read("shop", 0)] == [1]


@pytest.mark.parametrize("gone", [1, 3])
def test_an_entry_that_somebody_deleted_makes_the_log_unreadable_not_shorter(
    gcs: str, gcs_port: int, gone: int
) -> None:
    store = CloudStorageKind().open(gcs)
    for seq in range(1, 6):
        assert store.append("shop", seq, b"x")
    name = f"state%2Fshop%2F{gone:012d}"
    assert requests.delete(f"http://127.0.0.1:{gcs_port}/storage/v1/b/{parse(gcs).bucket}/o/{name}", timeout=10).ok
    with pytest.raises(StoreUnavailable, match=f"Entry {gone} .* is not in gs://"):
        store.read("shop", 0)
    assert not store.append("shop", gone + 1, b"y"), "behind the hole nothing is written"


# ---- two writers


def _open(url: str, _turn: int) -> CloudStorageStore:
    """The pause falls between the check and the write."""
    return CloudStorageStore(parse(url), session=over(Watched(pause_seconds=0.03)))


@pytest.mark.timeout(1500 if FULL else 120)
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(gcs: str) -> None:
    race(partial(_open, gcs), RACES)


# ---- what does not answer


def test_a_port_where_nobody_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises(StoreUnavailable) as raised:
        CloudStorageKind().open("gs://acme-cloudfail/shop")
    assert "gs://acme-cloudfail/shop does not answer" in raised.value.happened
    assert "Nothing is changed" in raised.value.true_now
    assert "gcloud storage ls" in raised.value.to_do


def test_a_service_that_takes_the_request_and_is_silent_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as port:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{port}")
        store = CloudStorageStore(parse("gs://acme-cloudfail/shop"), timeout_seconds=(0.3, 0.3))
        for call in (lambda: store.read("shop", 0), lambda: store.append("shop", 1, b"a")):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable, match="timed out"):
                call()
            assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(503, "backendError", "Service Unavailable"), "503"),
        (refusal(429, "rateLimitExceeded"), "429"),
        (refusal(401, "authError", "Invalid Credentials"), "gcloud auth"),
        (refusal(403, "forbidden", "alice does not have storage.objects.list access"), "roles/storage.objectViewer"),
        (refusal(404, "notFound", "The specified bucket does not exist."), "buckets describe"),
        ((500, b"<html>"), "500"),
        ((200, b"<html>a captive portal</html>"), "is not Cloud Storage"),
        ((200, []), "is not Cloud Storage"),
        ((302, b""), "302"),
    ],
)
def test_what_answers_otherwise_is_unavailable_in_three_sentences(answer: tuple[int, Any], said: str) -> None:
    """A stand-in: the emulator never refuses."""
    with pytest.raises(StoreUnavailable) as raised:
        scripted("gs://acme-cloudfail/shop", answer).read("shop", 0)
    error = raised.value
    assert said in str(error)
    assert error.happened
    assert error.true_now
    assert error.to_do


def test_a_page_or_an_entry_that_fails_fails_the_whole_read() -> None:
    """A stand-in: the first page came, the second did not; then the listing came, and one of the contents did not."""
    items = [{"name": f"shop/shop/{seq:012d}", "timeCreated": "2026-11-23T08:07:19.902Z"} for seq in (1, 2)]
    with pytest.raises(StoreUnavailable):
        scripted("gs://acme-cloudfail/shop", (200, {"items": items, "nextPageToken": "t"}), refusal(503, "")).read(
            "shop", 0
        )
    with pytest.raises(StoreUnavailable):
        scripted("gs://acme-cloudfail/shop", (200, {"items": items}), (200, b"a"), refusal(503, "")).read("shop", 0)
    with pytest.raises(StoreUnavailable):
        scripted("gs://acme-cloudfail/shop", (200, {"items": items}), (200, b"a"), refusal(404, "")).read("shop", 0)


def test_an_empty_page_that_is_not_the_last_one_is_no_end() -> None:
    """A stand-in: the service may end a page early, the emulator never does."""
    item = {"name": "shop/shop/000000000001", "metadata": _packed(b"a")}
    store = scripted("gs://acme-cloudfail/shop", (200, {"nextPageToken": "t"}), (200, {"items": [item]}))
    assert [(entry.body, entry.at) for entry in store.read("shop", 0)] == [(b"a", 0.0)]


def test_metadata_that_somebody_touched_is_not_believed() -> None:
    """A stand-in. The content decides, and the journal's chain after it."""
    item = {"name": "shop/shop/000000000001", "metadata": {"cloudfail-z0": "????"}}
    assert scripted("gs://acme-cloudfail/shop", (200, {"items": [item]}), (200, b"a")).read("shop", 0)[0].body == b"a"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(500, "backendError"),
        refusal(409, "conflict"),
        (200, b"hello"),
        (200, {"a": 1}),
        (0, requests.exceptions.ReadTimeout("timed out")),
    ],
)
def test_a_write_whose_outcome_is_not_said_is_unavailable_and_never_a_no(answer: tuple[int, Any]) -> None:
    """A stand-in. "No" would mean that somebody else holds the number."""
    with pytest.raises(StoreUnavailable):
        scripted("gs://acme-cloudfail/shop", answer).append("shop", 1, b"a")


def test_an_identity_that_may_create_and_not_delete_is_told_apart_from_one_that_may_nothing() -> None:
    """A stand-in: on an entry that is there, Google may refuse the overwrite (403) before it looks at the condition."""
    forbidden = refusal(403, "forbidden", "alice does not have storage.objects.delete access")
    assert not scripted("gs://acme-cloudfail/shop", forbidden, (200, {"generation": "1"})).append("shop", 1, b"a")
    with pytest.raises(StoreUnavailable) as raised:
        scripted("gs://acme-cloudfail/shop", forbidden, refusal(404, "notFound")).append("shop", 1, b"a")
    assert "roles/storage.objectCreator" in raised.value.to_do


def test_no_credentials_are_unavailable_and_say_how_to_log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    monkeypatch.setattr(clients, "_sessions", {})
    with pytest.raises(StoreUnavailable) as raised:
        CloudStorageKind().open("gs://acme-cloudfail/shop")
    assert "gcloud auth application-default login" in raised.value.to_do


def test_a_token_that_does_not_come_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for Google's token server, which takes the request and is silent."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "acme", "client_email": "cloudfail@acme", "client_id": "1"}
    with silence() as port:
        account |= {"private_key_id": "1", "private_key": key.decode(), "token_uri": f"http://127.0.0.1:{port}/token"}
        (tmp_path / "key.json").write_text(json.dumps(account))
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        monkeypatch.setattr(clients, "_sessions", {})
        store = CloudStorageStore(parse("gs://acme-cloudfail/shop"), timeout_seconds=(0.3, 0.3))
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match="timed out"):
            store.append("shop", 1, b"a")
        assert time.monotonic() - begun < 8


def test_threads_that_ask_at_once_are_given_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_sessions", {})
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(clients.session("http://127.0.0.1:1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({id(session) for session in found}) == 1
    assert len(found) == 8


# ---- where it lives


@pytest.mark.parametrize(
    ("url", "regions"),
    [
        ("gs://acme-cloudfail/shop?location=eur4", ()),
        ("gs://acme-cloudfail/shop?location=EU", ()),
        ("gs://acme-cloudfail/shop?location=nam4", ()),
        ("gs://acme-cloudfail?location=asia1", ()),
        ("gs://acme-cloudfail/shop?location=europe-west3", ("europe-west3",)),
        ("gs://acme-cloudfail/shop?location=northamerica-northeast1", ("northamerica-northeast1",)),
        ("gs://acme-cloudfail/shop", None),
    ],
)
def test_the_url_says_where_the_bucket_lives(url: str, regions: tuple[str, ...] | None) -> None:
    assert store_kind(url).place(url) == StorePlace("gcp", regions)


@pytest.mark.parametrize(
    "url",
    [
        "gs:",
        "gs:///shop",
        "gs://Acme/shop",
        "gs://user@acme-cloudfail/shop",
        "gs://acme-cloudfail:80/shop",
        "gs://acme-cloudfail/shop?region=eur4",
        "gs://acme-cloudfail/shop?location=",
        "gs://acme-cloudfail/shop?location=frankfurt",
        "gs://acme-cloudfail/shop?location=europewest3",
        "gs://acme-cloudfail/shop?location=eu&location=us",
        "gs://acme-cloudfail/shop#eu",
        "gs://acme-cloudfail/a//b",
        "gs://acme-cloudfail/../b",
        "gs://acme-cloudfail/a b",
        "gs://acme-cloudfail/a%2Fb",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_with_what_to_write(url: str) -> None:
    for call in (CloudStorageKind().place, CloudStorageKind().open):
        with pytest.raises(Refused) as raised:
            call(url)
        assert raised.value.true_now == "Nothing was read or changed."
        assert raised.value.to_do.startswith("Write ")


def test_a_bucket_that_lies_elsewhere_is_refused(gcs: str) -> None:
    with pytest.raises(Refused, match=f"lies in {LOCATION}, not in eur4") as raised:
        CloudStorageKind().open(gcs.replace(LOCATION, "eur4"))
    assert f"location={LOCATION}" in raised.value.to_do


def test_a_bucket_that_is_not_there_is_refused(gcs: str) -> None:
    with pytest.raises(Refused, match="There is no bucket") as raised:
        CloudStorageKind().open("gs://acme-nowhere/shop?location=eu")
    assert "gcloud storage buckets create gs://acme-nowhere --location=eu" in raised.value.to_do


@pytest.mark.parametrize(
    ("said", "bucket", "refused"),
    [
        ("eur4", {"location": "EUR4", "locationType": "dual-region"}, ""),
        ("us", {"location": "US", "locationType": "multi-region"}, ""),
        ("us", {"location": "US", "locationType": "dual-region"}, ""),  # two regions of one's own choice
        ("europe-west3", {"location": "EUROPE-WEST3", "locationType": "region"}, ""),
        ("xyz1", {"location": "XYZ1", "locationType": "region"}, "of the type region"),
        ("eur4", {"location": "US", "locationType": "multi-region"}, "lies in us"),
    ],
)
def test_what_the_url_says_of_the_location_must_be_so(said: str, bucket: dict[str, Any], refused: str) -> None:
    """A stand-in: all buckets of the emulator are regional."""
    store = scripted(f"gs://acme-cloudfail/shop?location={said}", (200, bucket))
    if not refused:
        store.check_bucket()
        return
    with pytest.raises(Refused, match=refused):
        store.check_bucket()


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ({"action": {"type": "Delete"}, "condition": {"age": 365}}, True),
        ({"action": {"type": "Delete"}, "condition": {"age": 365, "matchesPrefix": ["shop/"]}}, True),
        ({"action": {"type": "Delete"}, "condition": {"age": 365, "matchesPrefix": ["sh", "x"]}}, True),
        ({"action": {"type": "Delete"}, "condition": {"age": 365, "matchesPrefix": ["shop/orders/"]}}, True),
        ({"action": {"type": "Delete"}, "condition": {"age": 365, "matchesPrefix": ["shops/"]}}, False),
        ({"action": {"type": "Delete"}, "condition": {"isLive": False, "age": 3}}, False),
        ({"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}}, False),
        ({"action": {"type": "SetStorageClass", "storageClass": "NEARLINE"}, "condition": {"age": 30}}, False),
    ],
)
def test_a_bucket_that_would_delete_entries_by_itself_is_refused(rule: dict[str, Any], refused: bool) -> None:
    """A stand-in: the emulator knows no lifecycle rules. That no entry is ever deleted is what the proof rests on."""
    store = scripted("gs://acme-cloudfail/shop", (200, {"location": "EU", "lifecycle": {"rule": [rule]}}))
    if not refused:
        store.check_bucket()
        return
    with pytest.raises(Refused, match="lifecycle rule") as raised:
        store.check_bucket()
    assert "matchesPrefix" in raised.value.to_do


# ---- names and copies


@pytest.mark.parametrize("size", [0, 1, 2_900, 5_800, 5_900, 300_000])
def test_a_copy_in_the_metadata_keeps_the_services_limits_or_is_left_out(size: int) -> None:
    body = random.Random(size).randbytes(size)
    packed = _packed(body)
    assert all(len(value) <= 4096 for value in packed.values())
    assert sum(len(key) + len(value) for key, value in packed.items()) <= 8192
    assert _unpacked(packed) == (body if packed else None)
    assert bool(packed) == (len(base64.b64encode(body)) < 7_780)


def test_saying_where_it_lives_loads_no_vendors_library() -> None:
    code = (
        "import sys; before = {*sys.modules}; from cloudfail_gcp import store, errors, clients; "
        "store.CloudStorageKind().place('gs://acme-cloudfail/shop?location=eu'); print(*sys.modules.keys() - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"google", "requests", "urllib3"} & {module.split(".")[0] for module in loaded.split()}
