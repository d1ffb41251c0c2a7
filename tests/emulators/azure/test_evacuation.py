"""An application on Azure leaves westeurope while nothing there answers, by the runbooks that ship."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.emulators.azure import evacuation
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.evacuation import ADDRESS, HELD_SECONDS, WORKERS, Site
from tests.emulators.azure.flexible_world import IDS
from tests.emulators.azure.front import Front
from tests.emulators.operator import Operator
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template
from tests.packaging import machines, wheelhouse
from tests.packaging.test_azure_archive import LIBRARIES, Worker

__all__ = ["pair", "postgres_root", "template"]
PAGE = Path(__file__).resolve().parents[3] / "docs" / "azure.md"
# So many orders at least are acknowledged, and not replicated, when the region is lost.
LOST = 5
TICK_SECONDS, TICKS_MAX = 30.0, 10
FORCED = ("Switchover", "Forced", IDS[NORTH])
pytestmark = [pytest.mark.lab, pytest.mark.beside, pytest.mark.timeout(900)]


@pytest.fixture
def site(
    tmp_path: Path,
    azure: Front,
    serving: Callable[[str, Any], Any],
    azblob: str,
    pair: Callable[..., servers.Pair],
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    with evacuation.site(tmp_path, azure, serving, pair(), azblob, **dict(getattr(request, "param", {}))) as made:
        made.customers.must_be_served()
        said = made.cloudfail("check")
        assert said.code == 0, said.text
        yield made


def assert_evacuated(site: Site) -> None:
    """Customers, orders and workers are in the survivor; nothing of what was changed was asked of the lost region."""
    assert site.changes(region=WEST) == [], "nothing was to be changed in westeurope"
    assert site.front.count(region=WEST, met="fault"), "it was asked"
    assert site.is_silent()
    assert site.answered() == [], "nothing there answered"
    assert {one.partition(" in ")[2] for one in site.changes()} == {NORTH, "global"}
    assert site.resolved() == [ADDRESS[NORTH]]
    site.customers.must_be_served()
    assert site.customers.orders[-1].address == ADDRESS[NORTH]
    assert site.workers(NORTH) == WORKERS[WEST]


def assert_accounted(site: Site) -> None:
    """The log holds together, and each effect in it has an intent before it and a result after it."""
    audit = site.cloudfail("audit", "verify")
    assert audit.code == 0, audit.text
    assert "consistent" in audit.text.splitlines()[0], audit.text


def leave(site: Site) -> set[str]:
    """The evacuation by the command line, with the fence owed, and a person who accepts that. Returns the orders that
    were acknowledged and are lost."""
    site.fall_behind(LOST)
    site.lose_west()
    text, checksum = site.reviewed(WEST)
    assert "will be owed: westeurope does not answer" in text
    done = site.move("evacuate", WEST, checksum, approve=("--accept-owed-fence", "--loss-seconds", "60"))
    assert done.code == 3, done.text
    assert "fence  owed  westeurope does not answer" in done.text
    assert_evacuated(site)
    assert_accounted(site)
    assert site.promotions() == [FORCED]
    assert "DEGRADED" in site.cloudfail("status").text.splitlines()[0]
    kept = site.notes(NORTH)
    taken = [one for one in list(site.customers.orders) if one.address == ADDRESS[WEST]]
    lost = [one for one in taken if one.note not in kept]
    assert len(lost) >= LOST, "the replica was held back, so that there is something to lose"
    assert lost == taken[-len(lost) :], "what is lost is the newest of it"
    bound = re.search(r"if alive ([0-9.]+) s, of 30 s", " ".join(text.split()))
    assert bound is not None, text
    assert taken[-1].at - lost[0].at <= float(bound[1]), "no more is lost than was said"
    return {one.note for one in lost}


def restore(site: Site) -> None:
    """The region is back: what was owed is done first; Azure makes a replica of the old primary, and that is seen."""
    site.return_west()
    servers.until(lambda: "DEGRADED" not in site.cloudfail("status").text.splitlines()[0], 60, "what was owed is done")
    with pytest.raises(psycopg.Error):
        site.order(WEST, "after it was fenced")
    _, checksum = site.reviewed(WEST, "--to", NORTH, "--runbook", "restore")
    done = site.move("restore", WEST, checksum)
    assert done.code == 0, done.text
    assert "orders-w in westeurope is a replica of northeurope" in done.text
    assert site.resolved() == [ADDRESS[NORTH]], "a restore moves nobody"


def come_home(site: Site) -> None:
    """The shipped failback, but that each step is held for seconds, and not for a minute. Azure DNS has no weights: a
    name answers with both regions, and then with one."""
    assert site.cloudfail("check").code == 0, "what runs in the survivor is counted"
    _, checksum = site.reviewed(NORTH, "--to", WEST, "--runbook", "failback")
    done = site.move("failback", NORTH, checksum)
    assert done.code == 0, done.text
    assert f"traffic  waits  point www to westeurope 100: in {HELD_SECONDS:.0f} s" in done.text
    steps = site.steps()[-2:]
    assert [regions for _, regions in steps] == [{WEST, NORTH}, {WEST}]
    times = [at for at, _ in steps]
    assert all(later - at >= HELD_SECONDS for at, later in itertools.pairwise(times))
    both = {one.address for one in site.customers.orders if times[0] <= one.at < times[1]}
    assert both == set(ADDRESS.values()), "half of the customers are served in each"


def test_the_command_line_leaves_a_region_none_of_whose_resources_answers_and_comes_home_in_steps(site: Site) -> None:
    """A forced switchover of a read replica, and a name in Azure DNS. Somebody watches, with automation off."""
    site.begin("watch", "watch", by="schedule")
    servers.until(site.beats, 60, "heartbeats are replicated")
    lost = leave(site)
    restore(site)
    come_home(site)
    assert site.resolved() == [ADDRESS[WEST]]
    site.customers.must_be_served()
    taken = {one.note for one in site.customers.stop()}
    assert site.customers.orders[-1].address == ADDRESS[WEST]
    assert taken - lost <= site.notes(WEST), "no order that was acknowledged since is lost"
    assert not lost & site.notes(WEST), "the new replica has nothing of what only the old primary had"
    servers.until(lambda: site.notes(NORTH) == site.notes(WEST), 30, "northeurope follows")
    with pytest.raises(psycopg.Error):
        site.order(NORTH, "no longer")
    assert site.promotions() == [FORCED, ("Switchover", "Planned", IDS[WEST])]
    standing = site.cloudfail("status").text
    assert standing.startswith("shop: no run is open; the primary is westeurope."), standing
    assert_accounted(site)


class Function:
    """The archive as it is deployed, under Microsoft's own library for Python functions. It may be killed; the platform
    then begins another."""

    def __init__(self, site: Site, base: Path, place: Path) -> None:
        version = wheelhouse.azure_python()
        self._root = machines.unzipped(
            machines.build("azure", site, place / "function.zip", version).file, place / "www"
        )
        runtime = machines.installed(["azure-functions-runtime"], place / "worker", version)
        self._python = machines.interpreter(base, place / "python")
        self._environment = machines.environment(
            PYTHONPATH=f"{self._root / LIBRARIES}{os.pathsep}{runtime}",
            CLOUDFAIL_LIMIT_SECONDS=str(TICK_SECONDS),
            CLOUDFAIL_CONFIG="cloudfail.yaml",
            CLOUDFAIL_ALLOW_LOOPBACK="1",
        )
        self._workers: list[Worker] = []
        self.start()

    def start(self) -> None:
        self._workers.append(Worker(self._python, self._root, self._environment))

    def tick(self) -> dict[str, Any] | None:
        """By its route; None where its process ended before it answered."""
        try:
            answer = self._workers[-1].invoke("tick_http", method="POST")
        except (AssertionError, OSError):
            return None
        assert (answer["status"], answer.get("code")) == ("Success", "200"), f"{answer}\n{self.log()}"
        said: dict[str, Any] = json.loads(answer["body"])
        return said

    def ticks(self, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What the tick answers that is `enough`. One whose calls have not come back ends its process."""
        for _ in range(TICKS_MAX):
            said = self.tick()
            if said is None:
                self.close()
                self.start()
            elif enough(said):
                return said
            else:
                assert said["seconds"] < TICK_SECONDS
        raise AssertionError(self.log())

    def log(self) -> str:
        return "".join(line for one in self._workers for line in one.log)

    def close(self) -> None:
        self._workers[-1].close()


@pytest.fixture
def function(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    base = wheelhouse.python_for_azure()
    if base is None:
        pytest.skip("Microsoft's library for functions needs Python 3.13 or later, which is not on this machine.")
    with contextlib.closing(Function(site, base, tmp_path_factory.mktemp("function"))) as made:
        yield made


@pytest.mark.parametrize("site", [{"automation": "automatic", "lease": "10s"}], indirect=True)
def test_the_function_leaves_it_over_several_ticks_one_of_which_is_killed_after_it_ordered_the_promotion(
    site: Site, function: Function
) -> None:
    """Resource Manager and the customers' way are gone; the database's server is not, so that its fence is proven, and
    a plan that was signed is acted on."""
    signed = site.cloudfail("plan", WEST, "--sign-for", "1h")
    assert signed.code == 0, signed.text
    site.lose_west(databases_too=False)
    beside = servers.Writer(site.servers[WEST], pause=0.05)
    asked = threading.Thread(target=function.tick)
    asked.start()
    servers.until(site.promotions, 60, "the promotion is ordered")
    function.close()
    asked.join()
    function.start()
    after = function.ticks(lambda said: said["run"] is None)
    assert (after["primary"], after["obligations"]) == (NORTH, 0)
    said = function.log()
    assert "fence  done  proven: " in said
    assert "took over from a worker that fell silent" in said
    assert "is done: shop was moved from westeurope to northeurope (failover), each step seen from the data" in said
    assert site.promotions() == [FORCED], "it is ordered once, whoever was killed"
    assert_evacuated(site)
    assert_accounted(site)
    written = set(beside.stop())
    assert written
    assert written <= {row[0] for row in site.servers[NORTH].ask("SELECT id FROM orders")}
    with pytest.raises(psycopg.Error):
        site.order(WEST, "after it was fenced")


def test_the_page_says_why_each_step_can_be_done_on_the_bad_day(tmp_path: Path) -> None:
    """Word for word, of the application that it shows."""
    told = PAGE.read_text().split("## An evacuation")[1]
    written, why = (told.split(f"```{kind}\n")[1].split("```")[0] for kind in ("yaml", "text"))
    said = Operator(tmp_path, written).cloudfail("lint", "--from", WEST, "--why")
    assert said.code == 0, said.text
    assert why in said.text
