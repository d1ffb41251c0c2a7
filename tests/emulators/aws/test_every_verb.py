"""Every verb of every kind of AWS, under every fault between us and AWS (tests/emulators/verbs.py)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cloudfail.model.topology import PortName
from cloudfail_aws import provider
from tests.emulators.aws.front import Front
from tests.emulators.aws.ordered import VERBS, Serve
from tests.emulators.verbs import Ordered, VerbSuite, lose_an_answer

pytestmark = pytest.mark.timeout(600)
Key = tuple[PortName, str, str]

# Where the same is shown of a verb that takes several effects, or that only servers can show: in which files.
ELSEWHERE = {
    **{("aurora-global", verb): "test_aurora_global.py" for verb in ("fence", "switchover", "follow", "canary")},
    **{("rds-replica", verb): "test_rds_replica.py" for verb in ("failover", "switchover", "follow", "canary")},
    **{
        (f"{kind}-global", verb): f"test_{kind}_global.py"
        for kind in ("documentdb", "neptune", "elasticache")
        for verb in ("fence", "failover", "switchover", "follow", "canary")
    },
    ("dynamodb-global", "canary"): "test_dynamodb_global.py",
    ("elastic-ip", "move_address"): "test_network_paths.py",
    ("prefix-list", "route"): "test_network_paths.py",
    ("ssm-command", "run"): "test_ssm_command.py",
    ("lambda", "run"): "test_custom_lambda.py",
}


def words(key: Key | int) -> str:
    return f"{key[1]}.{key[2]}" if isinstance(key, tuple) else str(key)


def made(key: Key, front: Front, stand_in: Serve) -> Ordered:
    row = VERBS[key]
    return replace(row.make(front, stand_in), requests=row.requests).begun()


class TestEveryVerb(VerbSuite):
    @pytest.fixture(params=list(VERBS), ids=words)
    def verb(self, request: pytest.FixtureRequest, front: Front, stand_in: Serve) -> Ordered:
        return made(request.param, front, stand_in)


@pytest.mark.parametrize(
    ("key", "after"),
    [(key, after) for key, row in VERBS.items() for after in range(row.requests - 1)],
    ids=words,
)
def test_the_lost_answer_to_a_request_before_the_last_one_is_settled_by_looking(
    key: Key, after: int, front: Front, stand_in: Serve
) -> None:
    lose_an_answer(made(key, front, stand_in), "closed", after)


def test_every_verb_of_every_kind_has_its_row() -> None:
    """Or is named with the file that shows it."""
    there = {(port, kind.name, verb) for (port, _), kind in provider.kinds().items() for verb in kind.verbs}
    rows = set(VERBS)
    assert rows <= there
    missing = {(kind, verb) for _, kind, verb in there - rows}
    assert missing == set(ELSEWHERE)
    assert all((Path(__file__).parent / file).is_file() for file in ELSEWHERE.values())
