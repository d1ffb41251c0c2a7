"""Tables and buckets as an operator creates them, and stores over them."""

from __future__ import annotations

from typing import Any

from cloudfail_aws.clients import Clients
from cloudfail_aws.dynamodb_store import DynamoDBStore
from cloudfail_aws.s3_store import S3Store
from cloudfail_aws.store import dynamodb_place, s3_place

REGION = "eu-central-1"
US = ("us-east-1", "us-east-2", "us-west-2")
TABLE_URL = f"dynamodb://cloudfail?region={REGION}"
GLOBAL_URL = f"dynamodb://cloudfail?regions={','.join(US)}"
BUCKET_URL = f"s3://shop-cloudfail/state?region={REGION}"


def create_table(
    sdk: Any, region: str = REGION, *, key: tuple[str, str, str] = ("log", "seq", "N"), **more: Any
) -> None:
    partition, sort, typed = key
    sdk("dynamodb", region).create_table(
        TableName="cloudfail",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": partition, "AttributeType": "S"},
            {"AttributeName": sort, "AttributeType": typed},
        ],
        KeySchema=[
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ],
        **more,
    )


def create_global_table(sdk: Any, regions: tuple[str, ...] = US) -> None:
    create_table(sdk, regions[0])
    sdk("dynamodb", regions[0]).update_table(
        TableName="cloudfail", ReplicaUpdates=[{"Create": {"RegionName": region}} for region in regions[1:]]
    )


def create_bucket(sdk: Any, region: str = REGION) -> None:
    sdk("s3", region).create_bucket(Bucket="shop-cloudfail", CreateBucketConfiguration={"LocationConstraint": region})


def dynamodb(url: str = TABLE_URL, clients: Clients | None = None, **options: Any) -> DynamoDBStore:
    return DynamoDBStore(dynamodb_place(url), clients or Clients(), **options)


def s3(url: str = BUCKET_URL, clients: Clients | None = None, **options: Any) -> S3Store:
    return S3Store(s3_place(url), clients or Clients(), **options)


def described(**fields: Any) -> dict[str, Any]:
    """The amendment of DescribeTable's answer: fields of the table that the emulator does not know."""

    def amend(parsed: dict[str, Any], **_event: Any) -> None:
        parsed.setdefault("Table", {}).update(fields)

    return {"after-call.dynamodb.DescribeTable": amend}
