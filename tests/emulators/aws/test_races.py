"""Two orchestrators, in two processes, race for the same entries, with a pause between the check and the call."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import Any

import pytest

from cloudfail_aws.clients import Clients
from cloudfail_aws.dynamodb_store import DynamoDBStore
from cloudfail_aws.s3_store import S3Store
from cloudfail_aws.store import dynamodb_place, s3_place
from tests.conformance.races import FULL, race
from tests.emulators.aws.faults import TestClients
from tests.emulators.aws.tables import (
    BUCKET_URL,
    TABLE_URL,
    US,
    create_bucket,
    create_global_table,
    create_table,
    described,
)

RACES = 1_000 if FULL else 60
PAUSE_SECONDS = 0.03
"""Longer than what one process may be slower than the other, or the same one wins every race."""


class _PausingTable(DynamoDBStore):
    def _stands(self, log: str, seq: int, until: float) -> bool:
        stands = super()._stands(log, seq, until)
        time.sleep(random.uniform(0, PAUSE_SECONDS))
        return stands


class _PausingBucket(S3Store):
    def _stands(self, log: str, seq: int, until: float) -> bool:
        stands = super()._stands(log, seq, until)
        time.sleep(random.uniform(0, PAUSE_SECONDS))
        return stands


def _open(where: str, turn: int) -> DynamoDBStore | S3Store:
    if where == "bucket":
        return _PausingBucket(s3_place(BUCKET_URL), Clients())
    if where == "table":
        return _PausingTable(dynamodb_place(TABLE_URL), Clients())
    regions = ",".join(US[turn:] + US[:turn])
    strong = TestClients(amend=described(MultiRegionConsistency="STRONG"))
    return _PausingTable(dynamodb_place(f"dynamodb://cloudfail?regions={regions}"), strong)


@pytest.mark.timeout(1500 if FULL else 120)
@pytest.mark.parametrize("where", ["table", "global table", "bucket"])
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(sdk: Any, where: str) -> None:
    if where == "bucket":
        create_bucket(sdk)
    elif where == "table":
        create_table(sdk)
    else:
        create_global_table(sdk)
    race(partial(_open, where), RACES)
