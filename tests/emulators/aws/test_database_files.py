"""The files that people write about AWS's databases: what loads, and what is a mistake."""

from __future__ import annotations

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
