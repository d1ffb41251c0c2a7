"""dns: cloud-dns beside gcloud, Google's own client: it sets up a name, and reads back what a shift wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfail.ports import Call
from tests.emulators.gcp.dns_world import ADDRESS, CENTRAL, DOMAIN, ENDPOINT, NAME, WEST, known, port_of
from tests.emulators.gcp.standins import dns as standin

GCLOUD_SECONDS = 60.0

pytestmark = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")


@pytest.fixture
def gcloud(serving: Callable[[str, Any], Any], tmp_path: Path) -> Callable[..., Any]:
    zone: standin.CloudDns = serving("dns.v1", standin.CloudDns())
    zone.zone(DOMAIN)
    told = {
        **os.environ,
        # gcloud takes an address with a path for all of the API's base.
        ENDPOINT: f"{os.environ[ENDPOINT]}dns/v1/",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_PROJECT": standin.PROJECT,
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "True",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "True",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "True",
    }

    def run(*words: str) -> Any:
        argv = ["gcloud", "dns", "record-sets", *words, "--zone", "shop-example", "--format", "json", "--quiet"]
        done = subprocess.run(argv, env=told, capture_output=True, text=True, timeout=GCLOUD_SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_gcloud_reads_back_what_a_shift_made_of_a_policy_that_gcloud_made(gcloud: Callable[..., Any]) -> None:
    weights = {CENTRAL: 60, WEST: 40}
    items = [f"--routing-policy-item=weight={weight},rrdatas={ADDRESS[region]}" for region, weight in weights.items()]
    gcloud("create", f"{NAME}.", "--type=A", "--ttl=60", "--routing-policy-type=WRR", *items)
    www = port_of({"routing": "wrr"}, ADDRESS)
    before = known(www.read())
    assert before.weights == weights
    www.shift({CENTRAL: 0, WEST: 100}, expect=before, call=Call("r1", "step", 10, "k", 30.0, lambda: None))
    (record,) = gcloud("list", "--name", f"{NAME}.", "--type=A")
    held = {one["rrdatas"][0]: one["weight"] for one in record["routingPolicy"]["wrr"]["items"]}
    assert held == {ADDRESS[CENTRAL]: 0, ADDRESS[WEST]: 100}
    (mark,) = gcloud("list", "--name", f"_cloudfail.{NAME}.", "--type=TXT")
    assert "epoch=10" in mark["rrdatas"][0]
