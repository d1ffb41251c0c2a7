"""What the `state:` line may say of AWS, and where that lives. No vendor library here: `open` brings it.

    dynamodb://cloudfail?region=eu-central-1                    a table in one region that nobody evacuates
    dynamodb://cloudfail?regions=us-east-1,us-east-2,us-west-2  a global table that is strongly consistent across them
    s3://shop-cloudfail/state?region=eu-central-1               objects under a prefix of a bucket

`&role=ARN` after either: the role that is assumed for it, where state has an account of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from cloudfail.errors import Refused
from cloudfail.ports import Store, StorePlace

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]+")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_*'()-][A-Za-z0-9!_.*'()-]*(/[A-Za-z0-9!_*'()-][A-Za-z0-9!_.*'()-]*)*")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
# What is no bucket of one region, by the endings that S3 keeps for it: one zone; a point of many regions, whose buckets
# are copied to each other at leisure.
_NOT_ONE_REGION = ("--x-s3", "--xa-s3", ".mrap")

REGIONS_OF_ONE_TABLE = (2, 3)
"""A strongly consistent global table has three replicas, or two and a witness."""

WRITE_DYNAMODB = "Write `state: dynamodb://TABLE?region=REGION`, or `?regions=REGION,REGION,REGION` for a global table."
WRITE_S3 = "Write `state: s3://BUCKET/PREFIX?region=REGION`."


@dataclass(frozen=True)
class DynamoDBPlace:
    """A table, and the regions that are asked, in this order. spans: whether it is to outlive each of them."""

    table: str
    regions: tuple[str, ...]
    spans: bool
    role: str


@dataclass(frozen=True)
class S3Place:
    """A bucket, what keys begin with ("" or no slash at its end), and its region."""

    bucket: str
    prefix: str
    region: str
    role: str


class DynamoDBKind:
    """Fulfils `ports.StoreKind` for `dynamodb:`."""

    def place(self, url: str) -> StorePlace:
        said = dynamodb_place(url)
        return StorePlace("aws", () if said.spans else said.regions)

    def open(self, url: str) -> Store:
        said = dynamodb_place(url)
        from cloudfail_aws.clients import Clients
        from cloudfail_aws.dynamodb_store import DynamoDBStore

        return DynamoDBStore(said, Clients())


class S3Kind:
    """Fulfils `ports.StoreKind` for `s3:`."""

    def place(self, url: str) -> StorePlace:
        return StorePlace("aws", (s3_place(url).region,))

    def open(self, url: str) -> Store:
        said = s3_place(url)
        from cloudfail_aws.clients import Clients
        from cloudfail_aws.s3_store import S3Store

        return S3Store(said, Clients())


def dynamodb_place(url: str) -> DynamoDBPlace:
    """What the URL says. Raises Refused."""
    table, path, query = _split(url, ("region", "regions", "role"), WRITE_DYNAMODB)
    if not _TABLE.fullmatch(table) or path.strip("/"):
        raise _refused(f"{url!r} names no table of DynamoDB.", WRITE_DYNAMODB)
    if ("region" in query) == ("regions" in query):
        raise _refused(f"{url!r} must say either region= or regions=.", WRITE_DYNAMODB)
    if "region" in query:
        return DynamoDBPlace(table, (_region(query["region"], url, WRITE_DYNAMODB),), False, _role(query, url))
    regions = tuple(_region(region, url, WRITE_DYNAMODB) for region in query["regions"].split(","))
    if len(set(regions)) != len(regions):
        raise _refused(f"{url!r} names a region twice.", WRITE_DYNAMODB)
    if len(regions) not in REGIONS_OF_ONE_TABLE:
        raise _refused(
            f"{url!r} names {len(regions)} region{'' if len(regions) == 1 else 's'}; "
            "a strongly consistent global table has three replicas, or two and a witness.",
            WRITE_DYNAMODB,
        )
    return DynamoDBPlace(table, regions, True, _role(query, url))


def s3_place(url: str) -> S3Place:
    """What the URL says. Raises Refused."""
    bucket, path, query = _split(url, ("region", "role"), WRITE_S3)
    if not _BUCKET.fullmatch(bucket):
        raise _refused(f"{url!r} names no bucket of S3.", WRITE_S3)
    if bucket.endswith(_NOT_ONE_REGION):
        raise _refused(f"{bucket} is no bucket of one region, whose last word everybody sees.", WRITE_S3)
    prefix = path.strip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise _refused(
            f"The prefix {prefix!r} is none: letters, digits and !_.*'()- between single slashes, no name with a dot "
            "first.",
            WRITE_S3,
        )
    if "region" not in query:
        raise _refused(f"{url!r} does not say which region the bucket is in.", WRITE_S3)
    return S3Place(bucket, prefix, _region(query["region"], url, WRITE_S3), _role(query, url))


def _split(url: str, known: tuple[str, ...], write: str) -> tuple[str, str, Mapping[str, str]]:
    try:
        parts = urlsplit(url)
        said = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _refused(f"{url!r} cannot be read ({error}).", write) from error
    query = dict(said)
    if len(query) != len(said):
        raise _refused(f"{url!r} says something twice.", write)
    if parts.fragment or (unknown := sorted(set(query) - set(known))):
        what = f"#{parts.fragment}" if parts.fragment else f"{unknown[0]}="
        raise _refused(f"{url!r} says {what}, which means nothing here.", write)
    return parts.netloc, parts.path, query


def _region(name: str, url: str, write: str) -> str:
    if not _REGION.fullmatch(name):
        raise _refused(f"{name!r} in {url!r} is no region of AWS, such as eu-central-1.", write)
    return name


def _role(query: Mapping[str, str], url: str) -> str:
    role = query.get("role", "")
    if "role" in query and not _ROLE.fullmatch(role):
        raise _refused(
            f"{role!r} in {url!r} is no role.", "Write role=arn:aws:iam::ACCOUNT:role/NAME, or leave it out."
        )
    return role


def _refused(happened: str, to_do: str) -> Refused:
    return Refused(happened, "Nothing was read or changed.", to_do)
