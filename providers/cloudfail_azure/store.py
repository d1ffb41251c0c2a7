"""Azure Blob Storage: each entry is one blob, created once and never changed.

Why an entry is never written twice: it is uploaded with `If-None-Match: *`, which succeeds only where no blob of that
name is, and the account's primary region decides that in one place.

Why there is never a gap: entry n is uploaded only after entry n - 1 was seen to stand. Nobody deletes entries, so what
stood then stands when the upload lands, however late; and by the same argument all smaller numbers stand.

Why a read is never a prefix with a hole, and never stale: listings are strongly consistent in the primary region, and a
number that is missing before a later one is an error. What the tail costs: a listing cannot begin behind a name in
older versions of the service, but names can be listed by how they begin, and all numbers of one hundred begin alike.
Since there is no gap, a hundred that is not full is the last one. So a read lists the hundred of the first entry that
it wants, and the next only after a full one: one request for each hundred entries, whatever the length of the log.

An account lives in its primary region. Whatever its redundancy is called, what is copied to a second region is copied
later (GRS, RA-GRS), so that a failover of the account loses the newest entries: the log lives in one region, and must
stand in one that is not evacuated.

    azblob://ACCOUNT/CONTAINER/PREFIX?region=westeurope
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from cloudfail.errors import Conflict, Permanent, Refused, StoreUnavailable
from cloudfail.ports import Store, StoredEntry, StorePlace
from cloudfail.stores.object_names import folder_of, name_of, number_of
from cloudfail_azure import clients, errors

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

READERS = 8
_HUNDRED = 100

_WRITE = (
    "Write `state: azblob://ACCOUNT/CONTAINER/PREFIX?region=REGION`, as in azblob://acme/cloudfail?region=westeurope."
)
_UNTOUCHED = "Nothing was read or changed."
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")
_PREFIX = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*(/[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*)*")
_REGION = re.compile(r"[a-z]+[0-9]?")


@dataclass(frozen=True)
class Where:
    """What a URL says. region: "" if it does not say. endpoint: of the account."""

    account: str
    container: str
    prefix: str
    region: str
    endpoint: str

    def __str__(self) -> str:
        return f"azblob://{self.account}/{self.container}/{self.prefix}".rstrip("/")


def parse(url: str) -> Where:
    """Raises Refused with what to write instead."""
    parts = urlsplit(url)
    account, (container, _, prefix) = parts.netloc, parts.path.strip("/").partition("/")
    if not _ACCOUNT.fullmatch(account):
        raise Refused(f"{url} names no storage account: {account!r} cannot be one.", _UNTOUCHED, _WRITE)
    if not _CONTAINER.fullmatch(container):
        raise Refused(f"{url} names no container: {container!r} cannot be one.", _UNTOUCHED, _WRITE)
    if parts.fragment:
        raise Refused(f"{url} has a part behind #, which means nothing here.", _UNTOUCHED, _WRITE)
    if prefix and not _PREFIX.fullmatch(prefix):
        raise Refused(
            f"{prefix!r} cannot be the prefix of a log's blobs.",
            _UNTOUCHED,
            "Write letters, digits, '-', '_', '=' and '.' between them, in parts that are separated by one '/'.",
        )
    said: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in {"region", "endpoint"}:
            raise Refused(f"{url} says {name}=, which is not known here.", _UNTOUCHED, _WRITE)
        if name in said:
            raise Refused(f"{url} says {name}= twice.", _UNTOUCHED, _WRITE)
        said[name] = value.rstrip("/")
    region = said.get("region", "")
    if "region" in said and not _REGION.fullmatch(region):
        raise Refused(
            f"{region!r} is no region of Azure.",
            _UNTOUCHED,
            "Write the name that `az account list-locations --query [].name` shows, as in region=westeurope.",
        )
    endpoint = said.get("endpoint", f"https://{account}.blob.core.windows.net")
    if not re.fullmatch(rf"https://{account}\.[a-z0-9.-]+", endpoint):
        raise Refused(
            f"{endpoint!r} is not the endpoint of the account {account}.",
            _UNTOUCHED,
            f"Write it out, as in endpoint=https://{account}.blob.core.usgovcloudapi.net, or leave it out.",
        )
    return Where(account, container, prefix, region, endpoint)


class BlobKind:
    """Fulfils `ports.StoreKind` for `azblob:`."""

    def place(self, url: str) -> StorePlace:
        region = parse(url).region
        return StorePlace("azure", (region,) if region else None)

    def open(self, url: str) -> Store:
        store = BlobStore(parse(url))
        store.check_container()
        return store


class BlobStore:
    """Fulfils `ports.Store`; threads may share it. page: blobs that are listed at a time, the service's own number if
    None. readers: blobs that are read at a time. service: instead of the process's own."""

    def __init__(
        self,
        where: Where,
        *,
        page: int | None = None,
        readers: int = READERS,
        service: BlobServiceClient | None = None,
    ) -> None:
        self.where = where
        self._page = page
        self._readers = readers
        self._failures = clients.failures()
        self._container = (service or _service_for(where)).get_container_client(where.container)

    def check_container(self) -> None:
        """Raises Refused if the container is not there."""
        try:
            self._container.get_container_properties()
        except self._failures as error:
            if errors.code_of(error) == "ContainerNotFound":
                raise Refused(
                    f"The account {self.where.account} has no container {self.where.container}.",
                    _UNTOUCHED,
                    f"Make it: az storage container create --account-name {self.where.account} "
                    f"--name {self.where.container}",
                ) from error
            raise self._unavailable(error) from error

    def read(self, log: str, after: int) -> list[StoredEntry]:
        after = max(0, after)
        found: list[tuple[int, float]] = []
        hundred, full = (after + 1) // _HUNDRED, True
        while full:
            listed = [entry for entry in self._list(log, hundred) if entry[0] > after]
            found += listed
            full = bool(listed) and listed[-1][0] % _HUNDRED == _HUNDRED - 1
            hundred += 1
        for expected, (seq, _) in enumerate(found, start=after + 1):
            if seq != expected:
                raise StoreUnavailable(
                    f"Entry {expected} of the log {log!r} is not in {self.where}, and a later one is.",
                    "Nothing is changed while the journal cannot be read.",
                    "Find out who deleted it, and whether it can be brought back: az storage blob undelete "
                    f"--account-name {self.where.account} --container-name {self.where.container} "
                    f"--name {self._name(log, expected)}",
                )
        bodies = self._contents([self._name(log, seq) for seq, _ in found])
        return [StoredEntry(seq, body, at) for (seq, at), body in zip(found, bodies, strict=True)]

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1 or (seq > 1 and not self._stands(self._name(log, seq - 1))):
            return False
        try:
            self._container.upload_blob(self._name(log, seq), body, overwrite=False)
        except self._failures as error:
            if isinstance(self._classified(error), Conflict):
                return False
            raise self._unavailable(error) from error
        return True

    # ---- requests

    def _list(self, log: str, hundred: int) -> list[tuple[int, float]]:
        """Number and time of the entries of one hundred, in order."""
        folder = folder_of(self.where.prefix, log)
        start = name_of(self.where.prefix, log, 100 * hundred).removesuffix("00")
        found = []
        try:
            for blob in self._container.list_blobs(name_starts_with=start, results_per_page=self._page):
                number = number_of(blob.name, folder)
                if number is not None:
                    found.append((number, blob.creation_time.timestamp() if blob.creation_time else 0.0))
        except self._failures as error:
            raise self._unavailable(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # the client read on in what was no listing
            raise self._unavailable(ValueError("what answered is not Blob Storage")) from error
        return found

    def _contents(self, names: list[str]) -> list[bytes]:
        if len(names) < 2:
            return [self._content(name) for name in names]
        pool = ThreadPoolExecutor(min(self._readers, len(names)))
        try:
            return list(pool.map(self._content, names))
        finally:
            # The first that fails ends the read: those that still wait are not asked for.
            pool.shutdown(cancel_futures=True)

    def _content(self, name: str) -> bytes:
        try:
            return self._container.download_blob(name).readall()
        except self._failures as error:
            raise self._unavailable(error) from error

    def _stands(self, name: str) -> bool:
        try:
            self._container.get_blob_client(name).get_blob_properties()
        except self._failures as error:
            if errors.code_of(error) == "BlobNotFound":
                return False
            raise self._unavailable(error) from error
        return True

    def _classified(self, error: Exception) -> errors.Classified:
        return errors.from_error(error, self.where.account, self.where.container)

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        classified = self._classified(error)
        to_do = classified.to_do if isinstance(classified, Permanent) else ""
        return StoreUnavailable(
            f"The state store {self.where} does not answer ({classified.happened.rstrip('.')}).",
            "Nothing is changed while the journal cannot be written.",
            to_do
            or "See whether it can be reached from here: az storage container show "
            f"--account-name {self.where.account} --name {self.where.container}",
        )

    # ---- names

    def _name(self, log: str, seq: int) -> str:
        return name_of(self.where.prefix, log, seq)


def _service_for(where: Where) -> Any:
    said = clients.connection_string()
    if said and clients.account_of(said) != where.account:
        raise Refused(
            f"{clients.CONNECTION_STRING} is for the account {clients.account_of(said) or '(none)'}, "
            f"and {where} names another.",
            _UNTOUCHED,
            f"Unset {clients.CONNECTION_STRING}, or set it to one of the account {where.account}.",
        )
    try:
        return clients.service(where.endpoint)
    except ValueError as error:
        raise Refused(
            f"{clients.CONNECTION_STRING} cannot be read: {error}",
            _UNTOUCHED,
            f"Set it to what this prints: az storage account show-connection-string --name {where.account}",
        ) from error
