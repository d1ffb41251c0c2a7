"""An application on AWS leaves us-east-1 while nothing in that region answers, Route 53's control plane among it, by
the shipped runbook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.aws import emulator, evacuation
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.dns_world import ADDRESS
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.evacuation import BUCKET, EAST, KEY, WEST, WITNESS, WORKERS, Site
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.standin import StandIn
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def same_account() -> Iterator[Emulator]:
    """ministack, for which requests that nobody signed are this account's: health checkers sign nothing."""
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running(MINISTACK_ACCOUNT_ID=ACCOUNT) as one:
        yield one


@pytest.fixture
def aws_front(same_account: Emulator, moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    same_account.reset()
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with all_of_aws.front({"ministack": same_account.port, "moto": moto.port}) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def site(
    tmp_path: Path,
    aws_front: Front,
    same_account: Emulator,
    pair: Callable[..., servers.Pair],
    stand_in: Callable[[str, Any], StandIn],
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    one = pair()
    clusters = evacuation.global_cluster(one)
    aws_front.serve("rds", stand_in("rds", clusters).answer)
    automation = getattr(request, "param", "off")
    with evacuation.site(tmp_path, aws_front, same_account, one, clusters, automation) as made:
        assert made.cloudfail("check").code == 0, "what runs is counted while all is well"
        made.order(EAST, "before")
        yield made


def assert_evacuated(site: Site) -> None:
    """Users, writes and workers are in the survivor; nothing of what was changed was asked of the lost region."""
    assert site.changes(region=EAST) == [], "nothing was to be changed in us-east-1, nor in Route 53's zone"
    assert site.front.count(region=EAST, met="fault") == site.front.count(region=EAST) > 0
    assert {one.partition(" in ")[2] for one in site.changes()} == {WEST, WITNESS}
    assert "s3.PutObject in us-west-2" in site.changes(), f"the switch is s3://{BUCKET}/{KEY}"
    assert site.resolved() == [ADDRESS[WEST]]
    site.order(WEST, "during")
    assert site.notes(WEST) == {"before", "during"}
    assert site.clusters.accepted == [("FailoverGlobalCluster", "orders-w", True)]
    assert site.workers(WEST) == WORKERS[EAST]


def test_the_command_line_leaves_a_region_none_of_whose_apis_answers_by_the_shipped_runbook(site: Site) -> None:
    assert site.resolved() == [ADDRESS[EAST]]
    site.lose_east()
    text, checksum = site.reviewed(EAST)
    assert "will be owed: us-east-1 does not answer" in text
    done = site.move("evacuate", EAST, checksum, approve=("--accept-owed-fence", "--loss-seconds", "300"))
    assert done.code == 3, done.text
    assert "fence  owed  us-east-1 does not answer" in done.text
    assert_evacuated(site)
    standing = site.cloudfail("status").text
    assert "DEGRADED" in standing.splitlines()[0]
