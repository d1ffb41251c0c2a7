"""A thousand names moved from one region's answers to the other's: `dns: route53-zone` beside octoDNS, on one zone.

    python benchmarks/octodns.py --names 1000 --rounds 6

The zone is ministack's, behind a door that keeps Route 53's limits as its documentation has them: 50 requests at once
and 10 a second for the account and for the action, 1,500 changes of records at once and 100 a second where an UPSERT
counts two, and 1,000 elements in one batch counted the same way. Every contender begins each move with full buckets.

Both begin with their file on disk, make their clients anew, and have their libraries imported. octoDNS reads the zone,
plans and applies. cloudfail's port reads the zone, changes a batch, and reads again until the names are as they should
be, within the budget that it keeps of the account. They take turns, and after each move the zone is read past the door:
it must be the same whoever moved it. Exit code 0: the ratio of the median times is at most 1, and of the calls that
change something at most 1.

octoDNS and its provider come from PyPI into a virtual environment that is thrown away; `--octodns PYTHON` names one
that has them. Its settings are the best that Route 53 takes: `max_changes: 501` (500 UPSERTs count 1,000; with its
default it sends 999, which Route 53 refuses), `client_max_attempts: 20`, `get_zones_by_name`, one worker, `--force`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cloudfail import config
from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.dns.zone import Zone
from tests.emulators.aws import emulator
from tests.emulators.aws.asked import asked
from tests.emulators.aws.refusals import refusal, throttled
from tests.emulators.wire import Answer, Door, Lost, Request, Upstream

PACKAGES = ("octodns==1.22.0", "octodns-route53==1.3.1")
EAST, WEST = "us-east-1", "us-west-2"
ADDRESS = {EAST: "192.0.2.1", WEST: "192.0.2.2"}
DOMAIN = "shop.example"
BOUND = 1.0
BATCH_MAX = 1000
MOVE_SECONDS = 300.0
LOOKS_MAX = 100

DRIVER = """
import json, sys, time
from octodns.manager import Manager
import octodns.provider.yaml, octodns_route53
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    Manager(line.strip()).sync(dry_run=False, force=True)
    print(json.dumps(time.perf_counter() - began), flush=True)
"""

OCTODNS = """\
manager: {{max_workers: 1}}
providers:
  config: {{class: octodns.provider.yaml.YamlProvider, directory: {directory}, default_ttl: 60, enforce_order: false}}
  route53:
    class: octodns_route53.Route53Provider
    max_changes: 501
    client_max_attempts: 20
    get_zones_by_name: true
zones:
  {domain}.: {{sources: [config], targets: [route53]}}
"""

CLOUDFAIL = """\
application: shop
objectives: {{rto: 15m, rpo: 0s}}
regions:
  us-east-1: {{provider: aws, account: "111111111111"}}
  us-west-2: {{provider: aws, account: "111111111111"}}
primary: us-east-1
state: "memory:"
resources:
  shops:
    dns: route53-zone
    zone: {zone}
    domain: {domain}
    ttl: 60s
    names: [{names}]
    members: {{us-east-1: 192.0.2.1, us-west-2: 192.0.2.2}}
"""


class Limited:
    """Route 53 as an account meets it. Counts what is asked; `rest` fills the buckets."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._changed = re.compile(rb"<Action>(UPSERT|CREATE|DELETE)</Action>(.*?)</Change>", re.DOTALL)
        self.rest()

    def rest(self) -> None:
        self.calls = self.mutating = self.throttled = 0
        self._at = time.monotonic()
        # Burst, a second, and what is left.
        self._buckets: dict[str, list[float]] = {"account": [50, 10, 50], "records": [1500, 100, 1500]}

    def __call__(self, request: Request) -> Answer | Lost:
        what = asked(request)
        changes = what.operation == "ChangeResourceRecordSets"
        records, elements = self._counted(request.body) if changes else (0, 0)
        with self._lock:
            self.calls += 1
            if not self._take(what.operation, records):
                self.throttled += 1
                return throttled("route53")
            self.mutating += what.mutating
        if elements > BATCH_MAX:
            return refusal("route53", "InvalidChangeBatch", 400, f"{elements} elements; the limit is {BATCH_MAX}")
        return self._upstream(request)

    def _take(self, operation: str, records: int) -> bool:
        now = time.monotonic()
        self._buckets.setdefault(operation, [50, 10, 50])
        for bucket in self._buckets.values():
            bucket[2] = min(bucket[0], bucket[2] + (now - self._at) * bucket[1])
        self._at = now
        costs = {"account": 1.0, operation: 1.0, "records": float(records)}
        if any(self._buckets[name][2] < cost for name, cost in costs.items()):
            return False
        for name, cost in costs.items():
            self._buckets[name][2] -= cost
        return True

    def _counted(self, body: bytes) -> tuple[int, int]:
        """(changes of records, elements of a batch), an UPSERT as two of each."""
        records = elements = 0
        for action, rest in self._changed.findall(body):
            twice = 2 if action == b"UPSERT" else 1
            records += twice
            elements += twice * rest.count(b"<ResourceRecord>")
        return records, elements


class Waiting(SystemClock):
    """The system's clock, and how long was slept by it: for the account's limits."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        super().sleep(seconds)


@dataclass
class Moved:
    """One move by one contender."""

    seconds: float
    calls: int
    mutating: int
    throttled: int
    waited: float | None = None


@dataclass
class World:
    """The zone, and the files of both."""

    root: Path
    names: tuple[str, ...]
    client: Any
    limited: Limited
    zone: str
    states: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """cloudfail's file, and octoDNS's for each region."""
        written = CLOUDFAIL.format(zone=self.zone, domain=DOMAIN, names=", ".join(self.names))
        (self.root / "cloudfail.yaml").write_text(written)
        for region, address in ADDRESS.items():
            directory = self.root / region
            directory.mkdir()
            (directory / "config.yaml").write_text(OCTODNS.format(directory=directory, domain=DOMAIN))
            records = "".join(f"{name}: {{type: A, ttl: 60, value: {address}}}\n" for name in self.names)
            (directory / f"{DOMAIN}.yaml").write_text(records)

    def fill(self) -> None:
        """Every name answers with the east."""
        for start in range(0, len(self.names), 500):
            changes = [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": f"{name}.{DOMAIN}.", "Type": "A", "TTL": 60,
                        "ResourceRecords": [{"Value": ADDRESS[EAST]}],
                    },
                }
                for name in self.names[start : start + 500]
            ]  # fmt: skip
            self.client.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})

    def check(self, region: str, who: str) -> None:
        """The zone answers with that region, and reads as it did when the other contender had moved it there."""
        pages = self.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=self.zone)
        sets = sorted((one for page in pages for one in page["ResourceRecordSets"]), key=lambda one: one["Name"])
        held = [one for one in sets if one["Type"] == "A"]
        values = {record["Value"] for one in held for record in one["ResourceRecords"]}
        if len(held) != len(self.names) or values != {ADDRESS[region]}:
            raise SystemExit(f"{who} left {len(held)} names that answer {sorted(values)}, not {ADDRESS[region]}.")
        said = json.dumps(sets, sort_keys=True)
        if self.states.setdefault(region, said) != said:
            raise SystemExit(f"After {who} the zone in {region} does not read as it did before.")

    def counted(self, seconds: float, waited: float | None = None) -> Moved:
        limited = self.limited
        return Moved(seconds, limited.calls, limited.mutating, limited.throttled, waited)


def by_cloudfail(world: World, region: str) -> Moved:
    """Look, act, look, as a step of a run does, from the file on disk."""
    world.limited.rest()
    began, clock = time.perf_counter(), Waiting()
    topology = config.load(world.root / "cloudfail.yaml", []).topology
    resource = topology.resources["shops"]
    port = Zone(resource, topology, Asking(resource, topology, Clients(), Budget(clock), clock))
    weights = {one: 100 * (one == region) for one in ADDRESS}
    for _ in range(LOOKS_MAX):
        seen = port.read()
        if not isinstance(seen, Known):
            raise SystemExit(f"The zone could not be read: {seen.reason}")
        if seen.value.weights == weights:
            return world.counted(time.perf_counter() - began, clock.slept)
        call = Call("benchmark", "traffic", 1, uuid.uuid4().hex, MOVE_SECONDS, lambda: None)
        port.shift(weights, expect=seen.value, call=call)
    raise SystemExit(f"After {LOOKS_MAX} looks the names are not moved.")


class OctoDns:
    """A process that has octoDNS imported, and syncs when it is told to."""

    def __init__(self, python: Path, root: Path, url: str) -> None:
        environment = {**os.environ, **emulator.sdk_environment(url), "AWS_DEFAULT_REGION": EAST}
        self._root = root
        self._log = (root / "octodns.log").open("w")
        self._process = subprocess.Popen(
            [str(python), "-I", "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            text=True, env=environment, cwd=root,
        )  # fmt: skip
        self._heard()

    def move(self, world: World, region: str) -> Moved:
        world.limited.rest()
        assert self._process.stdin is not None
        self._process.stdin.write(f"{world.root / region / 'config.yaml'}\n")
        self._process.stdin.flush()
        return world.counted(float(json.loads(self._heard())))

    def _heard(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.flush()
            raise SystemExit("octoDNS ended: " + (self._root / "octodns.log").read_text()[-2000:])
        return line

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._log.close()


def installed(root: Path) -> Path:
    """A virtual environment of its own, below `root`."""
    subprocess.run([sys.executable, "-m", "venv", str(root / "octodns")], check=True)
    python = root / "octodns" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *PACKAGES], check=True)
    return python


@contextlib.contextmanager
def worlds(root: Path, names: int) -> Iterator[tuple[World, str]]:
    """The zone of a running emulator, and the door before it."""
    with emulator.running() as one:
        os.environ.update(one.environment())
        client = botocore.session.Session().create_client("route53", region_name=EAST)
        zone = client.create_hosted_zone(Name=DOMAIN, CallerReference=uuid.uuid4().hex)["HostedZone"]["Id"]
        limited = Limited(Upstream(one.port))
        door = Door(limited)
        listed = tuple(f"n{number:04}" for number in range(names))
        world = World(root, listed, client, limited, zone.rpartition("/")[2])
        world.write()
        world.fill()
        os.environ["AWS_ENDPOINT_URL"] = door.url
        try:
            yield world, door.url
        finally:
            door.shut()


def interval(pairs: Sequence[tuple[float, float]], draws: int = 10_000) -> tuple[float, float]:
    """95 % interval of the ratio of medians, whole rounds drawn again."""
    draw = random.Random(20)
    ratios = sorted(
        statistics.median(a for a, _ in sample) / statistics.median(b for _, b in sample)
        for sample in (draw.choices(pairs, k=len(pairs)) for _ in range(draws))
    )
    return ratios[int(draws * 0.025)], ratios[int(draws * 0.975)]


def main() -> int:
    parser = argparse.ArgumentParser(description="cloudfail beside octoDNS: a zone's names moved to another region.")
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--octodns", type=Path, help="a Python that has octodns and octodns-route53")
    arguments = parser.parse_args()
    if not emulator.is_installed():
        raise SystemExit(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    print(
        f"{time.strftime('%Y-%m-%d')}  {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}; {arguments.names} names, {arguments.rounds} rounds; {', '.join(PACKAGES)}"
    )
    ours: list[Moved] = []
    theirs: list[Moved] = []
    with tempfile.TemporaryDirectory(prefix="cloudfail-octodns-") as name:
        root = Path(name)
        python = arguments.octodns or installed(root)
        with worlds(root, arguments.names) as (world, url), contextlib.closing(OctoDns(python, root, url)) as octodns:
            at = EAST
            for number in range(arguments.rounds):
                # Who moves first, and so who moves which way, changes from round to round.
                for who in ("cloudfail", "octoDNS") if number % 2 == 0 else ("octoDNS", "cloudfail"):
                    at = WEST if at == EAST else EAST
                    moved = by_cloudfail(world, at) if who == "cloudfail" else octodns.move(world, at)
                    world.check(at, who)
                    (ours if who == "cloudfail" else theirs).append(moved)
                    waited = "" if moved.waited is None else f", {moved.waited:.2f} s of it waiting for the account"
                    print(
                        f"round {number + 1}: {who:9} to {at}: {moved.seconds:.2f} s{waited}; {moved.mutating} calls "
                        f"that changed something, {moved.throttled} throttled, {moved.calls} in all"
                    )
    return told(ours, theirs)


def told(ours: list[Moved], theirs: list[Moved]) -> int:
    median = statistics.median
    seconds = median(one.seconds for one in ours) / median(one.seconds for one in theirs)
    low, high = interval([(a.seconds, b.seconds) for a, b in zip(ours, theirs, strict=True)])
    mutating = median(one.mutating for one in ours) / median(one.mutating for one in theirs)
    calls = median(one.calls for one in ours) / median(one.calls for one in theirs)
    passed = seconds <= BOUND and mutating <= BOUND
    print(
        f"medians: cloudfail {median(one.seconds for one in ours):.2f} s, octoDNS "
        f"{median(one.seconds for one in theirs):.2f} s; ratio {seconds:.2f} (95 % interval {low:.2f} to {high:.2f})\n"
        f"calls that changed something: {median(one.mutating for one in ours):g} and "
        f"{median(one.mutating for one in theirs):g}, ratio {mutating:.2f}; all calls: "
        f"{median(one.calls for one in ours):g} and {median(one.calls for one in theirs):g}, ratio {calls:.2f}\n"
        f"the zone read the same after each of {len(ours) + len(theirs)} moves; bound {BOUND:g} for time and for calls "
        f"that change something  {'PASS' if passed else 'FAIL'}"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
