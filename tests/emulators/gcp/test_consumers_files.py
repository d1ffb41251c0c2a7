"""What is written in cloudfail.yaml for consumers and signals on Google Cloud, and what lint is told of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail_gcp import provider
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.consuming import JOB, QUEUE, SUBSCRIPTION, TRANSPORT, TRIGGER

FILE = """\
application: shop
objectives: {{rto: 15m, rpo: 30s}}
regions:
  us-central1: {{provider: gcp, account: shop-prod}}
  europe-west1: {{provider: gcp, account: shop-prod}}
primary: us-central1
state: "sqlite:state.db"
resources:
  orders:  {{consumers: pubsub-subscription, members: {{us-central1: {east}, europe-west1: {west}}}}}
  events:  {{consumers: eventarc-trigger, members: {{europe-west1: {trigger}}}}}
  nightly: {{consumers: scheduler-job, members: {{europe-west1: {job}}}}}
  mails:   {{consumers: tasks-queue, members: {{europe-west1: {queue}}}}}
  errors:
    signals: monitoring-alert
    stale_after: {stale}
    members: {{us-central1: {policy}, europe-west1: {policy}}}
checks:
  alarmed: {{signal: errors, every: 30s}}
"""
RUNBOOK = """\
name: move
mode: failover
steps:
  orders: {action: consumers.enable, with: {consumers: orders, where: "${to}"}, limit: 5m}
  old: {action: consumers.disable, with: {consumers: nightly, where: "${from}"}, limit: 5m}
"""
PUSH = "https://orders.shop.example/push"
POLICY = f"projects/{PROJECT}/alertPolicies/1234567890"


def subscription(region: str, push: str = f'"{PUSH}"', more: str = "") -> str:
    return f'{{subscription: "{SUBSCRIPTION[region]}", push: {push}{more}}}'


def load(tmp_path: Path, **changes: str) -> config.Loaded:
    written = {
        "east": subscription(EAST),
        "west": subscription(WEST),
        "trigger": f'{{trigger: "{TRIGGER[WEST]}", push: "{PUSH}"}}',
        "job": JOB[WEST],
        "queue": QUEUE[WEST],
        "policy": POLICY,
        "stale": "7m",
    } | changes
    (tmp_path / "cloudfail.yaml").write_text(FILE.format(**written))
    (tmp_path / "move.yaml").write_text(RUNBOOK)
    return config.load(tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"gcp": provider})


def test_a_path_alone_is_short_for_a_member(tmp_path: Path) -> None:
    found = load(tmp_path, queue=f'"https://cloudtasks.googleapis.com/v2/{QUEUE[WEST]}"').topology.resources
    assert found["nightly"].members[WEST] == {"job": JOB[WEST], "quiet_for": 65.0, "quiet": None}
    assert found["mails"].members[WEST] == {"queue": QUEUE[WEST], "quiet": None}
    assert found["errors"].members[WEST] == {"policy": POLICY}
    assert found["orders"].members[WEST]["push"]["endpoint"] == PUSH


@pytest.mark.parametrize(
    ("changes", "said", "instead"),
    [
        ({"west": SUBSCRIPTION[WEST]}, "", ""),
        ({"west": f"{{subscription: {SUBSCRIPTION[WEST]}}}"}, "push", ""),
        ({"west": f'{{subscription: orders, push: "{PUSH}"}}'}, "no path of a subscription", "subscriptions/NAME"),
        ({"west": f'{{subscription: {TRANSPORT[WEST]}, push: "{PUSH}"}}'}, "Eventarc's own", "eventarc-trigger"),
        ({"west": subscription(WEST, "ftp://x")}, "not an http", "https://HOST/PATH"),
        (
            {"west": subscription(WEST, f'{{endpoint: "{PUSH}", audience: shop}}')},
            "no account signs",
            "service_account",
        ),
        ({"west": subscription(WEST, f'{{endpoint: "{PUSH}", metadata: true}}')}, "unwrapped", "unwrapped: true"),
        ({"west": subscription(WEST, f'{{endpoint: "{PUSH}", service_account: bob}}')}, "service_account", ""),
        ({"west": subscription(WEST, more=", queit: x")}, "queit", ""),
        ({"trigger": f'{{trigger: "{JOB[WEST]}", push: "{PUSH}"}}'}, "no path of a trigger", "triggers/NAME"),
        ({"job": QUEUE[WEST]}, "no path of a job", "jobs/NAME"),
        ({"job": f"{{job: {JOB[WEST]}, quiet_for: 65}}"}, "unit", "65s"),
        ({"queue": "mails"}, "no path of a queue", "queues/NAME"),
        ({"policy": "checkout errors"}, "no path of an alerting policy", "alertPolicies/NUMBER"),
        ({"stale": "0s"}, "more than nothing", ""),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(
    tmp_path: Path, changes: dict[str, Any], said: str, instead: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, **changes)
    assert said in str(raised.value)
    assert instead in str(raised.value)


def test_a_step_that_waits_for_the_lost_region_is_refused_and_what_stands_in_no_region_needs_none(
    tmp_path: Path,
) -> None:
    loaded = load(tmp_path)
    found = {(one.rule, one.step) for one in lint(loaded, source=WEST)}
    assert ("no-wait-for-lost-region", "old") in found
    assert "control-plane-home" not in {rule for rule, _ in found}
    homes = {
        name: kind.facts("enable", loaded.topology.resources[name]).home
        for name, kind in loaded.kinds.items()
        if "enable" in kind.verbs
    }
    assert homes == {"orders": None, "events": "member", "nightly": "member", "mails": "member"}


def test_each_is_built_without_a_call_and_says_what_it_needs(tmp_path: Path) -> None:
    loaded = load(tmp_path, west=subscription(WEST, f'{{endpoint: "{PUSH}", service_account: {ACCOUNT}}}'))
    for name, resource in loaded.topology.resources.items():
        kind = loaded.kinds[name]
        assert kind.build(resource, loaded.topology).read
        assert kind.permissions is not None
        said = kind.permissions(resource, loaded.topology, [EAST, WEST])
        for grant in (*said.watch, *said.execute):
            assert grant.on
            assert all(one.startswith("projects/") for one in grant.on)
            assert grant.why or not any("*" in one for one in grant.on)
        acts = [grant for grant in said.execute if "iam.serviceAccounts.actAs" in grant.actions]
        assert [grant.on for grant in acts] == (
            [(f"projects/{PROJECT}/serviceAccounts/{ACCOUNT}",)] if name == "orders" else []
        )


ACCOUNT = f"pusher@{PROJECT}.iam.gserviceaccount.com"


def test_what_is_replaced_as_a_whole_has_its_own_log(tmp_path: Path) -> None:
    loaded = load(tmp_path, west=subscription(EAST))
    names = {
        name: loaded.kinds[name].shared_names(resource, loaded.topology)
        for name, resource in loaded.topology.resources.items()
    }
    assert names["orders"] == (f"gcp/pubsub-subscription/{SUBSCRIPTION[EAST]}",)
    assert names["events"] == (f"gcp/eventarc-trigger/{TRIGGER[WEST]}",)
    assert (names["nightly"], names["mails"]) == ((), ())


def test_the_kinds_load_no_vendor() -> None:
    code = "import sys, cloudfail_gcp.consumers, cloudfail_gcp.signals; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in loaded.split()} & {"requests", "urllib3", "yaml"}
    assert "google.auth" not in loaded.split()
