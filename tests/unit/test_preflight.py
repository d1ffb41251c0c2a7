"""What would refuse a change is asked before: plan, check and the watcher say it; what nobody knows refuses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudfail import preflight
from cloudfail.app import App
from cloudfail.clock import SystemClock
from cloudfail.decide import DecisionKind
from cloudfail.entrypoints.cli import app as command_line
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Topology
from cloudfail.ports import Kind, Preflight
from cloudfail.readiness import Readiness
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.watcher import Moment, Watcher
from cloudfail.world import PortsWorld
from tests.crash.moves import LOADED
from tests.kit import Stage

PROTECTED = "www.shop.example A is protected against changes: ask the network team."


class World(FakeWorld):
    """What an App asks of its world, over a FakeCloud."""

    def databases(self) -> dict[str, Any]:
        return {name: self.database(name) for name in self.cloud.databases}

    def computes(self) -> dict[str, Any]:
        return {name: self.compute(name) for name in self.cloud.workers}

    def warm(self) -> None: ...


@pytest.fixture
def stage() -> Stage:
    return Stage(LOADED)


@pytest.fixture
def app(stage: Stage) -> App:
    made = App(stage.loaded, stage.store, "alice", stage.clock)
    made.world = World(stage.cloud)
    made.remember({"workers": {"web": {"east": 4, "west": 4}}})
    return made


def review(app: App) -> Any:
    return app.review("east", "west", "evacuate-all")


def test_what_is_protected_is_a_refusal_of_the_plan(stage: Stage, app: App) -> None:
    assert not [line for line in review(app).refusals if "www" in line]
    stage.cloud.preflights["www"] = Known((PROTECTED,), 0.0)
    assert f"www: {PROTECTED}" in review(app).refusals
    stage.cloud.preflights["www"] = Known((), 0.0)
    assert f"www: {PROTECTED}" not in review(app).refusals


def test_what_cannot_be_asked_is_told_and_refuses_nothing(stage: Stage, app: App) -> None:
    before = review(app)
    stage.cloud.preflights["www"] = Unknown("Route 53 does not answer", 0.0)
    after = review(app)
    assert after.refusals == before.refusals
    told = [line for line in after.warnings if line not in before.warnings]
    assert told == ["www: whether anything would refuse its change is not known: Route 53 does not answer"]
    assert after.plan.checksum == before.plan.checksum


def test_a_resource_that_no_step_acts_on_is_not_asked(stage: Stage, app: App) -> None:
    stage.cloud.preflights["other"] = Known((PROTECTED,), 0.0)
    assert not any("other" in line for line in review(app).refusals)


class Slow(World):
    """One name never answers, one breaks."""

    def __init__(self, stage: Stage, hung: threading.Event) -> None:
        super().__init__(stage.cloud)
        self.hung = hung

    def preflight(self, name: str) -> Known[tuple[str, ...]] | Unknown | None:
        if name == "www":
            self.hung.wait(60.0)
        if name == "edge":
            raise ValueError("no such thing")
        return Known((PROTECTED,), 0.0) if name == "orders" else None


def test_all_are_asked_at_once_and_waited_for_within_one_bound(stage: Stage) -> None:
    hung = threading.Event()
    began = time.monotonic()
    found = preflight.ask(Slow(stage, hung), ["www", "edge", "orders", "web"], SystemClock(), seconds=0.5)
    assert time.monotonic() - began < 10.0
    hung.set()
    assert set(found) == {"www", "edge", "orders"}, "what has nothing to ask for is left out"
    assert preflight.unanswered(found) == {"www", "edge"}
    assert preflight.refused(found) == [f"orders: {PROTECTED}"]
    assert any("no answer within 0.5 s" in line for line in preflight.unknown(found))
    assert any("ValueError: no such thing" in line for line in preflight.unknown(found))


FORBIDDEN = "run@shop may not compute.backendServices.update"


@pytest.mark.parametrize(
    ("ports", "allowed", "said"),
    [
        (Known((PROTECTED,), 1.0), Known((FORBIDDEN,), 2.0), Known((PROTECTED, FORBIDDEN), 1.0)),
        (Known((), 1.0), Known((), 2.0), Known((), 1.0)),
        (Known((), 1.0), Unknown("no answer", 2.0), Unknown("no answer", 2.0)),
        (Known((PROTECTED,), 1.0), Unknown("no answer", 2.0), Known((PROTECTED,), 1.0)),
        (Unknown("no answer", 1.0), Known((FORBIDDEN,), 2.0), Known((FORBIDDEN,), 1.0)),
        (None, Known((FORBIDDEN,), 2.0), Known((FORBIDDEN,), 2.0)),
        (Known((PROTECTED,), 1.0), None, Known((PROTECTED,), 1.0)),
        (None, None, None),
    ],
)
def test_what_a_port_says_and_what_its_kind_says_of_permissions_count_together(
    ports: Any, allowed: Any, said: Any
) -> None:
    """What would refuse counts, whatever else is unknown; that nothing would is known only where both say so."""

    class Asked:
        def preflight(self) -> Any:
            return ports

    kind = Kind(
        PortName.DNS,
        "name",
        lambda _resource, _topology: object() if ports is None else Asked(),
        allowed=None if allowed is None else lambda _resource, _topology: allowed,
    )
    one = Resource("www", PortName.DNS, "name", "cloud", None, {})
    region = Region("east", "cloud")
    topology = Topology("shop", Objectives(900, 30), {"east": region}, "east", "memory:", {"www": one})
    loaded: Any = SimpleNamespace(topology=topology, kinds={"www": kind})
    world = PortsWorld(loaded, lambda _c, _r: Unknown("nobody looks"), lambda _d, _r: Unknown("nobody looks"))
    assert world.preflight("www") == said


def test_a_port_that_has_none_is_not_one() -> None:
    class Has:
        def preflight(self) -> Known[tuple[str, ...]]:
            return Known((), 0.0)

    assert isinstance(Has(), Preflight)
    assert not isinstance(object(), Preflight)


# ---- while all is calm


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30.0
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def ready(app: App) -> Iterator[Readiness]:
    app.topology = replace(app.topology, policy=replace(app.topology.policy, runbook="evacuate-all"))
    yield Readiness(app)


def test_the_watcher_asks_while_all_is_calm_and_tells_once(stage: Stage, app: App, ready: Readiness) -> None:
    told: list[Moment] = []
    stage.cloud.preflights["www"] = Known((PROTECTED,), 0.0)
    watcher = Watcher(app, told.append, ready=ready)
    ready.keep("east", "west", calm=True)
    until(lambda: bool(ready.refused))
    for _ in range(3):
        watcher._tell_what_is_refused("east")
    [moment] = told
    assert moment.decision.kind is DecisionKind.WARN
    assert moment.decision.reasons == (f"A move out of east would be refused: www: {PROTECTED}",)
    assert moment.decision.to_do == "cloudfail plan east"


def test_what_was_found_stands_until_it_is_heard_otherwise(stage: Stage, ready: Readiness) -> None:
    def asked_again() -> None:
        stage.clock.suspend(3600.0)
        ready.keep("east", "west", calm=True)
        until(lambda: ready._errand is not None and not ready._errand.is_alive())

    stage.cloud.preflights["www"] = Known((PROTECTED,), 0.0)
    asked_again()
    assert ready.refused == (f"www: {PROTECTED}",)
    stage.cloud.preflights["www"] = Unknown("Route 53 does not answer", 0.0)
    asked_again()
    assert ready.refused == (f"www: {PROTECTED}",)
    stage.cloud.preflights["www"] = Known((), 0.0)
    asked_again()
    assert ready.refused == ()


# ---- the command


def test_check_says_what_would_be_refused_and_what_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cloudfail.yaml").write_text(
        "application: shop\nobjectives: {rto: 15m, rpo: 30s}\n"
        "regions: {us-east-1: {provider: aws}, us-west-2: {provider: aws}}\nprimary: us-east-1\n"
        "state: 'memory:'\nresources:\n"
        "  www: {dns: route53, zone: Z1EXAMPLE, name: www.shop.example, answer_within: 1s,\n"
        "        members: {us-east-1: 192.0.2.1, us-west-2: 192.0.2.2}}\n"
    )
    # Nobody listens there: the control plane is gone.
    for name, value in (
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    said = CliRunner().invoke(command_line, ["check", "-c", str(tmp_path / "cloudfail.yaml")])
    assert said.exit_code == 0, said.output
    assert "www: whether anything would refuse its change is not known" in said.output
    assert "would be refused" not in said.output
