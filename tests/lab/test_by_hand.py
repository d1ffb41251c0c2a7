"""The store is out while a region is lost: a person moves the application by hand, beside the store, and what was done
is in the log afterwards. Real servers, and the commands as the screen prints them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cloudfail.clock import SystemClock
from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, fold
from cloudfail.journal import Journal
from cloudfail.stores.sqlite import SQLiteStore
from tests.lab.kit import Site

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

NOWHERE = "postgresql://nobody@127.0.0.1:1/none?lives_in=elsewhere&connect_timeout=1"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site("--synchronous", "remote_apply", policy={"lease": "6s"}) as made:
        yield made


def without_its_store(site: Site) -> Path:
    document = yaml.safe_load(site.config.read_text())
    document["state"] = NOWHERE
    path = site.directory / "store-out.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def printed(text: str, begins: str) -> list[str]:
    """The words of the command of that beginning, as it stands on the screen."""
    line = next(line for line in text.splitlines() if begins in line)
    return shlex.split(line[line.index(begins) :])[1:]


def log_of(path: Path) -> LogState:
    return fold(LogState(), Journal(SQLiteStore(path), "shop", SystemClock(), "reader").refresh())


def test_a_region_is_left_by_hand_while_the_store_is_out(site: Site) -> None:
    out, hand = without_its_store(site), site.directory / "hand.db"
    journal = f"sqlite:{hand}"
    glass = ("--break-glass", "--journal", journal, "--runbook", "evacuate-local", "--workers", "web=2")
    said = site.cloudfail("evacuate", "east", *glass)
    assert said.code == 1, said.text
    assert "there is no glass to break" in said.text

    site.lab.ask("kill", region="east")
    said = site.cloudfail("evacuate", "east", config=out)
    assert said.code == 1, said.text
    assert "does not answer" in said.text
    said = site.cloudfail("evacuate", "east", *glass, config=out)
    assert said.code == 0, said.text
    assert "end each `cloudfail watch`" in said.text
    act = printed(said.text, "cloudfail evacuate east --break-glass")
    merge = printed(said.text, "cloudfail state merge")
    without = act[: act.index("--confirm")]
    refused = site.cloudfail(*without, config=out)
    assert refused.code == 1, refused.text
    assert "a sentence of your own typing" in refused.text

    site.begin("hand", *act, by="carol", config=out)
    for _ in range(40):
        if re.search(r"approve +gate opened", site.words_of("hand")):
            break
        assert site.cloudfail("status", config=out, journal=journal).code == 0
    said = site.cloudfail(
        "approve", "--accept-owed-fence", "--loss-seconds", "300", "--reason", "site gone", config=out, journal=journal
    )
    assert said.code == 0, f"{said.text}\n{site.words_of('hand')}"
    site.started[-1].wait(60)
    assert site.started[-1].returncode == 3, site.words_of("hand")
    (run,) = log_of(hand).runs.values()
    assert run.phase is Phase.DEGRADED
    assert site.lab.ask("status")["www"] == "198.18.20.1"

    said = site.cloudfail(*merge[:-1], "the store is back")
    assert said.code == 1, said.text
    assert "--primary east|west" in said.text
    said = site.cloudfail(*merge[:-1], "the store is back", "--primary", "west")
    assert said.code == 0, said.text
    status = site.cloudfail("status").text
    assert "DEGRADED" in status.splitlines()[0], status
    assert f"run {run.id} owes" in status, status
    assert site.cloudfail("audit", "verify").code == 0
    late = site.cloudfail("status", config=out, journal=journal)
    assert late.code == 1
    assert "alice moved the log of shop to sqlite:" in late.text
