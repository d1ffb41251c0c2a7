"""An application on AWS leaves us-east-1 while nothing in that region answers, Route 53's control plane among it, by
the shipped runbook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.emulators.aws import emulator, evacuation
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.dns_world import ADDRESS
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.evacuation import BUCKET, EAST, WEST, WITNESS, WORKERS, Site
from tests.emulators.aws.front import ACCOUNT, Front
from tests.emulators.aws.standin import StandIn
from tests.entrypoints.lambda_service import Service
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "aws.md"
HOLD_SECONDS = 60.0
PROMOTED = [("FailoverGlobalCluster", "orders-w", True)]
SCHEDULED = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
# The long one outlasts the lease of one that was killed, by which it may take over.
TICK_SECONDS, LONG_TICK_SECONDS, TICKS_MAX = 40.0, 60.0, 20
pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


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
    asked = dict(getattr(request, "param", {}))
    one = pair(synchronous=asked.get("database") == "postgresql")
    clusters = evacuation.global_cluster(one)
    aws_front.serve("rds", stand_in("rds", clusters).answer)
    with evacuation.site(tmp_path, aws_front, same_account, one, clusters, **asked) as made:
        assert made.cloudfail("check").code == 0, "what runs is counted while all is well"
        made.order(EAST, "before")
        yield made


def assert_evacuated(site: Site) -> None:
    """Users, writes and workers are in the survivor; nothing of what was changed was asked of the lost region."""
    assert site.changes(region=EAST) == [], "nothing was to be changed in us-east-1, nor in Route 53's zone"
    assert site.is_silent()
    assert site.front.count(region=EAST, met="fault") == site.front.count(region=EAST), "nothing there answered"
    assert {one.partition(" in ")[2] for one in site.changes()} == {WEST, WITNESS}
    assert f"s3.PutObject in {BUCKET[site.routing][1]}" in site.changes(), "the switch is an object"
    assert site.resolved() == [ADDRESS[WEST]]
    site.order(WEST, "during")
    assert {"before", "during"} <= site.notes(WEST)
    assert site.workers(WEST) == WORKERS[EAST]


def assert_owed(site: Site) -> None:
    assert "DEGRADED" in site.cloudfail("status").text.splitlines()[0]


def leave(site: Site) -> None:
    """The evacuation by the command line, with the fence owed, and a person who accepts that."""
    assert site.resolved() == [ADDRESS[EAST]]
    site.lose_east()
    text, checksum = site.reviewed(EAST)
    assert "will be owed: us-east-1 does not answer" in text
    done = site.move("evacuate", EAST, checksum, approve=("--accept-owed-fence", "--loss-seconds", "300"))
    assert done.code == 3, done.text
    assert "fence  owed  us-east-1 does not answer" in done.text
    assert_evacuated(site)
    assert site.clusters.accepted == PROMOTED
    assert_owed(site)


def restore(site: Site) -> None:
    """The region is back: what was owed is done first, then Aurora's reader there is seen, and its tail kept."""
    site.return_east()
    standing = site.settled()
    assert "owe" not in standing, standing
    with pytest.raises(psycopg.Error):
        site.order(EAST, "after it was fenced")
    site.rebuild_east()
    _, checksum = site.reviewed(EAST, "--to", WEST, "--runbook", "restore")
    done = site.move("restore", EAST, checksum)
    assert done.code == 0, done.text
    assert site.resolved() == [ADDRESS[WEST]], "a restore moves nobody"
    assert len(site.clusters.snapshots[EAST]) == 2, "what only the old writer had is kept"


def at_home(site: Site) -> None:
    """East serves and writes, west follows; nothing is owed."""
    assert site.resolved() == [ADDRESS[EAST]]
    site.order(EAST, "home")
    servers.until(lambda: site.notes(WEST) == site.notes(EAST), 30, "west follows")
    with pytest.raises(psycopg.Error):
        site.order(WEST, "no longer")
    standing = site.cloudfail("status").text
    assert "DEGRADED" not in standing, standing
    assert "owe" not in standing, standing
    assert site.clusters.accepted[-1] == ("SwitchoverGlobalCluster", "orders-e", False)


@pytest.mark.parametrize("site", [{"routing": "weighted"}], indirect=True)
def test_the_command_line_leaves_a_region_none_of_whose_apis_answers_and_comes_home_in_steps(site: Site) -> None:
    """By the runbooks that ship. Its name has an object for each region, so that both can serve for a while."""
    why = site.cloudfail("lint", "--from", EAST, "--why")
    assert why.code == 0, why.text
    assert PAGE.read_text().split("## An evacuation")[1].split("```text\n")[1].split("```")[0] in why.text
    leave(site)
    restore(site)
    assert site.cloudfail("check").code == 0, "what runs in the survivor is counted"
    writer = servers.Writer(site.servers[WEST], site.servers[EAST], pause=0.05)
    try:
        text, checksum = site.reviewed(WEST, "--to", EAST, "--runbook", "failback")
        assert "us-east-1 50, us-west-2 50" in text
        site.front.forget()
        done = site.move("failback", WEST, checksum)
    finally:
        acknowledged = set(writer.stop())
    assert done.code == 0, done.text
    moved = site.front.seen(service="s3", mutating=True)
    assert [one.operation for one in moved] == ["DeleteObject", "PutObject"]
    assert moved[1].at - moved[0].at >= HOLD_SECONDS, "half of the users are held there for a minute"
    assert "traffic  ordered  point www to us-east-1 50, us-west-2 50" in done.text
    assert "traffic  waits  point www to us-east-1 100: in 60 s, if it stays so" in done.text
    at_home(site)
    assert {"west", "east"} <= set(writer.acknowledged_by)
    there = {row[0] for row in site.servers[EAST].ask("SELECT id FROM orders")}
    assert acknowledged <= there, "no write that was acknowledged is lost"
    assert {"before", "during"} <= site.notes(EAST)


def test_where_the_old_database_still_answers_its_fence_is_proven_and_nothing_is_owed(site: Site) -> None:
    """The APIs, the users and Route 53's control plane are gone; the server is not, and this takes no more."""
    site.lose_east(databases_too=False)
    site.order(EAST, "last")
    servers.until(lambda: "last" in site.notes(WEST), 30, "it was replicated")
    connected = psycopg.connect(site.servers[EAST].dsn("shop"), autocommit=True)
    text, checksum = site.reviewed(EAST)
    assert "will be owed" not in text
    done = site.move("evacuate", EAST, checksum)
    assert done.code == 0, done.text
    assert "fence  ordered  fence orders in us-east-1 by logins" in done.text
    assert "fence  done  proven: " in done.text
    assert "promote  ordered  promote orders in us-west-2: give back the logins that the fence took" in done.text
    assert "(attempt 2)" not in done.text, "nothing waits for what does not come by itself"
    assert_evacuated(site)
    assert site.clusters.accepted == PROMOTED
    assert "last" in site.notes(WEST)
    with connected, pytest.raises(psycopg.Error):
        connected.execute("INSERT INTO orders (note) VALUES ('over a connection that was opened before')")
    with pytest.raises(psycopg.Error):
        site.order(EAST, "over a new one")
    standing = site.cloudfail("status").text
    assert "DEGRADED" not in standing.splitlines()[0]


@pytest.fixture
def function(site: Site) -> Iterator[Service]:
    """The function as it is deployed, on a schedule, under Amazon's own interface client."""
    log = str(site.root / "function.log")
    made = Service({**site.environment(), "CLOUDFAIL_AS": ""}, log=log)
    made.start()
    yield made
    made.close()


def ticks(
    function: Service, enough: Callable[[dict[str, Any]], bool], seconds: float = TICK_SECONDS
) -> list[dict[str, Any]]:
    """What each tick answers, up to the one that is `enough`. One whose calls have not come back ends its process; the
    service then begins another."""
    said: list[dict[str, Any]] = []
    for _ in range(TICKS_MAX):
        function.send(SCHEDULED, limit_seconds=seconds)
        answer = function.answer(seconds + 60.0)
        if answer is None:
            assert function.ended() == 70, "it was still at work long after its time limit"
            function.start()
            continue
        assert answer.kind == "response", answer
        assert answer.said["seconds"] < seconds
        said.append(answer.said)
        if enough(answer.said):
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("site", [{"automation": "stage-1", "lease": "20s"}], indirect=True)
def test_the_function_leaves_it_over_several_ticks_one_of_which_is_killed_at_its_time_limit(
    site: Site, function: Service
) -> None:
    """It opens the run by itself and waits at the gate; a person accepts the owed fence there, by the command line."""
    (idle,) = ticks(function, lambda said: said["run"] is None)
    assert (idle["primary"], idle["obligations"]) == (EAST, 0)
    site.lose_east()
    ticks(function, lambda said: said["phase"] == "gated")
    assert (site.clusters.accepted, site.resolved()) == ([], [ADDRESS[EAST]]), "only what can be undone was begun"
    assert "--accept-owed-fence" in site.cloudfail("status").text
    accept = ("--accept-owed-fence", "--loss-seconds", "300", "--reason", "seen from outside")
    approved = site.cloudfail("approve", *accept, by="bob")
    assert approved.code == 0, approved.text

    function.send(SCHEDULED, limit_seconds=LONG_TICK_SECONDS)
    servers.until(lambda: site.clusters.accepted, LONG_TICK_SECONDS, "the promotion is ordered")
    function.kill()
    function.start()
    after = ticks(function, lambda said: said["run"] is None, LONG_TICK_SECONDS)
    assert (after[-1]["primary"], after[-1]["obligations"] > 0) == (WEST, True)
    assert_evacuated(site)
    assert site.clusters.accepted == PROMOTED
    assert_owed(site)

    site.return_east()
    settled = ticks(function, lambda said: said["obligations"] == 0)
    assert (settled[-1]["primary"], settled[-1]["run"]) == (WEST, None)
    with pytest.raises(psycopg.Error):
        site.order(EAST, "after it was fenced")
    assert site.resolved() == [ADDRESS[WEST]], "no tick moves anybody home"


@pytest.mark.parametrize("site", [{"automation": "automatic", "lease": "20s", "database": "postgresql"}], indirect=True)
def test_the_function_leaves_it_by_itself_where_the_lost_side_is_prevented_from_acknowledging(
    site: Site, function: Service
) -> None:
    """PostgreSQL on machines of the application's own, which waits for its standby in us-west-2; nobody is asked but
    the person who signed the plan while all was well."""
    signed = site.cloudfail("plan", EAST, "--sign-for", "1h")
    assert signed.code == 0, signed.text
    ticks(function, lambda said: said["run"] is None)
    site.lose_east()
    after = ticks(function, lambda said: said["primary"] == WEST and said["run"] is None)
    assert after[-1]["obligations"] == 0
    assert_evacuated(site)
    assert site.clusters.accepted == [], "no Aurora is part of this"
    said = (site.root / "function.log").read_text()
    assert "fence  done  prevented: the heartbeat of " in said
    assert "us-east-1 cannot acknowledge without west" in said
    assert "approve  gate passed" in said
    assert "DEGRADED" not in site.cloudfail("status").text.splitlines()[0]
