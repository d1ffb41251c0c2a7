"""An application on Google Cloud leaves us-central1 while nothing there answers, by the runbooks that ship."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.emulators.gcp import evacuation
from tests.emulators.gcp.evacuation import ADDRESS, CENTRAL, HELD_SECONDS, WEST, WORKERS, Site
from tests.emulators.gcp.front import Front
from tests.emulators.operator import Operator
from tests.entrypoints.google_service import Service
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "gcp.md"
# So many orders at least are acknowledged, and not replicated, when the region is lost.
LOST = 5
TICK_SECONDS, TICKS_MAX = 30.0, 10
pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(900)]


@pytest.fixture
def site(
    tmp_path: Path,
    google: Front,
    serving: Callable[[str, Any], Any],
    gcs: str,
    pair: Callable[..., servers.Pair],
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    asked = dict(getattr(request, "param", {}))
    one = pair(synchronous=asked.get("database") == "postgresql")
    with evacuation.site(tmp_path, google, serving, one, gcs, **asked) as made:
        made.customers.must_be_served()
        said = made.cloudfail("check")
        assert said.code == 0, said.text
        yield made


def assert_evacuated(site: Site) -> None:
    """Customers, orders and workers are in the survivor; nothing of what was changed was asked of the lost region."""
    assert site.changes(region=CENTRAL) == [], "nothing was to be changed in us-central1"
    assert site.is_silent()
    assert site.answered() == [], "nothing there answered"
    assert {one.partition(" in ")[2] for one in site.changes()} == {WEST, "global"}
    assert site.resolved() == [ADDRESS[WEST]]
    site.customers.must_be_served()
    assert site.customers.orders[-1].address == ADDRESS[WEST]
    assert site.workers(WEST) == WORKERS[CENTRAL]


def assert_accounted(site: Site) -> None:
    """The log holds together, and each effect in it has an intent before it and a result after it."""
    audit = site.cloudfail("audit", "verify")
    assert audit.code == 0, audit.text
    assert "consistent" in audit.text.splitlines()[0], audit.text


@pytest.mark.parametrize(
    "site", [{"automation": "automatic", "routing": "primary-backup", "database": "postgresql"}], indirect=True
)
def test_watch_leaves_it_by_itself_where_the_lost_side_is_prevented_from_acknowledging(site: Site) -> None:
    """The primary waits for its replica. Nobody is asked but the person who signed the plan while all was well."""
    signed = site.cloudfail("plan", CENTRAL, "--sign-for", "1h")
    assert signed.code == 0, signed.text
    site.begin("watch", "watch", by="schedule")
    servers.until(site.beats, 60, "heartbeats are replicated")
    site.lose_central()
    servers.until(lambda: site.resolved() == [ADDRESS[WEST]], 30, "Google's servers find us-central1 unhealthy")
    servers.until(lambda: "is done: shop was moved" in site.words_of("watch"), 120, "the run is done")
    said = site.words_of("watch")
    assert "fence  done  prevented: the heartbeat of " in said
    assert "us-central1 cannot acknowledge without west" in said
    assert "approve  gate passed  approved by the standing plan signed by alice" in said
    assert "is done: shop was moved from us-central1 to europe-west1 (failover), each step seen from the data" in said
    assert site.promotions() == [], "no instance of Cloud SQL's is part of this"
    assert_evacuated(site)
    assert_accounted(site)
    taken = {one.note for one in list(site.customers.orders)}
    assert taken <= site.notes(WEST), "no order that was acknowledged is lost"
    site.return_central()
    servers.until(lambda: site.shop.is_well(ADDRESS[CENTRAL]), 10)
    assert site.resolved() == [ADDRESS[WEST]], "its health brings nobody back"


@pytest.fixture
def function(site: Site) -> Iterator[Service]:
    """The function as it is deployed, on a schedule."""
    environment = {**site.environment(), "CLOUDFAIL_AS": "", "CLOUDFAIL_LIMIT_SECONDS": str(TICK_SECONDS)}
    with contextlib.closing(Service(site.root, environment, "tick_http", log=site.root / "function.log")) as made:
        made.start()
        yield made


def ticks(function: Service, enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """What each tick answers, up to the one that is `enough`. One whose calls have not come back ends its process, and
    the platform begins another."""
    said: list[dict[str, Any]] = []
    for _ in range(TICKS_MAX):
        try:
            status, answer = function.ask("POST", {})
        except (OSError, http.client.HTTPException):
            continue
        assert status == 200, answer
        assert answer["seconds"] < TICK_SECONDS
        said.append(answer)
        if enough(answer):
            return said
    raise AssertionError(said)


def ask_in_vain(function: Service) -> None:
    """For one tick, which will be killed."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        function.ask("POST", {})


@pytest.mark.parametrize("site", [{"automation": "automatic", "lease": "10s"}], indirect=True)
def test_the_function_leaves_it_over_several_ticks_one_of_which_is_killed_after_it_ordered_the_promotion(
    site: Site, function: Service
) -> None:
    """Google's APIs and the customers' way are gone; the database's server is not, so that its fence is proven, and a
    plan that was signed is acted on."""
    signed = site.cloudfail("plan", CENTRAL, "--sign-for", "1h")
    assert signed.code == 0, signed.text
    site.lose_central(databases_too=False)
    beside = servers.Writer(site.servers[CENTRAL], pause=0.05)
    asked = threading.Thread(target=ask_in_vain, args=(function,))
    asked.start()
    servers.until(site.promotions, 60, "the promotion is ordered")
    function.kill()
    asked.join()
    function.start()
    after = ticks(function, lambda said: said["run"] is None)
    assert (after[-1]["primary"], after[-1]["obligations"]) == (WEST, 0)
    said = (site.root / "function.log").read_text()
    assert "fence  done  proven: " in said
    assert "took over from a worker that fell silent" in said
    assert "is done: shop was moved from us-central1 to europe-west1 (failover), each step seen from the data" in said
    assert site.promotions() == [("PROMOTE_REPLICA", "orders-w")], "it is ordered once, whoever was killed"
    assert_evacuated(site)
    assert_accounted(site)
    written = set(beside.stop())
    assert written
    assert written <= {row[0] for row in site.servers[WEST].ask("SELECT id FROM orders")}
    with pytest.raises(psycopg.Error):
        site.order(CENTRAL, "after it was fenced")


def test_the_page_says_why_each_step_can_be_done_on_the_bad_day(tmp_path: Path) -> None:
    """Word for word, of the application that it shows."""
    told = PAGE.read_text().split("## An evacuation")[1]
    written, why = (told.split(f"```{kind}\n")[1].split("```")[0] for kind in ("yaml", "text"))
    said = Operator(tmp_path, written).cloudfail("lint", "--from", CENTRAL, "--why")
    assert said.code == 0, said.text
    assert why in said.text


def leave(site: Site) -> set[str]:
    """The evacuation by the command line, with the fence owed, and a person who accepts that. Returns the orders that
    were acknowledged and are lost."""
    site.fall_behind(LOST)
    site.lose_central()
    text, checksum = site.reviewed(CENTRAL)
    assert "will be owed: us-central1 does not answer" in text
    done = site.move("evacuate", CENTRAL, checksum, approve=("--accept-owed-fence", "--loss-seconds", "60"))
    assert done.code == 3, done.text
    assert "fence  owed  us-central1 does not answer" in done.text
    assert_evacuated(site)
    assert_accounted(site)
    assert site.promotions() == [("PROMOTE_REPLICA", "orders-w")]
    assert "DEGRADED" in site.cloudfail("status").text.splitlines()[0]
    kept = site.notes(WEST)
    taken = [one for one in list(site.customers.orders) if one.address == ADDRESS[CENTRAL]]
    lost = [one for one in taken if one.note not in kept]
    assert len(lost) >= LOST, "the replica was held back, so that there is something to lose"
    assert lost == taken[-len(lost) :], "what is lost is the newest of it"
    bound = re.search(r"if alive ([0-9.]+)\s+s, of 30 s", text)
    assert bound is not None, text
    assert taken[-1].at - lost[0].at <= float(bound[1]), "no more is lost than was said"
    return {one.note for one in lost}


def restore(site: Site) -> None:
    """The region is back: what was owed is done first; Cloud SQL makes a replica of the old primary, and that is
    seen."""
    site.return_central()
    servers.until(lambda: "DEGRADED" not in site.cloudfail("status").text.splitlines()[0], 60, "what was owed is done")
    with pytest.raises(psycopg.Error):
        site.order(CENTRAL, "after it was fenced")
    _, checksum = site.reviewed(CENTRAL, "--to", WEST, "--runbook", "restore")
    done = site.move("restore", CENTRAL, checksum)
    assert done.code == 0, done.text
    assert "orders-c in us-central1 is a replica of europe-west1" in done.text
    assert site.resolved() == [ADDRESS[WEST]], "a restore moves nobody"


def come_home(site: Site) -> None:
    """The shipped failback, but that each step is held for seconds, and not for a minute."""
    assert site.cloudfail("check").code == 0, "what runs in the survivor is counted"
    text, checksum = site.reviewed(WEST, "--to", CENTRAL, "--runbook", "failback")
    assert "europe-west1 99, us-central1 1" in " ".join(text.split())
    done = site.move("failback", WEST, checksum)
    assert done.code == 0, done.text
    assert f"traffic  waits  point www to europe-west1 50, us-central1 50: in {HELD_SECONDS:.0f} s" in done.text
    steps = site.weights()[-4:]
    assert [(one[CENTRAL], one[WEST]) for _, one in steps] == [(1, 99), (10, 90), (50, 50), (100, 0)]
    times = [at for at, _ in steps]
    assert all(later - at >= HELD_SECONDS for at, later in itertools.pairwise(times))
    both = {one.address for one in site.customers.orders if times[2] <= one.at < times[3]}
    assert both == set(ADDRESS.values()), "half of the customers are served in each"


def test_the_command_line_leaves_a_region_none_of_whose_apis_answers_and_comes_home_in_steps(site: Site) -> None:
    """Cloud SQL's replica for disaster recovery, and weights in Cloud DNS. Somebody watches, with automation off."""
    site.begin("watch", "watch", by="schedule")
    servers.until(site.beats, 60, "heartbeats are replicated")
    lost = leave(site)
    restore(site)
    come_home(site)
    assert site.resolved() == [ADDRESS[CENTRAL]]
    site.customers.must_be_served()
    taken = {one.note for one in site.customers.stop()}
    assert site.customers.orders[-1].address == ADDRESS[CENTRAL]
    assert taken - lost <= site.notes(CENTRAL), "no order that was acknowledged since is lost"
    assert not lost & site.notes(CENTRAL), "the new replica has nothing of what only the old primary had"
    servers.until(lambda: site.notes(WEST) == site.notes(CENTRAL), 30, "europe-west1 follows")
    with pytest.raises(psycopg.Error):
        site.order(WEST, "no longer")
    assert site.promotions() == [("PROMOTE_REPLICA", "orders-w"), ("SWITCHOVER", "orders-c")]
    standing = site.cloudfail("status").text
    assert standing.startswith("shop: no run is open; the primary is us-central1."), standing
    assert_accounted(site)
