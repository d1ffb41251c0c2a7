"""Two orchestrators, in two processes, race for the same entries, with a pause between the check and the call."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.journal import Journal, TailMoved
from cloudfail.model.journal import Kind
from cloudfail_aws.clients import Clients
from cloudfail_aws.dynamodb_store import DynamoDBStore
from cloudfail_aws.s3_store import S3Store
from cloudfail_aws.store import dynamodb_place, s3_place
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

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
RACES = 1_000 if FULL else 60
RACERS = 2
PAUSE_SECONDS = 0.004


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


def _claims(where: str, turn: int, races: int, start: Barrier) -> None:
    """Claim, as an engine does, each time the log is free. What was acknowledged stands at the end."""
    journal = Journal(_open(where, turn), "shop", SystemClock(), f"w{turn}")
    won: list[Any] = []
    for _ in range(races):
        start.wait(60)
        journal.refresh()
        try:
            claim = journal.append(Kind.CLAIM, {"lease_seconds": 30.0, "quiet_seconds": 0.0}, epoch=journal.seq + 1)
        except TailMoved:
            continue
        assert claim.epoch == claim.seq
        won.append(claim)
    start.wait(60)
    entries = {entry.seq: entry for entry in Journal(journal.store, "shop", SystemClock(), "reader").refresh()}
    assert all(entries[claim.seq] == claim for claim in won), "an acknowledged claim is lost"
    assert len(won) == sum(entry.by == f"w{turn}" for entry in entries.values()), "an entry that nobody won"


@pytest.mark.timeout(1500 if FULL else 120)
@pytest.mark.parametrize("where", ["table", "global table", "bucket"])
def test_two_orchestrators_that_race_for_the_same_entry_have_one_winner_each_time(sdk: Any, where: str) -> None:
    if where == "bucket":
        create_bucket(sdk)
    elif where == "table":
        create_table(sdk)
    else:
        create_global_table(sdk)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(RACERS)
    racers = [context.Process(target=_claims, args=(where, turn, RACES, start)) for turn in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(100 if not FULL else 1400)
    alive = [racer for racer in racers if racer.is_alive()]
    for racer in alive:
        racer.kill()
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    entries = Journal(_open(where, 0), "shop", SystemClock(), "reader").refresh()
    assert RACES <= len(entries) <= RACES * RACERS
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert Counter(entry.epoch for entry in entries).most_common(1)[0][1] == 1
    assert {entry.by for entry in entries} == {"w0", "w1"}, "one of them never won: this was no race"
    assert len(entries) < RACES * RACERS, "nobody ever lost: this was no race"
