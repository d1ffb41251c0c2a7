"""Blob Storage as a store, on Azurite; what that cannot show is shown on a stand-in, and says so."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
import urllib3
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import CredentialUnavailableError
from azure.storage.blob import BlobServiceClient

from cloudfail.clock import SystemClock
from cloudfail.errors import Refused, StoreUnavailable
from cloudfail.journal import Journal
from cloudfail.model.journal import Kind
from cloudfail.ports import StorePlace
from cloudfail.stores import open_store as open_by_url
from cloudfail.stores import store_kind
from cloudfail.testing.store_suite import OpenStore, StoreSuite
from cloudfail_azure import clients
from cloudfail_azure.store import BlobKind, BlobStore, parse
from tests.conformance.races import FULL, race
from tests.emulators.azure.conftest import ACCOUNT, connection_string
from tests.emulators.loopback import Wire, silence, wire

RACES = 1_000 if FULL else 40
URL = f"azblob://{ACCOUNT}/cloudfail/shop?region=westeurope"


class TestBlob(StoreSuite):
    @pytest.fixture
    def open_store(self, azblob: str) -> OpenStore:
        return lambda: BlobKind().open(azblob)


# ---- the transport, and what happens on it


class Watched(RequestsTransport):
    """Counts requests, and may pause before one that writes."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        super().__init__()
        self.pause_seconds = pause_seconds
        self.seen: list[str] = []

    def send(self, request: Any, **more: Any) -> Any:
        self.seen.append("list" if "comp=list" in request.url else str(request.method))
        if request.method == "PUT":
            time.sleep(random.random() * self.pause_seconds)
        return super().send(request, **more)


class Scripted(requests.adapters.HTTPAdapter):
    """Answers in Azure's place: status, x-ms-error-code, body."""

    def __init__(self, *answers: tuple[int, str, bytes]) -> None:
        super().__init__()
        self.answers = list(answers)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        status, code, body = self.answers.pop(0)
        headers = {"x-ms-error-code": code} if code else {}
        headers |= {"Content-Type": "application/xml", "Content-Length": str(len(body))}
        raw = urllib3.HTTPResponse(io.BytesIO(body), headers, status=status, preload_content=False)
        return self.build_response(request, raw)


def scripted(*answers: tuple[int, str, bytes]) -> BlobStore:
    session = requests.Session()
    session.mount("http://", Scripted(*answers))
    transport = RequestsTransport(session=session, session_owner=False)
    return BlobStore(parse(URL), service=clients.new_service("", connection_string(1), transport=transport))


def refusal(status: int, code: str) -> tuple[int, str, bytes]:
    return status, code, f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()


def listing(*numbers: int) -> tuple[int, str, bytes]:
    blobs = "".join(
        f"<Blob><Name>shop/shop/{number:012d}</Name><Properties>"
        "<Creation-Time>Mon, 23 Nov 2026 08:07:19 GMT</Creation-Time><BlobType>BlockBlob</BlobType></Properties></Blob>"
        for number in numbers
    )
    text = f'<?xml version="1.0"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'
    return 200, "", text.encode()


@pytest.fixture
def broken_wire(azblob: str, azurite_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with wire(azurite_port) as made:
        monkeypatch.setenv(clients.CONNECTION_STRING, connection_string(made.port))
        yield made


def test_an_answer_that_was_lost_after_the_write_is_in_doubt_and_the_journal_knows_its_own_entry(
    azblob: str, broken_wire: Wire
) -> None:
    store = BlobKind().open(azblob)
    broken_wire.lose(b"PUT")
    with pytest.raises(StoreUnavailable):
        store.append("plain", 1, b"x")
    assert [entry.body for entry in store.read("plain", 0)] == [b"x"], "it had landed"
    journal = Journal(store, "shop", SystemClock(), "alice")
    for number in range(1, 4):
        broken_wire.lose(b"PUT")
        assert journal.append(Kind.SAMPLE, {"web": number}).seq == number
    assert broken_wire.lost == 4
    assert [entry.data["web"] for entry in Journal(store, "shop", SystemClock(), "bob").refresh()] == [1, 2, 3]


def test_a_client_that_retried_inside_and_met_its_own_write_is_told_so_by_the_journal(
    azblob: str, broken_wire: Wire
) -> None:
    """The vendor's own client with its own retries: the answer is lost, it sends again, and meets its own blob."""
    retries = {"retry_total": 3, "initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}
    store = BlobStore(parse(azblob), service=clients.new_service("", connection_string(broken_wire.port), **retries))
    broken_wire.lose(b"PUT")
    assert not store.append("plain", 1, b"x")
    journal = Journal(store, "shop", SystemClock(), "alice")
    for number in range(3):
        broken_wire.lose(b"PUT")
        assert journal.append(Kind.SAMPLE, {"web": number}).seq == number + 1
    assert broken_wire.lost == 4
    assert len(Journal(store, "shop", SystemClock(), "bob").refresh()) == 3


def test_our_own_client_sends_a_write_once_whatever_becomes_of_it(azblob: str, broken_wire: Wire) -> None:
    watched = Watched()
    service = clients.new_service("", connection_string(broken_wire.port), transport=watched)
    broken_wire.lose(b"PUT", 5)
    with pytest.raises(StoreUnavailable):
        BlobStore(parse(azblob), service=service).append("shop", 1, b"x")
    assert watched.seen == ["PUT"]
    assert broken_wire.lost == 1


def test_the_tail_costs_one_listing_however_long_the_log_is(azblob: str, azurite_port: int) -> None:
    writer = BlobKind().open(azblob)
    for seq in range(1, 203):
        assert writer.append("shop", seq, b"x")
    for page, after, listings in (
        (None, 202, 1),
        (None, 201, 1),
        (None, 198, 2),
        (None, 150, 2),
        (None, 0, 3),
        (2, 198, 50 + 2),
        (7, 0, 15 + 15 + 1),
    ):
        watched = Watched()
        service = clients.new_service("", connection_string(azurite_port), transport=watched)
        store = BlobStore(parse(azblob), page=page, service=service)
        assert [entry.seq for entry in store.read("shop", after)] == list(range(after + 1, 203))
        assert watched.seen.count("list") == listings
        assert watched.seen.count("GET") == 202 - after


def test_the_stores_own_clock_stands_beside_each_entry(azblob: str) -> None:
    store = BlobKind().open(azblob)
    before = time.time()
    assert store.append("shop", 1, b"a")
    assert before - 2 <= store.read("shop", 0)[0].at <= time.time() + 2


def test_a_container_without_prefix_holds_logs_as_well(azblob: str) -> None:
    url = azblob.replace("/state", "")
    assert BlobKind().open(url).append("shop", 1, b"a")
    assert [entry.body for entry in open_by_url(url).read("shop", 0)] == [b"a"]
    assert BlobKind().open(azblob).read("shop", 0) == []


def test_other_blobs_beside_the_entries_are_no_entries(azblob: str, azurite_port: int) -> None:
    store = BlobKind().open(azblob)
    assert store.append("shop", 1, b"a")
    container = clients.new_service("", connection_string(azurite_port)).get_container_client(parse(azblob).container)
    for name in ("readme", "2", "0000000000002", "000000000002.json", "000000000002/1"):
        container.upload_blob(f"state/shop/{name}", b"?")
    assert [entry.seq for entry in store.read("shop", 0)] == [1]


@pytest.mark.parametrize("gone", [1, 3])
def test_an_entry_that_somebody_deleted_makes_the_log_unreadable_not_shorter(
    azblob: str, azurite_port: int, gone: int
) -> None:
    store = BlobKind().open(azblob)
    for seq in range(1, 6):
        assert store.append("shop", seq, b"x")
    container = clients.new_service("", connection_string(azurite_port)).get_container_client(parse(azblob).container)
    container.delete_blob(f"state/shop/{gone:012d}")
    with pytest.raises(StoreUnavailable, match=f"Entry {gone} .* is not in azblob://"):
        store.read("shop", 0)
    assert not store.append("shop", gone + 1, b"y"), "behind the hole nothing is written"


# ---- two writers


def _open(url: str, said: str, _turn: int) -> BlobStore:
    """The pause falls between the check and the write."""
    return BlobStore(parse(url), service=clients.new_service("", said, transport=Watched(pause_seconds=0.03)))


@pytest.mark.timeout(1500 if FULL else 120)
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(
    azblob: str, azurite_port: int
) -> None:
    race(partial(_open, azblob, connection_string(azurite_port)), RACES)


# ---- what does not answer


def test_a_port_where_nobody_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clients.CONNECTION_STRING, connection_string(1))
    with pytest.raises(StoreUnavailable) as raised:
        BlobKind().open(URL)
    assert f"azblob://{ACCOUNT}/cloudfail/shop does not answer" in raised.value.happened
    assert "Nothing is changed" in raised.value.true_now
    assert "az storage container show" in raised.value.to_do


def test_a_service_that_takes_the_request_and_is_silent_is_unavailable_in_time() -> None:
    with silence() as port:
        service = clients.new_service("", connection_string(port), read_timeout=0.3)
        store = BlobStore(parse(URL), service=service)
        for call in (lambda: store.read("shop", 0), lambda: store.append("shop", 1, b"a")):
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable, match="timed out"):
                call()
            assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(503, "ServerBusy"), "503"),
        (refusal(500, "OperationTimedOut"), "500"),
        (refusal(429, "TooManyRequests"), "429"),
        (refusal(401, "InvalidAuthenticationInfo"), "az login"),
        (refusal(403, "AuthenticationFailed"), "az login"),
        (refusal(403, "AuthorizationPermissionMismatch"), "Storage Blob Data Contributor"),
        (refusal(403, "AuthorizationFailure"), "network rules"),
        (refusal(404, "ContainerNotFound"), "az storage container show"),
        ((502, "", b"<html>"), "502"),
        ((200, "", b"<html>a captive portal"), "does not answer"),
        ((200, "", b"<html></html>"), "does not answer"),
    ],
)
def test_what_answers_otherwise_is_unavailable_in_three_sentences(answer: tuple[int, str, bytes], said: str) -> None:
    """A stand-in: the emulator never refuses."""
    with pytest.raises(StoreUnavailable) as raised:
        scripted(answer).read("shop", 0)
    error = raised.value
    assert said in str(error)
    assert error.happened
    assert error.true_now
    assert error.to_do


def test_an_entry_that_fails_fails_the_whole_read() -> None:
    """A stand-in: the listing came, and one of the contents did not."""
    for answer in (refusal(503, "ServerBusy"), refusal(404, "BlobNotFound")):
        with pytest.raises(StoreUnavailable):
            scripted(listing(1, 2), answer, answer).read("shop", 0)


@pytest.mark.parametrize("answer", [refusal(500, "InternalError"), refusal(409, "Unheard"), refusal(503, "ServerBusy")])
def test_a_write_whose_outcome_is_not_said_is_unavailable_and_never_a_no(answer: tuple[int, str, bytes]) -> None:
    """A stand-in. "No" would mean that somebody else holds the number."""
    with pytest.raises(StoreUnavailable):
        scripted(answer).append("shop", 1, b"a")


@pytest.mark.parametrize(
    "answer",
    [
        refusal(409, "BlobAlreadyExists"),
        refusal(409, "BlobImmutableDueToPolicy"),
        refusal(403, "UnauthorizedBlobOverwrite"),
        refusal(412, "ConditionNotMet"),
        refusal(412, "LeaseIdMissing"),
    ],
)
def test_whatever_says_that_the_blob_is_there_says_that_the_number_is_taken(answer: tuple[int, str, bytes]) -> None:
    """A stand-in: locked containers and identities that may only create are not in the emulator."""
    assert not scripted(answer).append("shop", 1, b"a")


def test_a_container_that_is_gone_is_no_log_that_is_empty() -> None:
    """A stand-in: a 404 of the entry before is a gap, a 404 of the container is not."""
    assert not scripted((404, "BlobNotFound", b"")).append("shop", 2, b"a")
    with pytest.raises(StoreUnavailable):
        scripted((404, "ContainerNotFound", b"")).append("shop", 2, b"a")


class _Expired:
    def get_token(self, *scopes: str, **more: Any) -> Any:
        raise CredentialUnavailableError(message="AADSTS700082: The refresh token has expired.\nTrace ID: 1")


def test_expired_credentials_are_unavailable_and_say_how_to_log_in() -> None:
    """A stand-in for the login."""
    service = BlobServiceClient("https://acme.blob.core.windows.net", credential=_Expired(), retry_total=0)
    with pytest.raises(StoreUnavailable, match="refresh token has expired") as raised:
        BlobStore(parse("azblob://acme/cloudfail/shop"), service=service).read("shop", 0)
    assert "az login" in raised.value.to_do


def test_threads_that_ask_at_once_are_given_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clients.CONNECTION_STRING, connection_string(2))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(clients.service("https://x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({id(service) for service in found}) == 1
    assert len(found) == 8


def test_without_a_connection_string_the_accounts_own_endpoint_is_asked_with_the_environments_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(clients.CONNECTION_STRING, raising=False)
    for url, host in (
        ("azblob://acme/cloudfail", "acme.blob.core.windows.net"),
        (
            "azblob://acme/cloudfail?endpoint=https://acme.blob.core.usgovcloudapi.net/",
            "acme.blob.core.usgovcloudapi.net",
        ),
    ):
        service = clients.service(parse(url).endpoint)
        assert service.primary_hostname == host
        assert type(service.credential).__name__ == "DefaultAzureCredential"


# ---- where it lives


@pytest.mark.parametrize(
    ("url", "regions"),
    [
        ("azblob://acme/cloudfail/shop?region=westeurope", ("westeurope",)),
        ("azblob://acme/cloudfail?region=eastus2", ("eastus2",)),
        ("azblob://acme/cloudfail/a/b", None),
        (
            "azblob://acme/cloudfail?region=usgovvirginia&endpoint=https://acme.blob.core.usgovcloudapi.net",
            ("usgovvirginia",),
        ),
    ],
)
def test_the_url_says_where_the_account_lives(url: str, regions: tuple[str, ...] | None) -> None:
    assert store_kind(url).place(url) == StorePlace("azure", regions)


@pytest.mark.parametrize(
    "url",
    [
        "azblob:",
        "azblob://acme",
        "azblob:///cloudfail",
        "azblob://Acme/cloudfail",
        "azblob://ac/cloudfail",
        "azblob://acme.blob.core.windows.net/cloudfail",
        "azblob://acme/Cloudfail",
        "azblob://acme/cl",
        "azblob://acme/cloud--fail",
        "azblob://acme/cloudfail/a//b",
        "azblob://acme/cloudfail/a./b",
        "azblob://acme/cloudfail/a b",
        "azblob://acme/cloudfail?location=westeurope",
        "azblob://acme/cloudfail?region=",
        "azblob://acme/cloudfail?region=West Europe",
        "azblob://acme/cloudfail?region=west-europe",
        "azblob://acme/cloudfail?region=eastus&region=westus",
        "azblob://acme/cloudfail?endpoint=http://acme.blob.core.windows.net",
        "azblob://acme/cloudfail?endpoint=https://other.blob.core.windows.net",
        "azblob://acme/cloudfail?endpoint=",
        "azblob://acme/cloudfail#eu",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_with_what_to_write(url: str) -> None:
    for call in (BlobKind().place, BlobKind().open):
        with pytest.raises(Refused) as raised:
            call(url)
        assert raised.value.true_now == "Nothing was read or changed."
        assert raised.value.to_do.startswith("Write ")


def test_a_container_that_is_not_there_is_refused(azblob: str) -> None:
    with pytest.raises(Refused, match="has no container nowhere") as raised:
        BlobKind().open(f"azblob://{ACCOUNT}/nowhere/shop")
    assert f"az storage container create --account-name {ACCOUNT} --name nowhere" in raised.value.to_do


@pytest.mark.parametrize(
    "said",
    [
        connection_string(1).replace(ACCOUNT, "other"),
        "UseDevelopmentStorage=true",
        "BlobEndpoint=https://other.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x",
        "rubbish",
    ],
)
def test_a_connection_string_of_another_account_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clients.CONNECTION_STRING, said)
    with pytest.raises(Refused, match="is for the account") as raised:
        BlobKind().open(URL)
    assert f"Unset {clients.CONNECTION_STRING}" in raised.value.to_do


def test_a_connection_string_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clients.CONNECTION_STRING, f"AccountName={ACCOUNT};;nonsense")
    with pytest.raises(Refused, match="cannot be read"):
        BlobKind().open(URL)


def test_a_shared_access_signature_of_the_account_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"BlobEndpoint=https://{ACCOUNT}.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x"
    monkeypatch.setenv(clients.CONNECTION_STRING, said)
    assert BlobStore(parse(URL)).where.account == ACCOUNT


# ---- names


def test_saying_where_it_lives_loads_no_vendors_library() -> None:
    code = (
        "import sys; before = {*sys.modules}; from cloudfail_azure import store, errors, clients; "
        "store.BlobKind().place('azblob://acme/cloudfail?region=westeurope'); print(*sys.modules.keys() - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"azure", "requests", "msal"} & {module.split(".")[0] for module in loaded.split()}
