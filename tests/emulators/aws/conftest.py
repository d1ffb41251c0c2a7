"""Fixtures for the tests against AWS's emulators."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest

from cloudfail_aws import asking
from tests.emulators.aws import emulator
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws import moto as moto_server
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.routing_controls import Cluster, Panel
from tests.emulators.aws.standins.service_quotas import Reservations, ServiceQuotas
from tests.emulators.leaping import at_its_own_pace

# Each session of the SDK reads AWS's descriptions of its services anew: half of what these tests cost.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture(autouse=True)
def own_pace() -> Iterator[None]:
    """What one test's throttling emptied, no other test waits for."""
    with at_its_own_pace(asking):
        yield


@pytest.fixture(scope="session")
def ministack() -> Iterator[emulator.Emulator]:
    if not emulator.is_installed():
        pytest.skip(f"The emulator of AWS is not installed ({emulator.MINISTACK}): run script/setup dev.")
    with emulator.running() as one:
        yield one


@pytest.fixture
def aws(ministack: emulator.Emulator, monkeypatch: pytest.MonkeyPatch) -> emulator.Emulator:
    """An AWS in which nothing is yet, and which the SDK finds by its own variables."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    ministack.reset()
    return ministack


@pytest.fixture
def sdk(aws: emulator.Emulator) -> Any:
    """What an operator has at hand: a client by service and region."""
    session = botocore.session.Session()
    return lambda service, region: session.create_client(service, region_name=region)


@pytest.fixture(scope="session")
def moto_process() -> Iterator[emulator.Emulator]:
    if not moto_server.is_installed():
        pytest.skip(f"moto is not installed ({moto_server.PYTHON}): run script/setup dev.")
    with moto_server.running() as one:
        yield one


@pytest.fixture
def moto(moto_process: emulator.Emulator) -> emulator.Emulator:
    """moto's server, in which nothing is yet. Ask it by `endpoint_url=moto.url`, or through the front."""
    moto_process.reset()
    return moto_process


@pytest.fixture
def front(
    ministack: emulator.Emulator, moto: emulator.Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[all_of_aws.Front]:
    """All of AWS at one address, in which nothing is yet, and which the SDK finds by its own variables."""
    ministack.reset()
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with all_of_aws.front({"ministack": ministack.port, "moto": moto.port}) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def stand_ins() -> Iterator[list[StandIn]]:
    """Those of this test. Whatever a stand-in finds wrong with a request or an answer fails the test."""
    made: list[StandIn] = []
    yield made
    for one in made:
        one.close()
    mistakes = [mistake for one in made for mistake in one.mistakes]
    assert not mistakes, "What AWS's own model says is otherwise:\n" + "\n".join(mistakes)


@pytest.fixture
def stand_in(stand_ins: list[StandIn]) -> Callable[[str, Any], StandIn]:
    """Serves a state machine as that service of AWS."""

    def make(service: str, machine: Any) -> StandIn:
        stand_ins.append(StandIn(service, machine))
        return stand_ins[-1]

    return make


@pytest.fixture
def routing_controls(stand_ins: list[StandIn]) -> Iterator[Cluster]:
    """ARC's data plane: a panel without controls yet, at five endpoints."""
    cluster = Cluster(Panel())
    stand_ins += cluster.stand_ins
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def shared_front(ministack: emulator.Emulator, moto_process: emulator.Emulator) -> Iterator[all_of_aws.Front]:
    with all_of_aws.front({"ministack": ministack.port, "moto": moto_process.port}) as made:
        yield made


@pytest.fixture
def cloud(shared_front: all_of_aws.Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[all_of_aws.Front]:
    """All of AWS without faults, in which other tests may have left things of other names: an emulator that has to
    forget everything between two tests costs more than most of them."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in shared_front.environment().items():
        monkeypatch.setenv(name, value)
    shared_front.forget()
    yield shared_front
    shared_front.outages.forget()


@dataclass
class Account:
    """What an account may run, by stand-ins, and what it is said to run, by ministack's CloudWatch."""

    front: all_of_aws.Front
    quotas: ServiceQuotas
    reservations: Reservations

    def uses(self, region: str, service: str, value: float) -> None:
        client = botocore.session.Session().create_client("cloudwatch", region_name=region, endpoint_url=self.front.url)
        named = [{"Name": key, "Value": one} for key, one in self.quotas.dimensions(service).items()]
        point = {"MetricName": "ResourceCount", "Dimensions": named, "Value": value, "Unit": "None"}
        client.put_metric_data(Namespace="AWS/Usage", MetricData=[point])


@pytest.fixture
def account(cloud: all_of_aws.Front, stand_in: Callable[..., StandIn]) -> Iterator[Account]:
    made = Account(cloud, ServiceQuotas(), Reservations())
    cloud.serve("service-quotas", stand_in("service-quotas", made.quotas).answer)
    cloud.serve("ec2", stand_in("ec2", made.reservations).answer, "DescribeCapacityReservations")
    yield made
    cloud.serve("service-quotas", "nobody")
    cloud.serve("ec2", "moto", "DescribeCapacityReservations")
