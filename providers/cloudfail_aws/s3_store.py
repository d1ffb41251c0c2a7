"""The log in an S3 bucket: an object per entry, PREFIX/<log>/<number, twelve digits>.

Why no entry is written twice: the put carries If-None-Match: *, so S3 stores it only where no object of that key is.

Why there is never a gap: entry n is put only after n - 1 was seen to stand; S3 is strongly consistent, and entries are
never deleted, so it still stands when the put arrives. (No rule of the bucket may delete what is under the prefix.)

A bucket lives in one region, and its replicas lag behind: the region must be one that nobody evacuates.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from cloudfail.errors import Conflict, Refused, StoreUnavailable
from cloudfail.ports import StoredEntry
from cloudfail.stores.object_names import folder_of, name_of, number_of
from cloudfail_aws.attempts import CALL_SECONDS, Unanswered, ask, deadline
from cloudfail_aws.clients import Clients
from cloudfail_aws.errors import code_of, status_of
from cloudfail_aws.gaps import without_gap
from cloudfail_aws.store import S3Place

GETS_AT_ONCE = 8
KEYS_PER_PAGE = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class _Listed:
    seq: int
    at: float


class S3Store:
    """Fulfils `ports.Store`; safe to share between threads. `at` is S3's own LastModified, in whole seconds."""

    def __init__(
        self,
        place: S3Place,
        clients: Clients,
        *,
        keys_per_page: int = KEYS_PER_PAGE,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self.name = f"s3://{place.bucket}/{place.prefix}".rstrip("/")
        self._place = place
        self._clients = clients
        self._keys_per_page = keys_per_page
        self._call_seconds = call_seconds
        self._check_bucket()

    def read(self, log: str, after: int) -> list[StoredEntry]:
        listed = without_gap(lambda last: self._look(log, last), max(0, after))
        if not listed:
            return []
        # An object that was listed and is not there was deleted: that is an error, never a shorter log.
        with ThreadPoolExecutor(min(GETS_AT_ONCE, len(listed)), thread_name_prefix="cloudfail-s3") as threads:
            waiting = [threads.submit(self._get, log, entry) for entry in listed]
            try:
                return [got.result() for got in waiting]
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def append(self, log: str, seq: int, body: bytes) -> bool:
        if seq < 1:
            return False
        until = deadline(self._call_seconds)
        if seq > 1 and not self._stands(log, seq - 1, until):
            return False
        try:
            self._ask(
                lambda client: client.put_object(
                    Bucket=self._place.bucket, Key=self._key(log, seq), Body=body, IfNoneMatch="*"
                ),
                until,
            )
        except Conflict:
            return False
        return True

    # ---- objects

    def _key(self, log: str, seq: int) -> str:
        return name_of(self._place.prefix, log, seq)

    def _stands(self, log: str, seq: int, until: float) -> bool:
        def head(client: Any) -> bool:
            try:
                client.head_object(Bucket=self._place.bucket, Key=self._key(log, seq))
            except ClientError as error:
                if status_of(error) == 404:
                    return False
                raise
            return True

        return self._ask(head, until)

    def _look(self, log: str, after: int) -> list[_Listed]:
        folder = folder_of(self._place.prefix, log)
        # The digits' order is the numbers' order.
        where: dict[str, Any] = {"StartAfter": self._key(log, after)}
        found: list[_Listed] = []
        while True:
            page = self._page(folder, where)
            for item in page.get("Contents", []):
                number = number_of(item["Key"], folder)
                if number is not None:
                    found.append(_Listed(number, item["LastModified"].timestamp()))
            if not page.get("IsTruncated"):
                return found
            where = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, folder: str, where: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask(
            lambda client: client.list_objects_v2(
                Bucket=self._place.bucket, Prefix=folder, MaxKeys=self._keys_per_page, **where
            ),
            deadline(self._call_seconds),
        )
        return answer

    def _get(self, log: str, entry: _Listed) -> StoredEntry:
        body: bytes = self._ask(
            lambda client: client.get_object(Bucket=self._place.bucket, Key=self._key(log, entry.seq))["Body"].read(),
            deadline(self._call_seconds),
        )
        return StoredEntry(entry.seq, body, entry.at)

    # ---- asking

    def _ask(self, request: Callable[[Any], T], until: float) -> T:
        try:
            return self._answer(request, until)
        except Unanswered as error:
            raise self._unavailable(error) from error

    def _answer(self, request: Callable[[Any], T], until: float) -> T:
        region = self._place.region
        return ask(lambda name: request(self._clients.get("s3", name, self._place.role)), (region,), until=until)[1]

    def _unavailable(self, error: Unanswered) -> StoreUnavailable:
        see = f"aws s3api head-bucket --bucket {self._place.bucket} --region {self._place.region}"
        return error.unavailable(self.name, "s3", see)

    # ---- opening

    def _check_bucket(self) -> None:
        bucket, region = self._place.bucket, self._place.region
        try:
            answer = self._answer(lambda client: client.head_bucket(Bucket=bucket), deadline(self._call_seconds))
        except Unanswered as error:
            failure = error.failures[region]
            self._check_region(_headers(failure))
            if code_of(failure) in {"404", "NoSuchBucket"}:
                where = "" if region == "us-east-1" else f" --create-bucket-configuration LocationConstraint={region}"
                raise Refused(
                    f"There is no bucket {bucket}.",
                    "Nothing was read or changed.",
                    f"Create it: aws s3api create-bucket --bucket {bucket} --region {region}{where}",
                ) from error
            raise self._unavailable(error) from error
        # The SDK follows a bucket to its region by itself.
        self._check_region(answer["ResponseMetadata"]["HTTPHeaders"])

    def _check_region(self, headers: dict[str, str]) -> None:
        lives_in = headers.get("x-amz-bucket-region", self._place.region)
        if lives_in != self._place.region:
            raise Refused(
                f"The bucket {self._place.bucket} lives in {lives_in}, not in {self._place.region}.",
                "Nothing was read or changed.",
                f"Write `state: {self.name}?region={lives_in}`, if nobody evacuates {lives_in}.",
            )


def _headers(error: Exception) -> dict[str, str]:
    if not isinstance(error, ClientError):
        return {}
    headers: dict[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers
