"""compute: lambda-concurrency on ministack's Lambda and moto's Application Auto Scaling."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.actions.compute import Scale
from cloudfail.errors import Conflict, OutcomeUnknown, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, ComputeSuite, known
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.lambda_concurrency import LambdaConcurrency
from cloudfail_aws.compute.options import LambdaConcurrencyMember
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import (
    REGIONS,
    TARGET,
    OneResource,
    World,
    asking,
    kind_of,
    resource,
    sdk,
    step,
    unique,
)
from tests.emulators.wire import Answer, Lost, Request, Upstream

DIMENSION = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}


@dataclass
class Site:
    """A function with an alias `live`, two environments provisioned, four reserved, a scalable target from one on."""

    front: Front
    name: str

    def function(self, *, provisioned: int = 2, reserved: int | None = 4, scalable: bool = True) -> Site:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "def handler(event, context):\n    return None\n")
        client = sdk(self.front, "lambda")
        client.create_function(
            FunctionName=self.name,
            Runtime="python3.11",
            Role="arn:aws:iam::123456789012:role/orders",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Tags={"team": "shop"},
        )
        version = client.publish_version(FunctionName=self.name)["Version"]
        client.create_alias(FunctionName=self.name, Name="live", FunctionVersion=version)
        if reserved is not None:
            client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=reserved)
        if provisioned:
            client.put_provisioned_concurrency_config(
                FunctionName=self.name, Qualifier="live", ProvisionedConcurrentExecutions=provisioned
            )
        if scalable:
            sdk(self.front, "application-autoscaling").register_scalable_target(
                ResourceId=f"function:{self.name}:live", MinCapacity=1, MaxCapacity=3, **DIMENSION
            )
        self.front.forget()
        return self

    def port(self) -> LambdaConcurrency:
        of = resource(PortName.COMPUTE, "lambda-concurrency", dict.fromkeys(REGIONS, f"{self.name}:live"))
        found = {region: LambdaConcurrencyMember.model_validate(one) for region, one in of.members.items()}
        return LambdaConcurrency(asking(self.front, of), found)

    def reserved(self) -> int | None:
        found: int | None = (
            sdk(self.front, "lambda")
            .get_function_concurrency(FunctionName=self.name)
            .get("ReservedConcurrentExecutions")
        )
        return found

    def bounds(self) -> tuple[int, int]:
        client = sdk(self.front, "application-autoscaling")
        found = client.describe_scalable_targets(ResourceIds=[f"function:{self.name}:live"], **DIMENSION)
        target = found["ScalableTargets"][0]
        return target["MinCapacity"], target["MaxCapacity"]

    def changes(self) -> list[str]:
        return [one.operation for one in self.front.seen(mutating=True)]


@pytest.fixture
def site(cloud: Front) -> Site:
    return Site(cloud, unique("orders"))


def seen(compute: LambdaConcurrency) -> ComputeState:
    state: ComputeState = known(compute.read(TARGET))
    return state


class TestLambdaConcurrency(ComputeSuite):
    @pytest.fixture
    def world(self, site: Site) -> World:
        return World(site.front, kind_of(PortName.COMPUTE, "lambda-concurrency"), site.function().port())


def test_the_bounds_and_the_reserve_go_before_the_count(site: Site) -> None:
    compute = site.function().port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    assert [name.rstrip("0123456789v_") for name in site.changes()] == [
        "TagResource",
        "RegisterScalableTarget",
        "PutFunctionConcurrency",
        "PutProvisionedConcurrencyConfig",
    ]
    assert (seen(compute).wanted, site.reserved(), site.bounds()) == (6, 6, (6, 6))


def test_a_function_without_a_reserve_or_a_scalable_target_gets_neither(site: Site) -> None:
    compute = site.function(reserved=None, scalable=False).port()
    compute.scale(TARGET, 6, expect=seen(compute), call=Calls().make())
    assert site.reserved() is None
    assert seen(compute) == ComputeState(6, 6, 6, None, False, "0/6/None/free/10", 10)


def test_nothing_provisioned_is_none_and_can_be_gone_back_to(site: Site) -> None:
    compute = site.function(provisioned=0, scalable=False).port()
    assert seen(compute).wanted == 0
    compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make())
    assert seen(compute).wanted == 2
    compute.scale(TARGET, 0, expect=seen(compute), call=Calls().make())
    assert seen(compute).wanted == 0


def test_the_marks_are_of_one_alias_and_other_tags_stay(site: Site) -> None:
    compute = site.function().port()
    compute.scale(TARGET, 3, expect=seen(compute), call=Calls().make(17))
    client = sdk(site.front, "lambda")
    arn = client.get_function_configuration(FunctionName=site.name)["FunctionArn"]
    tags = client.list_tags(Resource=arn)["Tags"]
    assert (tags["team"], tags[f"{marks.EPOCH}:live"]) == ("shop", "17")
    assert marks.EPOCH not in tags


@pytest.fixture
def slow(cloud: Front, ministack: Emulator) -> Iterator[Callable[..., None]]:
    """Lambda takes its time to get environments ready, or fails to: in ministack they are ready at once."""
    really = Upstream(ministack.port)

    def make(**instead: Any) -> None:
        def answers(request: Request) -> Answer | Lost:
            said = really(request)
            if isinstance(said, Lost) or said.status != 200:
                return said
            kept = tuple((name, value) for name, value in said.headers if name.lower() != "content-length")
            return Answer(said.status, kept, json.dumps({**json.loads(said.body), **instead}).encode())

        cloud.serve("lambda", answers, "GetProvisionedConcurrencyConfig")

    yield make
    cloud.serve("lambda", "ministack", "GetProvisionedConcurrencyConfig")


def test_lambda_says_accepted_and_none_gets_ready_so_the_step_does_not_complete(
    site: Site, slow: Callable[..., None]
) -> None:
    world = OneResource(site.function().port())
    scale, context = Scale(), step("compute.scale", group="web", where=TARGET, count=5)
    todo = scale.observe(world, context)  # type: ignore[arg-type]
    assert isinstance(todo, Todo)
    scale.act(world, context, todo, Calls().make())  # type: ignore[arg-type]
    slow(Status="IN_PROGRESS", AvailableProvisionedConcurrentExecutions=2)
    assert isinstance(scale.observe(world, context), Moving), "what was asked for was enough"  # type: ignore[arg-type]
    slow(Status="READY", AvailableProvisionedConcurrentExecutions=5)
    assert isinstance(scale.observe(world, context), Done)  # type: ignore[arg-type]


def test_what_failed_is_unknown_with_lambdas_reason(site: Site, slow: Callable[..., None]) -> None:
    compute = site.function().port()
    slow(Status="FAILED", StatusReason="FUNCTION_ERROR_INIT_FAILURE", AvailableProvisionedConcurrentExecutions=0)
    read = compute.read(TARGET)
    assert isinstance(read, Unknown)
    assert "FUNCTION_ERROR_INIT_FAILURE" in read.reason


def test_an_answer_lost_after_the_effect_is_in_doubt_and_the_next_look_finds_it(site: Site) -> None:
    compute = site.function().port()
    site.front.outages.lose(operation="PutProvisionedConcurrencyConfig", times=1)
    with pytest.raises(OutcomeUnknown):
        compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    site.front.forget()
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make())
    assert site.changes() == []


def test_a_function_that_is_being_changed_takes_it_later(site: Site) -> None:
    compute = site.function().port()
    state = seen(compute)
    site.front.outages.fail("ResourceConflictException", 409, operation="PutProvisionedConcurrencyConfig")
    with pytest.raises(Transient):
        compute.scale(TARGET, 3, expect=state, call=Calls().make())
    site.front.outages.heal()
    assert seen(compute).wanted == 2


def test_a_worker_of_an_older_epoch_changes_nothing(site: Site) -> None:
    compute = site.function().port()
    compute.scale(TARGET, 5, expect=seen(compute), call=Calls().make(20))
    with pytest.raises(Conflict, match="epoch 20"):
        compute.scale(TARGET, 2, expect=seen(compute), call=Calls().make(19))
    assert seen(compute).wanted == 5
