"""Google Cloud Storage: each entry is one object, created once and never changed.

Why an entry is never written twice: an upload with `ifGenerationMatch=0` succeeds only where no object of that name is
live, and Cloud Storage decides that in one place for the whole bucket, whatever its location.

Why there is never a gap: entry n is uploaded only after entry n - 1 was seen to stand. Nobody deletes entries, so what
stood then stands when the upload lands, however late; and by the same argument all smaller numbers stand. That is why a
bucket with a lifecycle rule that could delete them is refused.

Why a read is never a prefix with a hole, and never stale: listings are strongly consistent, entries appear in the order
of their numbers, and pages are read in the order of names; a number that is missing nonetheless is an error.

A bucket in several regions answers on when one of them is lost, but copies an object's content to the others only
within minutes to hours, and what was not yet copied cannot be read until the region is back ("Data availability and
durability"). The newest entries are the ones that a take-over needs. So an entry is kept in its object's metadata as
well, packed, wherever it fits, and a read takes it from the listing. Metadata is what a listing is answered from, and
listings stay consistent in such an outage; that it is therefore readable then is our conclusion, which Google does not
promise in those words. It spares a request for each entry in any case.

    gs://BUCKET/PREFIX?location=eur4
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, StoreUnavailable
from cloudfail.ports import Store, StoredEntry, StorePlace
from cloudfail.stores.object_names import folder_of, name_of, number_of
from cloudfail_gcp import clients, store_errors
from cloudfail_gcp.errors import Classified

if TYPE_CHECKING:
    import requests

TIMEOUT_SECONDS = (2.0, 5.0)
"""To connect, and between two bytes of an answer."""

PAGE = 500
READERS = 8
_PAGES_MAX = 10_000

# Custom metadata may hold 8 KiB for each object, and 4 KiB in one value ("Quotas and limits").
_COPY_KEYS = ("cloudfail-z0", "cloudfail-z1")
COPY_VALUE_MAX = 3_900

_WRITE = "Write `state: gs://BUCKET/PREFIX?location=LOCATION`, as in gs://acme-cloudfail/shop?location=eur4."
_UNTOUCHED = "Nothing was read or changed."
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
_DUAL_REGION = re.compile(r"[a-z]{3,4}[0-9]{1,2}")
_MULTI_REGIONS = frozenset({"asia", "eu", "us"})


@dataclass(frozen=True)
class Where:
    """What a URL says. location: "" if it does not say."""

    bucket: str
    prefix: str
    location: str

    @property
    def several_regions(self) -> bool:
        return self.location in _MULTI_REGIONS or _DUAL_REGION.fullmatch(self.location) is not None

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.prefix}".rstrip("/")


def parse(url: str) -> Where:
    """Raises Refused with what to write instead."""
    parts = urlsplit(url)
    if not _BUCKET.fullmatch(parts.netloc):
        raise Refused(f"{url} names no bucket: {parts.netloc!r} cannot be one.", _UNTOUCHED, _WRITE)
    if parts.fragment:
        raise Refused(f"{url} has a part behind #, which means nothing here.", _UNTOUCHED, _WRITE)
    prefix = parts.path.strip("/")
    if prefix and not re.fullmatch(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*", prefix):
        raise Refused(
            f"{prefix!r} cannot be the prefix of a log's objects.",
            _UNTOUCHED,
            "Write letters, digits, '-', '_', '=' and '.', in parts that are separated by one '/'.",
        )
    said = parse_qsl(parts.query, keep_blank_values=True)
    for name, _ in said:
        if name != "location":
            raise Refused(f"{url} says {name}=, which is not known here.", _UNTOUCHED, _WRITE)
    if len(said) > 1:
        raise Refused(f"{url} says location= twice.", _UNTOUCHED, _WRITE)
    where = Where(parts.netloc, prefix, said[0][1].lower() if said else "")
    if said and not where.several_regions and not _REGION.fullmatch(where.location):
        raise Refused(
            f"{said[0][1]!r} is no location of Cloud Storage.",
            _UNTOUCHED,
            "Write a multi-region (eu, us, asia), a dual-region (eur4, nam4 …) or a region (europe-west3 …).",
        )
    return where


class CloudStorageKind:
    """Fulfils `ports.StoreKind` for `gs:`."""

    def place(self, url: str) -> StorePlace:
        where = parse(url)
        if not where.location:
            return StorePlace("gcp", None)
        return StorePlace("gcp", () if where.several_regions else (where.location,))

    def open(self, url: str) -> Store:
        store = CloudStorageStore(parse(url))
        store.check_bucket()
        return store


class CloudStorageStore:
    """Fulfils `ports.Store`; threads may share it. page: entries that are listed at a time. readers: requests at a time
    for entries that did not fit into the metadata. copy_value_max: what fits there. session: instead of the process's
    own."""

    def __init__(
        self,
        where: Where,
        *,
        page: int = PAGE,
        readers: int = READERS,
        copy_value_max: int = COPY_VALUE_MAX,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
        session: requests.Session | None = None,
    ) -> None:
        import google.auth.transport.requests  # noqa: F401  said at once, not at the first append at night

        self.where = where
        self._page = page
        self._readers = readers
        self._copy_value_max = copy_value_max
        self._timeout_seconds = timeout_seconds
        self._session = session
        self._endpoint = clients.storage_endpoint()
        self._failures = clients.failures()

    def check_bucket(self) -> None:
        """Raises Refused if the bucket is not there, is not where the URL says, or deletes by itself."""
        answer = self._request("GET", self._url())
        if answer.status_code == 404:
            raise Refused(
                f"There is no bucket {self.where.bucket}.",
                _UNTOUCHED,
                f"Make it: gcloud storage buckets create gs://{self.where.bucket} "
                f"--location={self.where.location or 'LOCATION'}",
            )
        bucket = self._json(answer)
        self._check_location(str(bucket.get("location", "")).lower(), str(bucket.get("locationType", "")))
        for rule in bucket.get("lifecycle", {}).get("rule", ()):
            if _may_delete(rule, self.where.prefix):
                raise Refused(
                    f"The bucket {self.where.bucket} deletes objects by a lifecycle rule, and so would lose entries.",
                    _UNTOUCHED,
                    "Limit the rule by matchesPrefix to other objects, or take it away: "
                    f"gcloud storage buckets update gs://{self.where.bucket} --clear-lifecycle",
                )

    def _check_location(self, real: str, kind: str) -> None:
        said = self.where.location
        if not said:
            return
        if real != said:
            raise Refused(
                f"The bucket {self.where.bucket} lies in {real}, not in {said}.",
                _UNTOUCHED,
                f"Write location={real}, or name a bucket in {said}.",
            )
        if self.where.several_regions != (kind in {"multi-region", "dual-region"}):
            raise Refused(
                f"The bucket {self.where.bucket} is of the type {kind}, which does not go with location={said}.",
                _UNTOUCHED,
                f"Leave location= out: what {said} means is not known here.",
            )

    def read(self, log: str, after: int) -> list[StoredEntry]:
        after = max(0, after)
        items = self._list(log, after)
        for expected, (seq, _) in enumerate(items, start=after + 1):
            if seq != expected:
                raise StoreUnavailable(
                    f"Entry {expected} of the log {log!r} is not in {self.where}, and a later one is.",
                    "Nothing is changed while the journal cannot be read.",
                    "Find out who deleted it, and whether a version is left: "
                    f"gcloud storage ls -a gs://{self.where.bucket}/{self._name(log, expected)}",
                )
        bodies = [_unpacked(item.get("metadata")) for _, item in items]
        missing = [index for index, body in enumerate(bodies) if body is None]
        names = [self._name(log, items[index][0]) for index in missing]
        for index, content in zip(missing, self._contents(names), strict=True):
            bodies[index] = content
        return [
            StoredEntry(seq, body, _wall(item.get("timeCreated")))
            for (seq, item), body in zip(items, bodies, strict=True)
            if body is not None
        ]

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1 or (seq > 1 and not self._stands(self._name(log, seq - 1))):
            return False
        name = self._name(log, seq)
        boundary = secrets.token_hex(16)
        described = json.dumps(
            {"name": name, "contentType": "application/json", "metadata": _packed(body, self._copy_value_max)}
        ).encode()
        answer = self._request(
            "POST",
            f"{self._endpoint}/upload/storage/v1/b/{quote(self.where.bucket)}/o",
            params={"uploadType": "multipart", "ifGenerationMatch": "0", "fields": "generation"},
            headers={"Content-Type": f"multipart/related; boundary={boundary}"},
            data=b"".join(
                (
                    f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
                    described,
                    f"\r\n--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode(),
                    body,
                    f"\r\n--{boundary}--\r\n".encode(),
                )
            ),
        )
        if answer.status_code == 200:
            self._written(answer)
            return True
        refusal = self._classified(answer)
        if isinstance(refusal, Conflict):
            return False
        # An identity that may create and not delete is the one to give; it is refused an overwrite before, or instead
        # of, the condition. What is there is then somebody's entry, and what is not was not allowed at all.
        if answer.status_code == 403 and self._stands(name):
            return False
        raise self._unavailable(refusal)

    # ---- requests

    def _list(self, log: str, after: int) -> list[tuple[int, Mapping[str, Any]]]:
        folder = folder_of(self.where.prefix, log)
        params = {
            "prefix": folder,
            "startOffset": self._name(log, after + 1),
            "endOffset": f"{folder}:",  # ':' is the character behind '9'
            "maxResults": str(self._page),
            "fields": "nextPageToken,items(name,timeCreated,metadata)",
        }
        found: list[tuple[int, Mapping[str, Any]]] = []
        for _ in range(_PAGES_MAX):
            page = self._json(self._request("GET", self._url("o"), params=params))
            for item in page.get("items", ()):
                number = number_of(str(item["name"]), folder)
                if number is not None:
                    found.append((number, item))
            if not page.get("nextPageToken"):
                return found
            params["pageToken"] = page["nextPageToken"]
        raise self._unavailable(OutcomeUnknown(f"the listing has no end after {_PAGES_MAX} pages"))

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
        answer = self._request("GET", self._url("o", name), params={"alt": "media"})
        if answer.status_code != 200:
            raise self._unavailable(self._classified(answer))
        return answer.content

    def _stands(self, name: str) -> bool:
        answer = self._request("GET", self._url("o", name), params={"fields": "generation"})
        if answer.status_code not in {200, 404}:
            raise self._unavailable(self._classified(answer))
        return answer.status_code == 200

    def _request(self, method: str, url: str, **more: Any) -> requests.Response:
        try:
            session = self._session or clients.session(self._endpoint)
            return session.request(method, url, timeout=self._timeout_seconds, allow_redirects=False, **more)
        except self._failures as error:
            raise self._unavailable(store_errors.from_exception(error, self.where.bucket)) from error

    def _written(self, answer: requests.Response) -> None:
        if "generation" not in self._json(answer):
            raise self._unavailable(OutcomeUnknown("what answered names no object that was written"))

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        if answer.status_code != 200:
            raise self._unavailable(self._classified(answer))
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise self._unavailable(OutcomeUnknown("what answered is not Cloud Storage: it sent no JSON object"))
        return said

    def _classified(self, answer: requests.Response) -> Classified:
        try:
            error = answer.json()["error"]
            reason, message = str(error["errors"][0]["reason"]), str(error["message"])
        except (ValueError, LookupError, TypeError):
            reason, message = "", answer.text[:200]
        return store_errors.from_answer(answer.status_code, reason, message, self.where.bucket)

    def _unavailable(self, error: Classified) -> StoreUnavailable:
        said = error.happened.rstrip(".")
        to_do = error.to_do if isinstance(error, Permanent) else ""
        return StoreUnavailable(
            f"The state store {self.where} does not answer ({said}).",
            "Nothing is changed while the journal cannot be written.",
            to_do or f"See whether it can be reached from here: gcloud storage ls {self.where}/",
        )

    # ---- names

    def _url(self, *parts: str) -> str:
        path = "/".join(quote(part, safe="") for part in (self.where.bucket, *parts))
        return f"{self._endpoint}/storage/v1/b/{path}"

    def _name(self, log: str, seq: int) -> str:
        return name_of(self.where.prefix, log, seq)


def _packed(body: bytes, value_max: int = COPY_VALUE_MAX) -> dict[str, str]:
    """The entry as custom metadata; nothing if it does not fit."""
    text = base64.b64encode(zlib.compress(body, 9)).decode()
    values = [text[start : start + value_max] for start in range(0, len(text), value_max)]
    return dict(zip(_COPY_KEYS, values, strict=False)) if len(values) <= len(_COPY_KEYS) else {}


def _unpacked(metadata: Any) -> bytes | None:
    """None where the entry has to be read from the object's content."""
    if not isinstance(metadata, Mapping) or _COPY_KEYS[0] not in metadata:
        return None
    try:
        return zlib.decompress(base64.b64decode("".join(str(metadata.get(key, "")) for key in _COPY_KEYS)))
    except (binascii.Error, zlib.error):
        return None  # somebody touched it; the content decides, and the chain after it


def _may_delete(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether a lifecycle rule could delete a live object under `prefix`."""
    condition = rule.get("condition", {})
    only_old_versions = condition.get("isLive") is False or any(
        name in condition for name in ("numNewerVersions", "daysSinceNoncurrentTime", "noncurrentTimeBefore")
    )
    if rule.get("action", {}).get("type") != "Delete" or only_old_versions:
        return False
    touched = condition.get("matchesPrefix") or [""]
    ours = f"{prefix}/" if prefix else ""
    return any(ours.startswith(start) or start.startswith(ours) for start in touched)


def _wall(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
