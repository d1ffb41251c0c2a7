"""As whom a region or a resource is asked: what the file may say, what lint says of it, and what a plan covers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures" / "config"))

from paper import AWS, EVACUATE, LOCAL, TOPOLOGY, PaperProvider, changed

from cloudfail import config
from cloudfail.actions.catalog import ACTIONS
from cloudfail.config import Loaded
from cloudfail.errors import ConfigError
from cloudfail.lint import lint
from cloudfail.model.topology import Roles
from cloudfail.plan import bind
from cloudfail_aws.roles import role_mistake

EAST = 'us-east-1: {provider: aws, account: "111111111111"}'
WEST = 'us-west-2: {provider: aws, account: "111111111111"}'
WATCH = "arn:aws:iam::111111111111:role/cloudfail-watch"
EXECUTE = "arn:aws:iam::111111111111:role/cloudfail-execute"
OTHER = "arn:aws:iam::222222222222:role/cloudfail-execute"


@dataclass
class RolesProvider(PaperProvider):
    """A provider on paper that takes AWS's roles."""

    def role_mistake(self, role: str) -> tuple[str, str] | None:
        return role_mistake(role)


def loaded(folder: Path, topology: str) -> Loaded:
    (folder / "c.yaml").write_text(topology)
    (folder / "r.yaml").write_text(EVACUATE)
    providers = {"aws": RolesProvider("aws", AWS), "local": PaperProvider("local", LOCAL)}
    return config.load(folder / "c.yaml", [folder / "r.yaml"], providers)


def in_region(region: str, roles: str) -> tuple[str, str]:
    return region, region.removesuffix("}") + f", roles: {roles}}}"


BOTH = f"{{watch: {WATCH}, execute: {EXECUTE}}}"


def test_a_resource_is_asked_as_its_region_says_unless_it_says_so_itself(tmp_path: Path) -> None:
    own = (
        "web:    {compute: autoscaling, ",
        f"web:    {{compute: autoscaling, roles: {{watch: {WATCH}, execute: {OTHER}}}, ",
    )
    topology = loaded(tmp_path, changed(TOPOLOGY, in_region(EAST, BOTH), in_region(WEST, BOTH), own)).topology
    orders, web, www = (topology.resources[name] for name in ("orders", "web", "www"))
    assert topology.roles_of(orders, "us-east-1") == Roles(WATCH, EXECUTE)
    assert topology.roles_of(web, "us-east-1") == Roles(WATCH, OTHER)
    assert topology.roles_of(www, "eu-central-1") == Roles(WATCH, EXECUTE), "where a global service's control plane is"


def test_without_roles_everything_is_asked_as_the_process_itself(tmp_path: Path) -> None:
    topology = loaded(tmp_path, TOPOLOGY).topology
    assert topology.roles_of(topology.resources["orders"], "us-east-1") == Roles()


@pytest.mark.parametrize(
    "role",
    [
        "cloudfail-watch",
        "arn:aws:iam::111111111111:user/alice",
        "arn:aws:iam::11111:role/x",
        "arn:aws:iam::111111111111:role/*",
        "arn:aws:sts::111111111111:assumed-role/x/y",
    ],
)
def test_what_is_no_role_is_a_mistake_in_the_file(tmp_path: Path, role: str) -> None:
    with pytest.raises(ConfigError, match="no ARN of a role"):
        loaded(tmp_path, changed(TOPOLOGY, in_region(EAST, f'{{watch: "{role}"}}')))


def test_roles_of_other_partitions_and_paths_are_roles() -> None:
    assert role_mistake("arn:aws-us-gov:iam::111111111111:role/ops/cloudfail") is None
    assert role_mistake("arn:aws-cn:iam::111111111111:role/cloudfail") is None


def test_a_provider_that_acts_as_whoever_runs_it_takes_no_role(tmp_path: Path) -> None:
    here = EAST.replace("aws", "local")
    with pytest.raises(ConfigError, match='the provider "local" acts as whoever runs it'):
        loaded(tmp_path, changed(TOPOLOGY, (EAST, in_region(here, BOTH)[1])))


def rules(loaded: Loaded) -> set[str]:
    return {one.rule for one in lint(loaded)} & {"one-role", "no-execute-role", "whose-role"}


def test_lint_warns_of_one_role_for_both(tmp_path: Path) -> None:
    one = f"{{watch: {WATCH}, execute: {WATCH}}}"
    assert rules(loaded(tmp_path, changed(TOPOLOGY, in_region(EAST, one), in_region(WEST, one)))) == {"one-role"}
    crossed = f"{{watch: {EXECUTE}, execute: {OTHER}}}"
    topology = changed(TOPOLOGY, in_region(EAST, BOTH), in_region(WEST, crossed))
    assert "one-role" in rules(loaded(tmp_path, topology)), "what executes in one region watches in the other"


def test_lint_warns_where_changes_are_made_as_the_process_itself(tmp_path: Path) -> None:
    watch = f"{{watch: {WATCH}}}"
    topology = changed(TOPOLOGY, in_region(EAST, watch), in_region(WEST, watch))
    assert rules(loaded(tmp_path, topology)) == {"no-execute-role"}


def test_whose_role_a_name_has_is_not_guessed(tmp_path: Path) -> None:
    west = f"{{watch: {WATCH}, execute: {OTHER}}}"
    topology = changed(TOPOLOGY, in_region(EAST, BOTH), in_region(WEST, west))
    assert rules(loaded(tmp_path, topology)) == {"whose-role"}
    own = changed(topology, ("www:    {dns: route53,", f"www:    {{dns: route53, roles: {BOTH},"))
    assert rules(loaded(tmp_path, own)) == set()


def test_a_plan_covers_as_whom_it_acts(tmp_path: Path) -> None:
    """Two plans that act under different roles are two plans (invariant I10); without roles nothing is said."""

    def checksum(topology: str) -> str:
        files = loaded(tmp_path, topology)
        recorded = {"web": {"us-east-1": 4, "us-west-2": 2}}
        return bind(files, files.runbooks["evacuate"], "us-east-1", "us-west-2", recorded, ACTIONS).checksum

    plain = checksum(TOPOLOGY)
    with_roles = checksum(changed(TOPOLOGY, in_region(EAST, BOTH), in_region(WEST, BOTH)))
    west = f"{{watch: {WATCH}, execute: {OTHER}}}"
    with_others = checksum(changed(TOPOLOGY, in_region(EAST, BOTH), in_region(WEST, west)))
    assert len({plain, with_roles, with_others}) == 3
