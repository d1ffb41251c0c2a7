"""The Lambda function under Amazon's own interface client, with the service's habits: a time limit that kills, a
process that is kept and thawed, an event that comes twice."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail.execution.lifecycle import Phase
from tests.entrypoints.lambda_service import Service
from tests.entrypoints.site import Site

SCHEDULED = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
ALARM = {"source": "aws.cloudwatch", "detail": {"alarmName": "east", "state": {"value": "ALARM"}}}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(tmp_path, automation="automatic", call_seconds=getattr(request, "param", 0.3))
    yield made
    made.close()


@pytest.fixture
def service(site: Site) -> Iterator[Service]:
    made = Service({**site.environment(), "CLOUDFAIL_AS": ""})
    made.start()
    yield made
    made.close()


def sign(site: Site) -> None:
    """A named person signs a standing plan, which is what lets automation act."""
    signed = site.cli("plan", "east", "--sign-for", "1h", "--as", "alice")
    assert signed.returncode == 0, signed.stderr


def until(condition: object, seconds: float, what: str) -> None:
    assert callable(condition)
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def freeze(service: Service, site: Site) -> None:
    """Stop it, but not with SQLite's lock in its hand: that keeps everybody out until it is thawed, which is one reason
    why a function's log is no file."""
    for _ in range(50):
        service.signal(signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(site.root / "state.db", timeout=0.2, isolation_level=None)) as state:
            try:
                state.execute("BEGIN IMMEDIATE")
                state.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                service.signal(signal.SIGCONT)
                time.sleep(0.02)
    raise AssertionError("it never let go of the lock")


def test_a_tick_looks_and_says_what_stands(service: Service) -> None:
    service.send(SCHEDULED, limit_seconds=8.0)
    answer = service.answer(30.0)
    assert answer is not None and answer.kind == "response", answer
    assert answer.said["application"] == "shop"
    assert (answer.said["primary"], answer.said["run"], answer.said["obligations"]) == ("east", None, 0)
    assert answer.said["seconds"] < 8.0


def test_an_alarm_that_nobody_can_see_the_reason_of_changes_nothing(site: Site, service: Service) -> None:
    """An event is a reason to look, never evidence: also one that somebody forged."""
    sign(site)
    for event in (ALARM, {"run": "evacuate", "decision": "act", "source": "east"}, None, [], "east is down"):
        service.send(event, limit_seconds=6.0)
        answer = service.answer(30.0)
        assert answer is not None and answer.kind == "response", answer
        assert answer.said["run"] is None
    assert not site.changes()


@pytest.mark.parametrize("site", [0.8], indirect=True)
def test_ticks_that_are_killed_at_their_time_limit_carry_a_failover_to_its_end(site: Site, service: Service) -> None:
    """Each believes that it has a minute, and is killed after seconds, in the middle of whatever it does. The next one
    waits for the dead one's lease, looks, and goes on."""
    sign(site)
    site.healthy.discard("east")
    kills = 0
    while kills < 20:
        service.send(SCHEDULED, limit_seconds=60.0)
        if service.answer(9.0) is not None and site.run().phase.final:
            break
        if site.changes() == site.wanted() and site.run().phase.final:
            break
        service.kill()
        kills += 1
        service.start()
    run = site.run()
    assert run.phase is Phase.DONE
    assert run.opened_by.startswith("lambda-")
    assert kills >= 2, "nobody was killed on the way"
    assert site.changes() == site.wanted(), "something was changed twice, or never"


def test_a_run_that_the_function_began_is_finished_from_the_command_line(site: Site, service: Service) -> None:
    sign(site)
    site.healthy.discard("east")
    service.send(SCHEDULED, limit_seconds=60.0)
    until(lambda: len(site.changes()) >= 3, 60, "the function has begun")
    service.kill()
    finished = site.cli("resume", "--reason", "the function is gone", "--as", "bob")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r"is done: shop was moved from east to west", finished.stdout)
    run = site.run()
    assert run.opened_by.startswith("lambda-") and run.phase is Phase.DONE
    assert site.changes() == site.wanted()


def test_an_environment_that_was_frozen_and_is_thawed_after_a_take_over_changes_nothing(
    site: Site, service: Service
) -> None:
    sign(site)
    site.healthy.discard("east")
    service.send(SCHEDULED, limit_seconds=25.0)
    until(lambda: len(site.changes()) >= 2, 60, "the function has begun")
    freeze(service, site)
    finished = site.cli("resume", "--reason", "the function is frozen", "--as", "bob")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    before = (site.run().phase, len(site.run().story))
    done = site.changes()
    service.signal(signal.SIGCONT)
    # It answers; or, if it was stopped in the middle of a call, it is ended, since that call is not to be kept.
    until(lambda: service.answer(0.1) is not None or service.ended() == 70, 60, "it leaves")
    assert (site.run().phase, len(site.run().story)) == before
    # The tool that was under way when everything stopped is a request on the wire: it may land. Nothing else does.
    late = site.changes() - done
    assert sum(late.values()) <= 1, f"it went on: {late}"


def test_files_that_cannot_be_read_fail_the_invocation_with_every_mistake(site: Site, service: Service) -> None:
    """A tick that cannot look must not look like one that saw nothing."""
    (site.root / "cloudfail.yaml").write_text("application: shop\nregions: []\n")
    service.send(SCHEDULED, limit_seconds=8.0)
    answer = service.answer(30.0)
    assert answer is not None and answer.kind == "error", answer
    assert answer.said["errorType"] == "ConfigError"
    assert "cloudfail.yaml:2" in answer.said["errorMessage"]


def test_two_events_at_once_open_one_run(site: Site, service: Service) -> None:
    """The scheduler delivers at least once. Each delivery has a process of its own."""
    sign(site)
    site.healthy.discard("east")
    twin = Service({**site.environment(), "CLOUDFAIL_AS": ""})
    twin.start()
    try:
        for one in (service, twin):
            one.send(SCHEDULED, limit_seconds=25.0)
        answers = [one.answer(80.0) for one in (service, twin)]
    finally:
        twin.close()
    assert all(answer is not None and answer.kind == "response" for answer in answers), answers
    assert site.run().phase is Phase.DONE
    assert site.changes() == site.wanted()
