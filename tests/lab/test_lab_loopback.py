"""The lab without namespaces: what it can do, what it refuses, and that it leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest
from typer.testing import CliRunner

from cloudfail.config import load
from cloudfail.entrypoints.cli.lab import app
from cloudfail.errors import CloudfailError
from cloudfail.lab import leftovers, processes
from cloudfail.lab.background import BackgroundLab
from cloudfail.lab.parts import find_parts
from cloudfail.lab.score import counts, lost, read, score

try:
    find_parts()
    MISSING = ""
except CloudfailError as error:
    MISSING = str(error)

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture(scope="module")
def lab() -> Iterator[BackgroundLab]:
    with BackgroundLab(netns=False) as running:
        yield running


def test_writes_are_acknowledged_and_a_frozen_region_wakes(lab):
    writes = lab.load(1.0, {"edge": 50.0, "dns": 20.0})
    assert counts(writes)["acknowledged"] >= 0.8 * len(writes)
    assert lost(writes, set(lab.ask("ids", region="east"))) == []
    assert lab.ask("freeze", region="west")["stopped"] >= 5
    assert lab.ask("wake", region="west")["http"] == "200"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("cut", {"region": "east"}), ("heal", {}), ("lag_kill", {"region": "east"}), ("fence", {"region": "east"})],
)
def test_a_fault_that_needs_a_router_is_refused_with_the_reason(lab, verb, arguments):
    with pytest.raises(CloudfailError, match="loopback mode") as refused:
        lab.ask(verb, **arguments)
    assert refused.value.true_now and refused.value.to_do


def test_the_configuration_names_what_runs(lab):
    topology = load(lab.directory / "cloudfail.yaml").topology
    member = topology.resources["orders"].members["east"]
    done = subprocess.run(
        [*member["run"], f"{member['bin']}/pg_controldata", "-D", member["data"]],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "in production" in done.stdout
    read = topology.resources["web"].members["west"]["read"]
    assert (
        subprocess.run(read, capture_output=True, text=True, timeout=20).stdout
        == '{"wanted": 1, "running": 1, "ceiling": 4}\n'
    )


def test_a_second_lab_beside_it_has_ports_of_its_own_and_its_kill_hits_only_itself(lab):
    with BackgroundLab("--synchronous", "off", netns=False) as other:
        assert other.ask("status")["edge"] != lab.ask("status")["edge"]
        proof = other.ask("kill", region="east")
        assert proof["killed"] >= 8 and set(proof["ports"].values()) == {"refused"}
        assert lab.ask("status")["regions"]["east"]["workers"]["healthy"] == 2
        assert counts(lab.load(0.5, {"edge": 50.0}))["acknowledged"] >= 15
    assert leftovers.pids_under(other.directory) == []
    assert not other.directory.exists()


def test_the_command_line_tells_what_runs_and_says_three_sentences_when_nothing_does(lab, tmp_path):
    runner = CliRunner()
    told = runner.invoke(app, ["status", "--directory", str(lab.directory)])
    assert told.exit_code == 0 and "loopback lab" in told.output and "database primary" in told.output
    done = runner.invoke(app, ["freeze", "west", "--directory", str(lab.directory)])
    assert "processes stopped; HTTP times out." in done.output
    done = runner.invoke(app, ["wake", "west", "--directory", str(lab.directory), "--json"])
    assert json.loads(done.output)["http"] == "200"
    refused = runner.invoke(app, ["kill", "east", "--directory", str(tmp_path)])
    assert refused.exit_code == 1
    assert refused.output.startswith("No lab is running in ") and "cloudfail lab up" in refused.output


def test_the_resolver_follows_a_signed_update_within_its_ttl(lab):
    www = load(lab.directory / "cloudfail.yaml").topology.resources["www"].options
    secret = Path(www["key"]["secret"].removeprefix("file:")).read_text().strip()
    host, _, port = www["server"].partition(":")
    update = dns.update.UpdateMessage("shop.lab", keyring=dns.tsig.Key("cloudfail", secret, "hmac-sha256"))
    update.replace("www", 1, "A", "127.20.0.1")
    assert dns.query.tcp(update, host, timeout=2, port=int(port)).rcode() == dns.rcode.NOERROR
    assert processes.wait_for(lambda: lab.ask("status")["www"] == "127.20.0.1", 5.0)


def segments(held: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of these System V segments (key, identifier) are there: a killed PostgreSQL leaves its own. Not by the
    process that made it: its number is used again."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return held & {(int(row[0]), int(row[1])) for row in rows}


def test_a_killed_database_can_be_started_again_though_nobody_reaps_its_zombie(lab):
    lab.ask("kill", region="west")
    assert lab.ask("start", region="west", database=True)["database"]
    assert processes.wait_for(lambda: lab.ask("status")["regions"]["west"]["workers"]["healthy"] == 1, 10.0)


def test_a_frozen_asynchronous_primary_that_wakes_is_seen_as_a_second_writer_and_its_writes_as_lost():
    """What fencing is for: nobody fences here. Clients outside never notice, those inside of the old region do."""
    with BackgroundLab("--synchronous", "off", netns=False) as lab:
        record = Path(lab.ask("load", seconds=10.0, rates={"edge": 40.0, "inside-east": 20.0, "inside-west": 20.0}))
        time.sleep(0.5)
        lab.ask("freeze", region="east")
        port = (
            load(lab.directory / "cloudfail.yaml")
            .topology.resources["orders"]
            .members["west"]["dsn"]
            .split("port=")[1]
            .split()[0]
        )
        psql = [
            str(find_parts().postgres_bin / "psql"),
            "-h",
            str(lab.directory / "west" / "run"),
            "-p",
            port,
            "-U",
            "postgres",
            "-Atc",
        ]
        subprocess.run([*psql, "SELECT pg_promote(true)"], check=True, capture_output=True, timeout=20)
        time.sleep(0.5)
        lab.ask("wake", region="east")
        time.sleep(0.8)
        lab.ask("load_stop")
        writes = read(record)
        result = score(writes, set(lab.ask("ids", region="west")))
    assert result["writers_at_once_max"] == 2
    assert result["acknowledged_writes_lost"] >= 5
    assert result["groups"]["inside-west"]["acknowledged"] >= 5


def test_kill_9_of_the_supervisor_leaves_no_process_and_no_directory():
    lab = BackgroundLab(netns=False)
    assert len(leftovers.pids_under(lab.directory)) >= 15
    files = [path.read_text().splitlines() for path in lab.directory.glob("*/pg/postmaster.pid")]
    held = {(int(lines[6].split()[0]), int(lines[6].split()[1])) for lines in files}
    assert len(segments(held)) == 2
    lab.process.send_signal(signal.SIGKILL)
    lab.process.wait(10)
    assert processes.wait_for(lambda: not lab.directory.exists(), 10.0)
    assert processes.living(leftovers.pids_under(lab.directory)) == []
    assert not segments(held)
    lab.close()
