"""The files that people write about AWS's databases: what loads, and what is a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.model.topology import Resource

HEAD = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: aws, account: "111111111111"}
  us-west-2: {provider: aws, account: "111111111111"}
primary: us-east-1
state: sqlite:/state.db
resources:
"""


def loaded(tmp_path: Path, line: str) -> Resource:
    place = tmp_path / "cloudfail.yaml"
    place.write_text(f"{HEAD}  orders: {line}\n")
    return config.load(place, []).topology.resources["orders"]


def test_the_line_of_the_design_loads_as_it_stands(tmp_path: Path) -> None:
    line = "{database: aurora-global, id: orders-global, members: {us-east-1: orders-e, us-west-2: orders-w}}"
    resource = loaded(tmp_path, line)
    assert (resource.id, resource.kind) == ("orders-global", "aurora-global")
    assert resource.members["us-west-2"]["cluster"] == "orders-w"
    assert resource.options["fences"] == ("logins", "network-acl", "security-group")


def test_a_member_may_say_how_it_is_reached_and_what_guards_it(tmp_path: Path) -> None:
    east = (
        '{instance: orders-e, dsn: "host=e user=cloudfail", writer: "host=e user=shop", password: env:ADMIN,'
        " network: {acls: [acl-0aa11bb2], port: 5433, rule: 3, prevents: true}}"
    )
    line = f"{{database: rds-replica, backup_days: 7, members: {{us-east-1: {east}, us-west-2: orders-w}}}}"
    resource = loaded(tmp_path, line)
    assert resource.members["us-east-1"]["network"]["acls"] == ("acl-0aa11bb2",)
    assert resource.members["us-east-1"]["password"] == "env:ADMIN"
    assert (resource.options["backup_days"], resource.members["us-west-2"]["instance"]) == (7, "orders-w")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('{instance: orders-e, dsn: "host=e user=cloudfail"}', "come together"),
        ("{instance: orders-e, pasword: env:ADMIN}", "pasword"),
        ("{instance: orders-e, password: hunter2}", "password"),
        ("{instance: orders-e, network: {acls: []}}", "acls"),
        ("{instance: orders-e, network: {acls: [sg-1]}}", "acls"),
        ('"no such; name"', "us-east-1"),
    ],
)
def test_what_is_wrong_with_a_member_is_said_where_it_stands(tmp_path: Path, member: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, f"{{database: rds-replica, members: {{us-east-1: {member}, us-west-2: orders-w}}}}")
    assert said in str(raised.value)


def test_a_documentdb_member_is_a_name_or_says_how_it_is_reached(tmp_path: Path) -> None:
    east = (
        '{cluster: carts-e, url: "mongodb://cloudfail@e:27017/?tls=true", writer: "mongodb://shop@e,e-1:27018/",'
        " password: env:ADMIN, writer_password: env:SHOP, network: {acls: [acl-0aa11bb2]}}"
    )
    line = f"{{database: documentdb-global, id: carts-global, members: {{us-east-1: {east}, us-west-2: carts-w}}}}"
    resource = loaded(tmp_path, line)
    assert resource.members["us-east-1"]["network"]["port"] == 27017
    assert resource.members["us-west-2"]["cluster"] == "carts-w"
    assert resource.options["fences"] == ("roles", "network-acl", "security-group")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('{cluster: carts-e, url: "mongodb://cloudfail@e/"}', "come together"),
        (
            '{cluster: carts-e, url: "mongodb://cloudfail:hunter2@e/", writer: "mongodb://shop@e/"}',
            "never written here",
        ),
        ('{cluster: carts-e, url: "mongodb://e/", writer: "mongodb://shop@e/"}', "with the login"),
        ('{cluster: carts-e, url: "mongodb+srv://cloudfail@e/", writer: "mongodb://shop@e/"}', "with the login"),
        ('{cluster: carts-e, url: "mongodb://cloudfail@e/shop", writer: "mongodb://shop@e/"}', "no database"),
        ('{cluster: carts-e, url: "mongodb://cloudfail@e/", writer: "mongodb://shop@e/"}', "both passwords"),
        ("{cluster: carts-e, dsn: host=e}", "dsn"),
    ],
)
def test_what_is_wrong_with_a_documentdb_member_is_said_and_no_secret_with_it(
    tmp_path: Path, member: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(
            tmp_path, f"{{database: documentdb-global, id: c, members: {{us-east-1: {member}, us-west-2: carts-w}}}}"
        )
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("missing", "said"), [("psycopg", "built"), ("pymongo", "pip install 'cloudfail[documentdb]'")]
)
def test_documentdb_needs_its_own_driver_and_no_other(tmp_path: Path, missing: str, said: str) -> None:
    loaded(tmp_path, "{database: documentdb-global, id: c, members: {us-east-1: carts-e, us-west-2: carts-w}}")
    program = f"""
import sys
sys.modules[{missing!r}] = None
from pathlib import Path
from cloudfail import config
from cloudfail_aws import provider
topology = config.load(Path({str(tmp_path / "cloudfail.yaml")!r}), []).topology
one = topology.resources["orders"]
try:
    provider.kinds()[one.port, one.kind].build(one, topology)
    print("built")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert said in done.stdout, done.stderr


def test_a_neptune_member_is_a_name_or_says_how_it_is_reached(tmp_path: Path) -> None:
    east = (
        '{cluster: graph-e, endpoints: ["https://e.example:8182"], resource: cluster-ABCD1234,'
        ' writers: ["arn:aws:iam::111111111111:role/app/shop"], network: {acls: [acl-0aa11bb2]}}'
    )
    line = f"{{database: neptune-global, id: g, members: {{us-east-1: {east}, us-west-2: graph-w}}}}"
    resource = loaded(tmp_path, line)
    assert resource.members["us-east-1"]["network"]["port"] == 8182
    assert resource.members["us-west-2"]["cluster"] == "graph-w"
    assert (resource.options["fences"][0], resource.options["requests_only"]) == ("iam", False)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('{cluster: graph-e, endpoints: ["https://e"]}', "come together"),
        ('{cluster: graph-e, endpoints: ["e:8182"]}', "endpoints"),
        ("{cluster: graph-e, writers: [shop]}", "writers"),
        ("{cluster: graph-e, resource: graph-e}", "resource"),
        ("{cluster: graph-e, dsn: host=e}", "dsn"),
    ],
)
def test_what_is_wrong_with_a_neptune_member_is_said_where_it_stands(tmp_path: Path, member: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, f"{{database: neptune-global, id: g, members: {{us-east-1: {member}, us-west-2: graph-w}}}}")
    assert said in str(raised.value)
