"""Anchors in S3 and DynamoDB, on ministack: also in a bucket under Object Lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulators.anchored import anchored_and_proven, verdict_of
from tests.emulators.aws.tables import BUCKET_URL, REGION, TABLE_URL, create_bucket, create_table

ANCHORS = "acme-anchors"
LOCKED_URL = f"s3://{ANCHORS}/shop?region={REGION}"


def test_anchors_in_a_bucket_prove_the_log(sdk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_bucket(sdk)
    anchored_and_proven(tmp_path, BUCKET_URL, monkeypatch)


def test_anchors_in_a_table_prove_the_log(sdk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_table(sdk)
    anchored_and_proven(tmp_path, TABLE_URL, monkeypatch)


def test_under_object_lock_an_anchor_cannot_be_taken_away_and_one_that_is_hidden_is_missed(
    sdk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sdk("s3", REGION)
    client.create_bucket(
        Bucket=ANCHORS, CreateBucketConfiguration={"LocationConstraint": REGION}, ObjectLockEnabledForBucket=True
    )
    retention = {"Mode": "COMPLIANCE", "Days": 400}
    client.put_object_lock_configuration(
        Bucket=ANCHORS,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
    )
    app = anchored_and_proven(tmp_path, LOCKED_URL, monkeypatch)

    (newest,) = client.list_object_versions(Bucket=ANCHORS, Prefix="shop/shop_2fanchors/000000000002")["Versions"]
    with pytest.raises(ClientError, match=r"AccessDenied|InvalidRequest|locked|retention"):
        client.delete_object(Bucket=ANCHORS, Key=newest["Key"], VersionId=newest["VersionId"])
    client.delete_object(Bucket=ANCHORS, Key=newest["Key"])
    verdict = verdict_of(app)
    assert verdict.state == "broken"
    assert "anchors were taken away" in verdict.problems[0]
    (kept,) = client.list_object_versions(Bucket=ANCHORS, Prefix=newest["Key"])["Versions"]
    assert kept["VersionId"] == newest["VersionId"], "it is hidden, and stands"
