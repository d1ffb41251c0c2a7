"""The lab in network namespaces: real servers, real faults, each seen to hit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudfail.errors import CloudfailError
from cloudfail.lab import processes, proxies, wrapper
from cloudfail.lab.background import BackgroundLab
from cloudfail.lab.leftovers import remove_dead_labs
from cloudfail.lab.parts import find_parts
from cloudfail.lab.score import counts, groups, longest_gap, lost, read

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(wrapper.why_not_netns() is not None, reason=f"needs netns: {wrapper.why_not_netns()}"),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[BackgroundLab]:
    """An asynchronous lab; every test leaves it as it found it."""
    with BackgroundLab("--synchronous", "off") as running:
        yield running


@pytest.fixture(scope="module")
def synchronous(lab: BackgroundLab) -> Iterator[BackgroundLab]:
    """A second, synchronous lab beside the first one."""
    with BackgroundLab("--synchronous", "remote_apply") as running:
        yield running


def http(lab: BackgroundLab, node: str, url: str, *arguments: str) -> str:
    """Status code of a request from a node, or 000 when there was no answer within 0.5 s."""
    line = [sys.executable, "-S", "-c", FETCH, url, *arguments]
    return lab.run(node, line).stdout.strip()


FETCH = """
import sys, urllib.request, urllib.error
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
try:
    answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=body), timeout=0.5)
    print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print("000")
"""


def recovered(lab: BackgroundLab) -> bool:
    """Does the edge serve writes again?"""
    return processes.wait_for(lambda: http(lab, "clients", "http://198.18.80.1/ready") == "200", 15.0)


def promote_west(lab: BackgroundLab) -> None:
    psql = [
        str(find_parts().postgres_bin / "psql"),
        "-h",
        str(lab.directory / "west" / "run"),
        "-U",
        "postgres",
        "-d",
        "shop",
        "-Atc",
    ]
    subprocess.run([*psql, "SELECT pg_promote(true)"], check=True, capture_output=True, timeout=20)


def test_writes_are_acknowledged_through_the_edge_and_by_name_and_refused_at_the_standby(lab):
    writes = lab.load(2.0)
    assert groups(writes) == ["dns", "edge", "inside-east", "inside-west"]
    for group in ("edge", "dns", "inside-east"):
        own = [write for write in writes if write.group == group]
        assert counts(own)["acknowledged"] >= 0.8 * len(own)
        assert {write.region for write in own if write.region} == {"east"}
    standby = [write for write in writes if write.group == "inside-west"]
    assert counts(standby)["acknowledged"] == 0
    assert {write.reason for write in standby if write.outcome == "refused"} == {"refused: 25006"}
    assert lost(writes, set(lab.ask("ids", region="east"))) == []
    time.sleep(0.5)
    assert lost(writes, set(lab.ask("ids", region="west"))) == []


def test_a_frozen_region_connects_and_never_answers_until_it_wakes(lab):
    proof = lab.ask("freeze", region="east")
    assert proof["stopped"] >= 8 and proof["http"] == "timeout"
    writes = lab.load(0.7, {"edge": 50.0})
    assert counts(writes)["acknowledged"] == 0
    with pytest.raises(CloudfailError, match="frozen"):
        lab.ask("freeze", region="east")
    assert lab.ask("wake", region="east")["woken"] == proof["stopped"]
    assert recovered(lab)


def test_a_region_cut_off_drops_packets_both_ways_and_nobody_elses(lab):
    proof = lab.ask("cut", region="east")
    pairs = {tuple(pair) for pair in proof["dropped"]}
    others = {"west", "dns", "edge", "clients", "control", "witness"}
    assert pairs == {(node, "east") for node in others} | {("east", node) for node in others}
    assert http(lab, "clients", "http://198.18.10.1/healthz") == "000"
    assert http(lab, "clients", "http://198.18.20.1/healthz") == "200"
    assert http(lab, "east", "http://198.18.10.1/ready") == "200", "clients inside still reach their own region"
    with pytest.raises(CloudfailError, match="cut off"):
        lab.ask("workers", region="east")
    assert lab.ask("heal")["dropped"] == []
    assert recovered(lab)


def test_a_cut_of_one_direction_from_one_node_leaves_every_other_packet_alone(lab):
    try:
        assert lab.ask("cut", region="east", direction="in", source="witness")["dropped"] == [["witness", "east"]]
        assert http(lab, "witness", "http://198.18.10.1/healthz") == "000"
        assert http(lab, "clients", "http://198.18.10.1/healthz") == "200"
        with pytest.raises(CloudfailError, match="not one that the router knows"):
            lab.ask("cut", region="east", direction="sideways")
    finally:
        assert lab.ask("heal")["dropped"] == []


def test_the_core_switch_keeps_clients_from_a_fenced_region_and_lets_control_through(lab):
    try:
        assert lab.ask("fence", region="east") == {"region": "east", "fenced": True}
        assert lab.ask("fence", region="east")["fenced"], "fencing twice is fencing once"
        assert http(lab, "clients", "http://198.18.10.1/healthz") == "000"
        assert http(lab, "control", "http://198.18.10.1/healthz") == "200"
    finally:
        assert lab.ask("unfence", region="east") == {"region": "east", "fenced": False}
    assert recovered(lab)


def test_workers_are_scaled_by_command_and_counted_healthy_by_the_regions_haproxy(lab):
    socket = lab.directory / "west" / "haproxy.sock"
    command = [sys.executable, "-m", "cloudfail.lab.control", "--socket", str(lab.directory / "control.sock")]
    try:
        done = subprocess.run([*command, "scale", "west", "3"], capture_output=True, text=True, timeout=20)
        assert done.stdout == '{"wanted": 3, "running": 3}\n'
        assert processes.wait_for(lambda: len(proxies.healthy(socket, "workers")) == 3, 10.0)
        done = subprocess.run([*command, "scale", "west", "9"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and "4 worker slots" in done.stderr
    finally:
        assert lab.ask("scale", region="west", count=1) == {"wanted": 1, "running": 1}
    assert processes.wait_for(lambda: len(proxies.healthy(socket, "workers")) == 1, 10.0)


def test_a_killed_region_refuses_and_comes_back_without_its_database_unless_asked(lab):
    proof = lab.ask("kill", region="east")
    assert proof["killed"] >= 8 and set(proof["ports"].values()) == {"refused"}
    with pytest.raises(CloudfailError, match="killed"):
        lab.ask("kill", region="east")
    with pytest.raises(CloudfailError, match="does not answer"):
        lab.ask("workers", region="east")
    assert lab.ask("start", region="east")["database"] is False
    assert http(lab, "clients", "http://198.18.10.1/healthz") == "503"
    assert lab.ask("kill", region="east")["killed"] >= 2
    lab.ask("start", region="east", database=True)
    assert recovered(lab)


def test_lag_then_kill_is_refused_without_load_and_kills_nothing(lab):
    time.sleep(0.3)
    with pytest.raises(CloudfailError, match="nothing was written"):
        lab.ask("lag_kill", region="east", seconds=0.2)
    with pytest.raises(CloudfailError, match="standby"):
        lab.ask("lag_kill", region="west", seconds=0.2)
    assert http(lab, "clients", "http://198.18.80.1/ready") == "200"


def test_a_cancelled_wait_for_the_standby_is_unknown_and_not_an_acknowledgement(synchronous):
    """PostgreSQL reports success with a WARNING then; the row is on the primary only."""
    synchronous.ask("cut", region="west", source="east")
    wait = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    psql = [
        str(find_parts().postgres_bin / "psql"),
        "-h",
        str(synchronous.directory / "east" / "run"),
        "-U",
        "postgres",
        "-d",
        "shop",
        "-Atc",
        wait,
    ]
    writer = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep(0.3); import subprocess; subprocess.run({psql!r})"]
    )
    status = http(synchronous, "clients", "http://198.18.10.1/write", "cancelled-1")
    writer.wait(10)
    synchronous.ask("heal")
    assert status == "500"
    assert "cancelled-1" in synchronous.ask("ids", region="east")
    assert recovered(synchronous)


def test_lag_then_kill_loses_acknowledged_writes_when_asynchronous_and_none_when_synchronous(lab, synchronous):
    found = {}
    for name, one in (("asynchronous", lab), ("synchronous", synchronous)):
        record = one.ask("load", seconds=10.0, rates={"edge": 60.0})
        time.sleep(0.5)
        proof = one.ask("lag_kill", region="east", seconds=0.7)
        assert proof["lag_bytes"] > 0 and proof["killed"] >= 8
        one.ask("load_stop")
        promote_west(one)
        writes = read(Path(record))
        found[name] = len(lost(writes, set(one.ask("ids", region="west"))))
        gap = longest_gap(writes)
        assert gap is not None and counts(writes)["acknowledged"] > 10
    assert found["asynchronous"] >= 10
    assert found["synchronous"] == 0


def test_two_labs_side_by_side_do_not_touch_each_other(lab, synchronous):
    assert lab.directory != synchronous.directory
    assert lab.ask("status")["synchronous"] == "off"
    assert synchronous.ask("status")["synchronous"] == "remote_apply"


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [below for child in children for below in descendants(int(child))]


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("victim", ["outermost", "supervisor"])
def test_kill_9_leaves_no_process_no_mount_and_no_directory(victim):
    mounts = Path("/proc/self/mounts").read_text()
    lab = BackgroundLab()
    below = descendants(lab.process.pid)
    assert len(below) >= 20
    supervisor = next(pid for pid in reversed(below) if b"cloudfail.lab.supervise" in command_line(pid))
    os.kill(lab.process.pid if victim == "outermost" else supervisor, signal.SIGKILL)
    lab.process.wait(10)
    assert processes.wait_for(lambda: not processes.living(below), 10.0)
    lab.close()
    assert Path("/proc/self/mounts").read_text() == mounts
    remove_dead_labs()  # what the next start does first
    assert not lab.directory.exists()
