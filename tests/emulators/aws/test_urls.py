"""What the `state:` line may say of AWS, without a call and without the SDK."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cloudfail.errors import Refused
from cloudfail.ports import StorePlace
from cloudfail.stores import open_store, store_kind

DYNAMODB = [
    "dynamodb:",
    "dynamodb://",
    "dynamodb:cloudfail?region=eu-central-1",
    "dynamodb://ab?region=eu-central-1",
    "dynamodb://cloud fail?region=eu-central-1",
    "dynamodb://cloudfail/orders?region=eu-central-1",
    "dynamodb://cloudfail",
    "dynamodb://cloudfail?region=",
    "dynamodb://cloudfail?region",
    "dynamodb://cloudfail?region=Frankfurt",
    "dynamodb://cloudfail?region=eu-central-1a",
    "dynamodb://cloudfail?region=eu-central-1,eu-west-1",
    "dynamodb://cloudfail?region=eu-central-1&region=eu-west-1",
    "dynamodb://cloudfail?region=eu-central-1&regions=us-east-1,us-east-2",
    "dynamodb://cloudfail?region=eu-central-1&table=x",
    "dynamodb://cloudfail?region=eu-central-1#x",
    "dynamodb://cloudfail?regions=us-east-1",
    "dynamodb://cloudfail?regions=us-east-1,us-east-1",
    "dynamodb://cloudfail?regions=us-east-1,,us-east-2",
    "dynamodb://cloudfail?regions=us-east-1,us-east-2,us-west-2,eu-central-1",
    "dynamodb://[cloudfail?region=eu-central-1",
    "dynamodb://user@cloudfail?region=eu-central-1",
]
S3 = [
    "s3:",
    "s3:///state?region=eu-central-1",
    "s3://Shop?region=eu-central-1",
    "s3://shop",
    "s3://shop?region=europe",
    "s3://shop?regions=us-east-1,us-east-2",
    "s3://shop--use1-az4--x-s3?region=us-east-1",
    "s3://mfzwi23gnjvgw.mrap?region=us-east-1",
    "s3://arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap?region=us-east-1",
    "s3://shop/a//b?region=eu-central-1",
    "s3://shop/a/../b?region=eu-central-1",
    "s3://shop/a%20b?region=eu-central-1",
]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("dynamodb://cloudfail?region=eu-central-1", StorePlace("aws", ("eu-central-1",))),
        ("dynamodb://Cloud_fail.1?region=us-gov-west-1", StorePlace("aws", ("us-gov-west-1",))),
        ("dynamodb://cloudfail?regions=us-east-1,us-east-2,us-west-2", StorePlace("aws", ())),
        ("dynamodb://cloudfail?regions=us-east-1,us-east-2", StorePlace("aws", ())),
        ("s3://shop-cloudfail/state/eu?region=eu-central-1", StorePlace("aws", ("eu-central-1",))),
        ("s3://shop-cloudfail?region=eusc-de-east-1", StorePlace("aws", ("eusc-de-east-1",))),
        (
            "s3://shop-cloudfail/?region=eu-central-1&role=arn:aws:iam::111111111111:role/cloudfail",
            StorePlace("aws", ("eu-central-1",)),
        ),
    ],
)
def test_a_url_says_where_the_store_lives(url: str, place: StorePlace) -> None:
    assert store_kind(url).place(url) == place


@pytest.mark.parametrize("url", [*DYNAMODB, *S3])
def test_a_url_that_cannot_be_read_is_refused_with_what_to_write(url: str) -> None:
    for ask in (store_kind(url).place, open_store):
        with pytest.raises(Refused) as raised:
            ask(url)
        assert raised.value.happened
        assert raised.value.true_now == "Nothing was read or changed."
        assert "Write `state: " in raised.value.to_do


@pytest.mark.parametrize("role", ["", "cloudfail", "arn:aws:iam::111:role/x", "arn:aws:iam::111111111111:user/x"])
def test_a_role_that_is_none_is_refused(role: str) -> None:
    url = f"s3://shop?region=eu-central-1&role={role}"
    with pytest.raises(Refused, match="role") as raised:
        store_kind(url).place(url)
    assert "arn:aws:iam::" in raised.value.to_do


def test_to_say_where_a_store_lives_loads_no_vendor() -> None:
    code = """
import sys
from cloudfail.stores import store_kind
for url in ("dynamodb://cloudfail?region=eu-central-1", "s3://shop/state?region=eu-central-1"):
    assert store_kind(url).place(url).regions == ("eu-central-1",)
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in loaded.split()} & {"boto3", "botocore", "urllib3"}
